"""A snapshot, or some of its objects, cut into chunks and put together again (docs/design/wire.md section 4, kind S).

Every chunk is a msgpack array of pieces and can be read by itself; an object that does not fit is cut. Chunks of the same
state are the same bytes, whoever cuts them. The reader holds its limits before it keeps anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Annotated

import msgspec

from flagcore.errors import SnapshotError
from flagcore.snapshot.delta import Identifier, Object, check_size
from flagcore.snapshot.limits import DEFAULT_LIMITS, Limits
from flagcore.snapshot.objects import OTHERS, ObjectKind, Snapshot, content_of, min_reader_of, objects_of, split_id
from flagcore.snapshot.state_hash import StateHash

__all__ = ["CHUNK_BYTES", "SMALLEST_CHUNK", "Assembly", "Piece", "cut"]

CHUNK_BYTES = 128 * 1024
SMALLEST_CHUNK = 16 * 1024  # twice the longest id and more
_OVERHEAD = 40  # of a piece beside id and data, at most
_ARRAY = 5  # of the array around the pieces, at most

Size = Annotated[int, msgspec.Meta(ge=0, le=2**40)]


class Piece(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A part of one object, or the whole. Fields are append-only."""

    id: Identifier
    min_reader: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
    size: Size  # of the whole object
    offset: Size  # of this piece in it
    data: bytes


_encoder = msgspec.msgpack.Encoder()
_pieces = msgspec.msgpack.Decoder(tuple[Piece, ...])


def cut(snapshot: Snapshot, chunk_bytes: int = CHUNK_BYTES, ids: Collection[str] | None = None) -> Iterator[bytes]:
    """Yield chunks of at most ``chunk_bytes`` with every object, or with those of ``ids`` that there are; at least one chunk.

    Raises:
        ValueError: chunks below ``SMALLEST_CHUNK``.
    """
    if chunk_bytes < SMALLEST_CHUNK:
        raise ValueError(f"a chunk has at least {SMALLEST_CHUNK} bytes, not {chunk_bytes}")
    found = objects_of(snapshot) if ids is None else _named(snapshot, ids)
    return _filled(sorted(found), chunk_bytes - _ARRAY)


def _named(snapshot: Snapshot, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    for identifier in ids:
        content = content_of(snapshot, identifier)
        if content is not None:
            yield identifier, content


def _filled(objects: Iterable[tuple[str, bytes]], room: int) -> Iterator[bytes]:
    pieces: list[Piece] = []
    left = room
    for identifier, content in objects:
        overhead, reader = _OVERHEAD + len(identifier.encode()), min_reader_of(identifier, content)
        offset = 0
        while not offset or offset < len(content):
            if left < min(overhead + len(content) - offset, room // 2):
                yield _encoder.encode(pieces)
                pieces, left = [], room
            data = content[offset : offset + left - overhead]
            pieces.append(Piece(identifier, reader, len(content), offset, data))
            left -= overhead + len(data)
            offset += len(data) or 1
    yield _encoder.encode(pieces)


class Assembly:
    """Objects put together from chunks that come in order. Holds no more than came, and never more than the limits allow.

    About 4 us an object, state hash included: a chunk of the usual size keeps other threads waiting for half a millisecond.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._parts: dict[str, dict[str, bytes]] = {kind: {} for kind in (*ObjectKind, OTHERS)}
        self._begun: Piece | None = None  # the first piece of an object whose last has not come yet
        self._data = bytearray()  # of that object
        self._state = StateHash()
        self.size = 0  # bytes of the objects that are complete, and of their ids

    def add(self, chunk: bytes) -> None:
        """Take the next chunk. After an error the assembly is of no use.

        Raises:
            SnapshotError: malformed bytes, pieces out of order, an object that comes twice or is too large.
        """
        if len(chunk) > self._limits.chunk:
            raise SnapshotError(f"a chunk has {len(chunk)} bytes, {self._limits.chunk} are allowed")
        try:
            pieces = _pieces.decode(chunk)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise SnapshotError(f"a chunk cannot be read: {error}") from None
        done: list[tuple[str, bytes]] = []
        for piece in pieces:
            content = piece.data
            if self._begun is not None or len(content) != piece.size or piece.offset:
                joined = self._join(piece)
                if joined is None:
                    continue
                content = joined
            self._take(piece.id, content)
            done.append((piece.id, content))
        self._state.add(done)

    def objects(self) -> tuple[Object, ...]:
        """Return all objects.

        Raises:
            SnapshotError: the last one is not complete.
        """
        whole = self.finish(0, 0)
        return tuple(Object(found, min_reader_of(found, content), content) for found, content in objects_of(whole))

    def finish(self, epoch: int, revision: int) -> Snapshot:
        """Return the snapshot of all objects, which the assembly then shares; raises as ``objects`` does."""
        if self._begun is not None:
            raise SnapshotError(f"{self._begun.id[:80]} is cut: {len(self._data)} of {self._begun.size} bytes came")
        return Snapshot(epoch, revision, *self._parts.values())

    @property
    def state_hash(self) -> bytes:
        """The state hash of the objects that are complete."""
        return self._state.value

    def _take(self, identifier: str, content: bytes) -> None:
        """Keep an object."""
        kind, name = split_id(identifier)
        part = self._parts[kind]
        if name in part or identifier[1] != "/":
            raise SnapshotError(f"{identifier[:80]} comes twice, or is no object's id")
        check_size(identifier, len(content), self._limits)
        self.size += len(content) + len(identifier)
        self._check_whole(0)
        part[name] = content

    def _join(self, piece: Piece) -> bytes | None:
        """Keep a piece of a larger object; returns the object's content when this was the last one."""
        begun = self._begun or piece
        if (piece.id, piece.size, piece.offset) != (begun.id, begun.size, len(self._data)):
            raise SnapshotError(f"a piece of {piece.id[:80]} comes twice or out of order")
        if not piece.data or len(self._data) + len(piece.data) > piece.size:
            raise SnapshotError(f"a piece of {piece.id[:80]} is empty, or longer than its object")
        check_size(piece.id, piece.size, self._limits)
        self._check_whole(len(self._data) + len(piece.data))
        self._data += piece.data
        if len(self._data) < piece.size:
            self._begun = begun
            return None
        content = bytes(self._data)
        self._begun, self._data = None, bytearray()
        return content

    def _check_whole(self, more: int) -> None:
        if self.size + more > self._limits.snapshot:
            raise SnapshotError(f"the objects have more than the {self._limits.snapshot} bytes that are allowed")
