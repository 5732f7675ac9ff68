"""What a run of publishers and clients leaves behind for the validator: events, one JSON line each.

Whoever runs real or virtual processes records with ``Recorder``; ``validator`` reads nothing else. Times are seconds of one
monotonic clock; revisions are written as ``[epoch, revision]``, hashes as hex.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import msgspec

Position: TypeAlias = tuple[int, int]


class _Event(msgspec.Struct, frozen=True, tag_field="event", tag=str.lower):
    at: float


class Committed(_Event, frozen=True):
    """The record holds one revision more: what everything is judged by."""

    position: Position
    base: Position | None  # None: the first of an epoch
    state_hash: str


class Started(_Event, frozen=True):
    """A client process came up; from here on it is a new one, even under an old name."""

    client: str
    restored: Position | None = None  # what it had on disk
    floor: Position = (0, 0)  # below which nothing may be restored
    state_hash: str = ""  # of what was restored


class Stopped(_Event, frozen=True):
    """A client process ended; ``leave`` when it said so to the server."""

    client: str
    leave: bool


class Applied(_Event, frozen=True):
    """A client serves a revision from here on."""

    client: str
    position: Position
    base: Position | None  # None: came as a whole snapshot
    state_hash: str


class Confirmed(_Event, frozen=True):
    """A bookmark told a client that it has everything up to here."""

    client: str
    position: Position
    state_hash: str


class Served(_Event, frozen=True):
    """A reader looked: all that it saw together had this state hash."""

    client: str
    state_hash: str


class Status(_Event, frozen=True):
    """What a client said of itself."""

    client: str
    status: str


class Answered(_Event, frozen=True):
    """A server began to answer a HELLO: from ``ring_floor`` to ``head`` it has deltas."""

    server: str
    client: str
    position: Position
    state_hash: str
    ring_floor: Position
    head: Position
    whole: bool  # by a whole snapshot


class Receipted(_Event, frozen=True):
    """A receipt that was asked for when the ``connected`` were connected is over."""

    position: Position
    connected: tuple[str, ...]
    complete: bool


class Healed(_Event, frozen=True):
    """No fault from here on; everybody must agree with the record within so many seconds."""

    within: float


class Ended(_Event, frozen=True):
    """The run is over; nothing was committed since it healed."""

    clients: tuple[str, ...]  # who is up


class Bounds(_Event, frozen=True):
    """How late news may be while a client is READY: 3 s, the delays of the way, and of the publisher's look at the record."""

    ready_within: float


Event: TypeAlias = (
    Committed
    | Started
    | Stopped
    | Applied
    | Confirmed
    | Served
    | Status
    | Answered
    | Receipted
    | Healed
    | Ended
    | Bounds
)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)


class Recorder:
    """Events in the order in which they happened. ``list.append`` is safe from several threads."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, event: Event) -> None:
        """Record one event."""
        self.events.append(event)

    def write(self, path: Path) -> None:
        """Write JSON lines."""
        path.write_bytes(b"".join(_encoder.encode(event) + b"\n" for event in self.events))


def read(path: Path) -> list[Event]:
    """Return the events of a file of JSON lines."""
    return [_decoder.decode(line) for line in path.read_bytes().splitlines()]


def in_order(events: Iterable[Event]) -> list[Event]:
    """Return events of several recorders by time; those of the same time stay as they came."""
    return sorted(events, key=lambda event: event.at)
