"""The smallest automaton that reports the same masks, with states and classes numbered in one fixed way.

Partition refinement in the manner of Hopcroft, on all symbols at once: of a group that falls apart the largest part
keeps its number, and only the predecessors of states that got a new one are looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable

from flagcore.compiler.dfa import DEAD, Dfa
from flagcore.compiler.symbols import union

__all__ = ["minimise"]


def minimise(dfa: Dfa) -> Dfa:
    """Return the minimal automaton: states in breadth-first order from the start, classes that act alike merged.

    What cannot be reached is dropped, and what can report nothing more is ``DEAD``.
    """
    dfa = _merge_classes(_settle(dfa))
    return _merge_classes(_quotient(dfa, _Refinement(dfa).run()))


def _settle(dfa: Dfa) -> Dfa:
    """Let states that report every mask lead to ``DEAD``: a walk stops there."""
    everything = union(dfa.masks)
    rows = [[DEAD] * len(row) if mask == everything else row for row, mask in zip(dfa.rows, dfa.masks, strict=True)]
    return dfa._replace(rows=rows)


class _Refinement:
    """States in groups; ``run`` splits them until all states of a group go on to the same groups."""

    def __init__(self, dfa: Dfa) -> None:
        self.rows = dfa.rows
        self.members: list[set[int]] = []
        self.group = [0] * len(dfa.rows)
        by_mask: dict[int, list[int]] = {}
        for state, mask in enumerate(dfa.masks):
            by_mask.setdefault(mask, []).append(state)
        for states in by_mask.values():
            self._found(states)
        self.before = _predecessors(dfa.rows)
        self.unsure = set(
            range(len(dfa.rows))
        )  # states whose successors have changed groups; others agree in their group

    def run(self) -> list[int]:
        """Return the group of each state."""
        while self.unsure:
            number = self.group[next(iter(self.unsure))]
            affected = self.members[number] & self.unsure
            self.unsure -= affected
            for part in self._parts(number, affected):
                self._found(part)
                for state in part:
                    self.unsure |= self.before[state]
        return self.group

    def _found(self, states: Iterable[int]) -> None:
        """Make a new group of ``states``."""
        number = len(self.members)
        self.members.append(set(states))
        for state in states:
            self.group[state] = number

    def _parts(self, number: int, affected: set[int]) -> list[list[int]]:
        """Take the parts that must leave the group out of it and return them."""
        parts: dict[tuple[int, ...], list[int]] = {}
        for state in affected:
            parts.setdefault(self._successors(state), []).append(state)
        others = (
            self.members[number] - affected if len(parts) > 1 or len(affected) < len(self.members[number]) else None
        )
        if others:
            parts.setdefault(self._successors(next(iter(others))), []).extend(others)
        if len(parts) == 1:
            return []
        leaving = sorted(parts.values(), key=len)[:-1]
        for part in leaving:
            self.members[number].difference_update(part)
        return leaving

    def _successors(self, state: int) -> tuple[int, ...]:
        return tuple(map(self.group.__getitem__, self.rows[state]))


def _predecessors(rows: list[list[int]]) -> list[set[int]]:
    before: list[set[int]] = [set() for _ in rows]
    for state, row in enumerate(rows):
        for following in set(row):
            before[following].add(state)
    return before


def _quotient(dfa: Dfa, group: list[int]) -> Dfa:
    """Return the automaton of the groups, ``DEAD`` first, then in breadth-first order from the start."""
    numbers = {group[DEAD]: DEAD}
    example = [DEAD]  # a state of each group, by the group's new number
    numbers.setdefault(group[dfa.start], len(numbers))
    if len(numbers) > 1:
        example.append(dfa.start)
    rows: list[list[int]] = []
    while len(rows) < len(example):
        row = []
        for following in dfa.rows[example[len(rows)]]:
            number = numbers.setdefault(group[following], len(numbers))
            if number == len(example):
                example.append(following)
            row.append(number)
        rows.append(row)
    return Dfa(dfa.byte_class, rows, [dfa.masks[state] for state in example], numbers[group[dfa.start]])


def _merge_classes(dfa: Dfa) -> Dfa:
    """Merge classes of bytes whose columns are equal; the end of the text stays a class of its own, the last."""
    *columns, end = zip(*dfa.rows, strict=True)
    numbers: dict[tuple[int, ...], int] = {}
    merged = [numbers.setdefault(column, len(numbers)) for column in columns]
    rows = [list(row) for row in zip(*numbers, end, strict=True)]
    return Dfa(bytes(merged[number] for number in dfa.byte_class), rows, dfa.masks, dfa.start)
