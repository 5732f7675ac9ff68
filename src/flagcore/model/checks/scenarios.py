"""The ``tests`` of flags (flag-format.md section 5)."""

from __future__ import annotations

from collections.abc import Iterator

from flagcore.model.checks.finding import error, shown, unknown, unknown_variant
from flagcore.model.flagset import Flag, Scenario
from flagcore.model.literals import parse_time
from flagcore.model.problems import DocumentPath, Finding
from flagcore.terms import Reason

__all__ = ["MAX_POPULATION", "check_scenarios"]

MAX_POPULATION = 10_000_000
_SLACK = 1e-6  # of shares that were written with few digits, in percent points


def check_scenarios(flag: Flag) -> Iterator[Finding]:
    """Variants, rules and reasons that exist, times, and shares of populations."""
    for index, scenario in enumerate(flag.tests):
        path: DocumentPath = ("flags", flag.key, "tests", index)
        if isinstance(scenario.expect, str):
            yield from unknown_variant(flag, scenario.expect, (*path, "expect"))
        else:
            yield from _check_shares(flag, scenario.expect, (*path, "expect"))
        yield from _check_names(flag, scenario, path)
        yield from _check_population(scenario, path)


def _check_shares(flag: Flag, shares: dict[str, int | float], path: DocumentPath) -> Iterator[Finding]:
    for name, share in shares.items():
        yield from unknown_variant(flag, name, (*path, name))
        if not 0 <= share <= 100:
            yield error("out-of-range", f"{share} is not a share from 0 to 100 %", (*path, name))
    if not shares:
        yield error("empty-list", "shares name at least one variant", path)
    elif sum(shares.values()) > 100 + _SLACK:
        yield error("out-of-range", "the shares add up to more than 100 %", path)


def _check_names(flag: Flag, scenario: Scenario, path: DocumentPath) -> Iterator[Finding]:
    if scenario.at is not None and parse_time(scenario.at) is None:
        yield error(
            "bad-time", f"{shown(scenario.at)} is not a time with offset", (*path, "at"), "such as 2026-12-09T00:00:00Z"
        )
    if scenario.rule is not None:
        known = [*(rule.id for rule in flag.rules), *(f"requires:{requirement.flag}" for requirement in flag.requires)]
        if scenario.rule not in known:
            message = f"the flag has no rule {shown(scenario.rule)}"
            yield unknown("unknown-rule", message, (*path, "rule"), scenario.rule, known)
    if scenario.reason is not None and scenario.reason not in Reason.__members__.values():
        message, hint = f"{shown(scenario.reason)} is not a reason", "the reasons are " + ", ".join(Reason)
        yield unknown("bad-value", message, (*path, "reason"), scenario.reason, tuple(Reason), hint)


def _check_population(scenario: Scenario, path: DocumentPath) -> Iterator[Finding]:
    is_shares = not isinstance(scenario.expect, str)
    if is_shares and scenario.population is None:
        yield error("bad-test", "shares are expected of a population", path, "add population: 20000")
    if scenario.population is not None and not 1 <= scenario.population <= MAX_POPULATION:
        yield error("out-of-range", f"a population has 1 to {MAX_POPULATION:,} subjects", (*path, "population"))
    if scenario.tolerance is not None and not 0 <= scenario.tolerance <= 100:
        yield error("out-of-range", "a tolerance is 0 to 100 percent points", (*path, "tolerance"))
    if scenario.population is None:
        for name in ("by", "tolerance"):
            if getattr(scenario, name) is not None:
                yield error("bad-test", f"`{name}` belongs to a population", (*path, name), "add population: 20000")
    elif is_shares and (scenario.rule is not None or scenario.reason is not None):
        name = "rule" if scenario.rule is not None else "reason"
        yield error(
            "bad-test", f"`{name}` belongs to a single evaluation, not to shares of a population", (*path, name)
        )
