"""Where a client or server stands in the history of an environment."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["NOWHERE", "Position"]


class Position(NamedTuple):
    """Epoch and revision; compared in that order (docs/design/wire.md section 2)."""

    epoch: int
    revision: int

    def __str__(self) -> str:
        return f"{self.epoch}/{self.revision}"


NOWHERE = Position(0, 0)
"""Who has no data stands here: before every revision, as those count from 1."""
