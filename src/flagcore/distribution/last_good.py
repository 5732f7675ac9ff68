"""The last known good state of an environment, in a file of the service (docs/design/wire.md section 6).

     0   8 bytes   "FLAGLAST"
     8  u32        format of this page: 1
    12  u32        lowest format that a reader must know
    16  u32        length of the header
    20  u64        length of the body
    28  11 bytes   topic, 64 bytes signature, header: of the signed message whose state hash is that of the body, as received
        body       slices: u32 length, msgpack of Snapshot with some of the objects
        16 bytes   XXH3-128 of everything before

Numbers are little-endian. Two files are kept, the latest and the one before. Each is replaced whole: whenever the writer is killed,
one of them can be loaded. Reading trusts nothing: length, trailer, signature, environment and floor are checked before anything is
used. Writing never raises: what goes wrong is logged once, and tried again or, where nothing can be written, given up.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import BinaryIO, NamedTuple

import msgspec

from flagcore.distribution.source import log
from flagcore.distribution.whole_files import make_private_folder, replace_file
from flagcore.distribution.wire import TOPIC_BYTES, Header, WireError, read_header
from flagcore.errors import SnapshotError
from flagcore.snapshot.limits import DEFAULT_LIMITS, Limits
from flagcore.snapshot.objects import Snapshot, parts_of
from flagcore.snapshot.signature import SIGNATURE_BYTES, VerifyKeys
from flagcore.snapshot.state_hash import StateHash

__all__ = ["LATEST", "PREVIOUS", "LastGood", "Saved", "decode_saved", "encode_saved", "folder_of"]

LATEST, PREVIOUS = "last-good.fcl", "last-good.previous.fcl"
INTERVAL = 1.0  # seconds between two writes, at least
RETRY = 30.0  # seconds after a write that failed

_MAGIC = b"FLAGLAST"
_FORMAT = 1
_HEAD = struct.Struct("<8sIIIQ")
_PROOF = TOPIC_BYTES + SIGNATURE_BYTES
_TRAILER = 16
_LOCK = ".lock"
_SLICE = 256  # objects that are encoded at a time: about 0.1 ms during which no other thread runs
_HOPELESS = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ENOSYS}

_encoder = msgspec.msgpack.Encoder()
_slices = msgspec.msgpack.Decoder(Snapshot)

Position = tuple[int, int]


class Saved(msgspec.Struct, frozen=True):
    """What was loaded: the state, and the header that was signed for it."""

    snapshot: Snapshot
    header: Header
    path: str

    def is_whole(self) -> bool:
        """Return whether the objects are those that were signed for; about 2 us an object, so not on the way to the first answer."""
        return StateHash.of(self.snapshot).value == self.header.state_hash


# -- bytes -------------------------------------------------------------------------------------------------------------


def encode_saved(frames: Sequence[bytes], snapshot: Snapshot) -> Iterator[bytes]:
    """Yield the content of a file, in parts. ``frames``: topic, header, any body, signature of a message of the very same state."""
    from xxhash import xxh3_128

    first, second, _, signature = frames[:4]
    slices = [part for piece in _cut(snapshot) for part in (len(piece).to_bytes(4, "little"), piece)]
    head = _HEAD.pack(_MAGIC, _FORMAT, _FORMAT, len(second), sum(map(len, slices)))
    trailer = xxh3_128()
    for part in (head + first + signature + second, *slices):
        trailer.update(part)
        yield part
    yield trailer.digest()


def _cut(snapshot: Snapshot) -> Iterator[bytes]:
    for position, part in enumerate(parts_of(snapshot).values()):
        items = iter(part.items())
        while some := dict(islice(items, _SLICE)):
            fields: list[dict[str, bytes]] = [{}, {}, {}, {}]
            fields[position] = some
            yield _encoder.encode(Snapshot(snapshot.epoch, snapshot.revision, *fields))


def decode_saved(
    file: BinaryIO,
    size: int,
    environment_id: bytes,
    keys: VerifyKeys | None,
    *,
    floor: Position = (0, 0),
    limits: Limits = DEFAULT_LIMITS,
    path: str = "",
) -> Saved:
    """Return what a file of ``size`` bytes holds, after every check but ``Saved.is_whole``. Read a slice at a time.

    ``keys`` None: signatures are not looked at.

    Raises:
        SnapshotError: it is cut, changed, of another environment or of a later format, not signed by these keys, or below the floor.
        OSError: it cannot be read.
    """
    reader = _Reader(file, size)
    first, second, signature, body_length = _read_head(reader, limits)
    try:
        header = read_header(first, second, signature, keys, environment_id, limits)
    except WireError as error:
        raise SnapshotError(f"the header is refused: {error}") from None
    if (header.epoch, header.revision) < floor:
        raise SnapshotError(f"revision {header.epoch}/{header.revision} lies below the floor {floor[0]}/{floor[1]}")
    snapshot = _joined(reader, body_length, header)
    digest = reader.digest()
    if reader.take(_TRAILER) != digest:
        raise SnapshotError("it is corrupt: its bytes are not those that were written")
    return Saved(snapshot, header, path)


def largest_content(limits: Limits) -> int:
    """Return how many bytes a file may have: the objects, and their names."""
    return limits.snapshot + limits.snapshot // 4 + 65_536


class _Reader:
    """Reads a file from its beginning, and keeps the hash of what was read. One buffer serves all slices."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        from xxhash import xxh3_128

        self._file, self._hash = file, xxh3_128()
        self._buffer = bytearray()
        self.left = size

    def take(self, length: int) -> memoryview:
        """Return the next bytes, which stand until the next call."""
        if length > self.left:
            raise SnapshotError("it is cut or padded")
        self.left -= length
        if length > len(self._buffer):
            self._buffer = bytearray(length)
        view = memoryview(self._buffer)[:length]
        if self._file.readinto(view) != length:  # type: ignore[attr-defined] # every binary file has it
            raise SnapshotError("it was cut while it was read")
        self._hash.update(view)
        return view

    def digest(self) -> bytes:
        """Return the hash of all that was taken."""
        return bytes(self._hash.digest())


