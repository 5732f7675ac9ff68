"""The subject: a publisher with keys, and clients that serve what it publishes.

As a module: the clients of one process, each made by ``flagcore.connect``; a revision is there when the engine serves it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import flagcore
from benchmarks.distribution.receivers import Notes, serve_notes
from benchmarks.workloads.base import document
from flagcore.compiler import compile_flag_set
from flagcore.distribution.keys import Keyring
from flagcore.distribution.publisher import Publisher
from flagcore.model import build_flag_set
from flagcore.snapshot.delta import Delta, Object
from flagcore.snapshot.objects import Snapshot

__all__ = ["LivePublisher", "live_publisher", "snapshots"]

ENVIRONMENT = "benchmark"
FLAGS = 1_000
WAIT_SECONDS = 30.0


def snapshots(flags: int) -> tuple[Snapshot, Snapshot]:
    """Return two snapshots of the same flags, each with one rule, in which every flag differs."""
    return _snapshot(flags, "DE"), _snapshot(flags, "AT")


def _snapshot(flags: int, country: str) -> Snapshot:
    rule = {"id": "home", "when": f'country == "{country}"', "serve": "on"}
    flag = {"type": "boolean", "default": "off", "rules": [rule]}
    made = build_flag_set(document({f"flag-{number:05}": flag for number in range(flags)})).flag_set
    return compile_flag_set(made).snapshot


class LivePublisher:
    """A publisher of ``flags`` flags, and keys for its clients."""

    def __init__(self, flags: int = FLAGS) -> None:
        self._keyring = Keyring.generate().with_environment(ENVIRONMENT)
        self._keyring, self._key = self._keyring.issue(ENVIRONMENT, "benchmark", 0)
        self.snapshots = snapshots(flags)
        self._served = self.snapshots[0]
        self.publisher = Publisher("tcp://127.0.0.1:*", keyring=self._keyring)
        self.publisher.publish(self._served)

    @property
    def settings(self) -> dict[str, Any]:
        """What clients are told."""
        return {"source": self.publisher.endpoint, "sdk_key": self._key.text}

    def publish(self, revision: int) -> int:
        """Publish a change of one flag; returns when it was handed over, monotonic nanoseconds."""
        key = next(iter(self._served.programs))
        changed = Object(f"p/{key}", 1, self.snapshots[revision % 2 == 0].programs[key])
        delta = Delta(0, 0, 1, (changed,), ())
        begun = time.monotonic_ns()
        self.publisher.publish(delta)
        return begun


@contextmanager
def live_publisher(flags: int = FLAGS) -> Iterator[LivePublisher]:
    """Open a publisher."""
    publisher = LivePublisher(flags)
    try:
        yield publisher
    finally:
        publisher.publisher.close()


def connected(settings: dict[str, Any]) -> flagcore.Client:
    """Return a client that has the newest flags.

    Raises:
        RuntimeError: it does not get them.
    """
    client = flagcore.connect(settings["source"], sdk_key=settings["sdk_key"], wait=WAIT_SECONDS, cache_dir=None)
    if client.status != "READY":
        raise RuntimeError(f"no flags: {client.last_error}")
    return client


def noting(client: flagcore.Client) -> Notes:
    """Return the notes of a client: a revision is noted as soon as the engine answers by it."""
    notes: Notes = {}
    engine: Any = client._engine
    load = engine.load

    def timed(*arguments: Any, **more: Any) -> Any:
        changed = load(*arguments, **more)
        notes[engine.revision] = time.monotonic_ns()
        return changed

    engine.load = timed
    return notes


def main() -> None:
    """Run the clients of one process."""
    settings = json.loads(sys.argv[1])
    clients = [connected(settings) for _ in range(settings["count"])]
    notes: Sequence[Notes] = [noting(client) for client in clients]
    serve_notes(notes)


if __name__ == "__main__":
    main()
