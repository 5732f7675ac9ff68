"""Values: variants of the flag's type, metadata, texts with a form of their own."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator

from flagcore.model.checks.finding import error, shown
from flagcore.model.fields import kind_of
from flagcore.model.flagset import Flag
from flagcore.model.operators import INT64_MAX, INT64_MIN, is_text
from flagcore.model.problems import DocumentPath, Finding
from flagcore.model.scope import Scope
from flagcore.terms import FlagType

__all__ = ["check_flag_values"]

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_RESERVED = "flagcore."
_KINDS = {
    FlagType.BOOLEAN: "true or false",
    FlagType.STRING: "a text",
    FlagType.INTEGER: "an integer",
    FlagType.FLOAT: "a number",
    FlagType.OBJECT: "a mapping or list",
}


def check_flag_values(scope: Scope, flag: Flag) -> Iterator[Finding]:
    """Variant values, metadata, ``expires`` and the texts that reach programs."""
    base: DocumentPath = ("flags", flag.key)
    if flag.key not in scope.untyped:
        if not flag.variants:
            yield error("no-variants", "a flag has at least one variant", (*base, "variants"), at_key=True)
        is_boolean = flag.type is FlagType.BOOLEAN
        for name, value in flag.variants.items():
            if is_boolean and isinstance(value, bool):
                continue  # nothing else can be wrong with it
            yield from _check_value(flag.type, value, (*base, "variants", name), scope.limits.depth)
    for name, value in flag.metadata.items():
        yield from _check_metadata(name, value, (*base, "metadata", name))
    if flag.expires is not None and not _is_date(flag.expires):
        yield error("bad-date", f"{shown(flag.expires)} is not a date", (*base, "expires"), "such as 2027-03-01")
    if flag.salt is not None:
        yield from check_salt(flag.salt, (*base, "salt"))


def check_salt(salt: str, path: DocumentPath) -> Iterator[Finding]:
    """A salt is any text that can be written as UTF-8."""
    if not is_text(salt):
        yield error("bad-text", "the salt holds half of a surrogate pair", path)


def _is_date(text: str) -> bool:
    if _DATE.fullmatch(text) is None:
        return False
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _check_metadata(name: str, value: object, path: DocumentPath) -> Iterator[Finding]:
    if name.startswith(_RESERVED) or not name or not is_text(name):
        hint = f"names are not empty and do not begin with {_RESERVED}, which flagcore adds itself"
        yield error("bad-name", f"{shown(name)} cannot be a metadata name", path, hint, at_key=True)
    if isinstance(value, (dict, list, tuple)) or value is None:
        yield error("wrong-type", f"metadata is text, number or boolean, not {kind_of(value)}", path)
    else:
        yield from _check_scalar(value, path)


def _check_value(flag_type: FlagType, value: object, path: DocumentPath, depth: int) -> Iterator[Finding]:
    if not _has_type(flag_type, value):
        message = f"a variant of this {flag_type} flag is {_KINDS[flag_type]}, not {kind_of(value)}"
        yield error("wrong-type", message, path, _value_hint(flag_type, value))
    elif flag_type is FlagType.OBJECT:
        yield from _check_nested(value, path, depth)
    else:
        yield from _check_scalar(value, path)


def _has_type(flag_type: FlagType, value: object) -> bool:
    if flag_type is FlagType.BOOLEAN:
        return isinstance(value, bool)
    if flag_type is FlagType.STRING:
        return isinstance(value, str)
    if flag_type is FlagType.OBJECT:
        return isinstance(value, (dict, list, tuple))
    kinds = int if flag_type is FlagType.INTEGER else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool)


def _value_hint(flag_type: FlagType, value: object) -> str | None:
    if flag_type is FlagType.STRING and isinstance(value, (bool, int, float)):
        return "write it in quotes"
    if flag_type is FlagType.INTEGER and isinstance(value, float):
        return "write it without a decimal point, or make the flag a float"
    if flag_type is FlagType.BOOLEAN and isinstance(value, str):
        return "write true or false without quotes"
    return None


def _check_scalar(value: object, path: DocumentPath) -> Iterator[Finding]:
    if isinstance(value, str) and not is_text(value):
        yield error("bad-text", "the text holds half of a surrogate pair", path)
    elif isinstance(value, int) and not INT64_MIN <= value <= INT64_MAX:
        yield error("bad-number", "the integer does not fit into 64 bits", path)
    elif isinstance(value, float) and value - value != 0:
        yield error("bad-number", "the number is not finite", path)


def _check_nested(value: object, path: DocumentPath, depth: int) -> Iterator[Finding]:
    """Values inside an object: JSON's, with text keys, int64 and finite numbers; without recursion."""
    stack: list[tuple[object, DocumentPath]] = [(value, path)]
    while stack:
        current, place = stack.pop()
        if isinstance(current, (dict, list, tuple)):
            if len(place) - len(path) >= depth:
                yield error("too-deep", f"the value is nested deeper than {depth}", path)
                return
            yield from _check_keys(current, place)
            pairs = current.items() if isinstance(current, dict) else enumerate(current)
            stack.extend((inner, (*place, key)) for key, inner in pairs)
        elif current is None or isinstance(current, (str, bool, int, float)):
            yield from _check_scalar(current, place)
        else:
            yield error("wrong-type", f"{kind_of(current)} cannot be written as JSON", place)


def _check_keys(value: object, path: DocumentPath) -> Iterator[Finding]:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or not is_text(key):
                yield error("bad-key", f"a key is a text, not {kind_of(key)}", path, "write it in quotes")
