"""Who has applied what was published: the answer to ``publish(wait="all")`` (docs/design/wire.md section 1, G16)."""

from __future__ import annotations

from collections.abc import Mapping

from flagcore.distribution.position import Position

__all__ = ["Receipt", "Receipts"]


class Receipt:
    """Follows one revision to the clients. Clients are named by their ids.

    ``waiting`` are connected and have not said yet that they applied it; ``lost`` went away before they did, without
    taking leave: they may serve the old revision still; ``failed`` applied it without some of its objects.
    """

    __slots__ = ("acknowledged", "deadline", "failed", "lost", "over", "position", "waiting")

    def __init__(self, position: Position, waiting: set[bytes], deadline: float | None) -> None:
        self.position = position
        self.waiting = waiting
        self.acknowledged: set[bytes] = set()
        self.lost: set[bytes] = set()
        self.failed: set[bytes] = set()
        self.deadline = deadline
        self.over = False  # nothing changes any more

    @property
    def complete(self) -> bool:
        """Whether every client has applied all of it."""
        return not (self.waiting or self.lost or self.failed)

    def __repr__(self) -> str:
        return (
            f"Receipt({self.position}, {len(self.acknowledged)} acknowledged, {len(self.waiting)} waiting, "
            f"{len(self.lost)} lost, {len(self.failed)} failed)"
        )


class Receipts:
    """The receipts that are open."""

    def __init__(self) -> None:
        self._open: list[Receipt] = []

    @property
    def deadline(self) -> float | None:
        """When the next one's time is over."""
        return min((receipt.deadline for receipt in self._open if receipt.deadline is not None), default=None)

    @property
    def awaited(self) -> set[bytes]:
        """The clients that somebody waits for."""
        return set().union(*(receipt.waiting for receipt in self._open))

    def open(self, position: Position, clients: Mapping[bytes, Position], deadline: float | None) -> Receipt:
        """Return the receipt of a revision that is sent to these clients, of whom some may have it already."""
        receipt = Receipt(position, {client for client, at in clients.items() if at < position}, deadline)
        receipt.acknowledged.update(clients.keys() - receipt.waiting)
        self._open.append(receipt)
        return receipt

    def joined(self, client_id: bytes) -> None:
        """A client said HELLO: it is waited for until it says what it has applied."""
        for receipt in self._open:
            if client_id not in receipt.acknowledged and client_id not in receipt.failed:
                receipt.lost.discard(client_id)
                receipt.waiting.add(client_id)

    def acknowledged(self, client_id: bytes, position: Position, failed: int) -> None:
        """A client has applied everything up to ``position``, but for ``failed`` objects."""
        for receipt in self._open:
            if position >= receipt.position and (client_id in receipt.waiting or client_id in receipt.lost):
                receipt.waiting.discard(client_id)
                receipt.lost.discard(client_id)
                (receipt.failed if failed else receipt.acknowledged).add(client_id)

    def left(self, client_id: bytes) -> None:
        """A client took leave: it serves nothing any more."""
        for receipt in self._open:
            receipt.waiting.discard(client_id)
            receipt.lost.discard(client_id)

    def lost(self, client_id: bytes) -> None:
        """A client went away without a word."""
        for receipt in self._open:
            if client_id in receipt.waiting:
                receipt.waiting.discard(client_id)
                receipt.lost.add(client_id)

    def take_over(self, now: float) -> list[Receipt]:
        """Remove and return the receipts that are complete, or whose time is over."""
        done = [
            receipt
            for receipt in self._open
            if not (receipt.waiting or receipt.lost) or (receipt.deadline is not None and receipt.deadline <= now)
        ]
        for receipt in done:
            receipt.over = True
            self._open.remove(receipt)
        return done