def _read_head(reader: _Reader, limits: Limits) -> tuple[bytes, bytes, bytes, int]:
    """Return topic, header, signature, and the length of the body, which is the one that the size of the file leaves."""
    magic, _, min_reader, header_length, body_length = _HEAD.unpack(reader.take(_HEAD.size))
    if magic != _MAGIC:
        raise SnapshotError("this is no last known good state")
    if min_reader > _FORMAT:
        raise SnapshotError(f"it needs a release that reads format {min_reader}; this one reads {_FORMAT}")
    if reader.left != _PROOF + header_length + body_length + _TRAILER:
        raise SnapshotError("it is cut or padded")
    if header_length > limits.header:
        raise SnapshotError(f"its header has {header_length} bytes, {limits.header} are allowed")
    first, signature = bytes(reader.take(TOPIC_BYTES)), bytes(reader.take(SIGNATURE_BYTES))
    return first, bytes(reader.take(header_length)), signature, body_length


def _joined(reader: _Reader, length: int, header: Header) -> Snapshot:
    """Return the snapshot of all slices."""
    whole = Snapshot(header.epoch, header.revision, {}, {}, {}, {})
    end = reader.left - length
    while reader.left > end:
        piece = _slice_of(reader)
        if (piece.epoch, piece.revision) != (whole.epoch, whole.revision):
            raise SnapshotError("a slice is of another revision than the header")
        for part, some in zip(parts_of(whole).values(), parts_of(piece).values(), strict=True):
            part.update(some)  # type: ignore[attr-defined] # those of `whole` are dicts
    if reader.left != end:
        raise SnapshotError("its last slice is longer than its body")
    return whole


def _slice_of(reader: _Reader) -> Snapshot:
    content = reader.take(int.from_bytes(reader.take(4), "little"))
    try:
        return _slices.decode(content)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise SnapshotError(f"a slice cannot be read: {error}") from None


# -- files -------------------------------------------------------------------------------------------------------------


def folder_of(cache_dir: str | None, environment_id: bytes, environment: Mapping[str, str] | None = None) -> str:
    """Return where an environment's files lie: below ``cache_dir``, ``FLAGCORE_CACHE_DIR``, or the user's cache folder."""
    variables = os.environ if environment is None else environment
    root = cache_dir or variables.get("FLAGCORE_CACHE_DIR")
    if not root:
        user = variables.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        root = os.path.join(user, "flagcore")
    return os.path.join(os.path.abspath(root), environment_id.hex())


class _Stamp(NamedTuple):
    """What tells one content of a file from another."""

    node: int
    size: int
    changed: int


