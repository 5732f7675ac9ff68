"""Regular expressions as a tree: what the automaton builder and the twin read.

Groups, greediness and names are gone: only "does it match somewhere" counts. Nesting is at most ``MAX_DEPTH`` groups deep,
so that readers may recurse.
"""

from __future__ import annotations

from typing import Literal, Union

import msgspec

__all__ = ["Assertion", "AssertionKind", "Choice", "Empty", "Pattern", "Ranges", "Repeat", "Sequence"]

AssertionKind = Literal["begin", "end", "line_begin", "line_end", "word", "not_word"]


class Empty(msgspec.Struct, frozen=True):
    """Matches the empty text."""


class Ranges(msgspec.Struct, frozen=True):
    """One code point out of inclusive ranges, ascending, disjoint, not touching, without surrogates; none: never matches."""

    ranges: tuple[tuple[int, int], ...]


class Sequence(msgspec.Struct, frozen=True):
    """Two or more parts, one after the other."""

    parts: tuple[Pattern, ...]


class Choice(msgspec.Struct, frozen=True):
    """Any of two or more parts."""

    parts: tuple[Pattern, ...]


class Repeat(msgspec.Struct, frozen=True):
    """``low`` to ``high`` times the part, without upper bound when ``high`` is None; nested counts multiply to at most 1,000."""

    part: Pattern
    low: int
    high: int | None


class Assertion(msgspec.Struct, frozen=True):
    """An empty match at the text's begin or end, a line's begin or end, or (not) between an ASCII word character and another."""

    kind: AssertionKind


Pattern = Union[Empty, Ranges, Sequence, Choice, Repeat, Assertion]
