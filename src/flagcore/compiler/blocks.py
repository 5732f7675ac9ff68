"""Blocks: up to 64 rows met at once, a mask of rows for each local class of each view (Lucent bit vectors)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from operator import xor
from typing import NamedTuple

from flagcore.compiler.chain import Chain
from flagcore.compiler.formula import ALWAYS, Formulas, LiteralFormula
from flagcore.compiler.intervals import Classes
from flagcore.compiler.nodes import NO_ROW, Column
from flagcore.compiler.plan import Row
from flagcore.compiler.rows import Rows
from flagcore.compiler.simplify import Graph
from flagcore.compiler.survey import local_cuts
from flagcore.compiler.views import View

__all__ = ["MOST_ROWS", "Blocks"]

MOST_ROWS = 64


class _Masks(NamedTuple):
    """A block of rows, whatever comes after it."""

    columns: list[Column]
    shares: list[list[float]]  # of each column
    own: list[int]  # each row's own tests


class Blocks:
    """Builds blocks into one graph."""

    def __init__(self, graph: Graph, formulas: Formulas, views: Sequence[View], chain: Chain, rows: int) -> None:
        self._graph = graph
        self._formulas = formulas
        self._views = views
        self._chain = chain
        self._rows = rows
        self._made: dict[tuple[Row, ...], _Masks] = {}  # tried in front of one thing, kept in front of another
        self._rests: dict[int, int] = {}

    def build(self, rows: Rows, *, nested: bool) -> int:
        """Return blocks in order; the last row is what is left when none holds.

        Nested in other nodes they are branches of a fork: what an outer fork has found elsewhere saves those that are left.
        """
        end = self._graph.leaf(rows[-1].leaf)
        if not nested or len(rows) - 1 <= self._rows:
            return self.before(rows[:-1], end)
        starts = range(0, len(rows) - 1, self._rows)
        parts = [rows[start : min(start + self._rows, len(rows) - 1)] for start in starts]
        return self._graph.fork([(part[0].leaf, self.block(part, end)) for part in parts])

    def before(self, rows: Rows, after: int) -> int:
        """Return blocks in order, ``after`` behind the last."""
        for start in reversed(range(0, len(rows), self._rows)):
            after = self.block(rows[start : start + self._rows], after)
        return after

    def block(self, rows: Rows, after: int) -> int:
        """Return one block of at most MOST_ROWS rows; where no cheap view tells them apart, their chain."""
        masks = self._made.get(rows)
        if masks is None:
            masks = self._made[rows] = self._masks(rows)
        if len(rows) == 1 or not masks.columns:
            return self._chain.before(rows, after)
        return self._graph.block(masks.columns, masks.own, after, masks.shares)

    def _masks(self, rows: Rows) -> _Masks:
        cuts = local_cuts(self._formulas, rows)
        columns = [_column(self._bounds(rows, view), view, own) for view, own in cuts.items()]
        columns.sort(key=lambda column: (sum(column[1]), column[0].view))
        own = [self._own_tests(row) for row in rows] if columns else []
        return _Masks([column for column, _ in columns], [shares for _, shares in columns], own)

    def _bounds(self, rows: Sequence[Row], view: int) -> list[Classes]:
        domain = self._formulas.domain(view)
        return [self._formulas.projection(row.formula).get(view, domain) for row in rows]

    def _own_tests(self, row: Row) -> int:
        """What the masks do not decide: everything but literals of cheap views."""
        rest = self._rests.get(row.formula)
        if rest is None:
            parts = [part for part in self._formulas.requirements(row.formula) if not self._is_column(part)]
            rest = self._rests[row.formula] = self._formulas.conjunction(parts)
        graph = self._graph
        return (
            graph.leaf(row.leaf)
            if rest == ALWAYS
            else self._chain.tests(rest, graph.leaf(row.leaf), graph.leaf(NO_ROW))
        )

    def _is_column(self, part: int) -> bool:
        node = self._formulas.node(part)
        return isinstance(node, LiteralFormula) and not self._views[node.view].dear


def _column(bounds: Sequence[Classes], view: int, cuts: Sequence[int]) -> tuple[Column, list[float]]:
    """Return the column and each row's share of its local classes, before equal neighbours are joined."""
    places = {edge: place for place, edge in enumerate(cuts, 1)}
    last = len(cuts) + 1
    toggles = [0] * last
    shares = []
    for row, classes in enumerate(bounds):
        bit, held, sign = 1 << row, 0, -1
        for edge in classes:
            place = places.get(edge, last if sign > 0 else 0)
            held += sign * place
            sign = -sign
            if place < last:
                toggles[place] ^= bit
        shares.append(held / last)
    masks = list(accumulate(toggles, xor))
    kept = [place for place in range(1, last) if masks[place] != masks[place - 1]]
    return Column(view, tuple(cuts[place - 1] for place in kept), (masks[0], *(masks[place] for place in kept))), shares
