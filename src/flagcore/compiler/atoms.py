"""Read a test: one attribute, operator and constant to parts of views (docs/design/compiler.md sections 1 and 2).

A test is true when any of its parts is. Its parts are grouped by the kind of value that they look at, because a list
of mixed kinds is one test: false when a kind occurs and no part of it holds, unknown when no kind occurs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from flagcore.compiler.intervals import Classes
from flagcore.compiler.refusal import Refusal
from flagcore.compiler.value_objects import INLINE_VALUES, ValueObjects
from flagcore.compiler.views import (
    AddressCut,
    AddressView,
    AffixView,
    BooleanView,
    ListView,
    MatchView,
    NumberView,
    SetView,
    TextView,
    TimeView,
    TypedLiteral,
    VersionKey,
    VersionView,
    View,
    Views,
    fold_bytes,
)
from flagcore.model.flagset import Scalar, Segment
from flagcore.model.literals import parse_network, parse_time, parse_version, precedence
from flagcore.model.problems import PatternError
from flagcore.model.tree import Literal, Path, Test
from flagcore.terms import Operator

__all__ = ["Atom", "Part", "TestReader", "exact_number", "time_constant"]

_ABOVE = {4: (6, 0), 6: (7, 0)}  # the cut after a family's last address
_LAST = {4: (1 << 32) - 1, 6: (1 << 128) - 1}


class Part(NamedTuple):
    """A view, and how to get the classes under which the test is true once the view is frozen."""

    view: View
    choose: Callable[[], Classes]


Group = tuple[Part, ...]  # parts that look at one kind of value
Atom = tuple[Group, ...]


class TestReader:
    """Turns tests into atoms, collecting the constants of a flag's views on the way."""

    def __init__(self, views: Views, objects: ValueObjects) -> None:
        self._views = views
        self._objects = objects
        self._known: dict[tuple[object, ...], Atom] = {}

    def read(self, test: Test) -> Atom:
        """Return the atom of ``test``, of tests with one same constant the same.

        ``!=`` reads as ``==``, whose negation it is in three-valued logic too.
        """
        constant = test.constant
        if isinstance(constant, tuple):
            return self._read(test)
        key = (test.path, test.operator, type(constant.value), constant.value, constant.prefix)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._read(test)
        return known

    def _read(self, test: Test) -> Atom:
        prefix = test.literals[0].prefix
        if prefix in _BY_PREFIX:
            return _BY_PREFIX[prefix](self, test)
        return _BY_OPERATOR[test.operator](self, test)

    def read_segment(self, segment: Segment) -> Atom:
        """Return the atom of a segment of values."""
        path, values = segment.attribute or (), segment.values or ()
        if len(values) > INLINE_VALUES:
            view = self._views.get(SetView, path, self._objects.of_segment(segment))
            return ((Part(view, view.members),),)
        return self._members(path, [Literal(value) for value in values])

    # -- by operator

    def _equality(self, test: Test) -> Atom:
        literals = test.literals
        if (name := self._long_list(literals)) is not None:
            view = self._views.get(SetView, test.path, name)
            return ((Part(view, view.members),),)
        return self._members(test.path, literals)

    def _members(self, path: Path, literals: Sequence[Literal]) -> Atom:
        texts, others = (
            self._texts(path, literals),
            [literal.value for literal in literals if type(literal.value) is not str],
        )
        if not others:
            return (texts,)
        numbers = self._numbers(path, [exact_number(value) for value in others if not isinstance(value, bool)])
        booleans = self._booleans(path, [value for value in others if isinstance(value, bool)])
        return tuple(group for group in (texts, numbers, booleans) if group)

    def _texts(self, path: Path, literals: Sequence[Literal]) -> Group:
        group: list[Part] = []
        for fold, texts in _by_fold(literals):
            view = self._views.get(TextView, path, fold)
            view.add(texts)
            group.append(Part(view, partial(view.points, texts)))
        return tuple(group)

    def _numbers(self, path: Path, numbers: Sequence[int | float]) -> Group:
        if not numbers:
            return ()
        view = self._views.get(NumberView, path)
        view.add(numbers)
        return (Part(view, partial(view.points, numbers)),)

    def _booleans(self, path: Path, values: Sequence[bool]) -> Group:
        if not values:
            return ()
        view = self._views.get(BooleanView, path)
        return (Part(view, partial(view.points, values)),)

    def _number_order(self, test: Test) -> Atom:
        number = exact_number(test.literals[0].value)
        view = self._views.get(NumberView, test.path)
        view.add([number])
        return ((Part(view, partial(view.compare, test.operator.value, number)),),)

    def _contains(self, test: Test) -> Atom:
        literals = test.literals
        listed = self._views.get(ListView, test.path, _typed(literals), self._long_list(literals))
        groups: list[Group] = [(Part(listed, listed.members),)]
        needles = [needle for fold, texts in _by_fold(literals) for needle in ((text, fold) for text in texts)]
        if any(not text for text, _ in needles):
            groups.append(self._any_text(test.path))
        elif needles:
            view = self._views.get(MatchView, test.path, tuple(sorted(set(needles))), None)
            groups.append((Part(view, view.members),))
        return tuple(groups)

    def _long_list(self, literals: Sequence[Literal]) -> str | None:
        if len(literals) <= INLINE_VALUES:
            return None
        texts = sum(isinstance(literal.value, str) for literal in literals)
        return self._objects.of_list(literals) if texts > INLINE_VALUES else None

    def _affix(self, test: Test) -> Atom:
        group: list[Part] = []
        for fold, texts in _by_fold(test.literals):
            if b"" in texts:
                return (self._any_text(test.path),)
            view = self._views.get(AffixView, test.path, fold, test.operator is Operator.ENDS_WITH)
            view.add(texts)
            group.append(Part(view, partial(view.under, texts)))
        return (tuple(group),)

    def _matches(self, test: Test) -> Atom:
        from flagcore.model.regex import parse_pattern  # here: most sets have no pattern

        text = str(test.literals[0].value)
        try:
            pattern = parse_pattern(text)
        except PatternError as error:
            raise Refusal("bad-pattern", f"the pattern {text!r} cannot be used: {error}") from error
        view = self._views.get(MatchView, test.path, (), pattern)
        view.text = text
        return ((Part(view, view.members),),)

    def _any_text(self, path: Path) -> Group:
        """Every string contains, starts and ends with the empty string."""
        view = self._views.get(TextView, path, False)
        return (Part(view, view.values),)

    # -- by prefix

    def _version(self, test: Test) -> Atom:
        keys = [_version_constant(str(literal.value)) for literal in test.literals]
        view = self._views.get(VersionView, test.path)
        view.add(keys)
        if test.operator in _EQUALITY:
            return ((Part(view, partial(view.points, keys)),),)
        return ((Part(view, partial(view.compare, test.operator.value, keys[0])),),)

    def _time(self, test: Test) -> Atom:
        moment = time_constant(str(test.literals[0].value))
        view = self._views.get(TimeView, test.path)
        view.add([moment])
        return ((Part(view, partial(view.compare, test.operator.value, moment)),),)

    def _address(self, test: Test) -> Atom:
        ranges = [_network_constant(str(literal.value)) for literal in test.literals]
        view = self._views.get(AddressView, test.path)
        view.add(ranges)
        return ((Part(view, partial(view.inside, ranges)),),)


