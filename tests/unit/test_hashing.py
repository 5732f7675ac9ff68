"""The hash of many keys at once against the readable twin."""

from __future__ import annotations

import random

from benchmarks.walkers.table_reader import hash_key
from flagcore.compiler.hashing import hash_keys


def test_every_length_agrees_with_the_twin() -> None:
    """Keys of each length from 0 to 100 bytes hash as kernel.h says, in the order given."""
    source = random.Random(1)
    keys = [source.randbytes(length) for length in range(101) for _ in range(5)]
    source.shuffle(keys)
    assert list(hash_keys(keys)) == [hash_key(key) for key in keys]


def test_extreme_words_do_not_leak_into_neighbours() -> None:
    """Keys of all zero and all one bits stay in their lanes: carries never reach another key."""
    keys = [bytes([byte]) * length for length in (1, 7, 8, 31, 32, 64) for byte in (0, 255, 0, 128, 255, 255)]
    assert list(hash_keys(keys)) == [hash_key(key) for key in keys]


def test_more_keys_than_one_chunk_holds() -> None:
    """Thousands of keys of one length are hashed in several chunks without losing their order."""
    keys = [f"{number:09}".encode() for number in range(2500)]
    assert list(hash_keys(keys)) == [hash_key(key) for key in keys]


def test_very_long_and_no_keys() -> None:
    """Keys beyond the lanes' length limit take the plain path; no keys give no hashes."""
    keys = [bytes([byte]) * 5000 for byte in range(6)]
    assert list(hash_keys(keys)) == [hash_key(key) for key in keys]
    assert list(hash_keys([])) == []
