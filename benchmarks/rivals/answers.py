"""A figure of wrong answers is no figure: what a peer says is checked before the clock starts.

What a rule decides must be the workload's own answer. Where a hash decides, every engine has its own: there the answers must
be booleans, stay the same, and have the wanted share over 10,000 subjects, within three standard deviations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import Any

from benchmarks.rivals.peer import Asked
from benchmarks.rivals.plain import SUBJECT, PlainFlag, plain
from benchmarks.workloads import Workload

__all__ = ["HASHED", "assert_answers", "assert_every", "assert_share"]

HASHED = {"W3": 0.25, "W4": 0.99}
"""Workload -> share of subjects that are served ``true``."""

SUBJECTS = 10_000

SERVED_OFF: dict[str, object] = {
    "country": "FR",
    "plan": "enterprise",
    "age": 65,
    "app_version": "9.0.0",
    "email": "a@corp.example",
    "device": "watch",
    "beta": True,
    "visits": 1001,
    "language": "pt-BR",
    "region": "us-east-1",
}
"""W4: each of these alone makes an earlier rule match, or the last one fail."""
MISSED: dict[str, object] = {"app_version": "8.9.9", "age": 64, "visits": 1000, "country": "FI", "language": "es-ES"}
"""W4: none of these changes the answer."""


def assert_answers(name: str, workload: Workload, asked: Asked, contexts: Sequence[object]) -> None:
    """Raise AssertionError unless the peer answers as it must."""
    ask = _function(asked.expression, {**asked.names, "key": workload.key})
    answers = [ask(context) for context in contexts]
    if name not in HASHED:
        wanted = [call.expected for call in workload.calls[: len(contexts)]]
        wrong = [
            (call, said)
            for call, said, right in zip(workload.calls, answers, wanted, strict=False)
            if said is not right
        ]
        assert not wrong, f"{name}: {len(wrong)} wrong answers, the first: {wrong[0]}"
        return
    assert {type(answer) for answer in answers} == {bool}, f"{name}: {answers[:5]}"
    assert [ask(context) for context in contexts] == answers, f"{name}: the answers change"
    base = workload.calls[0].context
    if name == "W4":
        _assert_probes(base, lambda context: ask(asked.context(context)))
    said = [ask(asked.context({**base, SUBJECT: f"subject-{i}"})) for i in range(SUBJECTS)]
    assert_share(name, sum(map(bool, said)), len(said), HASHED[name])


def _assert_probes(base: dict[str, Any], ask: Callable[[dict[str, Any]], object]) -> None:
    """Every rule of W4 decides by its own attribute."""
    usual = ask(base)
    for attribute, value in SERVED_OFF.items():
        assert ask({**base, attribute: value}) is False, f"W4: {attribute} = {value!r}"
    for attribute, value in MISSED.items():
        assert ask({**base, attribute: value}) is usual, f"W4: {attribute} = {value!r}"


def assert_every(workload: Workload, asked: Asked, expression: str, names: Mapping[str, Any]) -> None:
    """Raise AssertionError unless all flags are there, the rules' answers are right, and the gates have their share."""
    said = asked.read(eval(expression, {**names}))
    flags = plain(workload.flags).flags
    context = workload.calls[0].context
    assert set(said) == {flag.key for flag in flags}, f"W8: {len(said)} answers"
    gates = [flag for flag in flags if any(rule.percent < 100 for rule in flag.rules)]
    for flag in flags:
        assert type(said[flag.key]) is bool, f"W8 {flag.key}: {said[flag.key]!r}"
        assert flag in gates or said[flag.key] is _decided(flag, context), f"W8 {flag.key}: {said[flag.key]!r}"
    assert_share("W8", sum(bool(said[flag.key]) for flag in gates), len(gates), 0.5)


def assert_share(name: str, count: int, total: int, share: float) -> None:
    """Raise AssertionError when a count lies more than three standard deviations from its share."""
    allowed = 3 * sqrt(total * share * (1 - share))
    assert abs(count - total * share) <= allowed, f"{name}: {count} of {total} are true, wanted {share:.0%}"


def _decided(flag: PlainFlag, context: Mapping[str, object]) -> bool:
    """Return what a flag of W8 without a gate gives: its rule compares one attribute for equality."""
    for rule in flag.rules:
        assert rule.test is not None
        assert rule.test.operator == "=="
        if context.get(rule.test.attribute) == rule.test.value:
            return rule.value
    return flag.default


def _function(expression: str, names: Mapping[str, Any]) -> Callable[[object], object]:
    made: Callable[[object], object] = eval(f"lambda context: {expression}", {**names})
    return made
