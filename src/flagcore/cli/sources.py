"""Where a verb finds its flags, and how they get into an engine."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from flagcore.cli import UsageError
from flagcore.cli.output import counted, progress
from flagcore.errors import FlagSetError, SnapshotError
from flagcore.settings import read_settings
from flagcore.snapshot.codec import SUFFIX, decode_snapshot
from flagcore.snapshot.objects import Snapshot

if TYPE_CHECKING:
    from flagcore.engine import Engine
    from flagcore.model import Flag, FlagSet, Loaded

__all__ = [
    "Opened",
    "add_cache",
    "add_path",
    "find_path",
    "load_authored",
    "open_flags",
    "start_engine",
    "with_requirements",
]

AUTHORED = ("flags", "flags.yaml", "flags.yml", "flags.json", "flags.toml")
COMPILED = ("flags.fcs",)  # comes last: it may be older than what it was made from


def add_cache(parser: argparse.ArgumentParser) -> None:
    """Let a verb do without what earlier calls kept."""
    parser.add_argument("--no-cache", action="store_true", help="compile anew, whatever is kept from earlier calls")


def add_path(parser: argparse.ArgumentParser) -> None:
    """Let the flags be named by an option, for verbs whose words mean other things."""
    parser.add_argument("-f", "--flags", metavar="PATH", help="file, directory or compiled file (.fcs) with the flags")


def find_path(given: str | None, *, authored: bool = False, hint: str | None = None) -> str:
    """Return the path of the flags: the given one, else the configured source, else the usual name that is there.

    With ``authored`` no compiled file is looked for. ``hint`` says what else a word may be that is no path.

    Raises:
        UsageError: nothing is given and nothing found, or nothing is at the given place.
    """
    path = given or read_settings({}).source
    hint = "name a file or directory, or set FLAGCORE_SOURCE" if given is None else hint
    if path is None:
        usual = AUTHORED + (() if authored else COMPILED)
        path = next((name for name in usual if os.path.exists(name)), None)
        if path is None:
            raise UsageError(
                f"no flags found: there is no {', '.join(usual[:-1])} or {usual[-1]} in {os.getcwd()}", hint
            )
    if "://" in path:
        raise UsageError(f"{path}: the command works on files", "name a file or directory with --flags")
    if not os.path.exists(path):
        raise UsageError(f"{path}: there is no such file or directory", hint)
    return path


def load_authored(path: str, *, warnings: bool = True) -> Loaded:
    """Return authored flags and, unless nobody reads them, warnings. Raises FlagSetError, or UsageError for a compiled file."""
    from flagcore.model import load

    if path.endswith(SUFFIX):
        raise UsageError(f"{path} is compiled: its authored form is needed here", "name the files it was made from")
    return load(path, warnings=warnings)


class Opened(msgspec.Struct, frozen=True):
    """Compiled flags: all of a set, or one with those that it requires."""

    snapshot: Snapshot
    keys: Callable[[], Iterable[str]]  # of the whole set; for hints
    keep: Callable[[], None] = lambda: None  # keeps for later calls what was compiled; for after the answer

    def nearest(self, flag_key: str) -> str | None:
        """Return the key that was meant, where one is near."""
        from difflib import get_close_matches

        return next(iter(get_close_matches(flag_key, self.keys(), 1)), None)


def open_flags(path: str, flag_key: str | None = None, *, cached: bool = True) -> Opened:
    """Return the compiled flags of ``path``, compiling what is not and not kept from an earlier time.

    With ``flag_key`` only that flag and what it requires need be among them: to compile a whole set takes long.

    Raises:
        FlagSetError: authored flags that are not valid.
        SnapshotError: a compiled file that is not sound.
    """
    if path.endswith(SUFFIX):
        return _open_compiled(path, flag_key)
    if cached:
        from flagcore.cli.cache import recall

        kept = recall(path)
        if kept is not None and kept.answers(flag_key):
            return Opened(kept.snapshot, lambda: kept.keys)
    begun = time.time_ns()
    loaded = _load_quickly(path)
    snapshot = _compile(loaded, flag_key)
    keys = tuple(loaded.flag_set.flags)
    if not cached:
        return Opened(snapshot, lambda: keys)
    from flagcore.cli.cache import remember

    return Opened(snapshot, lambda: keys, partial(remember, path, loaded.files, snapshot, keys, begun))


def _open_compiled(path: str, flag_key: str | None) -> Opened:
    """Return what a compiled file holds, of a file of format 2 or later no more than is needed for the flag."""
    from flagcore.snapshot.part import read_flag

    if flag_key is not None:
        with _refusals_named(path), open(path, "rb") as file:
            part = read_flag(file, flag_key)
        if part is not None:
            return Opened(part, lambda: _read_whole(path).programs)
    snapshot = _read_whole(path)
    return Opened(snapshot, lambda: snapshot.programs)


def _read_whole(path: str) -> Snapshot:
    with _refusals_named(path), open(path, "rb") as file:
        return decode_snapshot(file.read())


@contextlib.contextmanager
def _refusals_named(path: str) -> Iterator[None]:
    try:
        yield
    except SnapshotError as error:
        raise SnapshotError(f"{path}: {error}") from None


def _load_quickly(path: str) -> Loaded:
    """Return authored flags without looking for warnings, which only stand beside errors here."""
    try:
        return load_authored(path, warnings=False)
    except FlagSetError:
        return load_authored(path)


def _compile(loaded: Loaded, flag_key: str | None) -> Snapshot:
    import msgspec.structs

    from flagcore.compiler import compile_flag_set
    from flagcore.model.places import placed

    flag_set = loaded.flag_set
    if flag_key is not None:
        flag_set = msgspec.structs.replace(flag_set, flags=with_requirements(flag_set, flag_key))
    with placed(loaded.files):
        return compile_flag_set(flag_set, progress=progress("compiling flag")).snapshot


def with_requirements(flag_set: FlagSet, flag_key: str) -> dict[str, Flag]:
    """Return a flag and all that it requires, directly or not; nothing for an unknown one."""
    found: dict[str, Flag] = {}
    waiting = [flag_key] if flag_key in flag_set.flags else []
    while waiting:
        key = waiting.pop()
        if key not in found:
            found[key] = flag_set.flags[key]
            waiting += [requirement.flag for requirement in found[key].requires]
    return found


def start_engine(opened: Opened, at: int | None = None) -> Engine:
    """Return an engine that answers for these flags as of the time ``at`` (microseconds), or now.

    Raises:
        SnapshotError: programs are malformed, or of a release whose programs this one does not read.
    """
    from flagcore.engine import Engine

    engine = Engine() if at is None else Engine(clock=lambda: at)
    engine.load(opened.snapshot)
    if engine.degraded:
        key, reason = next(iter(engine.degraded.items()))
        raise SnapshotError(f"{counted(len(engine.degraded), 'program')} refused, such as that of {key}: {reason}")
    return engine
