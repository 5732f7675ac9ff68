"""What the machines of docs/design/wire.md section 5 ask to be done: they themselves open, send and load nothing.

Actions are to be performed in the order in which they are returned; what performing them brings forth (``applied``,
``gone``) is told before anything else, and those actions performed after them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from flagcore.distribution.position import Position
from flagcore.snapshot.delta import Delta
from flagcore.snapshot.objects import Snapshot
from flagcore.terms import ProviderStatus

if TYPE_CHECKING:
    from flagcore.distribution.receipts import Receipt
    from flagcore.distribution.wire import Message

__all__ = [
    "Action",
    "Applied",
    "Apply",
    "Broadcast",
    "ClientPhase",
    "Connect",
    "Done",
    "Forward",
    "Refresh",
    "Reply",
    "Report",
    "Save",
    "Send",
    "SetStatus",
]


class ClientPhase(StrEnum):
    """Where the client's machine stands; what the application sees is ``ProviderStatus``."""

    INIT = "INIT"  # not started
    CONNECTING = "CONNECTING"  # no usable connection, or waiting to make one
    SYNCING = "SYNCING"  # connected; not known to have everything
    LIVE = "LIVE"  # has everything up to a bookmark that is at most 3 s old
    STALE = "STALE"  # connected, but nothing was heard for 3 s; about to try another endpoint
    CLOSED = "CLOSED"


class Action(msgspec.Struct, frozen=True):
    """One thing to do."""


# -- of a client -------------------------------------------------------------------------------------------------------


class Connect(Action, frozen=True):
    """Close the sockets, if there are any, and open new ones to this endpoint; then say ``connected`` or ``disconnected``.

    What the old sockets still hold must not reach the machine any more.
    """

    endpoint: int  # index into the endpoints of the settings


class Send(Action, frozen=True):
    """Send one frame on the DEALER. One that cannot be sent at once is dropped: the machine asks again."""

    frame: bytes


class Apply(Action, frozen=True):
    """Serve this revision; then say ``applied``. Several are performed in order, each whole or not at all."""

    snapshot: Snapshot  # the whole state of the revision
    delta: Delta | None  # what changes where its base is served; None, or another is served: compare, or load anew
    urgent: bool = False  # somebody waits for the acknowledgement

    @property
    def position(self) -> Position:
        """The revision to serve."""
        return Position(self.snapshot.epoch, self.snapshot.revision)


class Save(Action, frozen=True):
    """Keep this revision as last known good: the signed bookmark's ``state_hash`` proves the snapshot.

    Asked at most once a second, and only for what a bookmark has confirmed.
    """

    bookmark: tuple[bytes, ...]  # frames as received
    snapshot: Snapshot


class SetStatus(Action, frozen=True):
    """Phase or status are new. ``ClientState.confirmed`` tells the age of the data at any time."""

    phase: ClientPhase
    status: ProviderStatus
    since: float  # monotonic seconds


class Report(Action, frozen=True):
    """Something that people should hear of, at most once for each event; small losses are only counted."""

    problem: str  # stable, kebab-case: diverged, undecodable, apply-failed, degraded
    text: str


class Forward(Action, frozen=True):
    """For relays: what was accepted, to be handed to ``ServerState.forward`` as it came.

    One delta or bookmark; a notice followed by the chunks of its objects; or all chunks of a snapshot, followed by what
    leads on from it to where it could be served.
    """

    messages: tuple[Message, ...]


class Applied(msgspec.Struct, frozen=True):
    """How an ``Apply`` went."""

    apply_us: int = 0
    failed: tuple[str, ...] = ()  # ids of objects that keep their previous version, since earlier revisions too
    refused: bool = False  # nothing was applied: the engine serves the revision before


# -- of a server -------------------------------------------------------------------------------------------------------


class Broadcast(Action, frozen=True):
    """Send a multipart message to all subscribers of the environment (XPUB)."""

    frames: tuple[bytes, ...]


class Reply(Action, frozen=True):
    """Send to one client (ROUTER): one frame of control, or the frames of a message. If it cannot be reached, say ``gone``."""

    identity: bytes
    frames: tuple[bytes, ...]


class Refresh(Action, frozen=True):
    """For relays: somebody needs a whole snapshot and the ring does not lead on from the one that came; ``ClientState.refresh``."""


class Done(Action, frozen=True):
    """A receipt is complete, or its time is over."""

    receipt: Receipt
