"""Decision graphs walked in plain Python, as docs/design/compiler.md section 3 says of each kind of node."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flagcore.compiler.nodes import NO_ROW, Block, Branch, Column, Fork, Keyed, ListMulti, TextMulti, children_of
from flagcore.compiler.simplify import Graph

__all__ = ["GraphWalker", "count_entries"]

_NOTHING = 1 << 62


@dataclass
class GraphWalker:
    """``class_of`` yields the class of a view, ``elements`` the texts in the list at a path."""

    graph: Graph
    class_of: Callable[[int], int]
    elements: Callable[[tuple[str, ...]], Sequence[bytes]] = lambda _: ()
    steps: int = 0

    def walk(self, number: int) -> int:
        """Return the leaf that a walk from the node ends in; asserts that children exist before their parents."""
        node = self.graph.node(number)
        assert all(child < number for child in children_of(node))
        match node:
            case Branch():
                return self.walk(node.children[self._step(node.view, node.cuts)])
            case Fork(branches):
                return self._smallest(branches)
            case Block():
                return self._block(node)
            case ListMulti(path, fold, texts, after):
                held = {text.lower() if fold else text for text in self.elements(path)}
                return self._smallest([*(key for found, key in texts if not held.isdisjoint(found)), after])
            case TextMulti(views, after):
                return self._smallest([*(key for view, key in views if self.class_of(view) == 3), after])
            case leaf:
                assert isinstance(leaf, int)
                return leaf

    def _step(self, view: int, cuts: Sequence[int]) -> int:
        self.steps += 1
        return bisect_right(cuts, self.class_of(view))

    def _smallest(self, branches: Sequence[Keyed]) -> int:
        """Visit branch after branch; what cannot be better is passed over and so must not matter."""
        self.steps += 1
        best = _NOTHING
        for first, child in sorted(branches):
            if first < best:
                found = self.walk(child)
                assert found >= first, "first is the smallest leaf of its branch"
                best = min(best, found)
        return best

    def _block(self, block: Block) -> int:
        mask = (1 << len(block.rows)) - 1
        for column in block.columns:
            mask &= self._mask(column, mask)
            if not mask:
                break
        for row, child in enumerate(block.rows):
            if mask >> row & 1 and (leaf := self.walk(child)) != NO_ROW:
                return leaf
        return self.walk(block.after)

    def _mask(self, column: Column, rows: int) -> int:
        assert rows.bit_length() <= 64
        return column.masks[self._step(column.view, column.cuts)]


def count_entries(graph: Graph, root: int) -> int:
    """Return the entries of a graph: exits of branches and forks, masks and rows of blocks, branches of multis."""
    nodes = [graph.node(number) for number in graph.reachable([root])]
    masks = sum(len(column.masks) for node in nodes if isinstance(node, Block) for column in node.columns)
    return masks + sum(len(children_of(node)) for node in nodes)
