"""The ordered chain: row after row, each formula as short-circuit tests. As many tests as the rows have literals."""

from __future__ import annotations

from collections.abc import Sequence

from flagcore.compiler.formula import Formulas, LiteralFormula
from flagcore.compiler.intervals import size
from flagcore.compiler.plan import Row
from flagcore.compiler.simplify import Graph
from flagcore.compiler.views import View

__all__ = ["Chain"]


class Chain:
    """Builds chains into one graph."""

    def __init__(self, graph: Graph, formulas: Formulas, views: Sequence[View]) -> None:
        self._graph = graph
        self._formulas = formulas
        self._views = views

    def build(self, rows: Sequence[Row]) -> int:
        """Return the node that yields the first true row; the last is always true."""
        after = self._graph.leaf(rows[-1].leaf)
        for row in reversed(rows[:-1]):
            after = self._jump(row.formula, self._graph.leaf(row.leaf), after)
        return after

    def _jump(self, formula: int, yes: int, no: int) -> int:
        """Short-circuit code of one formula; recursion is as deep as the formula."""
        node = self._formulas.node(formula)
        if isinstance(node, LiteralFormula):
            return self._graph.test(node.view, node.classes, yes, no)
        for part in sorted(node.parts, key=self._order, reverse=True):
            if node.conjunction:
                yes = self._jump(part, yes, no)
            else:
                no = self._jump(part, yes, no)
        return yes if node.conjunction else no

    def _order(self, formula: int) -> tuple[float, float, int]:
        """Cheap before dear, selective before wide, then as authored."""
        node = self._formulas.node(formula)
        if isinstance(node, LiteralFormula):
            view = self._views[node.view]
            return (view.cost, size(node.classes) / view.classes, formula)
        dearest = max(self._views[view].cost for view in self._formulas.views_of(formula))
        return (1 + dearest, 1.0, formula)
