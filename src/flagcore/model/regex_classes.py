"""Sets of code points for regular expressions: arithmetic on ranges and the named classes, all of them ASCII."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["MAX_CODE_POINT", "PERL_CLASSES", "POSIX_CLASSES", "RangeSet", "fold_case", "merge", "negate"]

RangeSet = tuple[tuple[int, int], ...]
"""Inclusive ranges, ascending, disjoint and not touching, without surrogates."""

MAX_CODE_POINT = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)


def merge(ranges: Iterable[tuple[int, int]]) -> RangeSet:
    """Return the union of the ranges in canonical form."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(_without_surrogates(ranges)):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def _without_surrogates(ranges: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    first, last = _SURROGATES
    for low, high in ranges:
        if high < first or low > last:
            yield low, high
            continue
        if low < first:
            yield low, first - 1
        if high > last:
            yield last + 1, high


def negate(ranges: RangeSet) -> RangeSet:
    """Return every other code point."""
    gaps: list[tuple[int, int]] = []
    start = 0
    for low, high in ranges:
        if low > start:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= MAX_CODE_POINT:
        gaps.append((start, MAX_CODE_POINT))
    return merge(gaps)


def fold_case(ranges: RangeSet) -> RangeSet:
    """Return the set with the other case of each ASCII letter in it."""
    other: list[tuple[int, int]] = []
    for low, high in ranges:
        for first, last, shift in ((65, 90, 32), (97, 122, -32)):
            if low <= last and high >= first:
                other.append((max(low, first) + shift, min(high, last) + shift))
    return merge([*ranges, *other]) if other else ranges


def _set(*pairs: str) -> RangeSet:
    return merge((ord(pair[0]), ord(pair[-1])) for pair in pairs)


_DIGIT = _set("09")
_WORD = _set("09", "AZ", "az", "_")
_BLANK = _set("\t", "\n", "\f", "\r", " ")  # RE2's \s: without the vertical tab

PERL_CLASSES: dict[str, RangeSet] = {
    "d": _DIGIT,
    "D": negate(_DIGIT),
    "s": _BLANK,
    "S": negate(_BLANK),
    "w": _WORD,
    "W": negate(_WORD),
}

POSIX_CLASSES: dict[str, RangeSet] = {
    "alnum": _set("09", "AZ", "az"),
    "alpha": _set("AZ", "az"),
    "ascii": _set("\0\x7f"),
    "blank": _set("\t", " "),
    "cntrl": _set("\0\x1f", "\x7f"),
    "digit": _DIGIT,
    "graph": _set("!~"),
    "lower": _set("az"),
    "print": _set(" ~"),
    "punct": _set("!/", ":@", "[`", "{~"),
    "space": _set("\t\r", " "),
    "upper": _set("AZ"),
    "word": _WORD,
    "xdigit": _set("09", "AF", "af"),
}
