"""W14: tables of rows: a gate (W3), ten rules and a split (W4), a hundred realistic rules (W11-100)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from benchmarks.workloads.base import document
from benchmarks.workloads.gates import w3
from benchmarks.workloads.rules import w4

__all__ = ["TABLES", "Table"]

COUNTRIES = ["DE", "US", "GB", "IT", "ES", "PL", "NL", "SE", "BR", "JP", "IN", "AU"]  # not FR: it would match in W4
PLANS = ["free", "pro", "team", "business"]


class Table(NamedTuple):
    """A flag set, the flag that is asked, columns of seeded values, and which of them may be dictionary-encoded."""

    title: str
    document: dict[str, Any]
    flag_key: str
    columns: Callable[[int], Mapping[str, list[Any]]]
    texts: tuple[str, ...]


def _gate_columns(rows: int) -> Mapping[str, list[Any]]:
    return {"targetingKey": [f"user-{i * 7919}" for i in range(rows)]}


def _rule_columns(rows: int) -> Mapping[str, list[Any]]:
    """Every row passes the nine rules before the last, by other values."""
    source = random.Random(14)
    pick = source.choice
    return {
        "targetingKey": [f"user-{i * 7919}" for i in range(rows)],
        "country": [pick(COUNTRIES) for _ in range(rows)],
        "plan": [pick(PLANS) for _ in range(rows)],
        "age": [source.randrange(18, 65) for _ in range(rows)],
        "app_version": [f"{source.randrange(1, 9)}.{source.randrange(30)}.{source.randrange(4)}" for _ in range(rows)],
        "email": [f"user{source.randrange(5000)}@{pick(('example.org', 'example.com'))}" for _ in range(rows)],
        "device": [pick(("mobile", "desktop", "tablet")) for _ in range(rows)],
        "beta": [False] * rows,
        "visits": [source.randrange(1000) for _ in range(rows)],
        "language": [pick(("de-AT", "en-GB", "en-US", "it-IT", "pl")) for _ in range(rows)],
        "region": ["eu-central-1"] * rows,
    }


def _realistic(rules: int) -> dict[str, Any]:
    """Return rules as teams write them: two to four tests of country, plan, version, e-mail and a gate."""
    source = random.Random(11)
    made = []
    for number in range(rules):
        tests = source.sample(
            [
                f"country in {sorted(source.sample(COUNTRIES, 3))!r}".replace("'", '"'),
                f'plan == "{source.choice(PLANS)}"',
                f'app_version >= v"{source.randrange(4, 9)}.{source.randrange(30)}.0"',
                f'email ends_with "{source.randrange(100)}@example.org"',
                f"age > {source.randrange(40, 65)}",
                f'device == "{source.choice(("mobile", "desktop", "tablet"))}"',
            ],
            source.randrange(2, 5),
        )
        made.append(
            {"id": f"r{number}", "when": " and ".join(tests), "percent": source.choice((5, 10, 50)), "serve": "on"}
        )
    return document({"checkout.new": {"type": "boolean", "default": "off", "rules": made}})


TEXTS = ("country", "plan", "app_version", "email", "device", "language", "region")
TABLES = {
    "W3": Table("25 % gate", w3().flags, "checkout.new", _gate_columns, ()),
    "W4": Table("ten rules, then a split", w4().flags, "checkout.new", _rule_columns, TEXTS),
    "W11-100": Table("100 realistic rules", _realistic(100), "checkout.new", _rule_columns, TEXTS),
}
