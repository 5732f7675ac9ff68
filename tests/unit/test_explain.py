"""Explanations: what they say, and that they agree with the evaluation."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from flagcore import bucketing
from flagcore.engine import Engine
from flagcore.errors import FlagSetError
from flagcore.evaluator.explain import Condition, Explanation, needed_shares
from flagcore.snapshot.codec import decode_debug, encode_debug
from tests.support.engines import boolean, engine_of, snapshot_of

FLAGS: dict[str, Any] = {
    "base": {"type": "boolean", "default": "on"},
    "launch": {
        "type": "boolean",
        "default": {"on": 1, "off": 1},
        "requires": [{"flag": "base", "is": "on"}],
        "rules": [
            {"id": "staff", "when": 'segment("staff") and not (country == "DE")', "serve": "on"},
            {
                "id": "ramped",
                "when": 'country in ["DE", "AT"] and (plan == "pro" or age > 30)',
                "between": ["2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z"],
                "ramp": [{"at": "2020-01-01T00:00:00Z", "percent": 20}, {"at": "2030-01-01T00:00:00Z", "percent": 60}],
                "split": {"on": 70, "off": 30},
            },
            {"id": "some", "percent": 12.5, "salt": "s", "serve": "on"},
        ],
    },
    "three": {"type": "string", "variants": {c: c for c in "abc"}, "default": {"a": 5, "b": 3, "c": 2}},
    "dark": {**boolean(), "enabled": False},
}
SEGMENTS = {"staff": {"attribute": "targetingKey", "values": [f"staff-{i}" for i in range(100)]}}
AT_2026, AT_2035 = 1_767_225_600_000_000, 2_051_222_400_000_000


@pytest.fixture(scope="module")
def engine() -> Engine:
    """An engine that serves FLAGS."""
    return engine_of(FLAGS, segments=SEGMENTS)


def conditions(explanation: Explanation) -> list[Condition]:
    """Return all tests of the conditions that were reached."""
    found: list[Condition] = []
    waiting = [rule.condition for rule in explanation.rules if rule.condition]
    while waiting:
        condition = waiting.pop(0)
        waiting = [*condition.parts, *waiting]
        found += [condition] if condition.kind == "test" else []
    return found


@pytest.mark.parametrize("at", [0, AT_2026, AT_2035])
def test_explanations_agree_with_evaluations(engine: Engine, at: int):
    """For 400 contexts the rule that matched, the gate and the winner of a split are those of the evaluation."""
    for i in range(400):
        subject = f"staff-{i % 150}" if i % 5 == 0 else f"u-{i}"
        context: dict[str, object] = {"targetingKey": subject, "country": ["DE", "AT", "FR", None][i % 4]}
        context |= {"age": 20 + i % 30} if i % 3 else {"plan": "pro"}
        for flag in FLAGS:
            details, explanation = engine.evaluate(flag, None, context, at), engine.explain(flag, context, at)
            assert (explanation.variant, explanation.reason) == (details.variant, details.reason)
            if explanation.note:
                assert flag == "dark"
                continue
            decided = [step for step in (*explanation.rules, explanation.default) if step and step.status == "matched"]
            assert [step.id for step in decided] == [explanation.rule or ""]
            assert not decided[0].split or {share.variant for share in decided[0].split if share.wins} == {
                details.variant
            }
            assert decided[0].split or decided[0].serve == details.variant


def test_tests_show_truth_and_value(engine: Engine):
    """Each of the author's tests is shown with its truth and what was found."""
    explanation = engine.explain("launch", {"targetingKey": "staff-3", "country": "DE", "age": 20}, AT_2026)
    seen = {test.text: (test.truth, test.value) for test in conditions(explanation)}
    assert seen['country == "DE"'] == (True, '"DE"')
    assert seen['plan == "pro"'] == (None, None)
    assert seen["age > 30"] == (False, "20")
    staff, ramped, some = explanation.rules
    assert staff.stopped_by == 'its condition is false: not (country == "DE") (country is "DE")'
    assert ramped.stopped_by == "its condition is unknown: no alternative holds"
    assert (ramped.window.truth, some.text) == (True, None)  # type: ignore[union-attr]


