"""Versions, times, addresses and networks, to the letter of the operator table (flag-format.md section 2)."""

from __future__ import annotations

import ipaddress
import random
from datetime import UTC, datetime, timedelta

import pytest

from flagcore.model.literals import (
    Network,
    Version,
    network_fault,
    parse_address,
    parse_network,
    parse_time,
    parse_version,
    precedence,
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.2.3", Version(1, 2, 3)),
        ("v1.2.3", Version(1, 2, 3)),
        ("1.2", Version(1, 2, 0)),
        ("1", Version(1, 0, 0)),
        ("v0", Version(0, 0, 0)),
        ("1.2.3-rc.1", Version(1, 2, 3, ("rc", "1"))),
        ("1.2.3--", Version(1, 2, 3, ("-",))),
        ("1.2.3-0a.0", Version(1, 2, 3, ("0a", "0"))),
        ("1.2.3+build.007", Version(1, 2, 3)),
        ("1.2.3-rc+build", Version(1, 2, 3, ("rc",))),
        ("1+b", Version(1, 0, 0)),
        ("18446744073709551615.0.0", Version(2**64 - 1, 0, 0)),
    ],
)
def test_versions(text: str, version: Version):
    """SemVer 2.0, a leading v, a missing minor or patch; build metadata is dropped."""
    assert parse_version(text) == version


@pytest.mark.parametrize(
    "text",
    [
        "", "v", "V1", "vv1", "1.", ".1", "1..2", "1.2.3.4", "01.2.3", "1.02.3", "1.2.03", "1.2.3-", "1.2.3-a..b", "1.2.3-01",
        "1.2.3-a.", "1.2.3+", "1.2.3+a..b", "1.2.3-ä", "1.2-rc", "2026-01-01", "1.2.x", " 1.2.3", "1.2.3 ", "1.2.3\n", "-1.2.3",
        "1.2.3-a+b+c", "18446744073709551616.0.0", "1.18446744073709551616", "1.2.3-18446744073709551616", "1.2.3-" + "9" * 5000,
        "9" * 5000, "١.٢.٣",
    ],
)  # fmt: skip
def test_no_versions(text: str):
    """What the format names as no version, and the neighbours of what is one."""
    assert parse_version(text) is None


def test_version_precedence():
    """The order of semver.org section 11, numbers before words and fewer identifiers first."""
    texts = ["0.9", "1.0.0-0", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-A", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
             "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1-a", "1.0.1", "1.1", "2", "10"]  # fmt: skip
    shuffled = random.Random(7).sample(texts, len(texts))
    parsed = {text: parse_version(text) for text in shuffled}
    assert sorted(shuffled, key=lambda text: precedence(parsed[text])) == texts  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T23:59:00-00:01", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("1970-01-01T00:00:00.1Z", 100_000),
        ("1970-01-01T00:00:00.0000019Z", 1),
        ("1970-01-01T00:00:00." + "1" * 1000 + "Z", 111_111),
        ("2000-02-29T00:00:00Z", 951_782_400_000_000),
        ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ("2026-12-01T09:00:00+23:59", 1_796_029_260_000_000),
    ],
)
def test_times(text: str, microseconds: int):
    """RFC 3339 with offset, digits after the sixth cut, before 1970 too."""
    assert parse_time(text) == microseconds


