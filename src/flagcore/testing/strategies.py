"""Hypothesis strategies: conditions, flag sets of every feature, and contexts that hit, just miss or attack them.

Draw a flag set, then contexts for it: ``data.draw(contexts(data.draw(flag_sets())))``.
"""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from flagcore.model.flagset import FlagSet
from flagcore.model.tree import Expression
from flagcore.testing.context_making import ContextMaker, make_moment
from flagcore.testing.making import FlagSetMaker

__all__ = ["contexts", "expressions", "flag_sets", "moments"]


@cache
def _numbers(count: int) -> SearchStrategy[int]:
    return st.integers(0, count - 1)


class _Drawn:
    """Choices that Hypothesis makes, and shrinks towards zero."""

    def __init__(self, draw: DrawFn) -> None:
        self._draw = draw

    def below(self, count: int) -> int:
        return self._draw(_numbers(count)) if count > 1 else 0


@st.composite
def expressions(draw: DrawFn, depth: int = 3) -> Expression:
    """Conditions without segments, as trees; parts stand at most ``depth`` inside each other."""
    return FlagSetMaker(_Drawn(draw)).expression(depth)


@st.composite
def flag_sets(draw: DrawFn, max_flags: int = 3, max_rules: int = 5) -> FlagSet:
    """Valid flag sets: every operator and flag type, segments, prerequisites, gates, ramps, windows, splits."""
    return FlagSetMaker(_Drawn(draw)).flag_set(max_flags, max_rules)


def contexts(flag_set: FlagSet) -> SearchStrategy[object]:
    """Contexts for a flag set: hits, near misses, missing, null, other kinds and hostile values; now and then no context at all."""
    maker = ContextMaker(flag_set)

    @st.composite
    def strategy(draw: DrawFn) -> object:
        return maker.context(_Drawn(draw))

    return strategy()


@st.composite
def moments(draw: DrawFn) -> int:
    """Evaluation times in microseconds: those that generated flags name, and their neighbours."""
    return make_moment(_Drawn(draw))
