"""W1 static, W2 one rule, W4 ten rules and a split, W5 and W6 many rules on one attribute."""

from __future__ import annotations

import random

from benchmarks.workloads.base import Call, Context, Workload, document

__all__ = ["w1", "w2", "w4", "w5", "w6"]

REPEATS = 1000
SUBJECTS = 100  # of W5 and W6 alike, so that they differ in the number of rules alone


def w1() -> Workload:
    """A flag without rules: nothing to look at."""
    context: Context = {"targetingKey": "user-1", "country": "DE"}
    return Workload(
        "static flag",
        document({"checkout.new": {"type": "boolean", "default": "on"}}),
        "checkout.new",
        [Call(context, True)] * REPEATS,
        lambda key, default, context: True,
    )


def w2() -> Workload:
    """One rule that compares one attribute; it matches."""
    rule = {"id": "germany", "when": 'country == "DE"', "serve": "on"}
    context: Context = {"targetingKey": "user-1", "country": "DE"}
    return Workload(
        "one rule",
        document({"checkout.new": {"type": "boolean", "default": "off", "rules": [rule]}}),
        "checkout.new",
        [Call(context, True)] * REPEATS,
        lambda key, default, context: context.get("country") == "DE",
    )


W4_TESTS = [
    'country == "FR"',
    'plan == "enterprise"',
    "age >= 65",
    'app_version >= v"9.0.0"',
    'email ends_with "@corp.example"',
    'device in ["tv", "watch", "car"]',
    "beta == true",
    "visits > 1000",
    'language starts_with "pt"',
]
W4_CONTEXT: Context = {
    "targetingKey": "user-7",
    "country": "DE",
    "plan": "pro",
    "age": 34,
    "app_version": "2.10.0",
    "email": "someone@example.org",
    "device": "mobile",
    "beta": False,
    "visits": 12,
    "language": "de-AT",
    "region": "eu-central-1",
}


def _w4_by_hand(key: str, default: bool, context: Context) -> bool:
    get = context.get
    if get("country") == "FR" or get("plan") == "enterprise" or get("age", 0) >= 65:  # type: ignore[operator]
        return False
    if tuple(map(int, str(get("app_version")).split("."))) >= (9, 0, 0) or str(get("email")).endswith("@corp.example"):
        return False
    if get("device") in ("tv", "watch", "car") or get("beta") is True or get("visits", 0) > 1000:  # type: ignore[operator]
        return False
    if str(get("language")).startswith("pt"):
        return False
    return get("region") == "eu-central-1" and get("targetingKey") is not None


def w4() -> Workload:
    """Ten rules over ten attributes, only the last matches, and a split then decides."""
    rules: list[dict[str, object]] = [{"id": f"r{i}", "when": test, "serve": "off"} for i, test in enumerate(W4_TESTS)]
    rules.append({"id": "last", "when": 'region == "eu-central-1"', "split": {"on": 99, "off": 1}})
    return Workload(
        "ten rules over different attributes, then a split",
        document({"checkout.new": {"type": "boolean", "default": "off", "rules": rules}}),
        "checkout.new",
        [Call(W4_CONTEXT, True)] * REPEATS,
        _w4_by_hand,
    )


def w5() -> Workload:
    """A hundred rules ``tenant == v_i``."""
    return _equalities("100 rules attribute == v", 100)


def w6() -> Workload:
    """A thousand rules ``tenant == v_i``."""
    return _equalities("1,000 rules attribute == v", 1000)


def _equalities(title: str, count: int) -> Workload:
    rules = [
        {"id": f"r{i}", "when": f'tenant == "tenant-{i:05}"', "serve": "on" if i % 2 else "off"} for i in range(count)
    ]
    chosen = random.Random(5).sample(range(count), SUBJECTS) * (REPEATS // SUBJECTS)
    contexts: dict[int, Context] = {i: {"targetingKey": f"user-{i}", "tenant": f"tenant-{i:05}"} for i in chosen}
    calls = [Call(contexts[i], bool(i % 2)) for i in chosen]

    def by_hand(key: str, default: bool, context: Context) -> bool:
        tenant = context.get("tenant")
        for i in range(count):
            if tenant == names[i]:
                return bool(i % 2)
        return False

    names = [f"tenant-{i:05}" for i in range(count)]
    flags = {"checkout.new": {"type": "boolean", "default": "off", "rules": rules}}
    return Workload(title, document(flags), "checkout.new", calls, by_hand)
