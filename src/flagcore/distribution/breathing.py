"""Long work beside threads that evaluate: let them run from time to time."""

from __future__ import annotations

import time

__all__ = ["Breather"]

HELD_SECONDS = 0.0004  # of the interpreter, at most, without a pause
PAUSE_SECONDS = 0.00005  # long enough for a thread that waits to take its turn


class Breather:
    """To be called again and again amid long work: pauses when the thread has gone on for 0.4 ms. 0.1 us a call.

    A thread that wants the interpreter waits up to 5 ms for one that does not let go of it (``sys.getswitchinterval``).
    """

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def __call__(self) -> None:
        """Pause, if it is time."""
        if time.perf_counter() - self._since > HELD_SECONDS:
            time.sleep(PAUSE_SECONDS)
            self._since = time.perf_counter()
