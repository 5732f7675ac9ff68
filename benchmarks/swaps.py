"""W13: recompile and swap one flag among 10,000 (``python -m benchmarks.service W13``).

An edit is one flag in an otherwise equal flag set. *Recompile* runs from the edited set to the snapshot, *swap* from the snapshot to
the first answer of the edited flag by the new revision; *patch* the same for an engine that is given the change alone, as publishers
send it. All flags have been asked for before, so that there is as much to take over as there can be.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from benchmarks.workloads.bulk import many_flags
from flagcore.compiler import compile_flag_set
from flagcore.engine import Engine
from flagcore.model import build_flag_set
from flagcore.model.flagset import FlagSet
from flagcore.snapshot.objects import Snapshot

__all__ = ["FLAGS", "measured"]

FLAGS = 10_000
Spans = tuple[float, float, float]


def measured(rounds: int) -> dict[str, Any]:
    """Return least and median CPU milliseconds of the steps, over so many edits."""
    spans = list(_edits(rounds + 2))[2:]
    both = [recompile + swap for recompile, swap, _ in spans]
    steps = zip(("recompile", "swap", "patch", "both"), (*zip(*spans, strict=True), both), strict=True)
    return {
        "name": "W13",
        "flags": FLAGS,
        **{f"{step}_ms": round(min(taken), 3) for step, taken in steps},
        "median_ms": round(statistics.median(both), 3),
    }


def _edits(count: int) -> Iterator[Spans]:
    flag_set = build_flag_set(many_flags(FLAGS)).flag_set
    compiled = compile_flag_set(flag_set)
    engine, patched = Engine(), Engine()
    for each in (engine, patched):
        each.load(compiled.snapshot)
        for key in flag_set.flags:
            each.get_boolean_value(key, False, {"country": "DE"})
    for number in range(count):
        key, country = f"flag-{3 * number + 1:04}", f"C{number}"
        flag_set = _edited(flag_set, key, country)
        gc.collect()
        start = time.process_time()
        compiled = compile_flag_set(flag_set, revision=number + 2, previous=compiled)
        middle = time.process_time()
        changed = engine.load(compiled.snapshot)
        answer = engine.get_boolean_value(key, False, {"country": country})
        end = time.process_time()
        yield 1000 * (middle - start), 1000 * (end - middle), _patch(patched, compiled.snapshot, key, country)
        assert answer is True
        assert changed == {key}
        assert compiled.recompiled == {key}


def _patch(engine: Engine, snapshot: Snapshot, key: str, country: str) -> float:
    """Give the engine one flag of a snapshot; return the milliseconds to its first answer."""
    programs, debug = ({key: part[key]} for part in (snapshot.programs, snapshot.debug))
    gc.collect()
    start = time.process_time()
    changed = engine.patch(snapshot.revision, programs, debug=debug)
    answer = engine.get_boolean_value(key, False, {"country": country})
    end = time.process_time()
    assert answer is True
    assert changed == {key}
    return 1000 * (end - start)


def _edited(flag_set: FlagSet, key: str, country: str) -> FlagSet:
    """Return the set with another rule in one flag."""
    rule = {"id": "r", "when": f'country == "{country}"', "serve": "on"}
    one = build_flag_set(
        {"schema": "flagcore/v1", "flags": {key: {"type": "boolean", "default": "off", "rules": [rule]}}}
    )
    return msgspec.structs.replace(flag_set, flags={**flag_set.flags, **one.flag_set.flags})


if __name__ == "__main__":
    print(measured(int(sys.argv[1])))
