"""Where a verb finds its flags, and how they get into an engine."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

import msgspec

from flagcore.cli import UsageError
from flagcore.cli.output import progress
from flagcore.errors import Problem
from flagcore.settings import read_settings
from flagcore.snapshot.objects import Snapshot

if TYPE_CHECKING:
    from flagcore.engine import Engine
    from flagcore.model import Loaded

__all__ = ["Opened", "add_path", "find_path", "load_authored", "open_snapshot", "start_engine"]

CANDIDATES = ("flags", "flags.fcs", "flags.yaml", "flags.yml", "flags.json", "flags.toml")
COMPILED = ".fcs"


class Opened(msgspec.Struct, frozen=True):
    """Flags ready for an engine, and the warnings on the way."""

    snapshot: Snapshot
    problems: tuple[Problem, ...] = ()


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

    if path.endswith(COMPILED):
        raise UsageError(f"{path} is compiled: its authored form is needed here", "name the files it was made from")
    return load(path)


def open_snapshot(path: str) -> Opened:
    """Return the compiled flags of ``path``, compiling where they are not. Raises FlagSetError or SnapshotError."""
    if path.endswith(COMPILED):
        from flagcore.snapshot.codec import decode_snapshot

        with open(path, "rb") as file:
            return Opened(decode_snapshot(file.read()))
    from flagcore.compiler import compile_flag_set

    loaded = load_authored(path)
    compiled = compile_flag_set(loaded.flag_set, progress=progress("compiling flag"))
    return Opened(compiled.snapshot, (*loaded.problems, *compiled.problems))


def start_engine(path: str, at: int | None = None) -> Engine:
    """Return an engine that answers for the flags of ``path``, as of the time ``at`` (microseconds) or now."""
    from flagcore.engine import Engine

    engine = Engine() if at is None else Engine(clock=lambda: at)
    engine.load(open_snapshot(path).snapshot)
    return engine
