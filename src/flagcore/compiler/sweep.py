"""What a switch on one view makes of a list of rows: each row restricted to the intervals that it can still match."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from flagcore.compiler.formula import ALWAYS, NEVER, Formulas
from flagcore.compiler.intervals import runs
from flagcore.compiler.plan import Row
from flagcore.compiler.rows import Rows, alternatives

__all__ = ["Sweep", "sweep_rows"]

_WORK_PER_ENTRY = 16  # rows looked at for one that is kept; more is given up as too slow to build


class Sweep(NamedTuple):
    """A switch and the rows of its children."""

    view: int
    cuts: tuple[int, ...]
    children: tuple[Rows, ...]
    weights: tuple[int, ...]  # of each child's rows
    total: int  # entries spent: intervals and the weight of every copied row

    @property
    def rows_per_child(self) -> float:
        """Mean, without the row that ends each child."""
        return sum(map(len, self.children)) / len(self.children) - 1


def sweep_rows(formulas: Formulas, rows: Rows, view: int, limit: int, stride: int = 1) -> Sweep | None:
    """Cut at every stride-th edge of the view's sets, the stride doubled until the total fits ``limit``."""
    edges = _edges(formulas, rows, view)
    while True:
        cuts = edges if stride == 1 else edges[stride // 2 :: stride]
        if not cuts:
            return None
        sweep = _Sweeper(formulas, view, cuts, limit, exact=stride == 1).run(rows)
        if sweep is not None:
            return sweep
        stride *= 2


def _edges(formulas: Formulas, rows: Rows, view: int) -> list[int]:
    edges: set[int] = set()
    for row in rows:
        formulas.collect_cuts(row.formula, view, edges)
    return sorted(edges.difference(formulas.domain(view)))


class _Sweeper:
    """Hands every row, in order, to the intervals that it can still match and that no earlier row has ended."""

    def __init__(self, formulas: Formulas, view: int, cuts: Sequence[int], limit: int, *, exact: bool) -> None:
        low, high = formulas.domain(view)
        self._formulas = formulas
        self._view = view
        self._bounds = [low, *cuts, high]
        self._places = {edge: place for place, edge in enumerate(self._bounds)}
        self._exact = exact
        self._limit = limit
        self._total = len(cuts) + 1
        self._children: list[list[Row]] = [[] for _ in range(self._total)]
        self._weights = [0] * self._total
        self._ended = bytearray(self._total)
        self._open = list(range(self._total))
        self._work = 0

    def run(self, rows: Rows) -> Sweep | None:
        """Return the switch, None as soon as its total exceeds the limit."""
        pieces = self._exact_pieces if self._exact else self._coarse_pieces
        for row in rows:
            if self._view in self._formulas.views_of(row.formula):
                for first, end, formula in pieces(row.formula):
                    self._work += end - first
                    self._give(alternatives(self._formulas, Row(formula, row.leaf)), range(first, end))
            else:
                self._open = [child for child in self._open if not self._ended[child]]
                self._give([row], self._open)
            if self._total > self._limit or self._work > _WORK_PER_ENTRY * self._limit:
                return None
        children = tuple(map(self._distinct, self._children))
        return Sweep(self._view, tuple(self._bounds[1:-1]), children, tuple(self._weights), self._total)

    def _give(self, rows: list[Row], intervals: Sequence[int]) -> None:
        """Append ``rows`` to the children of ``intervals`` that are still open."""
        weight = sum(self._formulas.weight(row.formula) + 1 for row in rows)
        ends = rows[-1].formula == ALWAYS
        children, weights, ended = self._children, self._weights, self._ended
        given = 0
        for interval in intervals:
            if not ended[interval]:
                children[interval] += rows
                weights[interval] += weight
                given += weight
                if given > self._limit:
                    break
                if ends:
                    ended[interval] = 1
        self._total += given

    def _distinct(self, rows: list[Row]) -> Rows:
        """Restricted rows may repeat a formula: the first of them decides."""
        if len({row.formula for row in rows}) == len(rows):
            return tuple(rows)
        first: dict[int, Row] = {}
        for row in rows:
            first.setdefault(row.formula, row)
        return tuple(first.values())

    def _exact_pieces(self, formula: int) -> Iterator[tuple[int, int, int]]:
        """Yield (interval, end, what is left of the formula there); every edge of the formula is a cut."""
        places = self._places
        factors = self._formulas.factor(formula, self._view)
        if factors is not None:
            classes, rest = factors
            for low, high in runs(classes):
                yield places[low], places[high], rest
            return
        edges = set(self._formulas.domain(self._view))
        self._formulas.collect_cuts(formula, self._view, edges)
        for low, high in pairwise(sorted(edges)):  # between its own edges the formula does not change
            left = self._formulas.restrict(formula, self._view, low, high)
            if left != NEVER:
                yield places[low], places[high], left

    def _coarse_pieces(self, formula: int) -> Iterator[tuple[int, int, int]]:
        """The same where an interval may hold edges of the formula."""
        bounds, done = self._bounds, 0
        span = self._formulas.projection(formula).get(self._view, self._formulas.domain(self._view))
        for low, high in runs(span):
            for interval in range(max(bisect_right(bounds, low) - 1, done), bisect_left(bounds, high)):
                left = self._formulas.restrict(formula, self._view, bounds[interval], bounds[interval + 1])
                if left != NEVER:
                    yield interval, interval + 1, left
                done = interval + 1
