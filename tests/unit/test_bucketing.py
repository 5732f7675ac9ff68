"""Buckets and splits against the golden vectors, the second implementation, and the letter of docs/design/bucketing.md."""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import uuid
from datetime import date
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path

import pytest

from flagcore import bucketing
from flagcore.errors import TargetingKeyMissingError
from tests.support import bucketing_second as second

VECTORS = json.loads((Path(__file__).parent.parent / "conformance" / "bucketing-vectors.json").read_text("utf-8"))


def positive(weights: dict[str, int]) -> dict[str, int]:
    """Return the weights above zero, in the scale they have."""
    return {name: weight for name, weight in weights.items() if weight}


# --- the golden vectors (section 3, property 1) -----------------------------------------------------------------------


@pytest.mark.parametrize("implementation", [bucketing.log2_table, second.table])
def test_the_table(implementation):
    """The 513 logarithms are those of the spec's checksum."""
    packed = struct.pack("<513Q", *implementation())
    assert hashlib.sha256(packed).hexdigest() == VECTORS["log2_table_sha256"]


@pytest.mark.parametrize("implementation", [bucketing, second], ids=["flagcore", "second"])
@pytest.mark.parametrize("vector", VECTORS["xxh64"], ids=lambda vector: vector["hash"])
def test_xxh64_vectors(implementation, vector: dict):
    """XXH64 of each input is the golden hash."""
    assert implementation.xxh64(bytes.fromhex(vector["input_hex"]), int(vector["seed"])) == int(vector["hash"])


@pytest.mark.parametrize("implementation", [bucketing, second], ids=["flagcore", "second"])
def test_mix64_and_expo_vectors(implementation):
    """The finaliser and the logarithm give the golden numbers."""
    for vector in VECTORS["mix64"]:
        assert implementation.mix64(int(vector["x"])) == int(vector["out"])
    for vector in VECTORS["expo"]:
        assert implementation.expo(int(vector["r"])) == int(vector["out"])


@pytest.mark.parametrize("implementation", [bucketing.subject_bytes, second.subject], ids=["flagcore", "second"])
@pytest.mark.parametrize("vector", VECTORS["encoding"], ids=lambda vector: vector["note"])
def test_encoding_vectors(implementation, vector: dict):
    """A value's subject bytes are the golden ones, or there are none."""
    value = "\ud800x" if "lone surrogate" in str(vector["value"]) else vector["value"]
    expected = None if vector["bytes_hex"] is None else bytes.fromhex(vector["bytes_hex"])
    assert implementation(value) == expected


@pytest.mark.parametrize("implementation", [bucketing, second], ids=["flagcore", "second"])
@pytest.mark.parametrize(
    "vector", VECTORS["position"], ids=lambda v: f"{v['salt']}-{v['domain']}-{v['subject_hex'][:12]}"
)
def test_position_vectors(implementation, vector: dict):
    """A subject's position is the golden one."""
    subject = bytes.fromhex(vector["subject_hex"])
    assert implementation.position(vector["salt"], subject, vector["domain"]) == int(vector["h"])


@pytest.mark.parametrize(
    "vector", VECTORS["position"], ids=lambda v: f"{v['salt']}-{v['domain']}-{v['subject_hex'][:12]}"
)
def test_gate_vectors(vector: dict):
    """Bucket and gate decisions are the golden ones, in both implementations."""
    h = int(vector["h"])
    assert bucketing.bucket(h) == vector["bucket"]
    for threshold, inside in vector["gates"]:
        assert (bucketing.bucket(h) < threshold) is inside
        assert second.is_inside(h, f"{threshold}e-4") is inside


@pytest.mark.parametrize(
    "vector", VECTORS["split"], ids=lambda v: f"{'-'.join(v['weights'])[:24]}-{v['base']}-{v['subject']}"
)
def test_split_vectors(vector: dict):
    """Winner and needs are the golden ones, in both implementations, for weights as authored and in lowest terms."""
    h = bucketing.position(vector["salt"], bytes.fromhex(vector["subject_hex"]))
    weights, base = vector["weights"], vector["base"]
    for form in (positive(weights), bucketing.reduce_weights(weights)):
        assert bucketing.choose(h, form, base) == vector["variant"]
        assert bucketing.needs(h, form, base) == vector["needs"]
    assert second.choose(h, weights, base) == vector["variant"]
    assert {name: int(share * 1_000_000) for name, share in second.needs(h, weights, base).items()} == vector["needs"]


# --- 2.1 subject bytes (property 7) -----------------------------------------------------------------------------------


class Text(str):
    def __str__(self) -> str:
        raise AssertionError("no code of the value runs")

    __eq__ = __hash__ = __iter__ = __len__ = encode = __str__  # type: ignore[assignment]


class Whole(int):
    def __int__(self) -> int:
        raise AssertionError("no code of the value runs")

    __index__ = __str__ = __repr__ = __abs__ = __eq__ = __hash__ = __lt__ = __int__  # type: ignore[assignment]


class Real(float):
    def __float__(self) -> float:
        raise AssertionError("no code of the value runs")

    __int__ = __str__ = __repr__ = __eq__ = __hash__ = __le__ = __float__  # type: ignore[assignment]


class Raw(bytes):
    def __bytes__(self) -> bytes:
        raise AssertionError("no code of the value runs")

    __len__ = __eq__ = __hash__ = __iter__ = __bytes__  # type: ignore[assignment]


class Kind(StrEnum):
    TEAM = "team"


class Number(IntEnum):
    FORTY_TWO = 42


