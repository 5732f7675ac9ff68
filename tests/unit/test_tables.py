"""The table of texts, against a reader that follows kernel.h."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.walkers import table_reader
from benchmarks.walkers.table_reader import check_table, look_up, stored_keys
from flagcore.compiler import tables
from flagcore.compiler.tables import LINEAR_LIMIT, build_table

LINEAR = 2


def _flags(table: bytes) -> int:
    return int(struct.unpack_from("<I", table, 12)[0])


def test_no_keys() -> None:
    """A table without keys is a header, and finds nothing."""
    table = build_table([])
    check_table(table)
    assert len(table) == 32
    assert look_up(table, b"") is None


@pytest.mark.parametrize("count", [1, 2, 3, LINEAR_LIMIT, LINEAR_LIMIT + 1, 100, 5000])
def test_every_key_is_found_with_its_value(count: int) -> None:
    """Each key answers its own value, also where it is long or empty; other texts answer nothing."""
    keys = [b"", *(b"k" * (number % 30) + b"%d" % number for number in range(1, count))]
    table = build_table({key: 3 + index for index, key in enumerate(keys)})
    check_table(table)
    assert {key: look_up(table, key) for key in keys} == {key: 3 + index for index, key in enumerate(keys)}
    assert all(look_up(table, key + b"?") is None for key in keys)


def test_few_short_keys_are_linear_and_others_hashed() -> None:
    """Up to LINEAR_LIMIT inline keys stand in a row; one key more, or one too long for its entry, needs hashing."""
    few = [b"%d" % number for number in range(LINEAR_LIMIT)]
    assert _flags(build_table(few)) & LINEAR
    assert not _flags(build_table([*few, b"one more"])) & LINEAR
    assert not _flags(build_table([b"thirteen char"])) & LINEAR


@pytest.mark.parametrize("homes", [(8, 8, 8, 8), (0, 8, 8, 8), (0, 0, 1, 7, 7, 8), (5, 5, 5, 5, 5)])
def test_entries_pushed_past_the_end_wrap_round(monkeypatch: pytest.MonkeyPatch, homes: tuple[int, ...]) -> None:
    """Keys that do not fit between their home and the end stand in the first free places, where probing finds them."""
    keys = [b"a key of its own %d" % number for number in range(len(homes))]
    capacity = len(homes) + len(homes) // 3 + 1
    hashes = {
        key: ((min(home, capacity - 1) << 32) // capacity + 1) << 32 for key, home in zip(keys, homes, strict=True)
    }
    monkeypatch.setattr(tables, "ROOMY_KEYS", 0)
    monkeypatch.setattr(tables, "hash_keys", lambda found: [hashes[key] for key in found])
    monkeypatch.setattr(table_reader, "hash_key", hashes.__getitem__)
    check_table(build_table(keys))


def test_equal_hashes_are_laid_out_by_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of keys with one hash none is lost, and the order given does not count."""
    monkeypatch.setattr(tables, "hash_keys", lambda keys: [7] * len(keys))
    keys = [b"%02d" % number for number in range(20)]
    assert build_table(keys) == build_table(keys[::-1])
    assert set(stored_keys(build_table(keys))) == set(keys)


def test_the_order_given_does_not_count() -> None:
    """Shuffled and repeated keys give the same bytes."""
    keys = [b"user-%d" % number for number in range(500)]
    shuffled = keys + keys[:100]
    random.Random(5).shuffle(shuffled)
    assert build_table(keys) == build_table(shuffled)
    values = {key: len(key) for key in keys}
    assert build_table(values) == build_table({key: values[key] for key in shuffled})


def test_folding_knows_ascii_only() -> None:
    """A folded table finds A for a, but no other letter's other case."""
    table = build_table(["Straße".encode(), "ÄRGER".encode()], fold=True)
    check_table(table)
    assert look_up(table, "STRAßE".encode()) == 0
    assert look_up(table, "Ärger".encode()) == 0
    assert look_up(table, "ärger".encode()) is None


def test_two_values_for_one_folded_key_are_refused() -> None:
    """Keys that differ in case only may not disagree about their value; with one value they are one key."""
    with pytest.raises(ValueError, match="two values"):
        build_table({b"A": 1, b"a": 2}, fold=True)
    assert stored_keys(build_table({b"A": 1, b"a": 1}, fold=True)) == {b"a": 1}


def test_a_table_past_four_gibibytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What 32-bit offsets cannot reach is refused with its number of keys, not cut off."""
    monkeypatch.setattr(tables, "_LARGEST", 1000)
    with pytest.raises(tables.TableTooLargeError, match="100 keys"):
        build_table([b"%d" % number for number in range(100)])


@given(st.dictionaries(st.binary(max_size=20), st.integers(3, 2**24 - 1), max_size=40), st.binary(max_size=20))
def test_a_table_is_a_mapping(keys: dict[bytes, int], probe: bytes) -> None:
    """Whatever the keys, a table answers as the mapping it was built from."""
    table = build_table(keys)
    check_table(table)
    assert stored_keys(table) == keys
    assert look_up(table, probe) == keys.get(probe)
