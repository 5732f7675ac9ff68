"""Makes contexts for a flag set out of choices: values that its tests hit, miss by a hair, find of another kind, or hostile ones."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from math import inf, nan, nextafter

from flagcore.context import EvaluationContext
from flagcore.model.flagset import Condition, FlagSet
from flagcore.model.literals import parse_network, parse_time
from flagcore.model.tree import All, Any, Expression, Not, Path, Test, flat_key
from flagcore.terms import Operator
from flagcore.testing.hostile import (
    Dictionary,
    Frozen,
    HostileFloat,
    HostileInteger,
    HostileList,
    HostileText,
    Raising,
    RaisingZone,
    Thing,
)
from flagcore.testing.pools import MANY, POOLS, TEXTS, Choices, Pools, pick, rarely

__all__ = ["ContextMaker", "make_moment"]


def make_moment(choices: Choices, pools: Pools = POOLS) -> int:
    """Return a moment, in microseconds: one that flags name, or just before or after it."""
    return (parse_time(pick(choices, pools.times)) or 0) + choices.below(3) - 1


def _tests_in(tree: Expression) -> Iterator[Test]:
    if isinstance(tree, Test):
        yield tree
    elif isinstance(tree, (All, Any)):
        for part in tree.parts:
            yield from _tests_in(part)
    elif isinstance(tree, Not):
        yield from _tests_in(tree.part)


def _conditions_of(flag_set: FlagSet) -> Iterator[Condition]:
    for segment in flag_set.segments.values():
        if segment.when is not None:
            yield segment.when
    for flag in flag_set.flags.values():
        yield from (rule.when for rule in flag.rules if rule.when is not None)


_PLAIN_ODDS = (
    None,
    True,
    False,
    nan,
    inf,
    -inf,
    2**63,
    -(2**63) - 1,
    10**400,
    "\ud800",
    "a\udfffb",
    -0.0,
    1.5,
    2.0**53 + 2,
)
_ODD_OBJECTS: tuple[object, ...] = (
    b"a", b"", [], (), frozenset(), {}, {"b": 1}, {"c": "a"}, {"b": {"c": 1}}, [None, nan, "a"], [["a"]], ("a", 1, True),
    frozenset({"a", 1}), datetime(2026, 12, 1, 9), datetime(2026, 12, 1, 9, tzinfo=UTC), datetime(2026, 12, 1, 9, tzinfo=RaisingZone()),  # noqa: DTZ001
    date(2026, 12, 1), uuid.UUID(int=42), Decimal(1), Thing(), Raising(), range(3), bytearray(b"a"),
)  # fmt: skip


class ContextMaker:
    """Makes contexts for one flag set."""

    def __init__(self, flag_set: FlagSet, pools: Pools = POOLS) -> None:
        self.pools = pools
        self.tests: dict[Path, list[Test]] = {}
        self.values: dict[Path, list[object]] = {}
        paths: dict[Path, None] = dict.fromkeys((("targetingKey",),))
        for condition in _conditions_of(flag_set):
            for test in _tests_in(condition.tree):
                self.tests.setdefault(test.path, []).append(test)
                paths[test.path] = None
        for segment in flag_set.segments.values():
            if segment.attribute is not None:
                self.values.setdefault(segment.attribute, []).extend(segment.values or ())
                paths[segment.attribute] = None
        for flag in flag_set.flags.values():
            paths.update(dict.fromkeys((flag.bucket_by, *(rule.bucket_by for rule in flag.rules if rule.bucket_by))))
        self.paths = tuple(paths)

    def context(self, choices: Choices) -> object:
        """Return a context: mostly a dict, sometimes another mapping, an EvaluationContext, or none."""
        attributes: dict[str, object] = {}
        for path in self.paths:
            if not rarely(choices, 5):
                self._place(attributes, path, self.value(choices, path), choices)
        kind = choices.below(20)
        if kind < 14:
            return attributes
        if kind == 14:
            targeting_key = attributes.pop("targetingKey", None)
            return EvaluationContext(targeting_key, attributes)  # type: ignore[arg-type]
        if kind == 19:
            return pick(choices, (None, {}, Raising(), 5, "text", Thing(), [("x", 1)]))
        return (Dictionary(attributes), Frozen(attributes), EvaluationContext(None, attributes), attributes)[kind - 15]

    def _place(self, attributes: dict[str, object], path: Path, value: object, choices: Choices) -> None:
        """Put the value under its flat key, or level by level, or a decoy under one and the value under the other."""
        if len(path) == 1 or not rarely(choices, 2):
            attributes[flat_key(path)] = value
            if len(path) == 1 or not rarely(choices, 3):
                return
            value = self.value(choices, path)
        if not rarely(choices, 6):
            attributes[path[0]] = pick(choices, (dict, Frozen, Dictionary))({path[1]: value})

    def value(self, choices: Choices, path: Path) -> object:
        """Return a value: one that the flags at this path ask for, one near it, one of another, or an odd one."""
        kind = choices.below(20)
        tests = self.tests.get(path)
        if kind < 12 and tests:
            return _wrapped(choices, self._for_test(choices, pick(choices, tests)))
        if kind < 14 and path in self.values:
            return _wrapped(choices, pick(choices, self.values[path]))
        if kind < 16:
            return _wrapped(choices, pick(choices, (*self.pools.strings, *self.pools.numbers, *MANY[:2], *TEXTS)))
        if kind < 18:
            return pick(choices, _PLAIN_ODDS)
        return pick(choices, _ODD_OBJECTS)

    def _for_test(self, choices: Choices, test: Test) -> object:
        """Return a value near a test's constants."""
        literal = pick(choices, test.literals)
        value = literal.value
        if literal.prefix == "t":
            return _near_time(choices, str(value))
        if literal.prefix == "v":
            return pick(
                choices, (str(value), str(value) + ".0", "v1.2.0-rc.1", pick(choices, self.pools.versions), "1.2.0-")
            )
        if literal.prefix == "cidr":
            return _near_network(choices, str(value))
        if test.operator is Operator.MATCHES:
            return pick(choices, TEXTS + self.pools.strings)
        if isinstance(value, str):
            return _near_text(choices, test.operator, value.swapcase() if literal.prefix == "i" else value)
        if isinstance(value, bool):
            return pick(choices, (value, not value, int(value)))
        found = pick(choices, (value, float(value), value + 1, value - 1, nextafter(float(value), inf)))
        return [found] if test.operator is Operator.CONTAINS and not rarely(choices, 3) else found


