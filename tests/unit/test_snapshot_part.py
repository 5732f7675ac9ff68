"""One flag read out of a compiled file: what comes with it, what it costs, and that nothing damaged is taken for sound."""

from __future__ import annotations

import hashlib
import io
import random
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flagcore.compiler import compile_flag_set
from flagcore.compiler.layout import LinkKind
from flagcore.compiler.reader import ProgramReader
from flagcore.errors import SnapshotError
from flagcore.model import build_flag_set
from flagcore.snapshot.blocks import TAIL, Index, Section, index_field
from flagcore.snapshot.codec import FORMAT, HEAD, MAGIC, decode_snapshot, encode_snapshot
from flagcore.snapshot.links import linked_names
from flagcore.snapshot.objects import Snapshot
from flagcore.snapshot.part import read_flag

VIPS = [f"u-{n}" for n in range(20_000)]


def document() -> dict[str, Any]:
    """Return a set whose file has several blocks: a chain of prerequisites, a big segment, and many flags beside."""
    gate = {"type": "boolean", "default": "on", "requires": [{"flag": "vip", "is": "on"}]}
    flags: dict[str, Any] = {
        f"flag-{n:03}": {"type": "boolean", "default": "off", "rules": [{"id": f"id-{n}", "percent": 5, "serve": "on"}]}
        for n in range(200)
    }
    flags["vip"] = {
        "type": "boolean",
        "default": "off",
        "rules": [{"id": "vip", "when": 'segment("vips")', "serve": "on"}],
    }
    flags["a.gate"] = gate
    flags["z.last"] = {**gate, "requires": [{"flag": "a.gate", "is": "on"}]}
    segments = {"vips": {"attribute": "targetingKey", "values": VIPS}}
    return {"schema": "flagcore/v1", "segments": segments, "flags": flags}


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    """Return the set, compiled."""
    return compile_flag_set(build_flag_set(document()).flag_set, epoch=4, revision=9).snapshot


@pytest.fixture(scope="module")
def content(snapshot: Snapshot) -> bytes:
    """Return its file."""
    return encode_snapshot(snapshot)


class Watched(io.BytesIO):
    """A file that notes which of its bytes were read."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.touched: set[range] = set()

    def read(self, size: int | None = -1, /) -> bytes:
        start = self.tell()
        found = super().read(size)
        self.touched.add(range(start, start + len(found)))
        return found

    @property
    def count(self) -> int:
        return sum(map(len, self.touched))


def part(content: bytes, key: str) -> Snapshot:
    """Return what ``read_flag`` gives for a file with an index."""
    found = read_flag(io.BytesIO(content), key)
    assert found is not None
    return found


def test_every_flag_comes_with_what_it_needs(snapshot: Snapshot, content: bytes) -> None:
    """A flag brings those that it requires, their value sets and debug information, all as the whole file has them."""
    for key in snapshot.programs:
        found = part(content, key)
        needed = {"z.last": {"z.last", "a.gate", "vip"}, "a.gate": {"a.gate", "vip"}}.get(key, {key})
        assert (found.epoch, found.revision, set(found.programs), set(found.debug)) == (4, 9, needed, needed)
        assert found.value_sets == (snapshot.value_sets if "vip" in needed else {})
        assert found.programs.items() <= snapshot.programs.items()
        assert found.debug.items() <= dict(snapshot.debug).items()


@pytest.mark.parametrize("key", ["", "A", "flag-0005", "flag-1", "zz", "\U0010ffff"])
def test_unknown_flags(content: bytes, key: str) -> None:
    """Of a flag that is not there, before, between and behind those that are, nothing comes."""
    found = part(content, key)
    assert (found.programs, found.value_sets, found.debug) == ({}, {}, {})


def test_little_of_the_file_is_read() -> None:
    """What is read for one flag does not grow with the file."""
    debug = {f"flag-{n:06}": bytes(500) for n in range(20_000)}
    counts = []
    for size in (2_000, 20_000):
        some = dict(list(debug.items())[:size])
        file = Watched(encode_snapshot(Snapshot(0, 1, some, {}, some)))
        assert read_flag(file, "flag-001000") is not None
        counts.append(file.count)
    assert counts[1] < 1.5 * counts[0] < 300_000


@pytest.mark.parametrize("changes", [{"value_sets": {}}, {"debug": {}}, {"programs": {}}])
def test_empty_maps(snapshot: Snapshot, changes: dict[str, Any]) -> None:
    """Maps without entries have no blocks, and nothing is found in them."""
    less = msgspec.structs.replace(snapshot, **changes)
    found = part(encode_snapshot(less), "z.last")
    assert found.programs.keys() == ({"z.last", "a.gate", "vip"} if less.programs else set())
    assert bool(found.value_sets) == bool(less.value_sets and less.programs)
    assert bool(found.debug) == bool(less.debug and less.programs)


def test_the_first_format_has_no_index(snapshot: Snapshot) -> None:
    """A file of format 1 can be read whole only, and that is said."""
    body = msgspec.msgpack.encode(snapshot)
    first = struct.pack("<8sIIQ32s", MAGIC, 1, 1, len(body), hashlib.sha256(body).digest()) + body
    assert read_flag(io.BytesIO(first), "vip") is None


def test_fields_of_the_future(content: bytes) -> None:
    """A later format's fields stand in front of the index, which is found where it was."""
    body = content[HEAD:]
    start = (
        len(body) - TAIL - int.from_bytes(body[-TAIL:-32], "little") - 3
    )  # the index is a byte string of up to 64 KiB
    longer = b"\x98" + body[1:start] + b"\xc3" + body[start:]
    head = struct.pack("<8sIIQ32s", MAGIC, FORMAT + 1, 1, len(longer), hashlib.sha256(longer).digest())
    assert part(head + longer, "a.gate").programs.keys() == {"a.gate", "vip"}
    assert decode_snapshot(head + longer) == decode_snapshot(content)


