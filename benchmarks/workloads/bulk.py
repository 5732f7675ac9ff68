"""W8: all of 1,000 flags for one subject."""

from __future__ import annotations

from benchmarks.workloads.base import Call, Context, Workload, document

__all__ = ["COUNT", "many_flags", "w8"]

COUNT = 1000


def many_flags(count: int) -> dict[str, object]:
    """Return flags as teams have them: a third static, a third with one rule, a third behind a 50 % gate."""
    kinds: list[dict[str, object]] = [
        {"type": "boolean", "default": "on"},
        {"type": "boolean", "default": "off", "rules": [{"id": "r", "when": 'country == "DE"', "serve": "on"}]},
        {"type": "boolean", "default": "off", "rules": [{"id": "r", "percent": 50, "serve": "on"}]},
    ]
    return document({f"flag-{i:04}": kinds[i % 3] for i in range(count)})


def w8() -> Workload:
    """All of a thousand flags."""
    context: Context = {"targetingKey": "user-1", "country": "DE", "age": 34}
    return Workload("1,000 flags for one subject", many_flags(COUNT), "flag-0000", [Call(context, True)], None)
