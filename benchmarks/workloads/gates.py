"""W3: a percentage gate, every call with another subject."""

from __future__ import annotations

from zlib import crc32

from benchmarks.workloads.base import Call, Context, Workload, document
from flagcore import bucketing

__all__ = ["w3"]


def w3() -> Workload:
    """A gate of 25 %, the subject varies."""
    threshold = bucketing.gate_threshold(25)
    calls = []
    for i in range(1000):
        subject = f"user-{i * 7919}"
        inside = bucketing.bucket(bucketing.position("checkout.new", subject.encode())) < threshold
        calls.append(Call({"targetingKey": subject, "country": "DE"}, inside))

    def by_hand(key: str, default: bool, context: Context) -> bool:
        return crc32(str(context["targetingKey"]).encode()) % 100 < 25

    rule = {"id": "quarter", "percent": 25, "serve": "on"}
    flags = {"checkout.new": {"type": "boolean", "default": "off", "rules": [rule]}}
    return Workload("25 % gate, subject varies", document(flags), "checkout.new", calls, by_hand)
