"""The last known good state: saved, loaded, refused, and never lost."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.distribution import last_good, whole_files
from flagcore.distribution.last_good import LATEST, PREVIOUS, LastGood, Saved, decode_saved, encode_saved, folder_of
from flagcore.distribution.wire import Header, Kind, encode
from flagcore.errors import SnapshotError
from flagcore.snapshot.objects import Snapshot
from flagcore.snapshot.signature import SigningKey, VerifyKeys
from flagcore.snapshot.state_hash import StateHash
from tests.distribution.kills import Killed, KilledOs
from tests.distribution.making import ENVIRONMENT, KEYS, SIGNER, snapshots
from tests.profiles import NIGHTLY, cases

SECTOR = 512


def bookmark(snapshot: Snapshot, environment_id: bytes = ENVIRONMENT, signer: SigningKey = SIGNER) -> list[bytes]:
    """Return a signed bookmark of a state."""
    header = Header(
        kind=Kind.BOOKMARK,
        environment_id=environment_id,
        epoch=snapshot.epoch,
        revision=snapshot.revision,
        state_hash=StateHash.of(snapshot).value,
    )
    return encode(header, b"", signer)


def state(revision: int, size: int = 3000) -> Snapshot:
    """Return a state whose file has several sectors and slices."""
    source = random.Random(revision)
    return Snapshot(
        1, revision, {f"f{i}": source.randbytes(size // 300) for i in range(300)}, {"s": b"set"}, {}, {"q/x": b"?"}
    )


def content_of(snapshot: Snapshot, frames: list[bytes] | None = None) -> bytes:
    """Return the content of a file."""
    return b"".join(encode_saved(frames or bookmark(snapshot), snapshot))


def decoded(content: bytes, **options: object) -> Saved:
    """Return what a content gives for this environment."""
    values: dict = {"keys": KEYS, **options}
    return decode_saved(io.BytesIO(content), len(content), ENVIRONMENT, **values)


def files(folder: Path | str, **options: object) -> LastGood:
    """Return the files of a folder, as a process sees them that has just started."""
    values: dict = {"keys": KEYS, **options}
    return LastGood(str(folder), ENVIRONMENT, **values)


def save(folder: Path | str, snapshot: Snapshot, **options: object) -> bool:
    """Save a state as a process of its own would."""
    kept = files(folder, **options)
    kept.offer(bookmark(snapshot), snapshot)
    return kept.write(0.0)


def loaded(folder: Path | str, **options: object) -> Snapshot | None:
    """Return what a process that starts gets."""
    saved = files(folder, **options).load()
    return None if saved is None else saved.snapshot


# -- what is sound -----------------------------------------------------------------------------------------------------


@settings(max_examples=cases(100))
@given(snapshots())
def test_every_state_comes_back(snapshot: Snapshot):
    """What is saved is loaded, objects of unknown kinds too, and is what was signed for."""
    saved = decoded(content_of(snapshot))
    assert saved.snapshot == snapshot
    assert saved.is_whole()
    assert (saved.header.epoch, saved.header.revision) == (snapshot.epoch, snapshot.revision)


def test_many_slices(tmp_path: Path):
    """A state of many objects is written and read in slices."""
    assert save(tmp_path / "a" / "b", state(1))
    assert loaded(tmp_path / "a" / "b") == state(1)


def test_one_generation_before_is_kept(tmp_path: Path):
    """The state before the latest stays beside it, and serves when the latest is damaged."""
    for revision in (1, 2, 3):
        assert save(tmp_path, state(revision))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", LATEST, PREVIOUS]
    assert loaded(tmp_path) == state(3)
    (tmp_path / LATEST).write_bytes(b"damaged")
    kept = files(tmp_path)
    saved = kept.load()
    assert saved is not None
    assert saved.snapshot == state(2)
    assert LATEST in kept.problems[0]


def test_files_are_the_owners_alone(tmp_path: Path):
    """Neither files nor folders can be read by others."""
    save(tmp_path / "new", state(1))
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new" / LATEST).stat().st_mode & 0o777 == 0o600


def test_nothing_there(tmp_path: Path):
    """Where nothing was ever saved there is nothing to load, and nothing to complain about."""
    kept = files(tmp_path / "none")
    assert kept.load() is None
    assert kept.problems == ()
    assert not (tmp_path / "none").exists()


def test_places(tmp_path: Path):
    """Files lie below the argument, else the variable, else the user's cache folder; each environment has a folder."""
    variables = {"FLAGCORE_CACHE_DIR": "/cache", "XDG_CACHE_HOME": "/xdg"}
    name = ENVIRONMENT.hex()
    assert folder_of("/own", ENVIRONMENT, variables) == f"/own/{name}"
    assert folder_of(None, ENVIRONMENT, variables) == f"/cache/{name}"
    assert folder_of(None, ENVIRONMENT, {"XDG_CACHE_HOME": "/xdg"}) == f"/xdg/flagcore/{name}"
    assert folder_of(None, ENVIRONMENT, {}) == str(Path("~/.cache/flagcore").expanduser() / name)


