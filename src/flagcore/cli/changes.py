"""How changes of flags are printed, one line each: by who publishes them and by who watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from flagcore.cli.output import Style, counted

__all__ = ["print_change", "print_line"]

SHOWN = 8  # keys of a line; the rest is counted


def print_change(position: tuple[int, int], changed: Collection[str], text: str, *, as_json: bool) -> None:
    """Print that a revision has come; ``text`` says more, for people only."""
    epoch, revision = position
    keys = sorted(changed)
    shown = ", ".join(keys[:SHOWN]) + (f" and {len(keys) - SHOWN:,} more" if len(keys) > SHOWN else "")
    line = f"revision {revision}: {counted(len(keys), 'flag')} changed: {shown}" if keys else f"revision {revision}"
    print_line({"epoch": epoch, "revision": revision, "changed": keys}, f"{line}  ({text})", as_json=as_json)


def print_line(data: Mapping[str, Any], line: str, *, as_json: bool) -> None:
    """Print one line with the time before it, as JSON or for people, at once."""
    now = time.time()
    if as_json:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
        print(msgspec.json.encode({"time": moment, **data}).decode(), flush=True)
    else:
        style = Style(sys.stdout)
        print(style("cyan", time.strftime("%H:%M:%S", time.localtime(now))), line, flush=True)
