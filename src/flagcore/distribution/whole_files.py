"""Files that are replaced whole: whoever reads sees the old content or the new, whenever the writer is killed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable

__all__ = ["is_private_folder", "make_private_folder", "replace_file"]


def replace_file(
    path: str, parts: Iterable[bytes], *, mode: int = 0o600, before_rename: Callable[[], object] = lambda: None
) -> None:
    """Write the parts to a new file beside ``path``, on to the disk, and rename it over that path.

    ``before_rename`` is called when the new content is safe and the old one is still in its place.

    Raises:
        OSError: the path is as ``before_rename`` left it, or as it was, and nothing is left beside it.
    """
    folder = os.path.dirname(path) or "."
    temporary = os.path.join(folder, f".flagcore-{os.getpid()}-{os.urandom(6).hex()}")
    try:
        _write(temporary, parts, mode)
        before_rename()
        os.replace(temporary, path)
    except BaseException:
        _remove(temporary)
        raise
    _synchronise(folder)


def _write(path: str, parts: Iterable[bytes], mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        for part in parts:
            with memoryview(part) as view:
                written = 0
                while written < len(view):
                    written += os.write(descriptor, view[written:])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return  # was never made, or cannot be helped


def _synchronise(folder: str) -> None:
    """Make the rename itself last; some file systems refuse, and lose no more than the rename by it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        return
    finally:
        os.close(descriptor)


def make_private_folder(path: str) -> None:
    """Make a folder that only its owner can write to.

    Raises:
        OSError: it cannot be made, or is somebody else's, or others may write to it.
    """
    os.makedirs(path, mode=0o700, exist_ok=True)
    if not is_private_folder(path):
        raise PermissionError(1, "others may write to this folder", path)


def is_private_folder(path: str) -> bool:
    """Return whether a folder is the caller's, and only its owner can write to it."""
    found = os.stat(path)
    return found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o022
