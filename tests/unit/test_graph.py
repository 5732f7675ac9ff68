"""The decision graph: first true row under every vector of classes, within the credit."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.compiler.formula import ALWAYS, NEVER, Formulas, Junction
from flagcore.compiler.graph import build_graph, normalise, source_weight
from flagcore.compiler.intervals import contains, point_runs
from flagcore.compiler.options import Options
from flagcore.compiler.plan import Plan, Row
from flagcore.compiler.simplify import Branch, Graph
from flagcore.compiler.views import TextView, View
from tests.profiles import cases
from tests.support.formulas import make_formula

_CLASSES = 6
_VIEWS = 3
_VECTORS = list(product(range(_CLASSES), repeat=_VIEWS))


def _views(constants: int = 3, count: int = _VIEWS) -> list[View]:
    found: list[View] = []
    for number in range(count):
        view = TextView(number, (f"a{number}",), False)
        view.add(b"%05d" % constant for constant in range(constants))
        view.freeze()
        found.append(view)
    return found


_literals = st.tuples(st.integers(0, _VIEWS - 1), st.sets(st.integers(0, _CLASSES - 1)).map(point_runs))
_conditions = st.recursive(
    _literals,
    lambda inner: st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)),
    max_leaves=5,
)


def _plan(conditions: list[tuple[object, object]]) -> Plan:
    views = _views()
    formulas = Formulas(views)
    rows = [Row(make_formula(formulas, condition), number) for number, condition in enumerate(conditions)]
    return Plan(views, formulas, (), (), (*rows, Row(ALWAYS, len(rows))), frozenset())


def _holds(formulas: Formulas, formula: int, classes: tuple[int, ...]) -> bool:
    if formula in (NEVER, ALWAYS):
        return formula == ALWAYS
    node = formulas.node(formula)
    if isinstance(node, Junction):
        parts = [_holds(formulas, part, classes) for part in node.parts]
        return all(parts) if node.conjunction else any(parts)
    return contains(node.classes, classes[node.view])


def _walk(graph: Graph, number: int, classes: tuple[int, ...]) -> int:
    while isinstance(node := graph.node(number), Branch):
        child = sum(cut <= classes[node.view] for cut in node.cuts)
        assert node.children[child] < number, "children exist before their parents"
        number = node.children[child]
    return node


@settings(max_examples=cases(150))
@given(
    st.lists(_conditions, max_size=12),
    st.sampled_from([0, 1, 4, 50]),
    st.sampled_from([0, 2, 64]),
    st.sampled_from([0, 1, 64]),
)
def test_the_first_true_row_wins(conditions: list[tuple[object, object]], credit: int, small: int, depth: int) -> None:
    """Whatever credit, thresholds and depth, each vector of classes ends in the leaf of its first true row."""
    plan = _plan(conditions)
    built = build_graph(plan, Options(credit_factor=credit, small=small, max_depth=depth))
    for vector in _VECTORS:
        first = next(row.leaf for row in plan.rows if _holds(plan.formulas, row.formula, vector))
        assert _walk(built.graph, built.root, vector) == first


@settings(max_examples=cases(100))
@given(st.lists(_conditions, max_size=30), st.sampled_from([0, 1, 4, 50]))
def test_entries_keep_to_the_credit(conditions: list[tuple[object, object]], credit: int) -> None:
    """At most (4K + 4) W entries, with W the weight of the rows."""
    plan = _plan(conditions)
    built = build_graph(plan, Options(credit_factor=credit, small=0))
    nodes = [built.graph.node(number) for number in built.graph.reachable([built.root])]
    entries = sum(len(node.children) for node in nodes if isinstance(node, Branch))
    assert entries <= (4 * credit + 4) * source_weight(plan.formulas, normalise(plan.formulas, plan.rows))


@given(st.lists(_conditions, max_size=10))
def test_the_same_rows_give_the_same_graph(conditions: list[tuple[object, object]]) -> None:
    """Building is deterministic: node by node."""
    first, second = (build_graph(_plan(conditions), Options()) for _ in range(2))
    numbers = first.graph.reachable([first.root])
    assert numbers == second.graph.reachable([second.root])
    assert [first.graph.node(n) for n in numbers] == [second.graph.node(n) for n in numbers]


def test_rows_that_cannot_decide_are_dropped() -> None:
    """False rows, repeated formulas, everything behind the first that always holds; alternatives are rows of their own."""
    formulas = Formulas(_views())
    x, y, z = (formulas.literal(view, (3, 4)) for view in range(3))
    either = formulas.disjunction([x, y])
    rows = [Row(x, 0), Row(NEVER, 1), Row(x, 2), Row(either, 3), Row(ALWAYS, 4), Row(z, 5)]
    assert normalise(formulas, rows) == (Row(x, 0), Row(y, 3), Row(ALWAYS, 4))


def _constants_plan(count: int) -> Plan:
    """``a0 == constant i`` for each rule i."""
    views = _views(count, 1)
    formulas = Formulas(views)
    rows = [Row(formulas.literal(0, (3 + n, 4 + n)), n) for n in range(count)]
    return Plan(views, formulas, (), (), (*rows, Row(ALWAYS, count)), frozenset())


@pytest.mark.parametrize("count", [4, 100, 10_000])
def test_rules_on_one_attribute_are_one_switch(count: int) -> None:
    """Ten thousand rules that compare one attribute take one step."""
    built = build_graph(_constants_plan(count), Options())
    branches = [n for n in built.graph.reachable([built.root]) if isinstance(built.graph.node(n), Branch)]
    assert len(branches) == 1


def test_without_credit_there_is_a_chain() -> None:
    """No credit means tests in order, as many as there are literals."""
    built = build_graph(_constants_plan(500), Options(credit_factor=0))
    branches = [built.graph.node(n) for n in built.graph.reachable([built.root])]
    assert sum(isinstance(node, Branch) for node in branches) <= 500


def test_rules_on_different_attributes_are_a_chain() -> None:
    """Where no two rules ask the same attribute a switch answers for one rule only: they are tested in order."""
    views = _views(3, 10)
    formulas = Formulas(views)
    rows = [Row(formulas.literal(view, (3, 4)), view) for view in range(10)]
    built = build_graph(Plan(views, formulas, (), (), (*rows, Row(ALWAYS, 10)), frozenset()), Options())
    number, order = built.root, []
    while isinstance(node := built.graph.node(number), Branch):
        order.append(node.view)
        number = node.children[0]
    assert order == list(range(10))


def test_a_test_that_repeats_its_question_is_absorbed() -> None:
    """A child that asks the parent's view again is merged into it, so a view is asked once on a walk."""
    graph = Graph(_views())
    yes, no, other = (graph.leaf(number) for number in range(3))
    inner = graph.test(0, (3, 4), yes, no)
    outer = graph.test(0, (4, 5), other, inner)
    assert graph.node(outer) == Branch(0, (3, 4, 5), (no, yes, other, no))
    assert graph.test(0, (3, 4), yes, yes) == yes
