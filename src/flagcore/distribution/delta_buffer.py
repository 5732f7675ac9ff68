"""Deltas that cannot be applied yet, kept while a client catches up (docs/design/wire.md section 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagcore.distribution.position import Position

if TYPE_CHECKING:
    from flagcore.distribution.wire import Message

__all__ = ["DeltaBuffer"]

MOST_DELTAS = 1_000
MOST_BYTES = 4 << 20


class DeltaBuffer:
    """Verified deltas by the position that they are applied to. One too many empties it: the server has them all."""

    __slots__ = ("_bytes", "_most_bytes", "_most_deltas", "_waiting")

    def __init__(self, most_deltas: int = MOST_DELTAS, most_bytes: int = MOST_BYTES) -> None:
        self._waiting: dict[Position, Message] = {}
        self._bytes = 0
        self._most_deltas, self._most_bytes = most_deltas, most_bytes

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, message: Message) -> bool:
        """Keep a delta; returns False when there were too many, and all are dropped."""
        base = Position(message.header.epoch, message.header.base)
        self._discard(self._waiting.pop(base, None))
        self._waiting[base] = message
        self._bytes += len(message.frames[2])
        if len(self._waiting) <= self._most_deltas and self._bytes <= self._most_bytes:
            return True
        self.clear()
        return False

    def take(self, position: Position) -> Message | None:
        """Return the delta that follows on a position, or None; what lies before it is dropped."""
        for old in [base for base in self._waiting if base < position]:
            self._discard(self._waiting.pop(old))
        found = self._waiting.pop(position, None)
        self._discard(found)
        return found

    def clear(self) -> None:
        """Drop all."""
        self._waiting.clear()
        self._bytes = 0

    def _discard(self, message: Message | None) -> None:
        if message is not None:
            self._bytes -= len(message.frames[2])
