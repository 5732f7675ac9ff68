"""What is timed: loops of one expression over many contexts, and the floors that they are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, islice

from benchmarks.floor import load_bare, load_floor
from benchmarks.timing import Batch, Subject

__all__ = ["EVALUATIONS", "GET", "calls", "floors"]

EVALUATIONS = 40_000
"""Evaluations a sample."""

GET = "get(key, False, context)"
"""One evaluation by a getter in OpenFeature's order of arguments."""

_LOOP = "def batch(contexts=contexts, {locals}):\n    for context in contexts:\n        {expression}\n"


def calls(
    name: str,
    expression: str,
    names: Mapping[str, object],
    contexts: Sequence[object],
    *,
    evaluations: int = EVALUATIONS,
    each: int = 1,
) -> Subject:
    """Return a subject that does ``expression``, of ``names`` and ``context``, over the contexts, in turn.

    An expression evaluates ``each`` flags; about ``evaluations`` of them make a sample.
    """
    many = list(islice(cycle(contexts), max(1, evaluations // each)))
    return Subject(name, _loop(expression, names, many), _loop("pass", names, many), len(many) * each)


def floors() -> list[Subject]:
    """Return the two floors, as subjects: F, and the bare one."""
    contexts = [{"targetingKey": "user-1"}] * 1000
    names = {"key": "checkout.new"}
    return [
        calls(name, GET, {**names, "get": load()}, contexts) for name, load in (("F", load_floor), ("bare", load_bare))
    ]


def _loop(expression: str, names: Mapping[str, object], contexts: Sequence[object]) -> Batch:
    """Return the loop, written for this expression alone.

    The interpreter specialises calls per code object: a loop that other subjects have run before would be measured with
    theirs. The names are local, as they would be in a program that cares.
    """
    scope: dict[str, object] = {**names, "contexts": contexts}
    exec(_LOOP.format(locals=", ".join(f"{name}={name}" for name in names), expression=expression), scope)  # type: ignore[arg-type]
    return scope["batch"]  # type: ignore[return-value]
