"""Constants and view tables as bytes, as kernel.h lays them out. Texts that they point to go into the program's pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from struct import pack
from typing import NamedTuple

from flagcore.compiler.layout import ADDRESS, AFFIX, COLUMN, NONE, NUMBER, VERSION, ColumnKind, ViewFlag, ViewKind
from flagcore.compiler.nodes import Column
from flagcore.compiler.pool import Pool
from flagcore.compiler.tables import build_table
from flagcore.compiler.views import (
    AddressCut,
    AddressView,
    AffixView,
    BooleanView,
    NumberView,
    PresenceView,
    SetView,
    TextView,
    TimeView,
    VersionKey,
    VersionView,
    View,
)

__all__ = ["ViewTable", "encode_column", "encode_json", "encode_ranges", "encode_version", "encode_view", "word_bits"]

_WORD = (1 << 64) - 1
_BYTE_CLASSES = 255  # of a view, for a byte table
_PACK_FIELD = (1 << 21) - 1  # numbers from here on do not fit the packed form of a version


class ViewTable(NamedTuple):
    """What an FcView says about its table."""

    kind: ViewKind
    flags: int = 0
    data: bytes | None = None
    constants: int = 0


def word_bits(number: int | float) -> int:
    """Return an int64 or double as 64 unsigned bits."""
    if isinstance(number, float):
        return int.from_bytes(pack("<d", number), "little")
    return int(number) & _WORD


def encode_json(value: object) -> bytes:
    """Return canonical JSON: sorted keys, no blanks, UTF-8."""
    if value == {}:
        return b"{}"  # the metadata of most flags, without importing json
    import json

    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def encode_version(key: VersionKey, pool: Pool) -> bytes:
    """Return an FcVersion."""
    major, minor, patch, _, identifiers = key
    words = [text if is_word else str(number) for is_word, number, text in identifiers]
    pre = pool.text(".".join(words).encode())
    return VERSION.pack(major, minor, patch, *pre, _packed_version(key))


def encode_ranges(ranges: Sequence[tuple[AddressCut, AddressCut]]) -> bytes:
    """Return FcAddress pairs, first and last, of half-open ranges within one family each."""
    packed = []
    for low, high in ranges:
        last = high[1] - 1 if high[0] == low[0] else (1 << (32 if low[0] == 4 else 128)) - 1
        packed += [_address(low), _address((low[0], last))]
    return b"".join(packed)


def encode_column(column: Column, view: View, number: int, pool: Pool) -> bytes:
    """Return an FcColumn of view ``number``: a byte table from class to local index, or cuts where classes are many."""
    if view.classes <= _BYTE_CLASSES:
        edges = (0, *column.cuts, view.classes)
        sizes = [high - low for low, high in pairwise(edges)]
        local = b"".join(bytes((index,)) * size for index, size in enumerate(sizes))
        kind, place = ColumnKind.BYTES, pool.add(local)
    else:
        kind, place = ColumnKind.CUTS, pool.add(pack(f"<{len(column.cuts)}I", *column.cuts), 4)
    masks = pool.add(pack(f"<{len(column.masks)}Q", *column.masks), 8)
    return COLUMN.pack(number, kind, place, masks, len(column.masks))


def encode_view(view: View, pool: Pool) -> ViewTable:
    """Return the class table of a view."""
    return _TABLES[type(view)](view, pool)


def _plain(view: View, _pool: Pool) -> ViewTable:
    kinds: dict[type[View], ViewKind] = {
        PresenceView: ViewKind.PRESENCE,
        BooleanView: ViewKind.BOOLEAN,
        SetView: ViewKind.SET,
    }
    return ViewTable(kinds[type(view)])


def _text(view: TextView, _pool: Pool) -> ViewTable:
    values = {text: 3 + index for index, text in enumerate(view.constants)}
    flags = ViewFlag.FOLD if view.fold else 0
    return ViewTable(ViewKind.TEXT, flags, build_table(values, fold=view.fold), len(view.constants))


def _number(view: NumberView, _pool: Pool) -> ViewTable:
    records = [NUMBER.pack(word_bits(number), isinstance(number, float), 0) for number in view.constants]
    return ViewTable(ViewKind.NUMBER, 0, b"".join(records), len(records))


def _version(view: VersionView, pool: Pool) -> ViewTable:
    records = [encode_version(key, pool) for key in view.constants]
    return ViewTable(ViewKind.VERSION, 0, b"".join(records), len(records))


def _time(view: TimeView, _pool: Pool) -> ViewTable:
    count = len(view.constants)
    return ViewTable(ViewKind.TIME, 0, pack(f"<{count}q", *view.constants), count)


def _addresses(view: AddressView, _pool: Pool) -> ViewTable:
    return ViewTable(ViewKind.ADDRESS, 0, b"".join(map(_address, view.constants)), len(view.constants))


def _affix(view: AffixView, pool: Pool) -> ViewTable:
    """Patterns in order, each with the longest other one that it extends."""
    records: list[bytes] = []
    around: list[int] = []
    for index, text in enumerate(view.constants):
        while around and not text.startswith(view.constants[around[-1]]):
            around.pop()
        records.append(AFFIX.pack(*pool.text(text), around[-1] if around else NONE, 0))
        around.append(index)
    kind = ViewKind.SUFFIX if view.suffix else ViewKind.PREFIX
    return ViewTable(kind, ViewFlag.FOLD if view.fold else 0, b"".join(records), len(records))


_TABLES: dict[type[View], Callable[..., ViewTable]] = {
    PresenceView: _plain,
    BooleanView: _plain,
    SetView: _plain,
    TextView: _text,
    NumberView: _number,
    VersionView: _version,
    TimeView: _time,
    AddressView: _addresses,
    AffixView: _affix,
}


def _address(cut: AddressCut) -> bytes:
    family, number = cut
    return ADDRESS.pack(number >> 64, number & _WORD, family, 0)


def _packed_version(key: VersionKey) -> int:
    """Return the kernel's packed form (kernel/parse.h): its order is that of the versions, as far as it tells."""
    major, minor, patch, is_release, _ = key
    if major >= _PACK_FIELD:
        return _WORD
    if minor >= _PACK_FIELD:
        return int(major << 43 | _WORD >> 21)
    if patch >= _PACK_FIELD:
        return int(major << 43 | minor << 22 | _WORD >> 42)
    return int(major << 43 | minor << 22 | patch << 1 | is_release)
