"""What a socket's monitor tells about its connections (zmq_socket_monitor). pyzmq's own reader would load asyncio."""

from __future__ import annotations

import struct
from contextlib import suppress

import zmq

__all__ = ["events_of"]

_EVENT = struct.Struct("=Hi")


def events_of(monitor: zmq.Socket[bytes]) -> list[tuple[int, int]]:
    """Return what has happened since the last question: event and value, such as a file descriptor."""
    found: list[tuple[int, int]] = []
    with suppress(zmq.Again):
        while True:
            found.append(_EVENT.unpack(monitor.recv_multipart(zmq.NOBLOCK)[0]))
    return found
