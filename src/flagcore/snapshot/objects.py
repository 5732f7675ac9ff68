"""What a snapshot is made of: program bytes, value sets, and the separable debug information of ``explain``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["DebugFlag", "DebugGate", "DebugProbe", "DebugRule", "Snapshot"]


class Snapshot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Everything of one environment at one revision. Fields are append-only."""

    epoch: int
    revision: int
    programs: dict[str, bytes]  # flag key -> program bytes (docs/design/kernel.md)
    value_sets: dict[str, bytes] = {}  # object name -> value-set bytes; programs link to them by name
    debug: Mapping[str, bytes] = {}  # flag key -> encoded DebugFlag; may be stripped, or made when it is asked for


class DebugProbe(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One test of the author's, runnable by itself: walking the probe program from ``entry`` ends in leaf 0 true, 1 false, 2 unknown."""

    text: str  # canonical text of the test, such as: country in ["DE", "AT"]
    path: tuple[str, ...]  # the attribute that it looks at
    entry: int  # exit value to start at, in DebugFlag.probes (may itself be a leaf: 0x80000000 | n)


class DebugGate(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A rule's percentage gate or ramp."""

    path: tuple[str, ...]
    salt: str
    # (from, microseconds since 1970 UTC, None: always; threshold in 0..1,000,000)
    steps: tuple[tuple[int | None, int], ...]


class DebugRule(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One rule (or the default, or a requirement) in the author's words.

    ``tree`` is nested lists: ``["all", ...]``, ``["any", ...]``, ``["not", x]``, ``["segment", name]``
    (its own tree stands in ``DebugFlag.segments``), ``["probe", index]``, ``["constant", bool]``.
    """

    id: str
    text: str | None  # the author's own text of `when`, None when absent
    tree: list[Any] | None  # None: always true
    window: list[Any] | None  # tree over probes on `now`, None when absent
    gate: DebugGate | None
    serve: str | None  # variant
    split: dict[str, int] | None  # reduced weights (bucketing.md 2.6), zeros dropped
    split_path: tuple[str, ...] = ()
    split_salt: str = ""
    base: str = "split"


class DebugFlag(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Debug information of one flag, made together with its program."""

    rules: tuple[DebugRule, ...]
    default: DebugRule
    requires: tuple[tuple[str, tuple[str, ...], str | None], ...]  # flag, accepted variants, otherwise
    probes: bytes  # a program whose leaves are 0 true, 1 false, 2 unknown
    tests: tuple[DebugProbe, ...]
    segments: dict[str, list[Any]] = {}  # name -> tree, each once however often it is named
