"""What a thread that evaluates without pause notices while its process applies 10,000 changed flags.

As a module: the process, whose main thread evaluates and notes each gap between two answers.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from array import array
from typing import Any

from benchmarks.distribution.live import connected, live_publisher
from benchmarks.distribution.receivers import receivers

__all__ = ["measured"]

FLAGS = 10_000
CHANGES = 10
ABOVE_US = 50.0  # an evaluation beyond is one that was held up
AFTER_NS = 20_000_000  # beyond the swap: old flags are freed


def measured() -> dict[str, Any]:
    """Return what was noted from each publication until its flags were served and the old ones gone, and of idle times as long."""
    with live_publisher(FLAGS) as publisher, receivers("gaps", 1, changes=CHANGES, **publisher.settings) as some:
        some.wait_ready()
        for number in range(CHANGES):
            some.wait_ready()
            publisher.publisher.publish(publisher.snapshots[number % 2 == 0])
        found: dict[str, Any] = some.last_line()
        return found


def main() -> None:
    """Evaluate while changes come, and note."""
    settings = json.loads(sys.argv[1])
    client = connected(settings)
    _ask_all(client)
    gc.disable()  # a collection of the application's own garbage is not what is measured
    print("ready", flush=True)
    busy, idle = array("d"), array("d")
    for _ in range(settings["changes"]):
        took = _note(client, busy, client.revision + 1)
        _ask_all(client)
        _note(client, idle, None, took)
    print(
        json.dumps({"idle": _summary(idle), "applying": _summary(busy), "revisions": settings["changes"]}), flush=True
    )


def _ask_all(client: Any) -> None:
    """Link every flag, so that each has to be replaced and freed."""
    for number in range(FLAGS):
        client.get_boolean_value(f"flag-{number:05}", False, {"country": "DE"})


def _note(client: Any, gaps: array[float], until: int | None, nanoseconds: int = 60_000_000_000) -> int:
    """Append the microseconds from each answer to the next, until a revision is served; returns how long that took."""
    get, context, clock = client.get_boolean_value, {"country": "DE"}, time.perf_counter_ns
    if until is not None:
        print("ready", flush=True)
    last = begun = clock()
    end = begun + nanoseconds
    while last < end:
        get("flag-00007", False, context)
        now = clock()
        gaps.append((now - last) / 1000)
        last = now
        if until is not None and client.revision >= until:
            end, until = now + AFTER_NS, None
    return last - begun


def _summary(gaps: array[float]) -> dict[str, float]:
    ordered = sorted(gaps)
    return {
        "evaluations": len(ordered),
        "p50_us": round(ordered[len(ordered) // 2], 2),
        "p9999_us": round(ordered[int(len(ordered) * 0.9999)], 1),
        "largest_us": round(ordered[-1], 1),
        "above_50_us": sum(gap > ABOVE_US for gap in ordered),
    }


if __name__ == "__main__":
    main()
