"""The file that holds the figures, the tools they were counted with, and why they rose."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flagcore.cli.figures import Figures

__all__ = ["BASELINE", "REPEATED", "TOLERANCE", "Baseline", "read_baseline", "write_baseline"]

BASELINE = Path(__file__).parents[1] / "baseline.json"
TOLERANCE = 0.02
REPEATED = 0.001  # counts that include the interpreter's part repeat to within this


class Baseline(NamedTuple):
    """The committed figures, the tools that they were counted with, and why some of them rose."""

    tool_chain: Mapping[str, str]
    figures: Figures
    changes: list[dict[str, Any]]  # {date, figure, old, new, why}, the newest last


def read_baseline(path: Path = BASELINE) -> Baseline:
    """Raises ValueError for a file that is no baseline, OSError where none can be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found = Baseline(data["tool_chain"], data["figures"], data["changes"])
        if not all(isinstance(number, int | float) and number >= 0 for number in found.figures.values()):
            raise ValueError("figures are numbers from 0 on")
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a baseline: {type(error).__name__}: {error}") from None
    return found


def write_baseline(baseline: Baseline, path: Path = BASELINE) -> None:
    """Write the file, each figure and each change on a line of its own, so that a change of it reads well."""

    def lines(entries: list[str]) -> str:
        return "".join(f"\n  {entry}{',' if i + 1 < len(entries) else ''}" for i, entry in enumerate(entries))

    figures = [f"{json.dumps(name)}: {json.dumps(number)}" for name, number in _rounded(baseline.figures).items()]
    changes = [json.dumps(change, ensure_ascii=False) for change in baseline.changes]
    path.write_text(
        f'{{\n "tool_chain": {json.dumps(dict(baseline.tool_chain), indent=2)},\n'
        f' "figures": {{{lines(figures)}\n }},\n "changes": [{lines(changes)}\n ]\n}}\n',
        encoding="utf-8",
    )


def _rounded(figures: Figures) -> dict[str, float]:
    return {name: round(number, 2) for name, number in figures.items()}
