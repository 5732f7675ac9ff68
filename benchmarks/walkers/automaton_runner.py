"""Automata walked as kernel.h describes them, in plain Python: the judge of what the compiler writes."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Protocol

__all__ = ["check_automaton", "matched_bits", "run_automaton"]

_HEADER = struct.Struct("<6I2Q")


class Blob(Protocol):
    """An automaton and the number of each bit of its mask."""

    data: bytes
    bits: tuple[int, ...]


class _Automaton:
    def __init__(self, data: bytes) -> None:
        (self.size, self.states, self.classes, self.start, transitions, masks, self.all, self.reserved) = (
            _HEADER.unpack_from(data)
        )
        self.places = (transitions, masks)
        self.byte_class = data[_HEADER.size : _HEADER.size + 256]
        self.transitions = struct.unpack_from(f"<{self.states * self.classes}H", data, transitions)
        self.masks = struct.unpack_from(f"<{self.states}Q", data, masks)


def run_automaton(data: bytes, text: bytes) -> int:
    """Return the mask that the automaton reports for ``text``."""
    automaton = _Automaton(data)
    state = automaton.start
    mask: int = automaton.masks[state]
    symbols = [automaton.byte_class[byte] for byte in text] + [automaton.classes - 1]
    for symbol in symbols:
        if state == 0 or mask == automaton.all:
            break
        state = automaton.transitions[state * automaton.classes + symbol]
        mask |= automaton.masks[state]
    return mask


def matched_bits(blobs: Iterable[Blob], text: bytes) -> set[int]:
    """Return the numbers of the tests that hold for ``text``."""
    found: set[int] = set()
    for blob in blobs:
        mask = run_automaton(blob.data, text)
        found |= {bit for index, bit in enumerate(blob.bits) if mask >> index & 1}
    return found


def check_automaton(data: bytes) -> None:
    """Assert what the kernel may rely on: sizes, alignment, bounds, the dead state, the union of masks."""
    automaton = _Automaton(data)
    states, classes = automaton.states, automaton.classes
    assert automaton.size == len(data)
    assert (automaton.size % 8, automaton.reserved) == (0, 0)
    assert automaton.places == (296, 296 + 2 * states * classes + (-2 * states * classes) % 8)
    assert 1 <= states <= 65535
    assert 2 <= classes <= 257
    assert automaton.start < states
    assert max(automaton.byte_class) < classes - 1
    assert max(automaton.transitions) < states
    assert not any(automaton.transitions[:classes]) and automaton.masks[0] == 0  # noqa: PT018
    union = 0
    for mask in automaton.masks:
        union |= mask
    assert union == automaton.all
