"""The ``FcSet`` that ``in``, ``contains`` on lists and value segments probe (layout: kernel.h, "value sets")."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable

from flagcore.compiler.tables import TableTooLargeError, build_table

__all__ = ["SetValue", "build_value_set"]

SetValue = str | bool | int | float

_MAGIC, _FORMAT, _MIN_READER = 0x54534346, 1, 1  # FC_SET_MAGIC, FC_FORMAT
_TEXT, _NUMBER, _BOOLEAN = 1, 2, 4  # FC_KIND_*
_HEADER = struct.Struct("<IHH10I")
_INT64 = range(-(2**63), 2**63)
_LARGEST = 0xFFFFFFFF


def build_value_set(values: Iterable[SetValue], folded: Iterable[str] = ()) -> bytes:
    """Return an ``FcSet`` of the values; ``folded`` are texts whose ASCII case does not count.

    The bytes depend on what is a member only: order and repetitions change nothing, 1 and 1.0 are one member, as are
    -0.0 and 0. About 3 us a text.

    Raises:
        ValueError: an integer beyond int64, a double that is not finite, or a text that is not valid Unicode.
        TableTooLargeError: the set would pass 4 GiB.
    """
    members = list(values)
    texts = {value.encode() for value in members if isinstance(value, str)}
    integers: set[int] = set()
    doubles: set[float] = set()
    booleans = 0
    for value in (member for member in members if not isinstance(member, str)):
        if isinstance(value, bool):
            booleans |= 2 if value else 1
        elif _is_integer(value):
            integers.add(int(value))
        else:
            doubles.add(float(value))
    folds = {text.encode() for text in folded}
    kinds = (_TEXT if texts or folds else 0) | (_NUMBER if integers or doubles else 0) | (_BOOLEAN if booleans else 0)
    tables = [build_table(texts) if texts else b"", build_table(folds, fold=True) if folds else b""]
    numbers = [
        struct.pack(f"<{len(integers)}q", *sorted(integers)),
        struct.pack(f"<{len(doubles)}d", *sorted(doubles)),
    ]
    return _assemble(kinds, booleans, tables + numbers, (len(integers), len(doubles)))


def _is_integer(number: SetValue) -> bool:
    """Tell whether a number stands among the integers: it equals an int64."""
    if isinstance(number, int):
        if number not in _INT64:
            raise ValueError(f"{number} is beyond the 64-bit integers")
        return True
    if not math.isfinite(float(number)):
        raise ValueError("a number that is not finite cannot be a member of a set")
    return float(number).is_integer() and int(number) in _INT64


def _assemble(kinds: int, booleans: int, parts: list[bytes], counts: tuple[int, int]) -> bytes:
    """Put the header in front of table, folded table, integers and doubles; an empty part has offset 0."""
    offsets, size = [], _HEADER.size
    for part in parts:
        offsets.append(size if part else 0)
        size += len(part)
    if size > _LARGEST:
        raise TableTooLargeError("a value set would pass 4 GiB")
    table, folds, integers, doubles = offsets
    header = _HEADER.pack(
        _MAGIC, _FORMAT, _MIN_READER, size, kinds, table, folds, integers, counts[0], doubles, counts[1], booleans, 0
    )
    return b"".join((header, *parts))
