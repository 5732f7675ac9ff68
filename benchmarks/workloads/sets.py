"""W7: one key among 100,000 values."""

from __future__ import annotations

import random

from benchmarks.workloads.base import Call, Context, Workload, document

__all__ = ["w7_different", "w7_one"]

SIZE = 100_000


def _members() -> list[str]:
    return [f"u-{number:010}" for number in random.Random(7).sample(range(10**9), SIZE)]


def _workload(title: str, calls: list[Call], members: list[str]) -> Workload:
    held = frozenset(members)

    def by_hand(key: str, default: bool, context: Context) -> bool:
        return context.get("targetingKey") in held

    segments = {"vip": {"attribute": "targetingKey", "values": members}}
    rule = {"id": "vip", "when": 'segment("vip")', "serve": "on"}
    flags = {"checkout.new": {"type": "boolean", "default": "off", "rules": [rule]}}
    return Workload(title, document(flags, segments=segments), "checkout.new", calls, by_hand)


def w7_one() -> Workload:
    """The same subject each time: the set's entry stays in the cache."""
    members = _members()
    return _workload("key in 100,000 values, one subject", [Call({"targetingKey": members[17]}, True)] * 1000, members)


def w7_different() -> Workload:
    """Every call another subject, half of them members: every look-up misses the caches."""
    members = _members()
    held = frozenset(members)
    others = (f"x-{number:010}" for number in range(SIZE // 2))
    subjects = [*members[: SIZE // 2], *others]
    random.Random(8).shuffle(subjects)
    calls = [Call({"targetingKey": subject}, subject in held) for subject in subjects]
    return _workload("key in 100,000 values, all subjects different", calls, members)
