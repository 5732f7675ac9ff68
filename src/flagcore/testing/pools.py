"""Where made flag sets take their constants from: small pools of telling values, or larger ones made by chance."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol, TypeVar

__all__ = ["MANY", "POOLS", "TEXTS", "Choices", "Pools", "made_pools", "pick", "rarely"]

T = TypeVar("T")


class Choices(Protocol):
    """Where decisions come from: Hypothesis, or a seeded random number generator. Zero is the plainest choice."""

    def below(self, count: int) -> int:
        """Return a number from 0 to ``count - 1``."""
        ...


def pick(choices: Choices, options: Sequence[T]) -> T:
    """Return one of the options."""
    return options[choices.below(len(options))]


def rarely(choices: Choices, one_in: int) -> bool:
    """Return True once in so many times."""
    return choices.below(one_in) == one_in - 1


class Pools(NamedTuple):
    """Constants by kind; times are RFC 3339 texts."""

    strings: tuple[str, ...]
    numbers: tuple[int | float, ...]
    versions: tuple[str, ...]
    times: tuple[str, ...]
    networks: tuple[str, ...]
    patterns: tuple[str, ...]


POOLS = Pools(
    strings=(
        "a", "b", "ab", "abc", "", "A", "AB", "DE", "de", "é", "aé", "名前", "1", "42", "true", "x" * 12, "x" * 13, "x" * 70,
    ),
    numbers=(0, 1, 2, -1, 42, 1.5, 1.0, -0.0, 2**53, 2**53 + 1, 2.0**53, 2**63 - 1, -(2**63), 2.0**63, 0.1, 1e308, 5e-324),
    versions=(
        "1.0.0", "1", "v1.2", "1.2.0-rc.1", "1.2.0-rc.2", "1.2.0-10", "1.2.0-a.b", "2.3.0", "2.10.0+b", "18446744073709551615.0.0",
    ),
    times=(
        "2026-12-01T09:00:00Z", "2026-12-01T09:00:00.000001Z", "2026-12-02T10:00:00+01:00", "1969-12-31T23:59:59.5Z",
        "2030-01-01T00:00:00Z",
    ),
    networks=(
        "10.0.0.0/8", "10.1.0.0/16", "10.0.0.1", "0.0.0.0/0", "::/0", "2001:db8::/32", "::1", "::ffff:10.0.0.0/104", "fe80::/10",
    ),
    patterns=(
        "^a", "b$", "a.c", "[ab]+$", "(?i)^de$", r"\bab\b", "^$", "(a|ab)(c|bcd)?$", "é", r"^\d{2,3}$", "(?m)^b$", "x{12,13}$", "",
    ),
)  # fmt: skip

MANY = tuple(f"v{number}" for number in range(80))
"""More strings than a list keeps to itself."""

TEXTS = ("ac", "a\nb", "b", "zab", "ab ab", "axc", "a😀c", "DE\n", "007", "xabcx")
"""Texts near the patterns of ``POOLS``."""

_LETTERS = ("a", "b", "c", "A", "B", "é", "名")
_ATOMS = (
    "a",
    "b",
    "c",
    ".",
    "[ab]",
    "[^a]",
    r"\d",
    r"\w",
    r"\s",
    "é",
    "^",
    "$",
    r"\b",
    r"\B",
    "(?:ab|b)",
    "(a|bc)",
    "[a-cA-C]",
)
_COUNTS = ("", "", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,2}", "*?")


def made_pools(choices: Choices, size: int = 40) -> Pools:
    """Return pools of so many constants each, close to each other."""
    span = range(size)
    return Pools(
        strings=tuple(_word(choices) for _ in span),
        numbers=tuple(_number(choices) for _ in span),
        versions=tuple(_version(choices) for _ in span),
        times=tuple(_time(choices) for _ in range(max(2, size // 4))),
        networks=tuple(_network(choices) for _ in span),
        patterns=tuple(_regex(choices) for _ in range(max(2, size // 4))),
    )


def _word(choices: Choices) -> str:
    if rarely(choices, 8):
        length = 8 + choices.below(60)
    else:
        length = choices.below(3) if rarely(choices, 12) else 3 + choices.below(5)
    return "".join(pick(choices, _LETTERS) for _ in range(length))


def _number(choices: Choices) -> int | float:
    base = pick(choices, (0, 0, 0, 2**53, -(2**53), 2**63 - 64, -(2**63) + 64))
    number = base + choices.below(101) - 50
    return pick(choices, (number, number, float(number), number / 2, number / 3))


def _version(choices: Choices) -> str:
    core = ".".join(str(pick(choices, (0, 1, 2, 9, 10, 2**21, 2**32, 2**64 - 1))) for _ in range(3))
    tag = "".join(
        "." + pick(choices, ("0", "1", "10", "a", "b", "rc", "A", "-", "a1")) for _ in range(choices.below(4))
    )
    return core + tag.replace(".", "-", 1)


def _time(choices: Choices) -> str:
    moment = datetime(2026, 12, 1, tzinfo=UTC) + timedelta(hours=choices.below(100), microseconds=choices.below(3))
    return moment.isoformat().replace("+00:00", "Z")


def _network(choices: Choices) -> str:
    number, bits = (0x0A000000, 32) if not rarely(choices, 3) else (0x20010DB8 << 96, 128)
    number += choices.below(256) << (bits - 16)
    number += choices.below(4)
    length = bits - choices.below(20)
    network = ipaddress.ip_network((number >> (bits - length) << (bits - length), length))
    return str(network)


def _regex(choices: Choices) -> str:
    pieces = []
    for _ in range(1 + choices.below(5)):
        atom = pick(choices, _ATOMS)
        pieces.append(atom + ("" if atom in ("^", "$", r"\b", r"\B") else pick(choices, _COUNTS)))
    flags = pick(choices, ("", "", "(?i)", "(?m)", "(?s)"))
    return flags + ("|".join(("".join(pieces[:2]), "".join(pieces[2:]))) if rarely(choices, 4) else "".join(pieces))
