"""Names: patterns, and rule ids that are unique in their flag."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import filterfalse

from flagcore.model.checks.finding import FLAG_KEY, NAME, error, shown
from flagcore.model.flagset import Flag
from flagcore.model.problems import DocumentPath, Finding
from flagcore.model.scope import Scope

__all__ = ["check_flag_names", "check_set_names"]


def check_set_names(scope: Scope) -> Iterator[Finding]:
    """Flag keys and segment names."""
    for key in filterfalse(FLAG_KEY.fullmatch, scope.flag_set.flags):
        yield _bad_name("flag key", key, FLAG_KEY, ("flags", key))
    for name in filterfalse(NAME.fullmatch, scope.flag_set.segments):
        yield _bad_name("segment name", name, NAME, ("segments", name))


def check_flag_names(flag: Flag) -> Iterator[Finding]:
    """Variants and rule ids of one flag."""
    base: DocumentPath = ("flags", flag.key)
    for name in filterfalse(NAME.fullmatch, flag.variants):
        yield _bad_name("variant name", name, NAME, (*base, "variants", name))
    seen: dict[str, int] = {}
    for index, rule in enumerate(flag.rules):
        path = (*base, "rules", index, "id")
        if NAME.fullmatch(rule.id) is None:
            yield _bad_name("rule id", rule.id, NAME, path, at_key=False)
        if rule.id in seen:
            yield error(
                "duplicate-id", f"the rule id {shown(rule.id)} is used twice, first by rules[{seen[rule.id]}]", path
            )
        else:
            seen[rule.id] = index


def _bad_name(what: str, name: str, pattern: re.Pattern[str], path: DocumentPath, *, at_key: bool = True) -> Finding:
    length = 255 if pattern is FLAG_KEY else 64
    hint = f"1 to {length} of the characters A-Z a-z 0-9 . _ -, the first a letter or digit"
    return error("bad-name", f"{shown(name)} is not a {what}", path, hint, at_key=at_key)
