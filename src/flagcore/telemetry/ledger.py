"""Counts that arrive: each batch of each source is taken once, however often it is sent."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

__all__ = ["CountsLedger"]

SOURCES = 20_000  # two for each connection that a server takes
AHEAD = 1_024  # batches of a source beyond the first one that is missing


class _Seen(msgspec.Struct):
    """Every batch up to ``floor`` was taken, and those in ``beyond``."""

    floor: int
    beyond: set[int]


class CountsLedger:
    """Tells new batches from those that were taken before. Memory is bounded: the sources heard of longest ago are forgotten.

    Of a source that is new here (the publisher was restarted) batches may come that are older than the first one heard: they are
    taken. Whoever reads what several runs of a publisher have written tells repetitions by source and batch.
    """

    def __init__(self, sources: int = SOURCES, ahead: int = AHEAD) -> None:
        self._sources = sources
        self._ahead = ahead
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()
        self.duplicates = 0

    def __len__(self) -> int:
        """Return the number of sources that are remembered."""
        return len(self._seen)

    def take(self, source: bytes, batch: int) -> bool:
        """Return whether this batch is new, and remember it. O(1)."""
        seen = self._seen.get(source)
        if seen is None:
            self._remember(source, batch)
            return True
        self._seen.move_to_end(source)
        if batch <= seen.floor or batch in seen.beyond:
            self.duplicates += 1
            return False
        self._advance(seen, batch)
        return True

    def _remember(self, source: bytes, batch: int) -> None:
        self._seen[source] = _Seen(max(0, batch - self._ahead), set())
        self._advance(self._seen[source], batch)
        if len(self._seen) > self._sources:
            self._seen.popitem(last=False)

    def _advance(self, seen: _Seen, batch: int) -> None:
        seen.beyond.add(batch)
        if batch - seen.floor > self._ahead:  # what is missing for so long does not come
            seen.floor = batch - self._ahead
            seen.beyond = {number for number in seen.beyond if number > seen.floor}
        while seen.floor + 1 in seen.beyond:
            seen.floor += 1
            seen.beyond.remove(seen.floor)
