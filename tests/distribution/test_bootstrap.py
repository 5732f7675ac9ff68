"""Signed bootstrap files: compiled files that a service believes without a server."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.distribution.bootstrap import check_bootstrap, load_bootstrap, prove
from flagcore.errors import SnapshotError
from flagcore.snapshot.codec import decode_proof, decode_snapshot, encode_snapshot
from flagcore.snapshot.limits import Limits
from flagcore.snapshot.objects import Snapshot
from flagcore.snapshot.signature import SigningKey
from tests.distribution.making import ENVIRONMENT, KEYS, SIGNER, snapshots
from tests.profiles import cases

SNAPSHOT = Snapshot(0, 7, {"a": b"one", "b": b"two"}, {"s": b"set"}, {"a": b"debug"}, {"q/x": b"?"})
PROOF = prove(SNAPSHOT, ENVIRONMENT, SIGNER)


@settings(max_examples=cases(100))
@given(snapshots())
def test_signed_states_come_back(snapshot: Snapshot):
    """What was signed is believed, and is what every other reader of compiled files reads."""
    content = encode_snapshot(snapshot, prove(snapshot, ENVIRONMENT, SIGNER))
    assert check_bootstrap(content, ENVIRONMENT, KEYS) == snapshot
    assert decode_snapshot(content) == snapshot


def test_unsigned_files_stay_as_they_were():
    """A file without a proof has the bytes that it always had; it is believed where there are no keys, and nowhere else."""
    content = encode_snapshot(SNAPSHOT)
    assert decode_proof(content) == (SNAPSHOT, None)
    assert check_bootstrap(content, ENVIRONMENT, None) == SNAPSHOT
    with pytest.raises(SnapshotError, match="not signed"):
        check_bootstrap(content, ENVIRONMENT, KEYS)


def test_signing_is_repeatable():
    """The same state and key give the same bytes."""
    assert prove(SNAPSHOT, ENVIRONMENT, SIGNER) == PROOF


FOREIGN = SigningKey(b"f" * 32)
CHANGED = Snapshot(0, 7, {"a": b"forged", "b": b"two"}, {"s": b"set"}, {"a": b"debug"}, {"q/x": b"?"})
LATER = Snapshot(0, 8, *list(msgspec.structs.astuple(SNAPSHOT))[2:])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (encode_snapshot(SNAPSHOT, prove(SNAPSHOT, ENVIRONMENT, FOREIGN)), "signature"),
        (encode_snapshot(SNAPSHOT, prove(SNAPSHOT, b"env-0002", SIGNER)), "environment"),
        (encode_snapshot(CHANGED, PROOF), "not those that were signed"),
        (encode_snapshot(LATER, PROOF), "another revision"),
        (encode_snapshot(SNAPSHOT, (b"", b"", b"")), "does not count"),
        (encode_snapshot(SNAPSHOT, (PROOF[0], PROOF[1], bytes(64))), "signature"),
    ],
)
def test_what_was_not_signed_is_refused(content: bytes, complaint: str):
    """Other keys, environments, flags and revisions than were signed are refused, under a right digest."""
    with pytest.raises(SnapshotError, match=complaint):
        check_bootstrap(content, ENVIRONMENT, KEYS)


def test_every_changed_byte_is_noticed():
    """Not one byte of a signed file can change."""
    content = encode_snapshot(SNAPSHOT, PROOF)
    for position in range(len(content)):
        if 8 <= position < 12:
            continue  # the format's own number says nothing alone
        changed = bytearray(content)
        changed[position] ^= 0x40
        with pytest.raises(SnapshotError):
            check_bootstrap(bytes(changed), ENVIRONMENT, KEYS)


@settings(max_examples=cases(200))
@given(st.lists(st.binary(max_size=80), max_size=4) | st.binary(max_size=80) | st.integers(0, 9))
def test_any_proof_is_refused_with_the_one_error(proof: object):
    """Whatever stands in the proof's place, reading gives SnapshotError."""
    with pytest.raises(SnapshotError):
        check_bootstrap(encode_snapshot(SNAPSHOT, proof), ENVIRONMENT, KEYS)  # type: ignore[arg-type]


def test_too_large_files_are_not_read(tmp_path: Path):
    """A file larger than any snapshot is refused by its size."""
    path = tmp_path / "bootstrap.fcs"
    path.write_bytes(bytes(1501))
    with pytest.raises(SnapshotError, match="1500 are allowed"):
        load_bootstrap(str(path), ENVIRONMENT, None, Limits(snapshot=1000))
