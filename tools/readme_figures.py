"""Write the figures of the newest record into README.md: ``python -m tools.readme_figures [--check]``.

No figure in the README is written by hand: each is a row of benchmarks/records/, which ``python -m benchmarks.run --record``
makes. ``--check`` writes nothing and returns 1 when the README says something else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["main", "newest_record", "rendered"]

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN = "<!-- figures: begin (python -m tools.readme_figures) -->\n"
END = "<!-- figures: end -->\n"
WHAT = {
    "W1": "a static flag",
    "W1 details": "the same, with details",
    "W2": "one rule",
    "W3": "a 25 % gate, subjects vary",
    "W4": "ten rules on different attributes, then a split",
    "W4 reused context": "the same, context reused",
    "W5": "100 rules `attribute == v`",
    "W6": "1,000 rules `attribute == v`",
    "W7 one": "one of 100,000 values, one subject",
    "W7 different": "one of 100,000 values, all different",
    "W8 a flag, lazily": "1,000 flags for one subject, each",
    "W8 a flag, as a dict": "the same, as a dict, each",
}


def main(arguments: list[str]) -> int:
    """Rewrite the block between the marks, or compare it."""
    text = README.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    wanted = head + BEGIN + rendered(newest_record()) + END + tail
    if "--check" in arguments:
        return int(wanted != text)
    README.write_text(wanted, encoding="utf-8")
    return 0


def newest_record() -> dict[str, Any]:
    """Return the newest record of a run over all workloads."""
    records = sorted((ROOT / "benchmarks" / "records").glob("*.json"))
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in records]
    return next(
        report for report in reversed(reports) if {row["name"] for row in report.get("rows", ())} >= {"W1", "W4"}
    )


def rendered(report: dict[str, Any]) -> str:
    """Return the table in Markdown, with the machine and the command that measured it."""
    rows = {row["name"]: row for row in report["rows"]}
    lines = ["| evaluation of | ns | F | bare |", "|---|---:|---:|---:|"]
    for name, what in WHAT.items():
        by_hand = rows.get(f"{name} by hand")
        beside = f"; `if` by hand {by_hand['ns']:.0f} ns" if by_hand else ""
        if row := rows.get(name):
            lines.append(f"| {what}{beside} | {row['ns']:.0f} | {row['ratio']:.1f} | {row['bare_ratio']:.1f} |")
    floor = f"F: calls of a compiled method with three arguments, {report['floor_ns']:.1f} ns each; bare: of the barest C method."
    source = f"CPython {report['python']}, {report['processor']}, {report['date']}; `python -m benchmarks.run`."
    return "\n".join([*lines, "", floor, source]) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
