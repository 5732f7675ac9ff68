"""A service with live flags: ``python -m examples.live_service PORT``, or under gunicorn, ``examples.live_service:application``.

It makes one client when it is imported, forked workers included, and answers with what it serves. It also notes when each
revision was there, for the demo to read.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import flagcore

SUBJECTS = [{"targetingKey": f"user-{number}"} for number in range(500)]
NOTES = Path(os.environ["NOTES"])

client = flagcore.connect(os.environ["FLAGS"], cache_dir=None, wait=10)


@client.on_change
def note(_: frozenset[str]) -> None:
    """Note that a revision is served, and since when."""
    with (NOTES / str(os.getpid())).open("a") as file:
        file.write(f"{client.revision} {time.monotonic_ns()}\n")


def served() -> dict[str, Any]:
    """Return what this process would answer now."""
    new = sum(client.get_boolean_value("checkout.new-flow", False, subject) for subject in SUBJECTS)
    return {
        "pid": os.getpid(),
        "status": client.status,
        "revision": client.revision,
        "age": client.age,
        "checkout": client.get_boolean_value("checkout.enabled", False, {}),
        "share": new / len(SUBJECTS),
    }


def application(_: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer any request."""
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(served()).encode()]


class _Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing."""


if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), application, handler_class=_Silent).serve_forever()
