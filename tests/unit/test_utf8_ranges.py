"""Ranges of code points as byte sequences."""

from __future__ import annotations

import pytest

from flagcore.compiler.utf8_ranges import utf8_sequences

EVERYTHING = ((0, 0x10FFFF),)


def _accepts(sequences: list[tuple[tuple[int, int], ...]], text: bytes) -> int:
    """Return how many sequences take exactly ``text``."""
    return sum(
        len(sequence) == len(text)
        and all(low <= byte <= high for (low, high), byte in zip(sequence, text, strict=True))
        for sequence in sequences
    )


@pytest.mark.parametrize(
    "ranges",
    [
        (),
        ((0x41, 0x5A),),
        ((0x7F, 0x80),),
        ((0x430, 0x44F), (0x451, 0x451)),
        ((0, 0x9), (0xB, 0xD7FF), (0xE000, 0x10FFFF)),
        ((0x7FF, 0x800), (0xD7FF, 0xD7FF), (0xE000, 0xE001), (0xFFFF, 0x10000)),
        ((0x1F600, 0x1F64F),),
        ((0x10FFFF, 0x10FFFF),),
        ((0x123, 0x12345),),
    ],
)
def test_exactly_the_code_points_of_the_ranges_are_taken(ranges: tuple[tuple[int, int], ...]) -> None:
    """Every code point inside is taken by exactly one sequence, every other one by none, at and beside all boundaries."""
    sequences = utf8_sequences(ranges)
    interesting = {0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF, *range(0, 0x11000, 0x35)}
    interesting |= {point + step for ends in ranges for point in ends for step in (-1, 0, 1)}
    for point in sorted(interesting):
        if 0 <= point <= 0x10FFFF and not 0xD800 <= point <= 0xDFFF:
            inside = any(low <= point <= high for low, high in ranges)
            assert _accepts(sequences, chr(point).encode()) == inside, hex(point)


def test_any_code_point_takes_one_sequence_for_each_length() -> None:
    """What no text holds may be taken too, so that the dot stays small; surrogates split nothing."""
    assert [len(sequence) for sequence in utf8_sequences(EVERYTHING)] == [1, 2, 3, 4]
    assert utf8_sequences(EVERYTHING) == utf8_sequences(((0, 0xD7FF), (0xE000, 0x10FFFF)))