class Liar:
    """Says that it is a string."""

    __class__ = str  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Text("user"), b"user"),
        (Whole(-42), b"-42"),
        (Real(42.0), b"42"),
        (Raw(b"raw"), b"raw"),
        (Kind.TEAM, b"team"),
        (Number.FORTY_TWO, b"42"),
        (b"\x00\xff", b"\x00\xff"),
        (uuid.UUID("12345678-1234-ABCD-1234-567812345678"), b"12345678-1234-abcd-1234-567812345678"),
        (-0.0, b"0"),
        (-(2.0**53), b"-9007199254740992"),
        ("\ud83d\ude00", b"\xef\xbf\xbd\xef\xbf\xbd"),
        ("x" * 1_000_000, b"x" * 1_000_000),
        ("\x00", b"\x00"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_bucketable(value: object, expected: bytes):
    """Strings, integers, integral floats, bytes and UUIDs are subjects, by their native value."""
    assert bucketing.subject_bytes(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, "", b"", 1.5, float("nan"), float("inf"), -float("inf"), 2.0**53 + 2, Decimal(1), Fraction(1), 1j, [], ["a"],
        {}, {"a": 1}, (), {1}, date(2026, 1, 1), bytearray(b"a"), memoryview(b"a"), object(), Liar(), str, Text(""), Raw(b""),
    ],
    ids=lambda value: f"{type(value).__name__}",
)  # fmt: skip
def test_not_bucketable(value: object):
    """Everything else is no subject."""
    assert bucketing.subject_bytes(value) is None


def test_integers_by_their_digits():
    """Integers of up to 4,300 digits are subjects, whatever the interpreter's own limit on conversions says."""
    limit = sys.get_int_max_str_digits()
    try:
        sys.set_int_max_str_digits(640)
        largest = bucketing.subject_bytes(10**4300 - 1)
        assert largest == b"9" * 4300
        assert bucketing.subject_bytes(1 - 10**4300) == b"-" + b"9" * 4300
        assert bucketing.subject_bytes(10**1000 + 7) == b"1" + b"0" * 999 + b"7"
        assert bucketing.subject_bytes(10**4300) is None
        assert bucketing.subject_bytes(-(10**4300)) is None
    finally:
        sys.set_int_max_str_digits(limit)


def test_same_subject():
    """42, "42" and 42.0 are one subject; composed and decomposed letters are two."""
    assert bucketing.subject_bytes(42) == bucketing.subject_bytes("42") == bucketing.subject_bytes(42.0)
    assert bucketing.subject_bytes("\u00e9") != bucketing.subject_bytes("e\u0301")


# --- gates and weights (properties 2 and 9) ---------------------------------------------------------------------------


def test_no_position_without_a_subject():
    """An empty subject lies on no ruler."""
    with pytest.raises(TargetingKeyMissingError):
        bucketing.position("salt", b"")


@pytest.mark.parametrize(
    ("percent", "threshold"),
    [
        (0, 0),
        (100, 1_000_000),
        (0.0001, 1),
        (99.9999, 999_999),
        (12.5, 125_000),
        (33.3333, 333_333),
        (-0.0, 0),
        (0.1, 1_000),
        (100.0, 1_000_000),
    ],
)
def test_thresholds(percent: float, threshold: int):
    """A percent counts as the decimal that its author wrote, times 10,000."""
    assert bucketing.gate_threshold(percent) == threshold


@pytest.mark.parametrize(
    "percent",
    [1e-5, 33.33333, -0.0001, 100.0001, -1, 101, float("nan"), float("inf"), True, "5", None, 10**5000],
    ids=lambda percent: f"{percent!r:.9}" if percent != 10**5000 else "huge",
)
def test_refused_percents(percent: object):
    """Five decimals, numbers outside 0 to 100 and what is no number are refused."""
    with pytest.raises(ValueError, match="percent"):
        bucketing.gate_threshold(percent)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("authored", "reduced"),
    [
        ({"a": 50, "b": 50}, {"a": 1, "b": 1}),
        ({"b": 66.7, "a": 33.3}, {"b": 667, "a": 333}),
        ({"a": 0.1, "b": 0.25}, {"a": 2, "b": 5}),
        ({"a": 0, "b": 3, "c": 7}, {"b": 3, "c": 7}),
        ({"a": 0.001, "b": 99.999}, {"a": 1, "b": 99999}),
        ({"a": 1e-7, "b": 2e-7}, {"a": 1, "b": 2}),
        ({"a": 10**400, "b": 3 * 10**400}, {"a": 1, "b": 3}),
        ({"a": 1e300}, {"a": 1}),
        ({"a": 5e-324, "b": 1e-323}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2**20}, {"a": 1, "b": 2**20}),
    ],
)
def test_weights_in_lowest_terms(authored: dict, reduced: dict):
    """Weights are scaled to integers and reduced, exactly; zeros are dropped and the author's order is kept."""
    found = bucketing.reduce_weights(authored)
    assert found == reduced
    assert list(found) == list(reduced)


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        ({}, "above zero"),
        ({"a": 0, "b": 0.0}, "above zero"),
        ({"a": 1, "b": 2**20 + 1}, "at most 1,048,576"),
        ({"a": 0.000001, "b": 99.999999}, "at most"),
        ({"a": -1, "b": 2}, "not negative, that of 'a'"),
        ({"a": float("nan")}, "finite"),
        ({"a": float("inf")}, "finite"),
        ({"a": True}, "finite"),
        ({"a": "1"}, "finite"),
        ({"a": None}, "finite"),
    ],
)
def test_refused_weights(weights: dict, why: str):
    """A split that cannot be decided exactly is refused, with the reason."""
    with pytest.raises(ValueError, match=why):
        bucketing.reduce_weights(weights)
