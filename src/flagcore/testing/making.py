"""Makes flag sets out of choices. Constants come from pools, so that different tests speak of the same values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from flagcore.model.flagset import Condition, Flag, FlagSet, RampStep, Requirement, Rule, Segment, Split
from flagcore.model.literals import parse_time
from flagcore.model.tree import All, Any, Constant, Expression, Has, InSegment, Literal, Not, Path, Test
from flagcore.terms import FlagType, Operator
from flagcore.testing.pools import MANY, POOLS, Choices, Pools, pick, rarely

__all__ = ["FlagSetMaker"]

PATHS: tuple[Path, ...] = (("x",), ("y",), ("a", "b"), ("targetingKey",), ("a.b", "c"))
PERCENTS = (0, 50, 100, 20, 0.0001, 12.5, 99.9999)
WEIGHTS = (1, 0, 2, 50, 33.3, 0.001)
SALTS = (None, "checkout", "é")
VARIANTS: dict[FlagType, dict[str, object]] = {
    FlagType.BOOLEAN: {"on": True, "off": False},
    FlagType.STRING: {"on": "ON", "off": "", "a": "Aé", "b": "B" * 100},
    FlagType.INTEGER: {"a": 1, "max": 2**63 - 1, "min": -(2**63), "on": 0},
    FlagType.FLOAT: {"a": 0.5, "whole": 3, "off": -0.0},
    FlagType.OBJECT: {"a": {"k": [1, None, {"é": True}], "x": 2.5}, "list": [1, "x", []], "off": {}},
}


_ORDERS = (Operator.LESS, Operator.LESS_OR_EQUAL, Operator.GREATER, Operator.GREATER_OR_EQUAL)
_EQUALITIES = (Operator.EQUALS, Operator.NOT_EQUALS)
_AFFIXES = (Operator.STARTS_WITH, Operator.ENDS_WITH)


class FlagSetMaker:
    """Makes valid flag sets of every feature of the format."""

    def __init__(
        self,
        choices: Choices,
        *,
        paths: Sequence[Path] = PATHS,
        pools: Pools = POOLS,
        operators: Collection[Operator] = (),
    ) -> None:
        self.choices = choices
        self.paths = paths
        self.pools = pools
        moments = {parse_time(text) or 0: text for text in pools.times}
        self.rising = [moments[moment] for moment in sorted(moments)]
        self.makers = [make for make, made in _TEST_MAKERS if not operators or made & set(operators)]
        self.equalities = [operator for operator in _EQUALITIES if not operators or operator in operators]
        self.only_tests = False
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
        """Return one string flag of so many rules over tests alone, ``depth`` deep, most without gate or window."""
        self.only_tests = True
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
        kind = 0 if self.only_tests else self.choices.below(20)
        if kind == 19:
            return Constant(not rarely(self.choices, 2))
        if kind >= 17:
            return Has(pick(self.choices, (*self.paths, ("now",))))
        if kind >= 15 and self.segments:
            return InSegment(pick(self.choices, tuple(self.segments)))
        return self.test()

    def test(self) -> Test:
        """Return one test."""
        make = pick(self.choices, self.makers)
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
        pools = (
            ("", self.pools.strings),
            ("", self.pools.numbers),
            ("", (True, False)),
            ("i", self.pools.strings),
            ("v", self.pools.versions),
        )
        return Test(path, pick(self.choices, self.equalities), self._literals(pools, 1)[0])

    def _membership(self, path: Path) -> Test:
        if rarely(self.choices, 12):
            more = tuple(Literal(value) for value in MANY[: 60 + self.choices.below(20)])
            return Test(
                path,
                Operator.IN,
                more
                + (
                    self._literals((("", self.pools.numbers), ("i", self.pools.strings)), 2)
                    if rarely(self.choices, 2)
                    else ()
                ),
            )
        strings, numbers, booleans = ("", self.pools.strings), ("", self.pools.numbers), ("", (True, False))
        folded, versions, networks = (
            ("i", self.pools.strings),
            ("v", self.pools.versions),
            ("cidr", self.pools.networks),
        )
        mixtures = ((strings,), (strings, numbers, booleans, folded), (numbers,), (versions,), (networks,))
        pools = pick(self.choices, mixtures)
        return Test(path, Operator.IN, self._literals(pools))

    def _order(self, path: Path) -> Test:
        pools = (("", self.pools.numbers), ("v", self.pools.versions), ("t", self.pools.times))
        return Test(path, pick(self.choices, _ORDERS), self._literals(pools, 1)[0])

    def _contains(self, path: Path) -> Test:
        literals = self._literals(
            (
                ("", self.pools.strings),
                ("", self.pools.strings),
                ("i", self.pools.strings),
                ("", self.pools.numbers),
                ("", (True, False)),
            )
        )
        return Test(path, Operator.CONTAINS, literals[0] if len(literals) == 1 else literals)

    def _affix(self, path: Path) -> Test:
        literals = self._literals((("", self.pools.strings), ("i", self.pools.strings)))
        return Test(path, pick(self.choices, _AFFIXES), literals[0] if len(literals) == 1 else literals)

    def _pattern(self, path: Path) -> Test:
        return Test(path, Operator.MATCHES, Literal(pick(self.choices, self.pools.patterns)))

    def _clock(self, _: Path) -> Test:
        return Test(("now",), pick(self.choices, _ORDERS), Literal(pick(self.choices, self.pools.times), "t"))

    # --- segments and flags ---

    def _segment(self, name: str) -> Segment:
        if not rarely(self.choices, 3):
            return Segment(name=name, when=Condition(self.expression(2)))
        values: tuple[str | bool | int | float, ...] = tuple(
            literal.value
            for literal in self._literals((("", self.pools.strings), ("", self.pools.numbers), ("", (True, False))))
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
        start, end = sorted(self.choices.below(len(self.rising)) for _ in range(2))
        if start == end:
            return (None, self.rising[end]) if rarely(self.choices, 2) else (self.rising[start], None)
        return self.rising[start], self.rising[end]

    def _ramp(self) -> tuple[RampStep, ...]:
        times = [text for text in self.rising if not rarely(self.choices, 3)] or [self.rising[0]]
        return tuple(RampStep(text, pick(self.choices, PERCENTS)) for text in times)

    def _split(self, variants: Mapping[str, object]) -> Split:
        weights: Split = {name: pick(self.choices, WEIGHTS) for name in variants}
        return weights if any(weights.values()) else dict.fromkeys(variants, 1)


_TEST_MAKERS: tuple[tuple[Callable[[FlagSetMaker, Path], Test], set[Operator]], ...] = (
    (FlagSetMaker._equality, set(_EQUALITIES)),
    (FlagSetMaker._membership, {Operator.IN}),
    (FlagSetMaker._order, set(_ORDERS)),
    (FlagSetMaker._contains, {Operator.CONTAINS}),
    (FlagSetMaker._affix, set(_AFFIXES)),
    (FlagSetMaker._pattern, {Operator.MATCHES}),
    (FlagSetMaker._clock, set()),
    (FlagSetMaker._equality, set()),
    (FlagSetMaker._membership, set()),
)
"""How a test is made, and the operators by which it can be asked for alone."""
