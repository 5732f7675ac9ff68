"""The server's machine for one environment (docs/design/wire.md sections 5, 8 and 9): bytes and time in, actions out.

It serves messages that are encoded already and needs no key: a relay forwards to it what it accepted from upstream. A
publisher makes its own messages: ``publisher_state``. Clients are known by what ROUTER calls them. Times are monotonic seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from flagcore.distribution.actions import Action, Broadcast, Done, Refresh, Reply
from flagcore.distribution.bookmark_times import BookmarkTimes
from flagcore.distribution.control import Ack, Bye, Credit, Hello, Ping, Retry, decode_request
from flagcore.distribution.outgoing import Base, Frames, answer, one
from flagcore.distribution.position import NOWHERE, Position
from flagcore.distribution.receipts import Receipts
from flagcore.distribution.ring import Entry, Ring, entries
from flagcore.distribution.snapshot_budget import SnapshotBudget
from flagcore.distribution.wire import PROTO, Kind, Message, WireError
from flagcore.snapshot.limits import DEFAULT_LIMITS, Limits

__all__ = ["CREDIT", "MOST_CLIENTS", "ServerState"]

HELLO_SECONDS = 1.0  # between two HELLOs of one client
CREDIT = 32  # messages of an answer that may be on the way: what HELLO grants
MOST_CLIENTS = 10_000
AHEAD_MS = 1_000  # after which a client asks again that knows more than we do
FULL_MS = 5_000
PING_SECONDS = 0.25  # between two looks at the clients that a receipt waits for
SWEEP_SECONDS = 1.0  # between two looks at whether clients are there still
SWEEP_PARTS = 15  # of all clients, one is looked at each time
FRESH_SECONDS = 3.0  # a forwarded bookmark proves nothing any more when it is older


class Peer:
    """What is known of one client."""

    __slots__ = ("acknowledged", "client_id", "credit", "hello_from", "name", "stream")

    def __init__(self, client_id: bytes, name: str) -> None:
        self.client_id, self.name = client_id, name
        self.acknowledged = NOWHERE
        self.hello_from = 0.0  # earlier HELLOs are told to wait
        self.credit = 0
        self.stream: Iterator[Frames] | None = None  # the answer, as far as it was not sent yet


class ServerState:
    """Serves one environment. Every method that takes ``now`` returns the actions to perform, in their order."""

    def __init__(
        self,
        environment_id: bytes,
        now: float,
        *,
        budget: SnapshotBudget | None = None,
        ring: Ring | None = None,
        most_clients: int = MOST_CLIENTS,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Have no data yet. ``budget`` is shared by the environments of a node."""
        self.counters: Counter[str] = Counter()
        self.environment_id = environment_id
        self._ring = ring or Ring()
        self._base: Base | None = None
        self._rotation: Message | None = None
        self._bookmark: tuple[Message, float] | None = None  # the latest, and when it came
        self._now = now  # of the call that is being answered
        self._times = BookmarkTimes(now)
        self._peers: dict[bytes, Peer] = {}  # by identity
        self._identities: dict[bytes, bytes] = {}  # by client id: one process is one client
        self._receipts = Receipts()
        self._ping_at: float | None = None
        self._sweep_at = now
        self._sweep_count = 1
        self._unswept: list[bytes] = []  # identities that this round has not come to
        self._budget, self._most_clients, self._limits = budget or SnapshotBudget(), most_clients, limits
        self._actions: list[Action] = []

    # -- how it stands ----------------------------------------------------------------------------------------------

    @property
    def position(self) -> Position:
        """The newest revision that is served."""
        return self._ring.head or NOWHERE

    @property
    def clients(self) -> dict[bytes, Position]:
        """What each connected client has said it applied, by client id."""
        return {peer.client_id: peer.acknowledged for peer in self._peers.values()}

    @property
    def deadline(self) -> float | None:
        """When ``tick`` is due."""
        times = (self._bookmark_due(), self._receipts.deadline, self._ping_at, self._sweep_at if self._peers else None)
        return min((at for at in times if at is not None), default=None)

    # -- what clients do --------------------------------------------------------------------------------------------

    def subscribed(self, now: float) -> list[Action]:
        """Somebody's subscription was admitted: a bookmark follows soon, one for all who come at once."""
        self._now = now
        self._times.asked(now)
        return self._done()

    def received(self, identity: bytes, frame: bytes, now: float) -> list[Action]:
        """A client sent one frame on DEALER. Any bytes may come; what is refused is counted."""
        self._now = now
        try:
            request = decode_request(frame, self._limits)
        except WireError as error:
            self.counters[error.reason.value] += 1
            return []
        peer = self._peers.get(identity)
        if isinstance(request, Hello):
            self._on_hello(identity, peer, request)
        elif peer is None:
            self.counters["unknown_client"] += 1
        elif isinstance(request, Credit):
            peer.credit = min(peer.credit + request.chunks, CREDIT)
            self._pump(identity, peer)
        elif isinstance(request, Ack):
            self._on_ack(peer, request)
        elif isinstance(request, Bye):
            self._forget(identity)
            self._receipts.left(peer.client_id)
        return self._done()

    def gone(self, identity: bytes, now: float) -> list[Action]:
        """A client cannot be reached any more."""
        self._now = now
        peer = self._forget(identity)
        if peer is not None:
            self._receipts.lost(peer.client_id)
        return self._done()

    def disconnected(self, now: float) -> list[Action]:
        """Some connection was lost: look soon whether it is one that a receipt waits for."""
        self._now = now
        if self._ping_at is not None:
            self._ping_at = now
        return self.tick(now)

    def tick(self, now: float) -> list[Action]:
        """Time has passed."""
        self._now = now
        due = self._bookmark_due()
        if due is not None and due <= now:
            self._send_bookmark()
        if self._ping_at is not None and self._ping_at <= now:
            self._ping()
        if self._sweep_at <= now:
            self._sweep()
        return self._done()

    # -- what a relay forwards --------------------------------------------------------------------------------------

    def forward(self, messages: Sequence[Message], now: float) -> list[Action]:
        """Serve what was accepted from upstream, verbatim: the messages of one ``Forward``."""
        self._now = now
        match messages[0].kind:
            case Kind.DELTA | Kind.NOTICE:
                for entry in entries(messages):
                    self._append(entry)
            case Kind.SNAPSHOT:
                self._forward_whole(messages)
            case Kind.BOOKMARK:
                self._bookmark = (messages[0], now)
                self._send_bookmark()
            case Kind.ROTATION:
                self._rotation = messages[0]
                self._broadcast(messages[0])
            case _:
                self._broadcast(messages[0])
        return self._done()

    def _forward_whole(self, messages: Sequence[Message]) -> None:
        """Serve a whole snapshot and what leads on from it; where the ring does so already it stays as it is."""
        count = messages[0].header.chunk_count
        base, followers = Base(tuple(messages[:count])), entries(messages[count:])
        if self._ring.hash_at(base.position) == base.state_hash:
            self._base = base
        elif (followers[-1].position if followers else base.position) > self.position:
            self._base = base
            self._ring.restart(base.position, base.state_hash)
        for entry in followers:
            if self._ring.head == entry.base:
                self._append(entry)

    # -- HELLO ------------------------------------------------------------------------------------------------------

    def _on_hello(self, identity: bytes, peer: Peer | None, hello: Hello) -> None:
        self.counters["hellos"] += 1
        if peer is None:
            if len(self._peers) >= self._most_clients:
                self._reply(identity, one(Retry(FULL_MS, "full")))
                return
            peer = self._admit(identity, hello)
        elif self._now < peer.hello_from:
            self._retry(identity, peer.hello_from - self._now, "too many HELLOs")
            return
        if hello.proto != PROTO or hello.environment_id != self.environment_id:
            self.counters["hello_refused"] += 1
            self._retry(identity, 60.0, "protocol" if hello.proto != PROTO else "environment")
            return
        peer.hello_from = self._now + HELLO_SECONDS
        peer.credit, peer.stream = CREDIT, None
        self._receipts.joined(peer.client_id)
        self._answer(identity, peer, hello)
        self._times.asked(self._now)

    def _admit(self, identity: bytes, hello: Hello) -> Peer:
        old = self._identities.get(hello.client_id)
        if old is not None:  # the same process over a new connection
            self._forget(old)
        self._identities[hello.client_id] = identity
        peer = self._peers[identity] = Peer(hello.client_id, hello.name)
        return peer

    def _answer(self, identity: bytes, peer: Peer, hello: Hello) -> None:
        position, head = Position(hello.epoch, hello.revision), self._ring.head
        if head is None or position > head:
            self._retry(identity, AHEAD_MS / 1000.0, "no data yet" if head is None else "behind")
            return
        base = None
        if self._ring.hash_at(position) != hello.state_hash:
            wait = self._budget.take(self._now)
            base = self._whole() if wait == 0.0 else None
            if base is None:
                if wait == 0.0:
                    self._actions.append(Refresh())
                self.counters["snapshots_put_off"] += 1
                self._retry(identity, max(wait, 0.1), "too many snapshots")
                return
            self.counters["snapshots"] += 1
        peer.stream = answer(self._ring, position, base, self._rotation)
        self._pump(identity, peer)

    def _whole(self) -> Base | None:
        """Return a whole snapshot from which the ring leads on; None when there is none."""
        if self._base is None or self._ring.hash_at(self._base.position) is None:
            return None
        return self._base

    def _pump(self, identity: bytes, peer: Peer) -> None:
        """Send as much of the answer as there is credit for."""
        while peer.credit > 0 and peer.stream is not None:
            frames = next(peer.stream, None)
            if frames is None:
                peer.stream = None
            else:
                peer.credit -= 1
                self._reply(identity, frames)

    def _on_ack(self, peer: Peer, ack: Ack) -> None:
        position = min(Position(ack.epoch, ack.revision), self.position)  # nobody has applied what is not there yet
        peer.acknowledged = max(peer.acknowledged, position)
        self._receipts.acknowledged(peer.client_id, position, ack.failed)

    def _forget(self, identity: bytes) -> Peer | None:
        peer = self._peers.pop(identity, None)
        if peer is not None and self._identities.get(peer.client_id) == identity:
            del self._identities[peer.client_id]
        return peer

    # -- sending ----------------------------------------------------------------------------------------------------

    def _append(self, entry: Entry) -> None:
        """Serve one transaction more, and tell everybody."""
        self._ring.add(entry)
        self._broadcast(entry.message)

    def _bookmark_due(self) -> float | None:
        """When a bookmark is to be sent. Those of a relay come from upstream; only who asks gets the latest again."""
        return self._times.asked_for

    def _latest_bookmark(self) -> Message | None:
        """Return the bookmark to send, None when there is none that proves anything."""
        if self._bookmark is None or self._now >= self._bookmark[1] + FRESH_SECONDS:
            return None
        return self._bookmark[0]

    def _send_bookmark(self) -> None:
        self._times.sent(self._now)
        bookmark = self._latest_bookmark()
        if bookmark is not None:
            self._broadcast(bookmark)

    def _ping(self) -> None:
        """Knock at the doors of those who are awaited: who cannot be reached is told to ``gone``."""
        awaited = self._receipts.awaited
        for client_id in awaited:
            identity = self._identities.get(client_id)
            if identity is not None:
                self._reply(identity, one(Ping()))
        self._ping_at = self._now + PING_SECONDS if awaited else None

    def _sweep(self) -> None:
        """Knock at every door once in a while: nothing else tells that a process died while nobody had to say anything to it."""
        self._sweep_at = self._now + SWEEP_SECONDS
        if not self._unswept:
            self._unswept = list(self._peers)
            self._sweep_count = len(self._unswept) // SWEEP_PARTS + 1
        swept, self._unswept = self._unswept[: self._sweep_count], self._unswept[self._sweep_count :]
        for identity in swept:
            if identity in self._peers:
                self._reply(identity, one(Ping()))

    def _retry(self, identity: bytes, seconds: float, reason: str) -> None:
        self._reply(identity, one(Retry(int(seconds * 1000.0) + 1, reason)))

    def _reply(self, identity: bytes, frames: Frames) -> None:
        self._actions.append(Reply(identity, frames))

    def _broadcast(self, message: Message) -> None:
        self._actions.append(Broadcast(message.frames))

    def _done(self) -> list[Action]:
        self._actions.extend(Done(receipt) for receipt in self._receipts.take_over(self._now))
        actions, self._actions = self._actions, []
        return actions
