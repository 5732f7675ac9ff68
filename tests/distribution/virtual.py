"""A virtual world for the machines: a clock, a network that does everything wrong on demand, a record, and processes.

Nothing here sleeps or opens anything; a second of the world costs as much as what happens in it.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from flagcore.distribution.actions import (
    Action,
    Applied,
    Apply,
    Broadcast,
    Connect,
    Done,
    Forward,
    Refresh,
    Reply,
    Save,
    Send,
    SetStatus,
)
from flagcore.distribution.client_state import ClientState
from flagcore.distribution.control import Current, Hello, Retry, decode_answer, decode_request
from flagcore.distribution.position import NOWHERE, Position
from flagcore.distribution.publisher_state import PublisherState
from flagcore.distribution.receipts import Receipt
from flagcore.distribution.ring import Ring
from flagcore.distribution.server_state import ServerState
from flagcore.distribution.wire import WELCOME
from flagcore.snapshot.delta import Delta, diff
from flagcore.snapshot.limits import Limits
from flagcore.snapshot.objects import Snapshot
from flagcore.snapshot.state_hash import StateHash
from tests.distribution import history
from tests.distribution.history import Recorder

ENVIRONMENT = b"virtual!"
LATENCY = 0.001  # seconds, of a way without faults
MOST_DELAY = 0.5  # seconds, that a fault adds
POLL_SECONDS = 1.0  # between two looks of the second publisher at the record
DEAD_SECONDS = 4.0  # until heartbeats notice that a way is cut
LIMITS = Limits(delta=2_048)  # what is larger is announced by a notice


class FakeSigner:
    """Signs as Ed25519 does, in a hundredth of the time: a keyed hash stands for the signature."""

    key_id = 7

    def sign(self, message: bytes) -> bytes:
        """Return 64 bytes."""
        return hashlib.blake2b(message, key=b"secret").digest()


class FakeKeys:
    """Verifies what ``FakeSigner`` signed."""

    def signer(self, message: bytes, signature: bytes) -> int | None:
        """Return the key's number, None for a wrong signature."""
        return FakeSigner.key_id if FakeSigner().sign(message) == signature else None


@dataclass
class Faults:
    """What happens to messages on a way, as probabilities; or nothing passes at all."""

    drop: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0  # up to ``MOST_DELAY``, order kept
    reorder: float = 0.0  # up to ``MOST_DELAY``, overtaken by others
    corrupt: float = 0.0
    cut: bool = False

    @property
    def any(self) -> bool:
        """Whether something can go wrong."""
        return self.cut or bool(self.drop or self.duplicate or self.delay or self.reorder or self.corrupt)


class Process:
    """Something with a machine that can be frozen, and that is woken when its machine asks for it."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.frozen_until = 0.0
        self._wake_at: float | None = None

    def deadlines(self) -> Iterable[float | None]:
        """Yield when the machines are due."""
        raise NotImplementedError

    def tick(self) -> None:
        """Tell the machines the time."""
        raise NotImplementedError

    def wake(self) -> None:
        """See to it that ``tick`` comes in time."""
        due = min((at for at in self.deadlines() if at is not None), default=None)
        if due is None or (self._wake_at is not None and self._wake_at <= due):
            return
        self._wake_at = due
        self.world.at(due, self._woken)

    def _woken(self) -> None:
        if self.frozen_until > self.world.now:
            self.world.at(self.frozen_until, self._woken)
            return
        self._wake_at = None
        self.tick()
        self.wake()


@dataclass
class Connection:
    """One client's sockets to one server, from their handshakes to their end."""

    identity: bytes
    client: ClientProcess
    server: ServerProcess
    open: bool = True
    last_down: float = 0.0  # when the latest message arrives: later ones not before
    last_up: float = 0.0


