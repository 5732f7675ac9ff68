"""Compiled programs read versions, times and addresses in contexts exactly as the model reads them in constants."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from flagcore.compiler import compile_flag_set
from flagcore.engine import Engine
from flagcore.model import build_flag_set
from flagcore.model.literals import parse_address, parse_network, parse_time, parse_version, precedence

VERSION = "5.1.0-rc.2"
TIME = "2026-12-01T09:00:00Z"
NETWORKS = ("10.0.0.0/8", "2001:db8::/32", "::/8")
CONDITIONS = {
    "version": f'x < v"{VERSION}"',
    "time": f'x < t"{TIME}"',
    "address": "x in [" + ", ".join(f'cidr"{network}"' for network in NETWORKS) + "]",
}


def version_below(text: str) -> bool | None:
    """The truth of the version test by the model's own functions."""
    version, limit = parse_version(text), parse_version(VERSION)
    assert limit is not None
    return None if version is None else precedence(version) < precedence(limit)


def time_before(text: str) -> bool | None:
    """The truth of the time test."""
    time, limit = parse_time(text), parse_time(TIME)
    assert limit is not None
    return None if time is None else time < limit


def address_inside(text: str) -> bool | None:
    """The truth of the address test."""
    address = parse_address(text)
    if address is None:
        return None
    networks = [parse_network(network) for network in NETWORKS]
    return any(network is not None and (network.family, True) == (address[0], network.first <= address[1] <= network.last)
               for network in networks)  # fmt: skip


CASES: dict[str, tuple[Callable[[str], bool | None], str, list[str]]] = {
    "version": (
        version_below,
        "0123459.-+vVarc_",
        ["5.1.0-rc.2", "v1.2.3", "18446744073709551615.1.2", "1.2.3-18446744073709551615", "1.2.3-18446744073709551616", "1.2.3-a.b+c.01",
         "5.1", "5.1.0-rc.10.a-b", "0.0.0-0", "1.2.3-99999999999999999999999"],
    ),
    "time": (
        time_before,
        "0123459-:.TtZz+ ",
        ["2026-12-01T09:00:00Z", "0000-02-29t00:00:00.123456789z", "9999-12-31T23:59:59+23:59", "1900-02-28T00:00:00-00:00",
         "2026-12-01T08:59:59.9999999Z", "2026-12-01T10:00:00+01:00"],
    ),
    "address": (
        address_inside,
        "0123459abcfF:.%/ g",
        ["10.0.0.1", "::ffff:10.1.2.3", "2001:db8::1", "::1", "1:2:3:4:5:6:7:8", "1::8", "::1.2.3.4", "fe80::1%eth0",
         "0:0:0:0:0:ffff:a00:1",         "255.255.255.255", "2001:DB8:0:0::", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8"],
    ),
}  # fmt: skip


def three_valued(condition: str) -> dict[str, object]:
    """A flag that tells true, false and unknown apart."""
    rules = [{"id": "t", "when": condition, "serve": "t"}, {"id": "f", "when": f"not ({condition})", "serve": "f"}]
    return {"type": "string", "variants": {"t": "t", "f": "f", "u": "u"}, "default": "u", "rules": rules}


def mutated(chance: random.Random, text: str, alphabet: str) -> str:
    """The text with up to three characters inserted, replaced or taken out."""
    characters = list(text)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        place = chance.randrange(len(characters) + 1)
        characters[place : place + chance.randrange(2)] = chance.choice(([], [chance.choice(alphabet)]))
    return "".join(characters)


@pytest.mark.parametrize("kind", list(CASES))
def test_near_misses(kind: str):
    """On 10,000 texts that are, or nearly are, of the kind, the program's truth is the model's."""
    expected, alphabet, seeds = CASES[kind]
    document = {"schema": "flagcore/v1", "flags": {"f": three_valued(CONDITIONS[kind])}}
    engine = Engine()
    engine.load(compile_flag_set(build_flag_set(document).flag_set).snapshot)
    chance = random.Random(2026)
    seen = set()
    for _ in range(10_000):
        text = mutated(chance, chance.choice(seeds), alphabet)
        truth = expected(text)
        seen.add(truth)
        answer = engine.get_string_value("f", "?", {"x": text})
        assert answer == {True: "t", False: "f", None: "u"}[truth], text
    assert seen == {True, False, None}
