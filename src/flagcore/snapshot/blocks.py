"""The blocks of a compiled file: its maps in pieces that are found and proved one by one (decision 0033).

From format 2 on a map of the body is a row of blocks, each some whole entries of ``BLOCK`` bytes or a little more, keys rising throughout.
The body's last field, a byte string that readers of format 1 pass over, says where they lie. It is found from the end of the file:

    index     msgpack of Index
    u64       length of the index
    32 bytes  SHA-256 of the index and its length

Fields that later formats add stand in front of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from hashlib import sha256

import msgspec

__all__ = ["END", "Index", "Section", "add_map", "block_entries", "index_field", "read_index"]

BLOCK = 32_768
"""Bytes of a block, but for the last, at least: to prove one takes some 20 us, and 100,000 flags have an index of 0.1 MB."""

_TAIL = struct.Struct("<Q32s")
TAIL = _TAIL.size
END = 131_072
"""Bytes at the end of a file that hold the index of 100,000 flags."""


class Section(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The blocks of one map, in their order. Fields are append-only."""

    keys: tuple[str, ...]  # the first of each block
    start: int  # where the first begins in the file; the others follow
    sizes: tuple[int, ...]  # bytes of each
    counts: tuple[int, ...]  # entries of each
    digests: tuple[bytes, ...]  # SHA-256 of each


class Index(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is to know of a compiled file before any of its maps is read. Fields are append-only."""

    epoch: int
    revision: int
    programs: Section
    value_sets: Section
    debug: Section


_encoder = msgspec.msgpack.Encoder()
_indices = msgspec.msgpack.Decoder(Index)
_entries = msgspec.msgpack.Decoder(dict[str, bytes])


def add_map(content: bytearray, mapping: Mapping[str, bytes]) -> Section:
    """Write a map behind ``content``, which is a file so far; return where its blocks lie."""
    content += _map_head(len(mapping))
    start = len(content)
    blocks = []
    for entries in _cut(mapping):
        block = _encoder.encode(entries)[len(_map_head(len(entries))) :]
        blocks.append((next(iter(entries)), len(block), len(entries), sha256(block).digest()))
        content += block
    keys, sizes, counts, digests = zip(*blocks, strict=True) if blocks else ((),) * 4
    return Section(keys, start, sizes, counts, digests)


def _cut(mapping: Mapping[str, bytes]) -> Iterator[dict[str, bytes]]:
    """Yield the entries by blocks, in the order of their keys."""
    entries: dict[str, bytes] = {}
    size = 0
    for key, value in sorted(mapping.items()):
        entries[key] = value
        size += len(key) + len(value)
        if size >= BLOCK:
            yield entries
            entries, size = {}, 0
    if entries:
        yield entries


def _map_head(count: int) -> bytes:
    """Return what stands before the entries of a map in msgpack."""
    if count < 16:
        return bytes((0x80 | count,))
    return struct.pack(">BH", 0xDE, count) if count < 2**16 else struct.pack(">BI", 0xDF, count)


def block_entries(block: bytes, section: Section, number: int) -> dict[str, bytes]:
    """Return the entries of a block.

    Raises:
        ValueError: its bytes are not those that were written, or are no entries (msgspec.DecodeError, too).
    """
    if sha256(block).digest() != section.digests[number]:
        raise ValueError("its digest is another")
    return _entries.decode(_map_head(section.counts[number]) + block)


def index_field(index: Index) -> bytes:
    """Return the body's last field, in msgpack."""
    content = _encoder.encode(index)
    length = struct.pack("<Q", len(content))
    return _encoder.encode(content + length + sha256(content + length).digest())


def read_index(end: bytes, size: int) -> Index:
    """Return the index from the end of a file of ``size`` bytes; ``end`` may reach back beyond it.

    Raises:
        ValueError: there is none, it begins before ``end``, or it is not what was written (msgspec.DecodeError, too).
    """
    if len(end) < TAIL:
        raise ValueError("there is none")
    length, digest = _TAIL.unpack(end[-TAIL:])
    content = end[max(0, len(end) - TAIL - length) : -TAIL]
    if len(content) != length or sha256(content + end[-TAIL:-32]).digest() != digest:
        raise ValueError("it is cut or changed")
    index = _indices.decode(content)
    if not all(_is_sound(section, size) for section in (index.programs, index.value_sets, index.debug)):
        raise ValueError("it has blocks that cannot be")
    return index


def _is_sound(section: Section, size: int) -> bool:
    """Return whether every block has a place in the file; what stands there is proved when it is read."""
    lengths = {len(part) for part in (section.keys, section.sizes, section.counts, section.digests)}
    least = min((section.start, *section.sizes, *section.counts))
    is_inside = least >= 0 and section.start + sum(section.sizes) <= size
    return len(lengths) == 1 and is_inside and max(section.counts, default=0) < 2**32
