"""Names that must exist: variants, flags in ``requires``, segments in conditions."""

from __future__ import annotations

from collections.abc import Iterator

from flagcore.model.checks.conditions import conditions_of, may_name_segments
from flagcore.model.checks.finding import at_word, error, shown, unknown, unknown_variant
from flagcore.model.checks.splits import check_split
from flagcore.model.flagset import Flag, Requirement
from flagcore.model.normal import walk
from flagcore.model.problems import DocumentPath, Finding
from flagcore.model.scope import Scope
from flagcore.model.tree import InSegment

__all__ = ["check_flag_references", "check_segment_references"]


def check_flag_references(scope: Scope, flag: Flag) -> Iterator[Finding]:
    """Variants named by ``default``, ``off_variant``, rules and requirements, and the flags required."""
    base: DocumentPath = ("flags", flag.key)
    if isinstance(flag.default, str):
        if flag.default not in flag.variants:
            yield from unknown_variant(flag, flag.default, (*base, "default"))
    else:
        yield from check_split(flag.default, flag.variants, (*base, "default"))
    if flag.off_variant is not None and flag.off_variant not in flag.variants:
        yield from unknown_variant(flag, flag.off_variant, (*base, "off_variant"))
    for index, rule in enumerate(flag.rules):
        if rule.serve is not None and rule.serve not in flag.variants:
            yield from unknown_variant(flag, rule.serve, (*base, "rules", index, "serve"))
        if rule.split is not None:
            yield from check_split(rule.split, flag.variants, (*base, "rules", index, "split"))
    for index, requirement in enumerate(flag.requires):
        yield from _check_requirement(scope, flag, requirement, (*base, "requires", index))


def _check_requirement(scope: Scope, flag: Flag, requirement: Requirement, path: DocumentPath) -> Iterator[Finding]:
    if requirement.otherwise is not None:
        yield from unknown_variant(flag, requirement.otherwise, (*path, "otherwise"))
    if not requirement.accepted:
        yield error("empty-list", "`is` names at least one variant", (*path, "is"))
    if requirement.flag not in scope.flag_keys:
        message = f"there is no flag {shown(requirement.flag)}"
        yield unknown("unknown-flag", message, (*path, "flag"), requirement.flag, scope.flag_keys)
        return
    target = scope.flag_set.flags.get(requirement.flag)
    if target is None:
        return
    for name in requirement.accepted:
        yield from unknown_variant(target, name, (*path, "is"), f"the flag {shown(target.key)}")


def check_segment_references(scope: Scope) -> Iterator[Finding]:
    """Segments named in conditions."""
    for condition, path in conditions_of(scope.flag_set):
        if not may_name_segments(scope, condition):
            continue
        for node in walk(condition.tree):
            if isinstance(node, InSegment) and node.name not in scope.segment_names:
                message = f"there is no segment {shown(node.name)}"
                finding = unknown("unknown-segment", message, path, node.name, scope.segment_names)
                yield at_word(finding, condition.text, node.name)
