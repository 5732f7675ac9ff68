"""From the moment a change is handed to the publisher until the last subscriber has it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.distribution.receivers import Notes, Receivers

__all__ = ["latencies", "summary"]

WARMING = 5  # changes that are not counted
SETTLE_SECONDS = 1.0


def latencies(receivers: Receivers, publish: Callable[[int], int], changes: int, pause: float) -> list[float]:
    """Publish so many changes, ``pause`` seconds apart; return for each the microseconds until the last subscriber had it.

    ``publish(revision)`` returns the monotonic nanoseconds at which the change was handed over.

    Raises:
        RuntimeError: a subscriber missed a change.
    """
    handed = {}
    for revision in range(2, changes + WARMING + 2):
        handed[revision] = publish(revision)
        time.sleep(pause)
    time.sleep(SETTLE_SECONDS)
    notes = receivers.report()
    return [_last(notes, revision) / 1000 - handed[revision] / 1000 for revision in sorted(handed)[WARMING:]]


def _last(notes: Sequence[Notes], revision: int) -> int:
    missing = sum(revision not in some for some in notes)
    if missing:
        raise RuntimeError(f"{missing} of {len(notes)} subscribers missed revision {revision}")
    return max(some[revision] for some in notes)


def summary(found: Sequence[float]) -> dict[str, Any]:
    """Return median and p99 in microseconds."""
    ordered = sorted(found)
    return {
        "p50": round(statistics.median(ordered), 1),
        "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 1),
        "changes": len(ordered),
    }
