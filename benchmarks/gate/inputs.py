"""What kernel_walk.c reads of a workload: little endian, texts with a uint32 length before them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ["write_inputs"]

BOOLEAN, INTEGER, TEXT, LIST = 2, 3, 5, 7  # FcValue.type of kernel.h


def write_inputs(
    folder: Path, program: bytes, value_sets: Mapping[str, bytes], contexts: Iterable[Mapping[str, object]]
) -> None:
    """Write a program, the value sets that it may name, and the contexts to walk it for."""
    (folder / "program").write_bytes(program)
    (folder / "sets").write_bytes(
        b"".join(_text(name.encode()) + _text(content) for name, content in value_sets.items())
    )
    (folder / "contexts").write_bytes(b"".join(map(_context, contexts)))


def _text(content: bytes) -> bytes:
    return struct.pack("<I", len(content)) + content


def _context(context: Mapping[str, object]) -> bytes:
    return struct.pack("<I", len(context)) + b"".join(
        _text(name.encode()) + _value(value) for name, value in context.items()
    )


def _value(value: object) -> bytes:
    if isinstance(value, bool | int):
        return struct.pack("<Iq", BOOLEAN if isinstance(value, bool) else INTEGER, value)
    if isinstance(value, list):
        return struct.pack("<II", LIST, len(value)) + b"".join(map(_value, value))
    assert isinstance(value, str), "the workloads hold texts, whole numbers, booleans and lists of them"
    return struct.pack("<I", TEXT) + _text(value.encode())
