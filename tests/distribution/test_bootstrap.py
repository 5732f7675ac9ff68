"""Signed bootstrap files: compiled files that a service believes without a server."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flagcore
from flagcore.distribution.bootstrap import check_bootstrap, load_bootstrap, prove
from flagcore.distribution.keys import Keyring
from flagcore.distribution.last_good import LATEST, LastGood, encode_saved, folder_of
from flagcore.errors import SnapshotError
from flagcore.snapshot.codec import decode_proof, decode_snapshot, encode_snapshot
from flagcore.snapshot.limits import Limits
from flagcore.snapshot.objects import Snapshot
from flagcore.snapshot.signature import SigningKey
from tests.distribution.making import ENVIRONMENT, KEYS, SIGNER, snapshots
from tests.profiles import cases
from tests.support.live import Live, compiled, until

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


# -- connect(bootstrap=...) --------------------------------------------------------------------------------------------

NOBODY = "tcp://127.0.0.1:1"  # where no publisher answers
RING, KEY = Keyring.generate().with_environment("production").issue("production", "shop", 0)


def flags(variant: str, revision: int) -> Snapshot:
    """Return one flag that is on or off, at a revision."""
    return msgspec.structs.replace(compiled(a=variant), epoch=1, revision=revision)


def bootstrap_at(path: Path, snapshot: Snapshot, *, signed: bool = True) -> Path:
    """Write a bootstrap file for the key's environment."""
    path.write_bytes(encode_snapshot(snapshot, prove(snapshot, KEY.environment_id, RING.signer()) if signed else None))
    return path


def keep_last_good(cache: Path, snapshot: Snapshot) -> Path:
    """Keep a state as a client that followed the environment would; returns its file."""
    folder = folder_of(str(cache), KEY.environment_id)
    kept = LastGood(folder, KEY.environment_id, KEY.verify_keys())
    first, second, signature = prove(snapshot, KEY.environment_id, RING.signer())
    kept.offer([first, second, b"", signature], snapshot)
    assert kept.write(0.0)
    return Path(folder) / LATEST


def connected(live: Live, **settings: object) -> flagcore.Client:
    """Return a client with the key, of a publisher that does not answer."""
    return live.client(NOBODY, sdk_key=KEY.text, wait=0.0, **settings)


def test_a_service_starts_without_a_server(live: Live, tmp_path: Path):
    """The flags of a signed bootstrap file answer at once, as STALE ones of unknown age, where no server does."""
    client = connected(live, bootstrap=bootstrap_at(tmp_path / "b.fcs", flags("on", 5)))
    assert (client.get_boolean_value("a", False), client.revision) == (True, 5)
    assert (client.status, client.age) == ("STALE", None)


@pytest.mark.parametrize("kind", ["missing", "unsigned", "damaged"])
def test_bootstraps_that_cannot_be_believed(live: Live, tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture):
    """Such a file is logged and not served; connecting does not raise."""
    path = tmp_path / "b.fcs"
    if kind != "missing":
        bootstrap_at(path, flags("on", 5), signed=kind != "unsigned")
    if kind == "damaged":
        path.write_bytes(path.read_bytes()[:-1])
    client = connected(live, bootstrap=str(path))
    assert (client.get_boolean_value("a", False), client.status) == (False, "NOT_READY")
    assert "b.fcs" in caplog.text


@pytest.mark.parametrize(("kept", "shipped"), [(9, 5), (5, 9)])
def test_the_newer_one_is_served(live: Live, tmp_path: Path, kept: int, shipped: int):
    """Of last known good and bootstrap the one of the higher revision is served: a deployment is no way back."""
    keep_last_good(tmp_path / "cache", flags("off", kept))
    path = bootstrap_at(tmp_path / "b.fcs", flags("on", shipped))
    client = connected(live, bootstrap=path, cache_dir=tmp_path / "cache")
    assert client.revision == 9
    assert client.get_boolean_value("a", False) is (shipped == 9)


def test_a_bootstrap_stands_in_for_forged_flags(live: Live, tmp_path: Path):
    """When the last known good flags turn out not to be those that were signed, the bootstrap's are served."""
    path = keep_last_good(tmp_path / "cache", flags("on", 9))
    first, second, signature = prove(flags("on", 9), KEY.environment_id, RING.signer())
    path.write_bytes(b"".join(encode_saved([first, second, b"", signature], flags("off", 9))))
    client = connected(live, bootstrap=bootstrap_at(tmp_path / "b.fcs", flags("on", 5)), cache_dir=tmp_path / "cache")
    until(lambda: client.revision == 5)
    assert client.get_boolean_value("a", False) is True
    assert not path.exists()


def test_kept_flags_that_cannot_be_believed(live: Live, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """Last known good flags that were signed by nobody who counts are not served, and the log says why."""
    keep_last_good(tmp_path / "cache", flags("on", 9))
    _, stranger = Keyring.generate().with_environment("production").issue("production", "shop", 0)
    key = msgspec.structs.replace(KEY, verify=stranger.verify)
    client = live.client(NOBODY, sdk_key=key.text, wait=0.0, cache_dir=tmp_path / "cache")
    assert (client.get_boolean_value("a", False), client.status) == (False, "NOT_READY")
    assert "signature" in caplog.text


def test_a_server_takes_over(live: Live, tmp_path: Path):
    """What a publisher says later than the bootstrap replaces it; without keys any compiled file will do."""
    publisher = live.publisher()
    path = bootstrap_at(tmp_path / "b.fcs", flags("off", 5), signed=False)
    client = live.client(publisher.endpoint, bootstrap=path, wait=0.0)
    assert client.revision == 5
    publisher.publish(compiled(a="on"))
    until(lambda: client.get_boolean_value("a", False))
    until(lambda: client.status == "READY")
