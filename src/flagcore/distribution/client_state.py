"""The client's machine (docs/design/wire.md section 5): bytes and time in, actions out. No sockets, threads, clocks or files.

    INIT -> CONNECTING -> SYNCING -> LIVE <-> STALE ; CLOSED

What it holds is served all the while; docs/design/machines.md draws the phases as built. Times are monotonic seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum
from random import Random

from flagcore.distribution.acknowledging import ACK_SECONDS, Acknowledging, failed_of
from flagcore.distribution.actions import (
    Action,
    Applied,
    Apply,
    ClientPhase,
    Connect,
    Forward,
    Report,
    Save,
    Send,
    SetStatus,
)
from flagcore.distribution.backoff import Backoff
from flagcore.distribution.control import (
    Begin,
    Bye,
    Counted,
    Credit,
    Current,
    Hello,
    Ping,
    Request,
    Retry,
    decode_answer,
    encode_control,
)
from flagcore.distribution.delta_buffer import DeltaBuffer
from flagcore.distribution.incoming import Incoming
from flagcore.distribution.position import NOWHERE, Position
from flagcore.distribution.replica import DivergedError, Replica, Standing
from flagcore.distribution.rotation import decode_rotation
from flagcore.distribution.staging import Staging
from flagcore.distribution.timers import Timers
from flagcore.distribution.wire import PROTO, Header, Kind, Message, WireError, is_welcome, parse
from flagcore.errors import SnapshotError
from flagcore.snapshot.delta import Delta, decode_delta
from flagcore.snapshot.limits import DEFAULT_LIMITS, Limits
from flagcore.snapshot.objects import Snapshot
from flagcore.snapshot.signature import VerifyKeys
from flagcore.snapshot.state_hash import STATE_HASH_BYTES, StateHash
from flagcore.terms import ProviderStatus

__all__ = ["CREDIT", "ClientState"]

SILENCE_SECONDS = 3.0  # without a bookmark: STALE, and the next endpoint
ATTEMPT_SECONDS = 5.0  # for a connection to be made
STALL_SECONDS = 3.0  # for an answer, or its next part
MOST_STALLS = 2  # answers that do not come, before another endpoint is tried
HELLO_SECONDS = 1.0  # between two HELLOs over one connection
HELLO_JITTER = 0.03  # seconds over which clients that miss the same delta spread their HELLOs
MOST_WAIT_SECONDS = 60.0  # that a server may ask for
SAVE_SECONDS = 1.0  # between two Save
CREDIT = 32  # messages of an answer that may be on the way; each half that came is granted anew


class _Timer(Enum):
    """What is due."""

    CONNECT = "connect"
    ATTEMPT = "attempt"
    HELLO = "hello"
    STALL = "stall"
    SILENCE = "silence"
    ACK = "ack"
    STATUS = "status"


_OF_SESSION = tuple(timer for timer in _Timer if timer is not _Timer.STATUS)


class ClientState:
    """Follows one environment. Every method that takes ``now`` returns the actions to perform, in their order.

    Any bytes may come; what is refused is counted by its reason in ``counters`` and changes nothing.
    """

    def __init__(
        self,
        environment_id: bytes,
        *,
        client_id: bytes,
        random: Random,
        endpoints: int = 1,
        keys: VerifyKeys | None = None,
        reader: int = 1,
        name: str = "",
        relaying: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Stand at INIT. ``keys`` None looks at no signature (section 7: loopback and ipc only); ``relaying`` asks for ``Forward``."""
        self.phase = ClientPhase.INIT
        self.counters: Counter[str] = Counter()
        self.confirmed: float | None = None  # when a bookmark last said that what is held is the newest
        self._replica = Replica()
        self._environment_id, self._client_id, self._name, self._reader = environment_id, client_id, name, reader
        self._keys, self._relaying, self._limits = keys, relaying, limits
        self._random, self._backoff = random, Backoff(random)
        self._endpoints = random.sample(range(endpoints), endpoints)
        self._timers: Timers[_Timer] = Timers()
        self._buffer = DeltaBuffer()
        self._acks = Acknowledging()
        self._actions: list[Action] = []
        self._now = 0.0  # of the call that is being answered
        self._refreshing = False  # a whole snapshot is wanted for others
        self._serving = False  # something was applied
        self._refused = False  # the server does not know our key
        self._fresh_until = 0.0
        self._told: tuple[ClientPhase, ProviderStatus] | None = None
        self._saved = NOWHERE
        self._save_from = 0.0
        self._rotated_us = 0
        self._hello_from = 0.0
        self._stalls = 0
        self._forget_session()
        both: dict[Kind, Callable[[Message], None]] = {
            Kind.ERROR: self._on_error,
            Kind.ROTATION: self._on_rotation,
            Kind.CLOSED: self._on_epoch_closed,
        }
        self._on_sub = {
            **both,
            Kind.DELTA: self._on_delta,
            Kind.NOTICE: self._on_notice_heard,
            Kind.BOOKMARK: self._on_bookmark,
        }
        self._on_dealer = {
            **both,
            Kind.DELTA: self._on_delta_sent,
            Kind.NOTICE: self._on_notice_sent,
            Kind.SNAPSHOT: self._on_chunk,
        }

    # -- how it stands ----------------------------------------------------------------------------------------------

    @property
    def position(self) -> Position:
        """The revision that is held and was handed out to be applied."""
        return self._replica.position

    @property
    def state_hash(self) -> bytes:
        """The hash of what is held."""
        return self._replica.state_hash

    @property
    def snapshot(self) -> Snapshot | None:
        """What is held; None without data."""
        return self._replica.snapshot

    @property
    def keys(self) -> VerifyKeys | None:
        """The keys that count by now: a rotation replaces those of the start."""
        return self._keys

    @property
    def deadline(self) -> float | None:
        """When ``tick`` is due; None: there is nothing to wait for."""
        return self._timers.deadline

    def status(self, now: float) -> ProviderStatus:
        """Return what the application sees (docs/design/design.md section 2)."""
        if self.phase is ClientPhase.CLOSED:
            return ProviderStatus.NOT_READY
        if not self._serving:
            return ProviderStatus.ERROR if self._refused else ProviderStatus.NOT_READY
        fresh = self.confirmed is not None and now < self._fresh_until
        return ProviderStatus.READY if fresh else ProviderStatus.STALE

    # -- what happens to it -----------------------------------------------------------------------------------------

    def restore(
        self,
        snapshot: Snapshot,
        now: float,
        *,
        state_hash: bytes | None = None,
        floor: Position = NOWHERE,
        confirmed: float | None = None,
    ) -> list[Action]:
        """Serve last known good, or a bootstrap, before ``start``; of several the newest. Nothing below ``floor`` is ever served.

        ``state_hash`` saves the time of hashing; who hashes later and finds another one says ``distrust``. ``confirmed`` is
        when another machine of this process's ancestors was last told that this is the newest.
        """
        self._now = now
        self._replica.floor = max(self._replica.floor, floor)
        if self._replica.takes_whole(Position(snapshot.epoch, snapshot.revision)):
            self._replica.replace(snapshot, state_hash or StateHash.of(snapshot).value)
            self._saved = self.position
            if confirmed is not None:
                self._confirmed_at(confirmed)
            self._hand_out(snapshot, None, urgent=False)
        else:
            self.counters["restore_refused"] += 1
        return self._done()

    def start(self, now: float) -> list[Action]:
        """Begin to connect."""
        self._now = now
        if self.phase is ClientPhase.INIT:
            self._connect()
        return self._done()

    def connected(self, now: float) -> list[Action]:
        """Both sockets have completed their handshakes, or have done so again."""
        self._begin(now)
        if self.phase not in (ClientPhase.INIT, ClientPhase.CLOSED):
            self._refused = False
            self._begin_session()
        return self._done()

    def disconnected(self, now: float) -> list[Action]:
        """The connection is lost, or could not be made."""
        self._begin(now)
        if _Timer.CONNECT in self._timers:  # the next endpoint's turn has come already
            self.phase = ClientPhase.CONNECTING
            self._forget_session()
        elif self.phase not in (ClientPhase.INIT, ClientPhase.CLOSED):
            self._lost(ClientPhase.CONNECTING)
        return self._done()

    def refused(self, now: float) -> list[Action]:
        """The server does not accept our key. It is asked again all the same: keys are issued while services run."""
        if self.phase not in (ClientPhase.INIT, ClientPhase.CLOSED):
            self._refused = True
            self.counters["key_refused"] += 1
        return self.disconnected(now)

    def received_sub(self, frames: Sequence[bytes], now: float) -> list[Action]:
        """Something came on SUB."""
        self._begin(now)
        if self._listens():
            if is_welcome(frames):
                self._ask()
            else:
                self._take(frames, self._on_sub)
        return self._done()

    def received_dealer(self, frames: Sequence[bytes], now: float) -> list[Action]:
        """Something came on DEALER: one frame of control, or a message."""
        self._begin(now)
        if self._listens():
            if len(frames) == 1:
                self._take_control(frames[0])
            else:
                self._count_credit()
                self._take(frames, self._on_dealer)
        return self._done()

    def applied(self, result: Applied, now: float) -> list[Action]:
        """The earliest ``Apply`` that was not answered yet went like this; to be said before anything else happens."""
        self._begin(now)
        apply = self._acks.heard(result)
        if apply is not None and self.phase is not ClientPhase.CLOSED:
            if result.refused:
                self._on_apply_refused(apply)
            else:
                self._on_applied(apply, result)
        return self._done()

    def distrust(self, now: float) -> list[Action]:
        """What was restored is not what its state hash says: serve on, and get a whole snapshot."""
        self._begin(now)
        self.counters["distrusted"] += 1
        self._need_whole()
        return self._done()

    def refresh(self, now: float) -> list[Action]:
        """For relays: get a whole snapshot to hand on, though what is held is good."""
        self._begin(now)
        self._refreshing = True
        self._ask()
        return self._done()

    def tick(self, now: float) -> list[Action]:
        """Time has passed."""
        self._begin(now)
        return self._done()

    def close(self, now: float) -> list[Action]:
        """Stop for ever."""
        self._now = now
        if self._greeted:
            self._send(Bye())
        self._timers.clear()
        self._forget_session()
        self.phase = ClientPhase.CLOSED
        return self._done()

    # -- time -------------------------------------------------------------------------------------------------------

    def _begin(self, now: float) -> None:
        """Note the time, and do first what is due: who was not let run for a while must not take old news for new."""
        self._now = now
        while (timer := self._timers.pop_due(now)) is not None:
            self._due(timer)

    def _due(self, timer: _Timer) -> None:
        match timer:
            case _Timer.CONNECT:
                self._connect()
            case _Timer.ATTEMPT:
                self._lost(ClientPhase.CONNECTING)
            case _Timer.HELLO:
                self._hello()
            case _Timer.STALL:
                self._stalled()
            case _Timer.SILENCE:
                self._silent()
            case _Timer.ACK:
                self._send_ack()
            case _Timer.STATUS:
                pass  # _done looks at the status

    def _silent(self) -> None:
        """Nothing was heard for too long; an answer that still comes in is let come."""
        if self._asking and self._now < self._progress + STALL_SECONDS:
            self._timers.set(_Timer.SILENCE, self._progress + STALL_SECONDS)
        else:
            self.counters["silences"] += 1
            self._lost(ClientPhase.STALE)

    def _stalled(self) -> None:
        self.counters["stalls"] += 1
        self._stalls += 1
        self._drop_incoming()
        if self._stalls >= MOST_STALLS:
            self._lost(ClientPhase.STALE)
        else:
            self._ask(self._backoff.failed())

    # -- connections ------------------------------------------------------------------------------------------------

    def _forget_session(self) -> None:
        self._greeted = False  # HELLO was said over this connection
        self._answered: Position | None = None  # where the complete answer to the latest HELLO led
        self._seen: Position | None = None  # the newest bookmark of this connection
        self._drop_incoming()
        self._taken = 0  # messages since credit was last granted
        self._progress = 0.0
        self._buffer.clear()

    def _connect(self) -> None:
        self._forget_session()
        self._timers.cancel(*_OF_SESSION)
        self.phase = ClientPhase.CONNECTING
        self._timers.set(_Timer.ATTEMPT, self._now + ATTEMPT_SECONDS)
        self._act(Connect(self._endpoints[0]))

    def _begin_session(self) -> None:
        self._forget_session()
        self._timers.cancel(*_OF_SESSION)
        self._stalls, self._hello_from = 0, 0.0
        self.phase = ClientPhase.SYNCING
        self._timers.set(_Timer.SILENCE, self._now + SILENCE_SECONDS)
        self._ask()

    def _lost(self, phase: ClientPhase) -> None:
        """Turn to the next endpoint after a while; until then what still comes on the old sockets counts."""
        self._endpoints.append(self._endpoints.pop(0))
        self._timers.cancel(*_OF_SESSION)
        self._timers.set(_Timer.CONNECT, self._now + self._backoff.failed())
        self.phase = phase
        self._answered = self._seen = None  # what is still on its way was said long ago
        if phase is ClientPhase.CONNECTING:
            self._forget_session()

    def _listens(self) -> bool:
        return self.phase in (ClientPhase.SYNCING, ClientPhase.LIVE, ClientPhase.STALE)

    # -- asking -----------------------------------------------------------------------------------------------------

    @property
    def _asking(self) -> bool:
        """Whether HELLO was said and its answer is not complete."""
        return _Timer.STALL in self._timers

    def _ask(self, wait: float = 0.0) -> None:
        """Say HELLO soon, unless that is under way."""
        if not self._listens() or self._asking or _Timer.HELLO in self._timers:
            return
        at = max(self._now + wait + self._random.uniform(0.0, HELLO_JITTER), self._hello_from)
        self._timers.set(_Timer.HELLO, at)
        if self.phase is ClientPhase.LIVE:
            self.phase = ClientPhase.SYNCING

    def _hello(self) -> None:
        position, state_hash = self.position, self.state_hash
        if self._replica.whole_needed or self._refreshing:
            position, state_hash = NOWHERE, bytes(STATE_HASH_BYTES)
        self._send(Hello(self._environment_id, *position, state_hash, PROTO, self._reader, self._client_id, self._name))
        self._greeted, self._answered = True, None
        self._drop_incoming()
        self._taken, self._progress = 0, self._now
        self._hello_from = self._now + HELLO_SECONDS
        self._timers.set(_Timer.STALL, self._now + STALL_SECONDS)

    def _ask_again(self, wait: float) -> None:
        """Give up what is coming in, and ask anew after a while."""
        self._timers.cancel(_Timer.STALL)
        self._drop_incoming()
        self._ask(wait)

    def _drop_incoming(self) -> None:
        self._incoming: Incoming | None = None
        self._notice: Message | None = None  # whose objects are to come next
        self._staging: Staging | None = None  # a snapshot that came, and may not be served yet

    def _need_whole(self) -> None:
        """What is held cannot be built upon: ask for a whole snapshot, and serve on."""
        self._replica.whole_needed = True
        self.confirmed = None
        self._ask_again(0.0)

    def _count_credit(self) -> None:
        """Note that an answer goes on, and let more of it come."""
        if not self._asking:
            return
        self._stalls = 0
        self._progress = self._now
        self._timers.set(_Timer.STALL, self._now + STALL_SECONDS)
        self._taken += 1
        if self._taken >= CREDIT // 2:
            self._send(Credit(self._taken))
            self._taken = 0

    # -- control ----------------------------------------------------------------------------------------------------

    def _take_control(self, frame: bytes) -> None:
        try:
            answer = decode_answer(frame, self._limits)
        except WireError as error:
            self.counters[error.reason.value] += 1
            return
        match answer:
            case Current():
                self._count_credit()
                self._on_current(Position(answer.epoch, answer.revision))
            case Begin():
                self._count_credit()
                self._on_begin(answer)
            case Retry():
                self._on_retry(answer.after_ms / 1000.0)
            case Ping():
                self._send_ack()
            case Counted():
                pass  # whoever sent the counts looks for it

    def _on_current(self, position: Position) -> None:
        if not self._asking:
            self.counters["stray"] += 1
            return
        self._timers.cancel(_Timer.STALL)
        self._answered = position
        self._drop_incoming()
        self._send_ack()
        self._conclude()

    def _on_retry(self, wait: float) -> None:
        if self._asking:
            self.counters["told_to_wait"] += 1
            self._ask_again(min(wait, MOST_WAIT_SECONDS) + self._backoff.failed())

    def _on_begin(self, begin: Begin) -> None:
        position = Position(begin.epoch, begin.revision)
        notice, self._notice = self._notice, None
        if notice is not None and (notice.header.epoch, notice.header.revision) != position:
            notice = None
        if not self._asking or (notice is None and not self._wants_whole(position)):
            self.counters["begin_refused"] += 1
            return
        try:
            self._incoming = Incoming(begin, notice, self._limits, self._relaying)
        except (SnapshotError, WireError) as error:
            self._cannot_use(error)

    def _wants_whole(self, position: Position) -> bool:
        """Return whether a snapshot helps: one that must be led forwards first does where there is nothing to build upon."""
        replica = self._replica
        helps = self._refreshing or replica.whole_needed or replica.snapshot is None
        return replica.takes_whole(position) or (helps and position.epoch >= replica.floor.epoch)

    # -- messages ---------------------------------------------------------------------------------------------------

    def _take(self, frames: Sequence[bytes], handlers: dict[Kind, Callable[[Message], None]]) -> None:
        try:
            message = parse(frames, self._keys, self._environment_id, self._limits)
        except WireError as error:
            self.counters[error.reason.value] += 1
            return
        handler = handlers.get(message.kind)
        if handler is None:
            self.counters["stray"] += 1
        else:
            handler(message)

    def _on_delta(self, message: Message) -> None:
        standing = self._replica.standing(message.header)
        if standing is Standing.NEXT:
            self._follow(message)
            self._drain()
        elif standing is Standing.AHEAD:
            self._keep(message)
            self._ask()
        else:
            self.counters[standing.value] += 1

    def _on_delta_sent(self, message: Message) -> None:
        """A part of an answer leads on what is aside, or what is served."""
        staging = self._staging
        if staging is None or not staging.is_next(message.header):
            self._on_delta(message)
            return
        try:
            staging.follow(message.header, decode_delta(message.raw(), self._limits), [message])
        except (SnapshotError, WireError) as error:
            self._cannot_use(error)
        else:
            self._lift(staging)

    def _on_notice_heard(self, message: Message) -> None:
        """A transaction is too large to be sent to everybody: the answer to HELLO brings its objects."""
        standing = self._replica.standing(message.header)
        if standing in (Standing.NEXT, Standing.AHEAD):
            self._ask()
        else:
            self.counters[standing.value] += 1

    def _on_notice_sent(self, message: Message) -> None:
        """The objects of this transaction come next."""
        staged = self._staging is not None and self._staging.is_next(message.header)
        standing = Standing.NEXT if staged else self._replica.standing(message.header)
        if self._asking and standing is Standing.NEXT:
            self._notice = message
        else:
            self.counters[standing.value] += 1

    def _on_bookmark(self, message: Message) -> None:
        header, position = message.header, self.position
        marked = Position(header.epoch, header.revision)
        if marked < max(position, self._replica.floor):
            self.counters["behind"] += 1
            return
        self._heard(marked)
        if marked == position and not self._replica.whole_needed:
            if header.state_hash != self.state_hash:
                self._diverged(f"bookmark {marked} has another state hash")
                return
            if self._answered is not None and marked >= self._answered:
                self._confirm(message)
        self._conclude()

    def _on_chunk(self, message: Message) -> None:
        incoming = self._incoming
        if incoming is None:
            self.counters["stray"] += 1
            return
        try:
            if incoming.add(message):
                self._incoming = None
                self._take_complete(incoming, message)
        except DivergedError as error:
            self._diverged(str(error))
        except (SnapshotError, WireError) as error:
            self._cannot_use(error)

    def _on_error(self, message: Message) -> None:
        """What cannot be answered now is said by a signed message where there is no CURVE; its body is a frame of control."""
        try:
            answer = decode_answer(message.raw(), self._limits)
        except WireError as error:
            self.counters[error.reason.value] += 1
            return
        if isinstance(answer, Retry):
            self._on_retry(answer.after_ms / 1000.0)

    def _on_rotation(self, message: Message) -> None:
        """From here on other keys count. Its time must rise: an older rotation that comes again brings no old key back."""
        if message.header.commit_time_us <= self._rotated_us:
            self.counters["seen"] += 1
            return
        try:
            publics = decode_rotation(message.raw())
            self._keys = None if self._keys is None else VerifyKeys(publics)
        except (SnapshotError, WireError) as error:
            self._report("undecodable", f"a key rotation: {error}")
            return
        self._rotated_us = message.header.commit_time_us
        self._forward([message])

    def _on_epoch_closed(self, message: Message) -> None:
        if message.header.epoch < self._replica.floor.epoch:
            self.counters["old_epoch"] += 1
            return
        self._replica.close_epoch(message.header.epoch)
        self._forward([message])
        self._ask()

    # -- moving -----------------------------------------------------------------------------------------------------

    def _follow(self, message: Message) -> bool:
        """Apply the delta that is next; returns whether it could be."""
        try:
            delta = decode_delta(message.raw(), self._limits)
            self._step(message.header, delta, [message])
        except DivergedError as error:
            self._diverged(str(error))
            return False
        except (SnapshotError, WireError) as error:
            self._replica.whole_needed = True  # what cannot be read is gone round by a whole snapshot
            self._cannot_use(error)
            return False
        return True

    def _step(self, header: Header, delta: Delta, messages: list[Message]) -> None:
        """Move to the next revision; raises as ``Replica.follow`` does."""
        self._hand_out(self._replica.follow(header, delta), delta, delta.urgent)
        self._forward(messages)

    def _take_complete(self, incoming: Incoming, last: Message) -> None:
        """Take what came in chunks: raises what ``Incoming`` and ``Replica.follow`` raise."""
        notice, staging = incoming.notice, self._staging
        if notice is None:
            staging = self._staging = Staging(*incoming.snapshot(last.header), incoming.messages)
            self._lift(staging)
        elif staging is not None and staging.is_next(notice.header):
            staging.follow(notice.header, incoming.delta(), [notice, *incoming.messages])
            self._lift(staging)
        elif self._replica.standing(notice.header) is Standing.NEXT:
            self._step(notice.header, incoming.delta(), [notice, *incoming.messages])
            self._drain()

    def _lift(self, staging: Staging) -> None:
        """Serve what grew aside as soon as it is not older than what is served; relays hand it on in any case."""
        if staging.position < max(self.position, self._replica.floor):
            return
        snapshot = staging.lift(self._replica)
        if snapshot is not None:
            self._hand_out(snapshot, None, urgent=False)
        self._staging, self._refreshing = None, False
        self._forward(staging.messages)
        self._drain()

    def _on_applied(self, apply: Apply, result: Applied) -> None:
        self._serving = True
        failed = failed_of(apply, result)
        if failed:
            self._report("degraded", f"{len(failed)} objects of {apply.position} keep their previous version")
        self._schedule_ack(apply.urgent)

    def _on_apply_refused(self, apply: Apply) -> None:
        self._report("apply-failed", f"revision {apply.position} could not be applied; the one before is served")
        if not self._acks.outstanding:  # else a later one, whole as each is, may succeed
            self._need_whole()

    def _drain(self) -> None:
        """Apply what was buffered and follows now."""
        while not self._replica.whole_needed and (message := self._buffer.take(self.position)) is not None:
            if not self._follow(message):
                return
        self._conclude()

    def _keep(self, message: Message) -> None:
        self.counters["buffered"] += 1
        if not self._buffer.add(message):
            self.counters["buffer_dropped"] += 1

    def _hand_out(self, snapshot: Snapshot, delta: Delta | None, urgent: bool) -> None:
        apply = Apply(snapshot, delta, urgent)
        self._acks.handed_out(apply)
        self._act(apply)

    def _cannot_use(self, error: SnapshotError | WireError) -> None:
        """Something that is signed cannot be used: keep what is held, and ask again, ever more rarely."""
        self._report("undecodable", str(error))
        self._ask_again(self._backoff.failed())

    def _diverged(self, text: str) -> None:
        self._report("diverged", text)
        self._need_whole()

    # -- being live -------------------------------------------------------------------------------------------------

    def _heard(self, marked: Position) -> None:
        """The stream is alive."""
        self._seen = marked if self._seen is None else max(self._seen, marked)
        self._timers.set(_Timer.SILENCE, self._now + SILENCE_SECONDS)
        if self.phase is ClientPhase.STALE:
            self._timers.cancel(_Timer.CONNECT)
            self.phase = ClientPhase.SYNCING
            self._ask()

    def _confirmed_at(self, when: float) -> None:
        self.confirmed, self._fresh_until = when, when + SILENCE_SECONDS
        self._timers.set(_Timer.STATUS, self._fresh_until)

    def _confirm(self, message: Message) -> None:
        """What is held is the newest."""
        self._confirmed_at(self._now)
        if self.position != self._saved and self._now >= self._save_from and self._replica.snapshot is not None:
            self._saved, self._save_from = self.position, self._now + SAVE_SECONDS
            self._act(Save(message.frames, self._replica.snapshot))
        self._forward([message])

    def _conclude(self) -> None:
        """Be LIVE where the answer is complete and a bookmark at or after it has come; ask where something is missing."""
        if self._seen is not None and self._seen > self.position:
            self._ask()
        elif self._answered is not None and not self._asking and self.phase is ClientPhase.SYNCING:
            if self._replica.whole_needed or self.position < self._answered:
                self._ask()
            elif self._seen is not None and self._seen >= self._answered and _Timer.HELLO not in self._timers:
                self._backoff.succeeded()
                self.phase = ClientPhase.LIVE

    # -- telling ----------------------------------------------------------------------------------------------------

    def _schedule_ack(self, urgent: bool) -> None:
        if not self._greeted:
            return
        if urgent:
            self._send_ack()
        elif _Timer.ACK not in self._timers:
            self._timers.set(_Timer.ACK, self._now + ACK_SECONDS)

    def _send_ack(self) -> None:
        self._timers.cancel(_Timer.ACK)
        ack = self._acks.ack()
        if ack is not None and self._greeted:
            self._send(ack)

    def _send(self, request: Request) -> None:
        self._act(Send(encode_control(request)))

    def _forward(self, messages: list[Message]) -> None:
        if self._relaying:
            self._act(Forward(tuple(messages)))

    def _report(self, problem: str, text: str) -> None:
        self.counters[problem.replace("-", "_")] += 1
        self._act(Report(problem, text))

    def _act(self, action: Action) -> None:
        self._actions.append(action)

    def _done(self) -> list[Action]:
        """Return the actions of this call; a new phase or status is the last of them, and waits for what is to be applied."""
        told = (self.phase, self.status(self._now))
        if told != self._told and not self._acks.outstanding:
            self._told = told
            self._act(SetStatus(*told, self._now))
        actions, self._actions = self._actions, []
        return actions
