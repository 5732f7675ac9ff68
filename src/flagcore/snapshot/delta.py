"""What changes between two revisions, and its encoding (docs/design/wire.md section 2).

A delta is one transaction, applied whole or not at all. One that is too large to be sent to everybody is announced by a
notice, after which clients fetch the objects that it names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import compress
from operator import ne
from typing import Annotated, TypeVar

import msgspec

from flagcore.errors import SnapshotError
from flagcore.snapshot.limits import DEFAULT_LIMITS, Limits
from flagcore.snapshot.objects import Snapshot, min_reader_of, object_id, parts_of, split_id

__all__ = [
    "Delta",
    "Notice",
    "Object",
    "applied",
    "check_size",
    "decode_delta",
    "decode_notice",
    "diff",
    "encode_delta",
    "encode_notice",
    "notice_of",
]

Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Identifier = Annotated[
    str, msgspec.Meta(min_length=2, max_length=1024)
]  # "p/name"; the slash is looked at apart: patterns are slow


class Object(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One object as it travels."""

    id: Identifier
    min_reader: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]  # lowest kernel format that reads it; 0: any
    content: bytes


class Delta(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One transaction. Fields are append-only."""

    epoch: Number
    base: Number  # the revision that it is applied to
    revision: Number  # the revision that it makes; greater than base
    upserts: tuple[Object, ...]
    deletes: tuple[Identifier, ...]
    urgent: bool = False  # to be acknowledged at once


class Notice(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A transaction that is too large to be sent to everybody. Fields are append-only."""

    epoch: Number
    base: Number
    revision: Number
    upserts: tuple[Identifier, ...] | None  # to be fetched; None: so many that the whole snapshot is cheaper
    deletes: tuple[Identifier, ...] = ()
    urgent: bool = False


Decoded = TypeVar("Decoded", Delta, Notice)
_encoder = msgspec.msgpack.Encoder()
_deltas = msgspec.msgpack.Decoder(Delta)
_notices = msgspec.msgpack.Decoder(Notice)


# -- making ------------------------------------------------------------------------------------------------------------


def diff(before: Snapshot, after: Snapshot, urgent: bool = False) -> Delta:
    """Return what turns one snapshot into a later one of the same epoch.

    Objects stand in the order of their ids. Costs a look at every object; contents that are the same bytes object are not compared.

    Raises:
        ValueError: ``after`` is not later.
    """
    if after.epoch != before.epoch or after.revision <= before.revision:
        raise ValueError("a delta leads to a later revision of the same epoch")
    upserts: list[Object] = []
    deletes: list[str] = []
    for kind, new in parts_of(after).items():
        old = parts_of(before)[kind]
        if old is new:
            continue
        names = list(compress(new, map(ne, map(old.get, new), new.values())))  # 10,000 objects in half a millisecond
        upserts += [_upsert(object_id(kind, name), new[name]) for name in names]
        if len(old) + sum(name not in old for name in names) > len(new):
            deletes += [object_id(kind, name) for name in old.keys() - new.keys()]
    upserts.sort(key=_id_of)
    return Delta(after.epoch, before.revision, after.revision, tuple(upserts), tuple(sorted(deletes)), urgent)


def _upsert(identifier: str, content: bytes) -> Object:
    return Object(identifier, min_reader_of(identifier, content), content)


def _id_of(upsert: Object) -> str:
    return upsert.id


def notice_of(delta: Delta, limits: Limits = DEFAULT_LIMITS) -> Notice:
    """Return what announces a delta; without names where these alone are too many."""
    upserts = tuple(upsert.id for upsert in delta.upserts)
    notice = Notice(delta.epoch, delta.base, delta.revision, upserts, delta.deletes, delta.urgent)
    if len(encode_notice(notice)) <= limits.delta:
        return notice
    return Notice(delta.epoch, delta.base, delta.revision, None, (), delta.urgent)


# -- applying ----------------------------------------------------------------------------------------------------------


def applied(snapshot: Snapshot, delta: Delta) -> Snapshot:
    """Return the snapshot after a delta. The one before stays as it is; parts that do not change are shared.

    Raises:
        SnapshotError: the delta belongs to another epoch or base.
    """
    if (delta.epoch, delta.base) != (snapshot.epoch, snapshot.revision):
        raise SnapshotError(
            f"a delta from {delta.epoch}/{delta.base} does not fit a snapshot at {snapshot.epoch}/{snapshot.revision}"
        )
    changes: dict[str, dict[str, bytes | None]] = {}
    for upsert in delta.upserts:
        kind, name = split_id(upsert.id)
        changes.setdefault(kind, {})[name] = upsert.content
    for identifier in delta.deletes:
        kind, name = split_id(identifier)
        changes.setdefault(kind, {})[name] = None
    parts = {kind: _changed(part, changes.get(kind, {})) for kind, part in parts_of(snapshot).items()}
    return Snapshot(delta.epoch, delta.revision, *parts.values())


def _changed(part: Mapping[str, bytes], changes: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """Return a part with new contents, without those that are now None."""
    result = dict(part)
    for name, content in changes.items():
        if content is None:
            result.pop(name, None)
        else:
            result[name] = content
    return result


# -- bytes -------------------------------------------------------------------------------------------------------------


def encode_delta(delta: Delta) -> bytes:
    """Return the delta as the raw body of a message."""
    return _encoder.encode(delta)


def decode_delta(content: bytes, limits: Limits = DEFAULT_LIMITS) -> Delta:
    """Return the delta of a raw body. What its objects hold is proved where they are loaded.

    Raises:
        SnapshotError: malformed bytes, an object named twice or too large, revisions that do not rise.
    """
    delta = _decoded(_deltas, content, limits)
    for upsert in delta.upserts:
        check_size(upsert.id, len(upsert.content), limits)
    _check(delta, [upsert.id for upsert in delta.upserts])
    return delta


def encode_notice(notice: Notice) -> bytes:
    """Return the notice as the raw body of a message."""
    return _encoder.encode(notice)


def decode_notice(content: bytes, limits: Limits = DEFAULT_LIMITS) -> Notice:
    """Return the notice of a raw body.

    Raises:
        SnapshotError: malformed bytes, an object named twice, revisions that do not rise.
    """
    notice = _decoded(_notices, content, limits)
    _check(notice, notice.upserts or ())
    return notice


def check_size(identifier: str, size: int, limits: Limits) -> None:
    """Raise SnapshotError when an object is larger than one of its kind may be."""
    limit = limits.value_set if identifier.startswith("v/") else limits.program
    if size > limit:
        raise SnapshotError(f"{identifier[:80]} has {size} bytes, {limit} are allowed")


def _decoded(decoder: msgspec.msgpack.Decoder[Decoded], content: bytes, limits: Limits) -> Decoded:
    if len(content) > limits.delta:
        raise SnapshotError(f"a delta has {len(content)} bytes, {limits.delta} are allowed")
    try:
        return decoder.decode(content)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise SnapshotError(f"a delta cannot be read: {error}") from None


def _check(change: Delta | Notice, upserts: Collection[str]) -> None:
    if change.revision <= change.base:
        raise SnapshotError(f"a delta leads from revision {change.base} to {change.revision}")
    ids = {*upserts, *change.deletes}
    if len(ids) != len(upserts) + len(change.deletes):
        raise SnapshotError("a delta names an object twice")
    if not all(identifier[1] == "/" for identifier in ids):
        raise SnapshotError("a delta names what is no object")
