"""Limits of the whole set (flag-format.md section 4)."""

from __future__ import annotations

from collections.abc import Iterator

from flagcore.model.checks.finding import error
from flagcore.model.problems import Finding
from flagcore.model.scope import Scope

__all__ = ["check_sizes"]


def check_sizes(scope: Scope) -> Iterator[Finding]:
    """Numbers of flags, of rules a flag, and of segment values."""
    limits, flag_set = scope.limits, scope.flag_set
    if len(flag_set.flags) > limits.flags:
        yield _too_many("flags", len(flag_set.flags), limits.flags, ("flags",), "split the set")
    for key, flag in flag_set.flags.items():
        if len(flag.rules) > limits.rules_per_flag:
            hint = "put long lists into segments of values"
            yield _too_many("rules", len(flag.rules), limits.rules_per_flag, ("flags", key, "rules"), hint)
    values = sum(len(segment.values or ()) for segment in flag_set.segments.values())
    if values > limits.segment_values:
        yield _too_many("segment values", values, limits.segment_values, ("segments",), "split the set")


def _too_many(what: str, count: int, limit: int, path: tuple[str, ...], hint: str) -> Finding:
    return error("too-many", f"{count:,} {what}, the limit is {limit:,}", path, hint, at_key=True)
