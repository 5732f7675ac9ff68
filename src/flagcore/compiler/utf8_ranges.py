"""Ranges of code points as sequences of byte ranges in UTF-8.

Automata only ever see valid UTF-8. Sequences may therefore also cover what never arrives (overlong forms, surrogates,
code points above U+10FFFF) where that saves states: ``.`` then takes one sequence for each length, not nine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["ByteRange", "CodePointRange", "utf8_sequences"]

ByteRange = tuple[int, int]  # both ends included
CodePointRange = tuple[int, int]  # both ends included

_SURROGATES = (0xD800, 0xDFFF)
_CONTINUATION = 0x80
# for each number of continuation bytes: lead byte of payload 0, first and last code point, largest payload
_FORMS = (
    (0x00, 0x00, 0x7F, 0x7F),
    (0xC0, 0x80, 0x7FF, 0x7FF),
    (0xE0, 0x800, 0xFFFF, 0xFFFF),
    (0xF0, 0x10000, 0x10FFFF, 0x1FFFFF),
)


def utf8_sequences(ranges: Iterable[CodePointRange]) -> list[tuple[ByteRange, ...]]:
    """Return sequences that among valid texts match exactly one code point of ``ranges`` (ascending, disjoint)."""
    joined = list(_across_surrogates(ranges))
    sequences: list[tuple[ByteRange, ...]] = []
    for more, (lead, first, last, largest) in enumerate(_FORMS):
        for low, high in joined:
            low, high = max(low, first), min(high, last)
            if low > high:
                continue
            low = 0 if low == first else low
            high = largest if high == last else high
            for (top_low, top_high), *rest in _split(low, high, more):
                sequences.append(((lead + top_low, lead + top_high), *rest))
    return sequences


def _across_surrogates(ranges: Iterable[CodePointRange]) -> Iterator[CodePointRange]:
    """Join ranges that only surrogates, which no text holds, keep apart."""
    pending: CodePointRange | None = None
    for low, high in ranges:
        if pending and pending[1] + 1 >= _SURROGATES[0] and low <= _SURROGATES[1] + 1:
            pending = (pending[0], high)
            continue
        if pending:
            yield pending
        pending = (low, high)
    if pending:
        yield pending


def _split(low: int, high: int, more: int) -> Iterator[tuple[ByteRange, ...]]:
    """Yield the payloads ``low..high`` as sequences: a range of top digits, then ``more`` continuation bytes."""
    if more == 0:
        yield ((low, high),)
        return
    size = 64**more
    first, last = low // size, high // size
    if first == last:
        yield from _under(first, low % size, high % size, more)
        return
    if low % size:
        yield from _under(first, low % size, size - 1, more)
        first += 1
    partial = (high + 1) % size
    if first <= last - bool(partial):
        yield ((first, last - bool(partial)), *[(_CONTINUATION, _CONTINUATION + 63)] * more)
    if partial:
        yield from _under(last, 0, partial - 1, more)


def _under(top: int, low: int, high: int, more: int) -> Iterator[tuple[ByteRange, ...]]:
    """Yield the sequences below one top digit."""
    for (digit_low, digit_high), *rest in _split(low, high, more - 1):
        yield ((top, top), (_CONTINUATION + digit_low, _CONTINUATION + digit_high), *rest)
