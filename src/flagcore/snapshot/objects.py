"""What a snapshot is made of: program bytes, value sets, and the separable debug information of ``explain``.

Each is an object, named by its id: the letter of its kind, a slash, its name: ``p/checkout.new``, ``v/beta``, ``d/checkout.new``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec

__all__ = [
    "OTHERS",
    "DebugFlag",
    "DebugGate",
    "DebugProbe",
    "DebugRule",
    "ObjectKind",
    "Snapshot",
    "content_of",
    "min_reader_of",
    "object_id",
    "objects_of",
    "parts_of",
    "split_id",
]


class Snapshot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Everything of one environment at one revision. Fields are append-only."""

    epoch: int
    revision: int
    programs: dict[str, bytes]  # flag key -> program bytes (docs/design/kernel.md)
    value_sets: dict[str, bytes] = {}  # object name -> value-set bytes; programs link to them by name
    debug: Mapping[str, bytes] = {}  # flag key -> encoded DebugFlag; may be stripped, or made when it is asked for
    others: dict[
        str, bytes
    ] = {}  # object id -> content of kinds that this release does not know: counted, else left alone


class ObjectKind(StrEnum):
    """What an object is: the letter before the slash of its id."""

    PROGRAM = "p"
    VALUE_SET = "v"
    DEBUG = "d"


_KINDS = frozenset(ObjectKind)
_WITH_HEAD = (f"{ObjectKind.PROGRAM}/", f"{ObjectKind.VALUE_SET}/")


OTHERS = ""
"""Stands for the kinds that this release does not know, whose objects are held by their ids."""


def parts_of(snapshot: Snapshot) -> dict[str, Mapping[str, bytes]]:
    """Return name -> content of every kind, in the order of the snapshot's fields."""
    return {
        ObjectKind.PROGRAM: snapshot.programs,
        ObjectKind.VALUE_SET: snapshot.value_sets,
        ObjectKind.DEBUG: snapshot.debug,
        OTHERS: snapshot.others,
    }


def object_id(kind: str, name: str) -> str:
    """Return the id of the object that a part holds under a name."""
    return f"{kind}/{name}" if kind else name


def split_id(identifier: str) -> tuple[str, str]:
    """Return the part, and the name in it, of an object: the inverse of ``object_id``."""
    kind, _, name = identifier.partition("/")
    return (kind, name) if kind in _KINDS else (OTHERS, identifier)


def objects_of(snapshot: Snapshot) -> Iterator[tuple[str, bytes]]:
    """Yield the id and content of every object, a kind after the other."""
    for kind, part in parts_of(snapshot).items():
        for name, content in part.items():
            yield object_id(kind, name), content


def content_of(snapshot: Snapshot, identifier: str) -> bytes | None:
    """Return the content of one object, None when the snapshot has none of that id."""
    kind, name = split_id(identifier)
    return parts_of(snapshot)[kind].get(name)


def min_reader_of(identifier: str, content: bytes) -> int:
    """Return the lowest kernel format that can read an object, as its own head says (kernel.h); 0 where there is no such thing."""
    if not identifier.startswith(_WITH_HEAD) or len(content) < 8:
        return 0
    return int.from_bytes(content[6:8], "little")


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
