"""Running the tests beside the rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flagcore.model import FlagSet, build_flag_set
from flagcore.testing.scenarios import Outcome, default_tolerance, run_scenarios


def flag_set(*tests: dict[str, Any], **flag: Any) -> FlagSet:
    """Return a set with one flag ``f`` that has these tests."""
    rules = [
        {"id": "de", "when": 'country == "DE"', "serve": "on"},
        {"id": "gate", "when": 'plan == "pro"', "percent": 20, "serve": "on", "bucket_by": "tenant.id"},
        {"id": "later", "between": ["2030-01-01T00:00:00Z", None], "serve": "on"},
    ]
    whole = {"type": "boolean", "default": "off", "rules": rules, "tests": list(tests), **flag}
    return build_flag_set({"schema": "flagcore/v1", "flags": {"f": whole}}).flag_set


def run(*tests: dict[str, Any], **flag: Any) -> list[Outcome]:
    """Return the outcomes as of 2026."""
    return list(run_scenarios(flag_set(*tests, **flag), now=1_767_225_600_000_000))


@pytest.mark.parametrize(
    "test",
    [
        {"given": {"country": "DE"}, "expect": "on"},
        {"given": {"country": "DE"}, "expect": "on", "rule": "de", "reason": "TARGETING_MATCH"},
        {"given": {}, "expect": "off", "reason": "DEFAULT"},
        {"given": {}, "expect": "on", "at": "2030-01-01T00:00:00Z", "rule": "later"},
        {"given": {}, "expect": "off", "at": "2029-12-31T23:59:59Z"},
        {"given": {"plan": "pro"}, "population": 5000, "by": "tenant.id", "expect": {"on": 20, "off": 80}},
        {"given": {"plan": "pro"}, "population": 5000, "by": "tenant.id", "expect": {"on": "20%"}, "tolerance": "2%"},
        {"given": {"country": "DE"}, "population": 100, "expect": "on", "rule": "de"},
        {"given": {"country": "DE"}, "population": 100, "expect": {"on": 100, "off": 0}},
    ],
)
def test_right_expectations_pass(test: dict[str, Any]) -> None:
    """Variant, rule, reason and time of plain cases, and shares of populations, hold where they are right."""
    (outcome,) = run(test)
    assert outcome.passed, outcome
    assert (outcome.failing, outcome.explanation) == (None, None)


@pytest.mark.parametrize(
    ("test", "actual"),
    [
        ({"given": {"country": "DE"}, "expect": "off"}, "on by rule de, TARGETING_MATCH"),
        ({"given": {"country": "DE"}, "expect": "on", "rule": "gate"}, "on by rule de, TARGETING_MATCH"),
        ({"given": {}, "expect": "off", "reason": "STATIC"}, "off, DEFAULT"),
        ({"given": {}, "expect": "off", "at": "2031-01-01T00:00:00Z"}, "on by rule later, TARGETING_MATCH"),
        ({"given": {"country": "DE"}, "population": 100, "expect": {"on": 50, "off": 50}}, "on 100%"),
        ({"given": {"country": "DE"}, "population": 10, "expect": "off"}, "on 100%"),
        ({"given": {}, "population": 10, "expect": "off", "rule": "de"}, "off, DEFAULT for subject-0"),
    ],
)
def test_wrong_expectations_fail_with_what_came(test: dict[str, Any], actual: str) -> None:
    """A failure says what came, shows the first context that went wrong, and explains it."""
    (outcome,) = run(test)
    assert (outcome.passed, outcome.actual) == (False, actual)
    assert outcome.failing is not None
    assert str(outcome.explanation)


def test_share_beyond_the_default_tolerance() -> None:
    """A share that is off by more than four standard deviations fails; the shown subject is one of too many."""
    test = {"given": {"plan": "pro"}, "population": 5000, "by": "tenant.id", "expect": {"on": 30, "off": 70}}
    (outcome,) = run(test)
    assert not outcome.passed
    assert outcome.expected.startswith("on 30% ±2.6")
    assert "off" in str(outcome.explanation)


def test_named_tolerance_counts() -> None:
    """The tolerance of the author counts instead of the default one, in percent points."""
    wide = {"given": {"plan": "pro"}, "population": 5000, "by": "tenant.id", "expect": {"on": 30}, "tolerance": 15}
    narrow = {**wide, "expect": {"on": 20.5}, "tolerance": 0.01}
    assert [outcome.passed for outcome in run(wide, narrow)] == [True, False]


def test_subjects_are_the_same_in_every_run() -> None:
    """Populations are deterministic: two runs give the same shares."""
    test = {"given": {"plan": "pro"}, "population": 1000, "by": "tenant.id", "expect": {"on": 20}}
    assert run(test) == run(test)


def test_population_by_the_flags_own_attribute() -> None:
    """Without ``by`` the subjects differ in the attribute by which the flag buckets."""
    rules = [{"id": "half", "percent": 50, "serve": "on"}]
    test = {"given": {}, "population": 2000, "expect": {"on": 50, "off": 50}}
    (outcome,) = run(test, rules=rules, bucket_by="device.serial")
    assert outcome.passed


def test_default_value_has_no_variant() -> None:
    """A flag that hands out the caller's default value has no variant, and is shown so."""
    (outcome,) = run({"given": {}, "expect": "on"}, enabled=False, variants={"on": True}, default="on", rules=[])
    assert (outcome.passed, outcome.actual) == (False, "(default value), DISABLED")


@pytest.mark.parametrize(
    ("patterns", "keys"), [((), "ab"), (("a",), "a"), (("*",), "ab"), (("b*", "x"), "b"), (("x",), "")]
)
def test_selection(patterns: tuple[str, ...], keys: str) -> None:
    """Tests are selected by flag keys and patterns."""
    flags = {key: {"type": "boolean", "default": "on", "tests": [{"given": {}, "expect": "on"}]} for key in "ab"}
    both = build_flag_set({"schema": "flagcore/v1", "flags": flags}).flag_set
    assert "".join(outcome.flag_key for outcome in run_scenarios(both, select=patterns)) == keys


def test_progress() -> None:
    """Progress is told before each test and at the end."""
    told: list[tuple[int, int]] = []
    tests = [{"given": {}, "expect": "off"}] * 2
    tell: Callable[[int, int], None] = lambda done, total: told.append((done, total))  # noqa: E731
    list(run_scenarios(flag_set(*tests), progress=tell))
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_default_tolerance() -> None:
    """Four standard deviations: nothing may stray from 0 % and 100 %, and more subjects allow less."""
    assert default_tolerance(0, 100) == default_tolerance(100, 100) == 0
    assert default_tolerance(50, 10_000) == pytest.approx(2.0)
    assert default_tolerance(5, 20_000) < default_tolerance(5, 200)


def test_given_is_not_changed() -> None:
    """Running tests leaves the author's data as it is."""
    flags = flag_set({"given": {"tenant": {"id": "t"}}, "population": 3, "by": "tenant.id", "expect": "off"})
    list(run_scenarios(flags))
    assert flags.flags["f"].tests[0].given == {"tenant": {"id": "t"}}
