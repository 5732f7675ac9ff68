"""When the next bookmark is due (docs/design/wire.md section 4)."""

from __future__ import annotations

__all__ = ["BookmarkTimes"]

REGULAR_SECONDS = 1.0
SOON_SECONDS = 0.05  # after a delta: who lost it finds out
LATER_SECONDS = 0.25  # after the last delta, in case that bookmark was lost with it
ASKED_SECONDS = 0.02  # after somebody began to listen; a thousand at once are answered by one


class BookmarkTimes:
    """A bookmark each second, 50 and 250 ms after a delta, and soon after somebody came."""

    __slots__ = ("_later", "_regular", "_soon")

    def __init__(self, now: float) -> None:
        self._regular = now
        self._soon: float | None = None
        self._later: float | None = None

    @property
    def due(self) -> float:
        """When the next one is due, in monotonic seconds."""
        return min(at for at in (self._regular, self._soon, self._later) if at is not None)

    @property
    def asked_for(self) -> float | None:
        """When the next one is due apart from the regular ones; None when nobody waits for one."""
        return self._soon

    def committed(self, now: float) -> None:
        """A delta was sent. One that is due already is not put off: deltas may come without end."""
        self._at_latest(now + SOON_SECONDS)
        self._later = now + LATER_SECONDS

    def asked(self, now: float) -> None:
        """Somebody waits for one."""
        self._at_latest(now + ASKED_SECONDS)

    def sent(self, now: float) -> None:
        """One was sent."""
        self._regular = now + REGULAR_SECONDS
        self._soon = None
        if self._later is not None and self._later <= now:
            self._later = None

    def _at_latest(self, at: float) -> None:
        self._soon = at if self._soon is None else min(self._soon, at)