class ServerProcess(Process):
    """A publisher or a relay, as far as its downstream side goes."""

    machine: ServerState

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.up = True
        self.connections: dict[bytes, Connection] = {}

    def perform(self, actions: list[Action]) -> None:
        """Do what the machine asks for."""
        for action in actions:
            match action:
                case Broadcast(frames):
                    for connection in tuple(self.connections.values()):
                        self.world.send_down(connection, frames, sub=True)
                case Reply(identity, frames):
                    self._reply(identity, frames)
                case Refresh():
                    self.refresh()
                case Done(receipt):
                    self.world.receipt_over(receipt)
        self.wake()

    def refresh(self) -> None:
        """Get a whole snapshot from upstream; relays do."""

    def accept(self, connection: Connection) -> None:
        """A client's sockets are up."""
        self.connections[connection.identity] = connection
        self.world.send_down(connection, (WELCOME,), sub=True)
        self.perform(self.machine.subscribed(self.world.now))

    def receive(self, connection: Connection, frame: bytes) -> None:
        """A frame came on ROUTER."""
        if self.up and connection.open:
            actions = self.machine.received(connection.identity, frame, self.world.now)
            self._note_answer(connection, frame, actions)
            self.perform(actions)

    def stop(self) -> None:
        """End the process, and with it all connections."""
        self.up = False
        for connection in tuple(self.connections.values()):
            self.world.cut_off(connection, at_once=True)

    def lost(self, connection: Connection) -> None:
        """A connection is no more; the machine hears of it when it sends."""
        self.connections.pop(connection.identity, None)
        if self.up:
            self.perform(self.machine.disconnected(self.world.now))

    def _reply(self, identity: bytes, frames: tuple[bytes, ...]) -> None:
        connection = self.connections.get(identity)
        if connection is None:
            self.perform(self.machine.gone(identity, self.world.now))
        else:
            self.world.send_down(connection, frames, sub=False)

    def _note_answer(self, connection: Connection, frame: bytes, actions: list[Action]) -> None:
        request = decode_request(frame)
        replies = [action.frames for action in actions if isinstance(action, Reply)]
        if not isinstance(request, Hello) or not replies:
            return
        begins = len(replies[0]) == 1 and decode_answer(replies[0][0])
        if isinstance(begins, Retry):
            return
        ring = self.machine._ring
        assert ring.floor is not None
        assert ring.head is not None
        whole = bool(begins) and not isinstance(begins, Current)
        self.world.record(
            history.Answered(
                self.world.now,
                self.name,
                connection.client.name,
                (request.epoch, request.revision),
                request.state_hash.hex(),
                ring.floor,
                ring.head,
                whole,
            )
        )


class PublisherProcess(ServerProcess):
    """A publisher that looks at the record each second; one that listens hears of commits at once, too."""

    machine: PublisherState

    def __init__(self, world: World, name: str, listens: bool) -> None:
        super().__init__(world, name)
        self.listens = listens
        self.start()

    def start(self) -> None:
        """Come up with what the record holds, and an empty ring."""
        self.up = True
        self._next_poll = self.world.now
        self.machine = PublisherState(
            ENVIRONMENT, FakeSigner(), self.world.commits[-1].after, self.world.now, ring=Ring(16), limits=LIMITS
        )  # type: ignore[arg-type]
        self._position = self.world.commits[-1].position
        self.wake()

    def follow(self, wait: bool = False) -> Receipt | None:
        """Publish what the record holds beyond what was published."""
        receipt = None
        if not self.up or self.frozen_until > self.world.now:
            return None
        for commit in self.world.commits_after(self._position):
            change: Snapshot | Delta = commit.after if commit.delta is None else commit.delta
            self._position = commit.position
            actions, receipt = self.machine.publish(
                change, self.world.now, wait=wait, timeout=10.0, committed_us=commit.committed_us
            )
            if wait:
                self.world.receipt_open(receipt, self.connected())
            self.perform(actions)
        return receipt

    def connected(self) -> tuple[str, ...]:
        """Return the names of the clients that the machine knows; a relay acknowledges for itself only, and is none."""
        names = (self.world.names[client_id] for client_id in self.machine.clients)
        return tuple(name for name in names if name in self.world.clients)

    def deadlines(self) -> Iterable[float | None]:
        """Yield the machine's, and the next look at the record."""
        yield self.machine.deadline if self.up else None
        yield self._next_poll if self.up else None

    def tick(self) -> None:
        """Look at the record and the bookmarks."""
        if not self.up:
            return
        if self.world.now >= self._next_poll:
            self._next_poll = self.world.now + POLL_SECONDS
            self.follow()
        self.perform(self.machine.tick(self.world.now))


