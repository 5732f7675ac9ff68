"""Buckets and splits: how a percentage gate and a weighted split assign a subject (docs/design/bucketing.md, version 1).

Unsigned integers only: no floating point takes part in a decision, so every language and release agrees to the bit.
This is the one Python home of that arithmetic. It runs when flags are compiled and in the readable twin; requests are
decided by the kernel, which is held to the same golden vectors.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Mapping
from functools import lru_cache
from math import gcd, lcm
from typing import TYPE_CHECKING, Any

from flagcore.errors import TargetingKeyMissingError

if TYPE_CHECKING:
    from fractions import Fraction

__all__ = [
    "BUCKETS",
    "MAX_WEIGHT",
    "bucket",
    "choose",
    "expo",
    "gate_threshold",
    "log2_table",
    "mix64",
    "needs",
    "position",
    "reduce_weights",
    "seed",
    "subject_bytes",
    "variant_identity",
    "xxh64",
]

BUCKETS = 1_000_000
"""Buckets of a ruler: one is 0.0001 %."""

MAX_WEIGHT = 1 << 20
"""The largest weight of a split in lowest terms (2.6)."""

_WORD = (1 << 64) - 1
_HALF = (1 << 32) - 1
_MAX_DIGITS = 4300
_MAX_INTEGER = 10**_MAX_DIGITS
_MAX_FLOAT = 1 << 53
_SURROGATE = re.compile("[\ud800-\udfff]")


# --- 2.1 subject bytes ------------------------------------------------------------------------------------------------


def subject_bytes(value: object) -> bytes | None:
    """Return the bytes that stand for the value of ``bucket_by``, or None when it is not bucketable (2.1).

    Runs no code of the value's class: subclasses of str, int, float and bytes count by their native value.
    """
    kind = type(value)  # not isinstance: that believes a class that lies about itself
    native: Any = value
    if issubclass(kind, str):
        return _utf8(native) or None
    if issubclass(kind, bool):
        return None
    if issubclass(kind, int):
        return _decimal_text(int.__index__(native))
    if issubclass(kind, float):
        return _integral_text(float.__float__(native))
    if issubclass(kind, bytes):
        return b"".join((native,)) or None
    return _uuid_text(native)


def _utf8(text: str) -> bytes:
    """Return the text in UTF-8; each lone surrogate becomes U+FFFD."""
    try:
        return str.encode(text, "utf-8")
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text).encode("utf-8")


def _decimal_text(number: int) -> bytes | None:
    """Return the decimal text of an integer of at most 4,300 digits, whatever the interpreter's own limit is set to."""
    if not -_MAX_INTEGER < number < _MAX_INTEGER:
        return None
    rest, groups = abs(number), []
    while rest.bit_length() > 2000:  # str() never refuses so few
        rest, group = divmod(rest, 10**500)
        groups.append(f"{group:0500d}")
    text = ("-" if number < 0 else "") + str(rest) + "".join(reversed(groups))
    return text.encode("ascii")


def _integral_text(number: float) -> bytes | None:
    if not -_MAX_FLOAT <= number <= _MAX_FLOAT or number != int(number):  # NaN fails the first comparison
        return None
    return b"%d" % int(number)


def _uuid_text(value: Any) -> bytes | None:
    """Return the canonical text of a UUID object; where nobody has loaded ``uuid``, no value is one."""
    uuid = getattr(sys.modules.get("uuid"), "UUID", None)
    if uuid is None or not issubclass(type(value), uuid):
        return None
    digits = b"%032x" % uuid.int.__get__(value)
    return b"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


# --- 2.2 hash ---------------------------------------------------------------------------------------------------------

_P1, _P2, _P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P4, _P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def xxh64(data: bytes, seed: int = 0) -> int:
    """Return XXH64 of the data, the published algorithm (xxHash specification), about 5 us for 24 bytes."""
    whole = len(data) // 8
    words = struct.unpack_from(f"<{whole}Q", data)
    striped = whole // 4 * 4
    total = _stripes(words[:striped], seed) if striped else (seed + _P5) & _WORD
    total = (total + len(data)) & _WORD
    for word in words[striped:]:
        total = (_rotate(total ^ _round(0, word), 27) * _P1 + _P4) & _WORD
    return _avalanche(_tail(total, data[8 * whole :]))


def _rotate(word: int, count: int) -> int:
    return (word << count | word >> (64 - count)) & _WORD


