"""Show what compiled flags hold: sizes, and for a flag its program as a person can read it."""

from __future__ import annotations

import argparse
import os
import sys

import msgspec

from flagcore.cli import FINDINGS, FINE, UsageError
from flagcore.cli.compile import measure
from flagcore.cli.output import counted, print_table, write_json
from flagcore.cli.sources import Opened, add_cache, find_path, open_flags
from flagcore.engine import Engine
from flagcore.errors import SnapshotError
from flagcore.snapshot.codec import SUFFIX
from flagcore.snapshot.objects import Snapshot

EPILOG = """\
examples:
  flagcore inspect flags.fcs
  flagcore inspect flags/ --flag checkout.new        flag files are compiled on the way
  flagcore inspect flags.fcs --flag checkout.new --json
"""
ORDER = "the word is [PATH]; a flag comes with --flag: flagcore inspect flags.fcs --flag checkout.new"

HEAD = ("flag", "type", "variants", "rules", "steps", "bytes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="?", metavar="PATH", help="compiled file, or file or directory with flags")
    parser.add_argument("--flag", metavar="KEY", help="show the program of this flag")
    add_cache(parser)
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    path = find_path(arguments.path)
    opened = open_flags(path, arguments.flag, cached=not arguments.no_cache)
    refused = _refused(opened.snapshot)
    if arguments.flag is not None:
        _show_flag(opened, arguments.flag, refused, as_json=arguments.json)
    elif arguments.json:
        write_json(_overview(path, opened.snapshot, refused))
    else:
        _print_overview(path, opened.snapshot, refused)
    sys.stdout.flush()
    opened.keep()
    return FINDINGS if refused else FINE


def _refused(snapshot: Snapshot) -> dict[str, str]:
    """Return the flags whose programs are not sound, with the reason: these cannot be read here."""
    engine = Engine()
    engine.load(snapshot)
    return dict(engine.degraded)


def _show_flag(opened: Opened, key: str, refused: dict[str, str], *, as_json: bool) -> None:
    from flagcore.compiler.listing import listing, listing_data

    program = opened.snapshot.programs.get(key)
    if program is None:
        near = opened.nearest(key)
        raise UsageError(f"there is no flag {key!r}", f"did you mean {near}?" if near else None)
    if key in refused:
        raise SnapshotError(f"the program of {key} is not sound: {refused[key]}")
    debug = opened.snapshot.debug.get(key)
    if as_json:
        write_json(listing_data(program, debug))
    else:
        print(listing(program, debug), end="")


class Summary(msgspec.Struct, frozen=True):
    """One flag in a row."""

    type: str
    variants: int
    rules: int
    steps: int  # no evaluation takes more
    bytes: int


def _summary(program: bytes) -> Summary:
    from flagcore.compiler.reader import ProgramReader

    read = ProgramReader(program)
    kind = read.value_type.name.lower()
    return Summary(kind, len(read.variants), len(read.rules), read.step_bound, len(program))


def _overview(path: str, snapshot: Snapshot, refused: dict[str, str]) -> dict[str, object]:
    return {
        "path": path,
        "epoch": snapshot.epoch,
        "revision": snapshot.revision,
        "debug": bool(snapshot.debug),
        "flags": {key: _summary(program) for key, program in snapshot.programs.items() if key not in refused},
        "refused": refused,
        "value_sets": {name: len(content) for name, content in snapshot.value_sets.items()},
    }


def _print_overview(path: str, snapshot: Snapshot, refused: dict[str, str]) -> None:
    sizes = measure(path, snapshot, os.path.getsize(path) if path.endswith(SUFFIX) else 0)
    file = f", {counted(sizes.file_bytes, 'byte')}" if sizes.file_bytes else ""
    print(f"{path}: revision {snapshot.revision}, epoch {snapshot.epoch}, {counted(sizes.flags, 'flag')}{file}")
    print(f"explanations: {f'{sizes.debug_bytes:,} bytes' if snapshot.debug else 'left out'}\n")
    print_table(HEAD, [_row(key, program, refused) for key, program in snapshot.programs.items()], range(2, 6))
    if snapshot.value_sets:
        print()
        sets = [(name, f"{len(content):,}") for name, content in snapshot.value_sets.items()]
        print_table(("value set", "bytes"), sets, numbers=(1,))


def _row(key: str, program: bytes, refused: dict[str, str]) -> tuple[str, ...]:
    if key in refused:
        return key, "refused", "", "", "", f"{len(program):,}"
    summary = _summary(program)
    numbers = summary.variants, summary.rules, summary.steps, summary.bytes
    return key, summary.type, *(f"{number:,}" for number in numbers)
