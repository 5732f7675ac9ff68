"""How soon flags are there when no publisher is: from the last known good file, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from typing import Any

import flagcore
from benchmarks.distribution.live import live_publisher

__all__ = ["measured"]

FLAGS = 10_000
ROUNDS = 7
NOWHERE = "tcp://127.0.0.1:9"  # nobody listens on the discard port


def measured() -> dict[str, Any]:
    """Return least and median milliseconds from ``connect`` to the first right answer, over so many processes."""
    with tempfile.TemporaryDirectory() as folder, live_publisher(FLAGS) as publisher:
        with flagcore.connect(
            publisher.settings["source"], sdk_key=publisher.settings["sdk_key"], cache_dir=folder
        ) as client:
            client.wait_ready(30)
            time.sleep(2.5)  # at most one save a second
        command = [
            sys.executable,
            "-m",
            "benchmarks.distribution.starting",
            json.dumps({**publisher.settings, "folder": folder}),
        ]
        found = sorted(float(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(ROUNDS))
    return {"least_ms": found[0], "median_ms": found[len(found) // 2], "flags": FLAGS}


def main() -> None:
    """Open the file, answer, and print the milliseconds that it took; importing is not among them."""
    settings = json.loads(sys.argv[1])
    from flagcore.distribution import subscriber  # noqa: F401 - what an application has imported by then

    begun = time.perf_counter()
    client = flagcore.connect(NOWHERE, sdk_key=settings["sdk_key"], cache_dir=settings["folder"], wait=0)
    answer = client.get_boolean_value("flag-00007", False, {"country": "DE"})
    took = time.perf_counter() - begun
    if answer is not True:
        raise RuntimeError(f"no right answer: {client.status}, {client.last_error}")
    print(round(1000 * took, 2))
    client.close()


if __name__ == "__main__":
    main()
