"""The ordered chain: row after row, each formula as short-circuit tests. As many tests as the rows have literals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from flagcore.compiler.formula import ALWAYS, NEVER, Formulas, LiteralFormula
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
        self._ordered: dict[int, tuple[int, ...]] = {}  # parts of junctions, the last to be tested first

    def build(self, rows: Sequence[Row]) -> int:
        """Return the node that yields the first true row; the last is always true."""
        return self.before(rows[:-1], self._graph.leaf(rows[-1].leaf))

    def before(self, rows: Sequence[Row], after: int) -> int:
        """Return the node that yields the first true row, ``after`` when none is true."""
        for row in reversed(rows):
            after = self.tests(row.formula, self._graph.leaf(row.leaf), after)
        return after

    def tests(self, formula: int, yes: int, no: int) -> int:
        """Return short-circuit tests of one formula; recursion is as deep as the formula."""
        if formula in (NEVER, ALWAYS):
            return yes if formula == ALWAYS else no
        node = self._formulas.node(formula)
        if isinstance(node, LiteralFormula):
            return self._graph.test(node.view, node.classes, yes, no)
        if node.parts and not node.conjunction and (view := self._telling_view(node.parts)) is not None:
            return self._dispatch(node.parts, view, yes, no)
        ordered = self._ordered.get(formula)
        if ordered is None:
            ordered = self._ordered[formula] = tuple(sorted(node.parts, key=self._order, reverse=True))
        for part in ordered:
            if node.conjunction:
                yes = self.tests(part, yes, no)
            else:
                no = self.tests(part, yes, no)
        return yes if node.conjunction else no

    def _telling_view(self, parts: Sequence[int]) -> int | None:
        """Return a cheap view of which each class leaves at most one of the alternatives, as ``now`` does for a ramp's steps.

        Each alternative must take one run of it, so that going straight there repeats nothing.
        """
        projections = [self._formulas.projection(part) for part in parts]
        for view in sorted(set(projections[0]).intersection(*projections[1:])):
            spans = sorted(projection[view] for projection in projections)
            single = all(len(span) == 2 for span in spans) and not self._views[view].dear
            if single and all(before[1] <= after[0] for before, after in pairwise(spans)):
                return view
        return None

    def _dispatch(self, parts: Sequence[int], view: int, yes: int, no: int) -> int:
        """Go to the one alternative that the class of ``view`` leaves; linear in the alternatives."""
        low, high = self._formulas.domain(view)
        cuts: list[int] = []
        children = [no]
        for (start, end), part in sorted((self._formulas.projection(part)[view], part) for part in parts):
            if start == (cuts[-1] if cuts else low):
                children.pop()
            else:
                cuts.append(start)
            children.append(self.tests(self._formulas.restrict(part, view, start, end), yes, no))
            if end < high:
                cuts.append(end)
                children.append(no)
        return self._graph.branch(view, cuts, children)

    def _order(self, formula: int) -> tuple[float, float, int]:
        """Cheap before dear, selective before wide, then as authored."""
        node = self._formulas.node(formula)
        if isinstance(node, LiteralFormula):
            view = self._views[node.view]
            return (view.cost, size(node.classes) / view.classes, formula)
        dearest = max([self._views[view].cost for view in self._formulas.views_of(formula)])
        return (1 + dearest, 1.0, formula)
