"""Which connection belongs to whom, so that those of a revoked key can be cut: libzmq has no call for that."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from contextlib import suppress

__all__ = ["Connections"]


class Connections:
    """File descriptors of live connections by user, as libzmq names them (``ZMQ_SRCFD`` and the socket's monitor)."""

    def __init__(self) -> None:
        self._users: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._users)

    def add(self, descriptor: int, user: str) -> None:
        """Note whose connection it is."""
        self._users[descriptor] = user

    def remove(self, descriptor: int) -> None:
        """Forget a connection that is gone."""
        self._users.pop(descriptor, None)

    def cut(self, user: str, endpoints: Iterable[str]) -> int:
        """Shut the user's connections to ``endpoints`` down; libzmq sees them end. Returns how many.

        A descriptor may have been closed and taken by something else meanwhile: only a connection to one of our own
        addresses is shut, and should it be another client's, that one connects again.
        """
        places = {_place(endpoint) for endpoint in endpoints}
        mine = [descriptor for descriptor, owner in self._users.items() if owner == user]
        return sum(_shut_down(descriptor, places) for descriptor in mine)


def _place(endpoint: str) -> str:
    """Return the part of an address that a connection's own end shows: port or path."""
    return endpoint.rpartition(":")[2] if endpoint.startswith("tcp://") else endpoint.removeprefix("ipc://")


def _shut_down(descriptor: int, places: set[str]) -> bool:
    try:
        copy = os.dup(descriptor)  # from here on nobody can put something else in its place
    except OSError:
        return False
    try:
        connection = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        return False
    with connection, suppress(OSError):
        name = connection.getsockname()
        if (str(name[1]) if isinstance(name, tuple) else name) in places:
            connection.shutdown(socket.SHUT_RDWR)
            return True
    return False
