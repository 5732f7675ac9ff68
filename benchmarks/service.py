"""What a service pays around its evaluations: ``python -m benchmarks.service [--json] [--record] [--sizes N,...] [W9 W10 W13]``.

W9 opens 1,000, 10,000 and 100,000 flags and weighs them, W10 evaluates in several threads and while revisions are swapped, W13 recompiles
and swaps one flag among 10,000. With --record the figures are kept under benchmarks/records/ and written into docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import loading, swaps, threads
from benchmarks.machine import keep, machine
from benchmarks.sections import write_section

__all__ = ["section"]

PAGE = Path(__file__).resolve().parents[1] / "docs/performance.md"
SECTION = "service", "python -m benchmarks.service --record"
NAMES = ("W9", "W10", "W13")
LOAD_GOAL, WEIGHT_GOAL, SWAP_GOAL = (12, 8), (250, 180), (2, 0.5)  # docs/design/design.md section 5: goal, stretch
ROUNDS = {"W10": 7, "W13": 40}

Report = Mapping[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and with --record keep."""
    parser = _parser()
    options = parser.parse_args(arguments)
    names = options.workloads or NAMES
    if options.record and set(names) != set(NAMES):
        parser.error("--record wants all workloads")
    report = {**machine(), "load_average": os.getloadavg()[0], **_measured(names, options.sizes)}
    if options.record:
        keep(report, "service-")
        write_section(PAGE, *SECTION, section(report))
    print(json.dumps(report, indent=1) if options.json else section(report))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    parser.add_argument("workloads", nargs="*", choices=[*NAMES, []], metavar="W", help=f"default: {', '.join(NAMES)}")
    parser.add_argument("--sizes", type=_sizes, default=loading.SIZES, help="flags of W9 (default 1000,10000,100000)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true", help="keep the figures, and write docs/performance.md")
    return parser


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _measured(names: Sequence[str], sizes: Sequence[int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "W9" in names:
        with tempfile.TemporaryDirectory() as folder:
            found["W9"] = list(loading.measured(Path(folder), sizes))
    if "W10" in names:
        found["W10"] = list(threads.measured(ROUNDS["W10"]))
    if "W13" in names:
        found["W13"] = swaps.measured(ROUNDS["W13"])
    return found


# -- for people


def section(report: Report) -> str:
    """Return the report as it stands in docs/performance.md."""
    head = f"CPython {report['python']}, {report['processor']}, {report['date']}, load average {report['load_average']:.1f}."
    parts = {"W9": _loading, "W10": _threads, "W13": _swap}
    return (
        "\n".join([head, *(line for name, part in parts.items() if name in report for line in part(report[name]))])
        + "\n"
    )


def _loading(rows: Sequence[Report]) -> list[str]:
    goals = (
        f"10,000 flags from snapshot bytes: goal {LOAD_GOAL[0]} ms, stretch {LOAD_GOAL[1]}; "
        f"bytes a flag: goal {WEIGHT_GOAL[0]}, stretch {WEIGHT_GOAL[1]}."
    )
    lines = [
        "",
        f"**W9**, to the first answer. Milliseconds of CPU time, the least. {goals}",
        "",
        "| opened | flags | ms | most in memory | content, B a flag | beyond it, loaded | beyond it, all asked for |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in sorted(rows, key=lambda row: list(loading.WAYS).index(row["way"])):
        figures = [row["content_bytes"], row["bytes_loaded"], row["bytes_asked"]]
        cells = [
            f"{row['flags']:,}",
            f"{row['cpu_ms']:,.1f}",
            f"{row['peak_mb']:,.0f} MB",
            *(f"{each:,.0f}" for each in figures),
        ]
        lines.append(f"| {row['way']} | {' | '.join(cells)} |")
    return lines


def _threads(rows: Sequence[Report]) -> list[str]:
    lines = [
        "",
        "**W10**. CPU time an evaluation in its own thread, and evaluations of all threads by the wall, over one thread alone.",
        "",
        "| flag | threads | swaps a second | ns | CPU | throughput |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        swapped = f"{row['swaps_a_second']:,}" if row["swaps_a_second"] else "none"
        lines.append(
            f"| {row['name']} | {row['threads']} | {swapped} | {row['ns']:.0f} | {row['cpu_ratio']:.2f} | {row['rate_ratio']:.2f} |"
        )
    return lines


def _swap(row: Report) -> list[str]:
    steps = (
        f"recompiled in {row['recompile_ms']:.2f} ms, swapped to the first answer in {row['swap_ms']:.2f} ms, "
        f"both {row['both_ms']:.2f} ms at least and {row['median_ms']:.2f} ms at the median"
    )
    goals = f"goal {SWAP_GOAL[0]} ms, stretch {SWAP_GOAL[1]}"
    patch = f"Given the change alone, an engine answers after {row['patch_ms']:.2f} ms."
    return ["", f"**W13**, one flag of {row['flags']:,}, all asked for before: {steps} ({goals}). {patch}"]


if __name__ == "__main__":
    sys.exit(main())
