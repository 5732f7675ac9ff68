"""Flags from a publisher: a source that follows it by a connection of its own, one thread a client.

The machine (``client_state``) decides, the transport moves bytes; here revisions reach the engine, and what is known about them
reaches the application. Nothing is opened before a client is made, and a forked child makes a connection of its own.
"""

from __future__ import annotations

import atexit
import os
import time
import weakref
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import msgspec

from flagcore.distribution.actions import Action, Applied, Apply, Report, Save, SetStatus
from flagcore.distribution.bootstrap import newer_bootstrap
from flagcore.distribution.breathing import Breather
from flagcore.distribution.client_state import ClientState
from flagcore.distribution.counting import CountingMachine, Growth, wall_us
from flagcore.distribution.forks import is_master_of_uwsgi, threads_run
from flagcore.distribution.keys import SdkKey
from flagcore.distribution.last_good import LastGood, Saved, folder_of
from flagcore.distribution.saving import Saver
from flagcore.distribution.source import Source, SourceState, log
from flagcore.distribution.transports.zmq_client import ZmqClientLoop
from flagcore.distribution.transports.zmq_endpoints import (
    ClientCurve,
    control_endpoint,
    is_private,
    require_curve,
)
from flagcore.distribution.wire import LOCAL_ENVIRONMENT, WELCOME, prefix
from flagcore.errors import FlagcoreError, Problem, SettingsError
from flagcore.snapshot.objects import Snapshot
from flagcore.terms import ProviderStatus

if TYPE_CHECKING:
    from flagcore.engine import Engine
    from flagcore.snapshot.signature import VerifyKeys

__all__ = ["LiveSource", "Subscription", "open_live"]

FORK_SECONDS = 0.1  # before a child connects: most children that only exec are gone by then
EXIT_SECONDS = 0.9  # that all connections of a process have for their end when it ends


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """What to follow, and as whom."""

    endpoints: tuple[str, ...]
    environment_id: bytes
    curve: ClientCurve | None = None  # None: loopback and ipc, without keys
    verify: VerifyKeys | None = None
    folder: str | None = None  # of last known good; None: it is not kept
    bootstrap: str | None = None  # path of a compiled file that is served until something newer is there


def open_live(
    engine: Engine,
    source: str,
    *,
    sdk_key: str | None,
    wait: float,
    cache_dir: str | None,
    bootstrap: str | None = None,
) -> LiveSource:
    """Return a source that follows the publishers at ``source``, addresses with commas between.

    Raises:
        SettingsError: an address is none, or needs a key; the key is none, or libzmq knows no CURVE.
    """
    endpoints = tuple(part.strip() for part in source.split(",") if part.strip())
    for endpoint in endpoints:
        control_endpoint(endpoint)  # raises for what is no address
        if sdk_key is None and not is_private(endpoint):
            raise SettingsError(
                f"{endpoint}: a publisher that is not on this machine needs sdk_key=, or FLAGCORE_SDK_KEY"
            )
    return LiveSource(engine, _subscription(endpoints, sdk_key, cache_dir, bootstrap), wait=wait)


def _subscription(
    endpoints: tuple[str, ...], sdk_key: str | None, cache_dir: str | None, bootstrap: str | None
) -> Subscription:
    if sdk_key is None:
        # Whatever is published on this machine without keys is the same environment: it is kept only where somebody says so.
        folder = folder_of(cache_dir, LOCAL_ENVIRONMENT) if cache_dir else None
        return Subscription(endpoints=endpoints, environment_id=LOCAL_ENVIRONMENT, folder=folder, bootstrap=bootstrap)
    require_curve()
    key = SdkKey.parse(sdk_key)
    return Subscription(
        endpoints=endpoints,
        environment_id=key.environment_id,
        curve=ClientCurve(key.public, key.secret, key.server),
        verify=key.verify_keys(),
        folder=None if cache_dir == "" else folder_of(cache_dir, key.environment_id),
        bootstrap=bootstrap,
    )


