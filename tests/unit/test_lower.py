"""Lowering alone is Kleene logic: rule by rule, by brute force over the classes that a context can have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.walkers.automaton_runner import run_automaton
from benchmarks.walkers.table_reader import member
from flagcore.compiler.atoms import exact_number
from flagcore.compiler.automata import build_automata_of
from flagcore.compiler.formula import ALWAYS, NEVER, Formulas, LiteralFormula
from flagcore.compiler.intervals import contains
from flagcore.compiler.lower import Collector, Lowering, Mode
from flagcore.compiler.options import Options
from flagcore.compiler.refusal import Refusal
from flagcore.compiler.value_objects import ValueObjects, list_set
from flagcore.compiler.views import (
    AddressView,
    AffixView,
    BooleanView,
    ListView,
    MatchView,
    NumberView,
    PresenceView,
    SetView,
    TextView,
    TimeView,
    VersionView,
    View,
)
from flagcore.model import parse_expression
from flagcore.model import tree as model
from flagcore.model.flagset import Condition, FlagSet, Segment
from flagcore.model.literals import parse_address, parse_time, parse_version, precedence
from flagcore.model.tree import Constant, Expression, InSegment, Literal, Not
from flagcore.reference import Twin
from flagcore.terms import Operator
from tests.profiles import cases
from tests.support.authored import contexts, expressions, moments

_SEGMENTS = {
    "s0": Segment(name="s0", when=Condition(parse_expression('a == "a" or b > 1'))),
    "s1": Segment(name="s1", when=Condition(parse_expression('not segment("s0") and has(a)'))),
    "s2": Segment(name="s2", attribute=("a",), values=("a", 1, True, "ab")),
    "many": Segment(name="many", attribute=("b",), values=(*(f"t{n}" for n in range(70)), 2)),
}


class _Lowered:
    """A condition lowered in all four modes, and the truth of a formula for a context."""

    def __init__(self, tree: Expression, segments: Mapping[str, Segment] = _SEGMENTS) -> None:
        self.objects = ValueObjects()
        collector = Collector(segments, self.objects, Options())
        collector.add(tree)
        collector.freeze()
        self.views = collector.views.all
        self.formulas = Formulas(self.views)
        lowering = Lowering(collector, self.formulas)
        self.modes = {mode: lowering.lower(tree, mode) for mode in Mode}

    def holds(self, formula: int, context: Mapping[str, object], moment: int = 0) -> bool:
        if formula in (NEVER, ALWAYS):
            return formula == ALWAYS
        node = self.formulas.node(formula)
        if isinstance(node, LiteralFormula):
            view = self.views[node.view]
            return contains(node.classes, _class_of(view, _value(context, view, moment), self.objects))
        parts = [self.holds(part, context, moment) for part in node.parts]
        return all(parts) if node.conjunction else any(parts)


def _value(context: Mapping[str, object], view: View, moment: int) -> object:
    if view.is_now:
        return moment
    flat = ".".join(view.path)
    if flat in context:
        return context[flat]
    found: object = context
    for name in view.path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _utf8(value: object) -> bytes | None:
    try:
        return value.encode() if isinstance(value, str) else None
    except UnicodeEncodeError:
        return None


def _class_of(view: View, value: object, objects: ValueObjects) -> int:
    """The class of a value, by the definition of each view; 0 missing, 1 the wrong type."""
    if value is None:
        return 0
    text = _utf8(value)
    match view:
        case PresenceView():
            return 2
        case BooleanView():
            return 2 + value if isinstance(value, bool) else 1
        case TextView():
            folded = text.lower() if text is not None and view.fold else text
            return 1 if folded is None else 3 + view.constants.index(folded) if folded in view.constants else 2
        case AffixView():
            return 1 if text is None else _affix_class(view, text)
        case NumberView():
            known = isinstance(value, int | float) and not isinstance(value, bool) and value == value
            known = known and (isinstance(value, float) or -(2**63) <= value < 2**63)  # type: ignore[operator]
            return _ordered(view.constants, value) if known else 1
        case VersionView():
            version = parse_version(value) if isinstance(value, str) else None
            return 1 if version is None else _ordered(view.constants, precedence(version))
        case TimeView():
            return _ordered(view.constants, value) if view.is_now else _time_class(view, value)
        case AddressView():
            address = parse_address(value) if isinstance(value, str) and text is not None else None
            return 1 if address is None else 2 + sum(cut <= address for cut in view.constants)
        case MatchView():
            return 1 if text is None else 3 if _matches(view, text) else 2
        case ListView():
            return _list_class(view, value)
        case SetView():
            found = _member(objects.blobs[view.name], value)
            return 1 if found is None else 3 if found else 2
    raise AssertionError(view)


def _affix_class(view: AffixView, text: bytes) -> int:
    text = text.lower() if view.fold else text
    text = text[::-1] if view.suffix else text
    fits = [index for index, pattern in enumerate(view.constants) if text.startswith(pattern)]
    return 3 + max(fits, key=lambda index: len(view.constants[index])) if fits else 2


def _time_class(view: TimeView, value: object) -> int:
    if isinstance(value, datetime) and value.tzinfo:
        moment: int | None = (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    else:
        moment = parse_time(value) if isinstance(value, str) and _utf8(value) is not None else None
    return 1 if moment is None else _ordered(view.constants, moment)


def _ordered(constants: list, value: object) -> int:  # type: ignore[type-arg]
    below = sum(constant < value for constant in constants)
    return 3 + 2 * below if value in constants else 2 + 2 * below


def _matches(view: MatchView, text: bytes) -> bool:
    automata = build_automata_of([view], 10_000)
    return any(run_automaton(automata.built[at].data, text) & mask for at, mask in automata.places[view.number])


def _list_class(view: ListView, value: object) -> int:
    if not isinstance(value, list | tuple | set | frozenset):
        return 1
    blob = list_set([Literal(constant, prefix) for _, constant, prefix in view.literals])
    return 3 if any(_member(blob, element) for element in value) else 2


def _member(blob: bytes, value: object) -> bool | None:
    is_text = isinstance(value, str) and _utf8(value) is not None
    is_number = isinstance(value, int | float) and value == value and (isinstance(value, float) or abs(value) < 2**63)
    return member(blob, value) if is_text or is_number else None  # type: ignore[arg-type]


def _truths(tree: Expression, context: Mapping[str, object], moment: int) -> dict[Mode, bool]:
    truth = Twin(FlagSet(segments=_SEGMENTS)).test(tree, context, moment)
    return {
        Mode.IS_TRUE: truth is True,
        Mode.IS_FALSE: truth is False,
        Mode.NOT_TRUE: truth is not True,
        Mode.NOT_FALSE: truth is not False,
    }


@settings(max_examples=cases(150))
@given(expressions(("s0", "s1", "s2", "many")), st.lists(contexts(), min_size=1, max_size=4), moments())
def test_lowering_is_kleene_logic(tree: Expression, given_contexts: list[dict[str, object]], moment: int) -> None:
    """The four formulas of a condition say whether it is true, false, not true, not false: exactly as the twin does."""
    lowered = _Lowered(tree)
    for context in given_contexts:
        answers = {mode: lowered.holds(formula, context, moment) for mode, formula in lowered.modes.items()}
        assert answers == _truths(tree, context, moment)


@pytest.mark.parametrize(
    ("text", "value", "truth"),
    [
        ('x in ["a", 1]', "a", True),
        ('x in ["a", 1]', "b", False),
        ('x in ["a", 1]', 2, False),
        ('x in ["a", 1]', True, None),
        ('x in ["a", i"B"]', "b", True),
        ('x in ["a", i"B"]', "A", False),
        ("x in [1, true]", 1, True),
        ("x in [1, true]", False, False),
        ("x == true", 1, None),
        ("x == 1", 1.0, True),
        ("x == 0", -0.0, True),
        ("x != 1", float("nan"), None),
        ("x == 9007199254740993", 9007199254740992.0, False),
        ("x < 1e19", 2**63 - 1, True),
        ('x contains "a"', "cat", True),
        ('x contains "a"', ["a"], True),
        ('x contains ["a", 1]', "b", False),
        ("x contains [1, 2]", "b", None),
        ("x contains [1, true]", [True], True),
        ("x contains 1", [True], False),
        ('x contains ""', "", True),
        ('x contains ""', [], False),
        ('x starts_with ""', "", True),
        ('x ends_with ["", "a"]', 1, None),
        ('x starts_with ["a", i"B"]', "bee", True),
        ('x starts_with "ab" and not (x starts_with "abc")', "abd", True),
        ('x starts_with "ab" and not (x starts_with "abc")', "abcd", False),
        ('x == v"1.0"', "v1.0.0+build", True),
        ('x != v"1.0"', "1", False),
        ('x != v"1.0"', "one", None),
        ('x > v"1.0.0-2"', "1.0.0-10", True),
        ('x in [v"1", v"2.0"]', "2", True),
        ('x in cidr"::/0"', "::ffff:1.2.3.4", False),
        ('x in cidr"::ffff:10.0.0.0/104"', "10.1.2.3", True),
        ('x in [cidr"0.0.0.0/0", cidr"::/0"]', "255.255.255.255", True),
        ('x in cidr"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"', "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", True),
        ('x in cidr"10.0.0.0/8"', "010.0.0.1", None),
        ('x < t"2026-01-01T00:00:00Z"', "2025-12-31T23:59:59Z", True),
        ('x < t"2026-01-01T00:00:00Z"', 5, None),
        ('x matches "^a"', "ab", True),
        ('x matches "^a"', ["a"], None),
        ("has(x)", [], True),
    ],
)
def test_edges_of_the_format(text: str, value: object, truth: bool | None) -> None:
    """Rows of the operator table, each as the format says, and unknown where the attribute is missing."""
    lowered = _Lowered(parse_expression(text))
    expected = {"T": truth is True, "F": truth is False, "t": truth is not True, "f": truth is not False}
    assert {mode.value: lowered.holds(f, {"x": value}) for mode, f in lowered.modes.items()} == expected
    assert _truths(parse_expression(text), {"x": value}, 0)[Mode.IS_TRUE] is (truth is True)


def test_a_segment_is_two_valued() -> None:
    """Not known to be a member is not a member, under negation too."""
    segments = {"s": Segment(name="s", when=Condition(parse_expression('x == "a"')))}
    for tree, expected in ((InSegment("s"), False), (Not(InSegment("s")), True)):
        lowered = _Lowered(tree, segments)
        assert lowered.holds(lowered.modes[Mode.IS_TRUE], {}) is expected
        assert lowered.holds(lowered.modes[Mode.IS_FALSE], {}) is not expected


def test_a_segment_is_lowered_once() -> None:
    """Two rules that name a segment share its formula."""
    tree = parse_expression('segment("s1") and x == 1 or segment("s1") and x == 2')
    lowered = _Lowered(tree)
    once = _Lowered(parse_expression('segment("s1")'))
    alone = once.formulas.weight(once.modes[Mode.IS_TRUE])
    assert lowered.formulas.weight(lowered.modes[Mode.IS_TRUE]) == 2 * alone + 2


def test_one_and_true_are_different_constants() -> None:
    """``1 == True`` in Python; in a condition they are not, whichever comes first."""
    for first, second in ((1, True), (True, 1)):
        tree = model.Test(("x",), Operator.CONTAINS, Literal(first))
        other = model.Test(("x",), Operator.CONTAINS, Literal(second))
        lowered = _Lowered(Not(Not(tree)))
        assert lowered.holds(lowered.modes[Mode.IS_TRUE], {"x": [first]})
        assert not lowered.holds(lowered.modes[Mode.IS_TRUE], {"x": [second]})
        both = _Lowered(parse_expression("x contains 1 and x contains true"))
        assert not both.holds(both.modes[Mode.IS_TRUE], {"x": [first]})
        assert tree != other or type(first) is not type(second)


def test_nesting_through_segments_is_bounded() -> None:
    """A chain of 5,000 segments is measured without recursion and refused; a cycle is refused with its name."""
    count = 5_000
    segments = {
        f"s{n}": Segment(name=f"s{n}", when=Condition(InSegment(f"s{n + 1}") if n < count else Constant(True)))
        for n in range(count + 1)
    }
    with pytest.raises(Refusal, match="5002 levels deep"):
        _Lowered(InSegment("s0"), segments)
    assert _Lowered(InSegment("s4900"), segments).modes[Mode.IS_TRUE] == ALWAYS
    segments[f"s{count}"] = Segment(name=f"s{count}", when=Condition(InSegment("s7")))
    with pytest.raises(Refusal, match="part of itself"):
        _Lowered(InSegment("s0"), segments)


def test_segments_that_double_are_refused() -> None:
    """Forty segments that each name the one before twice stand for 2**40 tests: refused at once, not expanded."""
    segments = {"s0": Segment(name="s0", when=Condition(parse_expression('a == "a"')))}
    for n in range(1, 41):
        twice = parse_expression(f'segment("s{n - 1}") and (b == {n} or segment("s{n - 1}"))')
        segments[f"s{n}"] = Segment(name=f"s{n}", when=Condition(twice))
    with pytest.raises(Refusal, match="more than 1,000,000 parts"):
        _Lowered(InSegment("s40"), segments)


def test_a_condition_too_deep_is_refused() -> None:
    """Ten thousand negations are no stack overflow; the deepest condition that is allowed is lowered."""
    for depth, allowed in ((10_000, False), (126, True)):
        tree: Expression = Constant(True)
        for _ in range(depth):
            tree = Not(tree)
        if allowed:
            assert _Lowered(tree).modes[Mode.IS_TRUE] == ALWAYS
        else:
            with pytest.raises(Refusal, match="levels deep"):
                _Lowered(tree)


@pytest.mark.parametrize(
    ("constant", "reason"),
    [
        (model.Test(("x",), Operator.LESS, Literal("soon", "t")), "RFC 3339"),
        (model.Test(("x",), Operator.LESS, Literal("01.2", "v")), "not a version"),
        (model.Test(("x",), Operator.IN, Literal("10.0.0.1/8", "cidr")), "not an IP address"),
        (model.Test(("x",), Operator.EQUALS, Literal(2**63)), "64 bits"),
        (model.Test(("x",), Operator.EQUALS, Literal(float("inf"))), "finite"),
        (model.Test(("x",), Operator.EQUALS, Literal("\ud800")), "surrogate"),
        (model.Test(("x",), Operator.MATCHES, Literal("(a)\\1")), "cannot be used"),
        (InSegment("nowhere"), "no segment 'nowhere'"),
    ],
)
def test_constants_that_mean_nothing_are_refused(constant: Expression, reason: str) -> None:
    """A set that was not validated gets a refusal that names the constant, never another exception."""
    with pytest.raises(Refusal, match=reason):
        _Lowered(constant, {})


@pytest.mark.parametrize(("value", "held"), [(1.0, 1), (-0.0, 0), (1e18, 10**18), (1e19, 1e19), (2**63 - 1, 2**63 - 1)])
def test_numbers_are_held_exactly(value: float, held: float) -> None:
    """A double that equals an int64 is that integer, so that equal constants are one."""
    found = exact_number(value)
    assert (type(found), found) == (type(held), held)
