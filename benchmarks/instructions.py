"""Instructions inside one call, counted by callgrind: ``python -m benchmarks.instructions [--json]``.

Counts are equal in repeated runs of the same build (PYTHONHASHSEED is fixed), whatever else the machine does. Collection is
switched on only inside the getter (or a floor's method), so the interpreter's own loop does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence

from benchmarks.callgrind import count_inside

GOALS = {"W1": 190, "W2": 440, "W3": 490, "W4": 3100}  # docs/design/design.md section 5
CALLS = 2000
GETTER = "host_get_boolean_value"
FLOORS = {"F": "__pyx_pw_*call", "bare": "bare_call"}

_CHILD = """
import sys
from benchmarks import floor
name, calls = sys.argv[1], int(sys.argv[2])
loads = {"F": floor.load_floor, "bare": floor.load_bare}
if name in loads:
    getter, key, contexts = loads[name](), "checkout.new", [{}]
else:
    from benchmarks.engines import client_for
    from benchmarks.workloads import make
    workload = make(name)
    client = client_for(workload)
    getter, key, contexts = client.get_boolean_value, workload.key, [call.context for call in workload.calls]
    for call in workload.calls[:50]:
        assert getter(key, False, call.context) is call.expected
for i in range(calls):
    getter(key, False, contexts[i % len(contexts)])
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Count W1 to W4 and the floors; exit 2 when valgrind is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="W", default=[])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if shutil.which("valgrind") is None:
        print("valgrind is not installed: apt-get install valgrind", file=sys.stderr)
        return 2
    counts = {name: count(name) for name in [*FLOORS, *(options.workloads or GOALS)]}
    print(json.dumps(counts, indent=1) if options.json else _table(counts))
    return 0


def count(name: str) -> float:
    """Return instructions a call inside the getter for workload ``name`` (``F``, ``bare``: inside a floor).

    Two runs of different lengths are subtracted, so that start-up and the first, slower calls do not count.
    """
    return (_collect(name, 2 * CALLS) - _collect(name, CALLS)) / CALLS


def _collect(name: str, calls: int) -> int:
    command = [sys.executable, "-c", _CHILD, name, str(calls)]
    return count_inside(FLOORS.get(name, GETTER), command, {**os.environ, "PYTHONHASHSEED": "0"})


def _table(counts: dict[str, float]) -> str:
    rows = [f"{'workload':<10}{'instructions':>14}{'goal':>8}"]
    for name, each in counts.items():
        goal = GOALS.get(name)
        verdict = "" if goal is None else f"{goal:>8}  {'reached' if each <= goal else 'MISSED'}"
        rows.append(f"{name:<10}{each:>14.1f}{verdict}")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
