"""Counts of evaluations travel back over the connection that brings the flags: around a client's machine, and at a server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from flagcore.distribution.actions import Action, ClientPhase, Send
from flagcore.distribution.client_state import ClientState
from flagcore.distribution.control import Count, Counted, Counts, decode_answer, decode_request, encode_control
from flagcore.distribution.wire import WireError
from flagcore.telemetry.counts import CountsBatch, CountsShipper
from flagcore.telemetry.ledger import CountsLedger

__all__ = ["CountingMachine", "Growth", "is_counts", "taken", "wall_us"]

Outcomes = Mapping[str, Mapping[tuple[str | None, str | None, str], int]]


class Growth:
    """What counters have grown by since they were last asked, whoever else reads them."""

    def __init__(self, read: Callable[[], Outcomes]) -> None:
        self._read = read
        self._before: Outcomes = read()  # a forked child does not tell what its parent counted

    def __call__(self) -> dict[str, dict[tuple[str | None, str | None, str], int]]:
        """Return flag -> outcome -> evaluations since the last call, without zeros."""
        before, now = self._before, self._read()
        self._before = now
        grown: dict[str, dict[tuple[str | None, str | None, str], int]] = {}
        for flag_key, outcomes in now.items():
            known = before.get(flag_key, {})
            for outcome, count in outcomes.items():
                more = count - known.get(outcome, 0)
                if more:  # counters that somebody drained meanwhile begin anew
                    grown.setdefault(flag_key, {})[outcome] = more if more > 0 else count
        return grown


class CountingMachine:
    """A client's machine that sends counts, too, while it is live. A transport drives it as it drives the machine inside."""

    def __init__(
        self,
        machine: ClientState,
        source: bytes,
        grown: Callable[[], Outcomes],
        now: float,
        wall_us: Callable[[], int],
        lost: Callable[[], int] = lambda: 0,
    ) -> None:
        self._machine, self._source, self._wall_us = machine, source, wall_us
        self._shipper = CountsShipper(grown, wall_us(), now, lost=lost)

    @property
    def deadline(self) -> float | None:
        """When ``tick`` is due."""
        due = self._machine.deadline
        if not self._is_live:
            return due
        return self._shipper.deadline if due is None else min(due, self._shipper.deadline)

    @property
    def _is_live(self) -> bool:
        return self._machine.phase is ClientPhase.LIVE

    def start(self, now: float) -> Iterable[Action]:
        """Begin, or begin anew."""
        return self._machine.start(now)

    def connected(self, now: float) -> Iterable[Action]:
        """The connection is up, perhaps to another server: what has no receipt goes out again."""
        self._shipper.connected(now)
        return self._machine.connected(now)

    def disconnected(self, now: float) -> Iterable[Action]:
        """The connection was lost."""
        return self._machine.disconnected(now)

    def refused(self, now: float) -> Iterable[Action]:
        """The server does not know our key."""
        return self._machine.refused(now)

    def received_sub(self, frames: Sequence[bytes], now: float) -> Iterable[Action]:
        """A message for everybody has come."""
        return self._machine.received_sub(frames, now)

    def received_dealer(self, frames: Sequence[bytes], now: float) -> Iterable[Action]:
        """A message for this client has come; receipts of counts end here."""
        if len(frames) == 1 and frames[0][1:3] == b"\xa1n":
            try:
                answer = decode_answer(frames[0])
            except WireError:
                return ()  # not one that we asked for: the batch is sent again
            if isinstance(answer, Counted):
                self._shipper.arrived(answer.batch_id, now)
            return ()
        return self._machine.received_dealer(frames, now)

    def tick(self, now: float) -> Iterable[Action]:
        """The deadline has come."""
        due = self._machine.deadline
        actions: list[Action] = list(self._machine.tick(now)) if due is not None and due <= now else []
        if self._is_live:
            actions += map(self._send, self._shipper.tick(now, self._wall_us()))
        return actions

    def close(self, now: float) -> Iterable[Action]:
        """Tell what was counted last, and say good-bye."""
        last = [self._send(batch) for batch in self._shipper.last_words(self._wall_us())] if self._is_live else []
        return [*last, *self._machine.close(now)]

    def _send(self, batch: CountsBatch) -> Send:
        rows = tuple(Count(*row) for row in batch.rows)
        counts = Counts(batch.batch, self._source, batch.start, batch.end, batch.dropped, rows)
        return Send(encode_control(counts))


# -- at a server --------------------------------------------------------------------------------------------------------


def is_counts(frame: bytes) -> bool:
    """Return whether a client's frame claims to hold counts."""
    return frame[1:3] == b"\xa1N"


def taken(frame: bytes, ledger: CountsLedger, take: Callable[[bytes, CountsBatch], None]) -> bytes | None:
    """Hand counts that are new to ``take(source, batch)``; returns the receipt to send, None for what are no counts."""
    try:
        counts = decode_request(frame)
    except WireError:
        return None
    if not isinstance(counts, Counts):
        return None
    if ledger.take(counts.source, counts.batch_id):
        rows = tuple((row.flag, row.variant, row.rule, row.reason, row.n) for row in counts.rows)
        take(counts.source, CountsBatch(counts.batch_id, counts.start_us, counts.end_us, counts.dropped, rows))
    return encode_control(Counted(counts.batch_id))


def wall_us() -> int:
    """Return microseconds since 1970 UTC."""
    return time.time_ns() // 1000
