"""The latest deltas of an environment, for clients that come back (docs/design/wire.md section 8)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from flagcore.distribution.position import Position
from flagcore.distribution.wire import Kind, Message

__all__ = ["Entry", "Ring", "entries"]

MOST_DELTAS = 4_096
MOST_BYTES = 8 << 20
MOST_PART_BYTES = 64 << 20


class Entry(msgspec.Struct, frozen=True):
    """One transaction as it is sent."""

    message: Message  # a delta, or a notice
    parts: tuple[Message, ...] = ()  # of a notice: the chunks of the objects that it names
    size: int = 0  # bytes of the delta
    part_size: int = 0  # bytes of the parts

    @classmethod
    def of(cls, message: Message, parts: tuple[Message, ...] = ()) -> Entry:
        """Return the entry of a delta, or of a notice and its parts."""
        return cls(message, parts, _size(message), sum(map(_size, parts)))

    @property
    def base(self) -> Position:
        """The revision that it leads on from."""
        return Position(self.message.header.epoch, self.message.header.base)

    @property
    def position(self) -> Position:
        """The revision that it leads to."""
        return Position(self.message.header.epoch, self.message.header.revision)


def entries(messages: Sequence[Message]) -> list[Entry]:
    """Return the transactions of messages in a row: each a delta, or a notice with the chunks of its objects behind it."""
    starts = [index for index, message in enumerate(messages) if message.kind is not Kind.SNAPSHOT]
    spans = pairwise([*starts, len(messages)])
    return [Entry.of(messages[start], tuple(messages[start + 1 : end])) for start, end in spans]


class Ring:
    """Transactions without a gap from ``floor`` to ``head``; the oldest fall out, the newest never does."""

    def __init__(
        self, most_deltas: int = MOST_DELTAS, most_bytes: int = MOST_BYTES, most_part_bytes: int = MOST_PART_BYTES
    ) -> None:
        self._limits = (most_deltas, most_bytes, most_part_bytes)
        self._entries: deque[Entry] = deque()
        self._size = self._part_size = 0
        self._floor: tuple[Position, bytes] | None = None  # where the first entry leads from, and the state hash there

    @property
    def head(self) -> Position | None:
        """Where the newest entry leads to; None before the first ``restart``."""
        if self._entries:
            return self._entries[-1].position
        return None if self._floor is None else self._floor[0]

    @property
    def floor(self) -> Position | None:
        """The oldest position from which deltas can be had."""
        return None if self._floor is None else self._floor[0]

    @property
    def state_hash(self) -> bytes | None:
        """The state hash at the head."""
        if self._entries:
            return self._entries[-1].message.header.state_hash
        return None if self._floor is None else self._floor[1]

    def restart(self, position: Position, state_hash: bytes) -> None:
        """Hold nothing, and go on from a position: what lay before cannot be had."""
        self._entries.clear()
        self._size = self._part_size = 0
        self._floor = (position, state_hash)

    def add(self, entry: Entry) -> None:
        """Append the transaction that follows on the head."""
        assert self.head == entry.base, "transactions come without a gap"
        self._entries.append(entry)
        self._size += entry.size
        self._part_size += entry.part_size
        most_deltas, most_bytes, most_part_bytes = self._limits
        while len(self._entries) > 1 and (
            len(self._entries) > most_deltas or self._size > most_bytes or self._part_size > most_part_bytes
        ):
            self._drop_oldest()

    def after(self, position: Position) -> Entry | None:
        """Return the transaction that leads on from a position; None at the head, before the floor, or elsewhere."""
        index = self._index(position)
        return self._entries[index] if index is not None and index < len(self._entries) else None

    def hash_at(self, position: Position) -> bytes | None:
        """Return the state hash at a position; None where the ring does not reach."""
        index = self._index(position)
        if index is None or self._floor is None:
            return None
        return self._entries[index - 1].message.header.state_hash if index else self._floor[1]

    def _index(self, position: Position) -> int | None:
        """Return which entry leads on from a position: the number of entries for the head."""
        floor = self.floor
        if floor is None or position.epoch != floor.epoch:
            return None
        low, high = 0, len(self._entries)
        while low < high:  # revisions rise, but transactions of a store may skip some
            middle = (low + high) // 2
            if self._entries[middle].message.header.base < position.revision:
                low = middle + 1
            else:
                high = middle
        leads_from = self._entries[low].message.header.base if low < len(self._entries) else self._head_revision()
        return low if leads_from == position.revision else None

    def _head_revision(self) -> int:
        head = self.head
        return -1 if head is None else head.revision

    def _drop_oldest(self) -> None:
        oldest = self._entries.popleft()
        self._size -= oldest.size
        self._part_size -= oldest.part_size
        self._floor = (oldest.position, oldest.message.header.state_hash)


def _size(message: Message) -> int:
    return sum(map(len, message.frames))