def test_changed_bytes_are_noticed_where_they_are_read(content: bytes) -> None:
    """Whatever byte changes, the flag is refused, or comes as it was: the byte then belongs to other flags."""
    whole, source = part(content, "a.gate"), random.Random(7)
    refused = 0
    for position in [
        *range(HEAD),
        *source.sample(range(HEAD, len(content)), 400),
        *range(len(content) - 100, len(content)),
    ]:
        changed = bytearray(content)
        changed[position] ^= 1 << source.randrange(8)
        try:
            found = read_flag(io.BytesIO(changed), "a.gate")
        except SnapshotError:
            refused += 1
        else:
            assert found in (whole, None)  # None: the format's number says that there is no index
    assert refused > 100


@pytest.mark.parametrize("cut", [0, 7, HEAD - 1, HEAD, HEAD + 39, -1, -39, -41])
def test_cut_files_are_refused(content: bytes, cut: int) -> None:
    """A file that ends too early is refused, wherever it ends, also when its head has the length that is there."""
    short = content[:cut]
    with pytest.raises(SnapshotError):
        read_flag(io.BytesIO(short), "vip")
    if len(short) >= HEAD:
        head = struct.pack("<8sIIQ32s", MAGIC, FORMAT, 1, len(short) - HEAD, bytes(32))
        with pytest.raises(SnapshotError):
            read_flag(io.BytesIO(head + short[HEAD:]), "vip")


NONE = Section((), 0, (), (), ())
EMPTY = hashlib.sha256(b"").digest()
HOSTILE = {
    "beyond the end": Section(("a",), 2**40, (10,), (1,), (bytes(32),)),
    "beyond all ends": Section(("a",), 2**64 - 1, (2**64 - 1,), (1,), (bytes(32),)),
    "before the beginning": Section(("a",), -1, (10,), (1,), (bytes(32),)),
    "negative size": Section(("a",), 0, (-1,), (1,), (EMPTY,)),
    "too many entries": Section(("a",), 0, (0,), (2**40,), (EMPTY,)),
    "more entries than bytes": Section(("a",), 0, (0,), (2**32 - 1,), (EMPTY,)),
    "no entries": Section(("a",), 0, (8,), (0,), (hashlib.sha256(MAGIC).digest(),)),
    "lists of different lengths": Section(("a",), 0, (), (1,), ()),
}


def around(index: bytes) -> bytes:
    """Return a file that holds nothing but an index."""
    return struct.pack("<8sIIQ32s", MAGIC, FORMAT, 1, len(index), bytes(32)) + index


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_indices_are_refused(name: str, tmp_path: Path) -> None:
    """An index under a right digest that tells what cannot be is refused with one kind of error, and no memory is taken for it."""
    path = tmp_path / "flags.fcs"
    path.write_bytes(around(index_field(Index(0, 1, HOSTILE[name], NONE, NONE))))
    with path.open("rb") as file, pytest.raises(SnapshotError):
        read_flag(file, "a")


def test_mutated_indices_are_refused_or_true(content: bytes) -> None:
    """An index with any bytes changed, its digest made right again, gives a SnapshotError or entries whose blocks have their digests."""
    source, whole = random.Random(5), part(content, "a.gate")
    length = int.from_bytes(content[-TAIL:-32], "little")
    index = content[-TAIL - length : -TAIL]
    for _ in range(1500):
        changed = bytearray(index)
        for _ in range(source.randint(1, 3)):
            changed[source.randrange(length)] = source.randrange(256)
        end = bytes(changed) + length.to_bytes(8, "little")
        mutated = content[: -TAIL - length] + end + hashlib.sha256(end).digest()
        try:
            found = part(mutated, "a.gate")
        except SnapshotError:
            continue
        assert found.programs.items() <= whole.programs.items()
        assert found.value_sets.items() <= whole.value_sets.items()


def test_names_are_those_that_the_program_links_to(snapshot: Snapshot) -> None:
    """What is read in the raw bytes is what the reader of proved programs finds."""
    for program in snapshot.programs.values():
        links = ProgramReader(program).links
        flags, value_sets = linked_names(program)
        assert flags == [name for kind, name in links if kind == LinkKind.PROGRAM]
        assert value_sets == [name for kind, name in links if kind == LinkKind.SET]


def test_any_bytes_have_names_or_none(snapshot: Snapshot) -> None:
    """Malformed programs raise nothing here: they are refused when they are verified."""
    source = random.Random(3)
    for program in (b"", b"x", bytes(75), bytes(76), b"\xff" * 200, snapshot.programs["z.last"]):
        for _ in range(200):
            changed = bytearray(program)
            for _ in range(min(len(changed), 4)):
                changed[source.randrange(len(changed))] = source.randrange(256)
            flags, value_sets = linked_names(bytes(changed))
            assert all(isinstance(name, str) for name in flags + value_sets)
