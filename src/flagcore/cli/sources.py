"""Where a verb finds its flags, and how they get into an engine."""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING

from flagcore.cli import UsageError
from flagcore.cli.output import progress
from flagcore.settings import read_settings
from flagcore.snapshot.codec import SUFFIX, decode_snapshot

if TYPE_CHECKING:
    from flagcore.engine import Engine
    from flagcore.model import Loaded
    from flagcore.snapshot.objects import Snapshot

__all__ = ["add_cache", "add_path", "find_path", "load_authored", "open_snapshot", "start_engine"]

CANDIDATES = ("flags", "flags.fcs", "flags.yaml", "flags.yml", "flags.json", "flags.toml")


def add_cache(parser: argparse.ArgumentParser) -> None:
    """Let a verb do without what earlier calls kept."""
    parser.add_argument("--no-cache", action="store_true", help="compile anew, whatever is kept from earlier calls")


def add_path(parser: argparse.ArgumentParser) -> None:
    """Let the flags be named by an option, for verbs whose words mean other things."""
    parser.add_argument("-f", "--flags", metavar="PATH", help="file, directory or compiled file (.fcs) with the flags")


def find_path(given: str | None) -> str:
    """Return the path of the flags: the given one, else the configured source, else the usual name that is there.

    Raises:
        UsageError: nothing is given and nothing found, or nothing is at the given place.
    """
    path = given or read_settings({}).source
    if path is None:
        path = next((name for name in CANDIDATES if os.path.exists(name)), None)
    if path is None:
        raise UsageError("no flags found here", "name a file or directory, or set FLAGCORE_SOURCE")
    if "://" in path:
        raise UsageError(f"{path}: the command works on files", "name a file or directory with --flags")
    if not os.path.exists(path):
        raise UsageError(f"{path}: there is no such file or directory")
    return path


def load_authored(path: str) -> Loaded:
    """Return authored flags and their warnings. Raises FlagSetError, or UsageError for a compiled file."""
    from flagcore.model import load

    if path.endswith(SUFFIX):
        raise UsageError(f"{path} is compiled: its authored form is needed here", "name the files it was made from")
    return load(path)


def open_snapshot(path: str, *, cached: bool = True) -> Snapshot:
    """Return the compiled flags of ``path``, compiling what is not and not kept from an earlier time.

    Raises:
        FlagSetError: authored flags that are not valid.
        SnapshotError: a compiled file that is not sound.
    """
    if path.endswith(SUFFIX):
        with open(path, "rb") as file:
            return decode_snapshot(file.read())
    from flagcore.cli.cache import recall, remember

    kept = recall(path) if cached else None
    if kept is not None:
        return kept
    from flagcore.compiler import compile_flag_set

    begun = time.time_ns()
    loaded = load_authored(path)
    snapshot = compile_flag_set(loaded.flag_set, progress=progress("compiling flag")).snapshot
    if cached:
        remember(path, loaded.files, snapshot, begun)
    return snapshot


def start_engine(path: str, at: int | None = None, *, cached: bool = True) -> Engine:
    """Return an engine that answers for the flags of ``path``, as of the time ``at`` (microseconds) or now."""
    from flagcore.engine import Engine

    engine = Engine() if at is None else Engine(clock=lambda: at)
    engine.load(open_snapshot(path, cached=cached))
    return engine