def test_times_against_the_standard_library():
    """Over 8,000 years our calendar is Python's."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    for hours in range(0, 8_000 * 8_766, 99_991):
        moment = datetime(1, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
        assert parse_time(moment.isoformat()) == (moment - epoch) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-12-01", "2026-12-01T09:00:00", "2026-12-01T09:00Z", "2026-12-01 09:00:00Z", "2026-12-01T09:00:60Z",
        "2026-12-01T24:00:00Z", "2026-12-01T23:60:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-12-00T00:00:00Z",
        "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-12-01T09:00:00+24:00", "2026-12-01T09:00:00+01:60",
        "2026-12-01T09:00:00+0100", "2026-12-01T09:00:00.Z", "2026-12-01T09:00:00,5Z", "+2026-12-01T09:00:00Z", "226-12-01T09:00:00Z",
        "2026-12-01T09:00:00Z ", "2026-12-01T09:00:00Z\n", "２０２６-12-01T09:00:00Z",
    ],
)  # fmt: skip
def test_no_times(text: str):
    """Second 60, hour 24, offsets above 23:59, days that do not exist and other notations are no times."""
    assert parse_time(text) is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1", (4, 0x0A000001)),
        ("255.255.255.255", (4, 2**32 - 1)),
        ("::", (6, 0)),
        ("::1", (6, 1)),
        ("2001:DB8::1", (6, 0x20010DB8 << 96 | 1)),
        ("::ffff:10.0.0.1", (4, 0x0A000001)),
        ("::ffff:a00:1", (4, 0x0A000001)),
        ("::10.0.0.1", (6, 0x0A000001)),
    ],
)
def test_addresses(text: str, address: tuple[int, int]):
    """IPv4 and IPv6; a v4-mapped address is its v4 address."""
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0", "10.0.0.256", "10.0.0.01", "010.0.0.1", " 10.0.0.1", "10.0.0.1 ", "10.0.0.1/32", "1.2.3.4.5", "0x7f.1", "127.1",
     "::1%eth0", "fe80::%1", ":::", "1::2::3", "12345::", "[::1]", "::1/128", "::ffff:010.0.0.1", "１.2.3.4", "example.org", "\n10.0.0.1"],
)  # fmt: skip
def test_no_addresses(text: str):
    """Zone ids, blanks, leading zeros and other notations are no addresses."""
    assert parse_address(text) is None


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", Network(4, 0x0A000000, 0x0AFFFFFF)),
        ("0.0.0.0/0", Network(4, 0, 2**32 - 1)),
        ("10.0.0.1", Network(4, 0x0A000001, 0x0A000001)),
        ("10.0.0.1/32", Network(4, 0x0A000001, 0x0A000001)),
        ("::/0", Network(6, 0, 2**128 - 1)),
        ("2001:db8::/32", Network(6, 0x20010DB8 << 96, (0x20010DB8 << 96) + 2**96 - 1)),
        ("::ffff:10.0.0.0/104", Network(4, 0x0A000000, 0x0AFFFFFF)),
        ("::ffff:0:0/96", Network(4, 0, 2**32 - 1)),
        ("::fffe:0:0/95", Network(6, 0xFFFE << 32, (0x10000 << 32) - 1)),
        ("::ffff:1.2.3.4", Network(4, 0x01020304, 0x01020304)),
    ],
)
def test_networks(text: str, network: Network):
    """Networks as ranges; v4-mapped ones of /96 or longer are v4 networks, shorter ones stay IPv6."""
    assert parse_network(text) == network
    assert network_fault(text) is None


@pytest.mark.parametrize("text", ["", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/255.0.0.0",
                                  "10.0.0.0/8/8", "10.0.0/8", "10.0.0.0 /8", "::%1/64", "10.0.0.0/٨", "10.0.0.0/-1"])  # fmt: skip
def test_no_networks(text: str):
    """Lengths that are none, masks, and addresses that are none."""
    assert parse_network(text) is None
    assert network_fault(text) is not None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("2001:db8::1/64", "2001:db8::/64"),
        ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
        ("::ffff:0:0/95", "::fffe:0:0/95"),
        ("1.2.3.4/0", "0.0.0.0/0"),
    ],
)
def test_host_bits(text: str, meant: str):
    """Host bits are refused, and the hint is the network that was meant, which is accepted."""
    assert parse_network(text) is None
    fault = network_fault(text)
    assert fault is not None
    assert f'cidr"{meant}"' in (fault[1] or "")
    assert parse_network(meant) is not None


def test_networks_against_the_standard_library():
    """Random IPv4 and IPv6 networks cover the addresses that Python's do."""
    random_bits = random.Random(11)
    for _ in range(2_000):
        bits = random_bits.choice((32, 128))
        length = random_bits.randrange(bits + 1)
        first = random_bits.getrandbits(bits) >> (bits - length) << (bits - length)
        address = ipaddress.IPv4Address(first) if bits == 32 else ipaddress.IPv6Address(first)
        network = ipaddress.ip_network(f"{address}/{length}")
        parsed = parse_network(str(network))
        assert parsed == Network(network.version, int(network[0]), int(network[-1]))
