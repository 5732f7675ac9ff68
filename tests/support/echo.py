"""The smallest machines that a transport can drive: the server echoes, the client remembers what it was told."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Sequence

from flagcore.distribution.actions import Action, Broadcast, Connect, Reply, Send

__all__ = ["WELCOME", "EchoClient", "EchoServer", "environment_of", "topic_of"]

WELCOME = b"F1" + bytes(8) + b"W"
PATIENCE = 20.0  # seconds until a test gives up on an event; nothing waits that long when all is well


def topic_of(environment: bytes) -> bytes:
    """Return the prefix under which an environment's messages travel."""
    return b"F1" + environment


def environment_of(frame: bytes) -> bytes | None:
    """Return what a frame asks for: greetings are ``hello `` and the environment."""
    return frame[6:14] if frame.startswith(b"hello ") else None


class EchoServer:
    """Answers every frame with itself, and each subscription with a broadcast."""

    def __init__(self, environment: bytes) -> None:
        self.environment = environment
        self.seen: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.deadline: float | None = None

    def subscribed(self, now: float) -> Iterable[Action]:
        self.seen.put(("subscribed", b""))
        return [Broadcast((topic_of(self.environment), b"bookmark"))]

    def received(self, identity: bytes, frame: bytes, now: float) -> Iterable[Action]:
        self.seen.put(("received", frame))
        return [Reply(identity, (b"echo", frame))]

    def gone(self, identity: bytes, now: float) -> Iterable[Action]:
        self.seen.put(("gone", identity))
        return []

    def disconnected(self, now: float) -> Iterable[Action]:
        self.seen.put(("disconnected", b""))
        return []

    def tick(self, now: float) -> Iterable[Action]:
        self.deadline = None
        self.seen.put(("tick", b""))
        return []


class EchoClient:
    """Greets when it is connected; everything that happens stands in ``seen``, in order."""

    def __init__(self, environment: bytes, broken: Callable[[], None] = lambda: None) -> None:
        self.environment = environment
        self.seen: queue.Queue[tuple[str, object]] = queue.Queue()
        self.deadline: float | None = None
        self._broken = broken
        self._passed: list[tuple[str, object]] = []

    def start(self, now: float) -> Iterable[Action]:
        return [Connect(0)]

    def connected(self, now: float) -> Iterable[Action]:
        self.seen.put(("connected", None))
        return [Send(b"hello " + self.environment)]

    def disconnected(self, now: float) -> Iterable[Action]:
        self.seen.put(("disconnected", None))
        return [Connect(0)]

    def refused(self, now: float) -> Iterable[Action]:
        self.seen.put(("refused", None))
        return [Connect(0)]

    def received_sub(self, frames: Sequence[bytes], now: float) -> Iterable[Action]:
        self._broken()
        self.seen.put(("sub", tuple(frames)))
        return []

    def received_dealer(self, frames: Sequence[bytes], now: float) -> Iterable[Action]:
        self.seen.put(("dealer", tuple(frames)))
        return []

    def tick(self, now: float) -> Iterable[Action]:
        self.deadline = None
        self.seen.put(("tick", None))
        return []

    def close(self, now: float) -> Iterable[Action]:
        return [Send(b"bye")]

    def until(self, wanted: str) -> object:
        """Return what came with the next event of a kind, whatever else comes before it."""
        while True:
            for index, (kind, content) in enumerate(self._passed):
                if kind == wanted:
                    del self._passed[index]
                    return content
            self._passed.append(self.seen.get(timeout=PATIENCE))
