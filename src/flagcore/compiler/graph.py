"""Ordered rows to a decision graph: switches while a strict credit pays, an ordered chain of tests for the rest.

docs/design/compiler.md section 3. ``build`` gets a list of rows in order, the last of which is always true, and the credit
that it may spend on copying rows into the children of switches. Every choice only steers; each node's answer is the
first true row of its list under every vector of classes that leads to it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flagcore.compiler.chain import Chain
from flagcore.compiler.formula import ALWAYS, NEVER, Formulas
from flagcore.compiler.intervals import Classes, runs
from flagcore.compiler.options import Options
from flagcore.compiler.plan import Plan, Row
from flagcore.compiler.simplify import Graph

__all__ = ["Built", "build_graph", "normalise", "source_weight"]

Rows = tuple[Row, ...]

_WORK_PER_ENTRY = 16  # literals looked at for one that is kept; more is given up as too slow to build


class Built(NamedTuple):
    """A finished graph and where it begins."""

    graph: Graph
    root: int


class Sweep(NamedTuple):
    """What a switch on one view would make of a list of rows."""

    cuts: tuple[int, ...]
    children: tuple[Rows, ...]
    weights: tuple[int, ...]  # of each child's rows
    total: int  # entries spent: intervals and the weight of every copied row
    rows_per_child: float


def build_graph(plan: Plan, options: Options) -> Built:
    """Return the graph of a plan's rows; deterministic, at most (4K + 4) W entries."""
    rows = normalise(plan.formulas, plan.rows)
    builder = _Builder(plan, options)
    root = builder.build(rows, options.credit_factor * source_weight(plan.formulas, rows), options.max_depth)
    return Built(builder.graph, root)


def normalise(formulas: Formulas, rows: Iterable[Row]) -> Rows:
    """Drop rows that never hold or repeat an earlier formula; end with the first that always holds.

    A row that is a disjunction becomes one row for each part: each looks at fewer views, and a long list of alternatives
    is met part by part where it matters.
    """
    kept: list[Row] = []
    seen = {NEVER}
    for row in rows:
        for formula in formulas.alternatives(row.formula):
            if formula not in seen:
                kept.append(Row(formula, row.leaf))
                seen.add(formula)
        if row.formula == ALWAYS:
            break
    return tuple(kept)


def source_weight(formulas: Formulas, rows: Iterable[Row]) -> int:
    """W: what the rows weigh, each one more than its literals."""
    return sum(formulas.weight(row.formula) + 1 for row in rows)


