"""The conformance vectors in a form that a runner in any language reads with a few lines: ``python -m bindings.case_table FOLDER``.

For each file of evaluation cases (tests/conformance/README.md) FOLDER gets ``NAME.fcs``, its flags compiled, and ``NAME.cases``:

    file     u32 number of cases, then the cases
    case     text id, text flag key, u8 type (0 boolean, 1 string, 2 integer, 3 float, 4 object), i64 at (microseconds since 1970),
             value context (a mapping, or "x": what is no context), value default, value expected,
             text-or-null variant, text reason, text-or-null error code, text-or-null rule id
    text     u32 length, UTF-8
    value    one byte, then what it says:
             n null, t true, f false, i i64, d f64, s text, b bytes as text (to be bucketed, nothing else),
             T i64 microseconds since 1970, l u32 count and values, m u32 count and (text name, value) each, o any other value

Numbers are little-endian. Where a text may be null, it is a value (n or s). Default and expected of object flags are JSON texts (s).
"""

from __future__ import annotations

import struct
import sys
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from flagcore.compiler import compile_flag_set
from flagcore.context import TARGETING_KEY, EvaluationContext
from flagcore.model import build_flag_set
from flagcore.snapshot.codec import encode_snapshot
from flagcore.terms import FlagType
from tests.support import vectors

__all__ = ["LEFT_OUT", "case_bytes", "compiled", "tellable", "write_tables"]

LEFT_OUT = {"$subclass", "$raising_mapping", "$raising_zone", "$default_mapping"}
"""Spellings of values that a language without classes cannot have."""

TYPES = list(FlagType)
MOST_DIGITS = 4300  # of an integer that is a subject (docs/design/bucketing.md 2.1)


def text(content: str | bytes) -> bytes:
    """Return a text of the table."""
    data = content.encode() if isinstance(content, str) else content
    return struct.pack("<I", len(data)) + data


def value(given: object) -> bytes:
    """Return a value of the table."""
    if given is None or isinstance(given, bool):
        return {None: b"n", True: b"t", False: b"f"}[given]
    if isinstance(given, int):
        return _integer(given)
    if isinstance(given, float):
        return b"d" + struct.pack("<d", given)
    if isinstance(given, str):
        return _string(given)
    if isinstance(given, bytes | uuid.UUID):
        return b"b" + text(given if isinstance(given, bytes) else str(given))
    if isinstance(given, datetime) and given.tzinfo is not None:
        return b"T" + struct.pack("<q", vectors.moment(given.isoformat()))
    if isinstance(given, list | tuple | set | frozenset):
        return b"l" + struct.pack("<I", len(given)) + b"".join(map(value, given))
    if isinstance(given, Mapping):
        return b"m" + struct.pack("<I", len(given)) + b"".join(text(name) + value(given[name]) for name in given)
    return b"o"


def _integer(number: int) -> bytes:
    if -(2**63) <= number < 2**63:
        return b"i" + struct.pack("<q", number)
    return b"b" + text(str(number)) if abs(number) < 10**MOST_DIGITS else b"o"


def _string(content: str) -> bytes:
    """Lone surrogates make a string unknown to rules; as a subject each is U+FFFD."""
    try:
        return b"s" + text(content)
    except UnicodeEncodeError:
        return b"b" + text("".join("\ufffd" if 0xD800 <= ord(sign) < 0xE000 else sign for sign in content))


def tellable(data: object) -> bool:
    """Can a language without classes have the value that the data spells?"""
    if isinstance(data, list):
        return all(map(tellable, data))
    if isinstance(data, dict):
        return not data.keys() & LEFT_OUT and all(map(tellable, data.values()))
    return True


def context_bytes(context: object) -> bytes:
    """Return a context as one mapping, "x" for what is none."""
    key: dict[str, object] = {}
    if isinstance(context, EvaluationContext):
        key = {} if context.targeting_key is None else {TARGETING_KEY: context.targeting_key}
        context = context.attributes
    if context is not None and not isinstance(context, Mapping):
        return b"x"
    return value({**(context or {}), **key})


def result(type_: FlagType, given: object) -> bytes:
    """Return a default or expected value in the flag's type."""
    if type_ is FlagType.OBJECT:
        return b"s" + text(msgspec.json.encode(given))
    return value(given)


def case_bytes(case: dict[str, Any]) -> bytes:
    """Return a case of the table."""
    type_, expect = FlagType(case["type"]), case["expect"]
    return b"".join(
        (
            *(text(case["id"]), text(case["flag"])),
            struct.pack("<Bq", TYPES.index(type_), vectors.moment(case["at"])),
            context_bytes(vectors.decode(case["context"])),
            *(result(type_, vectors.decode(given)) for given in (case["default"], expect["value"])),
            *(value(expect["variant"]), text(expect["reason"]), value(expect["error_code"]), value(expect["rule"])),
        )
    )


def compiled(document: dict[str, Any]) -> bytes:
    """Return an authored document as the content of a compiled file."""
    return encode_snapshot(compile_flag_set(build_flag_set(document).flag_set).snapshot)


def write_tables(folder: Path) -> dict[str, tuple[int, int]]:
    """Write the tables of all files of cases; return for each how many cases it holds and how many were left out."""
    counts = {}
    for name in vectors.files_of_cases():
        data = vectors.read(name)
        cases = [case_bytes(case) for case in data["cases"] if tellable([case["context"], case["default"]])]
        (folder / f"{name}.fcs").write_bytes(compiled(data["flag_set"]))
        (folder / f"{name}.cases").write_bytes(struct.pack("<I", len(cases)) + b"".join(cases))
        counts[name] = len(cases), len(data["cases"]) - len(cases)
    return counts


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for name, (held, left_out) in write_tables(target).items():
        print(f"{name}: {held} cases, {left_out} left out")
