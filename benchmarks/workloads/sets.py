"""W7: one key among 100,000 values, and among a million."""

from __future__ import annotations

import random

from benchmarks.workloads.base import Call, Context, Workload, document

__all__ = ["w7_different", "w7_million_different", "w7_million_one", "w7_one"]

SIZE, MILLION = 100_000, 1_000_000
SUBJECTS = 100_000  # that differ, half of them members


def _members(size: int) -> list[str]:
    return [f"u-{number:010}" for number in random.Random(7).sample(range(10**9), size)]


def _workload(title: str, calls: list[Call], members: list[str]) -> Workload:
    held = frozenset(members)

    def by_hand(key: str, default: bool, context: Context) -> bool:
        return context.get("targetingKey") in held

    segments = {"vip": {"attribute": "targetingKey", "values": members}}
    rule = {"id": "vip", "when": 'segment("vip")', "serve": "on"}
    flags = {"checkout.new": {"type": "boolean", "default": "off", "rules": [rule]}}
    return Workload(title, document(flags, segments=segments), "checkout.new", calls, by_hand)


def _one(size: int) -> Workload:
    members = _members(size)
    calls = [Call({"targetingKey": members[17]}, True)] * 1000
    return _workload(f"key in {size:,} values, one subject", calls, members)


def _different(size: int) -> Workload:
    members = _members(size)
    held = frozenset(members)
    others = (f"x-{number:010}" for number in range(SUBJECTS // 2))
    subjects = [*members[: SUBJECTS // 2], *others]
    random.Random(8).shuffle(subjects)
    calls = [Call({"targetingKey": subject}, subject in held) for subject in subjects]
    return _workload(f"key in {size:,} values, all subjects different", calls, members)


def w7_one() -> Workload:
    """The same subject each time: the set's entry stays in the cache."""
    return _one(SIZE)


def w7_different() -> Workload:
    """Every call another subject, half of them members: every look-up misses the caches."""
    return _different(SIZE)


def w7_million_one() -> Workload:
    """As ``w7_one``, among a million values."""
    return _one(MILLION)


def w7_million_different() -> Workload:
    """As ``w7_different``, among a million values."""
    return _different(MILLION)
