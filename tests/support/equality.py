"""Asks the compiled engine and the readable twin the same question and compares the answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from flagcore.compiler import Options, compile_flag_set
from flagcore.engine import Engine
from flagcore.model.flagset import FlagSet
from flagcore.reference import Resolution, Twin
from tests.support.vectors import same

__all__ = ["CALLERS_DEFAULT", "Seeded", "answer", "assert_equal_answers", "engine_for"]

CALLERS_DEFAULT = object()


class Seeded:
    """Choices of a seeded random number generator."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, count: int) -> int:
        """Return a number from 0 to ``count - 1``."""
        return self._random.randrange(count)


def engine_for(flag_set: FlagSet, options: Options | None = None, clock: Callable[[], int] | None = None) -> Engine:
    """Return an engine that serves the compiled flag set."""
    engine = Engine() if clock is None else Engine(clock=clock)
    engine.load(compile_flag_set(flag_set, options=options, debug=False).snapshot)
    assert not engine.degraded
    return engine


def answer(engine: Engine, key: str, context: object, at: int) -> Resolution:
    """Return the engine's answer in the twin's form."""
    details = engine.evaluate(key, CALLERS_DEFAULT, context, at=at)
    rule = details.flag_metadata.get("flagcore.rule")
    return Resolution(details.value, details.variant, details.reason, details.error_code, rule)


def assert_equal_answers(twin: Twin, engines: Iterable[Engine], context: object, at: int) -> None:
    """Compare value, variant, reason, error code and rule of every flag, for every engine."""
    for key in twin.flag_set.flags:
        wanted = twin.evaluate(key, CALLERS_DEFAULT, context, at=at)
        for engine in engines:
            found = answer(engine, key, context, at)
            assert (key, found[1:]) == (key, wanted[1:])
            assert found.value is wanted.value or same(found.value, wanted.value), key