def _round(lane: int, word: int) -> int:
    return _rotate((lane + word * _P2) & _WORD, 31) * _P1 & _WORD


def _stripes(words: tuple[int, ...], seed: int) -> int:
    """Run four lanes over stripes of four words each, and merge the lanes."""
    lanes = [(seed + _P1 + _P2) & _WORD, (seed + _P2) & _WORD, seed & _WORD, (seed - _P1) & _WORD]
    for index, word in enumerate(words):
        lanes[index & 3] = _round(lanes[index & 3], word)
    total = sum(_rotate(lane, count) for lane, count in zip(lanes, (1, 7, 12, 18), strict=True)) & _WORD
    for lane in lanes:
        total = ((total ^ _round(0, lane)) * _P1 + _P4) & _WORD
    return total


def _tail(total: int, rest: bytes) -> int:
    """Mix in the last bytes, fewer than eight: four at once where there are four, then one by one."""
    if len(rest) >= 4:
        first = int.from_bytes(rest[:4], "little")
        total = (_rotate(total ^ (first * _P1 & _WORD), 23) * _P2 + _P3) & _WORD
        rest = rest[4:]
    for byte in rest:
        total = _rotate(total ^ (byte * _P5 & _WORD), 11) * _P1 & _WORD
    return total


def _avalanche(total: int) -> int:
    total = (total ^ total >> 33) * _P2 & _WORD
    total = (total ^ total >> 29) * _P3 & _WORD
    return total ^ total >> 32


def seed(salt: str, domain: int = 0) -> int:
    """Return the seed of a ruler (2.2); ``domain`` is 0 for the rules of a flag, 1 for layers and holdouts."""
    return xxh64(_utf8(salt), domain)


def position(salt: str, subject: bytes, domain: int = 0) -> int:
    """Return where a subject lies on the ruler of ``salt``, in ``[0, 2**64)`` (2.2).

    Stable across processes, platforms and releases: changing it moves subjects between variants.

    Raises:
        TargetingKeyMissingError: ``subject`` is empty.
    """
    if not subject:
        raise TargetingKeyMissingError("an empty subject lies on no ruler")
    return xxh64(subject, seed(salt, domain))


def mix64(x: int) -> int:
    """Return the SplitMix64 finaliser of a 64-bit number (2.3)."""
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _WORD
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _WORD
    return x ^ x >> 31


# --- 2.4 gate ---------------------------------------------------------------------------------------------------------


def bucket(h: int) -> int:
    """Return the bucket of a position, 0 to 999,999 (2.4); inside a gate are those below its threshold."""
    return (h >> 32) * BUCKETS >> 32


def gate_threshold(percent: float) -> int:
    """Return ``percent`` times 10,000, exactly (2.4): 0 lets nobody in, 1,000,000 everybody, both without a subject.

    Raises:
        ValueError: no number, outside 0 to 100, or more than 4 decimals.
    """
    if type(percent) is int and 0 <= percent <= 100:  # as most are
        return percent * 10_000
    scaled = _exact(percent, "percent") * 10_000
    if not 0 <= scaled <= BUCKETS:
        raise ValueError("a percent lies between 0 and 100")
    if scaled.denominator != 1:
        raise ValueError(f"a percent has at most 4 decimals, {percent} has more")
    return scaled.numerator


def _exact(number: object, what: str) -> Fraction:
    """Return an authored number as the decimal that its author wrote: ``0.1`` is a tenth."""
    if isinstance(number, bool) or not isinstance(number, (int, float)) or (number - number) != 0:
        raise ValueError(f"a {what} is a finite number, not {number!r}")
    from fractions import Fraction  # a dear import, of numbers and decimals

    return Fraction(float.__repr__(number)) if isinstance(number, float) else Fraction(number)


# --- 2.5 to 2.7 split -------------------------------------------------------------------------------------------------

_GOLDEN = 0x9E3779B97F4A7C15
_TABLE_BITS = 36
_PRECISION = 160


