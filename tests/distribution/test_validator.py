"""The validator judges: histories that break one guarantee each, and one that breaks none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.distribution.history import (
    Answered,
    Applied,
    Bounds,
    Committed,
    Confirmed,
    Ended,
    Event,
    Healed,
    Receipted,
    Recorder,
    Served,
    Started,
    Status,
    Stopped,
    read,
)
from tests.distribution.validator import breaks_of

RECORD: list[Event] = [
    Committed(0.0, (1, 1), None, "h1"),
    Committed(1.0, (1, 2), (1, 1), "h2"),
    Committed(2.0, (1, 3), (1, 2), "h3"),
]
START = Started(3.0, "c")
FIRST = Applied(3.1, "c", (1, 1), None, "h1")
SECOND = Applied(3.2, "c", (1, 2), (1, 1), "h2")
THIRD = Applied(3.3, "c", (1, 3), (1, 2), "h3")

SOUND: list[Event] = [
    Bounds(0.0, 4.0),
    *RECORD,
    START,
    Status(3.0, "c", "NOT_READY"),
    Answered(3.05, "s", "c", (0, 0), "00", (1, 1), (1, 3), True),
    FIRST,
    Status(3.1, "c", "STALE"),
    SECOND,
    Served(3.25, "c", "h2"),
    THIRD,
    Confirmed(3.4, "c", (1, 3), "h3"),
    Status(3.4, "c", "READY"),
    Receipted(3.5, (1, 3), ("c",), True),
    Answered(3.6, "s", "c", (1, 2), "h2", (1, 1), (1, 3), False),
    Healed(4.0, 10.0),
    Ended(5.0, ("c",)),
    Stopped(6.0, "c", True),
]

BROKEN: dict[str, tuple[str, list[Event]]] = {
    "a delta goes back": ("G1", [START, FIRST, SECOND, THIRD, Applied(4.0, "c", (1, 2), (1, 1), "h2")]),
    "a delta twice": ("G2", [START, FIRST, SECOND, Applied(4.0, "c", (1, 2), (1, 1), "h2")]),
    "a snapshot twice": ("G2", [START, FIRST, Applied(4.0, "c", (1, 1), None, "h1")]),
    "a delta is skipped": ("G3", [START, FIRST, Applied(4.0, "c", (1, 3), (1, 2), "h3")]),
    "a delta without data": ("G3", [START, SECOND]),
    "half a transaction is applied": ("G4", [START, Applied(4.0, "c", (1, 2), None, "half")]),
    "half a transaction is seen": ("G4", [START, FIRST, Served(4.0, "c", "half")]),
    "a snapshot inside the ring": ("G5", [START, Answered(4.0, "s", "c", (1, 2), "h2", (1, 1), (1, 3), True)]),
    "a bookmark of something else": ("G6", [START, FIRST, Confirmed(4.0, "c", (1, 2), "h2")]),
    "a bookmark of another state": ("G6", [START, FIRST, Confirmed(4.0, "c", (1, 1), "h2")]),
    "never agrees": ("G7", [START, FIRST, Healed(4.0, 1.0), Ended(9.0, ("c",))]),
    "agrees too late": ("G7", [START, FIRST, SECOND, Healed(4.0, 1.0), Applied(6.0, "c", (1, 3), None, "h3"), Ended(9.0, ("c",))]),
    "an old snapshot": ("G8", [START, FIRST, SECOND, Applied(4.0, "c", (1, 1), None, "h1")]),
    "an old file": ("G8", [Started(3.0, "c", (1, 1), (1, 2), "h1")]),
    "an old snapshot after an old file": ("G8", [Started(3.0, "c", (1, 2), (0, 0), "h2"), Applied(4.0, "c", (1, 1), None, "h1")]),
    "what was never committed": ("G9", [START, Applied(4.0, "c", (1, 9), None, "h9")]),
    "READY without a bookmark": ("G15", [START, FIRST, Status(4.0, "c", "READY")]),
    "READY for too long": ("G15", [START, FIRST, Confirmed(4.0, "c", (1, 1), "h1"), Status(7.1, "c", "READY")]),
    "READY with old data": (
        "G15",
        [Bounds(3.0, 1.0), START, FIRST, Confirmed(3.9, "c", (1, 1), "h1"), Status(4.0, "c", "READY")],
    ),
    "READY without data": ("G15", [START, Status(4.0, "c", "READY")]),
    "NOT_READY with data": ("G15", [START, FIRST, Status(4.0, "c", "NOT_READY")]),
    "a receipt without a client": ("G16", [START, FIRST, Receipted(4.0, (1, 2), ("c",), True)]),
    "a receipt without one that crashed": ("G16", [START, FIRST, Stopped(3.5, "c", False), Receipted(4.0, (1, 2), ("c",), True)]),
}  # fmt: skip


def test_a_sound_history_breaks_nothing():
    """What keeps all guarantees is not accused of anything."""
    assert list(breaks_of(SOUND)) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_history_is_found(name: str):
    """A history that breaks a guarantee is found, and the guarantee named."""
    guarantee, events = BROKEN[name]
    assert guarantee in {found.guarantee for found in breaks_of([*RECORD, *events])}


def test_repairs_are_no_breaks():
    """A state that is not the record's may be replaced by the right one of the same revision."""
    restored = Started(3.0, "c", (1, 2), (0, 0), "wrong")
    assert list(breaks_of([*RECORD, restored, Applied(4.0, "c", (1, 2), None, "h2")])) == []


def test_who_takes_leave_is_not_missed():
    """A receipt may be complete without a client that said goodbye."""
    events = [START, FIRST, Stopped(3.5, "c", True), Receipted(4.0, (1, 2), ("c",), True)]
    assert list(breaks_of([*RECORD, *events])) == []


def test_histories_are_files(tmp_path: Path):
    """A recorded history is read again as it was written."""
    recorder = Recorder()
    for event in SOUND:
        recorder.add(event)
    recorder.write(tmp_path / "history.jsonl")
    assert read(tmp_path / "history.jsonl") == SOUND
