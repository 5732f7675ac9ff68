"""The constants with a prefix: versions, times, IP addresses and networks (flag-format.md section 2, operator table).

The same functions read an attribute's text during an evaluation by the twin: None means "not one", hence unknown.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

__all__ = [
    "Network",
    "Version",
    "network_fault",
    "parse_address",
    "parse_network",
    "parse_time",
    "parse_version",
    "precedence",
]

_NUMBER = "(0|[1-9][0-9]{0,19})"
_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(rf"v?{_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER}(?:-({_IDENTIFIERS}))?)?)?(?:\+{_IDENTIFIERS})?")
_MAX_NUMBER = 2**64 - 1

_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PREFIX_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}")
_MAPPED = 0xFFFF << 32  # ::ffff:0:0, the first v4-mapped address


class Version(msgspec.Struct, frozen=True):
    """A version without its build metadata; ``pre`` holds the pre-release identifiers, empty for a release."""

    major: int
    minor: int
    patch: int
    pre: tuple[str, ...] = ()


class Network(msgspec.Struct, frozen=True):
    """An IP network as the inclusive range of its addresses; ``family`` is 4 or 6."""

    family: int
    first: int
    last: int


def parse_version(text: str) -> Version | None:
    """Return the version, or None. Leading ``v`` and a missing minor or patch are accepted, build metadata is dropped.

    Leading zeros, empty identifiers, a pre-release after a missing minor or patch, and numbers above 2**64 - 1 (numeric
    pre-release identifiers too) are not versions.
    """
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    major, minor, patch = (int(part) if part else 0 for part in match.group(1, 2, 3))
    pre = tuple(match[4].split(".")) if match[4] else ()
    if max(major, minor, patch) > _MAX_NUMBER or not all(map(_is_identifier, pre)):
        return None
    return Version(major, minor, patch, pre)


def _is_identifier(text: str) -> bool:
    if not text.isdigit():
        return True
    return text == "0" or (text[0] != "0" and len(text) <= 20 and int(text) <= _MAX_NUMBER)


def precedence(version: Version) -> tuple[object, ...]:
    """Return a key that sorts versions by SemVer 2.0 section 11."""
    identifiers = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in version.pre)
    return version.major, version.minor, version.patch, not version.pre, identifiers


def parse_time(text: str) -> int | None:
    """Return microseconds since 1970-01-01T00:00:00Z, or None; digits after the sixth are cut. Years 0000 to 9999."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    if not (1 <= month <= 12 and 1 <= day <= _days_in(year, month) and hour < 24 and minute < 60 and second < 60):
        return None
    offset = 0
    if match[8]:
        hours, minutes = int(match[9]), int(match[10])
        if hours > 23 or minutes > 59:
            return None
        offset = (hours * 3600 + minutes * 60) * (1 if match[8] == "+" else -1)
    seconds = _days_since_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset
    return seconds * 1_000_000 + int((match[7] or "0")[:6].ljust(6, "0"))


def _days_in(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else _MONTH_DAYS[month - 1]


def _days_since_epoch(year: int, month: int, day: int) -> int:
    """Proleptic Gregorian calendar; a year is counted from March, so that the leap day comes last."""
    year -= month <= 2
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + day_of_year - 719468


def parse_address(text: str) -> tuple[int, int] | None:
    """Return ``(family, number)`` of an IP address, or None; a v4-mapped address is its v4 address."""
    import ipaddress  # 1 ms that only networks and addresses should cost

    try:
        if ":" in text:
            number = int(ipaddress.IPv6Address(text)) if "%" not in text and "/" not in text else None
        else:
            return 4, int(ipaddress.IPv4Address(text))
    except ValueError:
        return None
    if number is None:
        return None
    return (4, number - _MAPPED) if number >> 32 == 0xFFFF else (6, number)


def parse_network(text: str) -> Network | None:
    """Return the network, or None when it is none or has host bits (see ``network_fault``)."""
    network, host_bits = _read_network(text)
    return None if host_bits else network


def network_fault(text: str) -> tuple[str, str | None] | None:
    """Return what is wrong with a network constant and a hint, or None when nothing is."""
    network, host_bits = _read_network(text)
    if network is None:
        return f"{text!r} is not an IP network", 'such as cidr"10.0.0.0/8", cidr"2001:db8::/32" or a single address'
    if not host_bits:
        return None
    import ipaddress

    length = text.partition("/")[2]
    address = ipaddress.IPv4Address(network.first) if network.family == 4 else ipaddress.IPv6Address(network.first)
    if ":" in text and network.family == 4:
        length = str(int(length) - 96)
    return f"{text!r} has bits set after its first {length}", f'the network is cidr"{address}/{length}"'


@lru_cache(maxsize=4096)
def _read_network(text: str) -> tuple[Network | None, bool]:
    address, slash, length_text = text.partition("/")
    parsed = parse_address(address)
    if parsed is None:
        return None, False
    bits = 128 if ":" in address else 32
    if slash and not (_PREFIX_LENGTH.fullmatch(length_text) and int(length_text) <= bits):
        return None, False
    length = int(length_text) if slash else bits
    family, number = parsed
    if family == 4 and bits == 128:
        family, number, bits, length = (
            (4, number, 32, length - 96) if length >= 96 else (6, number + _MAPPED, 128, length)
        )
    mask = (1 << (bits - length)) - 1
    return Network(family, number & ~mask, number | mask), bool(number & mask)