class LiveSource(Source):
    """Serves what the publishers at the endpoints of ``subscription`` publish.

    Returns when it is up to date, or refused, and after ``wait`` seconds at the latest; never raises because a server is away.

    Raises:
        SettingsError: an endpoint is no address, keys are given and libzmq knows no CURVE, or uWSGI runs without threads.
    """

    def __init__(self, engine: Engine, subscription: Subscription, *, wait: float = 2.0) -> None:
        if not threads_run():
            raise SettingsError("live flags need threads, and uWSGI runs none: start it with --enable-threads")
        super().__init__(engine)
        self._subscription = subscription
        self._served: Snapshot | None = None  # what the engine was given last
        self._reported: str | None = None
        self._machine = self._new_machine()
        self._loop = self._new_loop()
        self._saver = self._new_saver()
        self._load_kept()
        self._rests = False  # in a process that only makes others: what is there is served, nothing is followed
        self._loop.start()
        _live.add(self)
        self._wait_until_fresh(wait)
        if is_master_of_uwsgi():
            self._rest()

    def describe(self) -> str:
        """Return the addresses."""
        return ",".join(self._subscription.endpoints)

    @property
    def age(self) -> float | None:
        """Seconds since a bookmark said that the served revision is the newest; None without data."""
        confirmed = self._confirmed
        return None if confirmed is None or not self._has_data else max(0.0, time.monotonic() - confirmed)

    @property
    def counters(self) -> dict[str, int]:
        """What the connection met since the start: refused and passed-over messages by reason, gaps, stalls."""
        return dict(self._machine.counters)

    def close(self) -> None:
        """End connection and thread, within a second, and the answers."""
        _live.discard(self)
        self._loop.close()
        if self._saver is not None:
            self._saver.close()
        super().close()

    def _new_machine(self) -> ClientState:
        subscription = self._subscription
        return ClientState(
            subscription.environment_id,
            client_id=os.urandom(16),
            random=Random(),  # noqa: S311 - spreads clients over time
            endpoints=len(subscription.endpoints),
            keys=subscription.verify,
            name=f"{os.uname().nodename}:{os.getpid()}",
        )

    def _new_loop(self) -> ZmqClientLoop:
        subscription, engine = self._subscription, self._engine
        return ZmqClientLoop(
            subscription.endpoints,
            (prefix(subscription.environment_id), WELCOME),
            self._counting(),
            self._perform,
            curve=subscription.curve,
            wanted=lambda: engine() is not None,
        )

    def _counting(self) -> CountingMachine:
        """Return the machine as the transport drives it: counts go back by the same way."""
        engine = self._engine

        def read() -> dict[str, dict[tuple[str | None, str | None, str], int]]:
            found = engine()
            return {} if found is None else found.counters()

        def lost() -> int:
            found = engine()
            return 0 if found is None else found.uncounted

        return CountingMachine(self._machine, os.urandom(16), Growth(read), time.monotonic(), wall_us, lost)

    def _new_saver(self) -> Saver | None:
        last_good = self._new_last_good()
        return None if last_good is None else Saver(last_good)

    def _new_last_good(self) -> LastGood | None:
        given = self._subscription
        return None if given.folder is None else LastGood(given.folder, given.environment_id, given.verify)

    def _load_kept(self) -> None:
        """Serve, at once, the last known good flags, or those of the bootstrap file where these are newer.

        Whether all that was kept was signed for is looked at in the thread, before anything builds on it.
        """
        last_good = self._new_last_good()
        saved = None if last_good is None else last_good.load()
        for problem in () if last_good is None else last_good.problems:
            log.warning("last known good flags that cannot be used: %s", problem)
        bootstrap = self._load_bootstrap((-1, -1) if saved is None else (saved.header.epoch, saved.header.revision))
        if bootstrap is not None:
            self._serve_kept(bootstrap, None)
            self._loop.begin_with(lambda now: self._machine.restore(bootstrap, now))
        elif last_good is not None and saved is not None:
            age = max(0.0, time.time() - saved.header.commit_time_us / 1e6)
            self._serve_kept(saved.snapshot, time.monotonic() - age)
            self._loop.begin_with(lambda now: self._check_last_good(last_good, saved, now))

    def _load_bootstrap(self, above: tuple[int, int] = (-1, -1)) -> Snapshot | None:
        given = self._subscription
        if given.bootstrap is None:
            return None
        return newer_bootstrap(given.bootstrap, given.environment_id, given.verify, above)

    def _serve_kept(self, snapshot: Snapshot, confirmed: float | None) -> None:
        super()._swap(snapshot)  # nobody evaluates yet
        self._served = snapshot
        self._settle(SourceState(ProviderStatus.STALE, self._degraded(), None, confirmed))

    def _wait_until_fresh(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self.state.status in (ProviderStatus.READY, ProviderStatus.ERROR) or not self.waits, seconds
            )

    def _rest(self) -> None:
        """Follow nothing, and serve what is there, in a process that only makes others."""
        self._rests = True
        self._loop.close()
        if self._saver is not None:
            self._saver.close()

    # -- in the thread ------------------------------------------------------------------------------------------------

    def _swap(self, snapshot: Snapshot) -> frozenset[str]:
        """Hand a revision to the engine, while the application's threads go on evaluating."""
        engine = self._engine()
        return frozenset() if engine is None else engine.load(snapshot, Breather())

    def _perform(self, action: Action) -> Iterable[Action]:
        match action:
            case Apply():
                return self._apply(action)
            case SetStatus():
                self._set_status(action)
            case Report():
                self._report(action)
            case Save() if self._saver is not None:
                self._saver.save(action.bookmark, action.snapshot)
        return ()

    def _apply(self, apply: Apply) -> list[Action]:
        """Serve a revision; listeners hear of it when the acknowledgement is out."""
        begun = time.perf_counter_ns()
        try:
            changed = frozenset() if apply.snapshot is self._served else self._swap(apply.snapshot)
        except Exception as error:  # noqa: BLE001 - out of memory, or a bug: the revision before goes on
            log.exception("revision %s could not be applied", apply.position)
            self._reported = str(error) or type(error).__name__
            return self._machine.applied(Applied(refused=True), time.monotonic())
        self._served = apply.snapshot
        problems = self._degraded()
        if problems or self.state.problems:
            self._settle(msgspec.structs.replace(self.state, problems=problems))
        if changed:
            self._loop.call(lambda: self._announce(changed))
        took = (time.perf_counter_ns() - begun) // 1000
        failed = tuple(problem.path.replace("flags.", "p/", 1) for problem in problems)
        return self._machine.applied(Applied(took, failed), time.monotonic())

    def _degraded(self) -> tuple[Problem, ...]:
        """Return a problem for each flag that the engine refused and serves as it was before, or not at all."""
        engine = self._engine()
        refused = {} if engine is None else engine.degraded
        return tuple(Problem(code="degraded-flag", message=why, path=f"flags.{key}") for key, why in refused.items())

    @property
    def _confirmed(self) -> float | None:
        """When what is served was last known to be the newest; in a child, at first, what its parent knew."""
        confirmed = self._machine.confirmed
        return self.state.confirmed if confirmed is None else confirmed

    def _set_status(self, action: SetStatus) -> None:
        if self._rests:
            return
        error = None if action.status is ProviderStatus.READY else FlagcoreError(self._why(action))
        if error is None:
            self._reported = None
        self._settle(SourceState(action.status, self.state.problems, error, self._confirmed))

    def _why(self, action: SetStatus) -> str:
        """Return why the newest flags are not served, for people."""
        if self._reported is not None:
            return self._reported
        return f"no publisher has been heard at {self.describe()}: {action.phase.value.lower()}"

    def _report(self, report: Report) -> None:
        if report.text != self._reported:
            log.warning("flags from %s: %s", self.describe(), report.text)
        self._reported = report.text

    def _check_last_good(self, last_good: LastGood, saved: Saved, now: float) -> list[Action]:
        """Let the machine build on what was kept, if it is what was signed; else drop it."""
        if saved.is_whole():
            return self._machine.restore(saved.snapshot, now, state_hash=saved.header.state_hash)
        log.error("%s is not what was signed: it is served no longer", saved.path)
        last_good.discard(saved)
        if (bootstrap := self._load_bootstrap()) is not None:
            return self._machine.restore(bootstrap, now)
        self._swap(Snapshot(0, 0, {}))
        self._served = None
        self._settle(SourceState())
        return []

    # -- forks ------------------------------------------------------------------------------------------------------

    def _renew_after_fork(self) -> None:
        """In a child: serve what is there, and follow by a connection of its own. The parent's sockets are not touched."""
        super()._renew_after_fork()
        if self._closed:
            return
        _inherited.append(self._loop)  # never freed: that would close sockets which are the parent's
        confirmed, self._rests = self._confirmed, False
        self._machine = self._new_machine()
        self._loop = self._new_loop()
        self._saver = self._new_saver()
        if (served := self._served) is not None:
            self._loop.begin_with(lambda now: self._machine.restore(served, now, confirmed=confirmed))
        with suppress(RuntimeError):  # no thread can be had: what is there is served on
            self._loop.start(FORK_SECONDS)


_live: weakref.WeakSet[LiveSource] = weakref.WeakSet()
_inherited: deque[ZmqClientLoop] = deque()


def _end_all() -> None:
    """At exit: no thread may be in native code when the interpreter goes."""
    loops = [source._loop for source in tuple(_live)]
    for loop in loops:
        loop.stop()
    deadline = time.monotonic() + EXIT_SECONDS
    for loop in loops:
        loop.close(max(0.0, deadline - time.monotonic()))


atexit.register(_end_all)
