"""Notice that files change: fingerprints say whether, announcements of the operating system say when to look.

Announcements (watchfiles, where it is installed) only make looking sooner. What decides is the fingerprint, so that
renames, deleted and recreated files, swapped symbolic links and file systems without announcements are one case.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

__all__ = ["Fingerprint", "Stop", "Watcher", "fingerprint"]

Stamp = tuple[int, int, int, int, int] | None
Fingerprint = dict[str, Stamp]
"""Path -> what ``stat`` says of the file behind it, None where there is none."""

LOOK_SHARE = 50  # looking at the files takes at most one part in this many of the time
SECOND_LOOK = 0.2  # seconds after an announcement: files in a new folder are not announced until it is watched, too
STEP = 50  # milliseconds between the announcer's own looks at its queue


def fingerprint(paths: Iterable[str]) -> Fingerprint:
    """Return the stamps of ``paths``, following symbolic links; two equal ones mean unchanged files."""
    return {path: _stamp(path) for path in paths}


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev


class Stop:
    """Says when to end: when told to, and when ``owner`` is referenced by nobody any more.

    The owner's death is asked for, not told: a finalizer may run in the middle of anything, and must not take a lock.
    """

    def __init__(self, owner: weakref.ref[Any]) -> None:
        self._owner = owner
        self._told = threading.Event()

    def set(self) -> None:
        """Tell to end."""
        self._told.set()

    def is_set(self) -> bool:
        """Return whether to end."""
        return self._told.is_set() or self._owner() is None

    def wait(self, seconds: float) -> bool:
        """Wait until told, at most ``seconds``; returns whether to end."""
        self._told.wait(seconds)
        return self.is_set()


class _Announcer(Protocol):
    """What watchfiles' RustNotify offers."""

    def watch(self, debounce_ms: int, step_ms: int, timeout_ms: int, stop_event: Stop) -> object: ...

    def close(self) -> None: ...


class Watcher:
    """Looks at files when something was announced, and every ``interval`` seconds; ``look`` says whether they changed."""

    def __init__(self, root: str, interval: float, stop: Stop, look: Callable[[], bool]) -> None:
        self._root = root
        self._interval = interval
        self._stop = stop
        self._look = look
        self._announcer: _Announcer | None = None
        self._watched: tuple[str, Stamp] | None = None

    def changes(self) -> Iterator[None]:
        """Yield at each change until ``stop`` is set; dear looks are taken less often."""
        pause = self._interval
        try:
            while not self._stop.is_set():
                announced = self._wait(pause)
                if self._stop.is_set():
                    return
                begun = time.monotonic()
                changed = self._look()
                rare = max(self._interval, LOOK_SHARE * (time.monotonic() - begun))
                pause = min(rare, SECOND_LOOK) if announced else rare
                if changed:
                    yield
        finally:
            self._release()

    def _wait(self, seconds: float) -> bool:
        """Wait for an announcement, at most ``seconds``; returns whether there was one."""
        announcer, new = self._current()
        if new:
            return True  # what changed before it listened, nobody announces
        if announcer is None:
            self._stop.wait(seconds)
            return False
        try:
            return isinstance(announcer.watch(STEP, STEP, int(seconds * 1000) or 1, self._stop), set)
        except Exception:  # noqa: BLE001 - the announcer broke: look by the clock until it can be made anew
            self._release()
            self._stop.wait(seconds)
            return False

    def _current(self) -> tuple[_Announcer | None, bool]:
        """Return the announcer for the directory that is there now (None: look by the clock), and whether it is new."""
        directory = self._root if os.path.isdir(self._root) else os.path.dirname(os.path.abspath(self._root))
        there = directory, _identity(directory)
        if there == self._watched:
            return self._announcer, False
        self._release()
        self._announcer = _announcer(directory, recursive=directory == self._root) if there[1] else None
        self._watched = there
        return self._announcer, True

    def _release(self) -> None:
        announcer, self._announcer, self._watched = self._announcer, None, None
        if announcer is not None:
            announcer.close()


def _identity(path: str) -> Stamp:
    """Return what tells a directory from another one that took its name."""
    stamp = _stamp(path)
    return stamp and (0, 0, 0, *stamp[3:])


_importing = threading.Lock()
"""Held over the import, for which a fork waits: a child would wait for ever for an import that its parent had begun."""

os.register_at_fork(before=_importing.acquire, after_in_parent=_importing.release, after_in_child=_importing.release)


def _announcer(directory: str, *, recursive: bool) -> _Announcer | None:
    try:
        with _importing:
            from watchfiles._rust_notify import RustNotify
    except ImportError:
        return None
    try:
        announcer: _Announcer = RustNotify([directory], False, False, 300, recursive, True)
    except Exception:  # noqa: BLE001 - no more watches, or gone again: look by the clock
        return None
    return announcer
