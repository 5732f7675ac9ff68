"""How Python values are read (docs/design/kernel.md section 3): by their own type, without running their code."""

from __future__ import annotations

import datetime
import enum
import sys
import uuid
from collections import OrderedDict, UserDict, defaultdict
from types import MappingProxyType, SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from flagcore import bucketing
from flagcore.context import EvaluationContext
from flagcore.engine import Engine
from tests.support.engines import boolean, engine_of

HALF = {"type": "boolean", "default": "off", "rules": [{"id": "r", "percent": 50, "serve": "on"}]}


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Flags of one test each, for one kind of value each."""
    return engine_of(
        {
            "text": boolean('a == "Grüße"'),
            "ascii": boolean('a == "abc"'),
            "not-text": boolean('a != "abc"'),
            "number": boolean("a > 5"),
            "one": boolean("a == 1"),
            "big": boolean("a == 9007199254740993"),
            "boolean": boolean("a == true"),
            "has": boolean("has(a)"),
            "nested": boolean('a.b.c == "x"'),
            "time": boolean('a >= t"2026-01-01T00:00:00Z"'),
            "list": boolean('a contains "ü"'),
            "numbers": boolean("a contains 2"),
            "key": boolean('targetingKey == "u-1"'),
            "half": HALF,
            "draw": {"type": "string", "variants": {c: c for c in "abc"}, "default": {"a": 1, "b": 1, "c": 1}},
        }
    )


class Text(str):
    """A str whose own comparisons, hash and conversions raise."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError

    def __str__(self) -> str:
        raise RuntimeError

    def encode(self, *_: object) -> bytes:
        raise RuntimeError


class Number(int):
    """An int whose own arithmetic raises."""

    def __index__(self) -> int:
        raise RuntimeError

    __int__ = __abs__ = __eq__ = __divmod__ = __repr__ = __str__ = __lt__ = __index__
    __hash__ = int.__hash__


class Level(enum.IntEnum):
    HIGH = 9


class Plan(enum.StrEnum):
    ABC = "abc"


@pytest.mark.parametrize(
    ("flag", "value", "expected"),
    [
        ("text", "Grüße", True),
        ("text", "Gruesse", False),
        ("text", Text("Grüße"), True),
        ("ascii", Text("abc"), True),
        ("ascii", Plan.ABC, True),
        ("ascii", "ab\ud800", False),
        ("not-text", "ab\ud800", False),
        ("not-text", "\u4e2d\U0001f600", True),
        ("number", 6, True),
        ("number", Number(6), True),
        ("number", Level.HIGH, True),
        ("number", 2**62, True),
        ("number", 2**64, False),
        ("number", True, False),
        ("number", float("nan"), False),
        ("number", float("inf"), True),
        ("one", True, False),
        ("one", 1.0, True),
        ("boolean", 1, False),
        ("boolean", True, True),
        ("big", 2**53 + 1, True),
        ("big", 2.0**53, False),
        ("has", None, False),
        ("has", [], True),
        ("has", object(), True),
        ("list", ["ü"], True),
        ("list", ("ü",), True),
        ("list", {"ü"}, True),
        ("list", frozenset(["ü"]), True),
        ("list", [["ü"]], False),
        ("list", {"ü": 1}, False),
        ("list", iter(["ü"]), False),
        ("list", "grün", True),
        ("numbers", [1, 2.0], True),
        ("numbers", [True, 10**30, float("nan"), None, object()], False),
        ("numbers", list(range(5000)), True),
        ("numbers", b"\x02", False),
        ("time", datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), True),
        ("time", datetime.datetime(2026, 1, 1, 0, 30, tzinfo=ZoneInfo("Europe/Berlin")), False),
        ("time", datetime.datetime(2027, 1, 1), False),  # noqa: DTZ001 - naive on purpose
        ("time", datetime.date(2027, 1, 1), False),
        ("time", 2**50, False),
    ],
    ids=lambda value: value.encode("ascii", "replace").decode() if type(value) is str else type(value).__name__,
)
def test_values(engine: Engine, flag: str, value: object, expected: bool):
    """Each value is read as the table says, in a plain dict, another mapping and a reusable context alike."""
    mappings = (
        {"a": value},
        OrderedDict(a=value),
        MappingProxyType({"a": value}),
        EvaluationContext(None, {"a": value}),
    )
    for context in (*mappings, engine.context({"a": value})):
        assert engine.get_boolean_value(flag, not expected, context) is expected


