"""Counts of evaluations on their way to whoever publishes the flags: windows, batches, resending. No socket, thread or clock.

Counts stay with the programs until a window ends *and* the batches of the window before have
arrived; so a process that cannot reach the publisher gathers no batches, its window gets longer. Resent batches keep
their number: whoever takes them counts each once (``CountsLedger``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

__all__ = ["CountsBatch", "CountsLimits", "CountsRow", "CountsShipper"]

CountsRow = tuple[str, str | None, str | None, str, int]
"""Flag key, variant, rule id, reason, evaluations."""

Counts = Mapping[str, Mapping[tuple[str | None, str | None, str], int]]
"""Flag key -> (variant, rule id, reason) -> evaluations, as ``Engine.counters`` gives it."""

ROW_BYTES = 24  # what a row takes beside its texts, at most


class CountsBatch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Evaluations of one process in one window, or a part of them. Fields are append-only."""

    batch: int  # rises by one within a source
    start: int  # of the window, microseconds since 1970 UTC
    end: int
    dropped: int  # evaluations that were counted and that no batch tells: since the batch before
    rows: tuple[CountsRow, ...]


class CountsLimits(msgspec.Struct, frozen=True):
    """When counts travel, and how many at once."""

    interval: float = 10.0  # seconds a window
    resend: float = 30.0  # seconds without a receipt until a batch is sent again
    batch_bytes: int = 48 << 10  # of a batch; servers refuse messages beyond 64 kB
    batches: int = 64  # of a window: what does not fit is dropped, the smallest counts first


class CountsShipper:
    """Cuts drained counts into batches and keeps each until its receipt. One thread uses it.

    Args:
        drain: returns the counts since the last call, and forgets them.
        lost: returns how many evaluations of this process no counter tells, in all.
        started: wall-clock time at which counting began, microseconds since 1970 UTC.
        now: monotonic seconds.
    """

    def __init__(
        self,
        drain: Callable[[], Counts],
        started: int,
        now: float,
        limits: CountsLimits | None = None,
        lost: Callable[[], int] = lambda: 0,
    ) -> None:
        self._drain, self._lost = drain, lost
        self._lost_before = lost()
        self._limits = limits or CountsLimits()
        self._start = started
        self._due = now + self._limits.interval
        self._waiting: dict[int, CountsBatch] = {}
        self._last = 0
        self._dropped = 0
        self.dropped = 0
        """Evaluations that were dropped in all."""

    @property
    def deadline(self) -> float:
        """Monotonic seconds at which ``tick`` has something to do, when connected."""
        return self._due

    def tick(self, now: float, wall: int) -> list[CountsBatch]:
        """Return the batches to be sent now; ``wall`` is the end of a window that ends. Call it only while connected."""
        if now < self._due:
            return []
        if self._waiting:
            self._due = now + self._limits.resend
            return list(self._waiting.values())
        for batch in self._window(wall):
            self._waiting[batch.batch] = batch
        self._due = now + (self._limits.resend if self._waiting else self._limits.interval)
        return list(self._waiting.values())

    def connected(self, now: float) -> None:
        """A connection is up, perhaps to another publisher: what has no receipt goes out again at once."""
        if self._waiting:
            self._due = now

    def arrived(self, batch: int, now: float) -> None:
        """A receipt came; one for a batch that is not waited for is nothing."""
        if self._waiting.pop(batch, None) is not None and not self._waiting:
            self._due = now + self._limits.interval

    def last_words(self, wall: int) -> list[CountsBatch]:
        """Return everything that has no receipt yet, for a process that ends: nothing is kept for another attempt."""
        waiting = list(self._waiting.values())
        self._waiting.clear()
        return [*waiting, *self._window(wall)]

    def _window(self, wall: int) -> Iterator[CountsBatch]:
        """End the window and return its batches; an empty one without losses has none."""
        start, self._start = self._start, wall
        parts, lost = _parts(_rows(self._drain()), self._limits)
        before, self._lost_before = self._lost_before, self._lost()
        lost += self._lost_before - before
        self.dropped += lost
        self._dropped += lost
        if not parts and self._dropped:
            parts = [()]
        for rows in parts:
            self._last += 1
            yield CountsBatch(self._last, start, max(start, wall), self._dropped, rows)
            self._dropped = 0


def _rows(counts: Counts) -> Iterator[CountsRow]:
    for flag_key, by_outcome in counts.items():
        for (variant, rule, reason), evaluations in by_outcome.items():
            if evaluations:
                yield flag_key, variant, rule, str(reason), evaluations


def _parts(rows: Iterable[CountsRow], limits: CountsLimits) -> tuple[list[tuple[CountsRow, ...]], int]:
    """Return rows in parts of the limits' size, the largest counts first, and the evaluations that found no room."""
    parts: list[list[CountsRow]] = []
    room = lost = 0
    for row in sorted(rows, key=_by_count):
        size = _size(row)
        if size > room and len(parts) < limits.batches and size <= limits.batch_bytes:
            parts.append([])
            room = limits.batch_bytes
        if size > room:
            lost += row[4]
            continue
        parts[-1].append(row)
        room -= size
    return [tuple(part) for part in parts], lost


def _by_count(row: CountsRow) -> tuple[object, ...]:
    return -row[4], row[0], row[1] or "", row[2] or "", row[3]


def _size(row: CountsRow) -> int:
    """Return an upper bound of a row's bytes as msgpack: of UTF-8 a character takes four at most."""
    texts = (text for text in row[:4] if text is not None)
    return ROW_BYTES + sum(len(text) if text.isascii() else 4 * len(text) for text in texts)
