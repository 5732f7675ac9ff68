"""Measure the peers' released packages beside flagcore: ``python -m benchmarks.rivals [--peers all|NAME ...]``.

Each peer is installed into an environment of its own, below build/rivals, at the versions pinned in peers/. A run of
all peers and workloads is kept in benchmarks/records/ and written into docs/performance.md with its chart; a run of some is
printed. Nothing is sent anywhere: a peer that knows no file is served by the loopback interface.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from benchmarks.machine import RECORDS, keep
from benchmarks.rivals.chart import write_chart
from benchmarks.rivals.peer import PEERS
from benchmarks.rivals.run import measure_load, measure_peers
from benchmarks.rivals.table import rendered, write_section
from benchmarks.workloads import MAKERS

PREFIX = "rivals-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, keep, render."""
    options = _parser().parse_args(arguments)
    if options.render:
        return _render()
    peers = list(PEERS) if options.peers == ["all"] else options.peers
    report = measure_peers(peers, options.workloads, options.rounds)
    if not options.no_load:
        report["load"] = measure_load(peers)
    if peers == list(PEERS) and options.workloads == list(MAKERS) and "load" in report:
        keep(report, PREFIX)
        return _render()
    print(rendered(report))
    return 0


def _parser() -> argparse.ArgumentParser:
    lines = str(__doc__).splitlines()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals", description=lines[0].partition(":")[0])
    parser.add_argument(
        "--peers", nargs="+", choices=["all", *PEERS], default=["all"], metavar="NAME", help=", ".join(PEERS)
    )
    parser.add_argument("--workloads", nargs="+", choices=MAKERS, default=list(MAKERS), metavar="W")
    parser.add_argument("--rounds", type=int, default=11, help="samples of each subject (default 11)")
    parser.add_argument("--no-load", action="store_true", help="leave out load time and memory")
    parser.add_argument(
        "--render", action="store_true", help="measure nothing: write the newest record's table and chart"
    )
    return parser


def _render() -> int:
    newest = max(RECORDS.glob(f"{PREFIX}*.json"), key=lambda path: path.name)
    report = json.loads(newest.read_text())
    write_section(report)
    write_chart(report)
    print(f"written from {newest.name}: docs/performance.md, docs/img/rivals.svg", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
