"""Tables and value sets read as kernel.h describes them, field by field: the judge of what the compiler writes."""

from __future__ import annotations

import struct

from flagcore.bucketing import xxh64

__all__ = ["check_table", "hash_key", "look_up", "member", "stored_keys"]

_TABLE = struct.Struct("<8I")
_ENTRY = struct.Struct("<4I")
_SET = struct.Struct("<IHH10I")
_FOLD, _LINEAR = 1, 2


def hash_key(key: bytes) -> int:
    """Return a key's hash as kernel.h defines it for tables."""
    if len(key) > 12:
        return xxh64(key)
    low, high = struct.unpack("<QI", key.ljust(12, b"\0"))
    product = low * 0x9E3779B185EBCA87
    return (product >> 64 ^ product ^ (high | len(key) << 32) * 0xC2B2AE3D27D4EB4F) % 2**64


def stored_keys(table: bytes) -> dict[bytes, int]:
    """Return the keys of all entries that are not empty, with their values (0 where there are none)."""
    _, _, capacity, *_ = _TABLE.unpack_from(table)
    found: dict[bytes, int] = {}
    for place in range(capacity):
        key = _key(table, place)
        if key is not None:
            assert key not in found
            found[key] = _value(table, place)
    return found


def _value(table: bytes, place: int) -> int:
    meta, *_ = _ENTRY.unpack_from(table, _TABLE.size + 16 * place)
    assert isinstance(meta, int)
    return meta >> 8


def _key(table: bytes, place: int) -> bytes | None:
    meta, *words = _ENTRY.unpack_from(table, _TABLE.size + 16 * place)
    kind = meta & 0xFF
    if kind == 0:
        assert [meta, *words] == [0] * 4, "an empty entry is all zero"
        return None
    if kind == 255:
        return table[words[0] : words[0] + words[1]]
    key = struct.pack("<3I", *words)
    assert not any(key[kind - 1 :]), "inline keys are zero padded"
    return key[: kind - 1]


def check_table(table: bytes) -> None:
    """Assert what the kernel may rely on: sizes, load, bounds, and that every key is reached by probing."""
    size, count, capacity, flags, shortest, longest, *reserved = _TABLE.unpack_from(table)
    assert size == len(table)
    assert (size % 8, reserved) == (0, [0, 0])
    keys = stored_keys(table)
    assert len(keys) == count
    assert capacity == count if flags & _LINEAR else 3 * capacity >= 4 * count and capacity > count
    assert (shortest, longest) == (min(map(len, keys), default=0), max(map(len, keys), default=0))
    for place in range(capacity):
        _check_entry(table, place, bool(flags & _LINEAR))
    for key in keys:
        assert _find(table, key) is not None
        assert not flags & _FOLD or key == key.lower()


def _check_entry(table: bytes, place: int, linear: bool) -> None:
    key = _key(table, place)
    if key is None:
        assert not linear
        return
    meta, _, length, extra = _ENTRY.unpack_from(table, _TABLE.size + 16 * place)
    if len(key) > 12:
        assert not linear
        assert (meta & 0xFF, length, extra) == (255, len(key), (hash_key(key) >> 24) & 0xFFFFFFFF)


def _find(table: bytes, key: bytes) -> int | None:
    """Return the place of a stored key, probing from its home until an empty entry."""
    _, count, capacity, flags, *_ = _TABLE.unpack_from(table)
    if flags & _LINEAR:
        return next((place for place in range(count) if _key(table, place) == key), None)
    place = ((hash_key(key) >> 32) * capacity) >> 32
    while (found := _key(table, place)) is not None:
        if found == key:
            return place
        place = (place + 1) % capacity
    return None


def look_up(table: bytes, key: bytes) -> int | None:
    """Return the value of ``key`` (0 in a table without values), or None when it is not in the table."""
    _, _, _, flags, shortest, longest, *_ = _TABLE.unpack_from(table)
    probe = key.lower() if flags & _FOLD else key
    if not shortest <= len(probe) <= longest:
        return None
    place = _find(table, probe)
    return None if place is None else _value(table, place)


def member(blob: bytes, value: str | bool | float) -> bool | None:
    """Tell whether ``value`` is in the set; None when the set holds no value of its kind."""
    magic, fmt, reader, size, kinds, table, folded, ints, int_count, doubles, double_count, booleans, reserved = (
        _SET.unpack_from(blob)
    )
    assert (magic, fmt, reader, size, reserved) == (0x54534346, 1, 1, len(blob), 0)
    assert all(offset % 8 == 0 for offset in (table, folded, ints, doubles))
    if isinstance(value, str):
        offsets = [offset for offset in (table, folded) if offset]
        return any(look_up(blob[at:], value.encode()) is not None for at in offsets) if kinds & 1 else None
    if isinstance(value, bool):
        return bool(booleans & (2 if value else 1)) if kinds & 4 else None
    integers = struct.unpack_from(f"<{int_count}q", blob, ints)
    return value in integers + struct.unpack_from(f"<{double_count}d", blob, doubles) if kinds & 2 else None
