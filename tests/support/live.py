"""Publishers and clients over real sockets, for one test at a time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import flagcore
from flagcore.compiler import compile_flag_set
from flagcore.distribution.publisher import Publisher
from flagcore.model import build_flag_set
from flagcore.snapshot.objects import Snapshot
from tests.support.events import PATIENCE

__all__ = ["Live", "compiled", "live", "ports", "until"]


def compiled(**defaults: str) -> Snapshot:
    """Return flags of two variants, ``on`` and ``off``, each serving the named one by default."""
    flags = {key: {"type": "boolean", "default": variant} for key, variant in defaults.items()}
    return compile_flag_set(build_flag_set({"schema": "flagcore/v1", "flags": flags}).flag_set).snapshot


def until(said: Callable[[], object], what: str = "it") -> None:
    """Wait until something can be said, looking now and then, where nothing announces it."""
    deadline = time.monotonic() + PATIENCE
    while not said():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.005)


def ports(endpoint: str) -> tuple[int, int]:
    """Return the two ports of a publisher."""
    port = int(endpoint.rpartition(":")[2])
    return port, port + 1


class Live:
    """Makes publishers and clients, and closes them."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()

    def publisher(self, bind: str = "tcp://127.0.0.1:0", **settings: Any) -> Publisher:
        return self._stack.enter_context(Publisher(bind, **settings))

    def client(self, endpoint: str, **settings: Any) -> flagcore.Client:
        settings = {"wait": PATIENCE, "cache_dir": None, **settings}
        return self._stack.enter_context(flagcore.connect(endpoint, **settings))

    def keep(self, thing: Any) -> Any:
        """Close something else at the end, too."""
        return self._stack.enter_context(thing)

    def close(self) -> None:
        self._stack.close()


@contextlib.contextmanager
def live() -> Iterator[Live]:
    """Return a maker of publishers and clients that closes them at the end, the latest first."""
    made = Live()
    try:
        yield made
    finally:
        made.close()
