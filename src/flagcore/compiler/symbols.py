"""What an automaton reads: bytes in classes, and the end of the text.

Bytes that no state and no assertion tells apart are one class: rows of the automaton stay short.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum

from flagcore.compiler.nfa import WORD_BYTES, Nfa, Take

__all__ = ["Kind", "Symbols", "union"]

_NEWLINE = 10


class Kind(IntEnum):
    """What stands beside a place, as far as assertions look."""

    EDGE = 0  # the begin before the first byte, the end behind the last
    NEWLINE = 1
    WORD = 2
    OTHER = 3


def union(masks: Iterable[int]) -> int:
    """Return the bits that stand in any of ``masks``."""
    total = 0
    for mask in masks:
        total |= mask
    return total


class Symbols:
    """The classes of bytes, numbered by their first byte, then the end of the text.

    Sets of classes are integers, bit c for class c.
    """

    def __init__(self, nfa: Nfa) -> None:
        kinds = _byte_kinds(nfa.assertions)
        signatures = [int(kind) for kind in kinds]
        for index, members in enumerate(sorted({state.bytes for state in nfa.states if isinstance(state, Take)})):
            for byte in _bits(members):
                signatures[byte] |= 4 << index
        numbers: dict[int, int] = {}
        self.byte_class = bytes(numbers.setdefault(signature, len(numbers)) for signature in signatures)
        self.count = len(numbers) + 1
        self.first_bytes = [self.byte_class.index(number) for number in range(len(numbers))]
        self.by_kind: dict[Kind, int] = {Kind.EDGE: 1 << len(numbers)}
        for number, byte in enumerate(self.first_bytes):
            self.by_kind[kinds[byte]] = self.by_kind.get(kinds[byte], 0) | 1 << number
        self._classes: dict[int, int] = {}
        self._members: dict[int, list[int]] = {}

    def classes(self, members: int) -> int:
        """Return the classes of a set of bytes that a state reads."""
        known = self._classes.get(members)
        if known is None:
            known = union(1 << number for number, byte in enumerate(self.first_bytes) if members >> byte & 1)
            self._classes[members] = known
        return known

    def members(self, classes: int) -> list[int]:
        """Return the numbers of the classes in a set."""
        known = self._members.get(classes)
        if known is None:
            known = self._members[classes] = list(_bits(classes))
        return known


def _byte_kinds(assertions: set[str]) -> list[Kind]:
    """Return the kind of each byte, as far as these assertions tell."""
    kinds = [Kind.OTHER] * 256
    if assertions & {"line_begin", "line_end"}:
        kinds[_NEWLINE] = Kind.NEWLINE
    if assertions & {"word", "not_word"}:
        for byte in _bits(WORD_BYTES):
            kinds[byte] = Kind.WORD
    return kinds


def _bits(members: int) -> Iterator[int]:
    """Yield the places of the one bits, ascending."""
    while members:
        lowest = members & -members
        yield lowest.bit_length() - 1
        members ^= lowest
