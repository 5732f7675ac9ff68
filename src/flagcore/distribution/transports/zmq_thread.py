"""The thread that owns all sockets of a loop, and how other threads reach it: calls in a queue, an inproc PAIR to wake it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import zmq

__all__ = ["SocketThread"]

log = logging.getLogger("flagcore")

JOIN_SECONDS = 1.0
PAUSE_SECONDS = 1.0  # after a failure that nobody foresaw, so that it does not repeat itself without end
LONGEST_POLL = 1.0  # seconds: so often the thread asks whether anybody still needs it
WAKE = "inproc://wake"


class SocketThread:
    """One daemon thread with a context of its own. Subclasses say what to open, and what to do at each turn.

    ``wanted`` is asked about once a second: when it says no, the thread ends by itself. Nothing here survives a fork; a child
    makes a new one and must not touch the old one, whose sockets are its parent's.
    """

    def __init__(self, name: str, wanted: Callable[[], bool] = lambda: True) -> None:
        self._wanted = wanted
        self._stop = threading.Event()
        self._calls: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._waker: zmq.Socket[bytes] | None = None  # the end that other threads hold, under the lock
        self._woken: zmq.Socket[bytes]
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._delay = 0.0
        self._complaint = ""

    def start(self, delay: float = 0.0) -> None:
        """Start the thread; it opens its first socket ``delay`` seconds later."""
        self._delay = delay
        self._thread.start()

    def call(self, work: Callable[[], None]) -> bool:
        """Carry out ``work`` in the thread, soon; False where it has ended. From any thread, the own one, too."""
        if self._stop.is_set() or (self._thread.ident is not None and not self._thread.is_alive()):
            return False
        self._calls.append(work)
        self._wake()
        return True

    def stop(self) -> None:
        """Tell the thread to end, without waiting for it."""
        self._stop.set()
        self._wake()

    def close(self, timeout: float = JOIN_SECONDS) -> bool:
        """End the thread, waiting at most ``timeout`` seconds for it; returns whether it has ended. Idempotent."""
        self.stop()
        if self._thread is not threading.current_thread() and self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _wake(self) -> None:
        with self._lock, suppress(zmq.Again):  # a full pipe has waking enough in it
            if self._waker is not None:
                self._waker.send(b"", zmq.NOBLOCK)

    # -- in the thread ------------------------------------------------------------------------------------------------

    def _open(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Open the sockets."""
        raise NotImplementedError

    def _turn(self, timeout: float) -> None:
        """Wait for something to do, at most ``timeout`` seconds, and do it. Calls are not among it."""
        raise NotImplementedError

    def _shut(self) -> None:
        """Say good-bye and close the sockets; also after a failure amid ``_open``."""
        raise NotImplementedError

    def _goes_on(self) -> bool:
        return not self._stop.is_set() and self._wanted()

    def _run(self) -> None:
        self._stop.wait(self._delay)
        while self._goes_on():
            try:
                self._session()
            except Exception as error:  # noqa: BLE001 - the thread never dies of what nobody foresaw: it begins anew
                self._complain(error)
                self._stop.wait(PAUSE_SECONDS)

    def _session(self) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._open_waking(context)
            self._open(context)
            while self._goes_on():
                self._carry_out()
                self._turn(LONGEST_POLL)
        finally:
            self._close_waking()
            try:
                self._shut()
            finally:
                context.destroy(linger=None)

    def _carry_out(self) -> None:
        with suppress(zmq.Again):
            while True:
                self._woken.recv(zmq.NOBLOCK)
        while self._calls:
            self._calls.popleft()()

    def _open_waking(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._woken = context.socket(zmq.PAIR)
        self._woken.bind(WAKE)
        waker = context.socket(zmq.PAIR)
        waker.connect(WAKE)
        with self._lock:
            self._waker = waker

    def _close_waking(self) -> None:
        with self._lock:
            waker, self._waker = self._waker, None
        if waker is not None:
            waker.close(0)
            self._woken.close(0)

    def _complain(self, error: Exception) -> None:
        """Log a failure that nobody foresaw; the same one once."""
        if str(error) != self._complaint:
            self._complaint = str(error)
            log.error("%s failed and begins anew: %s", self._thread.name, error, exc_info=error)
