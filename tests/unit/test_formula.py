"""Two-valued formulas and the interval sets under them."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagcore.compiler.formula import ALWAYS, NEVER, Formulas, Junction
from flagcore.compiler.intervals import clip, complement, contains, intersect, point_runs, runs, size, union
from flagcore.compiler.views import TextView, TimeView, View
from tests.support.formulas import make_formula

_CLASSES = 6
_points = st.sets(st.integers(0, _CLASSES - 1))
_sets = _points.map(point_runs)


def _members(classes: tuple[int, ...]) -> set[int]:
    return {point for low, high in runs(classes) for point in range(low, high)}


@given(_points, _points, st.integers(0, _CLASSES - 1), st.integers(1, _CLASSES))
def test_interval_sets_are_sets(left: set[int], right: set[int], low: int, span: int) -> None:
    """Union, intersection, complement and clipping are those of sets of numbers, and equal sets are equal tuples."""
    first, second = point_runs(left), point_runs(right)
    assert _members(first) == left
    assert size(first) == len(left)
    assert union([first, second]) == point_runs(left | right)
    assert intersect(first, second) == point_runs(left & right)
    assert complement(first, _CLASSES) == point_runs(set(range(_CLASSES)) - left)
    assert clip(first, low, low + span) == point_runs(left & set(range(low, low + span)))
    assert all(contains(first, point) == (point in left) for point in range(_CLASSES))


def _views(count: int) -> list[View]:
    found: list[View] = []
    for number in range(count):
        view = TextView(number, (f"a{number}",), False)
        view.add([b"x", b"y", b"z"])  # classes 0 to 5
        view.freeze()
        found.append(view)
    return found


_literals = st.tuples(st.integers(0, 2), _sets)
_formulas = st.recursive(
    _literals,
    lambda inner: st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=0, max_size=3)),
    max_leaves=8,
)


def _says(tree: tuple[object, object], classes: tuple[int, ...]) -> bool:
    head, rest = tree
    if isinstance(head, int):
        return contains(rest, classes[head])  # type: ignore[arg-type]
    parts = [_says(part, classes) for part in rest]  # type: ignore[attr-defined]
    return all(parts) if head == "and" else any(parts)


def _holds(formulas: Formulas, formula: int, classes: tuple[int, ...]) -> bool:
    if formula in (NEVER, ALWAYS):
        return formula == ALWAYS
    node = formulas.node(formula)
    if isinstance(node, Junction):
        parts = [_holds(formulas, part, classes) for part in node.parts]
        return all(parts) if node.conjunction else any(parts)
    return contains(node.classes, classes[node.view])


_VECTORS = list(product(range(_CLASSES), repeat=3))


@given(_formulas)
def test_simplified_formulas_mean_the_same(tree: tuple[object, object]) -> None:
    """Merging, flattening and dropping keep the truth under every vector of classes."""
    formulas = Formulas(_views(3))
    formula = make_formula(formulas, tree)
    assert [_holds(formulas, formula, vector) for vector in _VECTORS] == [_says(tree, vector) for vector in _VECTORS]


@given(_formulas)
def test_projections_bound_the_formula(tree: tuple[object, object]) -> None:
    """A class outside of the projection makes the formula false; a view that is not looked at changes nothing."""
    formulas = Formulas(_views(3))
    formula = make_formula(formulas, tree)
    for vector in _VECTORS:
        if _holds(formulas, formula, vector):
            assert all(contains(s, vector[view]) for view, s in formulas.projection(formula).items())
    for view in set(range(3)) - formulas.views_of(formula):
        for vector in _VECTORS:
            other = (*vector[:view], 0, *vector[view + 1 :])
            assert _holds(formulas, formula, vector) == _holds(formulas, formula, other)


@given(_formulas, st.integers(0, 2), st.integers(0, _CLASSES - 1), st.integers(1, _CLASSES))
def test_restriction_agrees_inside_the_interval(tree: tuple[object, object], view: int, low: int, span: int) -> None:
    """Restricted to an interval of a view, a formula says the same there, and cutting at its edges settles literals."""
    formulas = Formulas(_views(3))
    formula = make_formula(formulas, tree)
    high = min(low + span, _CLASSES)
    restricted = formulas.restrict(formula, view, low, high)
    for vector in _VECTORS:
        if low <= vector[view] < high:
            assert _holds(formulas, restricted, vector) == _holds(formulas, formula, vector)
    cuts: set[int] = set()
    formulas.collect_cuts(formula, view, cuts)
    if not any(low < cut < high for cut in cuts):
        assert view not in formulas.views_of(restricted)


def test_equal_formulas_are_one_number() -> None:
    """Order and repetition of parts do not make another formula."""
    formulas = Formulas(_views(3))
    first, second, third = (formulas.literal(view, (3, 4)) for view in range(3))
    left = formulas.conjunction([first, formulas.conjunction([second, third])])
    assert left == formulas.conjunction([third, second, first, first])
    assert formulas.weight(left) == 3
    assert formulas.depth(left) == 1
    assert formulas.views_of(left) == {0, 1, 2}


def test_literals_of_one_view_merge() -> None:
    """Intersection in a conjunction, union in a disjunction; what can never or always hold is a constant."""
    formulas = Formulas(_views(1))
    x, y = formulas.literal(0, (3, 4)), formulas.literal(0, (4, 5))
    assert formulas.conjunction([x, y]) == NEVER
    assert formulas.disjunction([x, y]) == formulas.literal(0, (3, 5))
    assert formulas.disjunction([x, formulas.literal(0, complement((3, 4), _CLASSES))]) == ALWAYS
    assert formulas.literal(0, (0, _CLASSES)) == ALWAYS


def test_thousands_of_literals_of_one_view_merge_at_once() -> None:
    """A conjunction or disjunction of 20,000 tests of one attribute is one literal, made in one sort."""
    view = TextView(0, ("a",), False)
    view.add(b"%d" % number for number in range(20_000))
    view.freeze()
    formulas = Formulas([view])
    points = [formulas.literal(0, (number, number + 1)) for number in range(3, view.classes, 2)]
    others = [
        formulas.literal(0, complement((number, number + 1), view.classes)) for number in range(3, view.classes, 2)
    ]
    either = formulas.disjunction(points)
    assert formulas.weight(either) == 10_000
    assert formulas.conjunction([either, formulas.conjunction(others)]) == NEVER


def test_now_is_never_missing() -> None:
    """Classes 0 and 1 of ``now`` do not exist: a literal over all times is true, its negation false."""
    view = TimeView(0, ("now",))
    view.add([10])
    view.freeze()
    formulas = Formulas([view])
    assert formulas.literal(0, (2, view.classes)) == ALWAYS
    assert formulas.literal(0, (0, 2)) == NEVER
    before, after = formulas.literal(0, (0, 3)), formulas.literal(0, (3, 5))
    assert formulas.disjunction([before, after]) == ALWAYS
    assert formulas.restrict(before, 0, 2, 3) == ALWAYS


@pytest.mark.parametrize(("parts", "expected"), [([], ALWAYS), ([ALWAYS, ALWAYS], ALWAYS), ([ALWAYS, NEVER], NEVER)])
def test_constants_in_a_conjunction(parts: list[int], expected: int) -> None:
    """True is dropped, false decides, nothing is true."""
    assert Formulas([]).conjunction(parts) == expected
