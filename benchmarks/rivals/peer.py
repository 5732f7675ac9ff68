"""What an adapter gives: how a peer writes flags down, and how it is asked."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.rivals.plain import PlainSet

__all__ = ["PEERS", "Asked", "Inexpressible", "Peer", "load_peer", "progress", "requirements"]

PEERS = (
    "launchdarkly",
    "unleash",
    "growthbook",
    "flagsmith",
    "flagd",
    "eppo",
    "statsig",
    "flipt",
    "posthog",
    "configcat",
    "optimizely",
    "split",
    "zen",
    "cel",
)


class Inexpressible(Exception):
    """The peer has no words for a workload; the message says which are missing."""


def _itself(context: Mapping[str, object]) -> object:
    return context


def _nothing() -> None:
    """Nothing has to be closed."""


class Asked(NamedTuple):
    """A peer that holds flags. One evaluation is ``expression``, of ``names``, ``key`` and ``context``; it gives a bool."""

    expression: str
    names: Mapping[str, object]
    context: Callable[[dict[str, Any]], object] = _itself  # a plain context -> the peer's own; before the clock starts
    every: str | None = None  # all flags for one context, if there is a call for that
    read: Callable[[Any], Mapping[str, object]] = dict  # what ``every`` gives -> flag key -> bool
    close: Callable[[], object] = _nothing


class Peer(NamedTuple):
    """A released package, and how its own document is made from plain words and opened."""

    title: str
    package: str  # the distribution whose version is printed
    document: Callable[[PlainSet], Any]  # what its server, file or console would hand out; Inexpressible
    open: Callable[[Any], Asked]
    what: str  # what is called, for the table's notes
    notes: Mapping[str, str] = {}  # workload -> how it deviates
    subjects: int = 100_000  # how many of the peer's contexts are made at most


def requirements(name: str) -> Path:
    """Return the file of a peer's pinned packages."""
    return Path(__file__).parent / "peers" / f"requirements-{name}.txt"


def load_peer(name: str) -> Peer:
    """Return the adapter called ``name``; its package is imported when it is opened, not now."""
    peer: Peer = importlib.import_module(f"benchmarks.rivals.peers.{name}").PEER
    return peer


def progress(text: str) -> None:
    """Say on standard error what is being done."""
    print(text, file=sys.stderr, flush=True)
