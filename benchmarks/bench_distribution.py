"""What live flags cost: ``python -m benchmarks.bench_distribution [--clients 1,100] [--changes N] [--json] [--record]``.

A change is handed to the publisher; the figure is the time until the last client's engine answers by it. Beside it, in the same run:
raw ZeroMQ that carries as many bytes under CURVE with one signature made and one verified by each subscriber (the floor), and
NATS JetStream's key-value store. Then: what a client's other threads notice while 10,000 changed flags are applied, what a lost last
change takes to be repaired, how soon flags are there without a network, and what an idle client weighs on both sides.
docs/design/wire.md section 10 has the goals.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.distribution import gaps, repair, resting, starting
from benchmarks.distribution.latency import latencies, summary
from benchmarks.distribution.live import live_publisher
from benchmarks.distribution.nats_kv import nats_publisher
from benchmarks.distribution.raw import raw_publisher
from benchmarks.distribution.receivers import receivers
from benchmarks.distribution.report import section
from benchmarks.machine import keep, machine
from benchmarks.sections import write_section

PAGE = Path(__file__).resolve().parents[1] / "docs/performance.md"
SECTION = "distribution", "python -m benchmarks.bench_distribution --record"
CLIENTS = (1, 100)
PAUSE = {1: 0.01}  # seconds between changes; for more clients, longer
LONG_PAUSE = 0.08
ROUNDS = 3  # in which floor, subject and peer take turns


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and with --record keep."""
    options = _parser().parse_args(arguments)
    report = {**machine(), "load_average": os.getloadavg()[0], **_measured(options.clients, options.changes)}
    if options.record:
        keep(report, "distribution-")
        write_section(PAGE, *SECTION, section(report))
    print(json.dumps(report, indent=1) if options.json else section(report))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_distribution", description=__doc__)
    parser.add_argument("--clients", type=_numbers, default=CLIENTS, help="numbers of clients (default 1,100)")
    parser.add_argument("--changes", type=int, default=100, help="changes a round (default 100; three rounds)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true", help="keep the figures, and write docs/performance.md")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _measured(clients: Sequence[int], changes: int) -> dict[str, Any]:
    return {
        "latency": [_beside(count, changes) for count in clients],
        "gaps": _said("gaps", gaps.measured),
        "repair": _said("repair", repair.measured),
        "starting": _said("start without a network", starting.measured),
        "resting": _said("idle clients", resting.measured),
    }


def _said(what: str, measured: Any) -> Any:
    print(f"measuring: {what}", file=sys.stderr, flush=True)
    return measured()


def _beside(clients: int, changes: int) -> dict[str, Any]:
    """Return the latencies of floor, subject and peer, of rounds in turn: a slow minute slows all three."""
    found: dict[str, list[float]] = {"raw": [], "flagcore": [], "nats_kv": []}
    for number in range(ROUNDS):
        print(f"measuring: {clients} clients, round {number + 1} of {ROUNDS}", file=sys.stderr, flush=True)
        found["raw"] += _raw(clients, changes)
        found["flagcore"] += _live(clients, changes)
        found["nats_kv"] += _nats(clients, changes)
    return {"clients": clients, **{name: summary(some) for name, some in found.items()}}


def _raw(clients: int, changes: int) -> list[float]:
    with raw_publisher() as publisher, receivers("raw", clients, **publisher.settings) as some:
        some.wait_ready()
        publisher.wait_for(clients)
        return latencies(some, publisher.publish, changes, PAUSE.get(clients, LONG_PAUSE))


def _live(clients: int, changes: int) -> list[float]:
    with live_publisher() as publisher, receivers("live", clients, **publisher.settings) as some:
        some.wait_ready()
        return latencies(some, publisher.publish, changes, PAUSE.get(clients, LONG_PAUSE))


def _nats(clients: int, changes: int) -> list[float]:
    with nats_publisher() as publisher, receivers("nats_kv", clients, **publisher.settings) as some:
        some.wait_ready()
        return latencies(some, publisher.publish, changes, PAUSE.get(clients, LONG_PAUSE))


if __name__ == "__main__":
    sys.exit(main())
