"""Wall clock of this tree beside another state of it, built and run in the same job: ``python -m benchmarks.run --against REF``.

Both sides run in turn, a process each time, and every figure is a ratio to the floor of its own process. What is slower than the tolerance
allows is only called so when the noise of this job cannot explain it: the middle halves of both sides' processes lie apart.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.gate.measure import ROOT, environment_of
from benchmarks.gate.reference import built, resolved

__all__ = ["TURNS", "Beside", "compared", "judged", "rendered"]

TURNS = 5  # processes of each side, in turn: a slow minute of the machine slows both
CONTROL = " by hand"  # rows that run the same Python on both sides: what they show is the machine's doing

Ratios = dict[str, list[float]]  # row -> its ratios to the floor, a process each


class Beside(NamedTuple):
    """One row on both sides, in units of the floor: medians of the processes."""

    name: str
    there: float
    here: float
    slower: bool

    @property
    def quotient(self) -> float:
        """How many times as long it takes here."""
        return self.here / self.there


def compared(reference: str, workloads: Sequence[str], rounds: int, tolerance: float) -> list[Beside]:
    """Build ``reference``, run both sides, and judge each row; ``tolerance`` is a share of what it took there.

    Raises:
        MissingReference: there is no such state, or it cannot be built here.
    """
    there: Ratios = {}
    here: Ratios = {}
    with built(resolved(reference)) as tree:
        for _ in range(TURNS):
            _run(tree, workloads, rounds, there)
            _run(ROOT, workloads, rounds, here)
    return judged(there, here, tolerance)


def judged(there: Ratios, here: Ratios, tolerance: float) -> list[Beside]:
    """Return the rows that both sides have."""
    return [_judge(name, there[name], here[name], tolerance) for name in here if name in there]


def _judge(name: str, there: Sequence[float], here: Sequence[float], tolerance: float) -> Beside:
    old, new = (statistics.quantiles(ratios, n=4, method="inclusive") for ratios in (there, here))
    apart = new[0] > old[2]
    slower = apart and new[1] > old[1] * (1 + tolerance) and not name.endswith(CONTROL)
    return Beside(name, old[1], new[1], slower)


def _run(tree: Path, workloads: Sequence[str], rounds: int, ratios: Ratios) -> None:
    command = [sys.executable, "-m", "benchmarks.run", "--json", "--rounds", str(rounds), *workloads]
    done = subprocess.run(command, env=environment_of(tree), cwd=ROOT, stdout=subprocess.PIPE, check=True)
    for row in json.loads(done.stdout)["rows"]:
        ratios.setdefault(row["name"], []).append(row["ratio"])


def rendered(reference: str, rows: Sequence[Beside], tolerance: float) -> str:
    """Return the table, and below it the verdict, which names what is slower."""
    lines = [f"{'workload, in floors':<24}{reference[:14]:>15}{'here':>9}{'here / there':>14}"]
    for row in rows:
        mark = "  SLOWER" if row.slower else "  the same Python on both sides" if row.name.endswith(CONTROL) else ""
        lines.append(f"{row.name:<24}{row.there:>15.2f}{row.here:>9.2f}{row.quotient:>14.2f}{mark}")
    slower = [row.name for row in rows if row.slower]
    if slower:
        return "\n".join([*lines, f"FAILED, more than {tolerance:.0%} slower than {reference}: {', '.join(slower)}"])
    return "\n".join(
        [*lines, f"passed: nothing is more than {tolerance:.0%} slower than {reference} beyond this job's noise"]
    )
