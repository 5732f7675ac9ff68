"""Snapshots as bytes: the content of compiled files."""

from __future__ import annotations

import hashlib
import mmap
import random
import struct
from pathlib import Path

import msgspec
import pytest

from flagcore.errors import SnapshotError
from flagcore.snapshot.codec import FORMAT, MAGIC, decode_debug, decode_snapshot, encode_debug, encode_snapshot
from flagcore.snapshot.objects import DebugFlag, DebugRule, Snapshot

SNAPSHOT = Snapshot(3, 7, {"a": b"one", "b": b""}, {"segment:vip": b"set"}, {"a": b"debug"})


def packed(body: bytes, *, magic: bytes = MAGIC, min_reader: int = FORMAT, length: int | None = None) -> bytes:
    """Return a file around any body, with a right checksum."""
    size = len(body) if length is None else length
    return struct.pack("<8sIIQ32s", magic, FORMAT, min_reader, size, hashlib.sha256(body).digest()) + body


def test_round_trip():
    """Decoding gives back what was encoded, and the same snapshot gives the same bytes."""
    content = encode_snapshot(SNAPSHOT)
    assert decode_snapshot(content) == SNAPSHOT
    assert encode_snapshot(decode_snapshot(content)) == content
    assert decode_snapshot(bytearray(content)) == decode_snapshot(memoryview(content)) == SNAPSHOT


def test_memory_maps_are_read_and_not_kept(tmp_path: Path):
    """A mapped file is read in place, and may be unmapped at once."""
    path = tmp_path / "flags.fcs"
    path.write_bytes(encode_snapshot(SNAPSHOT))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert decode_snapshot(mapped) == SNAPSHOT


@pytest.mark.parametrize("cut", range(0, 56, 5))
def test_cut_files_are_refused(cut: int):
    """A file that ends too early is refused, wherever it ends."""
    content = encode_snapshot(SNAPSHOT)
    for wrong in (content[:cut], content[: len(content) - 1 - cut % len(content)], content + b"x"):
        with pytest.raises(SnapshotError):
            decode_snapshot(wrong)


def test_every_changed_byte_is_noticed():
    """A change of any byte is refused; the format's own number, which says nothing alone, may rise."""
    content = encode_snapshot(SNAPSHOT)
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 0x40
        if 8 <= position < 12:
            continue
        with pytest.raises(SnapshotError):
            decode_snapshot(changed)


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"schema: flagcore/v1\n",
        packed(b""),
        packed(b"\xc1"),
        packed(msgspec.msgpack.encode([1, 2])),
        packed(msgspec.msgpack.encode([1, 2, {"a": 5}])),
        packed(msgspec.msgpack.encode([-1, 2, {}])),
        packed(msgspec.msgpack.encode([1, 2**64 - 1, {}])),
        packed(msgspec.msgpack.encode([True, 2, {}])),
        packed(msgspec.msgpack.encode({"epoch": 1})),
        packed(b"\x91" * 100_000),
        packed(b"\xdd\xff\xff\xff\xff"),
        packed(b"\x93\x00\x00\xdf\xff\xff\xff\xff"),
        packed(msgspec.msgpack.encode([1, 2, {}]), magic=b"FLAGCOR2"),
        packed(msgspec.msgpack.encode([1, 2, {}]), length=2**63),
    ],
)
def test_malformed_files_are_refused(wrong: bytes):
    """Wrong content under a right checksum is refused with one kind of error."""
    with pytest.raises(SnapshotError):
        decode_snapshot(wrong)


def test_random_bodies_are_refused():
    """Whatever stands in the body, decoding gives a snapshot or a SnapshotError."""
    source = random.Random(11)
    body = msgspec.msgpack.encode(SNAPSHOT)
    for _ in range(2000):
        changed = bytearray(body)
        for _ in range(source.randint(1, 4)):
            changed[source.randrange(len(changed))] = source.randrange(256)
        try:
            decode_snapshot(packed(bytes(changed)))
        except SnapshotError:
            continue


def test_newer_formats():
    """A newer file is read when it says that this release may, refused with both numbers when not; added fields are skipped."""
    body = msgspec.msgpack.encode([3, 7, {"a": b"x"}, {}, {}, {}, "a field of the future"])
    assert decode_snapshot(packed(body)).programs == {"a": b"x"}
    with pytest.raises(SnapshotError, match=rf"format {FORMAT + 1}.*reads {FORMAT}"):
        decode_snapshot(packed(body, min_reader=FORMAT + 1))


def test_the_first_format():
    """A file as format 1 wrote it is read; and what is written now is what readers of format 1 know, with a field behind it."""
    body = msgspec.msgpack.encode([3, 7, SNAPSHOT.programs, SNAPSHOT.value_sets, SNAPSHOT.debug])
    first = struct.pack("<8sIIQ32s", MAGIC, 1, 1, len(body), hashlib.sha256(body).digest()) + body
    assert decode_snapshot(first) == SNAPSHOT
    content = encode_snapshot(SNAPSHOT)
    assert content[8:16] == struct.pack("<II", 2, 1)
    fields = msgspec.msgpack.decode(content[56:])
    assert (msgspec.convert(fields[:6], Snapshot), len(fields)) == (SNAPSHOT, 7)


def test_the_order_of_keys_is_no_part_of_a_snapshot():
    """Snapshots that differ in the order of their keys give the same bytes."""
    turned = Snapshot(3, 7, {"b": b"", "a": b"one"}, SNAPSHOT.value_sets, SNAPSHOT.debug)
    assert encode_snapshot(turned) == encode_snapshot(SNAPSHOT)


def test_debug_round_trip_and_refusals():
    """Debug information survives encoding; malformed bytes are refused."""
    rule = DebugRule("r", "a == 1", ["probe", 0], None, None, "on", None)
    debug = DebugFlag((rule,), rule, (("f", ("on",), None),), b"program", (), {"s": ["constant", True]})
    assert decode_debug(encode_debug(debug)) == debug
    for wrong in (b"", b"\xc1", b"\x91" * 100_000, msgspec.msgpack.encode([1])):
        with pytest.raises(SnapshotError):
            decode_debug(wrong)
