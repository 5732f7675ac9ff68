"""Makes flag sets out of choices, which are Hypothesis's or those of a seeded random number generator.

Constants come from small pools, so that different tests speak of the same values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from flagcore.model.flagset import Condition, Flag, FlagSet, RampStep, Requirement, Rule, Segment, Split
from flagcore.model.literals import parse_time
from flagcore.model.tree import All, Any, Constant, Expression, Has, InSegment, Literal, Not, Path, Test
from flagcore.terms import FlagType, Operator

__all__ = ["MANY", "NUMBERS", "STRINGS", "TEXTS", "TIMES", "VERSIONS", "Choices", "FlagSetMaker", "pick", "rarely"]

T = TypeVar("T")


class Choices(Protocol):
    """Where decisions come from. Zero is the plainest choice."""

    def below(self, count: int) -> int:
        """Return a number from 0 to ``count - 1``."""


def pick(choices: Choices, options: Sequence[T]) -> T:
    """Return one of the options."""
    return options[choices.below(len(options))]


def rarely(choices: Choices, one_in: int) -> bool:
    """Return True once in so many times."""
    return choices.below(one_in) == one_in - 1


# --- pools -------------------------------------------------------------------------------------------------------------

PATHS: tuple[Path, ...] = (("x",), ("y",), ("a", "b"), ("targetingKey",), ("a.b", "c"))
STRINGS = (
    "a",
    "b",
    "ab",
    "abc",
    "",
    "A",
    "AB",
    "DE",
    "de",
    "é",
    "aé",
    "名前",
    "1",
    "42",
    "true",
    "x" * 12,
    "x" * 13,
    "x" * 70,
)
NUMBERS = (0, 1, 2, -1, 42, 1.5, 1.0, -0.0, 2**53, 2**53 + 1, 2.0**53, 2**63 - 1, -(2**63), 2.0**63, 0.1, 1e308, 5e-324)
VERSIONS = (
    "1.0.0", "1", "v1.2", "1.2.0-rc.1", "1.2.0-rc.2", "1.2.0-10", "1.2.0-a.b", "2.3.0", "2.10.0+b", "18446744073709551615.0.0",
)  # fmt: skip
TIMES = (
    "2026-12-01T09:00:00Z", "2026-12-01T09:00:00.000001Z", "2026-12-02T10:00:00+01:00", "1969-12-31T23:59:59.5Z", "2030-01-01T00:00:00Z",
)  # fmt: skip
NETWORKS = (
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.0.0.1",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/32",
    "::1",
    "::ffff:10.0.0.0/104",
    "fe80::/10",
)
PATTERNS = (
    "^a",
    "b$",
    "a.c",
    "[ab]+$",
    "(?i)^de$",
    r"\bab\b",
    "^$",
    "(a|ab)(c|bcd)?$",
    "é",
    r"^\d{2,3}$",
    "(?m)^b$",
    "x{12,13}$",
    "",
)
PERCENTS = (0, 50, 100, 20, 0.0001, 12.5, 99.9999)
WEIGHTS = (1, 0, 2, 50, 33.3, 0.001)
SALTS = (None, "checkout", "é")
MANY = tuple(f"v{number}" for number in range(80))  # more strings than a list keeps to itself
TEXTS = ("ac", "a\nb", "b", "zab", "ab ab", "axc", "a😀c", "DE\n", "007", "xabcx")

VARIANTS: dict[FlagType, dict[str, object]] = {
    FlagType.BOOLEAN: {"on": True, "off": False},
    FlagType.STRING: {"on": "ON", "off": "", "a": "Aé", "b": "B" * 100},
    FlagType.INTEGER: {"a": 1, "max": 2**63 - 1, "min": -(2**63), "on": 0},
    FlagType.FLOAT: {"a": 0.5, "whole": 3, "off": -0.0},
    FlagType.OBJECT: {"a": {"k": [1, None, {"é": True}], "x": 2.5}, "list": [1, "x", []], "off": {}},
}


# --- flag sets ---------------------------------------------------------------------------------------------------------

_ORDERS = (Operator.LESS, Operator.LESS_OR_EQUAL, Operator.GREATER, Operator.GREATER_OR_EQUAL)
_EQUALITIES = (Operator.EQUALS, Operator.NOT_EQUALS)
_AFFIXES = (Operator.STARTS_WITH, Operator.ENDS_WITH)


class FlagSetMaker:
    """Makes valid flag sets of every feature of the format."""

    def __init__(self, choices: Choices, *, paths: Sequence[Path] = PATHS) -> None:
        self.choices = choices
        self.paths = paths
        self.segments: dict[str, Segment] = {}
        self.flags: dict[str, Flag] = {}

    def flag_set(self, max_flags: int = 3, max_rules: int = 5) -> FlagSet:
        """Return a flag set of one flag or more."""
        for number in range(self.choices.below(4)):
            self.segments[f"s{number}"] = self._segment(f"s{number}")
        for number in range(1 + self.choices.below(max_flags)):
            self.flags[f"f{number}"] = self._flag(f"f{number}", max_rules)
        return FlagSet(flags=self.flags, segments=self.segments)

    def wide_flag_set(self, rules: int, depth: int = 0) -> FlagSet:
        """Return one string flag of so many rules; their conditions are ``depth`` deep, most without gate or window."""
        variants = VARIANTS[FlagType.STRING]
        made = tuple(
            Rule(id=f"r{number}", when=Condition(self.expression(depth)), serve=pick(self.choices, tuple(variants)))
            if not rarely(self.choices, 20)
            else self._rule(f"r{number}", variants)
            for number in range(rules)
        )
        flag = Flag(key="f0", type=FlagType.STRING, variants=dict(variants), default="on", rules=made)
        return FlagSet(flags={"f0": flag}, segments=self.segments)

    # --- conditions ---

    def expression(self, depth: int = 3) -> Expression:
        """Return a condition; parts stand at most ``depth`` inside each other."""
        kind = self.choices.below(10)
        if depth == 0 or kind < 5:
            return self._atom()
        if kind < 6:
            return Not(self.expression(depth - 1))
        parts = tuple(self.expression(depth - 1) for _ in range(2 + self.choices.below(2)))
        return All(parts) if kind < 8 else Any(parts)

    def _atom(self) -> Expression:
        kind = self.choices.below(20)
        if kind == 19:
            return Constant(not rarely(self.choices, 2))
        if kind >= 17:
            return Has(pick(self.choices, (*self.paths, ("now",))))
        if kind >= 15 and self.segments:
            return InSegment(pick(self.choices, tuple(self.segments)))
        return self.test()

    def test(self) -> Test:
        """Return one test."""
        make = pick(self.choices, _TEST_MAKERS)
        return make(self, pick(self.choices, self.paths))

    def _literals(
        self, pools: Sequence[tuple[str, Sequence[str | bool | int | float]]], most: int = 4
    ) -> tuple[Literal, ...]:
        found = []
        for _ in range(1 + self.choices.below(most)):
            prefix, pool = pick(self.choices, pools)
            found.append(Literal(pick(self.choices, pool), prefix))
        return tuple(dict.fromkeys(found))

    def _equality(self, path: Path) -> Test:
        pools = (("", STRINGS), ("", NUMBERS), ("", (True, False)), ("i", STRINGS), ("v", VERSIONS))
        return Test(path, pick(self.choices, _EQUALITIES), self._literals(pools, 1)[0])

    def _membership(self, path: Path) -> Test:
        if rarely(self.choices, 12):
            more = tuple(Literal(value) for value in MANY[: 60 + self.choices.below(20)])
            return Test(
                path,
                Operator.IN,
                more + (self._literals((("", NUMBERS), ("i", STRINGS)), 2) if rarely(self.choices, 2) else ()),
            )
        pools = pick(self.choices, (
            (("", STRINGS),), (("", STRINGS), ("", NUMBERS), ("", (True, False)), ("i", STRINGS)),
            (("", NUMBERS),), (("v", VERSIONS),), (("cidr", NETWORKS),),
        ))  # fmt: skip
        return Test(path, Operator.IN, self._literals(pools))

    def _order(self, path: Path) -> Test:
        pools = (("", NUMBERS), ("v", VERSIONS), ("t", TIMES))
        return Test(path, pick(self.choices, _ORDERS), self._literals(pools, 1)[0])

    def _contains(self, path: Path) -> Test:
        literals = self._literals((("", STRINGS), ("", STRINGS), ("i", STRINGS), ("", NUMBERS), ("", (True, False))))
        return Test(path, Operator.CONTAINS, literals if len(literals) > 1 else literals[0])

    def _affix(self, path: Path) -> Test:
        literals = self._literals((("", STRINGS), ("i", STRINGS)))
        return Test(path, pick(self.choices, _AFFIXES), literals if len(literals) > 1 else literals[0])

    def _pattern(self, path: Path) -> Test:
        return Test(path, Operator.MATCHES, Literal(pick(self.choices, PATTERNS)))

    def _clock(self, _: Path) -> Test:
        return Test(("now",), pick(self.choices, _ORDERS), Literal(pick(self.choices, TIMES), "t"))

    # --- segments and flags ---

    def _segment(self, name: str) -> Segment:
        if not rarely(self.choices, 3):
            return Segment(name=name, when=Condition(self.expression(2)))
        values: tuple[str | bool | int | float, ...] = tuple(
            literal.value for literal in self._literals((("", STRINGS), ("", NUMBERS), ("", (True, False))))
        )
        if rarely(self.choices, 2):
            values += MANY
        return Segment(name=name, attribute=pick(self.choices, self.paths), values=values)

    def _flag(self, key: str, max_rules: int) -> Flag:
        flag_type = pick(self.choices, tuple(VARIANTS))
        variants = VARIANTS[flag_type]
        off = self.choices.below(3)
        return Flag(
            key=key,
            type=flag_type,
            variants=dict(variants),
            default=self._split(variants) if rarely(self.choices, 4) else pick(self.choices, tuple(variants)),
            enabled=not rarely(self.choices, 12),
            off_variant=tuple(variants)[off] if off < 2 else None,
            bucket_by=pick(self.choices, self.paths) if rarely(self.choices, 4) else ("targetingKey",),
            salt=pick(self.choices, SALTS),
            requires=self._requirements(variants),
            rules=tuple(self._rule(f"r{number}", variants) for number in range(self.choices.below(max_rules + 1))),
        )

    def _requirements(self, variants: Mapping[str, object]) -> tuple[Requirement, ...]:
        if not self.flags or not rarely(self.choices, 3):
            return ()
        found = []
        for _ in range(1 + self.choices.below(2)):
            other = pick(self.choices, tuple(self.flags.values()))
            accepted = (
                tuple(name for name in other.variants if not rarely(self.choices, 2)) or tuple(other.variants)[:1]
            )
            otherwise = pick(self.choices, (None, *variants))
            found.append(Requirement(other.key, accepted, otherwise))
        return tuple(found)

    def _rule(self, name: str, variants: Mapping[str, object]) -> Rule:
        gate = self.choices.below(6)
        is_split = rarely(self.choices, 4)
        return Rule(
            id=name,
            when=Condition(self.expression()) if not rarely(self.choices, 12) else None,
            between=self._window() if rarely(self.choices, 6) else None,
            serve=None if is_split else pick(self.choices, tuple(variants)),
            split=self._split(variants) if is_split else None,
            base="percent" if is_split and rarely(self.choices, 3) else "split",
            percent=pick(self.choices, PERCENTS) if gate == 5 else None,
            ramp=self._ramp() if gate == 4 else None,
            bucket_by=pick(self.choices, self.paths) if rarely(self.choices, 5) else None,
            salt=pick(self.choices, SALTS),
        )

    def _window(self) -> tuple[str | None, str | None]:
        start, end = sorted(self.choices.below(len(_RISING)) for _ in range(2))
        if start == end:
            return (None, _RISING[end]) if rarely(self.choices, 2) else (_RISING[start], None)
        return _RISING[start], _RISING[end]

    def _ramp(self) -> tuple[RampStep, ...]:
        times = [text for text in _RISING if not rarely(self.choices, 3)] or [_RISING[0]]
        return tuple(RampStep(text, pick(self.choices, PERCENTS)) for text in times)

    def _split(self, variants: Mapping[str, object]) -> Split:
        weights: Split = {name: pick(self.choices, WEIGHTS) for name in variants}
        return weights if any(weights.values()) else dict.fromkeys(variants, 1)


_RISING = tuple(sorted(TIMES, key=lambda text: parse_time(text) or 0))
_TEST_MAKERS = (
    FlagSetMaker._equality,
    FlagSetMaker._membership,
    FlagSetMaker._order,
    FlagSetMaker._contains,
    FlagSetMaker._affix,
    FlagSetMaker._pattern,
    FlagSetMaker._clock,
    FlagSetMaker._equality,
    FlagSetMaker._membership,
)
