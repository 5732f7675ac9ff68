"""How many snapshots a node sends in a second (docs/design/wire.md section 9)."""

from __future__ import annotations

__all__ = ["SnapshotBudget"]

PER_SECOND = 200.0


class SnapshotBudget:
    """A bucket that holds the snapshots of one second; shared by all environments of a node."""

    __slots__ = ("_at", "_left", "_per_second")

    def __init__(self, per_second: float = PER_SECOND) -> None:
        self._per_second = per_second
        self._left = per_second
        self._at = 0.0

    def take(self, now: float) -> float:
        """Take one; returns 0, or the seconds after which there will be one again."""
        self._left = min(self._per_second, self._left + max(0.0, now - self._at) * self._per_second)
        self._at = max(self._at, now)
        if self._left >= 1.0:
            self._left -= 1.0
            return 0.0
        return (1.0 - self._left) / self._per_second
