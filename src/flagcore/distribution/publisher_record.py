"""What a publisher on files remembers between its runs, so that revisions go on rising (docs/design/wire.md section 8).

One JSON file: per environment epoch, revision and state hash, written before a revision goes out. It survives the death of the
process. After a death of the whole machine the latest lines may be missing; then, and where there is no file, a new epoch begins.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time

import msgspec

from flagcore.distribution.position import Position
from flagcore.errors import SettingsError

__all__ = ["PublisherRecord"]

log = logging.getLogger("flagcore")

BOOT_ID = "/proc/sys/kernel/random/boot_id"


class _Line(msgspec.Struct, frozen=True):
    epoch: int
    revision: int
    state_hash: str  # hexadecimal


class _Content(msgspec.Struct, kw_only=True):
    format: int = 1
    boot: str = ""  # of the machine that wrote it
    closed: bool = False  # by a publisher that came to its end, with everything on the disk
    environments: dict[str, _Line] = {}


class PublisherRecord:
    """The numbers of each environment; in memory only where there is no path.

    Raises:
        SettingsError: the file cannot be opened, or another publisher has it.
    """

    def __init__(self, path: str | None = None) -> None:
        self._path = path
        self._file: int | None = None if path is None else _locked(path)
        self._content = _Content() if self._file is None else _read(self._file)
        self._trusted = self._content.closed or self._content.boot == _boot() != ""
        self._content.boot, self._content.closed = _boot(), False
        self._complained = False

    def resume(self, environment_id: bytes, state_hash: bytes) -> Position:
        """Return where an environment's history goes on: where it stood if it holds the same, else one revision later."""
        known = self._content.environments.get(environment_id.hex())
        if known is None:
            return Position(_now(), 1)
        if not self._trusted:
            return Position(max(_now(), known.epoch + 1), 1)
        return Position(known.epoch, known.revision + (known.state_hash != state_hash.hex()))

    def note(self, environment_id: bytes, position: Position, state_hash: bytes) -> None:
        """Keep where an environment stands from here on. A few microseconds."""
        self._content.environments[environment_id.hex()] = _Line(*position, state_hash.hex())
        self._write()

    def close(self) -> None:
        """Put everything on the disk, and let others have the file. Idempotent."""
        if self._file is not None:
            self._content.closed = True
            self._write()
            os.close(self._file)
            self._file = None

    def _write(self) -> None:
        if self._file is None:
            return
        text = msgspec.json.encode(self._content) + b"\n"
        try:
            os.pwrite(self._file, text, 0)
            os.ftruncate(self._file, len(text))
            if self._content.closed:
                os.fsync(self._file)
        except OSError as error:
            if not self._complained:
                self._complained = True
                log.warning("the state file %s cannot be written: %s", self._path, error.strerror)


def _locked(path: str) -> int:
    """Return the open file, this process's until it is closed."""
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(f"the state file {path} cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise SettingsError(f"the state file {path} is in use: another publisher runs with it") from None
    return file


def _read(file: int) -> _Content:
    """Return what the file holds; nothing where it is empty or damaged."""
    try:
        return msgspec.json.decode(os.pread(file, 16 << 20, 0), type=_Content)
    except (OSError, msgspec.DecodeError):
        return _Content()


def _boot() -> str:
    """Return what names the time since the machine started; empty where that cannot be told."""
    try:
        with open(BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def _now() -> int:
    return time.time_ns() // 1000
