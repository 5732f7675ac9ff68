"""The decision graph: hash-consed nodes, made smaller as they are made.

A branch looks at one view and goes to the child of the interval in which the class lies; two intervals with one cut are
a plain test. Children exist before their parents, so numbers rise from the leaves to the root and nothing recurses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from flagcore.compiler import estimate
from flagcore.compiler.estimate import NOTHING, Estimate, WeighedColumn
from flagcore.compiler.intervals import Classes
from flagcore.compiler.nodes import (
    NO_ROW,
    Block,
    Branch,
    Column,
    Fork,
    Keyed,
    ListMulti,
    Node,
    TextMulti,
    children_of,
)
from flagcore.compiler.views import View

__all__ = ["Graph"]

_ABSORBED_CUTS = 8  # a child that asks the same view again is merged into its parent up to this many cuts


class Graph:
    """Nodes by number; ``default`` is the leaf of evaluations that no row decides, the largest."""

    def __init__(self, views: Sequence[View], default: int | None = None) -> None:
        self._views = views
        self._default = default
        self._nodes: list[Node] = []
        self._numbers: dict[Node, int] = {}
        self._estimates: list[Estimate] = []
        self._absorbable: list[int | None] = []  # of a branch of few cuts: its view

    def node(self, number: int) -> Node:
        """The node of that number."""
        return self._nodes[number]

    def estimate(self, number: int) -> Estimate:
        """What the walk from this node on is expected to be like."""
        return self._estimates[number]

    def cost(self, number: int) -> float:
        """Expected cost from this node on if all classes were alike: it steers the build, never an answer."""
        return self._estimates[number].cost

    def leaf(self, leaf: int) -> int:
        """Return the node of a leaf, or of NO_ROW."""
        known = self._numbers.get(leaf)
        if known is not None:
            return known
        return self._add(leaf, NOTHING if leaf in (NO_ROW, self._default) else Estimate(0.0, 1.0, leaf))

    def test(self, view: int, classes: Classes, yes: int, no: int) -> int:
        """Return the node that goes to ``yes`` when the class lies in ``classes``, else to ``no``."""
        ends = self._views[view].domain
        begins, is_cut = classes[0] == ends[0], classes[-1] == ends[1]
        children = (no, yes) * (len(classes) // 2) + (no,)
        if begins or is_cut:
            last = -1 if is_cut else None
            classes, children = classes[begins:last], children[begins:last]
        return self.branch(view, classes, children)

    def branch(self, view: int, cuts: Sequence[int], children: Sequence[int]) -> int:
        """Return the node for these intervals: equal neighbours merged, a repeated question absorbed."""
        if view not in {self._absorbable[child] for child in children}:
            return self._branch(view, cuts, children)
        edges = (0, *cuts, self._views[view].classes)
        pieces: list[tuple[int, int]] = []  # (where it begins, child)
        for (low, high), child in zip(pairwise(edges), children, strict=True):
            pieces += self._within(view, low, high, child)
        return self._branch(view, [start for start, _ in pieces[1:]], [child for _, child in pieces])

    def fork(self, branches: Iterable[tuple[int, int]]) -> int:
        """Return the node that yields the smallest leaf of all ``(first leaf, child)``."""
        keyed = tuple(Keyed(*branch) for branch in sorted(branches))
        if len(keyed) == 1:
            return keyed[0].child
        fork = Fork(keyed)
        return self._known(fork) or self._add(fork, estimate.of_fork(keyed, self._of(children_of(fork))))

    def block(
        self, columns: Sequence[Column], rows: Sequence[int], after: int, shares: Sequence[Sequence[float]]
    ) -> int:
        """Return the block; ``shares``: for each column and row the share of the local classes that let the row pass."""
        block = Block(tuple(columns), tuple(rows), after)
        known = self._known(block)
        if known is not None:
            return known
        costs = (self._views[column.view].cost for column in columns)
        weighed = [WeighedColumn(cost, each) for cost, each in zip(costs, shares, strict=True)]
        return self._add(block, estimate.of_block(weighed, self._of(rows), self._estimates[after]))

    def multi(self, multi: ListMulti | TextMulti) -> int:
        """Return the node; with nothing keyed it is what comes after."""
        *children, after = self._of(children_of(multi))
        if not children:
            return multi.after.child
        return self._known(multi) or self._add(multi, estimate.of_multi(children, after))

    def reachable(self, roots: Iterable[int]) -> list[int]:
        """Return the node numbers that can be reached from ``roots``, children before parents."""
        seen = set(roots)
        todo = list(seen)
        while todo:
            fresh = set(children_of(self._nodes[todo.pop()])) - seen
            seen |= fresh
            todo += fresh
        return sorted(seen)

    def _branch(self, view: int, cuts: Sequence[int], children: Sequence[int]) -> int:
        """Return the node of a branch none of whose children is to be absorbed."""
        kept, starts = [children[0]], []
        for start, child in zip(cuts, children[1:], strict=True):
            if child != kept[-1]:
                kept.append(child)
                starts.append(start)
        if not starts:
            return kept[0]
        branch = Branch(view, tuple(starts), tuple(kept))
        known = self._numbers.get(branch)
        if known is not None:
            return known
        number = self._add(branch, estimate.of_branch(branch, self._views[view], self._of(kept)))
        if len(starts) <= _ABSORBED_CUTS:
            self._absorbable[number] = view
        return number

    def _within(self, view: int, low: int, high: int, child: int) -> list[tuple[int, int]]:
        node = self._nodes[child]
        if self._absorbable[child] != view or not isinstance(node, Branch):
            return [(low, child)]
        starts = (0, *node.cuts)
        ends = (*node.cuts, self._views[view].classes)
        return [
            (max(low, start), grandchild)
            for start, end, grandchild in zip(starts, ends, node.children, strict=True)
            if start < high and end > low
        ]

    def _of(self, numbers: Sequence[int]) -> list[Estimate]:
        return [self._estimates[number] for number in numbers]

    def _known(self, node: Node) -> int | None:
        """A node that has children is never number 0."""
        return self._numbers.get(node)

    def _add(self, node: Node, expected: Estimate) -> int:
        number = self._numbers[node] = len(self._nodes)
        self._nodes.append(node)
        self._estimates.append(expected)
        self._absorbable.append(None)
        return number
