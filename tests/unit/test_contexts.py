"""Contexts of every make: dictionaries, mappings and objects that are found, missed or survived, by the twin and by the engine alike."""

from __future__ import annotations

import types
from collections import ChainMap, OrderedDict, UserDict, defaultdict
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from functools import cache

import pytest

from flagcore.context import EvaluationContext
from flagcore.model import build_flag_set
from flagcore.reference import Twin
from flagcore.terms import ErrorCode
from flagcore.testing.hostile import HostileText, Raising, Thing
from tests.support.equality import Asked, assert_equal_answers

CONDITIONS = {"name": 'x == "a"', "path": 'a.b == "a"', "time": 'x > t"2026-01-01T00:00:00Z"'}


@cache
def evaluators() -> tuple[Twin, Asked]:
    """Return twin and engine of a flag a condition, whose variants are true, false and unknown."""
    flags = {
        name: {
            "type": "string",
            "variants": {"true": "true", "false": "false", "unknown": "unknown"},
            "default": "unknown",
            "rules": [{"id": "t", "when": when, "serve": "true"}, {"id": "f", "when": f"not {when}", "serve": "false"}],
        }
        for name, when in CONDITIONS.items()
    }
    flag_set = build_flag_set({"schema": "flagcore/v1", "flags": flags}).flag_set
    return Twin(flag_set), Asked(flag_set)


class Name(StrEnum):
    X = "x"
    A = "a"
    AB = "a.b"


class Text(str):
    """A string of a class of its own."""


class Foreign:
    """A key that stands where a name stands and raises when it is compared."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")


class Equal(Foreign):
    """A key that says it equals a name."""

    __hash__ = Foreign.__hash__

    def __eq__(self, other: object) -> bool:
        return self.name == other


class Inventing(dict):
    def __missing__(self, name: str) -> object:
        return "a"


class Indexed(dict):
    def __getitem__(self, name: str) -> object:
        return "a"


class Unwilling(dict):
    def get(self, *_: object) -> object:
        raise KeyError


class ForeignContext:
    """As OpenFeature's: the two attributes are all that is asked for."""

    def __init__(self, targeting_key: object, attributes: object) -> None:
        self.targeting_key = targeting_key
        self.attributes = attributes


class Stubborn:
    attributes: dict = {}  # noqa: RUF012

    @property
    def targeting_key(self) -> str:
        raise RuntimeError("asked")


class Liar:
    """Says that it is a dict."""

    __class__ = dict  # type: ignore[assignment]


class Zone(tzinfo):
    def __init__(self, offset: object) -> None:
        self.offset = offset

    def utcoffset(self, _: object) -> timedelta:
        return self.offset  # type: ignore[return-value]


class Moment(datetime):
    def utcoffset(self) -> timedelta:
        raise RuntimeError("asked")

    __sub__ = __lt__ = timestamp = utcoffset  # type: ignore[assignment]


def at(*fields: int, zone: tzinfo | None = UTC) -> dict[str, object]:
    """Return a context whose ``x`` is a datetime."""
    return {"x": datetime(*fields, tzinfo=zone)}


FOUND = [
    ("name", {Name.X: "a"}, "true"),
    ("name", {Text("x"): Text("b")}, "false"),
    ("name", {Equal("x"): "a"}, "true"),
    ("name", {Foreign("x"): "a"}, "unknown"),
    ("name", {1: 2, None: 3, (4, 5): 6, "x": "a"}, "true"),
    ("name", OrderedDict(x="a"), "true"),
    ("name", ChainMap({}, {"x": "a"}), "true"),
    ("name", UserDict(x="b"), "false"),
    ("name", types.MappingProxyType({"x": "a"}), "true"),
    ("name", defaultdict(lambda: "a"), "unknown"),
    ("name", Inventing(), "unknown"),
    ("name", Indexed(), "unknown"),
    ("name", Indexed(x="b"), "false"),
    ("name", Unwilling(x="a"), "unknown"),
    ("name", Raising(), "unknown"),
    ("name", {"x": HostileText("a")}, "true"),
    ("name", {"x": Thing()}, "unknown"),
    ("name", EvaluationContext("u", {"x": "a"}), "true"),
    ("name", ForeignContext("u", {"x": "a"}), "true"),
    ("name", ForeignContext(None, None), "unknown"),
    ("name", Liar(), "unknown"),
    ("name", None, "unknown"),
    ("path", {Name.A: {"b": "a"}}, "true"),
    ("path", {Name.AB: "b"}, "false"),
    ("path", {Foreign("a.b"): "a", "a": {"b": "a"}}, "true"),
    ("path", {"a": {Text("b"): "a"}}, "true"),
    ("path", {"a": UserDict(b="a")}, "true"),
    ("path", {"a": types.MappingProxyType({"b": "b"})}, "false"),
    ("path", {"a": defaultdict(lambda: "a")}, "unknown"),
    ("path", {"a": Raising()}, "unknown"),
    ("path", {"a": EvaluationContext("u", {"b": "a"})}, "unknown"),
    ("path", {"a": [("b", "a")]}, "unknown"),
    ("time", at(2026, 1, 1, 0, 0, 0, 1), "true"),
    ("time", at(2026, 1, 1), "false"),
    ("time", at(2026, 6, 1, zone=None), "unknown"),
    ("time", at(2026, 6, 1, zone=Zone(None)), "unknown"),
    ("time", at(2026, 6, 1, zone=Zone(5)), "unknown"),
    ("time", at(2026, 6, 1, zone=Zone(timedelta(days=2))), "unknown"),
    ("time", at(2026, 1, 1, zone=Zone(timedelta(microseconds=-1))), "true"),
    ("time", at(2026, 1, 1, zone=Zone(timedelta(microseconds=1))), "false"),
    ("time", at(9999, 12, 31, 23, zone=timezone(timedelta(hours=-23))), "true"),
    ("time", at(1, 1, 1, 1, zone=timezone(timedelta(hours=23))), "false"),
    ("time", {"x": Moment(2026, 6, 1, tzinfo=UTC)}, "true"),
]


@pytest.mark.parametrize(("flag", "context", "truth"), FOUND, ids=lambda value: type(value).__name__)
def test_found_missed_or_survived(flag: str, context: object, truth: str):
    """Twin and engine find the same, and what they find is what was meant."""
    twin, engine = evaluators()
    assert engine.answer(flag, context, 0).value == truth
    assert_equal_answers(twin, [engine], context, 0)


@pytest.mark.parametrize(
    "context",
    [
        (),
        [],
        "x",
        b"",
        0,
        False,
        1.5,
        object(),
        Thing(),
        Stubborn(),
        ForeignContext("u", 5),
        ForeignContext("u", [("x", "a")]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_context_at_all(context: object):
    """What is neither null, a mapping nor an evaluation context is refused without an exception."""
    twin, engine = evaluators()
    assert engine.answer("name", context, 0).error_code is ErrorCode.INVALID_CONTEXT
    assert_equal_answers(twin, [engine], context, 0)


def test_a_mapping_keeps_what_it_has():
    """Asking changes nothing in the caller's mapping."""
    twin, engine = evaluators()
    context = defaultdict(lambda: defaultdict(str))
    assert_equal_answers(twin, [engine], context, 0)
    assert context == {}
