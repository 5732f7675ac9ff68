"""Run the tests that stand beside the rules (docs/design/flag-format.md section 5).

A plain case evaluates one context. A population evaluates ``population`` contexts that differ in the attribute
``by`` (the flag's ``bucket_by`` where it is left out): ``subject-0``, ``subject-1``, ... so that every run sees the
same subjects.

Shares of a population may stray from the expected ones by ``tolerance`` percent points. Without it, by four standard
deviations of a fair draw, 400 * sqrt(p * (1 - p) / population): a right rollout strays farther once in 16,000
populations, and the subjects being always the same, it either always or never does. Where 0 % or 100 % is expected
nothing may stray. Variants that ``expect`` does not name are not looked at. ``rule`` and ``reason`` must hold for every
subject.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import msgspec

from flagcore.compiler import compile_flag_set
from flagcore.engine import Engine, EvaluationDetails
from flagcore.model import Flag, FlagSet, Scenario
from flagcore.model.literals import parse_time
from flagcore.model.tree import Path, flat_key

if TYPE_CHECKING:
    from flagcore.engine import Explanation

__all__ = ["Outcome", "default_tolerance", "run_scenarios"]

RULE = "flagcore.rule"
NO_VARIANT = "(default value)"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one test expected and what came."""

    flag_key: str
    index: int  # position among the flag's tests, from 0
    passed: bool
    given: dict[str, object]
    expected: str
    actual: str
    population: int | None = None
    failing: dict[str, object] | None = None  # the first context that went wrong
    explanation: Explanation | None = None  # of that context


class _Miss(msgspec.Struct, frozen=True):
    """Why a test failed: what came, and a context that shows it."""

    actual: str
    context: dict[str, object]


def run_scenarios(
    flag_set: FlagSet,
    *,
    engine: Engine | None = None,
    select: Iterable[str] = (),
    now: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Outcome]:
    """Yield the outcome of each test, in the order of the flags.

    Args:
        flag_set: where the tests stand.
        engine: one that has loaded ``flag_set``; without it the set is compiled here.
        select: flag keys or patterns such as ``checkout.*``; all flags when empty.
        now: the time of tests without ``at``, in microseconds since 1970 UTC; default: now, once for all tests.
        progress: called with the number of tests done and in all.
    """
    patterns = tuple(select)
    cases = [
        (flag, index, scenario)
        for flag in flag_set.flags.values()
        if not patterns or any(fnmatchcase(flag.key, pattern) for pattern in patterns)
        for index, scenario in enumerate(flag.tests)
    ]
    engine = engine or _engine(flag_set)
    now = time.time_ns() // 1000 if now is None else now
    for done, (flag, index, scenario) in enumerate(cases):
        if progress is not None:
            progress(done, len(cases))
        yield _Run(engine, flag, scenario, now).outcome(index)
    if progress is not None:
        progress(len(cases), len(cases))


def _engine(flag_set: FlagSet) -> Engine:
    engine = Engine()
    engine.load(compile_flag_set(flag_set, debug="when asked").snapshot)
    return engine


def default_tolerance(percent: float, population: int) -> float:
    """Return how far a share may stray, in percent points: four standard deviations."""
    share = min(1.0, max(0.0, percent / 100))
    return 400 * math.sqrt(share * (1 - share) / population)


