"""What a program names: flags that it requires, and value sets (``FcLink`` in kernel.h)."""

from __future__ import annotations

import struct

__all__ = ["linked_names"]

_LINKS = struct.Struct("<68xII")  # of a program's header: offset and number of its links
_LINK = struct.Struct("<III4x")  # kind, offset and length of the name
_PROGRAM = 0


def linked_names(program: bytes) -> tuple[list[str], list[str]]:
    """Return the keys of the flags and the names of the value sets that a program names.

    Nothing has been proved of the bytes yet, and nothing is here: of a malformed program, which ``verify`` refuses, any names may come.
    """
    flags: list[str] = []
    value_sets: list[str] = []
    if len(program) >= _LINKS.size:
        offset, count = _LINKS.unpack_from(program)
        links = program[offset : offset + count * _LINK.size]
        for kind, start, length in _LINK.iter_unpack(links[: len(links) // _LINK.size * _LINK.size]):
            name = program[start : start + length].decode(errors="replace")
            (flags if kind == _PROGRAM else value_sets).append(name)
    return flags, value_sets
