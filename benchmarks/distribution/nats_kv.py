"""A peer: values in NATS JetStream's key-value store, watched by the same number of subscribers.

It takes Debian's ``nats-server`` and the package ``nats-py``.

As a module: the subscribers of one process, in one event loop, each with a connection of its own.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import nats

from benchmarks.distribution.raw import BODY
from benchmarks.distribution.receivers import Notes, serve_notes

__all__ = ["NatsPublisher", "nats_publisher"]

BUCKET, KEY = "flags", "checkout"
START_SECONDS = 10.0


class NatsPublisher:
    """A connection that puts values, driven from a plain thread."""

    def __init__(self, url: str) -> None:
        self.settings = {"url": url}
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._bucket: Any = self._run(_bucket(url))

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_SECONDS)

    def publish(self, revision: int) -> int:
        """Put a value, acknowledged by the store; returns when it was handed over, monotonic nanoseconds."""
        begun = time.monotonic_ns()
        self._run(self._bucket.put(KEY, revision.to_bytes(8, "little") + bytes(BODY)))
        return begun


async def _bucket(url: str) -> Any:
    client = await nats.connect(url, allow_reconnect=False, error_cb=_ignore)
    return await client.jetstream().create_key_value(bucket=BUCKET)


async def _ignore(error: Exception) -> None:
    """The server is killed in the end, amid connections."""


@contextmanager
def nats_publisher() -> Iterator[NatsPublisher]:
    """Run a server with a store of its own, and connect to it."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        server = subprocess.Popen(
            [_program(), "--jetstream", "--store_dir", folder, "--addr", "127.0.0.1", "--port", str(port)],
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port)
            yield NatsPublisher(f"nats://127.0.0.1:{port}")
        finally:
            server.kill()
            server.wait()


def _program() -> str:
    found = shutil.which("nats-server")
    if found is None:
        raise RuntimeError("nats-server is not installed: tools/setup.sh nats-server")
    return found


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("nats-server does not answer")


async def follow(url: str, notes: Notes, ready: asyncio.Event) -> None:
    """Note when each value was there."""
    client = await nats.connect(url, allow_reconnect=False, error_cb=_ignore)
    bucket = await client.jetstream().key_value(BUCKET)
    watcher = await bucket.watch(KEY)
    ready.set()
    async for entry in watcher:
        if entry is not None:
            notes[int.from_bytes(entry.value[:8], "little")] = time.monotonic_ns()


async def follow_all(settings: dict[str, Any], notes: list[Notes], ready: threading.Event) -> None:
    """Run the subscribers of one process."""
    told = [asyncio.Event() for _ in notes]
    tasks = [asyncio.create_task(follow(settings["url"], some, one)) for some, one in zip(notes, told, strict=True)]
    for one in told:
        await one.wait()
    ready.set()
    await asyncio.gather(*tasks)


def main() -> None:
    """Run the subscribers of one process, beside a thread that talks to the parent."""
    settings = json.loads(sys.argv[1])
    notes: list[Notes] = [{} for _ in range(settings["count"])]
    ready = threading.Event()
    threading.Thread(target=lambda: asyncio.run(follow_all(settings, notes, ready)), daemon=True).start()
    ready.wait()
    serve_notes(notes)


if __name__ == "__main__":
    main()
