"""What a publisher remembers between its runs: numbers that only rise, whatever became of the file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from flagcore.distribution import publisher_record
from flagcore.distribution.position import Position
from flagcore.distribution.publisher_record import PublisherRecord
from flagcore.errors import SettingsError

ONE, TWO = b"env-one ", b"env-two "
HASH, OTHER = b"h" * 32, b"o" * 32
STOOD = Position(1000, 7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A place for the file, in a folder that is not there yet."""
    return tmp_path / "state" / "publisher.json"


def left_behind(path: Path, position: Position = STOOD, *, closed: bool = False) -> None:
    """Let a publisher write its file, and end or die."""
    record = PublisherRecord(str(path))
    record.note(ONE, position, HASH)
    if closed:
        record.close()
    else:
        os.close(record._file)  # type: ignore[arg-type] # as the system does for who dies


@pytest.mark.parametrize("closed", [True, False])
def test_history_goes_on(path: Path, closed: bool) -> None:
    """The same flags keep their revision, others get the next one, however the publisher ended; other environments begin."""
    left_behind(path, closed=closed)
    record = PublisherRecord(str(path))
    assert record.resume(ONE, HASH) == (1000, 7)
    assert record.resume(ONE, OTHER) == (1000, 8)
    assert record.resume(TWO, HASH).epoch > 10**15
    record.close()


def test_after_the_machine_died_a_new_epoch_begins(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not put on the disk may be missing after the machine died: nothing is numbered twice."""
    left_behind(path)
    monkeypatch.setattr(publisher_record, "_boot", lambda: "another")
    record = PublisherRecord(str(path))
    assert record.resume(ONE, HASH).epoch > 1000
    record.close()


def test_an_epoch_of_the_future_stays_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new epoch is higher than the one before, also where the clock was set back."""
    left_behind(path, Position(2**62, 7))
    monkeypatch.setattr(publisher_record, "_boot", lambda: "")
    record = PublisherRecord(str(path))
    assert record.resume(ONE, HASH) == (2**62 + 1, 1)
    record.close()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\0" * 100, b'{"format": 1, "environments": {"x": 1}}', bytes(range(128, 192))]
)
def test_damaged_files_begin_a_new_epoch(path: Path, content: bytes) -> None:
    """Whatever stands in the file, the publisher starts; what cannot be read counts as nothing."""
    path.parent.mkdir()
    path.write_bytes(content)
    record = PublisherRecord(str(path))
    assert record.resume(ONE, HASH).epoch > 10**15
    record.note(ONE, Position(5, 6), HASH)
    record.close()
    assert json.loads(path.read_text())["environments"][ONE.hex()]["revision"] == 6


def test_one_publisher_a_file(path: Path) -> None:
    """A file in use is refused; afterwards it is free, and only its owner may read it."""
    record = PublisherRecord(str(path))
    with pytest.raises(SettingsError, match="another publisher"):
        PublisherRecord(str(path))
    record.close()
    record.close()
    PublisherRecord(str(path)).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_disk_that_refuses(path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk stops no revision: it is logged, once."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    record = PublisherRecord(str(path))
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        for revision in range(3):
            record.note(ONE, Position(1, revision), HASH)
    record.close()
    assert [record.getMessage().split(": ", 1)[1] for record in caplog.records] == ["No space left on device"]


def test_without_a_file() -> None:
    """Without a path nothing is kept: each start is a new epoch at revision 1."""
    record = PublisherRecord()
    assert record.resume(ONE, HASH).revision == 1
    record.note(ONE, Position(1, 2), HASH)
    record.close()
