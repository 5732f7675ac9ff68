"""The pool of a program: texts, tables and lists behind the fixed parts, equal bytes once."""

from __future__ import annotations

__all__ = ["Pool", "align8"]


def align8(size: int) -> int:
    """Return ``size`` rounded up to a multiple of eight."""
    return (size + 7) & ~7


class Pool:
    """Collects bytes and hands out their offsets from the program's first byte."""

    def __init__(self, base: int) -> None:
        self._base = base
        self._bytes = bytearray()
        self._placed: dict[tuple[bytes, int], int] = {}

    def add(self, content: bytes, alignment: int = 1) -> int:
        """Place ``content`` and return its offset; the same content at the same alignment is placed once."""
        known = self._placed.get((content, alignment))
        if known is None:
            self._bytes += bytes(-len(self._bytes) % alignment)
            known = self._placed[content, alignment] = self._base + len(self._bytes)
            self._bytes += content
        return known

    def text(self, text: bytes) -> tuple[int, int]:
        """Place a text and return its FcText: offset and length."""
        return (self.add(text) if text else self._base, len(text))

    def finish(self) -> bytes:
        """Return the pool, padded to a multiple of eight."""
        return bytes(self._bytes) + bytes(-len(self._bytes) % 8)