def test_gate_shows_position_and_boundary(engine: Engine):
    """A gate shows the subject's position and the boundary of the moment, in percent with four decimals."""
    bucket = bucketing.bucket(bucketing.position("s", b"u-1"))
    gate = engine.explain("launch", {"targetingKey": "u-1"}, AT_2026).rules[2].gate
    assert gate is not None
    assert (gate.bucket, gate.position_percent, gate.boundary_percent, gate.inside) == (
        bucket,
        bucket / 10_000,
        12.5,
        bucket < 125_000,
    )
    assert f"position {bucket / 10_000:.4f} %, boundary 12.5 %" in str(
        engine.explain("launch", {"targetingKey": "u-1"}, AT_2026)
    )
    ramps = [engine.explain("launch", {"targetingKey": "u-1"}, at).rules[1].gate for at in (0, AT_2026, AT_2035)]
    assert [ramp.threshold for ramp in ramps if ramp] == [0, 200_000, 600_000]
    assert "cannot be bucketed" in str(engine.explain("launch", {}, AT_2026))


@pytest.mark.parametrize("base", ["split", "percent"])
@pytest.mark.parametrize("weights", [{"a": 5, "b": 3, "c": 2}, {"on": 1, "off": 3}, {"on": 1, "other": 2}])
def test_needed_shares_are_those_of_the_arithmetic(weights: dict[str, int], base: str):
    """What a subject needs is what bucketing.py says, and the winner has more than it needs."""
    for i in range(200):
        h = bucketing.position("three", b"u-%d" % i)
        assert needed_shares(h, weights, base) == bucketing.needs(h, weights, base)


def test_requirements(engine: Engine):
    """A prerequisite shows what the other flag yields; after an unmet one nothing is reached."""
    flags = {**FLAGS, "base": {"type": "boolean", "default": "off"}}
    explanation = engine_of(flags, segments=SEGMENTS).explain("launch", {})
    assert [(step.flag, step.variant, step.met) for step in explanation.requirements] == [("base", "off", False)]
    assert {step.status for step in explanation.rules} == {"not reached"}
    assert "requires base to be on: it is off, NOT met" in str(explanation)


def test_the_first_line_says_who_decided(engine: Engine):
    """The headline names variant, the rule or the default, and the reason; without a variant the caller's default value."""
    heads = [
        str(engine_of(flags).explain("f")).splitlines()[0]
        for flags in (
            {"f": boolean()},
            {"f": boolean('a == "x"')},
            {"f": {**boolean(), "requires": [{"flag": "g", "is": "on"}]}, "g": {"type": "boolean", "default": "off"}},
            {"g": boolean()},
        )
    ]
    assert heads == [
        "f = true (variant on, by rule r, TARGETING_MATCH)",
        "f = false (variant off, by default, DEFAULT)",
        "f = false (variant off, requires:g, TARGETING_MATCH)",
        "f = the caller's default value (FLAG_NOT_FOUND)",
    ]


def test_plain_data(engine: Engine):
    """to_dict is JSON with everything that the text says."""
    plain = json.loads(
        json.dumps(engine.explain("launch", {"targetingKey": "u-1", "country": "AT", "plan": "pro"}, AT_2026).to_dict())
    )
    assert plain["flag_key"] == "launch"
    assert [rule["id"] for rule in plain["rules"]] == ["staff", "ramped", "some"]


def test_flags_without_steps(engine: Engine):
    """What was not evaluated, is disabled, or was compiled without debug information says so."""
    assert "FLAG_NOT_FOUND" in str(engine.explain("nope"))
    assert "INVALID_CONTEXT" in str(engine.explain("launch", 5))  # type: ignore[arg-type]
    assert "the flag is disabled" in str(engine.explain("dark"))
    small = Engine()
    small.load(snapshot_of(FLAGS, segments=SEGMENTS, debug=False))
    assert "without it" in str(small.explain("launch", {"targetingKey": "u-1"}))


