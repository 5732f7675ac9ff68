"""How cost grows, drawn: ``python -m benchmarks.curves`` draws the newest record of ``python -m benchmarks.growth --record``.

Four panels over the number of rules, both axes logarithmic: tests and nanoseconds of an evaluation, bytes of the program, CPU time
of the compiler. Writes docs/img/growth.svg and the table of docs/performance.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from math import ceil, floor, log10
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.drawing import FAINT, INK, SOFT, drawing, text
from benchmarks.machine import RECORDS
from benchmarks.sections import write_section

__all__ = ["drawn", "section"]

DOCS = Path(__file__).resolve().parents[1] / "docs"
SECTION = "growth", "python -m benchmarks.curves"
COLOURS = {
    "equal": "#c2410c",
    "realistic": "#1d4ed8",
    "exceptions": "#15803d",
    "boxes": "#7e22ce",
    "affixes": "#a16207",
    "tags": "#0e7490",
    "wide": "#be185d",
    "narrow": "#4b5563",
    "six": "#111827",
}
WIDTH, HEIGHT, LEFT, TOP, LEGEND = 430, 300, 56, 84, 96  # of a panel, its margins, the legend's column
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT - 24, HEIGHT - 84

Row = dict[str, Any]


class Panel(NamedTuple):
    """One figure over the number of rules."""

    title: str
    figure: str
    written: Callable[[float], str]


PANELS = (
    Panel("Tests an evaluation", "tests", lambda value: f"{value:,.0f}"),
    Panel("Time an evaluation, from Python, ns", "nanoseconds", lambda value: f"{value:,.0f} ns"),
    Panel("Program", "bytes", lambda value: _bytes(value)),
    Panel("Compile, CPU", "compile_ms", lambda value: f"{value / 1000:,.0f} s" if value >= 1000 else f"{value:g} ms"),
)


def main() -> int:
    """Draw the newest record."""
    path = max(RECORDS.glob("growth-*.json"), default=None)
    if path is None:
        print("no record: run python -m benchmarks.growth --record first", file=sys.stderr)
        return 2
    record = json.loads(path.read_text(encoding="utf-8"))
    (DOCS / "img" / "growth.svg").write_text(drawn(record), encoding="utf-8")
    write_section(DOCS / "performance.md", *SECTION, section(record))
    return 0


def drawn(record: Row) -> str:
    """Return the drawing as SVG."""
    rows: list[Row] = record["sets"]
    parts = [
        text(24, 32, "How cost grows with the number of rules", 20, weight=600),
        text(24, 56, f"Both axes logarithmic. CPython {record['python']}, {record['processor']}, {record['date']}", 13),
    ]
    for index, panel in enumerate(PANELS):
        x, y = 24 + WIDTH * (index % 2), TOP + HEIGHT * (index // 2)
        parts.append(f'<g transform="translate({x},{y})">{_panel(panel, rows)}</g>')
    parts += [_legend(index, family, 24 + 2 * WIDTH) for index, family in enumerate(COLOURS)]
    return drawing(
        48 + 2 * WIDTH + LEGEND, TOP + 2 * HEIGHT, "Cost over the number of rules, by family of rule sets", parts
    )


def _legend(index: int, family: str, x: int) -> str:
    y = TOP + 40 + 22 * index
    line = f'<line x1="{x}" x2="{x + 20}" y1="{y - 4}" y2="{y - 4}" stroke="{COLOURS[family]}" stroke-width="2.5"/>'
    return line + text(x + 26, y, family, 12)


def _panel(panel: Panel, rows: list[Row]) -> str:
    sizes = sorted({row["rules"] for row in rows})
    values = [row[panel.figure] for row in rows if row[panel.figure] > 0]
    low, high = floor(log10(min(values))), max(ceil(log10(max(values))), floor(log10(min(values))) + 1)
    place = _Place(log10(sizes[0]), max(log10(sizes[-1]), 1), low, high)
    parts = [text(0, 16, panel.title, 14, weight=600)]
    for power in range(low, high + 1):
        y = place.y(10.0**power)
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + PLOT_WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="{FAINT}"/>')
        parts.append(text(LEFT - 6, round(y) + 4, panel.written(10.0**power), 10, anchor="end", fill=SOFT))
    parts += [text(place.x(size), PLOT_HEIGHT + 46, f"{size:,}", 10, anchor="middle", fill=SOFT) for size in sizes]
    parts.append(text(LEFT + PLOT_WIDTH / 2, PLOT_HEIGHT + 64, "rules", 11, anchor="middle", fill=INK))
    return "".join(parts) + "".join(_curve(family, panel.figure, rows, place) for family in COLOURS)


class _Place(NamedTuple):
    """Where a value lies in a panel; all four are powers of ten."""

    left: float
    right: float
    low: float
    high: float

    def x(self, rules: float) -> float:
        return LEFT + PLOT_WIDTH * (log10(rules) - self.left) / (self.right - self.left)

    def y(self, value: float) -> float:
        return 28 + PLOT_HEIGHT * (self.high - log10(value)) / (self.high - self.low)


def _curve(family: str, figure: str, rows: list[Row], place: _Place) -> str:
    found = [row for row in rows if row["family"] == family and row[figure] > 0]
    points = " ".join(f"{place.x(row['rules']):.1f},{place.y(row[figure]):.1f}" for row in found)
    return f'<polyline points="{points}" fill="none" stroke="{COLOURS[family]}" stroke-width="2"/>'


def _bytes(value: float) -> str:
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value:g} B"


def section(record: Row) -> str:
    """Return the tables of docs/performance.md."""
    rows: list[Row] = record["sets"]
    sizes = sorted({row["rules"] for row in rows})
    measured = f"CPython {record['python']}, {record['processor']}, {record['date']}, load average {record['load_average']:.1f}."
    lines = [
        f"{measured} In brackets the design's figure. Tests and bytes are the same on every machine.",
        "",
        "| tests an evaluation | "
        + " | ".join(f"{size:,} rules" for size in sizes)
        + " | program at most | compiled in |",
        "|---|" + "---:|" * (len(sizes) + 2),
    ]
    for family in COLOURS:
        found = {row["rules"]: row for row in rows if row["family"] == family}
        cells = [f"{found[size]['tests']:.1f} ({found[size]['design']:g})" for size in sizes if size in found]
        most = found[max(found)]
        lines.append(
            f"| {family} | {' | '.join(cells)} | {most['bytes'] / 1e6:.2f} MB | {most['compile_ms'] / 1000:.2f} s |"
        )
    lines += ["", "| ns an evaluation, from Python | " + " | ".join(f"{size:,} rules" for size in sizes) + " |"]
    lines.append("|---|" + "---:|" * len(sizes))
    for family in COLOURS:
        cells = [f"{row['nanoseconds']:,.0f}" for row in rows if row["family"] == family]
        lines.append(f"| {family} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
