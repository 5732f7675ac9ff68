"""Programs that are one constant: how an override answers like a flag, prerequisites included."""

from __future__ import annotations

import math
import struct
from contextlib import suppress

import msgspec

from flagcore.evaluator._program import Program, text_identity
from flagcore.terms import FlagType

__all__ = ["constant_program"]

# FcHeader, FcLeaf and FcVariant of kernel.h
_HEADER = struct.Struct("<IHHIBBH24I")
_LEAF = struct.Struct("<BBBBIIIQIHH")
_VARIANT = struct.Struct("<IIIIQQ")
_MAGIC, _FORMAT, _HASH = 0x47504346, 1, 1
_LEAF_EXIT, _NONE, _NO_MEMO = 0x80000000, 0xFFFFFFFF, 0xFFFF

OVERRIDE = "flagcore.override"
_TYPES = list(FlagType)  # by FC_VALUE_*


def constant_program(key: object, value: object, flag: Program | None) -> bytes:
    """Return a program that always gives ``value``, reason STATIC, metadata ``flagcore.override``.

    Of an existing ``flag`` it takes type and metadata; where the value is that of a variant, it is that variant (and
    meets what other flags require), else a variant called ``override``.

    Raises:
        TypeError: no flag can have such a key or such a value.
    """
    if not isinstance(key, str) or not key:
        raise TypeError(f"a flag key is a text that is not empty, not {key!r}")
    kind = _type_of(value)
    metadata: dict[str, object] = {}
    name = "override"
    if flag is not None:
        metadata = {name: fact for name, fact in flag.metadata().items() if not name.startswith("flagcore.")}
        if flag.type is FlagType.FLOAT and kind is FlagType.INTEGER:
            kind, value = FlagType.FLOAT, float(value)  # type: ignore[arg-type]
        if flag.type is kind:
            with suppress(msgspec.MsgspecError, ValueError, RecursionError):  # of a variant that cannot be read
                name = next((variant for variant, known in flag.variants().items() if known == value), name)
    try:
        return _program(key, kind, value, name, {**metadata, OVERRIDE: True})
    except UnicodeEncodeError as error:
        raise TypeError(f"a text of the override of {key!r} is no valid Unicode: {error.object!r}") from None


def _type_of(value: object) -> FlagType:
    for kind, types in (
        (FlagType.BOOLEAN, bool),
        (FlagType.STRING, str),
        (FlagType.INTEGER, int),
        (FlagType.FLOAT, float),
        (FlagType.OBJECT, (dict, list)),
    ):
        if isinstance(value, types):
            if kind is FlagType.INTEGER and not -(2**63) <= value < 2**63:  # type: ignore[operator]
                raise TypeError("an integer flag has 64 bits")
            if kind is FlagType.FLOAT and not math.isfinite(value):  # type: ignore[arg-type]
                raise TypeError(f"a float flag has finite values, not {value}")
            return kind
    raise TypeError(f"a flag is boolean, string, integer, float or object (dict, list), not {type(value).__name__}")


def _program(key: str, kind: FlagType, value: object, name: str, metadata: dict[str, object]) -> bytes:
    """Lay out header, one leaf, one variant and their texts."""
    leaf_at, variant_at = _HEADER.size, _HEADER.size + _LEAF.size
    pool_at = variant_at + _VARIANT.size
    pool = b""

    def text(content: bytes) -> tuple[int, int]:
        nonlocal pool
        pool += content
        return pool_at + len(pool) - len(content), len(content)

    variant = _VARIANT.pack(
        *text(name.encode()), *text(_value_bytes(kind, value)), _scalar(kind, value), text_identity(name)
    )
    leaf = _LEAF.pack(0, 0, 0, 0, _NONE, 0, 0, 0, 0, 0, _NO_MEMO)
    key_text, metadata_text = text(key.encode()), text(msgspec.json.encode(metadata))
    pool += bytes(-len(pool) % 8)
    parts = (leaf_at, 1, *[pool_at, 0] * 2, variant_at, 1, *[pool_at, 0] * 2)
    header = _HEADER.pack(
        _MAGIC,
        _FORMAT,
        _FORMAT,
        pool_at + len(pool),
        _HASH,
        _TYPES.index(kind),
        0,
        _LEAF_EXIT,
        0,
        0,
        *parts,
        0,
        1,
        *key_text,
        *metadata_text,
        pool_at,
        0,
        0,
    )
    return header + leaf + variant + pool


def _value_bytes(kind: FlagType, value: object) -> bytes:
    if kind is FlagType.STRING:
        return str(value).encode()
    return msgspec.json.encode(value) if kind is FlagType.OBJECT else b""


def _scalar(kind: FlagType, value: object) -> int:
    if kind in (FlagType.BOOLEAN, FlagType.INTEGER):
        return int(value) & (2**64 - 1)  # type: ignore[call-overload, no-any-return]
    if kind is FlagType.FLOAT:
        return int.from_bytes(struct.pack("<d", value), "little")
    return 0
