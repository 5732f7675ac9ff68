"""Show what compiled flags hold: sizes, and for a flag its program as a person can read it."""

from __future__ import annotations

import argparse
import os

from flagcore.cli import FINE, UsageError
from flagcore.cli.compile import measure
from flagcore.cli.output import counted, print_table, write_json
from flagcore.cli.sources import Opened, add_cache, find_path, open_flags
from flagcore.snapshot.codec import SUFFIX
from flagcore.snapshot.objects import Snapshot

EPILOG = """\
examples:
  flagcore inspect flags.fcs
  flagcore inspect flags/ --flag checkout.new        flag files are compiled on the way
  flagcore inspect flags.fcs --flag checkout.new --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="?", metavar="PATH", help="compiled file, or file or directory with flags")
    parser.add_argument("--flag", metavar="KEY", help="show the program of this flag")
    add_cache(parser)
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    path = find_path(arguments.path)
    opened = open_flags(path, arguments.flag, cached=not arguments.no_cache)
    if arguments.flag is not None:
        _show_flag(opened, arguments.flag, as_json=arguments.json)
    elif arguments.json:
        write_json(_overview(path, opened.snapshot))
    else:
        _print_overview(path, opened.snapshot)
    return FINE


def _show_flag(opened: Opened, key: str, *, as_json: bool) -> None:
    from flagcore.compiler import listing, listing_data

    program = opened.snapshot.programs.get(key)
    if program is None:
        near = opened.nearest(key)
        raise UsageError(f"there is no flag {key!r}", f"did you mean {near}?" if near else None)
    debug = opened.snapshot.debug.get(key)
    if as_json:
        write_json(listing_data(program, debug))
    else:
        print(listing(program, debug))


def _overview(path: str, snapshot: Snapshot) -> dict[str, object]:
    return {
        "path": path,
        "epoch": snapshot.epoch,
        "revision": snapshot.revision,
        "debug": bool(snapshot.debug),
        "programs": {key: len(program) for key, program in snapshot.programs.items()},
        "value_sets": {name: len(content) for name, content in snapshot.value_sets.items()},
    }


def _print_overview(path: str, snapshot: Snapshot) -> None:
    sizes = measure(path, snapshot, os.path.getsize(path) if path.endswith(SUFFIX) else 0)
    file = f", {counted(sizes.file_bytes, 'byte')}" if sizes.file_bytes else ""
    print(f"{path}: revision {snapshot.revision}, epoch {snapshot.epoch}, {counted(sizes.flags, 'flag')}{file}")
    print(f"explanations: {f'{sizes.debug_bytes:,} bytes' if snapshot.debug else 'left out'}\n")
    rows = [(key, f"{len(program):,}") for key, program in snapshot.programs.items()]
    print_table(("flag", "bytes"), rows, numbers=(1,))
    if snapshot.value_sets:
        print()
        sets = [(name, f"{len(content):,}") for name, content in snapshot.value_sets.items()]
        print_table(("value set", "bytes"), sets, numbers=(1,))