# -- time --------------------------------------------------------------------------------------------------------------


def test_at_most_one_write_a_second(tmp_path: Path):
    """States that come faster replace one another; the latest is written when the second is over, or at the end."""
    kept = files(tmp_path)
    assert kept.deadline is None
    for revision, now in ((1, 100.0), (2, 100.3), (3, 100.9)):
        kept.offer(bookmark(state(revision)), state(revision))
        assert kept.write(now) is (revision == 1)
    assert loaded(tmp_path) == state(1)
    assert kept.deadline == 101.0
    assert kept.write(101.0)
    assert loaded(tmp_path) == state(3)
    assert kept.deadline is None
    kept.offer(bookmark(state(4)), state(4))
    assert kept.write(101.1, at_once=True)
    assert loaded(tmp_path) == state(4)


# -- several processes -------------------------------------------------------------------------------------------------


def test_an_older_state_replaces_no_newer_one(tmp_path: Path):
    """Of several processes that share a folder none goes back behind another; a higher epoch is always newer."""
    first, second = files(tmp_path), files(tmp_path)
    first.offer(bookmark(state(5)), state(5))
    assert first.write(0.0)
    for revision in (4, 5):
        second.offer(bookmark(state(revision)), state(revision))
        assert not second.write(revision * 2.0)
        assert second.deadline is None
    again = Snapshot(2, 1, {"f": b"x"})
    second.offer(bookmark(again), again)
    assert second.write(20.0)
    first.offer(bookmark(state(6)), state(6))
    assert not first.write(2.0)
    assert loaded(tmp_path) == again


def test_two_processes_do_not_write_at_once(tmp_path: Path):
    """While another process writes, this one waits for its next second."""
    kept = files(tmp_path)
    tmp_path.chmod(0o700)
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept.offer(bookmark(state(1)), state(1))
        assert not kept.write(10.0)
        assert kept.deadline == 11.0
    assert kept.write(11.0)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("floor", "taken"), [((1, 5), True), ((0, 99), True), ((1, 6), False), ((2, 0), False)])
def test_the_floor(tmp_path: Path, floor: tuple[int, int], taken: bool):
    """A state below the pinned floor is not served, whoever signed it; one at the floor is."""
    save(tmp_path, state(5))
    assert (loaded(tmp_path, floor=floor) is not None) is taken


def test_other_environments_and_keys(tmp_path: Path):
    """A file of another environment, or signed by others, is refused; without keys signatures are not looked at."""
    foreign = SigningKey(b"f" * 32)
    with pytest.raises(SnapshotError, match="environment"):
        decoded(content_of(state(1), bookmark(state(1), b"env-0002")))
    content = content_of(state(1), bookmark(state(1), signer=foreign))
    with pytest.raises(SnapshotError, match="signature"):
        decoded(content)
    assert decoded(content, keys=VerifyKeys([foreign.public])).snapshot == state(1)
    assert decoded(content, keys=None).snapshot == state(1)


def test_objects_that_were_not_signed_for(tmp_path: Path):
    """Other objects under a sound header are found out by the state hash; the file can then be put away."""
    forged = Snapshot(1, 7, {"f": b"forged"})
    (tmp_path / LATEST).write_bytes(content_of(forged, bookmark(state(7))))
    kept = files(tmp_path)
    saved = kept.load()
    assert saved is not None
    assert not saved.is_whole()
    kept.discard(saved)
    kept.discard(saved)
    assert kept.load() is None


