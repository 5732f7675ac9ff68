"""A flag as rows and leaves: what an evaluation decides, in order (flag-format.md section 3, steps 3 to 6).

A row is a formula and the leaf that it leads to; the first true row wins and the last is always true. A rule whose gate
is a ramp can end in two leaves, because reason SPLIT stands only where a percentage below 100 took part.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from flagcore.bucketing import gate_threshold, reduce_weights, variant_identity
from flagcore.compiler.atoms import time_constant
from flagcore.compiler.formula import ALWAYS, NEVER, Formulas
from flagcore.compiler.lower import Collector, Lowering
from flagcore.compiler.options import Options
from flagcore.compiler.refusal import Refusal
from flagcore.compiler.value_objects import ValueObjects
from flagcore.compiler.views import BUCKETS, NOW, BucketableView, GateView, TimeView, View
from flagcore.model.flagset import Flag, Rule, Segment, Split
from flagcore.model.tree import Path

__all__ = ["Leaf", "LeafReason", "Plan", "Prerequisite", "Race", "Row", "gate_steps", "plan_flag", "race_of"]


class LeafReason(IntEnum):
    """FC_REASON_* of kernel.h."""

    STATIC = 0
    DEFAULT = 1
    TARGETING_MATCH = 2
    SPLIT = 3
    DISABLED = 4
    ERROR = 5


class Race(NamedTuple):
    """A split between two or more variants (bucketing.md 2.6)."""

    path: Path
    salt: str
    weights: tuple[tuple[str, int], ...]  # reduced, sorted by name in UTF-8 order
    base: str  # "split" or "percent"


class Leaf(NamedTuple):
    """How an evaluation ends; without ``variant`` and ``race`` with the caller's default value."""

    reason: LeafReason
    rule: int | None = None  # index into the flag's rules
    requirement: str | None = None  # the flag key of an unmet prerequisite
    variant: str | None = None
    race: Race | None = None


class Row(NamedTuple):
    """If ``formula`` holds and no earlier row does, the evaluation ends in ``leaf`` (index into Plan.leaves)."""

    formula: int
    leaf: int


class Prerequisite(NamedTuple):
    """Unless ``flag`` yields a variant of one of ``identities``, the evaluation ends in ``leaf``."""

    flag: str
    identities: tuple[int, ...]
    leaf: int


class Plan(NamedTuple):
    """What the graph is built from."""

    views: list[View]
    formulas: Formulas
    leaves: tuple[Leaf, ...]
    prerequisites: tuple[Prerequisite, ...]
    rows: tuple[Row, ...]
    segments: frozenset[str]  # named directly or by another


Steps = tuple[tuple[int | None, int], ...]
"""A gate over time: (from, microseconds since 1970 UTC, None: always; threshold in 0..1,000,000), ascending."""


def plan_flag(flag: Flag, segments: Mapping[str, Segment], objects: ValueObjects, options: Options) -> Plan:
    """Return rows and leaves of ``flag``; raises Refusal when they cannot be made."""
    return _Planner(flag, Collector(segments, objects, options)).plan()


def gate_steps(rule: Rule) -> Steps | None:
    """Return the rule's gate or ramp as steps, None when it has neither."""
    if rule.ramp is not None:
        return tuple((time_constant(step.at), gate_threshold(step.percent)) for step in rule.ramp)
    if rule.percent is not None:
        return ((None, gate_threshold(rule.percent)),)
    return None


def race_of(split: Split | None, path: Path, salt: str, base: str = "split") -> Race | str | None:
    """Return the race of a split, or the variant that has all the weight, or None without a split."""
    if split is None:
        return None
    weights = reduce_weights(split)
    if len(weights) == 1:
        return next(iter(weights))
    ordered = sorted(weights.items(), key=lambda item: item[0].encode())
    return Race(path, salt, tuple(ordered), base)


