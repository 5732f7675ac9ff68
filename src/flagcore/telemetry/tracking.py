"""Tracking events: named actions of subjects, recorded to judge an outcome later."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

__all__ = ["TrackingEvent", "TrackingQueue"]


class TrackingEvent(msgspec.Struct, frozen=True):
    """One recorded action. ``details`` may hold ``value``, a number, and anything else that is plain data."""

    name: str
    context: object  # as the caller passed it
    details: Mapping[str, Any]
    time: int  # microseconds since 1970 UTC


class TrackingQueue:
    """A bounded queue of tracking events in this process: when it is full the oldest go, and are counted.

    ``hook`` sees each event when it is recorded, in the recording thread; what it raises is the recorder's to log.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self.hook: Callable[[TrackingEvent], None] | None = None
        self.dropped = 0
        self._events: deque[TrackingEvent] = deque(maxlen=limit)

    def __len__(self) -> int:
        return len(self._events)

    def record(self, name: str, context: object = None, details: Mapping[str, Any] | None = None) -> TrackingEvent:
        """Queue an event and return it."""
        event = TrackingEvent(name, context, dict(details or {}), time.time_ns() // 1000)
        self.dropped += len(self._events) == self._events.maxlen
        self._events.append(event)
        return event

    def drain(self) -> list[TrackingEvent]:
        """Return the queued events, oldest first, and forget them."""
        drained: list[TrackingEvent] = []
        while self._events:
            try:
                drained.append(self._events.popleft())
            except IndexError:  # another thread drained the rest
                break
        return drained
