"""Wall clock of this tree beside another state of it, built and run in the same job: ``python -m benchmarks.run --against REF``."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gate.measure import ROOT, environment_of
from benchmarks.gate.reference import built, resolved

__all__ = ["quotients", "rendered"]

TURNS = 3  # processes of each side, in turn: a slow minute of the machine slows both

Ratios = dict[str, list[float]]  # row -> its ratios to the floor, a process each


def quotients(reference: str, workloads: Sequence[str], rounds: int) -> dict[str, tuple[float, float, float]]:
    """Return for each row what it took there and takes here, in units of the floor of its own process, and here / there."""
    with built(resolved(reference)) as tree:
        there: Ratios = {}
        here: Ratios = {}
        for _ in range(TURNS):
            _run(tree, workloads, rounds, there)
            _run(ROOT, workloads, rounds, here)
    found = {}
    for name in here:
        if name in there:
            old, new = statistics.median(there[name]), statistics.median(here[name])
            found[name] = (old, new, new / old)
    return found


def _run(tree: Path, workloads: Sequence[str], rounds: int, ratios: Ratios) -> None:
    command = [sys.executable, "-m", "benchmarks.run", "--json", "--rounds", str(rounds), *workloads]
    done = subprocess.run(command, env=environment_of(tree), cwd=ROOT, stdout=subprocess.PIPE, check=True)
    for row in json.loads(done.stdout)["rows"]:
        ratios.setdefault(row["name"], []).append(row["ratio"])


def rendered(reference: str, found: dict[str, tuple[float, float, float]]) -> str:
    """Return the table."""
    lines = [f"{'workload, in floors':<24}{reference[:14]:>15}{'here':>9}{'here / there':>14}"]
    lines += [f"{name:<24}{old:>15.2f}{new:>9.2f}{quotient:>14.2f}" for name, (old, new, quotient) in found.items()]
    return "\n".join(lines)
