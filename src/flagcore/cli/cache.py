"""Keep what was compiled, so that asking again about the same files needs neither model nor compiler.

An entry belongs to one path. It is used only while every folder below that path holds the same names, every file that
was read (values files too) has the same SHA-256, and flagcore is the one that made it. Entries lie in
``$FLAGCORE_CACHE_DIR``, else ``$XDG_CACHE_HOME/flagcore``, else ``~/.cache/flagcore``, readable by their owner only; a
folder that others may write to is not used. Whatever goes wrong here only costs time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable

import msgspec

from flagcore import __version__
from flagcore.errors import SnapshotError
from flagcore.snapshot.codec import decode_snapshot, encode_snapshot
from flagcore.snapshot.objects import Snapshot

__all__ = ["Kept", "recall", "remember"]

KEPT = 64  # entries; the oldest go
SUFFIX = ".compiled"
RESTED = 20_000_000  # nanoseconds; clocks of file systems tick every few milliseconds


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What is kept for one path."""

    path: str
    maker: str  # fingerprint of what compiles and what reads programs
    folders: dict[str, list[str]]  # names below the path; empty for a file
    files: dict[str, bytes]  # path -> SHA-256
    keys: tuple[str, ...]  # of all flags, compiled or not
    snapshot: bytes


class Kept(msgspec.Struct, frozen=True):
    """Flags that were compiled at an earlier time: all of a set, or some."""

    snapshot: Snapshot
    keys: tuple[str, ...]

    def answers(self, flag_key: str | None) -> bool:
        """Return whether nothing need be compiled for this flag (None: for all)."""
        compiled = self.snapshot.programs
        return len(compiled) == len(self.keys) or (flag_key is not None and flag_key in compiled)


def recall(path: str) -> Kept | None:
    """Return the compiled flags of ``path`` if they are kept and nothing has changed since."""
    place = _place(path)
    if place is None:
        return None
    try:
        with open(place, "rb") as file:
            entry = msgspec.msgpack.decode(file.read(), type=Entry)
        fresh = entry.path == os.path.abspath(path) and entry.maker == _maker() and entry.folders == _folders(path)
        if fresh and all(_digest(name) == digest for name, digest in entry.files.items()):
            return Kept(decode_snapshot(entry.snapshot), entry.keys)
    except (OSError, msgspec.MsgspecError, SnapshotError):
        pass
    return None


def remember(path: str, files: Iterable[str], snapshot: Snapshot, keys: tuple[str, ...], begun: int) -> None:
    """Keep compiled flags of ``path``, made from ``files``, which were read after ``begun`` (nanoseconds).

    They are added to what is kept of the same files. Nothing is kept of files that changed about that time or later:
    what was read may not be what is there now.
    """
    import tempfile  # dearer than all else here

    place = _place(path)
    if place is None:
        return
    with contextlib.suppress(OSError):
        digests = {name: _digest(name) for name in map(os.path.abspath, files)}
        folders = _folders(path)
        if any(os.stat(name).st_ctime_ns > begun - RESTED for name in (*digests, *folders)):
            return
        kept = recall(path)
        whole = snapshot if kept is None else _joined(kept.snapshot, snapshot)
        entry = Entry(os.path.abspath(path), _maker(), folders, digests, keys, encode_snapshot(whole))
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(place))  # for the owner only
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.msgpack.encode(entry))
        os.replace(temporary, place)
        _forget_oldest(os.path.dirname(place))


def _joined(one: Snapshot, other: Snapshot) -> Snapshot:
    return Snapshot(
        other.epoch,
        other.revision,
        one.programs | other.programs,
        one.value_sets | other.value_sets,
        {**one.debug, **other.debug},
    )


def _place(path: str) -> str | None:
    """Return the file of a path's entry, in a folder that only its owner can write to; None without one."""
    root = os.environ.get("FLAGCORE_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "flagcore"
    )
    folder = os.path.join(root, "compiled")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        found = os.stat(folder)
    except OSError:
        return None
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o022:
        return None
    return os.path.join(folder, hashlib.sha256(os.fsencode(os.path.abspath(path))).hexdigest()[:32] + SUFFIX)


def _maker() -> str:
    """Return what changes whenever the files of model, compiler or kernel do, also between releases."""
    package = os.path.dirname(os.path.dirname(__file__))
    parts = [__version__]
    for folder in ("model", "compiler", "snapshot", "evaluator", "kernel"):
        with os.scandir(os.path.join(package, folder)) as entries:
            files = sorted((entry for entry in entries if entry.is_file()), key=lambda entry: entry.name)
            parts += [f"{file.name} {file.stat().st_mtime_ns} {file.stat().st_size}" for file in files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _folders(path: str) -> dict[str, list[str]]:
    return {folder: sorted(folders + files) for folder, folders, files in os.walk(os.path.abspath(path))}


def _digest(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _forget_oldest(folder: str) -> None:
    with os.scandir(folder) as entries:
        kept = sorted((entry.stat().st_mtime, entry.path) for entry in entries if entry.name.endswith(SUFFIX))
    for _, path in kept[:-KEPT]:
        os.unlink(path)
