"""Keep what a client serves as last known good, in a thread of its own for as long as that takes: a slow disk delays nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flagcore.distribution.last_good import LastGood

if TYPE_CHECKING:
    from flagcore.snapshot.objects import Snapshot

__all__ = ["Saver"]

JOIN_SECONDS = 0.3


class Saver:
    """Writes the latest state that it was given; of those that come while it writes, the last one."""

    def __init__(self, last_good: LastGood) -> None:
        self._last_good = last_good
        self._lock = threading.Lock()
        self._pending: tuple[Sequence[bytes], Snapshot] | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def save(self, frames: Sequence[bytes], snapshot: Snapshot) -> None:
        """Write a state soon; returns at once."""
        with self._lock:
            self._pending = frames, snapshot
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._write_all, name="flagcore-save", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Write nothing more; waits a moment for what is being written."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(JOIN_SECONDS)

    def _write_all(self) -> None:
        while (state := self._next()) is not None:
            self._last_good.offer(*state)
            self._write()

    def _write(self) -> None:
        """Write what was offered, now or when it is due, unless something later comes meanwhile."""
        while self._pending is None and (due := self._last_good.deadline) is not None:
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return
            self._last_good.write(time.monotonic())

    def _next(self) -> tuple[Sequence[bytes], Snapshot] | None:
        """Take what waits; where nothing does, the thread ends."""
        with self._lock:
            state, self._pending = self._pending, None
            if state is None or self._stop.is_set():
                self._thread = None
                return None
            return state
