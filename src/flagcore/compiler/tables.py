"""Texts to small integers: the ``FcTable`` that the kernel probes (layout: kernel.h, "tables").

Entries are laid out in the order of their hashes, so an entry's place is its home or the place behind its predecessor:
building needs no probing, and the bytes depend on the set of keys only, never on their order.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from flagcore.compiler.hashing import hash_keys

__all__ = ["INLINE_KEY", "LINEAR_LIMIT", "TableTooLargeError", "build_table"]

INLINE_KEY = 12  # bytes; longer keys stand behind the entries
ROOMY_KEYS = 2048
LINEAR_LIMIT = 8  # up to so many inline keys are compared one after the other, without a hash

_FOLD, _LINEAR = 1, 2  # FC_TABLE_*
_HEADER = struct.Struct("<8I")
_LONG = struct.Struct("<4I")
_LONG_KEY = 255
_LARGEST = 0xFFFFFFFF
_PARTS = 256  # keys are sorted by their hash in so many parts, each small enough for the processor's caches


class TableTooLargeError(ValueError):
    """More keys than 32-bit offsets can reach (4 GiB: more than 100 million short ones)."""


def build_table(keys: Mapping[bytes, int] | Iterable[bytes], *, fold: bool = False) -> bytes:
    """Return an ``FcTable`` of the keys, with their values (below 2**24) when ``keys`` is a mapping.

    ``fold``: ASCII case is ignored; keys are stored in lower case, and keys that become one must have one value.
    About 2 us and, beyond keys and result, 50 bytes a key.

    Raises:
        ValueError: keys that differ only in case have different values.
        TableTooLargeError: the table would pass 4 GiB.
    """
    values = dict(_values(keys, fold)) if isinstance(keys, Mapping) else None
    distinct = values.keys() if values is not None else _distinct(keys, fold)
    longest = max(map(len, distinct), default=0)
    flags, capacity = (_FOLD if fold else 0), len(distinct)
    if capacity <= LINEAR_LIMIT and longest <= INLINE_KEY:
        flags |= _LINEAR
        ordered: Iterable[tuple[int, bytes]] = ((0, key) for key in sorted(distinct))
    else:
        capacity = _roomy(capacity)
        ordered = _by_hash(list(distinct))
    tail = _HEADER.size + 16 * capacity
    size = tail + sum(len(key) for key in distinct if len(key) > INLINE_KEY)
    size += -size % 8
    if size > _LARGEST:
        raise TableTooLargeError(f"a table of {len(distinct):,} keys would pass 4 GiB")
    shortest = min(map(len, distinct), default=0)
    header = _HEADER.pack(size, len(distinct), capacity, flags, shortest, longest, 0, 0)
    entries = _Entries(capacity, tail, values)
    entries.lay_out(ordered)
    return b"".join((header, entries.packed, *entries.long_keys)).ljust(size, b"\0")


def _distinct(keys: Iterable[bytes], fold: bool) -> AbstractSet[bytes]:
    """Return the stored keys, a set given by the caller as it is."""
    if fold:
        return {key.lower() for key in keys}
    return keys if isinstance(keys, AbstractSet) else set(keys)


def _values(keys: Mapping[bytes, int], fold: bool) -> Iterator[tuple[bytes, int]]:
    """Yield (stored key, value), refusing two values for one stored key."""
    stored: dict[bytes, int] = {}
    for key, value in keys.items():
        name = key.lower() if fold else key  # bytes.lower() knows ASCII only, as the kernel does
        if stored.setdefault(name, value) != value:
            raise ValueError(f"the key {key!r} has two values when case is ignored")
        yield name, value


def _by_hash(keys: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (hash, key) by ascending hash, and equal hashes by key."""
    hashes = hash_keys(keys)
    if len(keys) < _PARTS:
        yield from sorted(zip(hashes, keys, strict=True))
        return
    parts = [array("I") for _ in range(_PARTS)]
    for index, hashed in enumerate(hashes):
        parts[hashed >> 56].append(index)
    for part in parts:
        found = {hashes[index]: keys[index] for index in part}
        if len(found) < len(part):
            yield from sorted((hashes[index], keys[index]) for index in part)
        else:
            for hashed in sorted(found):  # half the time of sorting pairs
                yield hashed, found[hashed]


def _roomy(count: int) -> int:
    """Return the entries of a hashed table.

    Small tables have three a key: four of five look-ups then end at the first entry, so that the branch is foretold. Large
    ones stay at a load of 3/4: there a look-up waits for memory.
    """
    return 3 * count if count <= ROOMY_KEYS else count + count // 3 + 1


class _Entries:
    """FcEntry[capacity] being filled, and the long keys behind, the first at ``tail``."""

    def __init__(self, capacity: int, tail: int, values: Mapping[bytes, int] | None) -> None:
        self.capacity = capacity
        self.tail = tail
        self.packed = bytearray(16 * capacity)
        self.long_keys: list[bytes] = []
        self._value_of = values

    def lay_out(self, ordered: Iterable[tuple[int, bytes]]) -> None:
        """Put every entry at its home or behind its predecessor.

        Entries pushed past the end wrap round to the first free places, where a probe from their home arrives too.
        """
        place, spilled, capacity = -1, [], self.capacity
        for hashed, key in ordered:
            place += 1
            home = ((hashed >> 32) * capacity) >> 32
            if home > place:  # written out, as all in this loop: it runs a million times
                place = home
            if place < capacity:
                self._put(place, hashed, key)
            else:
                spilled.append((hashed, key))
        free = 0
        for hashed, key in spilled:
            while self.packed[16 * free]:  # k, which is 0 in an empty entry only
                free += 1
            self._put(free, hashed, key)

    def _put(self, place: int, hashed: int, key: bytes) -> None:
        length, at = len(key), 16 * place
        value = self._value_of[key] << 8 if self._value_of else 0
        if length <= INLINE_KEY:
            self.packed[at : at + 4 + length] = (value | 1 + length).to_bytes(4, "little") + key
        else:
            extra = (hashed >> 24) & _LARGEST
            _LONG.pack_into(self.packed, at, value | _LONG_KEY, self.tail, length, extra)
            self.long_keys.append(key)
            self.tail += length
