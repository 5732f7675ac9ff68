"""Contexts to measure a flag with: those of its own tests, and made ones; always the same for the same flag."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from zlib import crc32

import msgspec.structs

from flagcore.cli.sources import with_requirements
from flagcore.model import Flag, FlagSet
from flagcore.model.flagset import Scenario, Segment
from flagcore.model.normal import walk
from flagcore.model.tree import Expression, InSegment, flat_key
from flagcore.testing.context_making import ContextMaker

__all__ = ["Context", "contexts_of"]

Context = dict[str, object]

SUBJECTS = 8  # of a test over a population
WHOLE = range(-(2**63), 2**63)


def contexts_of(flag_set: FlagSet, flag_key: str, made: int) -> list[Context]:
    """Return the contexts of the flag's tests, then ``made`` ones of values that its conditions ask for or that are near those.

    They depend on the flag and on what it requires and names alone: another flag's edit leaves its figures as they are.
    """
    flags = with_requirements(flag_set, flag_key)
    segments = _segments_named(flag_set, flags)
    maker = ContextMaker(msgspec.structs.replace(flag_set, flags=flags, segments=segments))
    choices = _Seeded(flag_key)
    given = [context for test in flag_set.flags[flag_key].tests for context in _of_test(test)]
    return given + [_made(maker, choices, number) for number in range(made)]


class _Seeded:
    """Choices that a flag key decides."""

    def __init__(self, flag_key: str) -> None:
        self._below = random.Random(crc32(flag_key.encode("utf-8", "replace"))).randrange  # noqa: S311

    def below(self, count: int) -> int:
        return self._below(count)


def _of_test(test: Scenario) -> Iterator[Context]:
    if test.population is None:
        yield dict(test.given)
        return
    by = flat_key(test.by) if test.by else "targetingKey"
    for number in range(min(test.population, SUBJECTS)):
        yield {**test.given, by: f"subject-{number}"}


def _made(maker: ContextMaker, choices: _Seeded, number: int) -> Context:
    """Return a context as requests have them: odd values, which the maker also knows, are left out."""
    found: Context = {"targetingKey": f"subject-{number}"}
    for path in maker.paths:
        value = maker.value(choices, path)
        if _is_plain(value) and (path != ("targetingKey",) or isinstance(value, str)):
            found[flat_key(path)] = value
    return found


def _is_plain(value: object) -> bool:
    if type(value) is list:
        return all(map(_is_plain, value))
    if type(value) is str:
        return value.isprintable()
    return (
        type(value) is bool
        or (type(value) is int and value in WHOLE)
        or (type(value) is float and math.isfinite(value))
    )


def _segments_named(flag_set: FlagSet, flags: dict[str, Flag]) -> dict[str, Segment]:
    waiting = [rule.when.tree for flag in flags.values() for rule in flag.rules if rule.when is not None]
    found: dict[str, Segment] = {}
    while waiting:
        for name in _names(waiting.pop()):
            if name not in found and name in flag_set.segments:
                segment = found[name] = flag_set.segments[name]
                waiting += [segment.when.tree] if segment.when is not None else []
    return found


def _names(tree: Expression) -> list[str]:
    return [node.name for node in walk(tree) if isinstance(node, InSegment)]
