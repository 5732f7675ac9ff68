"""The floor: ZeroMQ with CURVE that carries the same bytes, one signature made and one verified by each subscriber.

As a module: the subscribers, a thread with a context each, as services would have.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import zmq

from benchmarks.distribution.receivers import Notes, serve_notes
from flagcore.snapshot.signature import SigningKey, VerifyKeys

__all__ = ["RawPublisher", "raw_publisher"]

BODY = 600  # bytes of a message, about what a delta of one flag has


class RawPublisher:
    """A PUB socket and a signing key."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.signer = SigningKey.generate()
        self._public, secret = zmq.curve_keypair()
        self._socket = context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.XPUB_VERBOSER, 1)
        self._socket.curve_server, self._socket.curve_secretkey, self._socket.linger = True, secret, 0
        self._port = self._socket.bind_to_random_port("tcp://127.0.0.1")

    @property
    def settings(self) -> dict[str, Any]:
        """What subscribers are told."""
        return {"port": self._port, "server": self._public.decode(), "verify": self.signer.public.hex()}

    def wait_for(self, subscribers: int) -> None:
        """Return when so many have subscribed."""
        for _ in range(subscribers):
            self._socket.recv()

    def publish(self, revision: int) -> int:
        """Send a message; returns when it was handed over, monotonic nanoseconds."""
        begun = time.monotonic_ns()
        body = revision.to_bytes(8, "little") + bytes(BODY)
        self._socket.send_multipart([b"F1", b"header", body, self.signer.sign(body)])
        return begun

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


@contextmanager
def raw_publisher() -> Iterator[RawPublisher]:
    """Open a publisher."""
    with zmq.Context[Any]() as context:
        publisher = RawPublisher(context)
        try:
            yield publisher
        finally:
            publisher.close()


def follow(settings: dict[str, Any], notes: Notes, ready: threading.Semaphore) -> None:
    """Note when each message was there and its signature proved."""
    keys = VerifyKeys([bytes.fromhex(settings["verify"])])
    socket = zmq.Context[Any]().socket(zmq.SUB)
    socket.curve_serverkey = settings["server"].encode()
    socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
    socket.connect(f"tcp://127.0.0.1:{settings['port']}")
    socket.subscribe(b"F1")
    ready.release()
    while True:
        _, _, body, signature = socket.recv_multipart()
        if keys.signer(body, signature) is not None:
            notes[int.from_bytes(body[:8], "little")] = time.monotonic_ns()


def main() -> None:
    """Run the subscribers of one process."""
    settings = json.loads(sys.argv[1])
    ready = threading.Semaphore(0)
    notes: list[Notes] = [{} for _ in range(settings["count"])]
    for some in notes:
        threading.Thread(target=follow, args=(settings, some, ready), daemon=True).start()
    for _ in notes:
        ready.acquire()
    serve_notes(notes)


if __name__ == "__main__":
    main()
