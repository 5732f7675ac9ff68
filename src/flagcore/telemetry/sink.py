"""Where a publisher puts the counts that arrive: a file of JSON lines."""

from __future__ import annotations

import logging
import os
import queue
import threading
from typing import Any

import msgspec

from flagcore.telemetry.counts import CountsBatch

__all__ = ["JsonLinesSink"]

log = logging.getLogger("flagcore")

QUEUED = 10_000  # batches of at most 48 kB that wait for the disk; beyond, they are dropped and counted
JOIN_SECONDS = 1.0


class JsonLinesSink:
    """Appends one line a batch to ``path``, from a thread of its own: ``take`` never waits for the disk.

    A line is ``{"environment", "source" (hex), "batch", "start", "end" (microseconds since 1970 UTC), "dropped", "counts": [{"flag",
    "variant", "rule", "reason", "evaluations"}, ...]}``. The file is opened for each line: it may be moved away or
    cut at any time. Where the disk refuses, batches are dropped, counted in ``dropped``, and the first refusal is logged.
    """

    def __init__(self, path: str, queued: int = QUEUED) -> None:
        self.path = path
        self.dropped = 0
        self._refused = False
        self._queue: queue.Queue[bytes | None] = queue.Queue(queued)
        self._thread = threading.Thread(target=self._write_all, name="flagcore-counts", daemon=True)
        self._thread.start()

    def take(self, environment: str, source: bytes, batch: CountsBatch) -> None:
        """Queue a batch. Never blocks or raises."""
        try:
            self._queue.put_nowait(_line(environment, source, batch))
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what is queued, for a second at most, and end the thread. Idempotent."""
        try:
            self._queue.put(None, timeout=JOIN_SECONDS)
        except queue.Full:
            return
        self._thread.join(JOIN_SECONDS)

    def _write_all(self) -> None:
        while (line := self._queue.get()) is not None:
            try:
                _append(self.path, line)
                self._refused = False
            except OSError as error:
                self._drop(error)
            self._queue.task_done()

    def _drop(self, error: OSError) -> None:
        self.dropped += 1
        if not self._refused:
            log.warning("counts cannot be written to %s, and are dropped: %s", self.path, error)
        self._refused = True


def _append(path: str, line: bytes) -> None:
    """Append a line; one that was written in part is cut off again, so that the file stays readable."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        written = os.write(file, line)
        if written < len(line):
            os.ftruncate(file, os.fstat(file).st_size - written)
            raise OSError(f"no room for {len(line)} bytes")
    finally:
        os.close(file)


def _line(environment: str, source: bytes, batch: CountsBatch) -> bytes:
    names = ("flag", "variant", "rule", "reason", "evaluations")
    line: dict[str, Any] = {
        "environment": environment,
        "source": source.hex(),
        "batch": batch.batch,
        "start": batch.start,
        "end": batch.end,
        "dropped": batch.dropped,
        "counts": [dict(zip(names, row, strict=True)) for row in batch.rows],
    }
    return msgspec.json.encode(line) + b"\n"
