"""When a client tells the server what it has applied: coalesced, at once where somebody waits (docs/design/wire.md section 5)."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

from flagcore.distribution.actions import Applied, Apply
from flagcore.distribution.control import Ack

__all__ = ["ACK_SECONDS", "Acknowledging", "failed_of"]

ACK_SECONDS = 0.2


class Acknowledging:
    """Follows what was handed out to be applied, and makes the next acknowledgement."""

    __slots__ = ("_apply_us", "_failed", "_latest", "_out", "_told")

    def __init__(self) -> None:
        self._out: deque[Apply] = deque()  # handed out, not heard of again yet
        self._latest: Apply | None = None  # the last that was applied
        self._apply_us = 0
        self._failed: set[str] = set()  # objects that were refused in what the next acknowledgement covers
        self._told = True  # whether that one was made already: it may be asked for again

    @property
    def outstanding(self) -> bool:
        """Whether something was handed out and not heard of."""
        return bool(self._out)

    def handed_out(self, apply: Apply) -> None:
        """Remember that this is to be applied."""
        self._out.append(apply)

    def heard(self, result: Applied) -> Apply | None:
        """Return which one the result is of; None when nothing is out."""
        if not self._out:
            return None
        apply = self._out.popleft()
        if not result.refused:
            if self._told:
                self._failed.clear()
            self._latest, self._apply_us, self._told = apply, result.apply_us, False
            self._failed.update(failed_of(apply, result))
        return apply

    def ack(self) -> Ack | None:
        """Return what to tell the server; None before anything was applied. The same when asked again."""
        if self._latest is None:
            return None
        self._told = True
        return Ack(*self._latest.position, self._apply_us, len(self._failed))


def failed_of(apply: Apply, result: Applied) -> Collection[str]:
    """Return which failed objects this revision brought: what failed long ago makes no other revision incomplete."""
    if apply.delta is None:
        return result.failed
    brought = {upsert.id for upsert in apply.delta.upserts}
    return brought.intersection(result.failed)
