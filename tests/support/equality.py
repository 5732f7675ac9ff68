"""Asks the compiled engine and the readable twin the same question, in every way there is, and compares the answers."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flagcore.compiler import Options, compile_flag_set
from flagcore.engine import Engine, EvaluationDetails
from flagcore.model.flagset import FlagSet
from flagcore.reference import Resolution, Twin
from tests.support.vectors import same

__all__ = ["CALLERS_DEFAULT", "Asked", "Seeded", "assert_equal_answers"]

CALLERS_DEFAULT = object()


class Seeded:
    """Choices of a seeded random number generator."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, count: int) -> int:
        """Return a number from 0 to ``count - 1``."""
        return self._random.randrange(count)


class Asked:
    """An engine that serves a compiled flag set, with the clock that it reads."""

    def __init__(
        self, flag_set: FlagSet, options: Options | None = None, static_context: Mapping[str, Any] | None = None
    ) -> None:
        self.now = 0
        self.engine = Engine(clock=lambda: self.now, static_context=static_context)
        self.engine.load(compile_flag_set(flag_set, options=options, debug=False).snapshot)
        assert not self.engine.degraded

    def answer(self, key: str, context: object, at: int) -> Resolution:
        """Return the engine's answer in the twin's form."""
        return resolution_of(self.engine.evaluate(key, CALLERS_DEFAULT, context, at=at))

    def answers(self, context: object, at: int) -> Iterator[tuple[str, str, Resolution]]:
        """Yield flag key, way of asking and answer: for a given time, by a handle, with a reusable context, all at once."""
        self.now = at
        engine, keys = self.engine, list(self.engine.keys())
        reusable = _reusable(engine, context)
        everything = engine.evaluate_all(reusable)
        for key in keys:
            yield key, "evaluate", self.answer(key, context, at)
            yield key, "handle", resolution_of(engine.flag(key).details(CALLERS_DEFAULT, context))
            yield key, "reused context", resolution_of(engine.evaluate(key, CALLERS_DEFAULT, reusable))
            details = everything[key]
            yield (
                key,
                "evaluate_all",
                resolution_of(details, CALLERS_DEFAULT if details.variant is None else details.value),
            )


def _reusable(engine: Engine, context: object) -> object:
    try:
        return engine.context(context)
    except TypeError:  # no context at all: ask with it as it is
        return context


def resolution_of(details: EvaluationDetails, *value: object) -> Resolution:
    """Return an engine's details in the twin's form."""
    rule = details.flag_metadata.get("flagcore.rule")
    found = value[0] if value else details.value
    return Resolution(found, details.variant, details.reason, details.error_code, rule)


def assert_equal_answers(
    twin: Twin, engines: Iterable[Asked], context: object, at: int, under: Mapping[str, object] | None = None
) -> None:
    """Compare value, variant, reason, error code and rule of every flag; ``under`` is what the engines' static context adds."""
    whole = context if under is None else {**under, **(context or {})}  # type: ignore[dict-item]
    wanted = {key: twin.evaluate(key, CALLERS_DEFAULT, whole, at=at) for key in twin.flag_set.flags}
    for asked in engines:
        for key, way, found in asked.answers(context, at):
            assert (key, way, *found[1:]) == (key, way, *wanted[key][1:])
            assert found.value is wanted[key].value or same(found.value, wanted[key].value), (key, way)
