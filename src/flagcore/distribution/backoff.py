"""How long to wait before trying again: full jitter, so that clients that lost the same server do not return together."""

from __future__ import annotations

from random import Random

__all__ = ["Backoff"]

FIRST_SECONDS = 0.25
MOST_SECONDS = 10.0


class Backoff:
    """Uniform in ``[0, min(10 s, 0.25 s * 2**n)]`` after the n-th failure in a row (docs/design/wire.md section 5)."""

    __slots__ = ("_failures", "_random")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failures = 0

    def failed(self) -> float:
        """Count a failure; returns the seconds to wait."""
        most = min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(self._failures, 16))
        self._failures += 1
        return self._random.uniform(0.0, most)

    def succeeded(self) -> None:
        """Begin anew."""
        self._failures = 0