def test_messages_of_another_state_are_not_written(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """A message that does not belong to the snapshot makes no file that could not be loaded later."""
    kept = files(tmp_path)
    kept.offer(bookmark(state(1)), state(2))
    assert not kept.write(0.0)
    assert "different revisions" in caplog.text
    assert not (tmp_path / LATEST).exists()


def test_every_changed_byte_and_every_cut_is_noticed():
    """Not one byte of a file can change, and none can be missing or too many."""
    content = content_of(state(1, 300))
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 0x40
        if 8 <= position < 12:
            continue  # the format's number says nothing alone, but the trailer counts it
        with pytest.raises(SnapshotError):
            decoded(bytes(changed))
    for length in range(len(content)):
        with pytest.raises(SnapshotError):
            decoded(content[:length])
    with pytest.raises(SnapshotError):
        decoded(content + b"x")


def sealed(body: bytes, second: bytes | None = None, min_reader: int = 1, announced: int | None = None) -> bytes:
    """Return a file around any body, with a right trailer."""
    from xxhash import xxh3_128_digest

    frames = bookmark(state(1))
    header = frames[1] if second is None else second
    size = len(body) if announced is None else announced
    head = last_good._HEAD.pack(b"FLAGLAST", 1, min_reader, len(header), size)
    content = head + frames[0] + frames[3] + header + body
    return content + xxh3_128_digest(content)


def slices(*contents: bytes) -> bytes:
    """Return a body of slices."""
    return b"".join(len(content).to_bytes(4, "little") + content for content in contents)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"FLAGLAST",
        sealed(b"\x01"),
        sealed(b"\xff\xff\xff\xff"),
        sealed(slices(b"")),
        sealed(slices(b"\xc1")),
        sealed(slices(b"\x91" * 100_000)),
        sealed(slices(b"\xdd\xff\xff\xff\xff")),
        sealed(slices(msgspec.msgpack.encode([1, 2, {}]))),  # of another revision
        sealed(slices(msgspec.msgpack.encode([1, 1, {"f": 1}]))),
        sealed(slices(msgspec.msgpack.encode([1, 1, {}])) + b"\x05\x00\x00"),
        sealed(b"", announced=2**64 - 1),
        sealed(b"", second=b"x" * 513),
        sealed(b"", second=b""),
        sealed(b"", min_reader=2),
    ],
)
def test_malformed_files_are_refused(content: bytes):
    """Wrong content under a right trailer is refused with one kind of error."""
    with pytest.raises(SnapshotError):
        decoded(content)


@settings(max_examples=cases(300))
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_give_a_state_or_the_one_error(body: bytes, inside: bool):
    """No bytes raise anything but SnapshotError, as a file and as the body of one."""
    with pytest.raises(SnapshotError):
        decoded(sealed(slices(body)) if inside else body)


def test_larger_files_are_not_read(tmp_path: Path):
    """A file that is larger than a snapshot may be is refused by its size; nothing of it is read."""
    with (tmp_path / LATEST).open("wb") as file:
        file.truncate(1 << 40)
    kept = files(tmp_path)
    assert kept.load() is None
    assert "allowed" in kept.problems[0]


@pytest.mark.parametrize("kind", ["folder", "unreadable"])
def test_what_cannot_be_read(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch):
    """A folder in the file's place, or a disk that fails, is a problem and no exception."""
    if kind == "folder":
        (tmp_path / LATEST).mkdir()
    else:
        save(tmp_path, state(1))

        def fail(_: object) -> None:
            raise OSError(errno.EIO, "the disk fails")

        monkeypatch.setattr(last_good, "_stamp", fail)
    kept = files(tmp_path)
    assert kept.load() is None
    assert kept.problems


# -- what cannot be written --------------------------------------------------------------------------------------------


def failing(error: int):
    """Return an ``os.open`` that fails when it should make a file."""
    real = os.open

    def open_(path: str, flags: int, *arguments: object, **options: object) -> int:
        if flags & os.O_CREAT:
            raise OSError(error, os.strerror(error), path)
        return real(path, flags, *arguments, **options)  # type: ignore[arg-type]

    return open_


@pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES])
def test_read_only_file_systems_switch_it_off(
    tmp_path: Path, error: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Where nothing can be written nothing is tried again, and one warning says so."""
    kept = files(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(last_good.os, "open", failing(error))
        for now in range(5):
            kept.offer(bookmark(state(now + 1)), state(now + 1))
            assert not kept.write(float(now) * 100)
    assert kept.deadline is None
    assert len(caplog.records) == 1
    assert "switched off" in caplog.text


def test_full_disks_are_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """When the disk is full the older state stays, nothing is left beside it, one warning is logged, and a later try succeeds."""
    save(tmp_path, state(1))
    kept = files(tmp_path)
    kept.offer(bookmark(state(2)), state(2))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(whole_files.os, "write", full)
        for now in (0.0, 30.0, 60.0):
            assert not kept.write(now)
            assert not kept.write(now + 29)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".flagcore")] == []
    assert len(caplog.records) == 1
    assert loaded(tmp_path) == state(1)
    assert kept.write(90.0)
    assert loaded(tmp_path) == state(2)


def test_folders_that_others_may_write_to(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """Nothing is kept where others could put their own flags."""
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    assert not save(folder, state(1))
    assert "others may write" in caplog.text


# -- G11: killed at any point ------------------------------------------------------------------------------------------


def written_with(stand_in: KilledOs, folder: Path, monkeypatch: pytest.MonkeyPatch, revision: int) -> bool:
    """Save a state through a stand-in for ``os``; returns whether it survived."""
    with monkeypatch.context() as patch:
        patch.setattr(last_good, "os", stand_in)
        patch.setattr(whole_files, "os", stand_in)
        try:
            save(folder, state(revision, 9000))
        except Killed:
            return False
        finally:
            stand_in.bury()
    return True


@pytest.mark.parametrize("revision", [1, 2, 3])
def test_killed_at_any_point(tmp_path: Path, revision: int, monkeypatch: pytest.MonkeyPatch):
    """G11: killed before any call to the system, the first save, the second or a later one leaves the old state or the new."""
    recorder = KilledOs()
    points = [recorder]
    for at in range(200):
        folder = tmp_path / str(at)
        for earlier in range(1, revision):
            assert save(folder, state(earlier, 9000))
        if written_with(recorder if at == 0 else KilledOs(at - 1), folder, monkeypatch, revision) and at:
            break
        found = loaded(folder)
        possible = [state(revision, 9000), state(revision - 1, 9000) if revision > 1 else None]
        assert found in (possible[:1] if at == 0 else possible)
        assert save(folder, state(revision + 1, 9000)), "and the next process saves as ever"
        assert loaded(folder) == state(revision + 1, 9000)
        points.append(recorder)
    assert len(points) > 10
    assert at - 1 == len(recorder.calls), "every call was a point"


def test_killed_within_any_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """G11: of a write only the first sectors arrive, at each multiple of 512 bytes: the state before is what is loaded."""
    recorder = KilledOs()
    save(tmp_path / "first", state(1, 9000))
    assert written_with(recorder, tmp_path / "first", monkeypatch, 2)
    tried = 0
    for at, (name, size) in enumerate(recorder.calls):
        if name != "write":
            continue
        for torn in range(SECTOR, size, SECTOR):
            folder = tmp_path / f"{at}-{torn}"
            save(folder, state(1, 9000))
            assert not written_with(KilledOs(at, torn), folder, monkeypatch, 2)
            assert loaded(folder) == state(1, 9000)
            tried += 1
    assert tried > 20


@pytest.mark.parametrize("rest", ["missing", "zeros", "older"])
def test_torn_sectors_of_the_latest_file(tmp_path: Path, rest: str):
    """G11: should a disk lose sectors of a file after its rename, from any multiple of 512 on, the state before is loaded."""
    save(tmp_path, state(1, 6000))
    save(tmp_path, state(2, 6000))
    newer, older = (tmp_path / LATEST).read_bytes(), (tmp_path / PREVIOUS).read_bytes()
    for torn in range(0, len(newer), SECTOR):
        tail = {"missing": b"", "zeros": bytes(len(newer) - torn), "older": older[torn:]}[rest]
        (tmp_path / LATEST).write_bytes(newer[:torn] + tail)
        assert loaded(tmp_path) == state(1, 6000)
        for hole in ({"zeros": bytes(SECTOR), "older": older[torn : torn + SECTOR]}.get(rest),):
            if hole is not None:
                (tmp_path / LATEST).write_bytes(newer[:torn] + hole[: len(newer) - torn] + newer[torn + SECTOR :])
                assert loaded(tmp_path) == state(1, 6000)


SAVING = """
import sys
from tests.distribution.test_last_good import bookmark, files, state

kept = files(sys.argv[1])
for revision in range(1, 100_000):
    kept.offer(bookmark(state(revision)), state(revision))
    assert kept.write(2.0 * revision)
    print(revision, flush=True)
"""


def test_killed_by_the_system(tmp_path: Path):
    """G11: a process that saves all the time is killed by SIGKILL, whenever: what it had saved, or something later, is loaded."""
    source = random.Random(3)
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for number in range(200 if NIGHTLY else 4):
        folder = tmp_path / str(number)
        with subprocess.Popen([sys.executable, "-c", SAVING, folder], stdout=subprocess.PIPE, env=variables) as saving:
            assert saving.stdout is not None
            told = [saving.stdout.readline() for _ in range(source.randint(1, 40))]
            saving.kill()
            told += saving.stdout.readlines()
        found = loaded(folder)
        assert found is not None
        assert found == state(found.revision)
        assert found.revision >= int(told[-1])


def test_content_is_safe_before_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The new content is on the disk before the old file moves, and the renames are made to last."""
    save(tmp_path, state(1))
    recorder = KilledOs()
    assert written_with(recorder, tmp_path, monkeypatch, 2)
    names = [name for name, _ in recorder.calls]
    replaced = [index for index, name in enumerate(names) if name == "replace"]
    synced = [index for index, name in enumerate(names) if name == "fsync"]
    assert len(replaced) == len(synced) == 2
    assert max(index for index, name in enumerate(names) if name == "write") < synced[0] < replaced[0]
    assert replaced[1] < synced[1]