@pytest.mark.parametrize("debug", [b"", b"\xc1", b"\x95\x90\x90\x90\xc4\x00\x90", b"\x91" * 5000])
def test_malformed_debug_information(debug: bytes):
    """Debug information that is malformed costs the steps, not the answer."""
    engine = Engine()
    engine.load(msgspec.structs.replace(snapshot_of({"f": boolean("a == 1")}), debug={"f": debug}))
    explanation = engine.explain("f", {"a": 1})
    assert (explanation.value, explanation.note is not None) == (True, True)


def test_changed_debug_information_harms_nothing():
    """Every changed byte of debug information, probes included, is survived."""
    good = snapshot_of({"f": boolean('a == 1 and b in ["x", "y"]', percent=20)})
    engine = Engine()
    for position in range(len(good.debug["f"])):
        wrong = bytearray(good.debug["f"])
        wrong[position] ^= 0x41
        engine.load(msgspec.structs.replace(good, debug={"f": bytes(wrong)}))
        str(engine.explain("f", {"a": 1, "b": "x", "targetingKey": "u"}))


def doubling(levels: int) -> dict[str, dict[str, str]]:
    """Return segments of which each names the one before twice."""
    twice = {f"s{i}": {"when": f'segment("s{i - 1}") or segment("s{i - 1}")'} for i in range(1, levels + 1)}
    return {"s0": {"when": 'a == "x"'}} | twice


def test_segments_are_described_once():
    """Segments that name each other again and again are written and shown once; later they are named."""
    flags = {"f": boolean('segment("s17") and segment("s16")')}
    snapshot = snapshot_of(flags, segments=doubling(17))
    assert len(snapshot.debug["f"]) < 2_000
    explanation = engine_of(flags, segments=doubling(17)).explain("f", {"a": "x"})
    text = str(explanation)
    assert len(text) < 10_000
    assert len(json.dumps(explanation.to_dict())) < 20_000
    assert text.count('a == "x"') == 1
    assert text.count('segment("s0")    (see above)') == 1
    assert {part.truth for part in conditions(explanation)} == {True}


def test_segments_that_double_without_bound():
    """Thirty levels come to more than the compiler takes: a problem, at once."""
    with pytest.raises(FlagSetError, match="too-many-tests"):
        snapshot_of({"f": boolean('segment("s30")')}, segments=doubling(30))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["segment", "s1"], ["segment", "s2"]),  # names itself
        (["segment", "s1"], ["segment", "gone"]),
        (["segment", "s1"], ["segment"]),
        (["segment", "s1"], ["segment", ["s1"]]),
    ],
)
def test_malformed_segments_of_debug_information(old: list[object], new: list[object]):
    """Segments that name themselves, or what there is not, cost the steps, not the answer."""
    snapshot = snapshot_of({"f": boolean('segment("s2")')}, segments=doubling(2))
    debug = decode_debug(snapshot.debug["f"])
    assert debug.segments["s2"] == ["any", old, old]
    spoilt = msgspec.structs.replace(debug, segments=debug.segments | {"s2": ["any", new, new]})
    engine = Engine()
    engine.load(msgspec.structs.replace(snapshot, debug={"f": encode_debug(spoilt)}))
    explanation = engine.explain("f", {"a": "x"})
    assert explanation.value is True
    assert "cannot be used" in str(explanation)


def test_tests_without_an_attribute():
    """A test in the debug information whose path has no names costs the steps, and does not crash."""
    snapshot = snapshot_of({"f": boolean('a == "x"')})
    debug = decode_debug(snapshot.debug["f"])
    spoilt = msgspec.structs.replace(debug, tests=(msgspec.structs.replace(debug.tests[0], path=()),))
    engine = Engine()
    engine.load(msgspec.structs.replace(snapshot, debug={"f": encode_debug(spoilt)}))
    assert "cannot be used" in str(engine.explain("f", {"a": "x"}))
