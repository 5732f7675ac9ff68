"""What idle clients weigh: in the publisher's process, and in their own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmarks.distribution.live import live_publisher
from benchmarks.distribution.receivers import receivers

__all__ = ["measured"]

CLIENTS = 200
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def measured() -> dict[str, Any]:
    """Return kilobytes of resident memory that each of so many clients adds on either side, their flags included."""
    with live_publisher(100) as publisher, receivers("live", 4, **publisher.settings) as few:
        few.wait_ready()
        server, clients = _resident([os.getpid()]), _resident(few.pids)
        with receivers("live", CLIENTS + 4, **publisher.settings) as many:
            many.wait_ready()
            return {
                "clients": CLIENTS,
                "publisher_kb": round((_resident([os.getpid()]) - server) / (CLIENTS + 4) / 1000, 1),
                "client_kb": round((_resident(many.pids) - clients) / CLIENTS / 1000, 1),
            }


def _resident(pids: list[int]) -> int:
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES for pid in pids)
