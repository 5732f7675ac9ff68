"""Selection of the nodes that may visit several children: FORK, BLOCK and MULTI."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flagcore.compiler.automata import Automata
from flagcore.compiler.layout import LEAF_BIT, NONE, NodeFlag, Op
from flagcore.compiler.nodes import Block, Fork, ListMulti, TextMulti
from flagcore.compiler.operations import Exit, Forked, Masked, MultiElements, MultiMatches, Operation, Visit
from flagcore.compiler.views import View
from flagcore.model.tree import Path

__all__ = ["Forks"]

_UNUSED = LEAF_BIT
_NO_REST = 0  # `first` of a rest that is not there


class Forks:
    """Makes their operations; ``first`` of every branch is the smallest leaf that selection left in its reach."""

    def __init__(self, add: Callable[[Operation], Exit], smallest: Callable[[Exit], int]) -> None:
        self._add = add
        self._smallest = smallest

    def select_fork(self, node: Fork, exits: Mapping[int, Exit]) -> Exit:
        return self._fork([exits[branch.child] for branch in node.branches])

    def select_block(self, node: Block, exits: Mapping[int, Exit]) -> Exit:
        content = Masked(node.columns, tuple(exits[row] for row in node.rows))
        return self._add(Operation(Op.BLOCK, None, _UNUSED, exits[node.after], _UNUSED, content=content))

    def select_elements(self, node: ListMulti, exits: Mapping[int, Exit]) -> Exit:
        after = exits[node.after.child]
        visits = [(text, self._visit(exits[key.child])) for found, key in node.texts for text in found]
        branches = tuple(sorted({visit for _, visit in visits}))
        numbers = {visit: number for number, visit in enumerate(branches)}
        texts = tuple(sorted((text, numbers[visit]) for text, visit in visits))
        content = MultiElements(node.fold, texts, branches, self._smallest(after))
        flags = NodeFlag.FOLD if node.fold else 0
        return self._add(Operation(Op.MULTI, node.path, _UNUSED, after, _UNUSED, flags, content=content))

    def select_matches(
        self, node: TextMulti, exits: Mapping[int, Exit], views: Sequence[View], automata: Automata
    ) -> Exit:
        """One node for each automaton; several of them are branches of a fork."""
        found: dict[int, list[tuple[int, Exit]]] = {}
        for number, key in node.views:
            for automaton, bit in automata.places[number]:
                found.setdefault(automaton, []).append((bit, exits[key.child]))
        path = views[node.views[0][0]].path
        after = exits[node.after.child]
        if len(found) == 1:
            return self._matches(path, *found.popitem(), after)
        several = [self._matches(path, automaton, keyed, NONE) for automaton, keyed in found.items()]
        return self._fork([*several, after])

    def _matches(self, path: Path, automaton: int, keyed: Sequence[tuple[int, Exit]], after: Exit) -> Exit:
        ordered = sorted(keyed)
        branches = tuple(self._visit(exit_) for _, exit_ in ordered)
        first = _NO_REST if after == NONE else self._smallest(after)
        content = MultiMatches(automaton, sum(bit for bit, _ in ordered), branches, first)
        return self._add(Operation(Op.MULTI, path, _UNUSED, after, _UNUSED, NodeFlag.LINK, content=content))

    def _fork(self, exits: Sequence[Exit]) -> Exit:
        branches = tuple(sorted(self._visit(exit_) for exit_ in exits))
        return self._add(Operation(Op.FORK, None, _UNUSED, _UNUSED, _UNUSED, content=Forked(branches)))

    def _visit(self, exit_: Exit) -> Visit:
        return Visit(self._smallest(exit_), exit_)