class ClientProcess(Process):
    """A service: its machine, what its engine serves, and its disk."""

    relaying = False

    def __init__(self, world: World, name: str, endpoints: list[str]) -> None:
        super().__init__(world, name)
        self.endpoints = endpoints
        self.files: list[Snapshot] = []  # last known good, the newest last
        self.incarnation = 0
        self.up = False
        self.refuse_next = False  # the engine will fail to apply what comes next
        self.fail_next = False  # the engine will refuse an object of what comes next

    def start(self, restored: Snapshot | None = None, floor: Position = NOWHERE) -> None:
        """Come up with what is on disk."""
        self.incarnation += 1
        self.up = True
        self.served: Snapshot | None = None
        self.connection: Connection | None = None
        self.attempt = 0
        self.heard: float | None = None
        client_id = f"{self.name}#{self.incarnation}".encode().ljust(8, b".")
        self.world.names[client_id] = self.name
        self.machine = ClientState(
            ENVIRONMENT,
            client_id=client_id,
            random=Random(self.world.random.random()),
            endpoints=len(self.endpoints),
            keys=FakeKeys(),  # type: ignore[arg-type]
            relaying=self.relaying,
            limits=LIMITS,
        )
        self._record_start(restored, floor)
        if restored is not None:
            self.perform(self.machine.restore(restored, self.world.now, floor=floor))
        self.perform(self.machine.start(self.world.now))

    def _record_start(self, restored: Snapshot | None, floor: Position) -> None:
        taken = restored is not None and (restored.epoch, restored.revision) >= floor
        position = (restored.epoch, restored.revision) if taken and restored is not None else None
        state_hash = StateHash.of(restored).value.hex() if restored is not None else ""
        if not self.relaying:
            self.world.record(history.Started(self.world.now, self.name, position, floor, state_hash))
        self._restoring = taken

    def stop(self, leave: bool) -> None:
        """End, with a word to the server or without."""
        if not self.relaying:
            self.world.record(history.Stopped(self.world.now, self.name, leave))
        if leave:
            self.perform(self.machine.close(self.world.now))
        self.up = False
        if self.connection is not None:
            self.world.cut_off(self.connection, at_once=True)

    def perform(self, actions: list[Action]) -> None:
        """Do what the machine asks for, and what comes of it."""
        while actions:
            results: list[Applied] = []
            for action in actions:
                self._perform(action, results)
            actions = [action for result in results for action in self.machine.applied(result, self.world.now)]
        self.wake()

    def _perform(self, action: Action, results: list[Applied]) -> None:
        match action:
            case Apply():
                results.append(self._apply(action))
            case Connect(endpoint):
                self._connect(self.endpoints[endpoint])
            case Send(frame):
                if self.connection is not None:
                    self.world.send_up(self.connection, frame)
            case Save(_, snapshot):
                self.files.append(snapshot)
            case SetStatus(_, status, _) if not self.relaying:
                self._note_confirmed()
                self.world.record(history.Status(self.world.now, self.name, status))
            case Forward(messages):
                self.forward(messages)

    def forward(self, messages: tuple[object, ...]) -> None:
        """Hand on; relays do."""

    def receive(self, connection: Connection, frames: tuple[bytes, ...], sub: bool) -> None:
        """Something came on SUB or DEALER."""
        if not self.up or connection is not self.connection:
            return
        receive = self.machine.received_sub if sub else self.machine.received_dealer
        self.perform(receive(frames, self.world.now))
        self._note_confirmed()

    def deadlines(self) -> Iterable[float | None]:
        """Yield the machine's."""
        yield self.machine.deadline if self.up else None

    def tick(self) -> None:
        """Tell the machine the time."""
        if self.up:
            self.perform(self.machine.tick(self.world.now))

    def look(self) -> None:
        """Record what a reader sees, and what the status says."""
        if self.served is not None:
            self.world.record(history.Served(self.world.now, self.name, StateHash.of(self.served).value.hex()))
        self.world.record(history.Status(self.world.now, self.name, self.machine.status(self.world.now)))

    def _apply(self, action: Apply) -> Applied:
        if self.refuse_next and not self._restoring:
            self.refuse_next = False
            return Applied(refused=True)
        before, self.served = self.served, action.snapshot
        if not self._restoring and not self.relaying:
            delta = action.delta
            follows = (
                delta is not None
                and before is not None
                and (before.epoch, before.revision) == (delta.epoch, delta.base)
            )
            base = (delta.epoch, delta.base) if delta is not None and follows else None
            state = StateHash.of(action.snapshot).value.hex()
            self.world.record(history.Applied(self.world.now, self.name, action.position, base, state))
        self._restoring = False
        failed = ("p/a",) if self.fail_next else ()
        self.fail_next = False
        return Applied(1, failed)

    def _note_confirmed(self) -> None:
        confirmed, self.heard = self.heard, self.machine.confirmed
        if self.heard not in (None, confirmed) and not self.relaying:
            state = self.machine.state_hash.hex()
            self.world.record(history.Confirmed(self.world.now, self.name, self.machine.position, state))

    def _connect(self, endpoint: str) -> None:
        """Open sockets; a way that is cut, or a server that is down, lets nothing come up."""
        if self.connection is not None:
            self.world.cut_off(self.connection, at_once=True, tell=False)
        self.attempt += 1
        self.connection = None
        self.world.connect(self, endpoint, self.attempt)