def reduce_weights(weights: Mapping[str, float]) -> dict[str, int]:
    """Return the weights in lowest terms, zeros dropped, in the author's order (2.6).

    Raises:
        ValueError: a weight is negative or no finite number; none is positive; or one in lowest terms is beyond 2**20.
    """
    exact = {name: _exact(weight, "weight") for name, weight in weights.items()}
    negative = [name for name, weight in exact.items() if weight < 0]
    if negative:
        raise ValueError(f"a weight is not negative, that of {negative[0]!r} is {weights[negative[0]]}")
    positive = {name: weight for name, weight in exact.items() if weight}
    if not positive:
        raise ValueError("a split needs a weight above zero")
    scale = lcm(*(weight.denominator for weight in positive.values()))
    divisor = gcd(*(int(weight * scale) for weight in positive.values()))
    reduced = {name: int(weight * scale) // divisor for name, weight in positive.items()}
    if max(reduced.values()) > MAX_WEIGHT:
        raise ValueError(f"in lowest terms the weights of a split are at most {MAX_WEIGHT:,}")
    return reduced


@lru_cache(maxsize=4096)
def variant_identity(name: str) -> int:
    """Return K, by which a variant takes part in the race (2.6): its name is its identity."""
    return xxh64(_utf8(name), 0)


@lru_cache(maxsize=1)
def log2_table() -> tuple[int, ...]:
    """Return the 513 numbers ``round(2**36 * log2(1 + j/512))``, computed with integers (2.7)."""
    rounded = [(_log2_bits((512 + j << _PRECISION) // 512) + 1) // 2 for j in range(512)]
    return (*rounded, 1 << _TABLE_BITS)


def _log2_bits(x: int) -> int:
    """Return ``floor(2**37 * log2(x / 2**160))``: squaring doubles the logarithm, and passing 2 is its next bit."""
    bits = 0
    for _ in range(_TABLE_BITS + 1):
        x = x * x >> _PRECISION
        carry = x >> (_PRECISION + 1)
        bits = bits << 1 | carry
        x >>= carry
    return bits


def expo(r: int) -> int:
    """Return ``2**36 * -log2(r / 2**64)`` in fixed point, 1 to 2**42 (2.7)."""
    table = log2_table()
    x = r | 1
    zeros = 64 - x.bit_length()
    mantissa = x << zeros
    index = mantissa >> 55 & 255
    fraction = mantissa >> 23 & _HALF
    low, middle, high = table[2 * index : 2 * index + 3]
    bulge = 4 * middle - 2 * low - 2 * high
    curve = bulge * (fraction * ((1 << 32) - fraction) >> 32) >> 32
    return ((zeros + 1) << _TABLE_BITS) - (low + ((high - low) * fraction >> 32) + curve)


def _stream(h: int, base: str) -> int:
    """Return the number that a split is decided by (2.5; ``percent``: 2.8)."""
    return h if base == "percent" else mix64((h + _GOLDEN) & _WORD)


def _times(g: int, names: Mapping[str, int]) -> dict[str, int]:
    """Return E of each variant (2.7): ``on`` and ``off`` are the two ends of one ruler, every other runs by itself."""

    def run(name: str) -> int:
        return expo(mix64(g ^ variant_identity(name)))

    times = {name: run(name) << 32 for name in names if name not in ("on", "off")}
    if len(times) < len(names):
        both, upper = run("on") + run("off"), g >> 32
        ends = {"on": both * upper, "off": both * ((1 << 32) - upper)}
        times.update((name, time) for name, time in ends.items() if name in names)
    return times


def choose(h: int, weights: Mapping[str, int], base: str = "split") -> str:
    """Return the variant that wins the race for position ``h`` (2.7).

    ``weights`` are positive integers, as of ``reduce_weights``; ``base`` is ``split`` or ``percent`` (2.8).
    """
    times = _times(_stream(h, base), weights)
    best, *others = sorted(times, key=lambda name: name.encode("utf-8"))
    for name in others:
        if times[name] * weights[best] < times[best] * weights[name]:
            best = name
    return best


def needs(h: int, weights: Mapping[str, int], base: str = "split") -> dict[str, int]:
    """Return, per variant, the share above which this subject would get it, in parts per million, cut (2.9)."""
    if len(weights) == 1:
        return dict.fromkeys(weights, 0)
    times, total = _times(_stream(h, base), weights), sum(weights.values())
    shares = {}
    for name, weight in weights.items():
        rival = _fastest_rival(name, times, weights)
        own = times[name] * weights[rival]
        shares[name] = BUCKETS * own // (own + (total - weight) * times[rival])
    return shares


def _fastest_rival(name: str, times: Mapping[str, int], weights: Mapping[str, int]) -> str:
    """Return the variant with the least E/w among the others."""
    first, *others = (rival for rival in weights if rival != name)
    for rival in others:
        if times[rival] * weights[first] < times[first] * weights[rival]:
            first = rival
    return first
