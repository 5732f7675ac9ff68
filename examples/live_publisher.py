"""A publisher that is told when: ``python -m examples.live_publisher PATH ADDRESS STATE CLIENTS``, then lines on stdin.

For each line it waits until so many clients are connected, publishes, and prints a receipt, as a JSON line. ``flagcore publish``
does it by watching the files.
"""

from __future__ import annotations

import json
import sys
import time

from flagcore.compiler import compile_flag_set
from flagcore.distribution.publisher import Publisher
from flagcore.model import load

CONNECT_SECONDS = 10.0


def main(path: str, address: str, state: str, clients: str) -> None:
    """Publish ``path`` now, and again whenever a line comes in."""
    compiled = compile_flag_set(load(path).flag_set)
    with Publisher(address, state=state) as publisher:
        publisher.publish(compiled.snapshot)
        print(json.dumps({"revision": publisher.position().revision}), flush=True)
        for _ in sys.stdin:
            _wait_for(publisher, int(clients))
            compiled = compile_flag_set(load(path).flag_set, previous=compiled)
            handed = time.monotonic_ns()
            receipt = publisher.publish(compiled.snapshot, wait="all")
            told = {
                "revision": publisher.position().revision,
                "handed": handed,
                "complete": receipt.complete,
                "acknowledged": len(receipt.acknowledged),
                "milliseconds": (time.monotonic_ns() - handed) / 1e6,
            }
            print(json.dumps(told), flush=True)


def _wait_for(publisher: Publisher, clients: int) -> None:
    deadline = time.monotonic() + CONNECT_SECONDS
    while len(publisher.clients()) < clients and time.monotonic() < deadline:
        time.sleep(0.01)


if __name__ == "__main__":
    main(*sys.argv[1:])
