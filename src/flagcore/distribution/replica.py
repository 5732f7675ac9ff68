"""What a client holds of the record, and by which rules it moves: forwards only, whole transactions only.

Whatever cannot be read or does not lead to the state that its header promises leaves everything as it was.
"""

from __future__ import annotations

from enum import Enum

from flagcore.distribution.position import NOWHERE, Position
from flagcore.distribution.wire import Header
from flagcore.errors import SnapshotError
from flagcore.snapshot.delta import Delta, applied
from flagcore.snapshot.objects import Snapshot
from flagcore.snapshot.state_hash import StateHash

__all__ = ["DivergedError", "Replica", "Standing"]


class DivergedError(SnapshotError):
    """A delta would not lead to the state that its header promises: what is held is not what the record holds."""


class Standing(Enum):
    """How a message stands to what is held."""

    OLD_EPOCH = "old_epoch"  # of a history that is over
    SEEN = "seen"  # applied already
    NEXT = "next"  # follows directly
    AHEAD = "ahead"  # something between is missing


class Replica:
    """The state of one environment as far as it is known here."""

    __slots__ = ("_hash", "floor", "snapshot", "whole_needed")

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.floor = NOWHERE  # nothing below is ever taken
        self.whole_needed = False  # what is held cannot be built upon: only a whole snapshot helps
        self._hash = StateHash()

    @property
    def position(self) -> Position:
        """The revision that is held."""
        held = self.snapshot
        return NOWHERE if held is None else Position(held.epoch, held.revision)

    @property
    def state_hash(self) -> bytes:
        """The hash of what is held, 32 bytes."""
        return self._hash.value

    def standing(self, header: Header) -> Standing:
        """Return how a delta or notice stands to what is held."""
        position = self.position
        if header.epoch < max(position.epoch, self.floor.epoch):
            return Standing.OLD_EPOCH
        if (header.epoch, header.revision) <= position:
            return Standing.SEEN
        follows = self.snapshot is not None and not self.whole_needed and (header.epoch, header.base) == position
        return Standing.NEXT if follows else Standing.AHEAD

    def takes_whole(self, position: Position) -> bool:
        """Return whether a whole snapshot of ``position`` would lead forwards."""
        if position < self.floor or position < self.position:
            return False
        return position > self.position or self.whole_needed or self.snapshot is None

    def follow(self, header: Header, delta: Delta) -> Snapshot:
        """Apply a delta that is next; returns the new state.

        Raises:
            DivergedError: it would not lead to the state hash of its header; nothing was changed.
            SnapshotError: it contradicts its header; nothing was changed.
        """
        if (delta.epoch, delta.base, delta.revision) != (header.epoch, header.base, header.revision):
            raise SnapshotError("a delta contradicts its header")
        held = self.snapshot
        if held is None:
            raise SnapshotError("a delta needs a state to be applied to")
        state = self._hash.after(held, delta)
        if state.value != header.state_hash:
            raise DivergedError(f"the delta to {header.epoch}/{header.revision} does not lead to its state")
        self.snapshot, self._hash = applied(held, delta), state
        return self.snapshot

    def replace(self, snapshot: Snapshot, state_hash: bytes) -> None:
        """Hold a whole snapshot from here on."""
        self.snapshot, self._hash = snapshot, StateHash(state_hash)
        self.whole_needed = False
        self.floor = max(self.floor, self.position)

    def close_epoch(self, epoch: int) -> None:
        """Take nothing of this epoch, or one before it, any more; what is held is still served."""
        self.floor = max(self.floor, Position(epoch + 1, 0))
