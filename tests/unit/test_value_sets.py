"""Value sets, against a reader that follows kernel.h."""

from __future__ import annotations

import math
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.walkers.table_reader import member
from flagcore.compiler import value_sets
from flagcore.compiler.tables import TableTooLargeError
from flagcore.compiler.value_sets import build_value_set

VALUES = st.one_of(
    st.text(max_size=16),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)


@given(st.lists(VALUES, max_size=30), VALUES)
def test_a_set_answers_membership_without_coercion(values: list[str | bool | float], probe: str | bool | float) -> None:
    """Members are true, other values of a kind that occurs false, values of another kind unknown; True is not 1."""
    blob = build_value_set(values)
    kind = _kind(probe)
    of_kind = [value for value in values if _kind(value) == kind]
    assert member(blob, probe) == (probe in of_kind if of_kind else None)
    assert all(member(blob, value) for value in values)


def _kind(value: object) -> str:
    return "text" if isinstance(value, str) else "boolean" if isinstance(value, bool) else "number"


@given(st.lists(VALUES, max_size=20), st.randoms())
def test_order_and_repetition_change_nothing(values: list[str | bool | float], source: random.Random) -> None:
    """The bytes depend on the members only."""
    shuffled = values + values[:5]
    source.shuffle(shuffled)
    assert build_value_set(values) == build_value_set(shuffled)


def test_equal_numbers_are_one_member() -> None:
    """1 and 1.0 and both zeros are one member each, and stand among the integers; so does 2.0**62, unlike 2.0**63."""
    assert build_value_set([1, 1.0, 0.0, -0.0]) == build_value_set([0, 1])
    assert build_value_set([2.0**62]) == build_value_set([2**62])
    assert struct.unpack_from("<I", build_value_set([2.0**63]), 36)[0] == 1


def test_neighbours_beyond_double_precision_stay_apart() -> None:
    """2**53 + 1 is a member for itself only: integers and doubles compare exactly."""
    blob = build_value_set([2**53 + 1])
    assert [member(blob, number) for number in (2**53 + 1, 2**53, 2.0**53)] == [True, False, False]


def test_folded_texts() -> None:
    """Texts given as folded match in any ASCII case, the others exactly, and either makes texts a kind of the set."""
    blob = build_value_set(["Exact"], folded=["LOOSE"])
    assert [member(blob, text) for text in ("Exact", "exact", "Loose", "LOOSE")] == [True, False, True, True]
    assert member(build_value_set([1], folded=["x"]), "y") is False


def test_the_empty_set_knows_no_kind() -> None:
    """Nothing is a member of a set without values, and everything is of another kind."""
    blob = build_value_set([])
    assert [member(blob, value) for value in ("", True, 0, 0.5)] == [None] * 4


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, math.nan, math.inf, -math.inf, "\ud800"])
def test_what_cannot_be_a_member_is_refused(value: str | float) -> None:
    """Integers beyond int64, NaN, infinities and lone surrogates are a ValueError."""
    with pytest.raises(ValueError):
        build_value_set([value])


def test_a_set_past_four_gibibytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that each fit but not together are refused."""
    monkeypatch.setattr(value_sets, "_LARGEST", 100)
    with pytest.raises(TableTooLargeError):
        build_value_set(range(100))
