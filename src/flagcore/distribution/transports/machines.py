"""What a transport drives: machines that get bytes and the time in monotonic seconds, and return what is to be done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from flagcore.distribution.actions import Action

__all__ = ["ClientMachine", "ServerMachine"]


class ClientMachine(Protocol):
    """What decides for one client (docs/design/wire.md section 5)."""

    @property
    def deadline(self) -> float | None:
        """When ``tick`` is due; None for never."""
        ...

    def start(self, now: float) -> Iterable[Action]:
        """Begin, or begin anew with fresh sockets."""
        ...

    def connected(self, now: float) -> Iterable[Action]:
        """Both sockets have shaken hands with the server."""
        ...

    def disconnected(self, now: float) -> Iterable[Action]:
        """One of them was lost; the transport tries by itself to come back."""
        ...

    def refused(self, now: float) -> Iterable[Action]:
        """The server does not know our key."""
        ...

    def received_sub(self, frames: Sequence[bytes], now: float) -> Iterable[Action]:
        """A message for everybody has come."""
        ...

    def received_dealer(self, frames: Sequence[bytes], now: float) -> Iterable[Action]:
        """A message for this client has come."""
        ...

    def tick(self, now: float) -> Iterable[Action]:
        """The deadline has come."""
        ...

    def close(self, now: float) -> Iterable[Action]:
        """Say good-bye."""
        ...


class ServerMachine(Protocol):
    """What decides for one environment (docs/design/wire.md sections 4 and 8)."""

    @property
    def deadline(self) -> float | None:
        """When ``tick`` is due; None for never."""
        ...

    def subscribed(self, now: float) -> Iterable[Action]:
        """Somebody's subscription was admitted."""
        ...

    def received(self, identity: bytes, frame: bytes, now: float) -> Iterable[Action]:
        """A frame of an admitted client has come."""
        ...

    def gone(self, identity: bytes, now: float) -> Iterable[Action]:
        """A client is there no more."""
        ...

    def disconnected(self, now: float) -> Iterable[Action]:
        """Some connection was lost; whose, is not known."""
        ...

    def tick(self, now: float) -> Iterable[Action]:
        """The deadline has come."""
        ...
