"""Flags to services: a publisher binds its sockets, numbers what it is given, sends it, and says who has applied it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from flagcore.distribution.actions import Action, Done
from flagcore.distribution.control import Hello, decode_request
from flagcore.distribution.counting import is_counts, taken
from flagcore.distribution.keys import Admission
from flagcore.distribution.position import Position
from flagcore.distribution.publisher_record import PublisherRecord
from flagcore.distribution.publisher_state import PublisherState
from flagcore.distribution.receipts import Receipt
from flagcore.distribution.server_state import ServerState
from flagcore.distribution.transports.zmq_endpoints import ServerCurve
from flagcore.distribution.transports.zmq_server import ZmqServerLoop
from flagcore.distribution.wire import LOCAL_ENVIRONMENT, WELCOME, WireError
from flagcore.errors import SnapshotError
from flagcore.snapshot.delta import Delta
from flagcore.snapshot.signature import SigningKey
from flagcore.snapshot.state_hash import StateHash
from flagcore.telemetry.ledger import CountsLedger
from flagcore.telemetry.sink import JsonLinesSink

if TYPE_CHECKING:
    from typing import Self

    from flagcore.distribution.keys import Keyring
    from flagcore.snapshot.objects import Snapshot
    from flagcore.telemetry.counts import CountsBatch

__all__ = ["Publisher"]

T = TypeVar("T")
ANSWER_SECONDS = 30.0  # that the thread may take for one call; it is never busy that long


class Publisher:
    """Publishes environments at ``bind`` until it is closed. From any thread; not to be used across a fork.

    With a ``keyring`` its environments are published to the services that it admits; without one there is the one local
    environment, signed by a key made now, for whoever is on this machine: only loopback and ipc can be bound then. ``state`` is
    the path of the file by which revisions go on rising over restarts, ``counts`` that of a file to which the services' counts of
    evaluations are appended, a JSON line a batch.

    Raises:
        SettingsError: the address cannot be bound, or not without keys; the state file is in use.
    """

    def __init__(
        self,
        bind: str,
        *,
        keyring: Keyring | None = None,
        state: str | None = None,
        counts: str | None = None,
        perform: Callable[[Action], None] = lambda _: None,
    ) -> None:
        self._signer = SigningKey.generate() if keyring is None else keyring.signer()
        self._verify = (self._signer.public,) if keyring is None else keyring.verify()
        self._admission = None if keyring is None else Admission(keyring)
        # Until its first snapshot an environment has no data, and says so to whoever asks.
        self._machines: dict[bytes, ServerState] = {
            environment_id: ServerState(environment_id, time.monotonic()) for environment_id in _names(keyring)
        }
        self._record = PublisherRecord(state)
        self._others = perform
        self._names = _names(keyring)
        self._ledger = CountsLedger()
        self._waiting: dict[int, threading.Event] = {}  # by the id of the receipt, which lives as long
        self._loop = ZmqServerLoop(
            bind,
            self._machines,
            welcome=WELCOME,
            environment_of=_environment_of,
            perform=self._perform,
            counts=self._count,
            curve=None if keyring is None else ServerCurve(keyring.server_secret),
            admission=self._admission,
        )
        self._sink = None if counts is None else JsonLinesSink(counts)
        try:
            self._loop.start()
        except BaseException:
            self._close_files()
            raise

    @property
    def endpoint(self) -> str:
        """The address to connect to."""
        return self._loop.endpoint

    @property
    def counters(self) -> dict[str, int]:
        """What was refused and dropped since the start, over all environments."""
        counters = dict(self._loop.counters)
        for machine in tuple(self._machines.values()):
            for name, count in tuple(machine.counters.items()):
                counters[name] = counters.get(name, 0) + count
        return counters

    def position(self, environment_id: bytes | None = None) -> Position:
        """Return the newest revision of an environment; of the only one, where none is named."""
        return self._machines[self._named(environment_id)].position

    def clients(self, environment_id: bytes | None = None) -> dict[bytes, Position]:
        """Return what each connected client has said it applied, by client id."""
        named = self._named(environment_id)
        return self._within(lambda _: ((), self._machines[named].clients))

    def publish(
        self,
        change: Snapshot | Delta,
        *,
        environment_id: bytes | None = None,
        wait: Literal["all"] | None = None,
        urgent: bool = False,
        timeout: float = 10.0,
    ) -> Receipt:
        """Send what changed to everybody, as the next revision; the numbers in a snapshot or delta do not count.

        A delta, on what is served, costs what it holds; of a snapshot every object is compared first.
        With ``wait="all"`` this returns when every connected client has applied it, after ``timeout`` seconds at the latest:
        ``receipt.complete`` says whether they have, ``receipt.waiting`` and ``receipt.lost`` who has not. ``urgent`` lets
        clients acknowledge at once.

        Raises:
            SnapshotError: a delta before any snapshot, or an object that is larger than the limits allow.
        """
        named = self._named(environment_id)
        over = threading.Event()

        def publish(now: float) -> tuple[Iterable[Action], Receipt]:
            actions, receipt = self._publish(named, change, now, urgent or wait == "all", wait == "all", timeout)
            if wait is not None and not receipt.over:
                self._waiting[id(receipt)] = over
            return actions, receipt

        receipt = self._within(publish)
        if wait is not None:
            if not receipt.over:
                over.wait(timeout + 1.0)
            self._waiting.pop(id(receipt), None)
        return receipt

    def follow(self, keyring: Keyring) -> None:
        """Go by a later keyring of the same server from here on: lets new services in, cuts the revoked ones off, rotates keys.

        Raises:
            ValueError: this publisher was made without a keyring.
        """
        admission = self._admission
        if admission is None:
            raise ValueError("this publisher goes by no keyring")

        def follow(now: float) -> tuple[Iterable[Action], None]:
            self._names = _names(keyring)
            for environment_id in self._names:
                self._machines.setdefault(environment_id, ServerState(environment_id, now))
            for user in admission.follow(keyring):
                self._loop.cut(user)
            return self._rotated(keyring, now), None

        self._within(follow)

    def close(self) -> None:
        """End the sockets, within a second. Idempotent."""
        self._loop.close()
        self._close_files()

    def _close_files(self) -> None:
        self._record.close()
        if self._sink is not None:
            self._sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def _named(self, environment_id: bytes | None) -> bytes:
        if environment_id is None and len(self._machines) == 1:
            return next(iter(self._machines))
        if environment_id is None or environment_id not in self._machines:
            raise ValueError(f"this publisher has no environment {environment_id!r}")
        return environment_id

    # -- in the thread ------------------------------------------------------------------------------------------------

    def _within(self, work: Callable[[float], tuple[Iterable[Action], T]]) -> T:
        """Do something with the machines in the thread that owns them, carry its actions out, and return its answer."""
        answer: Future[T] = Future()

        def run() -> None:
            try:
                actions, result = work(time.monotonic())
                self._loop.do_now(actions)
            except Exception as error:  # noqa: BLE001 - whoever called gets it
                answer.set_exception(error)
            else:
                answer.set_result(result)

        if not self._loop.call(run):
            raise RuntimeError("the publisher is closed")
        return answer.result(ANSWER_SECONDS)

    def _publish(
        self, named: bytes, change: Snapshot | Delta, now: float, urgent: bool, wait: bool, timeout: float
    ) -> tuple[Iterable[Action], Receipt]:
        machine = self._machines[named]
        if not isinstance(machine, PublisherState):
            return self._first(named, change, now)
        numbered = _numbered(change, *machine.position, urgent)
        actions, receipt = machine.publish(numbered, now, urgent=urgent, wait=wait, timeout=timeout)
        self._record.note(named, machine.position, machine.state_hash)
        return actions, receipt

    def _first(self, named: bytes, snapshot: Snapshot | Delta, now: float) -> tuple[Iterable[Action], Receipt]:
        """Begin to serve an environment where its history goes on."""
        if isinstance(snapshot, Delta):
            raise SnapshotError("the first that is published of an environment is a snapshot")
        position = self._record.resume(named, StateHash.of(snapshot).value)
        numbered = msgspec.structs.replace(snapshot, epoch=position.epoch, revision=position.revision)
        offset = time.time_ns() // 1000 - int(now * 1e6)
        machine = PublisherState(named, self._signer, numbered, now, wall_offset_us=offset)
        self._record.note(named, position, machine.state_hash)
        self._machines[named] = machine
        receipt = Receipt(position, set(), None)
        receipt.over = True
        return machine.subscribed(now), receipt

    def _rotated(self, keyring: Keyring, now: float) -> list[Action]:
        """Tell the services which signing keys count from here on, where they are not those of before."""
        verify, self._verify = self._verify, keyring.verify()
        if verify == self._verify:
            return []
        self._signer = keyring.signer()
        machines = [machine for machine in self._machines.values() if isinstance(machine, PublisherState)]
        return [action for machine in machines for action in machine.rotate(self._verify, now, self._signer)]

    def _count(self, environment_id: bytes, frame: bytes) -> bytes | None:
        """Keep the counts that a service sent, once; returns its receipt, None for any other frame."""
        return taken(frame, self._ledger, partial(self._keep, environment_id)) if is_counts(frame) else None

    def _keep(self, environment_id: bytes, source: bytes, batch: CountsBatch) -> None:
        if self._sink is not None:
            self._sink.take(self._names.get(environment_id, ""), source, batch)

    def _perform(self, action: Action) -> None:
        if isinstance(action, Done):
            if (over := self._waiting.get(id(action.receipt))) is not None:
                over.set()
        else:
            self._others(action)


def _names(keyring: Keyring | None) -> dict[bytes, str]:
    """Return environment id -> name."""
    return {LOCAL_ENVIRONMENT: "local"} if keyring is None else {found.id: found.name for found in keyring.environments}


def _numbered(change: Snapshot | Delta, epoch: int, revision: int, urgent: bool) -> Snapshot | Delta:
    """Return the change as what follows on a position."""
    if isinstance(change, Delta):
        urgent = urgent or change.urgent
        return msgspec.structs.replace(change, epoch=epoch, base=revision, revision=revision + 1, urgent=urgent)
    return msgspec.structs.replace(change, epoch=epoch, revision=revision + 1)


def _environment_of(frame: bytes) -> bytes | None:
    """Return the environment that a greeting asks for; None for any other frame."""
    try:
        request = decode_request(frame)
    except WireError:
        return None
    return request.environment_id if isinstance(request, Hello) else None
