"""A record of the peers as a section of docs/performance.md."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import sections

__all__ = ["Line", "duration", "lines_of", "rendered", "write_section"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
SECTION = "rivals", "python -m benchmarks.rivals"
OUR_TITLES = {
    "flagcore": "**flagcore**, plain dict",
    "context object": "**flagcore**, its context",
    "by hand": "Python by hand",
}
LOAD_TITLES = {"flagcore": "**flagcore**, compiled file", "flagcore-json": "**flagcore**, authored JSON"}

Report = dict[str, Any]


class Line(NamedTuple):
    """One engine's figures: workload -> ``ns``, ``ratio`` to the floor, ``deviation``; ours come first."""

    title: str
    version: str
    ours: bool
    figures: dict[str, dict[str, float]]


def lines_of(report: Report) -> list[Line]:
    """Return ours, then the peers, the quickest first: by the geometric mean over what all of them can express."""
    ours = [Line(OUR_TITLES[who], "", True, figures) for who, figures in report["ours"].items()]
    peers = [_line(peer) for peer in report["peers"].values()]
    common = set.intersection(*(set(line.figures) for line in peers))
    return [*ours, *sorted(peers, key=lambda line: prod(line.figures[name]["ratio"] for name in common))]


def _line(peer: Report) -> Line:
    figures = {name: rows["peer"] for name, rows in peer["workloads"].items() if "peer" in rows}
    return Line(peer["title"], peer["version"], False, figures)


def write_section(report: Report) -> None:
    """Put the section between its marks."""
    sections.write_section(PAGE, *SECTION, rendered(report))


def rendered(report: Report) -> str:
    """Return the section in Markdown."""
    names = list(report["ours"]["flagcore"])
    lines = lines_of(report)
    source = (
        f"CPython {report['python']}, {report['processor']}, {report['date']}; medians of {report['rounds']} rounds; "
        f"F = {report['floor_ns']:.1f} ns; load average {report['load_average']:.1f} at the start; `python -m benchmarks.rivals`."
    )
    parts = [
        source,
        "Time an evaluation:\n\n" + _table(names, lines, lambda figure: duration(figure["ns"])),
        "The same in units of F:\n\n" + _table(names, lines, lambda figure: _ratio(figure["ratio"])),
        _comparison(names, lines),
    ]
    if "load" in report:
        parts.append(_load(report))
    return "\n\n".join([*parts, _notes(report)]) + "\n"


def _table(names: list[str], lines: list[Line], cell: Any) -> str:
    rows = [f"| engine | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    for line in lines:
        cells = [cell(line.figures[name]) if name in line.figures else "" for name in names]
        rows.append(f"| {' '.join([line.title, line.version]).strip()} | {' | '.join(cells)} |")
    return "\n".join(rows)


def duration(nanoseconds: float) -> str:
    """Return a time in the unit that leaves one to three figures before the point.

    >>> duration(15.3), duration(4310), duration(16_550_011)
    ('15.3 ns', '4.31 µs', '16.6 ms')
    """
    for unit, scale in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        if nanoseconds < 1000 * scale or unit == "ms":
            break
    return f"{_short(nanoseconds / scale)} {unit}"


def _short(number: float) -> str:
    digits = 2 if number < 10 else 1 if number < 100 else 0
    return f"{number:,.{digits}f}"


def _ratio(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 100 else f"{ratio:,.0f}"


def _comparison(names: list[str], lines: list[Line]) -> str:
    """Say, for each workload, how much longer the quickest peer takes."""
    ours = {line.title: line.figures for line in lines if line.ours}
    said = []
    for name in names:
        peers = [(line.figures[name]["ratio"], line.title) for line in lines if not line.ours and name in line.figures]
        if peers:
            ratio, title = min(peers)
            times = [_ratio(ratio / ours[OUR_TITLES[who]][name]["ratio"]) for who in ("flagcore", "context object")]
            said.append(f"{name} {' / '.join(times)} ({title})")
    return (
        "The quickest peer of each workload takes so many times what flagcore takes with a plain dict / with its context: "
        f"{', '.join(said)}."
    )


def _load(report: Report) -> str:
    counts = list(next(iter(report["load"].values()))["ms"])
    heads = [f"{int(count):,} flags" for count in counts]
    rows = [f"| engine | {' | '.join(heads)} | memory a flag |", f"|---|{'---:|' * (len(counts) + 1)}"]
    for who, figures in sorted(report["load"].items(), key=lambda pair: (pair[0] in report["peers"], _last(pair[1]))):
        title = LOAD_TITLES.get(who) or report["peers"][who]["title"]
        cells = ["over 60 s" if ms is None else duration(ms * 1e6) for ms in figures["ms"].values()]
        size = "" if figures["bytes"] is None else f"{figures['bytes']:,} B"
        rows.append(f"| {title} | {' | '.join(cells)} | {size} |")
    return (
        "Load: from the engine's own document in memory to the first answer (the least of three), with the flags of W8, and what "
        "10,000 of them hold in memory beyond 1,000:\n\n" + "\n".join(rows)
    )


def _last(figures: Report) -> float:
    *_, last = figures["ms"].values()
    return float("inf") if last is None else float(last)


def _notes(report: Report) -> str:
    said = ["What was called, and where a peer's model forced a deviation:\n"]
    for peer in sorted(report["peers"].values(), key=lambda peer: peer["title"].lower()):
        notes = dict(peer["notes"])
        for name, rows in peer["workloads"].items():
            if "inexpressible" in rows:
                notes[name] = f"cannot be expressed: {rows['inexpressible']}"
        elsewhere = [rows["elsewhere"] for rows in peer["workloads"].values() if rows.get("elsewhere", 0) >= 0.1]
        if elsewhere:
            notes["all"] = f"Other threads of the engine spend up to {max(elsewhere):.0%} more, not counted."
        deviations = " ".join(f"*{name}*: {note}" for name, note in notes.items())
        said.append(f"* {peer['title']} (`{peer['package']}` {peer['version']}): {peer['what']}. {deviations}".rstrip())
    return "\n".join(said)
