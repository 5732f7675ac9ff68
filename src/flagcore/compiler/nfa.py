"""Patterns as one nondeterministic automaton over bytes (Thompson's construction).

States are made back to front: every part is built in front of the state that follows it. Repetitions are written out,
so the number of states is limited; the limit counts steps of construction, so that nothing nested can outrun it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from flagcore.compiler.utf8_ranges import ByteRange, utf8_sequences
from flagcore.model.regex_tree import Assertion, Choice, Empty, Pattern, Ranges, Repeat, Sequence

__all__ = ["WORD_BYTES", "Jump", "Match", "Nfa", "Require", "State", "Take", "TooManyStatesError", "byte_set"]

_DEPTH = 250  # nesting of groups; keeps the recursion far from the interpreter's limit
_ANY_BYTE = (1 << 256) - 1
_ANY_CODE_POINT = ((0, 0x10FFFF),)


class TooManyStatesError(Exception):
    """The automaton would not fit its limits; the message says which, in words for the author of a pattern."""


class Jump(msgspec.Struct):
    """Goes on in every target without reading."""

    targets: tuple[int, ...]


class Take(msgspec.Struct, frozen=True):
    """Reads one byte of the set (bit b: byte b)."""

    bytes: int
    target: int


class Require(msgspec.Struct, frozen=True):
    """Goes on where the assertion holds, without reading."""

    kind: str  # as Assertion.kind
    target: int


class Match(msgspec.Struct, frozen=True):
    """The tests of this mask have matched."""

    mask: int


State = Jump | Take | Require | Match


def byte_set(ranges: Iterable[ByteRange]) -> int:
    """Return the set of bytes as an integer, bit b for byte b."""
    members = 0
    for low, high in ranges:
        members |= (1 << high + 1) - (1 << low)
    return members


WORD_BYTES = byte_set([(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)])  # what \w and \b know


class Nfa:
    """States under construction; ``start`` is where a search begins once ``search`` was called."""

    def __init__(self, budget: int) -> None:
        self.states: list[State] = []
        self.assertions: set[str] = set()
        self.start = -1
        self._budget = budget
        self._tails: dict[tuple[tuple[ByteRange, ...], int], int] = {}

    def search(self, entries: Iterable[int]) -> None:
        r"""Let a match begin at every place of the text.

        Places inside a code point are left out only where that can be told: ``\B`` would hold there.
        """
        self.start = self._add(Jump(()))
        if "not_word" in self.assertions:
            step = self._code_points(_ANY_CODE_POINT, self.start)
        else:
            step = self._add(Take(_ANY_BYTE, self.start))
        self.states[self.start] = Jump((step, *entries))

    def pattern(self, tree: Pattern, mask: int) -> int:
        """Add a pattern that reports ``mask``; returns its entry."""
        return self._build(tree, self._add(Match(mask)), 0)

    def text(self, text: bytes, fold: bool, mask: int) -> int:
        """Add a literal text, its ASCII case ignored with ``fold``; returns its entry."""
        following = self._add(Match(mask))
        for byte in reversed(text):
            cases = {byte, *bytes([byte]).upper(), *bytes([byte]).lower()} if fold else {byte}
            following = self._add(Take(byte_set((case, case) for case in cases), following))
        return following

    def _add(self, state: State) -> int:
        self._spend()
        self.states.append(state)
        return len(self.states) - 1

    def _spend(self) -> None:
        self._budget -= 1
        if self._budget < 0:
            raise TooManyStatesError("it is too long with its repetitions written out")

    def _build(self, tree: Pattern, following: int, depth: int) -> int:
        """Add ``tree`` in front of the state ``following``; returns its entry."""
        if depth > _DEPTH:
            raise TooManyStatesError(f"its groups are nested more than {_DEPTH} deep")
        self._spend()
        match tree:
            case Empty():
                return following
            case Ranges(ranges=ranges):
                return self._code_points(ranges, following)
            case Sequence(parts=parts):
                for part in reversed(parts):
                    following = self._build(part, following, depth + 1)
                return following
            case Choice(parts=parts):
                return self._add(Jump(tuple(self._build(part, following, depth + 1) for part in parts)))
            case Repeat():
                return self._repeat(tree, following, depth + 1)
            case Assertion(kind=kind):
                self.assertions.add(kind)
                return self._add(Require(kind, following))

    def _code_points(self, ranges: tuple[tuple[int, int], ...], following: int) -> int:
        """Add one code point of ``ranges``; sequences that end alike share their tails."""
        leads: dict[tuple[ByteRange, ...], list[ByteRange]] = {}
        for lead, *tail in utf8_sequences(ranges):
            leads.setdefault(tuple(tail), []).append(lead)
        entries = [self._add(Take(byte_set(first), self._tail(tail, following))) for tail, first in leads.items()]
        return entries[0] if len(entries) == 1 else self._add(Jump(tuple(entries)))

    def _tail(self, tail: tuple[ByteRange, ...], following: int) -> int:
        if not tail:
            return following
        known = self._tails.get((tail, following))
        if known is None:
            known = self._add(Take(byte_set(tail[:1]), self._tail(tail[1:], following)))
            self._tails[tail, following] = known
        return known

    def _repeat(self, tree: Repeat, following: int, depth: int) -> int:
        """Write ``low`` copies out, then a loop or the optional copies up to ``high``."""
        copies = tree.low
        if tree.high is None:
            loop = self._add(Jump(()))
            body = self._build(tree.part, loop, depth)
            self.states[loop] = Jump((body, following))
            following, copies = (loop, 0) if copies == 0 else (body, copies - 1)
        else:
            end = following
            for _ in range(tree.high - tree.low):
                following = self._add(Jump((self._build(tree.part, following, depth), end)))
        for _ in range(copies):
            following = self._build(tree.part, following, depth)
        return following
