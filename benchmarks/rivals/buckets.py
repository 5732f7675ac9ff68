"""The bucket that a caller brings along to engines that have no hash."""

from __future__ import annotations

from zlib import crc32

__all__ = ["SCALE", "bucket"]

SCALE = 10_000


def bucket(key: str, subject: str) -> int:
    """Return where a subject lies for a flag, in ``[0, SCALE)``."""
    return crc32(f"{key}.{subject}".encode()) % SCALE
