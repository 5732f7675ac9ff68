"""The named workloads: seeded data, the answers they must give, and the same decision written by hand.

Each maker returns a Workload whose flag set is an authored document (flag-format.md), so that any engine that reads the
format, or an adapter of another one, can run it.
"""

from __future__ import annotations

from benchmarks.workloads.base import Call, Workload
from benchmarks.workloads.bulk import w8
from benchmarks.workloads.gates import w3
from benchmarks.workloads.rules import w1, w2, w4, w5, w6
from benchmarks.workloads.sets import w7_different, w7_million_different, w7_million_one, w7_one

__all__ = ["LARGE", "MAKERS", "Call", "Workload", "make"]

MAKERS = {
    "W1": w1,
    "W2": w2,
    "W3": w3,
    "W4": w4,
    "W5": w5,
    "W6": w6,
    "W7 one": w7_one,
    "W7 different": w7_different,
    "W8": w8,
}

LARGE = {"W7 million one": w7_million_one, "W7 million different": w7_million_different}
"""Workloads that take seconds to build: timed with the others, but neither counted by the gate nor given to peers."""


def make(name: str) -> Workload:
    """Return the workload called ``name``, always with the same data."""
    return (MAKERS.get(name) or LARGE[name])()
