"""Which operator takes which constants: the operator table of flag-format.md section 2 as one check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flagcore.model.literals import network_fault, parse_time, parse_version
from flagcore.model.problems import Fault, PatternError
from flagcore.model.tree import Literal, Test
from flagcore.terms import Operator

__all__ = ["INT64_MAX", "INT64_MIN", "NOW", "ORDER", "PREFIXES", "is_text", "test_faults"]

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
NOW = ("now",)
"""The path of the evaluation time."""

PREFIXES = ("v", "i", "t", "cidr")
ORDER = frozenset({Operator.LESS, Operator.LESS_OR_EQUAL, Operator.GREATER, Operator.GREATER_OR_EQUAL})
_EQUALITY = frozenset({Operator.EQUALS, Operator.NOT_EQUALS})
_USUAL = frozenset({Operator.EQUALS, Operator.NOT_EQUALS, Operator.IN})
_OF_NUMBERS = _EQUALITY | ORDER
_AFFIX = frozenset({Operator.STARTS_WITH, Operator.ENDS_WITH})

_PREFIX_OPERATORS: dict[str, frozenset[Operator]] = {
    "": frozenset(Operator),
    "v": _EQUALITY | ORDER | {Operator.IN},
    "t": ORDER,
    "cidr": frozenset({Operator.IN}),
    "i": _EQUALITY | _AFFIX | {Operator.IN, Operator.CONTAINS},
}
_LISTS = _AFFIX | {Operator.IN, Operator.CONTAINS}
_PREFIX_NAMES = {"v": "a version", "t": "a time", "cidr": "a network", "i": "a text without case"}


def test_faults(test: Test) -> Iterable[Fault]:
    """Return what is wrong with the test's operator and constant; a fault of a list's element carries its index."""
    return () if _is_usual(test) else _faults(test)


def _is_usual(test: Test) -> bool:
    """True for the tests that most conditions are made of, in which nothing can be wrong: one or more plain texts, or an integer."""
    if test.path == NOW:
        return False
    constant = test.constant
    if not isinstance(constant, tuple):
        value = constant.value
        if type(value) is int:
            return test.operator in _OF_NUMBERS and not constant.prefix and INT64_MIN <= value <= INT64_MAX
        return test.operator in _USUAL and not constant.prefix and type(value) is str and value.isascii()
    texts = [literal.value for literal in constant if not literal.prefix and type(literal.value) is str]
    return test.operator is Operator.IN and len(texts) == len(constant) > 0 and "".join(texts).isascii()


def _faults(test: Test) -> Iterator[Fault]:
    yield from _shape_faults(test)
    in_list = isinstance(test.constant, tuple)
    for index, literal in enumerate(test.literals):
        fault = _literal_fault(literal) or _pairing_fault(test, literal)
        if fault is not None:
            code, message, hint = fault
            yield Fault(code=code, message=message, hint=hint, element=index if in_list else None)
            if code == "bad-operator":
                return  # one word about the pairing, not one an element


def _shape_faults(test: Test) -> Iterator[Fault]:
    operator = test.operator
    if not isinstance(test.constant, tuple):
        return
    if not test.constant:
        yield Fault(code="empty-list", message="a list is never empty")
    elif operator not in _LISTS:
        hint = (
            'write `in` for "one of"' if operator in _EQUALITY else "write one test for each constant, joined by `or`"
        )
        yield Fault(code="bad-operator", message=f"`{operator}` takes one constant, not a list", hint=hint)
    elif len({"" if literal.prefix == "i" else literal.prefix for literal in test.constant}) > 1:
        yield Fault(
            code="mixed-list", message="a list holds one prefix (plain and i may mix)", hint="split it with `or`"
        )


_Fault = tuple[str, str, str | None]  # code, message, hint


def _literal_fault(literal: Literal) -> _Fault | None:
    value: object = literal.value
    if literal.prefix:
        return _prefixed_fault(literal)
    if isinstance(value, str):
        return None if is_text(value) else ("bad-text", "the text holds half of a surrogate pair", None)
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        fits = INT64_MIN <= value <= INT64_MAX
        return (
            None
            if fits
            else ("bad-number", "the integer does not fit into 64 bits", "write it with .0 to mean a float")
        )
    if isinstance(value, float):
        return None if value - value == 0 else ("bad-number", "the number is not finite", None)
    return "bad-constant", f"a constant is a string, number or boolean, not {type(value).__name__}", None


def _prefixed_fault(literal: Literal) -> _Fault | None:
    prefix, text = literal.prefix, literal.value
    if prefix not in PREFIXES:
        return "bad-prefix", f"the prefix {prefix!r} is not known", "the prefixes are v, i, t and cidr"
    if not isinstance(text, str):
        return "bad-constant", f"the prefix {prefix} stands before a string", None
    if not is_text(text):
        return "bad-text", "the text holds half of a surrogate pair", None
    if prefix == "v" and parse_version(text) is None:
        hint = "versions are MAJOR[.MINOR[.PATCH[-pre][+build]]], without leading zeros"
        return "bad-version", f"{text!r} is not a version", hint
    if prefix == "t" and parse_time(text) is None:
        hint = 'such as t"2026-12-01T09:00:00Z" or t"2026-12-01T09:00:00+01:00"'
        return "bad-time", f"{text!r} is not a time with offset", hint
    fault = network_fault(text) if prefix == "cidr" else None
    return ("bad-network", *fault) if fault else None


def _pairing_fault(test: Test, literal: Literal) -> _Fault | None:
    operator, prefix, value = test.operator, literal.prefix, literal.value
    if test.path == NOW and (prefix != "t" or operator not in ORDER):
        message = "`now` is the evaluation time and is compared by < <= > >= with a time"
        return "bad-operator", message, 'such as now >= t"2026-12-01T09:00:00Z"'
    if operator not in _PREFIX_OPERATORS[prefix]:
        return "bad-operator", f'`{operator}` does not take {_PREFIX_NAMES[prefix]} ({prefix}"...")', _takes(prefix)
    if prefix:
        return None
    if operator in ORDER and (isinstance(value, (str, bool))):
        return (
            "bad-operator",
            f'`{operator}` compares numbers, versions (v"...") and times (t"...")',
            _order_hint(value),
        )
    if (operator in _AFFIX or operator is Operator.MATCHES) and not isinstance(value, str):
        return (
            "bad-operator",
            f"`{operator}` takes a string",
            f'write "{str(value).lower()}" in quotes to mean the text',
        )
    return _pattern_fault(str(value)) if operator is Operator.MATCHES else None


def _takes(prefix: str) -> str:
    words = " ".join(operator.value for operator in Operator if operator in _PREFIX_OPERATORS[prefix])
    rest = "; for `matches` write (?i) into the pattern" if prefix == "i" else ""
    return f"the prefix {prefix} goes with {words}{rest}"


def _order_hint(value: str | bool | int | float) -> str | None:
    if not isinstance(value, str):
        return None
    if parse_time(value) is not None:
        return f't"{value}" is a time'
    if parse_version(value) is not None:
        return f'v"{value}" is a version'
    return None


def _pattern_fault(text: str) -> _Fault | None:
    from flagcore.model.regex import parse_pattern  # 2 ms that only patterns should cost

    try:
        parse_pattern(text)
    except PatternError as error:
        return (
            "bad-pattern",
            f"the pattern is refused: {error.reason} (at character {error.offset + 1} of it)",
            error.hint,
        )
    return None


def is_text(text: str) -> bool:
    """True when the text can be written as UTF-8, that is, holds no half of a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
