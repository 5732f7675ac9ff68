"""What an evaluation from C costs: ``make -C bindings/c bench``. Instructions are callgrind's, times the least of many rounds.

``python -m bindings.c.bench.run FOLDER FORM...`` prints the instructions of these forms as JSON, for the gate; FOLDER holds the bench.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.callgrind import count_inside
from benchmarks.workloads import make
from bindings.case_table import case_bytes, compiled

WORKLOADS = ("W1", "W2", "W3", "W4")
OPENED = "W8"
FORMS = ("pairs", "numbers", "reused", "kernel")
UNFIT = {("W3", "reused")}  # its subject varies
ROUNDS = 2000
CALLS = 1000


def write(folder: Path, name: str) -> None:
    """Write a workload's flags, compiled, and its calls as a table of cases."""
    workload = make(name)
    (folder / f"{name}.fcs").write_bytes(compiled(workload.flags))
    cases = [
        case_bytes(
            {
                "id": name,
                "flag": workload.key,
                "type": "boolean",
                "context": call.context,
                "at": "2026-01-01T00:00:00Z",
                "default": False,
                "expect": {"value": call.expected, "variant": None, "reason": "", "error_code": None, "rule": None},
            }
        )
        for call in workload.calls[:CALLS]
    ]
    (folder / f"{name}.cases").write_bytes(struct.pack("<I", len(cases)) + b"".join(cases))


def instructions(command: list[str]) -> float:
    """Return the instructions of one evaluation: what a longer run has more, shared among its evaluations."""
    once, thrice = (count_inside("evaluate", [*command, str(rounds)], os.environ) for rounds in (1, 3))
    return (thrice - once) / (2 * CALLS)


def main(folder: Path, *forms: str) -> int:
    """Print a row a workload, or instructions of some forms; exit 2 when valgrind is missing."""
    if shutil.which("valgrind") is None:
        print("valgrind is not installed: apt-get install valgrind", file=sys.stderr)
        return 2
    if forms:
        print(json.dumps(counts(folder, forms)))
        return 0
    print(f"{'workload':<10}" + "".join(f"{form:>12}{'ns':>8}" for form in FORMS))
    for name in WORKLOADS:
        write(folder, name)
        print(f"{name:<10}" + "".join(cell(folder, name, form) for form in FORMS), flush=True)
    write(folder, OPENED)
    flags, file, memory, time = bench(folder, OPENED, "open", 30).split()
    print(f"{OPENED}: opening {flags} flags, a file of {file} bytes, in {memory} bytes of memory: {time} us")
    return 0


def counts(folder: Path, forms: Sequence[str]) -> dict[str, float]:
    """Return the instructions of an evaluation, by ``W1 pairs``."""
    for name in WORKLOADS:
        write(folder, name)
    pairs = [(name, form) for name in WORKLOADS for form in forms if (name, form) not in UNFIT]
    return {f"{name} {form}": instructions([str(folder / "bench"), str(folder), name, form]) for name, form in pairs}


def cell(folder: Path, name: str, form: str) -> str:
    """Return instructions and nanoseconds of a form; blanks where it does not fit."""
    if (name, form) in UNFIT:
        return f"{'':>20}"
    count = instructions([str(folder / "bench"), str(folder), name, form])
    return f"{count:>12.1f}{float(bench(folder, name, form, ROUNDS)):>8.1f}"


def bench(folder: Path, *arguments: object) -> str:
    """Return what the bench prints."""
    command = [folder / "bench", folder, *arguments]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
