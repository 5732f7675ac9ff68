"""A child of the gate: compile the workloads into FOLDER and weigh them: ``python -m benchmarks.gate.prepare FOLDER``.

Prints the figures as JSON. What needs no counting is done here, since a program runs fifty times slower under callgrind.
"""

from __future__ import annotations

import gc
import json
import sys
import tracemalloc
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import flagcore
from benchmarks.gate.inputs import write_inputs
from benchmarks.workloads import MAKERS, Call, Workload
from flagcore.compiler import compile_flag_set
from flagcore.compiler.reader import ProgramReader
from flagcore.model import build_flag_set
from flagcore.snapshot.codec import encode_snapshot
from flagcore.snapshot.objects import Snapshot

CALLS = 1000


def main() -> None:
    """Write what the other children read, and print sizes and allocations."""
    folder = Path(sys.argv[1])
    figures: dict[str, float] = {}
    for name, maker in MAKERS.items():
        workload = maker()
        snapshot = compile_flag_set(build_flag_set(workload.flags).flag_set, debug=False).snapshot
        _write(folder / name, workload, snapshot)
        figures |= {f"{name}: {what}": number for what, number in _sizes(snapshot).items()}
        figures |= {f"{name}: {what}": number for what, number in _memory(folder / name, workload).items()}
    print(json.dumps(figures))


def _sizes(snapshot: Snapshot) -> dict[str, float]:
    programs = [*snapshot.programs.values()]
    return {
        "program bytes": sum(map(len, [*programs, *snapshot.value_sets.values()])),
        "nodes": sum(len(ProgramReader(program).nodes) for program in programs),
    }


def _memory(folder: Path, workload: Workload) -> dict[str, float]:
    """Return bytes a flag after a load from the compiled file, and blocks that an evaluation leaves behind."""
    path, keys = str(folder / "flags.fcs"), [*workload.flags["flags"]]  # type: ignore[misc]
    flagcore.connect(path, watch=False).close()  # what is imported and kept once is not a flag's
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    client = flagcore.connect(path, watch=False)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] - before
    for key in keys:
        client.get_boolean_value(key, False, {})
    asked = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    blocks = _blocks(client.get_boolean_value, workload)
    client.close()
    return {
        "bytes a flag after load": held / len(keys),
        "bytes a flag when all were asked for": asked / len(keys),
        "blocks kept a call": blocks,
    }


def _blocks(getter: object, workload: Workload) -> float:
    contexts = [call.context for call in _calls(workload)]
    key = workload.key
    taken = []
    gc.collect()
    gc.disable()
    for _ in range(3):
        before = sys.getallocatedblocks()
        for context in contexts:
            getter(key, False, context)  # type: ignore[operator]
        taken.append((sys.getallocatedblocks() - before) / CALLS)
    gc.enable()
    return max(0.0, min(taken))


def _calls(workload: Workload) -> Iterator[Call]:
    return islice(cycle(workload.calls), CALLS)


def _write(folder: Path, workload: Workload, snapshot: Snapshot) -> None:
    folder.mkdir()
    (folder / "flags.fcs").write_bytes(encode_snapshot(snapshot))
    calls = workload.calls[:CALLS]
    data = {"key": workload.key, "calls": [(call.context, call.expected) for call in calls]}
    (folder / "calls.json").write_text(json.dumps(data))
    write_inputs(folder, snapshot.programs[workload.key], snapshot.value_sets, (call.context for call in calls))


if __name__ == "__main__":
    main()