def _near_text(choices: Choices, operator: Operator, text: str) -> object:
    if operator is Operator.CONTAINS:
        return pick(choices, (f"x{text}é", text, [text], ("", text), {text, 1}, [text + "x"], HostileList([text])))
    if operator is Operator.STARTS_WITH:
        return pick(choices, (text + "é", text, text[:-1], "x" + text))
    if operator is Operator.ENDS_WITH:
        return pick(choices, ("é" + text, text, text[1:], text + "x"))
    return pick(choices, (text, text + "x", text[:-1], text.swapcase()))


def _near_time(choices: Choices, text: str) -> object:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=(parse_time(text) or 0) + choices.below(3) - 1)
    zone = pick(choices, (UTC, timezone(timedelta(hours=-5, minutes=-30)), timezone(timedelta(hours=14))))
    found = moment.astimezone(zone)
    return pick(choices, (found.isoformat(), text, found, text.removesuffix("Z"), found.replace(tzinfo=None)))


def _near_network(choices: Choices, text: str) -> str:
    network = parse_network(text)
    assert network is not None  # the pools hold networks
    number = pick(choices, (network.first, network.last, max(0, network.first - 1), network.last + 1))
    if network.family == 4:
        dotted = ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
        return pick(choices, (dotted, "::ffff:" + dotted, dotted + ".1", "0" + dotted))
    groups = ":".join(f"{number >> shift & 0xFFFF:x}" for shift in range(112, -1, -16))
    return pick(choices, (groups, groups.upper(), groups + "%1", "::1"))


def _wrapped(choices: Choices, value: object) -> object:
    """Return the value, now and then inside a list or in a class of its own."""
    kind = choices.below(16)
    if kind == 15:
        return pick(choices, ([value], (value, "a"), HostileList([1, value])))
    if kind == 14:
        for plain, hostile in ((str, HostileText), (bool, bool), (int, HostileInteger), (float, HostileFloat)):
            if isinstance(value, plain):
                return hostile(value)
    return value
