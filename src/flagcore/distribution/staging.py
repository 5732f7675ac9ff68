"""A whole snapshot that came, being led forwards until it may be served.

A server sends the snapshot that it has cut, which may be older than what the client holds already, and the deltas that lead
on from it. Nobody may be served what is older than before (docs/design/wire.md section 1, G8): so it grows aside.
"""

from __future__ import annotations

from flagcore.distribution.position import Position
from flagcore.distribution.replica import Replica, Standing
from flagcore.distribution.wire import Header, Message
from flagcore.snapshot.delta import Delta
from flagcore.snapshot.objects import Snapshot

__all__ = ["Staging"]


class Staging:
    """A state aside, and the messages that made it, for relays to hand on."""

    __slots__ = ("_replica", "messages")

    def __init__(self, snapshot: Snapshot, state_hash: bytes, messages: list[Message]) -> None:
        self._replica = Replica()
        self._replica.replace(snapshot, state_hash)
        self.messages = messages

    @property
    def position(self) -> Position:
        """How far it has come."""
        return self._replica.position

    def is_next(self, header: Header) -> bool:
        """Return whether a delta or notice follows directly."""
        return self._replica.standing(header) is Standing.NEXT

    def follow(self, header: Header, delta: Delta, messages: list[Message]) -> None:
        """Apply a delta that is next, which ``messages`` brought; raises as ``Replica.follow`` does."""
        self._replica.follow(header, delta)
        self.messages += messages

    def lift(self, replica: Replica) -> Snapshot | None:
        """Let ``replica`` hold this state, where that leads forwards; returns what it holds then, or None."""
        snapshot = self._replica.snapshot
        if snapshot is None or not replica.takes_whole(self.position):
            return None
        replica.replace(snapshot, self._replica.state_hash)
        return snapshot