class _Builder:
    def __init__(self, plan: Plan, options: Options) -> None:
        self.graph = Graph(plan.views)
        self._formulas = plan.formulas
        self._views = plan.views
        self._small = options.small
        self._chain = Chain(self.graph, plan.formulas, plan.views)
        self._built: dict[Rows, int] = {}

    def build(self, rows: Rows, credit: int, depth: int) -> int:
        """Return the node that yields the first true row; lists met before are shared."""
        if rows[0].formula == ALWAYS:
            return self.graph.leaf(rows[0].leaf)
        known = self._built.get(rows)
        if known is None:
            known = self._built[rows] = self._build(rows, credit, depth)
        return known

    def _build(self, rows: Rows, credit: int, depth: int) -> int:
        if len(rows) == 2 or depth == 0 or not self._is_contended(rows):
            return self._chain.build(rows)
        found = self._best_switch(rows, credit)
        if found is None:
            return self._chain.build(rows)
        view, sweep = found
        left, shares = credit - sweep.total, sum(sweep.weights) or 1
        children = [
            self.build(child, left * weight // shares, depth - 1)
            for child, weight in zip(sweep.children, sweep.weights, strict=True)
        ]
        switch = self.graph.branch(view, sweep.cuts, children)
        if len(rows) > self._small:
            return switch
        return min(self._chain.build(rows), switch, key=self.graph.cost)

    def _is_contended(self, rows: Rows) -> bool:
        """Some cheap view is asked by two rows; else no switch can answer for more than one."""
        asked: set[int] = set()
        for row in rows:
            views = {view for view in self._formulas.views_of(row.formula) if not self._views[view].dear}
            if not views.isdisjoint(asked):
                return True
            asked |= views
        return False

    # -- choosing a switch

    def _best_switch(self, rows: Rows, credit: int) -> tuple[int, Sweep] | None:
        """Return the view that leaves the fewest rows per child for its price, None when no switch pays."""
        gains = self._gains(rows)
        weight = source_weight(self._formulas, rows)
        limit = credit if len(rows) <= self._small else min(credit, 2 * weight)
        best: tuple[int, Sweep] | None = None
        for view in self._candidates(rows, gains):
            sweep = self._sweep(rows, view, limit)
            if sweep and (
                best is None or (sweep.rows_per_child, sweep.total) < (best[1].rows_per_child, best[1].total)
            ):
                best = (view, sweep)
        if best is None or not self._pays(len(rows) - 1, best[1].rows_per_child):
            return None
        return best

    def _pays(self, count: int, per_child: float) -> bool:
        return per_child <= 0.7 * count or count <= 4 or (count <= self._small and per_child <= count - 0.5)

    def _gains(self, rows: Rows) -> dict[int, float]:
        """Return for each cheap view the sum over rows of the share of its local classes that they exclude."""
        edges: dict[int, set[int]] = {}
        for row in rows:
            for view, classes in self._formulas.projection(row.formula).items():
                if not self._views[view].dear:
                    edges.setdefault(view, set()).update(classes)
        cuts = {view: sorted(found) for view, found in edges.items()}
        gains = dict.fromkeys(cuts, 0.0)
        for row in rows:
            for view, classes in self._formulas.projection(row.formula).items():
                if view in cuts:
                    gains[view] += 1 - _share(classes, cuts[view])
        return gains

    def _candidates(self, rows: Rows, gains: dict[int, float]) -> list[int]:
        """The best views by gain, and those that the first row needs anyway."""
        small = len(rows) <= self._small
        ranked = sorted(gains, key=lambda view: (-gains[view], view))
        chosen = ranked[: 4 if small else 2]
        for view in sorted(self._formulas.projection(rows[0].formula)):
            if view in gains and view not in chosen and (small or gains[view] > gains[ranked[0]] / 2):
                chosen.append(view)
        return chosen

    # -- what a switch would cost

    def _sweep(self, rows: Rows, view: int, limit: int) -> Sweep | None:
        """Cut at every stride-th edge of the view's sets, the stride doubled until the total fits ``limit``."""
        wild, bound, edges = self._split(rows, view)
        stride = 1
        while True:
            cuts = edges if stride == 1 else edges[stride // 2 :: stride]
            if not cuts:
                return None
            if self._estimate(rows, wild, bound, cuts) <= limit or (stride == 1 and self._decides(rows, view, bound)):
                sweep = _Sweeper(self._formulas, rows, view, cuts).run(wild, bound, limit)
                if sweep is not None:
                    return sweep
            stride *= 2

    def _split(self, rows: Rows, view: int) -> tuple[list[int], list[tuple[int, Classes]], list[int]]:
        """Return rows that do not look at the view, (row, projection) of those that do, and the sorted edges."""
        wild: list[int] = []
        bound: list[tuple[int, Classes]] = []
        edges: set[int] = set()
        domain = self._formulas.domain(view)
        for index, row in enumerate(rows):
            if view in self._formulas.views_of(row.formula):
                self._formulas.collect_cuts(row.formula, view, edges)
                bound.append((index, self._formulas.projection(row.formula).get(view, domain)))
            else:
                wild.append(index)
        return wild, bound, sorted(edge for edge in edges if domain[0] < edge < domain[1])

    def _decides(self, rows: Rows, view: int, bound: Sequence[tuple[int, Classes]]) -> bool:
        """Some row is settled by this view alone: it may end children early, so the estimate says too much."""
        return any(len(self._formulas.views_of(rows[index].formula)) == 1 for index, _ in bound)

    def _estimate(
        self, rows: Rows, wild: Sequence[int], bound: Sequence[tuple[int, Classes]], cuts: Sequence[int]
    ) -> int:
        """Return the entries that a switch with these cuts would spend if no row ended a child early."""
        intervals = len(cuts) + 1
        total = intervals + intervals * sum(self._formulas.weight(rows[index].formula) + 1 for index in wild)
        for index, classes in bound:
            weight = self._formulas.weight(rows[index].formula)
            for low, high in runs(classes):
                total += weight * (bisect_left(cuts, high) - bisect_right(cuts, low) + 1)
        return total


class _Sweeper:
    """Goes through the intervals of one switch in order, keeping the rows that each can still match."""

    def __init__(self, formulas: Formulas, rows: Rows, view: int, cuts: Sequence[int]) -> None:
        self._formulas = formulas
        self._rows = rows
        self._view = view
        self._cuts = cuts
        self._work = self._most_work = 0

    def run(self, wild: Sequence[int], bound: Sequence[tuple[int, Classes]], limit: int) -> Sweep | None:
        """Return the switch, None as soon as its total exceeds ``limit``."""
        total = len(self._cuts) + 1
        self._most_work = _WORK_PER_ENTRY * limit
        active = sorted(wild)
        enters, leaves = self._events(bound)
        children: list[Rows] = []
        weights: list[int] = []
        for interval in range(len(self._cuts) + 1):
            for index in leaves.get(interval, ()):
                del active[bisect_left(active, index)]
            for index in enters.get(interval, ()):
                insort(active, index)
            child = self._child(interval, active, limit - total)
            if child is None:
                return None
            weight = source_weight(self._formulas, child)
            total += weight
            children.append(child)
            weights.append(weight)
        mean = sum(len(child) - 1 for child in children) / len(children)
        return Sweep(tuple(self._cuts), tuple(children), tuple(weights), total, mean)

    def _events(self, bound: Sequence[tuple[int, Classes]]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
        """Return interval -> rows that enter, and that leave, there; runs of one row that share an interval are joined."""
        enters: dict[int, list[int]] = {}
        leaves: dict[int, list[int]] = {}
        for index, classes in bound:
            last = -1
            for low, high in runs(classes):
                first, end = bisect_right(self._cuts, low), bisect_left(self._cuts, high) + 1
                if first <= last:
                    leaves[last].pop()  # the row's own latest entry
                else:
                    enters.setdefault(first, []).append(index)
                leaves.setdefault(end, []).append(index)
                last = end
        return enters, leaves

    def _child(self, interval: int, active: Sequence[int], limit: int) -> Rows | None:
        """Return the rows of one interval, restricted to it; None when they weigh more than ``limit``."""
        low, high = self._bounds(interval)
        kept: list[Row] = []
        spent = 0
        for index in active:
            row = self._rows[index]
            formula = self._formulas.restrict(row.formula, self._view, low, high)
            self._work += self._formulas.weight(row.formula)
            if formula == NEVER:
                continue
            kept.append(Row(formula, row.leaf))
            spent += self._formulas.weight(formula) + 1
            if spent > limit or self._work > self._most_work:
                return None
            if formula == ALWAYS:
                break
        return normalise(self._formulas, kept)

    def _bounds(self, interval: int) -> tuple[int, int]:
        start, end = self._formulas.domain(self._view)
        low = self._cuts[interval - 1] if interval else start
        high = self._cuts[interval] if interval < len(self._cuts) else end
        return low, high


def _share(classes: Classes, cuts: Sequence[int]) -> float:
    """Return the share of the local classes between ``cuts`` that the set holds."""
    held = sum(bisect_left(cuts, high) - bisect_left(cuts, low) for low, high in runs(classes))
    return held / (len(cuts) + 1)
