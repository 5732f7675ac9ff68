"""What must hold inside the builder, asserted when Options.check is set: in tests, and where a graph is in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from flagcore.compiler.formula import ALWAYS, NEVER
from flagcore.compiler.layout import BLOCK_ROWS
from flagcore.compiler.nodes import NO_ROW, Block, Branch, Column, Fork, children_of
from flagcore.compiler.partition import Group
from flagcore.compiler.rows import Rows
from flagcore.compiler.simplify import Graph
from flagcore.compiler.views import View

__all__ = ["check_graph", "check_groups", "check_rows"]


def check_rows(rows: Rows) -> None:
    """Rows stand in the order of their leaves, none is false or repeats a formula, the last alone always holds."""
    formulas = [row.formula for row in rows]
    assert len(set(formulas)) == len(formulas)
    assert NEVER not in formulas
    assert formulas.index(ALWAYS) == len(rows) - 1
    assert all(before.leaf <= after.leaf for before, after in pairwise(rows))


def check_groups(groups: Sequence[Group], count: int) -> None:
    """Groups hold each of ``count`` rows once at most, in order."""
    members = [row for group in groups for row in group.rows]
    assert len(set(members)) == len(members) <= count
    assert all(tuple(sorted(group.rows)) == group.rows for group in groups)


def check_graph(graph: Graph, roots: Iterable[int], views: Sequence[View]) -> None:
    """Every node is well formed, no dear view is a column, and only a block's own tests lead to NO_ROW."""
    own: set[int] = set()  # nodes that may lead to NO_ROW
    for number in graph.reachable(roots):
        node = graph.node(number)
        assert all(child < number for child in children_of(node))
        if node == NO_ROW or (isinstance(node, Branch) and not own.isdisjoint(node.children)):
            own.add(number)
        match node:
            case Branch(view, cuts, children):
                _check_cuts(views[view], cuts, len(children))
                assert all(before != after for before, after in pairwise(children))
            case Fork(branches):
                assert list(branches) == sorted(branches)
                assert own.isdisjoint(children_of(node))
            case Block(columns, rows, after):
                assert 1 <= len(rows) <= BLOCK_ROWS
                assert after not in own
                for column in columns:
                    _check_column(views[column.view], column, len(rows))
    assert own.isdisjoint(roots)


def _check_column(view: View, column: Column, rows: int) -> None:
    assert not view.dear
    _check_cuts(view, column.cuts, len(column.masks))
    assert max(column.masks) < 1 << rows


def _check_cuts(view: View, cuts: Sequence[int], parts: int) -> None:
    low, high = view.domain
    assert parts == len(cuts) + 1
    assert all(before < after for before, after in pairwise((low, *cuts, high)))