@pytest.mark.parametrize(
    "subject",
    ["u", "Ünïcode", "\U0001f600", "\ud800x", 42, -7, Number(42), 42.0, -0.0, 2.0**53, 2**63, -(2**70), 10**4299, b"raw",
     uuid.uuid5(uuid.NAMESPACE_DNS, "x")],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_subjects(engine: Engine, subject: object):
    """What is bucketed lies where bucketing.py says, for gate and split."""
    expected = bucketing.subject_bytes(subject)
    assert expected
    position = bucketing.position("half", expected)
    context = {"targetingKey": subject}
    assert engine.get_boolean_value("half", False, context) is (bucketing.bucket(position) < 500_000)
    winner = bucketing.choose(bucketing.position("draw", expected), {"a": 1, "b": 1, "c": 1})
    assert engine.get_string_value("draw", "", context) == winner


@pytest.mark.parametrize(
    "subject",
    [True, 1.5, float("nan"), None, "", b"", 10**4300, [1], {}, object(), datetime.date(2026, 1, 1), 2.0**54],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_subject(engine: Engine, subject: object):
    """What cannot be bucketed is inside no gate, and leaves a split to the caller's default value."""
    assert engine.get_boolean_value("half", True, {"targetingKey": subject}) is False
    details = engine.get_string_details("draw", "mine", {"targetingKey": subject})
    assert (details.value, details.reason, details.error_code) == ("mine", "ERROR", "TARGETING_KEY_MISSING")


def test_integers_beyond_the_interpreters_limit_of_digits(engine: Engine):
    """A low limit on int-to-text conversion changes nothing, and nothing is raised."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        expected = bucketing.bucket(bucketing.position("half", b"1" + b"0" * 4000)) < 500_000
        assert engine.get_boolean_value("half", False, {"targetingKey": 10**4000}) is expected
    finally:
        sys.set_int_max_str_digits(before)


def test_long_texts_leave_nothing_behind(engine: Engine):
    """A long non-ASCII text is read without a second copy being kept inside it."""
    text = "ü" * 100_000
    before = sys.getsizeof(text)
    assert engine.get_boolean_value("text", True, {"a": text}) is False
    assert sys.getsizeof(text) == before


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"a": {"b": {"c": "x"}}}, True),
        ({"a.b.c": "x"}, True),
        ({"a.b.c": None, "a": {"b": {"c": "x"}}}, False),
        ({"a": {"b": OrderedDict(c="x")}}, True),
        ({"a": MappingProxyType({"b": {"c": "x"}})}, True),
        ({"a": {"b": "x"}}, False),
        ({"a": {"b.c": "x"}}, False),
        ({"a": [{"b": 1}]}, False),
        (UserDict({"a": {"b": {"c": "x"}}}), True),
        (defaultdict(dict, {}), False),
    ],
)
def test_paths(engine: Engine, context: object, expected: bool):
    """The flat key decides first, then each name is a level through mappings."""
    assert engine.get_boolean_value("nested", not expected, context) is expected


def test_default_dicts_stay_as_they_are(engine: Engine):
    """Looking at a defaultdict adds nothing to it."""
    context: defaultdict[str, dict[str, object]] = defaultdict(dict)
    engine.get_boolean_value("nested", False, context)
    assert not context


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"targetingKey": "u-1"}, True),
        (EvaluationContext("u-1"), True),
        (EvaluationContext("u-1", {"targetingKey": "u-2"}), True),
        (EvaluationContext(None, {"targetingKey": "u-1"}), True),
        (SimpleNamespace(targeting_key="u-1", attributes={}), True),
        (SimpleNamespace(targeting_key="u-1", attributes=None), True),
        (SimpleNamespace(targeting_key=None, attributes={"targetingKey": "u-1"}), True),
        (None, False),
    ],
)
def test_the_targeting_key(engine: Engine, context: object, expected: bool):
    """The targeting key is an ordinary attribute; that of an evaluation context comes before one among the attributes."""
    assert engine.get_boolean_value("key", not expected, context) is expected
    if context is not None:
        assert engine.get_boolean_value("key", not expected, engine.context(context)) is expected


@pytest.mark.parametrize("context", [5, "text", [("a", 1)], object(), SimpleNamespace(targeting_key="u"),
                                     SimpleNamespace(targeting_key="u", attributes=3)])  # fmt: skip
def test_what_is_no_context(engine: Engine, context: object):
    """Anything else is INVALID_CONTEXT and gives the caller's default value."""
    details = engine.get_boolean_details("one", True, context)
    assert (details.value, details.error_code, details.variant) == (True, "INVALID_CONTEXT", None)
    with pytest.raises(TypeError, match="no evaluation context"):
        engine.context(context)
