"""Snapshots cut into chunks and put together again."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.errors import SnapshotError
from flagcore.snapshot.chunks import SMALLEST_CHUNK, Assembly, Piece, cut
from flagcore.snapshot.limits import Limits
from flagcore.snapshot.objects import Snapshot
from flagcore.snapshot.state_hash import StateHash
from tests.distribution.making import large_snapshot, snapshots
from tests.profiles import cases


def assembled(chunks: list[bytes], snapshot: Snapshot, limits: Limits | None = None) -> Snapshot:
    """Return what the chunks make."""
    assembly = Assembly() if limits is None else Assembly(limits)
    for chunk in chunks:
        assembly.add(chunk)
    return assembly.finish(snapshot.epoch, snapshot.revision)


def chunk(*pieces: Piece) -> bytes:
    """Return a chunk of any pieces."""
    return msgspec.msgpack.encode(pieces)


@settings(max_examples=cases(100))
@given(snapshots())
def test_small_snapshots_are_one_chunk(snapshot: Snapshot):
    """What is cut is put together again, objects of unknown kinds too, with its state hash."""
    chunks = list(cut(snapshot))
    assert len(chunks) == 1
    assembly = Assembly()
    assembly.add(chunks[0])
    assert assembly.finish(snapshot.epoch, snapshot.revision) == snapshot
    assert assembly.state_hash == StateHash.of(snapshot).value


@pytest.mark.parametrize("size", [SMALLEST_CHUNK, SMALLEST_CHUNK + 1, 40_000, 256 * 1024])
@pytest.mark.parametrize("seed", range(3))
def test_large_snapshots_are_cut(size: int, seed: int):
    """No chunk is larger than asked for, large objects are cut over several, and all but the last are well filled."""
    snapshot = large_snapshot(seed)
    chunks = list(cut(snapshot, size))
    assert len(chunks) > 1
    assert all(len(part) <= size for part in chunks)
    assert all(len(part) > size // 3 for part in chunks[:-1])
    assert assembled(chunks, snapshot) == snapshot


def test_the_same_state_gives_the_same_chunks():
    """The order in which objects came to be does not matter."""
    snapshot = large_snapshot()
    turned = Snapshot(2, 9, dict(reversed(snapshot.programs.items())), snapshot.value_sets, snapshot.debug)
    assert list(cut(turned)) == list(cut(snapshot))


def test_long_ids_fit_the_smallest_chunk():
    """An id of the greatest length leaves room for content."""
    snapshot = Snapshot(1, 1, {"é" * 1000 + str(i): bytes(30_000) for i in range(3)})
    chunks = list(cut(snapshot, SMALLEST_CHUNK))
    assert all(len(part) <= SMALLEST_CHUNK for part in chunks)
    assert assembled(chunks, snapshot) == snapshot


def test_named_objects_only():
    """The objects of a fetch travel alone; names that are gone are left out."""
    snapshot = large_snapshot()
    assembly = Assembly()
    for part in cut(snapshot, ids=["v/segment:1", "p/none", "p/f.2"]):
        assembly.add(part)
    assert {found.id: found.content for found in assembly.objects()} == {
        "p/f.2": snapshot.programs["f.2"],
        "v/segment:1": snapshot.value_sets["segment:1"],
    }


def test_too_small_chunks_are_refused():
    """Chunks into which not every id fits cannot be asked for."""
    with pytest.raises(ValueError, match="at least"):
        cut(Snapshot(1, 1, {}), SMALLEST_CHUNK - 1)


WRONG = {
    "empty": [b""],
    "no array": [b"\x01"],
    "deep": [b"\x91" * 100_000],
    "too many announced": [b"\xdd\xff\xff\xff\xff"],
    "starts in the middle": [chunk(Piece("p/a", 0, 4, 2, b"cd"))],
    "a gap": [chunk(Piece("p/a", 0, 6, 0, b"ab")), chunk(Piece("p/a", 0, 6, 4, b"ef"))],
    "a piece twice": [chunk(Piece("p/a", 0, 6, 0, b"ab")), chunk(Piece("p/a", 0, 6, 0, b"ab"))],
    "another object between": [chunk(Piece("p/a", 0, 6, 0, b"ab"), Piece("p/b", 0, 1, 0, b"x"))],
    "another size": [chunk(Piece("p/a", 0, 6, 0, b"ab"), Piece("p/a", 0, 7, 2, b"cdefg"))],
    "an object twice": [chunk(Piece("p/a", 0, 1, 0, b"x"), Piece("p/a", 0, 1, 0, b"x"))],
    "longer than it says": [chunk(Piece("p/a", 0, 1, 0, b"xy"))],
    "pieces of nothing": [chunk(Piece("p/a", 0, 1, 0, b""))],
    "never complete": [chunk(Piece("p/a", 0, 6, 0, b"ab"))],
}


@pytest.mark.parametrize("chunks", WRONG.values(), ids=WRONG.keys())
def test_wrong_chunks_are_refused(chunks: list[bytes]):
    """Pieces that are malformed, missing, repeated, out of order or contradictory give a SnapshotError."""
    with pytest.raises(SnapshotError):
        assembled(chunks, Snapshot(1, 1, {}))


def test_limits_hold_to_the_byte():
    """At the limit of chunk, program, value set and snapshot all is taken; one byte over is refused, before it is kept."""
    snapshot = Snapshot(1, 1, {"a": bytes(300)}, {"s": bytes(500)})
    chunks = list(cut(snapshot))
    exact = Limits(chunk=len(chunks[0]), program=300, value_set=500, snapshot=800 + len("p/a" + "v/s"))
    assert assembled(chunks, snapshot, exact) == snapshot
    for field in ("chunk", "program", "value_set", "snapshot"):
        smaller = msgspec.structs.replace(exact, **{field: getattr(exact, field) - 1})
        with pytest.raises(SnapshotError, match="allowed"):
            assembled(chunks, snapshot, smaller)


def test_a_declared_size_allocates_nothing():
    """An object that says that it will be large takes only the bytes that came."""
    assembly = Assembly()
    assembly.add(chunk(Piece("v/s", 0, 512 << 20, 0, b"x")))
    assert assembly.size == 0
    with pytest.raises(SnapshotError, match="cut"):
        assembly.objects()


@settings(max_examples=cases(300))
@given(st.binary(max_size=300))
def test_any_bytes_give_objects_or_the_one_error(content: bytes):
    """No chunk raises anything else."""
    try:
        assembled([content], Snapshot(1, 1, {}))
    except SnapshotError:
        return
