"""Where figures were measured, and where they are kept."""

from __future__ import annotations

import datetime
import json
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["RECORDS", "keep", "machine"]

RECORDS = Path(__file__).parent / "records"


def machine() -> dict[str, object]:
    """Return the date, the interpreter and the processor."""
    return {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": _processor(),
    }


def keep(report: Mapping[str, object], prefix: str = "") -> Path:
    """Write a report, which holds what ``machine`` gives, under benchmarks/records/, one a day and kind of machine."""
    kind = f"{report['machine']}-{'-'.join(str(report['processor']).split()[:3])}".replace("(R)", "").lower()
    path = RECORDS / f"{prefix}{report['date']}-{kind}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(f"recorded in {path.name}", file=sys.stderr)
    return path


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
