"""The decision graph: first true row under every vector of classes, within the credit."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.walkers.graph_walker import GraphWalker, count_entries
from flagcore.compiler.formula import ALWAYS, NEVER, Formulas, Junction
from flagcore.compiler.graph import build_graph
from flagcore.compiler.intervals import contains, point_runs
from flagcore.compiler.nodes import Block, Branch, Fork, ListMulti, TextMulti
from flagcore.compiler.options import Options
from flagcore.compiler.plan import Plan, Row
from flagcore.compiler.rows import normalise, source_weight
from flagcore.compiler.simplify import Graph
from flagcore.compiler.views import ListView, MatchView, TextView, View
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
    return GraphWalker(graph, classes.__getitem__).walk(number)


_SMALL_SETS = [  # so that every kind of node occurs on a few rows
    Options(check=True),
    Options(check=True, credit_factor=0, small=0, least_block=0, forked_cost=0),
    Options(check=True, credit_factor=1, small=2, group_rows=2, block_rows=3),
    Options(check=True, credit_factor=50, small=0, group_rows=1, block_rows=1),
    Options(check=True, credit_factor=4, small=64, least_block=0, block_rows=2, forked_cost=0),
    Options(check=True, credit_factor=4, small=2, group_rows=2, max_depth=1),
    Options(check=True, max_depth=0),
]


@settings(max_examples=cases(150))
@given(st.lists(_conditions, max_size=12), st.sampled_from(_SMALL_SETS))
def test_the_first_true_row_wins(conditions: list[tuple[object, object]], options: Options) -> None:
    """Whatever credit, thresholds and depth, each vector of classes ends in the leaf of its first true row."""
    plan = _plan(conditions)
    built = build_graph(plan, options)
    for vector in _VECTORS:
        first = next(row.leaf for row in plan.rows if _holds(plan.formulas, row.formula, vector))
        assert _walk(built.graph, built.root, vector) == first


@settings(max_examples=cases(100))
@given(st.lists(_conditions, max_size=30), st.sampled_from(_SMALL_SETS))
def test_entries_keep_to_the_credit(conditions: list[tuple[object, object]], options: Options) -> None:
    """At most (4K + 4) W entries, with W the weight of the rows."""
    plan = _plan(conditions)
    built = build_graph(plan, options)
    weight = source_weight(plan.formulas, normalise(plan.formulas, plan.rows))
    assert count_entries(built.graph, built.root) <= (4 * options.credit_factor + 4) * weight


_TAGS = tuple(f"t{number}" for number in range(10))


def _tag_plan(needs: list[tuple[int, int, bool, bool]]) -> Plan:
    """Rows ``tags contains t_i [and tags contains t_j] [and a0 is constant 0]``; a tag is an element or part of a text."""
    views: list[View] = [
        *(ListView(number, ("tags",), (("str", tag, ""),), None) for number, tag in enumerate(_TAGS)),
        *(MatchView(10 + number, ("tags",), ((tag.encode(), False),), None) for number, tag in enumerate(_TAGS)),
    ]
    text = TextView(20, ("a0",), False)
    text.add([b"x"])
    text.freeze()
    views.append(text)
    formulas = Formulas(views)

    def contained(tag: int) -> int:
        return formulas.disjunction([formulas.literal(view, (3, 4)) for view in (tag, 10 + tag)])

    rows = []
    for leaf, (tag, other, both, plain) in enumerate(needs):
        parts = [
            contained(tag),
            *([contained(other)] if both else []),
            *([formulas.literal(20, (3, 4))] if plain else []),
        ]
        rows.append(Row(formulas.conjunction(parts), leaf))
    return Plan(views, formulas, (), (), (*rows, Row(ALWAYS, len(rows))), frozenset())


_needs = st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans(), st.booleans())


@settings(max_examples=cases(100))
@given(st.lists(_needs, min_size=1, max_size=20), st.sets(st.integers(0, 9), max_size=3), st.data())
def test_rows_by_contained_constants(
    needs: list[tuple[int, int, bool, bool]], held: set[int], data: st.DataObject
) -> None:
    """The first row whose constants the list or text holds wins, whether children are keyed by constants or not."""
    plan = _tag_plan(needs)
    least = data.draw(st.sampled_from([1, 3, 8]))
    kind = data.draw(st.sampled_from(["list", "text", "number", "missing"]))
    plain = data.draw(st.integers(0, 3))
    built = build_graph(plan, Options(multi_constants=least, check=True))

    def class_of(view: int) -> int:
        if view == 20:
            return plain
        of_kind = kind == ("list" if view < 10 else "text")
        return (3 if view % 10 in held else 2) if of_kind else 0 if kind == "missing" else 1

    elements = [_TAGS[tag].encode() for tag in held] if kind == "list" else []
    found = GraphWalker(built.graph, class_of, lambda _: elements).walk(built.root)
    vector = tuple(map(class_of, range(21)))
    assert found == next(row.leaf for row in plan.rows if _holds(plan.formulas, row.formula, vector))


def test_many_contained_constants_are_keys() -> None:
    """Eight or more constants are looked up at once: in the list, then in the text."""
    plan = _tag_plan([(tag, 0, False, tag % 2 == 0) for tag in range(10)])
    built = build_graph(plan, Options())
    kinds = [type(built.graph.node(number)) for number in built.graph.reachable([built.root])]
    assert kinds.count(ListMulti) == kinds.count(TextMulti) == 1


def _crossed_plan(count: int, views: int = 10) -> Plan:
    """Row i asks for constant i of two views, a different pair each time: no one switch tells many of them apart."""
    found = _views(count, views)
    formulas = Formulas(found)
    rows = []
    for number in range(count):
        pair = (number % views, (number // views + number + 1) % views)
        rows.append(
            Row(formulas.conjunction([formulas.literal(view, (3 + number, 4 + number)) for view in {*pair}]), number)
        )
    return Plan(found, formulas, (), (), (*rows, Row(ALWAYS, count)), frozenset())


def test_rows_that_no_switch_tells_apart_are_partitioned() -> None:
    """Many rows over many attributes become a fork of one switch for each attribute: a few steps each."""
    plan = _crossed_plan(400)
    built = build_graph(plan, Options(check=True))
    assert isinstance(built.graph.node(built.root), Fork)
    for number in (0, 7, 399):
        classes = [3 + number] * 10
        walker = GraphWalker(built.graph, classes.__getitem__)
        assert walker.walk(built.root) == number
        assert walker.steps <= 25


def test_without_depth_many_rows_are_blocks() -> None:
    """Where nothing may be nested any deeper, rows are met 64 at a time."""
    built = build_graph(_crossed_plan(400), Options(max_depth=0, check=True))
    kinds = [type(built.graph.node(number)) for number in built.graph.reachable([built.root])]
    assert kinds.count(Block) == 7
    assert kinds.count(Branch) == kinds.count(Fork) == 0


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


def test_without_credit_there_are_blocks() -> None:
    """No credit means rows in order, 64 at a time."""
    built = build_graph(_constants_plan(500), Options(credit_factor=0))
    nodes = [built.graph.node(n) for n in built.graph.reachable([built.root])]
    assert sum(isinstance(node, Block) for node in nodes) == 8


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