class RelayProcess(ServerProcess):
    """A client upstream, a server downstream."""

    def __init__(self, world: World, name: str, upstream: list[str]) -> None:
        super().__init__(world, name)
        self.upstream = _RelayClient(world, name + ".up", upstream, self)
        self.start()

    def start(self) -> None:
        """Come up with nothing."""
        self.up = True
        self.machine = ServerState(ENVIRONMENT, self.world.now, ring=Ring(16), limits=LIMITS)
        self.upstream.start()
        self.wake()

    def refresh(self) -> None:
        """Get a whole snapshot from upstream."""
        self.upstream.perform(self.upstream.machine.refresh(self.world.now))

    def stop(self) -> None:
        """End both sides."""
        super().stop()
        self.upstream.stop(leave=False)

    def deadlines(self) -> Iterable[float | None]:
        """Yield the server's; the client has its own."""
        yield self.machine.deadline if self.up else None

    def tick(self) -> None:
        """Tell the server's machine the time."""
        if self.up:
            self.perform(self.machine.tick(self.world.now))


class _RelayClient(ClientProcess):
    relaying = True

    def __init__(self, world: World, name: str, endpoints: list[str], relay: RelayProcess) -> None:
        super().__init__(world, name, endpoints)
        self.relay = relay

    def forward(self, messages: tuple[object, ...]) -> None:
        """Serve downstream what came from upstream."""
        self.relay.perform(self.relay.machine.forward(messages, self.world.now))  # type: ignore[arg-type]


@dataclass
class Commit:
    """One revision of the record."""

    after: Snapshot
    delta: Delta | None  # None: the first of an epoch
    committed_us: int
    at: float = 0.0

    @property
    def position(self) -> Position:
        """The revision."""
        return Position(self.after.epoch, self.after.revision)