class LastGood:
    """The two files of one environment; used by one thread. Time is handed in, monotonic, in seconds."""

    def __init__(
        self,
        folder: str,
        environment_id: bytes,
        keys: VerifyKeys | None,
        *,
        floor: Position = (0, 0),
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.folder = folder
        self.keys = keys  # may be replaced when keys are rotated
        self._latest, self._previous = os.path.join(folder, LATEST), os.path.join(folder, PREVIOUS)
        self._environment_id, self._floor, self._limits = environment_id, floor, limits
        self._waiting: tuple[Sequence[bytes], Snapshot] | None = None
        self._not_before = float("-inf")
        self._known: tuple[_Stamp, Position] | None = None  # the latest file, if it is sound, and what it holds
        self._is_off = False
        self._logged = ""
        self.problems: tuple[str, ...] = ()  # of the latest ``load``

    # -- reading

    def load(self) -> Saved | None:
        """Return the latest state that can be used, else the one before it, else None; ``problems`` says why not. Never raises."""
        problems = []
        for path in (self._latest, self._previous):
            try:
                saved = self._read(path)
            except FileNotFoundError:
                continue
            except (OSError, SnapshotError, MemoryError) as error:
                problems.append(f"{path}: {error}")
                continue
            self.problems = tuple(problems)
            return saved
        self.problems = tuple(problems)
        return None

    def _read(self, path: str) -> Saved:
        largest = largest_content(self._limits)
        with open(path, "rb", buffering=0) as file:
            stamp = _stamp(file.fileno())
            if stamp.size > largest:
                raise SnapshotError(f"it has {stamp.size} bytes, {largest} are allowed")
            saved = decode_saved(
                file, stamp.size, self._environment_id, self.keys, path=path, floor=self._floor, limits=self._limits
            )
        if path == self._latest:
            self._known = stamp, (saved.header.epoch, saved.header.revision)
        return saved

    def discard(self, saved: Saved) -> None:
        """Remove a file whose content is not what was signed for. Never raises."""
        with suppress(OSError):
            os.unlink(saved.path)

    # -- writing

    @property
    def deadline(self) -> float | None:
        """When ``write`` is due; None: there is nothing to write."""
        return None if self._waiting is None else self._not_before

    def offer(self, frames: Sequence[bytes], snapshot: Snapshot) -> None:
        """Let a state be written at the next occasion, instead of any that waits. ``frames`` as in ``encode_saved``."""
        if not self._is_off:
            self._waiting = frames, snapshot

    def write(self, now: float, *, at_once: bool = False) -> bool:
        """Write what waits, unless the last write was less than a second ago; returns whether it was written. Never raises.

        ``at_once``: whenever the last write was, for the end of a process. Takes the disk's time.
        """
        if self._waiting is None or (now < self._not_before and not at_once):
            return False
        frames, snapshot = self._waiting
        try:
            written = self._write(frames, snapshot)
        except (OSError, ValueError) as error:
            self._fail(error, now)
            return False
        self._waiting, self._logged = None, ""
        self._not_before = now + INTERVAL
        return written

    def _write(self, frames: Sequence[bytes], snapshot: Snapshot) -> bool:
        """Replace the files, unless a process beside this one does so now, or has written something as late."""
        self._check(frames, snapshot)
        make_private_folder(self.folder)
        lock = os.open(os.path.join(self.folder, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_sound, there = self._position_there()
            if there >= (snapshot.epoch, snapshot.revision):
                return False
            keep = self._keep_previous if is_sound else _nothing
            replace_file(self._latest, encode_saved(frames, snapshot), before_rename=keep)
            self._known = _stamp(self._latest), (snapshot.epoch, snapshot.revision)
        finally:
            os.close(lock)
        return True

    def _check(self, frames: Sequence[bytes], snapshot: Snapshot) -> None:
        """Raise ValueError for what could not be loaded."""
        try:
            header = read_header(frames[0], frames[1], frames[3], None, self._environment_id, self._limits)
        except WireError as error:
            raise ValueError(str(error)) from None
        if (header.epoch, header.revision) != (snapshot.epoch, snapshot.revision):
            raise ValueError("the message and the snapshot are of different revisions")

    def _position_there(self) -> tuple[bool, Position]:
        """Return whether the latest file can be used, and the position of what would be loaded."""
        with suppress(OSError, SnapshotError, MemoryError):
            if self._known is None or self._known[0] != _stamp(self._latest):
                self._known = None
                self._read(self._latest)
            if self._known is not None:
                return True, self._known[1]
        with suppress(OSError, SnapshotError, MemoryError):
            found = self._read(self._previous).header
            return False, (found.epoch, found.revision)
        return False, (-1, -1)

    def _keep_previous(self) -> None:
        os.replace(self._latest, self._previous)

    def _fail(self, error: OSError | ValueError, now: float) -> None:
        if isinstance(error, BlockingIOError):  # another process writes now; it may be behind this one
            self._not_before = now + INTERVAL
            return
        self._not_before = now + RETRY
        self._is_off = isinstance(error, OSError) and error.errno in _HOPELESS
        if self._is_off:
            self._waiting = None
        if str(error) != self._logged:
            self._logged = str(error)
            rest = "it is switched off" if self._is_off else f"it is tried again every {RETRY:.0f} s"
            log.warning("the last known good state cannot be kept in %s (%s): %s", self.folder, error, rest)


def _nothing() -> None:
    """What is there cannot be used, so that it need not be kept."""


def _stamp(file: int | str) -> _Stamp:
    found = os.stat(file)
    return _Stamp(found.st_ino, found.st_size, found.st_mtime_ns)
