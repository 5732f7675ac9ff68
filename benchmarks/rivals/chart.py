"""A record of the peers as a drawing: one panel of bars a workload, on a logarithmic scale of nanoseconds."""

from __future__ import annotations

import re
from math import ceil, log10
from pathlib import Path
from typing import Any

from benchmarks.drawing import FAINT, SOFT, drawing
from benchmarks.drawing import text as _text
from benchmarks.rivals.table import Line, duration, lines_of
from benchmarks.workloads import make

__all__ = ["drawn", "write_chart"]

PATH = Path(__file__).resolve().parents[2] / "docs" / "img" / "rivals.svg"
COLUMNS = 3
NAMES, BARS, FIGURES, GAP = 150, 200, 58, 20  # widths in a panel
BAR, TITLE, AXIS = 17, 44, 50  # heights
TOP, MARGIN = 84, 24
OURS, HAND, PEER = "#c2410c", "#78716c", "#94a3b8"
SHORT = {"**flagcore**, plain dict": "flagcore, plain dict", "**flagcore**, its context": "flagcore, its context"}


def write_chart(report: dict[str, Any]) -> None:
    """Draw the newest figures into docs/img/rivals.svg."""
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(drawn(report), encoding="utf-8")


def drawn(report: dict[str, Any]) -> str:
    """Return the drawing as SVG."""
    lines = lines_of(report)
    names = list(report["ours"]["flagcore"])
    all_ns = [figure["ns"] for line in lines for figure in line.figures.values()]
    scale = 0, ceil(log10(max(all_ns)))  # powers of ten of a nanosecond
    panel_width, panel_height = NAMES + BARS + FIGURES + GAP, TITLE + BAR * len(lines) + AXIS
    rows = -(-len(names) // COLUMNS)
    width, height = 2 * MARGIN + COLUMNS * panel_width, TOP + rows * panel_height + MARGIN
    parts = [
        _text(MARGIN, 32, "Time an evaluation, flagcore and its peers", 20, weight=600),
        _text(MARGIN, 56, _subtitle(report), 13),
    ]
    for index, name in enumerate(names):
        row, column = divmod(index, COLUMNS)
        x, y = MARGIN + column * panel_width, TOP + row * panel_height
        parts.append(f'<g transform="translate({x},{y})">{_panel(name, lines, scale)}</g>')
    return drawing(width, height, "Nanoseconds an evaluation, by workload and engine, logarithmic scale", parts)


def _subtitle(report: dict[str, Any]) -> str:
    measured = f"CPython {report['python']}, {report['processor']}, {report['date']}"
    return f"Shorter is quicker; logarithmic scale, each line is ten times the one before. Peers' contexts are ready made. {measured}"


def _panel(name: str, lines: list[Line], scale: tuple[int, int]) -> str:
    bottom = TITLE + BAR * len(lines)
    parts = [_text(0, 16, name, 14, weight=600), _text(0, 33, make(name).title, 12, fill=SOFT)]
    for power in range(scale[0], scale[1] + 1):
        x = NAMES + _position(10.0**power, scale)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TITLE - 2}" y2="{bottom}" stroke="{FAINT}"/>')
        if power % 2 == 0:
            parts.append(_text(x, bottom + 13, re.sub(r"\.0+", "", duration(10.0**power)), 10, anchor="middle"))
    parts.append(_text(NAMES + BARS / 2, bottom + 27, _axis(name), 10, anchor="middle", fill=SOFT))
    for index, line in enumerate(lines):
        parts += _bar(TITLE + BAR * index, line, line.figures.get(name), scale)
    return "".join(parts)


def _axis(name: str) -> str:
    return "time a flag, all in one go" if name == "W8" else "time an evaluation"


def _bar(y: int, line: Line, figure: dict[str, float] | None, scale: tuple[int, int]) -> list[str]:
    title = SHORT.get(line.title, line.title)
    flagcore = line.title in SHORT
    label = _text(NAMES - 6, y + 12, title, 11, anchor="end", weight=600 if flagcore else 400)
    if figure is None:
        return [label]
    length = _position(figure["ns"], scale)
    fill = OURS if flagcore else HAND if line.ours else PEER
    bar = f'<rect x="{NAMES}" y="{y + 2}" width="{length:.1f}" height="{BAR - 5}" fill="{fill}"/>'
    return [label, bar, _text(NAMES + length + 5, y + 12, duration(figure["ns"]), 11, weight=600 if flagcore else 400)]


def _position(nanoseconds: float, scale: tuple[int, int]) -> float:
    low, high = scale
    return BARS * (log10(nanoseconds) - low) / (high - low)