@dataclass
class World:
    """Clock, network, record and processes."""

    seed: int = 0
    now: float = 1_000.0
    recorder: Recorder = field(default_factory=Recorder)
    servers: dict[str, ServerProcess] = field(default_factory=dict)
    clients: dict[str, ClientProcess] = field(default_factory=dict)
    faults: dict[tuple[str, str], Faults] = field(default_factory=dict)  # by client and server name
    names: dict[bytes, str] = field(default_factory=dict)  # client id -> name
    commits: list[Commit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._receipts: dict[int, tuple[str, ...]] = {}
        first = Snapshot(1, 1, {"a": b"0", "b": b"0"})
        self._commit(Commit(first, None, 1))

    def record(self, event: history.Event) -> None:
        """Record an event of the history."""
        self.recorder.add(event)

    # -- time -------------------------------------------------------------------------------------------------------

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Let something happen at a time."""
        heapq.heappush(self._events, (when, next(self._numbers), what))

    def advance(self, seconds: float) -> None:
        """Let everything happen that is due until then."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            when, _, what = heapq.heappop(self._events)
            self.now = max(self.now, when)
            what()
        self.now = end

    # -- the record -------------------------------------------------------------------------------------------------

    def commit(self, programs: dict[str, bytes], urgent: bool = False, wait: bool = False) -> None:
        """Commit a transaction and tell the publishers that listen."""
        before = self.commits[-1].after
        after = Snapshot(before.epoch, before.revision + 1, programs)
        self._commit(Commit(after, diff(before, after, urgent), int(self.now * 1e6)))
        self._tell(wait)

    def raise_epoch(self, programs: dict[str, bytes]) -> None:
        """Begin another history, as a restore from backup does."""
        self._commit(Commit(Snapshot(self.commits[-1].after.epoch + 1, 1, programs), None, int(self.now * 1e6)))
        self._tell(False)

    def commits_after(self, position: Position) -> list[Commit]:
        """Return the commits beyond a position."""
        found = []
        for commit in reversed(self.commits):
            if commit.position <= position:
                break
            found.append(commit)
        return found[::-1]

    def _commit(self, commit: Commit) -> None:
        base = None if commit.delta is None else (commit.delta.epoch, commit.delta.base)
        state = StateHash.of(commit.after).value.hex()
        self.commits.append(commit)
        self.record(history.Committed(self.now, commit.position, base, state))

    def _tell(self, wait: bool) -> None:
        for server in self.servers.values():
            if isinstance(server, PublisherProcess) and server.listens:
                server.follow(wait)

    # -- receipts ---------------------------------------------------------------------------------------------------

    def receipt_open(self, receipt: Receipt, connected: tuple[str, ...]) -> None:
        """Remember who was connected when a receipt was asked for."""
        self._receipts[id(receipt)] = connected
        self._kept = [*getattr(self, "_kept", []), receipt]  # so that no id comes twice

    def receipt_over(self, receipt: Receipt) -> None:
        """A receipt is complete, or its time is over."""
        connected = self._receipts.pop(id(receipt), ())
        self.record(history.Receipted(self.now, receipt.position, connected, receipt.complete))

    # -- the network ------------------------------------------------------------------------------------------------

    def way(self, client: Process, server: Process) -> Faults:
        """Return what goes wrong between two processes; change it as you like."""
        return self.faults.setdefault((client.name, server.name), Faults())

    def connect(self, client: ClientProcess, endpoint: str, attempt: int) -> None:
        """Try to bring a client's sockets up."""
        server = self.servers[endpoint]

        def arrive() -> None:
            if not client.up or client.attempt != attempt or self.way(client, server).cut:
                return  # a cut way says nothing: the machine's own patience ends
            if not server.up:
                client.perform(client.machine.disconnected(self.now))
                return
            identity = f"{client.name}/{next(self._numbers)}".encode()
            connection = client.connection = Connection(identity, client, server)
            self._after_thaw(client, lambda: self._handshake_done(connection))
            self._after_thaw(server, lambda: server.accept(connection) if connection.open and server.up else None)

        self.at(self.now + 3 * LATENCY, arrive)

    def _handshake_done(self, connection: Connection) -> None:
        client = connection.client
        if client.up and client.connection is connection:
            client.perform(client.machine.connected(self.now))

    def send_down(self, connection: Connection, frames: tuple[bytes, ...], sub: bool) -> None:
        """Carry a message from a server to a client."""
        for arrival, carried in self._carried(connection, frames, down=True):
            self._arrive(
                connection,
                connection.client,
                arrival,
                lambda carried=carried: connection.client.receive(connection, carried, sub),
            )

    def send_up(self, connection: Connection, frame: bytes) -> None:
        """Carry a frame from a client to a server."""
        for arrival, carried in self._carried(connection, (frame,), down=False):
            self._arrive(
                connection,
                connection.server,
                arrival,
                lambda carried=carried: connection.server.receive(connection, carried[0]),
            )

    def cut_off(self, connection: Connection, *, at_once: bool, tell: bool = True) -> None:
        """End a connection; both sides notice at once, or when their heartbeats fail."""
        connection.open = False
        wait = LATENCY if at_once else DEAD_SECONDS
        client, server = connection.client, connection.server

        def client_notices() -> None:
            if tell and client.up and client.connection is connection:
                client.connection = None
                client.perform(client.machine.disconnected(self.now))

        self.at(self.now + wait, lambda: self._after_thaw(client, client_notices))
        self.at(self.now + wait, lambda: self._after_thaw(server, lambda: server.lost(connection)))

    def _carried(
        self, connection: Connection, frames: tuple[bytes, ...], down: bool
    ) -> Iterable[tuple[float, tuple[bytes, ...]]]:
        """Yield when copies of a message arrive, and what became of them."""
        faults = self.faults.get((connection.client.name, connection.server.name))
        if not connection.open or (faults is not None and faults.cut):
            return
        last = connection.last_down if down else connection.last_up
        arrival = max(last, self.now + LATENCY)
        if faults is None or not faults.any:
            yield self._kept_order(connection, down, arrival), frames
            return
        chance = self.random.random
        if chance() < faults.drop:
            return
        if chance() < faults.delay:
            arrival += chance() * MOST_DELAY
        if len(frames) > 1 and chance() < faults.corrupt:
            frames = self._corrupted(frames)
        if chance() < faults.reorder:
            yield self.now + LATENCY + chance() * MOST_DELAY, frames
        else:
            yield self._kept_order(connection, down, arrival), frames
        if chance() < faults.duplicate:
            yield arrival + chance() * MOST_DELAY, frames

    def _kept_order(self, connection: Connection, down: bool, arrival: float) -> float:
        if down:
            connection.last_down = arrival
        else:
            connection.last_up = arrival
        return arrival

    def _corrupted(self, frames: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Return the frames with one bit flipped, a frame cut off, or one too few."""
        index = self.random.randrange(len(frames))
        changed = bytearray(frames[index])
        way = self.random.randrange(4)
        if way == 0:
            return frames[:index]
        if way == 1 or not changed:
            return (*frames[:index], bytes(changed[: len(changed) // 2]), *frames[index + 1 :])
        changed[self.random.randrange(len(changed))] ^= 1 << self.random.randrange(8)
        return (*frames[:index], bytes(changed), *frames[index + 1 :])

    def _arrive(self, connection: Connection, receiver: Process, at: float, what: Callable[[], None]) -> None:
        self.at(at, lambda: self._after_thaw(receiver, what) if connection.open else None)

    def _after_thaw(self, process: Process, what: Callable[[], None]) -> None:
        """Do it now, or when the process is frozen no more."""
        if process.frozen_until > self.now:
            self.at(process.frozen_until, lambda: self._after_thaw(process, what))
        else:
            what()

    # -- the end ----------------------------------------------------------------------------------------------------

    def heal(self, within: float) -> None:
        """Undo all faults, bring up what is down, and let everybody come to rest."""
        self.faults.clear()
        for process in (*self.servers.values(), *self.clients.values()):
            process.frozen_until = min(process.frozen_until, self.now)
        for server in self.servers.values():
            if not server.up:
                server.start()  # type: ignore[attr-defined]
        for publisher in self.servers.values():
            if isinstance(publisher, PublisherProcess):
                publisher.follow()
        self.record(history.Healed(self.now, within))
        self._settle(within)
        names = tuple(name for name, client in self.clients.items() if client.up)
        for name in names:
            self.clients[name].look()
        self.record(history.Ended(self.now, names))

    def _settle(self, within: float) -> None:
        end = self.now + within
        while self.now < end and not self.agreed():
            self.advance(0.25)

    def agreed(self) -> bool:
        """Return whether every client that is up is LIVE at the record's newest revision."""
        head = self.commits[-1].position
        return all(
            client.machine.phase == "LIVE" and client.machine.position == head
            for client in self.clients.values()
            if client.up
        )
