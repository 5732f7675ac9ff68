"""Reads the conformance vectors (tests/conformance/README.md): the values that JSON has no spelling for, and the cases."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from flagcore.context import EvaluationContext
from flagcore.testing.hostile import (
    Dictionary,
    Frozen,
    HostileFloat,
    HostileInteger,
    HostileList,
    HostileText,
    Raising,
    RaisingZone,
    Thing,
)

FOLDER = Path(__file__).parent.parent / "conformance"
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def read(name: str) -> dict[str, Any]:
    """Return a vector file as plain data."""
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def files_of_cases() -> list[str]:
    """Return the names of the files whose cases evaluate flags."""
    return sorted(path.stem for path in FOLDER.glob("*.json") if "flag_set" in json.loads(path.read_text("utf-8")))


def moment(text: str) -> int:
    """Return the microseconds since 1970 UTC of a case's ``at``."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def decode(data: object) -> Any:
    """Return the value that the data spells, as README.md says."""
    if isinstance(data, list):
        return [decode(item) for item in data]
    if not isinstance(data, dict):
        return data
    if len(data) == 1:
        (name, content), *_ = data.items()
        if name.startswith("$"):
            return SPELLINGS[name](content)
    return {name: decode(content) for name, content in data.items()}


def same(one: object, other: object) -> bool:
    """Are the values equal, with 1, 1.0 and True three values?"""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)  # type: ignore[attr-defined,index]
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))  # type: ignore[arg-type]
    return one == other


def _subclass(data: object) -> object:
    value = decode(data)
    kinds: dict[type, Callable[[Any], object]] = {
        str: HostileText, int: HostileInteger, float: HostileFloat, list: HostileList, dict: Dictionary,
    }  # fmt: skip
    return kinds[type(value)](value)


def _context(data: dict[str, Any]) -> EvaluationContext:
    return EvaluationContext(data["targeting_key"], decode(data["attributes"]))


def _integer(digits: str) -> int:
    number = 0
    for start in range(0, len(digits.lstrip("-")), 500):  # never more digits at once than the interpreter converts
        part = digits.lstrip("-")[start : start + 500]
        number = number * 10 ** len(part) + int(part)
    return -number if digits.startswith("-") else number


def _default_mapping(data: dict[str, Any]) -> defaultdict[str, object]:
    return defaultdict(lambda: "pro", decode(data))


SPELLINGS: dict[str, Callable[[Any], object]] = {
    "$float": float,
    "$int": _integer,
    "$code_points": lambda points: "".join(map(chr, points)),
    "$repeat": lambda parts: parts[0] * parts[1] + parts[2],
    "$bytes": bytes.fromhex,
    "$tuple": lambda items: tuple(map(decode, items)),
    "$set": lambda items: set(map(decode, items)),
    "$frozenset": lambda items: frozenset(map(decode, items)),
    "$iterator": lambda items: iter(decode(items)),
    "$time": datetime.fromisoformat,
    "$naive_time": datetime.fromisoformat,
    "$raising_zone": lambda text: datetime.fromisoformat(text).replace(tzinfo=RaisingZone()),
    "$date": date.fromisoformat,
    "$uuid": uuid.UUID,
    "$decimal": Decimal,
    "$subclass": _subclass,
    "$mapping": lambda data: Frozen(decode(data)),
    "$default_mapping": _default_mapping,
    "$raising_mapping": lambda _: Raising(),
    "$context": _context,
    "$object": lambda _: Thing(),
}
