"""Snapshots, deltas and messages for the tests of what travels."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from flagcore.distribution.wire import Header, Kind, encode
from flagcore.snapshot.delta import Delta, encode_delta
from flagcore.snapshot.objects import Snapshot
from flagcore.snapshot.signature import SigningKey, VerifyKeys

ENVIRONMENT = b"env-0001"
SIGNER = SigningKey(bytes(range(32)))
KEYS = VerifyKeys([SIGNER.public])

names = st.text("abé.:/", min_size=1, max_size=4)
contents = st.binary(max_size=12)
parts = st.dictionaries(names, contents, max_size=6)
others = st.dictionaries(names.map("q/".__add__), contents, max_size=3)


@st.composite
def snapshots(draw: st.DrawFn, epoch: int = 1, revision: int | None = None) -> Snapshot:
    """Small snapshots with objects of every kind, unknown ones too."""
    number = draw(st.integers(1, 2**62)) if revision is None else revision
    return Snapshot(epoch, number, draw(parts), draw(parts), draw(parts), draw(others))


def head(min_reader: int, rest: bytes = b"") -> bytes:
    """Return bytes that begin as a program does."""
    return b"FCPG\x01\x00" + min_reader.to_bytes(2, "little") + rest


def large_snapshot(seed: int = 1, objects: int = 40, largest: int = 60_000) -> Snapshot:
    """Return a snapshot of random bytes, of which some are larger than a small chunk."""
    source = random.Random(seed)

    def part(prefix: str) -> dict[str, bytes]:
        return {f"{prefix}{i}": source.randbytes(source.choice((0, 1, 300, largest))) for i in range(objects)}

    return Snapshot(2, 9, part("f."), part("segment:"), part("f."))


def delta_message(delta: Delta, environment_id: bytes = ENVIRONMENT, state_hash: bytes = bytes(32)) -> list[bytes]:
    """Return the signed frames of a delta."""
    header = Header(
        kind=Kind.DELTA,
        environment_id=environment_id,
        epoch=delta.epoch,
        base=delta.base,
        revision=delta.revision,
        commit_time_us=1_700_000_000_000_000,
        ring_floor=1,
        state_hash=state_hash,
    )
    return encode(header, encode_delta(delta), SIGNER)
