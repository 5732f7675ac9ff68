"""The machine of a server that holds the signing key: makes deltas, notices, bookmarks and snapshots, and serves them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagcore.distribution.actions import Action
from flagcore.distribution.outgoing import Base
from flagcore.distribution.position import Position
from flagcore.distribution.ring import Entry, Ring
from flagcore.distribution.rotation import encode_rotation
from flagcore.distribution.server_state import MOST_CLIENTS, PING_SECONDS, ServerState
from flagcore.distribution.snapshot_budget import SnapshotBudget
from flagcore.distribution.wire import Header, Kind, Message, encode, parse
from flagcore.snapshot.chunks import cut
from flagcore.snapshot.delta import Delta, applied, check_size, diff, encode_delta, encode_notice, notice_of
from flagcore.snapshot.limits import DEFAULT_LIMITS, Limits
from flagcore.snapshot.objects import Snapshot
from flagcore.snapshot.state_hash import StateHash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagcore.distribution.receipts import Receipt
    from flagcore.snapshot.signature import SigningKey

__all__ = ["PublisherState"]

CUT_SECONDS = 1.0  # between two cuts of a snapshot that has changed: until then the ring leads on from the one before


class PublisherState(ServerState):
    """Publishes one environment. The record of what was committed lies elsewhere (section 8): this is given what to publish."""

    def __init__(
        self,
        environment_id: bytes,
        signer: SigningKey,
        snapshot: Snapshot,
        now: float,
        *,
        wall_offset_us: int = 0,
        budget: SnapshotBudget | None = None,
        ring: Ring | None = None,
        most_clients: int = MOST_CLIENTS,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Serve ``snapshot``; microseconds since 1970 are ``now`` in microseconds plus ``wall_offset_us``."""
        super().__init__(environment_id, now, budget=budget, ring=ring, most_clients=most_clients, limits=limits)
        self._signer, self._wall_offset_us = signer, wall_offset_us
        self._snapshot, self._hash = snapshot, StateHash.of(snapshot)
        self._cut_from = now
        self._committed_us = 0  # when what is served was committed, as far as that is known
        self._restart()

    @property
    def snapshot(self) -> Snapshot:
        """What is served."""
        return self._snapshot

    @property
    def state_hash(self) -> bytes:
        """Its hash, 32 bytes."""
        return self._hash.value

    def publish(
        self,
        change: Snapshot | Delta,
        now: float,
        *,
        urgent: bool = False,
        wait: bool = False,
        timeout: float | None = None,
        committed_us: int | None = None,
    ) -> tuple[list[Action], Receipt]:
        """Send a transaction, or what leads to a later snapshot, to everybody; one of a higher epoch closes the epoch.

        With ``wait`` the receipt follows the clients until all have applied it, or for ``timeout`` seconds; ``Done`` says when.
        ``committed_us`` is when it was committed, in microseconds since 1970; two publishers that give the same make the same bytes.

        Raises:
            SnapshotError: a delta that does not follow on what is served, or an object larger than the limits allow.
            ValueError: a snapshot that is not later than what is served.
        """
        self._now = now
        committed = self._wall_us() if committed_us is None else committed_us
        if isinstance(change, Snapshot) and change.epoch > self._snapshot.epoch:
            self._open_epoch(change, committed)
        else:
            delta = change if isinstance(change, Delta) else diff(self._snapshot, change, urgent)
            self._commit(delta, change if isinstance(change, Snapshot) else None, committed)
        self._committed_us = committed
        self._times.committed(now)
        deadline = now + timeout if timeout is not None else None
        receipt = self._receipts.open(self.position, self.clients if wait else {}, deadline)
        self._ping_at = now + PING_SECONDS if receipt.waiting else self._ping_at
        return self._done(), receipt

    def rotate(self, publics: Iterable[bytes], now: float, signer: SigningKey) -> list[Action]:
        """Let ``publics`` be the keys that count, signed by the key so far; from here on ``signer`` signs.

        Whole snapshots are signed anew; deltas of the ring would be refused where the old key does not count any more,
        so the ring begins anew, too. Clients that come back meanwhile are given the rotation first.
        """
        self._now = now
        self._rotation = self._message(Kind.ROTATION, encode_rotation(publics), self._wall_us())
        self._broadcast(self._rotation)
        self._signer = signer
        self._restart()
        return self._done()

    # -- making messages --------------------------------------------------------------------------------------------

    def _commit(self, delta: Delta, after: Snapshot | None, committed_us: int) -> None:
        for upsert in delta.upserts:
            check_size(upsert.id, len(upsert.content), self._limits)
        state = self._hash.after(self._snapshot, delta)
        self._snapshot, self._hash = after or applied(self._snapshot, delta), state
        raw = encode_delta(delta)
        if len(raw) <= self._limits.delta:
            message = self._message(Kind.DELTA, raw, committed_us, base=delta.base)
            self._append(Entry.of(message))
            return
        notice = notice_of(delta, self._limits)
        message = self._message(Kind.NOTICE, encode_notice(notice), committed_us, base=delta.base)
        if notice.upserts is None:  # everybody needs a whole snapshot
            self._restart()
            self._broadcast(message)
        else:
            chunks = tuple(cut(self._snapshot, ids=notice.upserts))
            self._append(Entry.of(message, self._chunk_messages(chunks, committed_us, delta.base)))

    def _open_epoch(self, snapshot: Snapshot, committed_us: int) -> None:
        self._broadcast(self._message(Kind.CLOSED, b"", committed_us))
        self._snapshot, self._hash = snapshot, StateHash.of(snapshot)
        self._restart()

    def _restart(self) -> None:
        """Begin the ring at what is served now."""
        self._ring.restart(Position(self._snapshot.epoch, self._snapshot.revision), self._hash.value)
        self._base = None

    def _whole(self) -> Base | None:
        base = super()._whole()
        if base is None or (base.position < self.position and self._now >= self._cut_from):
            base = self._base = Base(self._chunk_messages(tuple(cut(self._snapshot)), self._committed_us, 0))
            self._cut_from = self._now + CUT_SECONDS
        return base

    def _chunk_messages(self, chunks: tuple[bytes, ...], committed_us: int, base: int) -> tuple[Message, ...]:
        return tuple(
            self._message(Kind.SNAPSHOT, chunk, committed_us, base=base, index=index, count=len(chunks))
            for index, chunk in enumerate(chunks)
        )

    def _message(
        self, kind: Kind, raw: bytes, committed_us: int, *, base: int = 0, index: int = 0, count: int = 0
    ) -> Message:
        """Return a signed message about what is served now.

        Only bookmarks tell of our own ring and clock: what two publishers beside one record send of a revision is the same
        to the byte.
        """
        floor = self._ring.floor
        header = Header(
            kind=kind,
            environment_id=self.environment_id,
            epoch=self._snapshot.epoch,
            base=base,
            revision=self._snapshot.revision,
            commit_time_us=committed_us,
            ring_floor=floor.revision if kind is Kind.BOOKMARK and floor is not None else 0,
            state_hash=self._hash.value,
            chunk_index=index,
            chunk_count=count,
        )
        return parse(encode(header, raw, self._signer), None, self.environment_id, self._limits)

    # -- bookmarks --------------------------------------------------------------------------------------------------

    def _bookmark_due(self) -> float | None:
        return self._times.due

    def _latest_bookmark(self) -> Message | None:
        return self._message(Kind.BOOKMARK, b"", self._wall_us())

    def _wall_us(self) -> int:
        return int(self._now * 1e6) + self._wall_offset_us
