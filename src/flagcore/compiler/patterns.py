"""``matches`` and ``contains`` on texts: all constants of one attribute as few ``FcAutomaton`` blobs as pays.

A blob (layout: kernel.h) reports a mask of up to 64 bits; ``AutomatonBlob.bits[i]`` is the number, as the caller gave it in
``Needle.bit`` or ``PatternTest.bit``, of what mask bit i stands for. Tests that share a number are one test, true when
any of them matches (``contains ["a", "b"]``). Such a test may be spread over several blobs: it holds when *any* blob that
names its number reports it. One number stands at most once in a blob.

Patterns share an automaton while their union stays small; otherwise the list is cut up, and each pattern may have the
whole budget for itself before it is refused. Many literal texts go into automata of their own (Aho-Corasick).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import msgspec

from flagcore.compiler.aho_corasick import build_trie_automaton
from flagcore.compiler.dfa import Dfa, determinise
from flagcore.compiler.minimise import minimise
from flagcore.compiler.nfa import Nfa, TooManyStatesError
from flagcore.compiler.symbols import union
from flagcore.model.regex_tree import Pattern

__all__ = ["AutomatonBlob", "AutomatonLimits", "AutomatonTooLarge", "Needle", "PatternTest", "build_automata"]

_MASK_BITS = 64
_FEW_BYTES = 256  # so much literal text is built together with patterns
_MANY = 8  # tests that are cut into four, fewer are halved
_SPARE = 64  # states that a shared automaton may have in any case
_HEADER = struct.Struct("<6I2Q")


class Needle(msgspec.Struct, frozen=True):
    """A text that must occur; ``fold`` ignores ASCII case."""

    text: bytes
    fold: bool
    bit: int


class PatternTest(msgspec.Struct, frozen=True):
    """A pattern that must match somewhere."""

    tree: Pattern
    bit: int


class AutomatonBlob(msgspec.Struct, frozen=True):
    """An encoded automaton and the caller's number for each bit of its mask."""

    data: bytes  # FcAutomaton, 8-aligned size
    bits: tuple[int, ...]


class AutomatonLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one automaton may cost; more is refused, or split where several tests share one."""

    steps: int = 20_000  # of construction: about the states of the nondeterministic automaton
    states: int = 10_000  # of a pattern's deterministic automaton
    work: int = 2_000_000  # units of about 0.2 us
    shared_states: int = 2_000  # the same for several patterns in one
    shared_growth: int = 8  # and at most so many for each state of their nondeterministic automaton: size stays linear
    shared_work: int = 400_000
    size: int = 4 * 1024 * 1024  # bytes of one blob


class AutomatonTooLarge(Exception):
    """A test that needs more than the limits allow: ``index`` into the tests, ``reason`` in words for its author."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"test {index}: {reason}")
        self.index = index
        self.reason = reason


_Indexed = tuple[int, Needle | PatternTest]
_Build = Callable[[list[_Indexed], dict[int, int]], Dfa]


def build_automata(tests: Sequence[Needle | PatternTest], limits: AutomatonLimits | None = None) -> list[AutomatonBlob]:
    """Return automata that together decide all tests; the module's docstring says how numbers are found again.

    The same tests in the same order give the same bytes. A few milliseconds for usual patterns; a hostile one is
    refused after about a second.

    Raises:
        AutomatonTooLarge: one test alone is beyond the limits.
    """
    builder = _Builder(limits or AutomatonLimits())
    texts: list[_Indexed] = []
    mixed: list[_Indexed] = []
    literal = sum(len(test.text) for test in tests if isinstance(test, Needle))
    alike = len({test.fold if isinstance(test, Needle) else None for test in tests}) == 1
    for index, test in enumerate(tests):
        together = isinstance(test, PatternTest) or (literal <= _FEW_BYTES and not alike)
        (mixed if together else texts).append((index, test))
    blobs = builder.split(mixed, builder.search)
    for fold in (False, True):
        blobs += builder.split(
            [item for item in texts if isinstance(item[1], Needle) and item[1].fold is fold], builder.trie
        )
    return blobs


class _Builder:
    """Builds automata from lists of tests, cutting up a list that does not fit."""

    def __init__(self, limits: AutomatonLimits) -> None:
        self.limits = limits

    def split(self, tests: list[_Indexed], build: _Build) -> list[AutomatonBlob]:
        """Return the blobs for ``tests``, in groups of what one mask can hold."""
        groups: list[list[_Indexed]] = []
        bits: set[int] = set()
        for index, test in tests:
            if not groups or len(bits | {test.bit}) > _MASK_BITS:
                groups.append([])
                bits = set()
            groups[-1].append((index, test))
            bits.add(test.bit)
        return [blob for group in groups for blob in self.fit(group, build)]

    def fit(self, tests: list[_Indexed], build: _Build) -> list[AutomatonBlob]:
        """Return one blob for all the tests, or as many as it takes to stay within the limits."""
        bits = tuple(dict.fromkeys(test.bit for _, test in tests))
        try:
            data = _encode(minimise(build(tests, {bit: 1 << index for index, bit in enumerate(bits)})))
            if len(data) <= self.limits.size:
                return [AutomatonBlob(data, bits)]
            reason = f"it needs {len(data):,} bytes; at most {self.limits.size:,} are allowed"
        except TooManyStatesError as error:
            reason = str(error)
        if len(tests) == 1:
            raise AutomatonTooLarge(tests[0][0], reason)
        step = -(-len(tests) // (4 if len(tests) > _MANY else 2))  # unions that explode do so at much smaller numbers
        parts = [tests[first : first + step] for first in range(0, len(tests), step)]
        return [blob for part in parts for blob in self.fit(part, build)]

    def search(self, tests: list[_Indexed], masks: dict[int, int]) -> Dfa:
        """Build patterns and texts by subset construction."""
        nfa = Nfa(self.limits.steps)
        entries = []
        for _, test in tests:
            if isinstance(test, Needle):
                entries.append(nfa.text(test.text, test.fold, masks[test.bit]))
            else:
                entries.append(nfa.pattern(test.tree, masks[test.bit]))
        nfa.search(entries)
        limits = self.limits
        if len(tests) == 1:
            return determinise(nfa, limits.states, limits.work)
        return determinise(
            nfa, min(limits.shared_states, limits.shared_growth * len(nfa.states) + _SPARE), limits.shared_work
        )

    def trie(self, tests: list[_Indexed], masks: dict[int, int]) -> Dfa:
        """Build texts that are all folded or all not."""
        needles = [test for _, test in tests if isinstance(test, Needle)]
        texts = [(needle.text, masks[needle.bit]) for needle in needles]
        return build_trie_automaton(texts, needles[0].fold, 0xFFFF, self.limits.size)


def _encode(dfa: Dfa) -> bytes:
    """Return the ``FcAutomaton``."""
    states, classes = len(dfa.rows), len(dfa.rows[0])
    transitions = _HEADER.size + 256
    masks = transitions + 2 * states * classes
    masks += -masks % 8
    size = masks + 8 * states
    header = _HEADER.pack(size, states, classes, dfa.start, transitions, masks, union(dfa.masks), 0)
    table = struct.pack(f"<{states * classes}H", *(state for row in dfa.rows for state in row))
    packed_masks = struct.pack(f"<{states}Q", *dfa.masks)
    return (header + dfa.byte_class + table).ljust(masks, b"\0") + packed_masks
