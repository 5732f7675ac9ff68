"""Flags from files: authored ones are compiled here, compiled ones (``.fcs``) are read; changes are followed.

One daemon thread looks at the files and loads them when they have come to rest. A set that cannot be used never
replaces one that can: the last good revision stays, the status says STALE and ``problems`` why. The thread lives as
long as anybody can ask the engine, ends with it, and is started anew in a forked child.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections.abc import Collection
from typing import TYPE_CHECKING

from flagcore.distribution.forks import is_master_of_uwsgi, threads_run
from flagcore.distribution.loading import AuthoredFiles, Cancelled, CompiledFile, Loadable
from flagcore.distribution.source import Source, SourceState, log
from flagcore.distribution.watching import Fingerprint, Stop, Watcher, fingerprint
from flagcore.errors import FlagcoreError, FlagSetError, Problem
from flagcore.snapshot.codec import SUFFIX
from flagcore.terms import ProviderStatus

if TYPE_CHECKING:
    from flagcore.engine import Engine
    from flagcore.snapshot.objects import Snapshot

__all__ = ["FileSource"]

JOIN_SECONDS = 1.0
RESTLESS_SECONDS = 2.0  # files that do not come to rest are read after that long all the same
RETRY_SECONDS = 10.0  # between attempts at a broken set whose files stay as they are
FORK_SECONDS = 0.1  # before a child looks at files: most children that only exec are gone by then
ATTEMPTS = 5  # at reading files that change while they are read


class FileSource(Source):
    """Serves the flags of ``path``: a file, a directory of files, or a compiled file.

    The first load happens here, in the caller's thread.

    Raises:
        FlagSetError: there is no valid set; holds all its problems.
        SnapshotError: a compiled file is corrupt or of a format that this release cannot read.
    """

    def __init__(
        self,
        engine: Engine,
        path: str,
        *,
        watch: bool = True,
        debounce: float = 0.05,
        poll_interval: float = 1.0,
        debug_at_once: bool = False,
    ) -> None:
        super().__init__(engine)
        self.path = path
        place = os.path.abspath(path)  # the process may change its directory
        self._files: Loadable = (
            CompiledFile(place) if path.endswith(SUFFIX) else AuthoredFiles(place, debug_at_once=debug_at_once)
        )
        self._place = place
        self._debounce, self._interval = debounce, poll_interval
        self._stop = Stop(self._engine)
        self._thread: threading.Thread | None = None
        self._fingerprint: Fingerprint = {}
        self._logged: str | None = None
        self._retry_at = 0.0
        self._load()
        self._follows = watch and threads_run()
        if watch and not self._follows:
            log.warning("uWSGI runs without --enable-threads: %s is read once, and not followed", path)
        if self._follows:
            self._start_thread()
            _watching.add(self)

    def describe(self) -> str:
        """Return the path."""
        return self.path

    def close(self) -> None:
        """End the thread, within a second, and the answers."""
        _watching.discard(self)
        self._end_thread()
        super().close()

    # -- loading ----------------------------------------------------------------------------------------------------

    def _load(self) -> frozenset[str]:
        """Read the files and serve them; returns the changed keys. Whatever is wrong with them is raised."""
        snapshot: Snapshot | None = None
        for _ in range(ATTEMPTS):
            before = self._fingerprint = fingerprint(self._files.paths())
            loaded = self._files.load(self._stop.is_set)
            snapshot = loaded.snapshot or snapshot
            self._fingerprint = fingerprint(self._files.paths())
            if _is_steady(before, self._fingerprint, loaded.files):
                break
        changed = frozenset() if snapshot is None else self._swap(snapshot)
        self._logged = None
        problems = (*loaded.problems, *self._degraded())
        self._settle(SourceState(ProviderStatus.READY, problems, None, time.monotonic()))
        return changed

    def _swap(self, snapshot: Snapshot) -> frozenset[str]:
        return frozenset() if self._stop.is_set() else super()._swap(snapshot)

    def _degraded(self) -> list[Problem]:
        """Return a problem for each flag that the engine refused and serves as it was before, or not at all."""
        engine = self._engine()
        refused = {} if engine is None else engine.degraded
        return [Problem(code="degraded-flag", message=reason, path=f"flags.{key}") for key, reason in refused.items()]

    # -- following changes ------------------------------------------------------------------------------------------

    def _start_thread(self, delay: float = 0.0) -> None:
        if is_master_of_uwsgi():
            return  # each worker will
        self._thread = threading.Thread(target=self._follow, args=(delay,), name="flagcore-files", daemon=True)
        self._thread.start()

    def _end_thread(self) -> None:
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(JOIN_SECONDS)

    def _follow(self, delay: float = 0.0) -> None:
        self._stop.wait(delay)
        for _ in Watcher(self._place, self._interval, self._stop, self._is_changed).changes():
            try:
                self._rest()
                if not self._stop.is_set():
                    self._announce(self._load())
            except Cancelled:
                return
            except Exception as error:  # noqa: BLE001 - unforeseen ones too: the thread never dies, the flags stay
                self._fail(error)

    def _is_changed(self) -> bool:
        """Look at the files; a broken set counts as changed again from time to time."""
        try:
            if fingerprint(self._files.paths()) != self._fingerprint:
                return True
        except OSError:
            return True  # loading tells what is wrong
        if self.state.status is ProviderStatus.READY:
            self._settle(SourceState(ProviderStatus.READY, self.state.problems, None, time.monotonic()))
            return False
        return time.monotonic() >= self._retry_at

    def _rest(self) -> None:
        """Wait until the files have not changed for the debounce time."""
        deadline = time.monotonic() + RESTLESS_SECONDS
        seen = fingerprint(self._files.paths())
        while not self._stop.wait(self._debounce) and time.monotonic() < deadline:
            previous, seen = seen, fingerprint(self._files.paths())
            if seen == previous:
                return

    def _fail(self, error: Exception) -> None:
        """Keep the last good revision and say why; the same complaint is logged once."""
        if self._stop.is_set():
            return
        problems = error.problems if isinstance(error, FlagSetError) else (_as_problem(error, self._place),)
        self._retry_at = time.monotonic() + RETRY_SECONDS  # a cause outside the files that are looked at may go away
        if str(error) != self._logged:
            self._logged = str(error)
            expected = isinstance(error, FlagcoreError | OSError)
            log.error("%s cannot be used, the last good revision stays: %s", self.path, error, exc_info=not expected)
        self._settle(SourceState(ProviderStatus.STALE, problems, error, self.state.confirmed))

    # -- forks ------------------------------------------------------------------------------------------------------

    def _renew_after_fork(self) -> None:
        super()._renew_after_fork()
        if self._follows and not self._stop.is_set():
            self._stop = Stop(self._engine)
            self._start_thread(FORK_SECONDS)


def _is_steady(before: Fingerprint, after: Fingerprint, files: Collection[str]) -> bool:
    """Return whether nothing changed meanwhile: what only came to be known by reading is no change."""
    return all(before[path] == stamp if path in before else path in files for path, stamp in after.items())


def _as_problem(error: Exception, path: str) -> Problem:
    code = "unreadable-file" if isinstance(error, FlagcoreError | OSError) else "internal-error"
    message = str(error).removeprefix(f"{path}: ")  # the problem names the file by itself
    return Problem(code=code, message=message or type(error).__name__, file=path)


_watching: weakref.WeakSet[FileSource] = weakref.WeakSet()


def _end_all_threads() -> None:
    """At exit: no thread may be in native code when the interpreter goes."""
    for source in tuple(_watching):
        source._end_thread()


atexit.register(_end_all_threads)
