"""Read flags from files into a snapshot: authored files through model and compiler, compiled files as they are.

Model and compiler are imported when authored files are first read, and only then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from flagcore.errors import FlagSetError, Problem, SnapshotError
from flagcore.snapshot.codec import HEAD, decode_snapshot
from flagcore.snapshot.objects import Snapshot

if TYPE_CHECKING:
    from flagcore.compiler import Compiled
    from flagcore.model import FlagSet

__all__ = ["AuthoredFiles", "Cancelled", "CompiledFile", "Loadable", "LoadedSnapshot"]


class Cancelled(Exception):
    """Loading was no longer wanted."""


class LoadedSnapshot(msgspec.Struct, frozen=True):
    """What loading gave; ``snapshot`` is None when the flags are those of the previous load."""

    snapshot: Snapshot | None
    files: tuple[str, ...]  # that were read
    problems: tuple[Problem, ...] = ()


class Loadable(Protocol):
    """Files that can be read again and again."""

    def paths(self) -> list[str]:
        """Return the files on which the answer depends, as far as they are known."""
        ...

    def load(self, cancelled: Callable[[], bool]) -> LoadedSnapshot:
        """Read all files. Raises FlagSetError or SnapshotError; Cancelled when ``cancelled`` says so on the way."""
        ...


class CompiledFile:
    """One ``.fcs`` file. Loads neither model nor compiler."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._head: bytes | None = None  # of the last content: names its bytes by their digest

    def paths(self) -> list[str]:
        """Return the one path."""
        return [self._path]

    def load(self, cancelled: Callable[[], bool]) -> LoadedSnapshot:  # noqa: ARG002 - reading one file is quick
        """Read the file, if its bytes are new."""
        content = _read(self._path)
        try:
            snapshot = decode_snapshot(content)
        except SnapshotError as error:
            raise SnapshotError(f"{self._path}: {error}") from None
        if self._head == content[:HEAD]:
            return LoadedSnapshot(None, (self._path,))
        self._head = content[:HEAD]
        return LoadedSnapshot(snapshot, (self._path,))


class AuthoredFiles:
    """A file or directory that authors write. Each load that changes anything is one revision more, from 1.

    With ``debug_at_once`` debug information is made with the programs, not when it is asked for: to be sent.
    """

    def __init__(self, path: str, *, debug_at_once: bool = False) -> None:
        self._path = path
        self._debug: Literal[True, "when asked"] = True if debug_at_once else "when asked"
        self._known: tuple[str, ...] = ()  # files read, values files among them
        self._blamed: tuple[str, ...] = ()  # files and folders that a failed load points at
        self._last: Compiled | None = None

    def paths(self) -> list[str]:
        """Return what was read, what would be, and what a failed load points at."""
        from flagcore.model import flag_files

        return sorted({*(flag_files(self._path) or (self._path,)), *self._known, *self._blamed})

    def load(self, cancelled: Callable[[], bool]) -> LoadedSnapshot:
        """Read and check all files; compile what changed."""
        from flagcore.model import load

        try:
            loaded = load(self._path)
            self._known = tuple(loaded.files)
            result = self._compile(loaded.flag_set, loaded.problems, cancelled)
        except FlagSetError as error:
            self._blamed = _blamed(self._path, error.problems)
            raise
        self._blamed = ()
        return result

    def _compile(
        self, flag_set: FlagSet, warnings: tuple[Problem, ...], cancelled: Callable[[], bool]
    ) -> LoadedSnapshot:
        from flagcore.compiler import compile_flag_set
        from flagcore.model.places import placed

        def progress(_done: int, _total: int) -> None:
            if cancelled():
                raise Cancelled

        last = self._last
        revision = 1 if last is None else last.snapshot.revision + 1
        with placed(self._known):
            compiled = compile_flag_set(
                flag_set, revision=revision, debug=self._debug, previous=last, progress=progress
            )
        if last is not None and not compiled.recompiled and compiled.flags.keys() == last.flags.keys():
            return LoadedSnapshot(None, self._known, (*warnings, *last.problems))
        self._last = compiled
        return LoadedSnapshot(compiled.snapshot, self._known, (*warnings, *compiled.problems))


def _blamed(path: str, problems: Iterable[Problem]) -> tuple[str, ...]:
    """Return the files of ``problems`` and the folders around: a change of any may mend the set."""
    files = {os.path.abspath(problem.file) for problem in problems if problem.file} | {os.path.abspath(path)}
    return tuple(files | {os.path.dirname(file) for file in files})


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        problem = Problem(code="unreadable-file", message=reason or str(error), file=path)
        raise FlagSetError([problem]) from None
