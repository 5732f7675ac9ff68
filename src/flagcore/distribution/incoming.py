"""Chunks of an answer to HELLO being put together: a whole snapshot, or the objects that a notice named."""

from __future__ import annotations

from flagcore.distribution.control import Begin
from flagcore.distribution.position import Position
from flagcore.distribution.wire import Header, Message
from flagcore.errors import SnapshotError
from flagcore.snapshot.chunks import Assembly
from flagcore.snapshot.delta import Delta, Notice, decode_notice
from flagcore.snapshot.limits import Limits
from flagcore.snapshot.objects import Snapshot

__all__ = ["Incoming"]


class Incoming:
    """Takes chunks in their order. ``Begin`` is not signed, so each chunk's own header is held against it."""

    def __init__(self, begin: Begin, notice: Message | None, limits: Limits, keep: bool = False) -> None:
        """Begin to take what was announced; ``notice`` is the one whose objects come, None for a whole snapshot.

        With ``keep`` the chunks stay in ``messages``.

        Raises:
            SnapshotError: more is announced than the limits allow, or the notice cannot be read.
            WireError: the notice's body cannot be decompressed.
        """
        if begin.raw_length > limits.snapshot or not 0 < begin.chunk_count <= begin.raw_length:
            raise SnapshotError(f"{begin.raw_length} bytes in {begin.chunk_count} chunks are announced")
        self.position = Position(begin.epoch, begin.revision)
        self.notice = notice
        self.messages: list[Message] = []
        self._keep = keep
        self._base = 0 if notice is None else notice.header.base
        self._read: Notice | None = None if notice is None else decode_notice(notice.raw(), limits)
        self._count, self._next = begin.chunk_count, 0
        self._assembly = Assembly(limits)

    def add(self, message: Message) -> bool:
        """Take the next chunk; returns whether it was the last. One that came already is passed over.

        Raises:
            SnapshotError: it belongs to something else, is out of order or malformed.
            WireError: its body cannot be decompressed.
        """
        header = message.header
        if (header.epoch, header.revision, header.base, header.chunk_count) != (
            *self.position,
            self._base,
            self._count,
        ):
            raise SnapshotError("a chunk of something else")
        if header.chunk_index < self._next:
            return False
        if header.chunk_index > self._next:
            raise SnapshotError(f"chunk {header.chunk_index} came where {self._next} was due")
        self._assembly.add(message.raw())
        if self._keep:
            self.messages.append(message)
        self._next += 1
        return self._next == self._count

    def snapshot(self, header: Header) -> tuple[Snapshot, bytes]:
        """Return the whole snapshot and its state hash.

        Raises:
            SnapshotError: it is not complete, or not the state that the chunks' headers promise.
        """
        snapshot = self._assembly.finish(*self.position)
        if self._assembly.state_hash != header.state_hash:
            raise SnapshotError(f"the snapshot of {self.position} is not the state that its header promises")
        return snapshot, header.state_hash

    def delta(self) -> Delta:
        """Return the transaction that the notice announced.

        Raises:
            SnapshotError: the last object is not complete.
        """
        assert self._read is not None
        read = self._read
        return Delta(read.epoch, read.base, read.revision, self._assembly.objects(), read.deletes, urgent=read.urgent)
