"""Where an engine's revisions come from, and what a client may ask about it."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from flagcore.distribution.forks import in_each_child
from flagcore.errors import Problem
from flagcore.snapshot.objects import Snapshot
from flagcore.terms import ProviderStatus

if TYPE_CHECKING:
    from flagcore.engine import Engine

__all__ = ["MemorySource", "OfflineSource", "Snapshot", "Source", "SourceState"]

log = logging.getLogger("flagcore")
Payload = TypeVar("Payload")


class SourceState(msgspec.Struct, frozen=True):
    """How a source stands, replaced as a whole so that readers need no lock."""

    status: ProviderStatus = ProviderStatus.NOT_READY
    problems: tuple[Problem, ...] = ()  # of the latest attempt to load, warnings included
    error: Exception | None = None  # why the latest attempt failed
    confirmed: float | None = None  # monotonic seconds when the served revision was last known to be the newest


class Source:
    """Feeds one engine. This base never loads anything; subclasses call ``_swap`` and ``_settle``."""

    waits = True  # whether data may still come by itself while the status is NOT_READY

    def __init__(self, engine: Engine) -> None:
        # Whoever holds the client or one of its getters keeps the engine alive; who only feeds it does not.
        self._engine = weakref.ref(engine)
        self.state = SourceState()
        self._changed = threading.Condition()
        self._closed = False
        _sources.add(self)
        self._change_listeners: list[Callable[[frozenset[str]], None]] = []
        self._status_listeners: list[Callable[[ProviderStatus], None]] = []

    def describe(self) -> str:
        """Return where the flags come from, for people."""
        return type(self).__name__

    @property
    def age(self) -> float | None:
        """Seconds since the served revision was last known to be the newest; None without data."""
        confirmed = self.state.confirmed
        return None if confirmed is None else max(0.0, time.monotonic() - confirmed)

    def on_change(self, listener: Callable[[frozenset[str]], None]) -> Callable[[], None]:
        """Call ``listener`` with the changed flag keys after each swap; returns the function that ends it."""
        return _subscribe(self._change_listeners, listener)

    def on_status(self, listener: Callable[[ProviderStatus], None]) -> Callable[[], None]:
        """Call ``listener`` with each new status; returns the function that ends it."""
        return _subscribe(self._status_listeners, listener)

    def wait_ready(self, timeout: float | None = None) -> bool:
        """Block until there is data, at most ``timeout`` seconds; returns whether there is."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_data or not self.waits, timeout)
            return self._has_data

    def close(self) -> None:
        """Stop following changes and answer nothing from here on. May be called more than once."""
        if (engine := self._engine()) is not None:
            engine.close()
        self.waits = False
        self._settle(SourceState(), final=True)

    @property
    def _has_data(self) -> bool:
        return self.state.status in (ProviderStatus.READY, ProviderStatus.STALE)

    def _swap(self, snapshot: Snapshot) -> frozenset[str]:
        """Hand a revision to the engine; returns the changed keys."""
        engine = self._engine()
        return frozenset() if engine is None else engine.load(snapshot)

    def _settle(self, state: SourceState, *, final: bool = False) -> None:
        """Make ``state`` the state, and say so where the status is a new one; after a final one nothing changes."""
        with self._changed:
            if self._closed:
                return
            self._closed = final
            previous, self.state = self.state, state
            self._changed.notify_all()
        if previous.status is not state.status or final:  # who waits for data must hear of the end, too
            _tell(self._status_listeners, state.status)

    def _renew_after_fork(self) -> None:
        """In a child: the thread that held the lock may not be here."""
        self._changed = threading.Condition()

    def _announce(self, changed: frozenset[str]) -> None:
        if changed:
            _tell(self._change_listeners, changed)


_sources: weakref.WeakSet[Source] = weakref.WeakSet()


def _renew_all_after_fork() -> None:
    for source in tuple(_sources):
        source._renew_after_fork()


in_each_child(_renew_all_after_fork)


class MemorySource(Source):
    """Serves the one snapshot that it was given."""

    def __init__(self, engine: Engine, snapshot: Snapshot, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(engine)
        self.load(snapshot, problems)

    def describe(self) -> str:
        """Return that the flags are in memory."""
        return "memory"

    def load(self, snapshot: Snapshot, problems: tuple[Problem, ...] = ()) -> frozenset[str]:
        """Serve another snapshot from here on; returns the changed keys after telling the listeners."""
        changed = self._swap(snapshot)
        self._settle(SourceState(ProviderStatus.READY, problems, None, time.monotonic()))
        self._announce(changed)
        return changed


class OfflineSource(Source):
    """Stands for an address that must not be opened (``FLAGCORE_OFFLINE``): callers get their default values."""

    waits = False

    def __init__(self, engine: Engine, address: str) -> None:
        super().__init__(engine)
        self._address = address

    def describe(self) -> str:
        """Return the scheme, not the address: it may hold secrets."""
        return f"offline ({self._address.partition('://')[0]})"


def _subscribe(listeners: list[Callable[[Payload], None]], listener: Callable[[Payload], None]) -> Callable[[], None]:
    listeners.append(listener)

    def unsubscribe() -> None:
        if listener in listeners:
            listeners.remove(listener)

    return unsubscribe


def _tell(listeners: list[Callable[[Payload], None]], payload: Payload) -> None:
    for listener in tuple(listeners):
        try:
            listener(payload)
        except Exception:
            log.exception("a listener of flag changes raised; the others are told all the same")
