"""The decision graph: hash-consed leaves and branches, made smaller as they are made.

A branch looks at one view and goes to the child of the interval in which the class lies; two intervals with one cut are
a plain test. Children exist before their parents, so numbers rise from the leaves to the root and nothing recurses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from flagcore.compiler.intervals import Classes
from flagcore.compiler.views import View

__all__ = ["Branch", "Graph"]

_ABSORBED_CUTS = 8  # a child that asks the same view again is merged into its parent up to this many cuts
_LEAST_SHARE, _MOST_SHARE = 0.02, 0.5  # bounds of the estimated chance that a test holds
_SWITCH_EXTRA = 1.5  # what a table costs above one direct comparison


class Branch(NamedTuple):
    """Child i for classes in ``[cuts[i-1], cuts[i])``; neighbours differ, so there are one more children than cuts."""

    view: int
    cuts: tuple[int, ...]
    children: tuple[int, ...]


class Graph:
    """Nodes by number; a node is a Branch, or the index of a leaf."""

    def __init__(self, views: Sequence[View]) -> None:
        self._views = views
        self._nodes: list[Branch | int] = []
        self._branches: dict[Branch, int] = {}
        self._leaves: dict[int, int] = {}
        self._costs: list[float] = []

    def node(self, number: int) -> Branch | int:
        """The branch or leaf index behind a node number."""
        return self._nodes[number]

    def cost(self, number: int) -> float:
        """Expected cost from this node on if all classes were alike: it steers the build, never an answer."""
        return self._costs[number]

    def leaf(self, leaf: int) -> int:
        """Return the node of a leaf."""
        number = self._leaves.get(leaf)
        if number is None:
            number = self._leaves[leaf] = self._add(leaf, 0.0)
        return number

    def test(self, view: int, classes: Classes, yes: int, no: int) -> int:
        """Return the node that goes to ``yes`` when the class lies in ``classes``, else to ``no``."""
        children = [(no, yes)[i % 2] for i in range(len(classes) + 1)]
        cuts = list(classes)
        if cuts[0] == self._views[view].domain[0]:
            del cuts[0], children[0]
        if cuts and cuts[-1] == self._views[view].classes:
            del cuts[-1], children[-1]
        return self.branch(view, cuts, children)

    def branch(self, view: int, cuts: Sequence[int], children: Sequence[int]) -> int:
        """Return the node for these intervals: equal neighbours merged, a repeated question absorbed."""
        edges = (0, *cuts, self._views[view].classes)
        pieces: list[tuple[int, int]] = []  # (where it begins, child)
        for (low, high), child in zip(pairwise(edges), children, strict=True):
            for start, grandchild in self._within(view, low, high, child):
                if not pieces or pieces[-1][1] != grandchild:
                    pieces.append((start, grandchild))
        if len(pieces) == 1:
            return pieces[0][1]
        branch = Branch(view, tuple(start for start, _ in pieces[1:]), tuple(child for _, child in pieces))
        number = self._branches.get(branch)
        if number is None:
            number = self._branches[branch] = self._add(branch, self._estimate(branch))
        return number

    def reachable(self, roots: Iterable[int]) -> list[int]:
        """Return the node numbers that can be reached from ``roots``, children before parents."""
        seen = set(roots)
        todo = list(seen)
        while todo:
            node = self._nodes[todo.pop()]
            if isinstance(node, Branch):
                fresh = set(node.children) - seen
                seen |= fresh
                todo += fresh
        return sorted(seen)

    def _within(self, view: int, low: int, high: int, child: int) -> list[tuple[int, int]]:
        node = self._nodes[child]
        if not isinstance(node, Branch) or node.view != view or len(node.cuts) > _ABSORBED_CUTS:
            return [(low, child)]
        starts = (0, *node.cuts)
        ends = (*node.cuts, self._views[view].classes)
        return [
            (max(low, start), grandchild)
            for start, end, grandchild in zip(starts, ends, node.children, strict=True)
            if start < high and end > low
        ]

    def _estimate(self, branch: Branch) -> float:
        view = self._views[branch.view]
        costs = [self._costs[child] for child in branch.children]
        distinct = set(branch.children)
        if len(distinct) > 2:
            return view.cost + _SWITCH_EXTRA + sum(costs) / len(costs)
        edges = (0, *branch.cuts, view.classes)
        inner = sum(high - low for low, high in list(pairwise(edges))[1::2])
        share = min(_MOST_SHARE, max(_LEAST_SHARE, inner / view.classes))
        return view.cost + share * costs[1] + (1 - share) * costs[0]

    def _add(self, node: Branch | int, cost: float) -> int:
        self._nodes.append(node)
        self._costs.append(cost)
        return len(self._nodes) - 1
