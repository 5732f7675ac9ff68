"""All peers, one after the other, and ourselves beside each of them."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.floor import load_floor
from benchmarks.machine import machine
from benchmarks.memory import COUNTED
from benchmarks.rivals.environments import make_environment, run_in
from benchmarks.rivals.peer import progress

__all__ = ["COUNTS", "OURS", "measure_load", "measure_peers"]

COUNTS = (1000, 10_000)
OURS = ("flagcore", "context object", "by hand")
PATIENCE = 900.0  # seconds for one peer's workloads: about 20 on a quiet machine
LOAD_PATIENCE = 60.0  # seconds for one load

Report = dict[str, Any]


def measure_peers(peers: Sequence[str], workloads: Sequence[str], rounds: int) -> Report:
    """Return the record of a run: every peer's figures, and ours as medians over the peers' processes."""
    load_floor()  # built here, where Cython is
    head = {**machine(), "rounds": rounds, "load_average": os.getloadavg()[0]}
    reports: dict[str, Report] = {}
    for peer in peers:
        make_environment(peer)
        progress(f"measuring {peer}")
        arguments = ["benchmarks.rivals.child", peer, "--rounds", str(rounds), "--workloads", *workloads]
        reports[peer] = json.loads(run_in(peer, arguments, PATIENCE))
    floor = statistics.median(report["floor_ns"] for report in reports.values())
    return {**head, "floor_ns": floor, "peers": reports, "ours": _ours(reports, workloads)}


def _ours(reports: dict[str, Report], workloads: Sequence[str]) -> Report:
    """Take our own rows out of the peers' reports and return their medians."""
    made: Report = {who: {} for who in OURS}
    for name in workloads:
        for who in OURS:
            rows = [row for report in reports.values() if (row := report["workloads"][name].pop(who, None))]
            if rows:
                made[who][name] = {
                    figure: round(statistics.median(row[figure] for row in rows), 2) for figure in rows[0]
                }
    return made


def measure_load(peers: Sequence[str]) -> Report:
    """Return, for each peer and ourselves, ``ms`` for each count, and ``bytes`` a flag where they can be told."""
    places = {**{peer: peer for peer in peers}, "flagcore": peers[0], "flagcore-json": peers[0]}
    made: Report = {}
    for who, place in places.items():
        progress(f"loading {who}")
        made[who] = _load(who, place)
    return made


def _load(who: str, place: str) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "document")
        times, memory = {}, []
        for count in COUNTS:
            run_in(place, ["benchmarks.rivals.load", "make", who, str(count), path], LOAD_PATIENCE)
            try:
                opening = ["benchmarks.rivals.load", "open", who, path]
                times[str(count)] = json.loads(run_in(place, opening, LOAD_PATIENCE))["ms"]
                memory.append(json.loads(run_in(place, opening, LOAD_PATIENCE, COUNTED)))
            except subprocess.TimeoutExpired:
                times[str(count)] = None
    return {"ms": times, "bytes": _a_flag(memory)}


def _a_flag(memory: list[Report]) -> int | None:
    """Return bytes a flag: by the allocator, or by the resident memory where an engine has its own."""
    if len(memory) < len(COUNTS):
        return None
    fewer, more = memory
    grown = max(more[kind] - fewer[kind] for kind in ("allocated", "resident"))
    return round(grown / (COUNTS[1] - COUNTS[0]))