_EQUALITY = frozenset({Operator.EQUALS, Operator.NOT_EQUALS, Operator.IN})
_BY_PREFIX: dict[str, Callable[[TestReader, Test], Atom]] = {
    "v": TestReader._version,
    "t": TestReader._time,
    "cidr": TestReader._address,
}
_BY_OPERATOR: dict[Operator, Callable[[TestReader, Test], Atom]] = {
    **dict.fromkeys(_EQUALITY, TestReader._equality),
    Operator.LESS: TestReader._number_order,
    Operator.LESS_OR_EQUAL: TestReader._number_order,
    Operator.GREATER: TestReader._number_order,
    Operator.GREATER_OR_EQUAL: TestReader._number_order,
    Operator.CONTAINS: TestReader._contains,
    Operator.STARTS_WITH: TestReader._affix,
    Operator.ENDS_WITH: TestReader._affix,
    Operator.MATCHES: TestReader._matches,
}


def exact_number(value: Scalar) -> int | float:
    """Return ``value`` as the kernel holds it: an int64, or a finite double that equals none."""
    if isinstance(value, str) or value != value or value in (float("inf"), float("-inf")):
        raise Refusal("bad-number", f"{value!r} is not a finite number")
    whole = int(value)
    if whole == value and -(1 << 63) <= whole < 1 << 63:
        return whole
    if isinstance(value, int):
        raise Refusal("bad-number", f"{value} does not fit 64 bits")
    return value


def time_constant(text: str) -> int:
    """Return microseconds since 1970-01-01T00:00:00Z."""
    moment = parse_time(text)
    if moment is None:
        raise Refusal("bad-time", f"{text!r} is not an RFC 3339 time with offset")
    return moment


def _version_constant(text: str) -> VersionKey:
    version = parse_version(text)
    if version is None:
        raise Refusal("bad-version", f"{text!r} is not a version")
    return precedence(version)


def _network_constant(text: str) -> tuple[AddressCut, AddressCut]:
    network = parse_network(text)
    if network is None:
        raise Refusal("bad-network", f"{text!r} is not an IP address or network")
    family, last = network.family, network.last
    return (family, network.first), _ABOVE[family] if last == _LAST[family] else (family, last + 1)


def _by_fold(literals: Iterable[Literal]) -> list[tuple[bool, tuple[bytes, ...]]]:
    """Return the texts among ``literals``, as written and then ASCII-folded ones, without empty groups."""
    found: dict[bool, dict[bytes, None]] = {False: {}, True: {}}
    for literal in literals:
        if isinstance(literal.value, str):
            fold = literal.prefix == "i"
            text = _utf8(literal.value)
            found[fold][fold_bytes(text) if fold else text] = None
    return [(fold, tuple(texts)) for fold, texts in found.items() if texts]


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Refusal("bad-text", f"{text!r} holds a lone surrogate, which no text in a condition can") from error


def _typed(literals: Iterable[Literal]) -> tuple[TypedLiteral, ...]:
    """Return the distinct literals in one order, telling ``1`` from ``true``, which Python's ``==`` does not."""
    return tuple(sorted({(type(literal.value).__name__, literal.value, literal.prefix) for literal in literals}))
