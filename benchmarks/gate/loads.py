"""A child of the gate, run under callgrind: ``python loads.py FOLDER`` opens the flags of W8, then swaps one of them.

Marked as calls.py is. Two dumps: from the bytes of a compiled file to the first answer; a revision in which one flag differs, to its
first answer.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from flagcore.engine import Engine
from flagcore.evaluator.constant import constant_program
from flagcore.snapshot.codec import decode_snapshot
from flagcore.snapshot.objects import Snapshot

KEY = "flag-0001"  # one rule, which matches
CONTEXT = {"country": "DE"}
SWAPS = 10


def main() -> None:
    """Count a load and some swaps, after some that do not count."""
    content = (Path(sys.argv[1]) / "W8" / "flags.fcs").read_bytes()
    for _ in range(3):
        _load(content)
    os.getppid()
    engine, snapshot = _load(content)
    os.getpgid(0)
    snapshots = _edited(snapshot)
    for _ in range(2):
        _swap(engine, snapshots)
    os.getppid()
    _swap(engine, snapshots)
    os.getpgid(0)


def _load(content: bytes) -> tuple[Engine, Snapshot]:
    engine, snapshot = Engine(), decode_snapshot(content)
    engine.load(snapshot)
    assert engine.get_boolean_value(KEY, False, CONTEXT) is True
    return engine, snapshot


def _edited(first: Snapshot) -> list[Snapshot]:
    """Return revisions in which one flag is off, on, off... The others' bytes are the same objects, as a compiler hands them on."""
    programs = [{**first.programs, KEY: constant_program(KEY, bool(turn % 2), None)} for turn in range(SWAPS)]
    return [Snapshot(first.epoch, turn + 2, each) for turn, each in enumerate(programs)]


def _swap(engine: Engine, snapshots: list[Snapshot]) -> None:
    for turn, snapshot in enumerate(snapshots):
        engine.load(snapshot)
        assert engine.get_boolean_value(KEY, not turn % 2, CONTEXT) is bool(turn % 2)


if __name__ == "__main__":
    main()
