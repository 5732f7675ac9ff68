"""Texts to small integers: the ``FcTable`` that the kernel probes (layout: kernel.h, "tables").

Entries are laid out in the order of their hashes, so an entry's place is its home or the place behind its predecessor:
building needs no probing, and the bytes depend on the set of keys only, never on their order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from flagcore.compiler.hashing import hash_keys

__all__ = ["INLINE_KEY", "LINEAR_LIMIT", "TableTooLargeError", "build_table"]

INLINE_KEY = 12  # bytes; longer keys stand behind the entries
LINEAR_LIMIT = 8  # up to so many inline keys are compared one after the other, without a hash

_FOLD, _LINEAR = 1, 2  # FC_TABLE_*
_HEADER = struct.Struct("<8I")
_LONG_KEY = 255
_LARGEST = 0xFFFFFFFF


class TableTooLargeError(ValueError):
    """More keys than 32-bit offsets can reach (4 GiB: more than 100 million short ones)."""


def build_table(keys: Mapping[bytes, int] | Iterable[bytes], *, fold: bool = False) -> bytes:
    """Return an ``FcTable`` of the keys, with their values (below 2**32) when ``keys`` is a mapping.

    ``fold``: ASCII case is ignored; keys are stored in lower case, and keys that become one must have one value.
    About 2 us a key.

    Raises:
        ValueError: keys that differ only in case have different values.
        TableTooLargeError: the table would pass 4 GiB.
    """
    values = dict(_values(keys, fold)) if isinstance(keys, Mapping) else None
    distinct = values.keys() if values is not None else {key.lower() for key in keys} if fold else set(keys)
    flags = _FOLD if fold else 0
    lengths = [len(key) for key in distinct] or [0]
    if len(distinct) <= LINEAR_LIMIT and max(lengths) <= INLINE_KEY:
        flags, capacity = flags | _LINEAR, len(distinct)
        hashes, ordered, places = [0] * capacity, sorted(distinct), list(range(capacity))
    else:
        capacity = len(distinct) + len(distinct) // 3 + 1
        hashes, ordered = _by_hash(list(distinct))
        places = _places(hashes, capacity)
    stored_values = _pack_values(ordered, places, capacity, values)
    tail = _HEADER.size + 16 * capacity + len(stored_values)
    size = tail + sum(length for length in lengths if length > INLINE_KEY)
    size += -size % 8
    if size > _LARGEST:
        raise TableTooLargeError(f"a table of {len(distinct):,} keys would pass 4 GiB")
    values_at = _HEADER.size + 16 * capacity if stored_values else 0
    header = _HEADER.pack(size, len(distinct), capacity, flags, min(lengths), max(lengths), values_at, 0)
    long_keys = b"".join(key for key in ordered if len(key) > INLINE_KEY)
    entries = _pack_entries(hashes, ordered, places, capacity, tail)
    table = b"".join((header, entries, stored_values, long_keys))
    return table.ljust(size, b"\0")


def _values(keys: Mapping[bytes, int], fold: bool) -> Iterator[tuple[bytes, int]]:
    """Yield (stored key, value), refusing two values for one stored key."""
    stored: dict[bytes, int] = {}
    for key, value in keys.items():
        name = key.lower() if fold else key  # bytes.lower() knows ASCII only, as the kernel does
        if stored.setdefault(name, value) != value:
            raise ValueError(f"the key {key!r} has two values when case is ignored")
        yield name, value


def _by_hash(keys: list[bytes]) -> tuple[list[int], list[bytes]]:
    """Return the hashes in ascending order and the keys beside them; equal hashes by key."""
    found = hash_keys(keys)
    by_hash = dict(zip(found, keys, strict=True))
    if len(by_hash) < len(keys):
        pairs = sorted(zip(found, keys, strict=True))
        return [hashed for hashed, _ in pairs], [key for _, key in pairs]
    hashes = sorted(by_hash)  # much cheaper than sorting a million pairs
    return hashes, [by_hash[hashed] for hashed in hashes]


def _places(hashes: list[int], capacity: int) -> list[int]:
    """Return a place for each of the hashes, which ascend.

    Entries pushed past the end wrap round to the first free places, where a probe from their home arrives too.
    """
    place, places = -1, []
    for hashed in hashes:
        home = ((hashed >> 32) * capacity) >> 32
        place = home if home > place else place + 1
        places.append(place)
    spilled = 0
    while spilled < len(places) and places[-1 - spilled] >= capacity:
        spilled += 1
    kept = len(places) - spilled
    places[kept:] = islice(_gaps(places[:kept], capacity), spilled)
    return places


def _gaps(taken: list[int], end: int) -> Iterator[int]:
    """Yield the numbers below ``end`` that are not in ``taken`` (ascending)."""
    following = 0
    for place in taken:
        yield from range(following, place)
        following = place + 1
    yield from range(following, end)


def _pack_values(keys: list[bytes], places: list[int], capacity: int, values: Mapping[bytes, int] | None) -> bytes:
    """Return uint32[capacity]: each key's value at its entry's place; nothing for a table without values."""
    if values is None:
        return b""
    packed = [0] * capacity
    for place, key in zip(places, keys, strict=True):
        packed[place] = values[key]
    return struct.pack(f"<{capacity}I", *packed)


def _pack_entries(hashes: list[int], keys: list[bytes], places: list[int], capacity: int, tail: int) -> bytearray:
    """Return FcEntry[capacity]; the first key beyond ``INLINE_KEY`` bytes will stand at ``tail``, the next behind."""
    packed = bytearray(16 * capacity)
    for place, hashed, key in zip(places, hashes, keys, strict=True):
        length, at = len(key), 16 * place
        tag = (hashed & 0xFFFFFF) << 8
        if length <= INLINE_KEY:
            packed[at : at + 4 + length] = (tag | 1 + length).to_bytes(4, "little") + key
        else:
            struct.pack_into("<4I", packed, at, tag | _LONG_KEY, tail, length, (hashed >> 24) & _LARGEST)
            tail += length
    return packed