class _Run:
    """One test and what it needs."""

    def __init__(self, engine: Engine, flag: Flag, scenario: Scenario, now: int) -> None:
        self.engine, self.flag, self.scenario = engine, flag, scenario
        at = parse_time(scenario.at) if scenario.at is not None else now
        if at is None:
            raise ValueError(f"{flag.key}: {scenario.at!r} is no time")
        self.at = at

    def outcome(self, index: int) -> Outcome:
        """Evaluate and judge."""
        scenario = self.scenario
        judge = self._single if scenario.population is None else self._population
        actual, miss = judge()
        return Outcome(
            flag_key=self.flag.key,
            index=index,
            passed=miss is None,
            given=scenario.given,
            expected=self._expected(),
            actual=actual if miss is None else miss.actual,
            population=scenario.population,
            failing=None if miss is None else miss.context,
            explanation=None if miss is None else self.engine.explain(self.flag.key, miss.context, self.at),
        )

    def _evaluate(self, context: dict[str, object]) -> EvaluationDetails:
        return self.engine.evaluate(self.flag.key, None, context, self.at)

    # -- one context ------------------------------------------------------------------------------------------------

    def _single(self) -> tuple[str, _Miss | None]:
        context = dict(self.scenario.given)
        details = self._evaluate(context)
        actual = _spoken(details)
        expect = self.scenario.expect
        wanted = {expect} if isinstance(expect, str) else {name for name, share in expect.items() if share > 0}
        right = details.variant in wanted and self._decided_as_wanted(details)
        return actual, None if right else _Miss(actual, context)

    def _decided_as_wanted(self, details: EvaluationDetails) -> bool:
        rule, reason = self.scenario.rule, self.scenario.reason
        return (rule is None or details.flag_metadata.get(RULE) == rule) and (
            reason is None or details.reason == reason
        )

    # -- a population -----------------------------------------------------------------------------------------------

    def _contexts(self) -> Iterator[dict[str, object]]:
        by: Path = self.scenario.by or self.flag.bucket_by
        key = flat_key(by)
        for number in range(self.scenario.population or 0):
            yield {**self.scenario.given, key: f"subject-{number}"}

    def _population(self) -> tuple[str, _Miss | None]:
        counts: Counter[str | None] = Counter()
        first: dict[str | None, dict[str, object]] = {}
        for context in self._contexts():
            details = self._evaluate(context)
            if not self._decided_as_wanted(details):
                return "", _Miss(f"{_spoken(details)} for {_last(context)}", context)
            counts[details.variant] += 1
            first.setdefault(details.variant, context)
        return self._judge_shares(counts, first)

    def _judge_shares(
        self, counts: Counter[str | None], first: dict[str | None, dict[str, object]]
    ) -> tuple[str, _Miss | None]:
        total = counts.total()
        shares = {variant: 100 * count / total for variant, count in counts.items()}
        actual = ", ".join(f"{variant or NO_VARIANT} {share:.4g}%" for variant, share in _by_share(shares))
        wanted = self._wanted()
        excess = {name: shares.get(name, 0.0) - share for name, share in wanted.items()}
        if all(abs(off) <= self._tolerance(wanted[name]) for name, off in excess.items()):
            return actual, None
        strays = {variant: share - wanted.get(variant or "", 0.0) for variant, share in shares.items()}
        return actual, _Miss(actual, first[max(strays, key=lambda variant: strays[variant])])

    def _wanted(self) -> dict[str, float]:
        expect = self.scenario.expect
        return {expect: 100.0} if isinstance(expect, str) else {name: float(share) for name, share in expect.items()}

    def _tolerance(self, percent: float) -> float:
        given = self.scenario.tolerance
        return default_tolerance(percent, self.scenario.population or 1) if given is None else float(given) + 1e-9

    # -- words ------------------------------------------------------------------------------------------------------

    def _expected(self) -> str:
        scenario = self.scenario
        if isinstance(scenario.expect, str):
            what = scenario.expect
        else:
            what = ", ".join(f"{name} {share:g}%{self._margin(share)}" for name, share in scenario.expect.items())
        return (
            what
            + (f" by rule {scenario.rule}" if scenario.rule else "")
            + (f", {scenario.reason}" if scenario.reason else "")
        )

    def _margin(self, percent: float) -> str:
        return f" ±{self._tolerance(percent):.2g}" if self.scenario.population else ""


def _spoken(details: EvaluationDetails) -> str:
    """Return variant, rule and reason in a row."""
    rule = details.flag_metadata.get(RULE)
    decided = f" by rule {rule}" if rule else ""
    error = f" ({details.error_code})" if details.error_code else ""
    return f"{details.variant or NO_VARIANT}{decided}, {details.reason}{error}"


def _last(context: dict[str, Any]) -> object:
    return context[next(reversed(context))]


def _by_share(shares: dict[str | None, float]) -> list[tuple[str | None, float]]:
    return sorted(shares.items(), key=lambda item: -item[1])