class _Planner:
    def __init__(self, flag: Flag, collector: Collector) -> None:
        self._flag = flag
        self._collector = collector
        self._leaves: dict[Leaf, int] = {}
        self._formulas = Formulas([])
        self._lowering = Lowering(self._collector, self._formulas)

    def plan(self) -> Plan:
        flag = self._flag
        if not flag.enabled:
            self._leaf(Leaf(LeafReason.DISABLED, variant=flag.off_variant))
            return self._finish((), (Row(ALWAYS, 0),))
        prerequisites = tuple(self._prerequisites())
        for index, rule in enumerate(flag.rules):
            with _Place("rules", index):
                self._collect(rule)
        self._collector.freeze()
        self._formulas = Formulas(self._collector.views.all)
        self._lowering = Lowering(self._collector, self._formulas)
        rows: list[Row] = []
        for index, rule in enumerate(flag.rules):
            with _Place("rules", index):
                rows += self._rule_rows(index, rule)
        rows.append(self._default_row())
        return self._finish(prerequisites, tuple(rows))

    def _finish(self, prerequisites: tuple[Prerequisite, ...], rows: tuple[Row, ...]) -> Plan:
        named = frozenset(self._collector.segments)
        return Plan(self._collector.views.all, self._formulas, tuple(self._leaves), prerequisites, rows, named)

    # -- the pieces of a flag

    def _prerequisites(self) -> list[Prerequisite]:
        found = []
        for requirement in self._flag.requires:
            identities = tuple(sorted(variant_identity(name) for name in requirement.accepted))
            variant = requirement.otherwise or self._flag.off_variant
            leaf = Leaf(LeafReason.TARGETING_MATCH, requirement=requirement.flag, variant=variant)
            found.append(Prerequisite(requirement.flag, identities, self._leaf(leaf)))
        return found

    def _default_row(self) -> Row:
        flag = self._flag
        if isinstance(flag.default, str):
            return Row(ALWAYS, self._leaf(Leaf(self._default_reason(), variant=flag.default)))
        with _Place("default"):
            race = race_of(flag.default, flag.bucket_by, self._salt())
        if isinstance(race, Race):
            return Row(ALWAYS, self._leaf(Leaf(LeafReason.SPLIT, race=race)))
        return Row(ALWAYS, self._leaf(Leaf(self._default_reason(), variant=race)))

    def _default_reason(self) -> LeafReason:
        return LeafReason.DEFAULT if self._flag.rules or self._flag.requires else LeafReason.STATIC

    def _rule_rows(self, index: int, rule: Rule) -> list[Row]:
        applies = ALWAYS if rule.when is None else self._lowering.lower(rule.when.tree)
        if rule.between is not None:
            applies = self._formulas.conjunction((applies, self._window(rule.between)))
        full, partial = self._gate_formulas(rule)
        race = race_of(rule.split, self._path(rule), self._salt(rule), rule.base)
        if isinstance(race, Race):
            inside = self._formulas.disjunction((self._with_subject(rule, full), partial))
            found = [(inside, Leaf(LeafReason.SPLIT, index, race=race))]
        else:
            variant = race or rule.serve
            found = [
                (full, Leaf(LeafReason.TARGETING_MATCH, index, variant=variant)),
                (partial, Leaf(LeafReason.SPLIT, index, variant=variant)),
            ]
        rows = [(self._formulas.conjunction((applies, inside)), leaf) for inside, leaf in found if inside != NEVER]
        return [Row(formula, self._leaf(leaf)) for formula, leaf in rows if formula != NEVER]

    # -- windows, gates, subjects

    def _collect(self, rule: Rule) -> None:
        """Register the constants of everything that a rule tests."""
        views = self._collector.views
        if rule.when is not None:
            self._collector.add(rule.when.tree)
        moments = [time_constant(text) for text in rule.between or () if text is not None]
        for start, threshold in gate_steps(rule) or ():
            moments += [] if start is None else [start]
            if 0 < threshold < BUCKETS:
                views.get(GateView, self._path(rule), self._salt(rule)).add(threshold)
        if moments:
            views.get(TimeView, NOW).add(moments)
        if rule.split is not None:
            views.get(BucketableView, self._path(rule))

    def _window(self, between: tuple[str | None, str | None]) -> int:
        start, end = between
        return self._during(
            None if start is None else time_constant(start),
            None if end is None else time_constant(end),
        )

    def _during(self, start: int | None, end: int | None) -> int:
        """``now`` lies in ``[start, end)``."""
        if start is None and end is None:
            return ALWAYS
        view = self._collector.views.get(TimeView, NOW)
        parts = [] if start is None else [self._formulas.literal(view.number, view.compare(">=", start))]
        parts += [] if end is None else [self._formulas.literal(view.number, view.compare("<", end))]
        return self._formulas.conjunction(parts)

    def _gate_formulas(self, rule: Rule) -> tuple[int, int]:
        """Return when everybody is inside, and when a percentage below 100 lets the subject in."""
        steps = gate_steps(rule)
        if steps is None:
            return ALWAYS, NEVER
        windows: dict[int, list[int]] = {}
        ends = [start for start, _ in steps[1:]] + [None]
        for (start, threshold), end in zip(steps, ends, strict=True):
            windows.setdefault(threshold, []).append(self._during(start, end))
        times = {threshold: self._formulas.disjunction(parts) for threshold, parts in sorted(windows.items())}
        partial = [self._inside(rule, threshold, when) for threshold, when in times.items() if 0 < threshold < BUCKETS]
        return times.get(BUCKETS, NEVER), self._formulas.disjunction(partial)

    def _inside(self, rule: Rule, threshold: int, when: int) -> int:
        view = self._collector.views.get(GateView, self._path(rule), self._salt(rule))
        return self._formulas.conjunction((when, self._formulas.literal(view.number, view.below(threshold))))

    def _with_subject(self, rule: Rule, formula: int) -> int:
        """A split needs a subject that can be bucketed; a gate below 100 has seen to that already."""
        view = self._collector.views.get(BucketableView, self._path(rule))
        return self._formulas.conjunction((formula, self._formulas.literal(view.number, view.members())))

    def _path(self, rule: Rule) -> Path:
        return rule.bucket_by or self._flag.bucket_by

    def _salt(self, rule: Rule | None = None) -> str:
        own = rule.salt if rule is not None else None
        inherited = self._flag.key if self._flag.salt is None else self._flag.salt
        return inherited if own is None else own

    def _leaf(self, leaf: Leaf) -> int:
        return self._leaves.setdefault(leaf, len(self._leaves))


class _Place:
    """Names the part of the flag that a refusal is about; a ValueError of the arithmetic becomes one."""

    def __init__(self, *place: str | int) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Refusal):
            error.place = error.place or self._place
        elif isinstance(error, ValueError):
            raise Refusal("out-of-range", str(error), place=self._place) from error
