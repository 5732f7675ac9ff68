"""The conformance vectors, run on the readable twin and on the compiled engine (tests/conformance/README.md)."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from flagcore.compiler import compile_flag_set
from flagcore.engine import Engine
from flagcore.errors import FlagSetError
from flagcore.model import build_flag_set, loads
from flagcore.model.flagset import FlagSet
from flagcore.reference import Resolution, Twin
from flagcore.terms import ErrorCode, FlagType, Reason
from tests.support import vectors

CASES = [
    pytest.param(name, case, id=f"{name}:{case['id']}")
    for name in vectors.files_of_cases()
    for case in vectors.read(name)["cases"]
]
REFUSED = vectors.read("refused")["cases"]


class Clock:
    """A clock that shows what a case says."""

    now = 0

    def __call__(self) -> int:
        return self.now


@cache
def flag_set_of(name: str) -> FlagSet:
    """Return the flag set of a vector file."""
    return build_flag_set(vectors.read(name)["flag_set"]).flag_set


@cache
def engine_of(name: str) -> tuple[Engine, Clock]:
    """Return an engine that serves the flag set of a vector file, and its clock."""
    clock = Clock()
    engine = Engine(clock=clock)
    engine.load(compile_flag_set(flag_set_of(name)).snapshot)
    assert not engine.degraded
    return engine, clock


def expected(case: dict[str, Any]) -> Resolution:
    """Return what the case expects, spelled out."""
    expect = case["expect"]
    error_code = None if expect["error_code"] is None else ErrorCode(expect["error_code"])
    return Resolution(
        vectors.decode(expect["value"]), expect["variant"], Reason(expect["reason"]), error_code, expect["rule"]
    )


def check(found: Resolution, case: dict[str, Any]) -> None:
    """Compare field by field, values with their types."""
    wanted = expected(case)
    assert found[1:] == wanted[1:], case["spec"]
    assert vectors.same(found.value, wanted.value), case["spec"]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_twin(name: str, case: dict[str, Any]):
    """The readable twin gives the value, variant, reason, error code and rule of the vector."""
    default, context = vectors.decode(case["default"]), vectors.decode(case["context"])
    found = Twin(flag_set_of(name)).evaluate(
        case["flag"], default, context, type=FlagType(case["type"]), at=vectors.moment(case["at"])
    )
    check(found, case)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_engine(name: str, case: dict[str, Any]):
    """The compiled engine gives the value, variant, reason, error code and rule of the vector, by both kinds of getters."""
    engine, clock = engine_of(name)
    clock.now = vectors.moment(case["at"])
    default, context = vectors.decode(case["default"]), vectors.decode(case["context"])
    details = getattr(engine, f"get_{case['type']}_details")(case["flag"], default, context)
    rule = details.flag_metadata.get("flagcore.rule")
    check(Resolution(details.value, details.variant, details.reason, details.error_code, rule), case)
    value = getattr(engine, f"get_{case['type']}_value")(case["flag"], default, vectors.decode(case["context"]))
    assert vectors.same(value, details.value)


def test_no_data():
    """Before the first data and after the end the caller's default value is served, ERROR, PROVIDER_NOT_READY (step 0)."""
    engine, default = Engine(), object()

    def check_not_ready() -> None:
        details = engine.get_object_details("any", default, 5)
        assert (details.value, details.variant) == (default, None)
        assert (details.reason, details.error_code) == (Reason.ERROR, ErrorCode.PROVIDER_NOT_READY)

    check_not_ready()
    engine.load(compile_flag_set(flag_set_of("lookup")).snapshot)
    assert engine.get_string_value("any", "d") == "A"
    engine.close()
    check_not_ready()


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["id"])
def test_refused(case: dict[str, Any]):
    """A document with a fault is refused, and each problem is reported with its code and place; warnings refuse nothing."""
    try:
        loaded = (
            loads(case["text"], case["format"]) if "text" in case else build_flag_set(vectors.decode(case["document"]))
        )
        problems = loaded.problems
        accepted = True
    except FlagSetError as error:
        problems = error.problems
        accepted = False
    found = [{"code": problem.code, "path": problem.path, "severity": problem.severity.value} for problem in problems]
    assert found == case["problems"], case["spec"]
    assert accepted == all(problem["severity"] == "warning" for problem in case["problems"])
    assert all(problem.message for problem in problems)
