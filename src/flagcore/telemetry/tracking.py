"""Tracking events: named actions of subjects, recorded to judge an outcome later."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

__all__ = ["TrackingEvent", "TrackingQueue"]


class TrackingEvent(msgspec.Struct, frozen=True):
    """One recorded action. ``details`` may hold ``value``, a finite number, and anything else that is plain data."""

    name: str
    context: object  # of a mapping a copy, anything else as the caller passed it
    details: Mapping[str, Any]  # a copy
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
        """Queue an event and return it.

        Raises:
            TypeError, ValueError: the name is no text or empty, the details are no mapping, or their ``value`` is not a
                finite number. Whatever reading the mappings raises.
        """
        _check_name(name)
        kept = dict(context) if isinstance(context, Mapping) else context
        event = TrackingEvent(name, kept, _details(details), time.time_ns() // 1000)
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


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"the name of a tracking event is a string, not {type(name).__name__}")
    if not name:
        raise ValueError("the name of a tracking event is empty")


def _details(details: object) -> dict[str, Any]:
    """Return a copy of the details, once their value is known to be fit for sums."""
    if details is None:
        return {}
    if not isinstance(details, Mapping):
        raise TypeError(f"the details of a tracking event are a mapping, not {type(details).__name__}")
    copy = dict(details)
    value = copy.get("value", 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"the value of a tracking event is a number, not {type(value).__name__}")
    if not _is_finite(value):
        raise ValueError("the value of a tracking event is a finite number within the range of floats")
    return copy


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the range of floats
        return False
