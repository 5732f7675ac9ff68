"""The one judge of recorded histories: G1 to G8, G15 and G16 of docs/design/wire.md section 1.

It knows the record and what clients did, nothing of how: the same function judges virtual and real runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.distribution.history import (
    Answered,
    Applied,
    Bounds,
    Committed,
    Confirmed,
    Ended,
    Event,
    Healed,
    Position,
    Receipted,
    Served,
    Started,
    Status,
    Stopped,
)


@dataclass(frozen=True)
class Break:
    """One guarantee that did not hold."""

    guarantee: str
    at: float
    text: str

    def __str__(self) -> str:
        return f"{self.guarantee} at {self.at:.3f} s: {self.text}"


@dataclass
class _Client:
    """A client process as far as the history has told."""

    position: Position | None = None
    state_hash: str = ""
    confirmed: float | None = None
    agreed: float | None = None  # since when it has served the newest revision, after healing
    left: float | None = None


@dataclass
class _Record:
    """What was committed, and when."""

    hashes: dict[Position, str] = field(default_factory=dict)
    order: list[tuple[float, Position]] = field(default_factory=list)

    def head_at(self, at: float) -> Position | None:
        for committed, position in reversed(self.order):
            if committed <= at:
                return position
        return None


class Validator:
    """Reads a history event by event; ``breaks`` holds what did not hold."""

    def __init__(self) -> None:
        self.breaks: list[Break] = []
        self._record = _Record()
        self._clients: dict[str, _Client] = {}
        self._applied: dict[str, list[tuple[float, Position]]] = {}
        self._ready_within: float | None = None
        self._healed: Healed | None = None

    def read(self, event: Event) -> None:
        """Take the next event."""
        getattr(self, f"_on_{type(event).__name__.lower()}")(event)

    def _break(self, guarantee: str, event: Event, text: str) -> None:
        self.breaks.append(Break(guarantee, event.at, text))

    # -- the record -------------------------------------------------------------------------------------------------

    def _on_committed(self, event: Committed) -> None:
        head = self._record.order[-1][1] if self._record.order else None
        assert head is None or event.position > head, "a record only grows; this history is none"
        self._record.hashes[event.position] = event.state_hash
        self._record.order.append((event.at, event.position))

    def _on_bounds(self, event: Bounds) -> None:
        self._ready_within = event.ready_within

    # -- clients ----------------------------------------------------------------------------------------------------

    def _on_started(self, event: Started) -> None:
        client = self._clients[event.client] = _Client()
        if event.restored is None:
            return
        if event.restored < event.floor:
            self._break("G8", event, f"{event.client} restored {event.restored}, below the floor {event.floor}")
        client.position = event.restored
        client.state_hash = event.state_hash

    def _on_stopped(self, event: Stopped) -> None:
        if event.leave:
            self._clients[event.client].left = event.at

    def _on_applied(self, event: Applied) -> None:
        client = self._clients[event.client]
        before = client.position
        self._check_step(event, before)
        expected = self._record.hashes.get(event.position)
        if expected is None:
            self._break("G9", event, f"{event.client} applied {event.position}, which was never committed")
        elif event.state_hash != expected:
            self._break("G4", event, f"{event.client} holds another state at {event.position} than the record")
        client.position, client.state_hash = event.position, event.state_hash
        self._applied.setdefault(event.client, []).append((event.at, event.position))
        self._note_agreement(client, event.at)

    def _check_step(self, event: Applied, before: Position | None) -> None:
        """A delta leads on from what is held; a whole snapshot leads forwards."""
        name, position = event.client, event.position
        if before is not None and position < before:
            guarantee = "G8" if event.base is None or position[0] < before[0] else "G1"
            self._break(guarantee, event, f"{name} went back from {before} to {position}")
        elif (
            before is not None
            and position == before
            and self._record.hashes.get(before) == self._clients[name].state_hash
        ):
            self._break("G2", event, f"{name} applied {position} twice")
        elif event.base is not None and event.base != before:
            self._break("G3", event, f"{name} applied the delta {event.base} to {position} while it held {before}")

    def _on_confirmed(self, event: Confirmed) -> None:
        client = self._clients[event.client]
        client.confirmed = event.at
        if event.position != client.position:
            self._break(
                "G6", event, f"{event.client} took a bookmark of {event.position} while it held {client.position}"
            )
        elif not event.state_hash == client.state_hash == self._record.hashes.get(event.position):
            self._break("G6", event, f"{event.client} took a bookmark of {event.position} with another state")

    def _on_served(self, event: Served) -> None:
        client = self._clients[event.client]
        if client.position is not None and event.state_hash != client.state_hash:
            self._break("G4", event, f"a reader of {event.client} saw what is no state of {client.position}")

    def _on_status(self, event: Status) -> None:
        client = self._clients[event.client]
        if event.status in ("READY", "STALE") and client.position is None:
            self._break("G15", event, f"{event.client} is {event.status} without data")
        if event.status == "NOT_READY" and client.position is not None and client.left is None:
            self._break("G15", event, f"{event.client} is NOT_READY with data")
        if event.status != "READY" or client.position is None:
            return
        if client.confirmed is None or event.at - client.confirmed > 3.0 + 1e-6:
            self._break("G15", event, f"{event.client} is READY, last confirmed at {client.confirmed}")
        if self._ready_within is not None:
            due = self._record.head_at(event.at - self._ready_within)
            if due is not None and client.position < due:
                self._break("G15", event, f"{event.client} is READY at {client.position} long after {due}")

    # -- servers ----------------------------------------------------------------------------------------------------

    def _on_answered(self, event: Answered) -> None:
        inside = event.ring_floor <= event.position <= event.head and event.ring_floor[0] == event.position[0]
        same = self._record.hashes.get(event.position) == event.state_hash
        if inside and same and event.whole:
            self._break(
                "G5", event, f"{event.server} sent {event.client} a snapshot, though its ring holds {event.position}"
            )

    def _on_receipted(self, event: Receipted) -> None:
        if not event.complete:
            return
        for name in event.connected:
            applied = any(position >= event.position for _, position in self._applied.get(name, ()))
            if not applied and self._clients[name].left is None:
                self._break("G16", event, f"the receipt of {event.position} is complete without {name}")

    # -- the end ----------------------------------------------------------------------------------------------------

    def _on_healed(self, event: Healed) -> None:
        self._healed = event
        for client in self._clients.values():
            client.agreed = None
            self._note_agreement(client, event.at)

    def _note_agreement(self, client: _Client, at: float) -> None:
        head = self._record.order[-1][1] if self._record.order else None
        if self._healed is not None and client.agreed is None and client.position == head:
            client.agreed = at

    def _on_ended(self, event: Ended) -> None:
        healed = self._healed
        if healed is None:
            return
        for name in event.clients:
            agreed = self._clients[name].agreed
            if agreed is None or agreed - healed.at > healed.within:
                self._break(
                    "G7", event, f"{name} holds {self._clients[name].position}: not the record's newest in time"
                )


def breaks_of(events: Iterable[Event]) -> Iterator[Break]:
    """Yield what did not hold in a history."""
    validator = Validator()
    for event in events:
        validator.read(event)
    yield from validator.breaks
