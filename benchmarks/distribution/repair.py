"""How long a client goes without the last change when the network has lost it."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.distribution.latency import summary
from benchmarks.distribution.live import connected, live_publisher

__all__ = ["measured"]

CHANGES = 20
PATIENCE_SECONDS = 5.0


def measured() -> dict[str, Any]:
    """Lose one delta after the other on its way in, with nothing published behind it; return microseconds until it was served."""
    found = []
    with live_publisher(100) as publisher:
        client: Any = connected(publisher.settings)
        loses = _losing_deltas(client)
        for revision in range(2, CHANGES + 2):
            loses.append(revision)
            begun = publisher.publish(revision)
            deadline = begun + PATIENCE_SECONDS * 1e9
            while client.revision < revision and time.monotonic_ns() < deadline:
                time.sleep(0.001)
            found.append((time.monotonic_ns() - begun) / 1000)
            time.sleep(1.2)  # each is the last for a while; a client may ask once a second
        client.close()
    if loses:
        raise RuntimeError("a delta came although it should have been lost")
    return summary(found)


def _losing_deltas(client: Any) -> list[int]:
    """Let the client's machine never see the broadcast deltas of the returned revisions."""
    machine = client._source._machine
    receive, loses = machine.received_sub, []

    def lossy(frames: Any, now: float) -> Any:
        if frames[0][-1:] == b"D" and loses:
            loses.pop()
            return ()
        return receive(frames, now)

    machine.received_sub = lossy
    return loses
