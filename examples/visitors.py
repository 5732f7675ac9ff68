"""A stream of visitors of the example shop: what its services know when they ask for a flag."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

__all__ = ["visitors"]

COUNTRIES = {"DE": 24, "US": 16, "FR": 10, "NL": 8, "SE": 6, "AT": 6, "PL": 6, "NO": 5, "GB": 5, "CH": 4}
COUNTRIES |= {"ES": 4, "JP": 3, "CN": 2, "IS": 1}
LANGUAGES = {
    "DE": "de-DE",
    "AT": "de-AT",
    "CH": "de-CH",
    "FR": "fr-FR",
    "ES": "es-ES",
    "PL": "pl-PL",
    "JP": "ja-JP",
    "SE": "sv-SE",
}
CURRENCIES = {"US": "USD", "GB": "GBP", "CH": "CHF", "PL": "PLN", "SE": "SEK", "NO": "NOK", "JP": "JPY"}
DEVICES = {"desktop": 40, "mobile": 30, "app": 22, "tablet": 8}
LOYALTY = {"none": 60, "silver": 25, "gold": 11, "platinum": 4}
VERSIONS = {"1.9.4": 2, "2.3.1": 8, "2.7.0": 15, "2.8.2": 40, "2.9.0": 33, "3.0.0-beta.2": 2}
AGENTS = {
    "desktop": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    "mobile": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Mobile Safari",
    "tablet": "Mozilla/5.0 (iPad; CPU OS 19_0 like Mac OS X) Safari",
    "app": "Corner/2.8 okhttp",
}
SERVICES = ("checkout", "search", "catalogue", "images", "accounts")


def visitors(count: int, seed: int = 2026) -> Iterator[dict[str, Any]]:
    """Yield ``count`` contexts; the same ones for the same seed."""
    chance = random.Random(seed)
    for number in range(count):
        yield _visitor(chance, number)


def _visitor(chance: random.Random, number: int) -> dict[str, Any]:
    country, device = _pick(chance, COUNTRIES), _pick(chance, DEVICES)
    context: dict[str, Any] = {
        "targetingKey": f"u-{chance.randrange(10**8):08}",
        "session_id": f"s-{number:06x}",
        "country": country,
        "language": LANGUAGES.get(country, "en-GB"),
        "currency": CURRENCIES.get(country, "EUR"),
        "device": device,
        "user_agent": AGENTS[device],
        "ip": f"{chance.choice((81, 93, 178, 203))}.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}",
        "region": chance.choice(("eu-central-1", "eu-north-1", "eu-west-3", "us-east-1")),
        "service": chance.choice(SERVICES),
        "warehouse": chance.choice(("rot-1", "ham-3", "dub-14", "lyon-a", "lyon-b", "graz-b")),
    }
    if device == "app":
        context |= {"app_version": _pick(chance, VERSIONS), "os": chance.choice(("iOS", "Android"))}
    if chance.random() < 0.02:
        context["user_agent"] = "ExampleBot/2.1 (+https://bot.example)"
    if chance.random() < 0.15:
        context["tenant_id"] = f"m-{chance.randrange(1000, 9999)}"
    if chance.random() < 0.7:
        context |= _customer(chance)
    return context | _cart(chance)


def _customer(chance: random.Random) -> dict[str, Any]:
    """What is known of somebody who is logged in."""
    known: dict[str, Any] = {
        "logged_in": True,
        "member_since": f"{chance.randrange(2016, 2026)}-{chance.randrange(1, 13):02}-17T12:00:00Z",
        "loyalty": _pick(chance, LOYALTY),
        "orders": int(chance.expovariate(1 / 6)),
        "email": f"c{chance.randrange(10**6)}@{'corner' if chance.random() < 0.01 else 'mail'}.example",
        "groups": [group for group in ("beta", "buyers", "birthday", "staff") if chance.random() < 0.04],
    }
    if chance.random() < 0.8:
        known["age"] = chance.randrange(16, 85)
    return known


def _cart(chance: random.Random) -> dict[str, Any]:
    items = int(chance.expovariate(1 / 3))
    return {"cart": {"items": items, "value": round(items * chance.uniform(4, 90), 2)}}


def _pick(chance: random.Random, weighted: dict[str, int]) -> str:
    return chance.choices(list(weighted), list(weighted.values()))[0]
