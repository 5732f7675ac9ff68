"""W8: all of 1,000 flags for one subject."""

from __future__ import annotations

from benchmarks.workloads.base import Call, Context, Workload, document

__all__ = ["COUNT", "w8"]

COUNT = 1000


def w8() -> Workload:
    """A thousand flags as teams have them: a third static, a third with one rule, a third behind a 50 % gate."""
    kinds: list[dict[str, object]] = [
        {"type": "boolean", "default": "on"},
        {"type": "boolean", "default": "off", "rules": [{"id": "r", "when": 'country == "DE"', "serve": "on"}]},
        {"type": "boolean", "default": "off", "rules": [{"id": "r", "percent": 50, "serve": "on"}]},
    ]
    flags: dict[str, object] = {f"flag-{i:04}": kinds[i % 3] for i in range(COUNT)}
    context: Context = {"targetingKey": "user-1", "country": "DE", "age": 34}
    return Workload("1,000 flags for one subject", document(flags), "flag-0000", [Call(context, True)], None)
