"""The engine: loading, swapping, overrides, counters, evaluating all, handles, reusable contexts."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import random
from typing import Any

import msgspec
import pytest

from flagcore.engine import Engine, EvaluationDetails
from flagcore.snapshot.objects import Snapshot
from flagcore.terms import ErrorCode, Reason
from tests.support.engines import boolean, engine_of, snapshot_of

FLAGS: dict[str, Any] = {
    "on": {"type": "boolean", "default": "on", "metadata": {"team": "x"}},
    "german": boolean('country == "DE"'),
    "vip": boolean('segment("vip")'),
    "needs": {**boolean(), "requires": [{"flag": "german", "is": "on"}]},
    "limit": {"type": "integer", "variants": {"low": 10, "high": 100}, "default": "low"},
    "rate": {"type": "float", "variants": {"half": 0.5, "two": 2}, "default": "half"},
    "colour": {"type": "string", "variants": {"red": "rot", "blue": "blau"}, "default": "red"},
    "settings": {"type": "object", "variants": {"one": {"k": [1, {"x": None}]}}, "default": "one"},
    "off": {"type": "string", "variants": {"a": "A"}, "default": "a", "enabled": False},
    "timed": boolean(between=["2026-01-01T00:00:00Z", None]),
}
SEGMENTS = {"vip": {"attribute": "targetingKey", "values": [f"u-{i}" for i in range(200)]}}


@pytest.fixture
def engine() -> Engine:
    """An engine that serves FLAGS."""
    return engine_of(FLAGS, segments=SEGMENTS)


def changed(snapshot: Snapshot, **programs: bytes) -> Snapshot:
    """Return the snapshot with some programs replaced."""
    return msgspec.structs.replace(snapshot, programs={**snapshot.programs, **programs})


# -- answers ------------------------------------------------------------------------------------------------------------


def test_types(engine: Engine):
    """Each type has its getters; an integer flag may be read as float; every other mixture is TYPE_MISMATCH."""
    assert engine.get_string_value("colour", "") == "rot"
    assert engine.get_integer_value("limit", 0) == 10
    assert (engine.get_float_value("limit", 0.0), type(engine.get_float_value("limit", 0.0))) == (10.0, float)
    assert engine.get_float_details("limit", 0.0).value == 10.0
    assert engine.get_float_value("rate", 0.0) == 0.5
    for kind in ("string", "integer", "float", "object"):
        details = getattr(engine, f"get_{kind}_details")("on", "mine")
        assert (details.value, details.error_code, details.variant) == ("mine", "TYPE_MISMATCH", None)
        assert details.flag_metadata["team"] == "x"
        assert getattr(engine, f"get_{kind}_value")("on", "mine") == "mine"


def test_getters_are_c_methods_that_follow_the_engine(engine: Engine):
    """A getter fetched once is a bound C method; it follows loads, overrides and the end."""
    get = engine.get_boolean_value
    assert inspect.isbuiltin(get)
    assert get("german", False) is False
    engine.load(snapshot_of({"german": {"type": "boolean", "default": "on"}}, revision=2))
    assert get("german", False) is True
    token = engine.push_override({"german": False})
    assert get("german", True) is False
    engine.pop_override(token)
    assert get("german", False) is True
    engine.close()
    assert get("german", False) is False


def test_arguments_by_name_and_position(engine: Engine):
    """Arguments may be given by name, as OpenFeature names them; wrong calls are Python's TypeError."""
    assert (
        engine.get_boolean_value(flag_key="german", default_value=False, evaluation_context={"country": "DE"}) is True
    )
    assert engine.get_boolean_value("german", False, {"country": "DE"}, None) is True
    assert engine.get_boolean_value("german", default_value=True) is False
    for wrong in ((), ("german",), ("german", False, {}, None, 1)):
        with pytest.raises(TypeError):
            engine.get_boolean_value(*wrong)
    with pytest.raises(TypeError):
        engine.get_boolean_value("german", False, context={})  # type: ignore[call-arg]


def test_default_values_come_back_as_they_are(engine: Engine):
    """Where the caller's default value is served, it is the very object; a disabled flag without a variant has no error."""
    default = ["mine"]
    assert engine.get_object_value("nope", default) is default
    details = engine.get_string_details("off", default)  # type: ignore[arg-type]
    assert details.value is default
    assert (details.reason, details.error_code, details.variant) == ("DISABLED", None, None)


def test_objects_are_the_callers_own(engine: Engine):
    """An object value may be changed by who got it; nobody else sees that. It goes through json.dumps."""
    first = engine.get_object_value("settings", {})
    first["k"].append("changed")
    engine.get_object_details("settings", {}).value.clear()
    assert json.dumps(engine.get_object_value("settings", {})) == '{"k": [1, {"x": null}]}'
    assert engine.evaluate_all()["settings"].value == {"k": [1, {"x": None}]}


def test_details(engine: Engine):
    """Details are shared, immutable, comparable, printable and picklable; metadata tells rule and revision."""
    details = engine.get_boolean_details("german", False, {"country": "DE"})
    assert details is engine.get_boolean_details("german", True, {"country": "DE"})
    assert details == EvaluationDetails(
        "german", True, "on", Reason.TARGETING_MATCH, None, None, {"flagcore.rule": "r", "flagcore.revision": 1}
    )
    assert pickle.loads(pickle.dumps(details)) == copy.deepcopy(details) == details
    assert hash(details) == hash(copy.copy(details))
    assert details != engine.get_boolean_details("german", False)
    assert "variant='on', reason='TARGETING_MATCH'" in repr(details)
    with pytest.raises(AttributeError):
        details.value = False  # type: ignore[misc]
    with pytest.raises(TypeError):
        details.flag_metadata["x"] = 1  # type: ignore[index]


def test_time_is_asked_for_only_when_needed():
    """The clock runs once in an evaluation that looks at ``now``, and in no other."""
    calls: list[int] = []
    engine = engine_of(FLAGS, segments=SEGMENTS, clock=lambda: calls.append(1) or 1_800_000_000_000_000)  # type: ignore[func-returns-value]
    engine.get_boolean_value("german", False, {"country": "DE"})
    assert not calls
    assert engine.get_boolean_value("timed", False) is True
    assert len(calls) == 1
    engine.evaluate_all()
    assert len(calls) == 2
    assert engine.evaluate("timed", None, None, 0).value is False
    assert len(calls) == 2
    context = engine.context({})
    assert [engine.get_boolean_value("timed", False, context) for _ in range(3)] == [True] * 3
    assert len(calls) == 5


def test_static_context():
    """Attributes that a call does not name come from the static context, whatever kind of context the call has."""
    flags = {"f": boolean('country == "DE" and plan == "pro"'), "n": boolean("a.b == 1")}
    engine = engine_of(flags, static_context={"country": "DE", "a": {"b": 1}})
    for context in ({"plan": "pro"}, engine.context({"plan": "pro"})):
        assert engine.get_boolean_value("f", False, context) is True
    assert engine.get_boolean_value("f", True, {"plan": "pro", "country": None}) is False
    assert engine.get_boolean_value("n", False) is True
    assert engine.get_boolean_value("n", True, {"a": {}}) is False  # mappings are replaced as wholes


# -- loading ------------------------------------------------------------------------------------------------------------


def test_before_and_after_data():
    """Without data everything is PROVIDER_NOT_READY; a closed engine stays so."""
    engine = Engine()
    assert (engine.ready, engine.revision, len(engine.keys()), dict(engine.evaluate_all())) == (False, 0, 0, {})
    assert engine.get_boolean_details("on", True).error_code is ErrorCode.PROVIDER_NOT_READY
    assert "PROVIDER_NOT_READY" in str(engine.explain("on"))
    engine.load(snapshot_of(FLAGS, segments=SEGMENTS))
    engine.close()
    engine.close()
    assert engine.load(snapshot_of(FLAGS, segments=SEGMENTS)) == frozenset()
    assert engine.get_boolean_details("on", True).error_code is ErrorCode.PROVIDER_NOT_READY


def test_load_tells_what_changed(engine: Engine):
    """Loading returns the keys that are new, gone or changed; a changed prerequisite or value set changes its users."""
    same = snapshot_of(FLAGS, segments=SEGMENTS, revision=2)
    assert engine.load(same) == frozenset()
    assert engine.revision == 2
    german = {**FLAGS, "german": boolean('country == "AT"')}
    assert engine.load(snapshot_of(german, segments=SEGMENTS, revision=3)) == {"german", "needs"}
    assert engine.get_boolean_value("needs", False, {"country": "AT"}) is True
    segments = {"vip": {**SEGMENTS["vip"], "values": [f"x-{i}" for i in range(200)]}}
    assert engine.load(snapshot_of(german, segments=segments, revision=4)) == {"vip"}
    assert engine.get_boolean_value("vip", False, {"targetingKey": "x-7"}) is True
    fewer = {key: flag for key, flag in german.items() if key not in ("vip", "on")}
    assert engine.load(snapshot_of({**fewer, "new": boolean()}, revision=5)) == {"vip", "on", "new"}
    assert list(engine.keys()) == sorted({*fewer, "new"})


def test_revision_of_a_flag_is_when_it_last_changed(engine: Engine):
    """``flagcore.revision`` stays while a program's bytes stay."""
    engine.load(snapshot_of({**FLAGS, "german": boolean('country == "AT"')}, segments=SEGMENTS, revision=9))
    assert engine.get_boolean_details("on", False).flag_metadata["flagcore.revision"] == 1
    assert engine.get_boolean_details("german", False).flag_metadata["flagcore.revision"] == 9


def test_malformed_programs_harm_nobody_else(engine: Engine):
    """A program that verify refuses keeps its previous version, or is missing; the others are served, and it is listed."""
    good = snapshot_of(FLAGS, segments=SEGMENTS, revision=2)
    broken = good.programs["german"][:-8] + b"\xff" * 8
    swapped = good.programs["on"]
    assert engine.load(changed(good, german=broken[:100], limit=swapped, new=b"rubbish", empty=b"")) == frozenset()
    assert set(engine.degraded) == {"german", "limit", "new", "empty"}
    assert engine.get_boolean_value("german", False, {"country": "DE"}) is True
    assert engine.get_integer_value("limit", 0) == 10
    assert engine.get_boolean_details("new", False).error_code is ErrorCode.FLAG_NOT_FOUND
    engine.load(good)
    assert not engine.degraded


def test_malformed_and_missing_value_sets(engine: Engine):
    """A flag whose value set is malformed or missing keeps its previous program and set."""
    good = snapshot_of(FLAGS, segments=SEGMENTS, revision=2)
    for value_sets in ({}, dict.fromkeys(good.value_sets, b"rubbish")):
        engine.load(msgspec.structs.replace(good, value_sets=value_sets))
        assert set(engine.degraded) == {"vip"}
        assert engine.get_boolean_value("vip", False, {"targetingKey": "u-7"}) is True
        fresh = Engine()
        fresh.load(msgspec.structs.replace(good, value_sets=value_sets))
        assert fresh.get_boolean_details("vip", False, {"targetingKey": "u-7"}).error_code is ErrorCode.FLAG_NOT_FOUND


def test_every_changed_byte_of_a_program_is_survived():
    """Programs with any byte changed are refused or answer something; nothing crashes and nothing raises."""
    good = snapshot_of({"f": {**boolean('a.b == "xyz" and v >= v"1.2"', percent=50), "metadata": {"k": "v"}}})
    program, engine = good.programs["f"], Engine()
    for position in range(len(program)):
        for bit in (1, 0x80):
            wrong = bytearray(program)
            wrong[position] ^= bit
            engine.load(changed(good, f=bytes(wrong)))
            engine.get_boolean_details("f", False, {"a": {"b": "xyz"}, "v": "1.2.3", "targetingKey": "u"})
            dict(engine.evaluate_all({"a.b": "xyz"}))
            str(engine.explain("f", {}))
            engine.counters()


def test_cycles_and_long_chains_of_prerequisites():
    """Programs that require each other in a circle, which no compiler emits, are refused; a missing prerequisite is never met."""
    one = snapshot_of({"a": {**boolean(), "requires": [{"flag": "b", "is": "on"}]}, "b": boolean()})
    two = snapshot_of({"b": {**boolean(), "requires": [{"flag": "a", "is": "on"}]}, "a": boolean()})
    engine = Engine()
    engine.load(changed(one, b=two.programs["b"]))
    assert set(engine.degraded) == {"a", "b"}
    engine.load(msgspec.structs.replace(one, programs={"a": one.programs["a"]}))
    assert engine.get_boolean_details("a", True).flag_metadata["flagcore.rule"] == "requires:b"


# -- overrides ------------------------------------------------------------------------------------------------------------


def test_overrides_nest_in_any_order_and_follow_loads(engine: Engine):
    """Later overrides lie on top; each ends by its own token, in any order; loads go on underneath."""
    first = engine.push_override({"limit": 1, "colour": "grün"})
    second = engine.push_override({"limit": 2})
    assert (engine.get_integer_value("limit", 0), engine.get_string_value("colour", "")) == (2, "grün")
    engine.load(snapshot_of({**FLAGS, "limit": {**FLAGS["limit"], "default": "high"}}, segments=SEGMENTS, revision=2))
    engine.pop_override(first)
    assert (engine.get_integer_value("limit", 0), engine.get_string_value("colour", "")) == (2, "rot")
    engine.pop_override(second)
    engine.pop_override(second)
    assert engine.get_integer_value("limit", 0) == 100


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("boolean", True),
        ("string", "ü"),
        ("integer", -(2**62)),
        ("float", 1.5),
        ("object", {"a": [1]}),
        ("object", [1]),
    ],
)
def test_overridden_details(kind: str, value: object):
    """An override answers like a static flag, marked in its metadata, for flags that do not exist too and without data."""
    engine = Engine()
    engine.push_override({"f": value})
    details = getattr(engine, f"get_{kind}_details")("f", None)
    assert (details.value, details.reason, details.variant) == (value, "STATIC", "override")
    assert details.flag_metadata["flagcore.override"] is True
    assert engine.get_boolean_details("other", False).error_code is ErrorCode.PROVIDER_NOT_READY
    assert "override" in str(engine.explain("f"))


def test_overrides_meet_prerequisites(engine: Engine):
    """An override with the value of a variant is that variant for the flags that require it; metadata of the flag stays."""
    assert engine.get_boolean_value("needs", False) is False
    token = engine.push_override({"german": True, "on": False, "rate": 2})
    assert engine.get_boolean_value("needs", False) is True
    details = engine.get_boolean_details("on", True)
    assert (details.value, details.variant, details.flag_metadata["team"]) == (False, "off", "x")
    assert engine.get_float_details("rate", 0.0).variant == "two"
    engine.pop_override(token)
    assert engine.get_boolean_value("needs", False) is False


def test_what_no_flag_can_have(engine: Engine):
    """Values of no flag type are refused when the override is made, and nothing of it holds."""
    for value in (None, object(), b"x", 1j):
        with pytest.raises(TypeError, match="a flag is boolean"):
            engine.push_override({"limit": 5, "on": value})
    assert engine.get_integer_value("limit", 0) == 10


# -- many flags, handles, contexts ----------------------------------------------------------------------------------------


def test_evaluate_all(engine: Engine):
    """Every flag as its own getter would answer, in a mapping that is decided at the call."""
    context = {"country": "DE", "targetingKey": "u-1"}
    results = engine.evaluate_all(context)
    singles = {key: engine.evaluate(key, None, context) for key in FLAGS}
    assert (len(results), list(results), dict(results)) == (len(FLAGS), sorted(FLAGS), singles)
    assert results == singles
    assert dict(results.items()) == dict(zip(results, results.values(), strict=True)) == singles
    assert results["needs"] is singles["needs"]
    engine.close()
    assert results["german"].value is True
    assert ("nope" in results, results.get("nope"), results.get(5)) == (False, None, None)  # type: ignore[call-overload]
    for missing in ("nope", 5):
        with pytest.raises(KeyError):
            results[missing]  # type: ignore[index]


def test_evaluate_all_by_prefix_and_for_odd_contexts(engine: Engine):
    """A prefix chooses flags; what is no context is INVALID_CONTEXT for each."""
    assert set(engine.evaluate_all({}, "o")) == {"on", "off"}
    with pytest.raises(KeyError):
        engine.evaluate_all({}, "o")["german"]
    assert {details.error_code for details in engine.evaluate_all(5).values()} == {"INVALID_CONTEXT"}  # type: ignore[arg-type]


def test_handles_follow_the_engine(engine: Engine):
    """A handle answers as the getters do, across loads and overrides."""
    handle = engine.flag("german")
    assert handle.value(False, {"country": "DE"}) is True
    assert handle.details(False, {"country": "DE"}) is engine.get_boolean_details("german", False, {"country": "DE"})
    engine.load(snapshot_of({"german": boolean('country == "AT"')}, revision=2))
    assert handle.value(False, {"country": "AT"}) is True
    engine.load(snapshot_of({"on": boolean()}, revision=3))
    assert handle.value("mine") == "mine"
    assert repr(handle) == "<flagcore flag 'german'>"


def test_reusable_contexts_survive_swaps(engine: Engine):
    """Attributes are read once and kept; a context goes on with later revisions that look at more attributes."""
    mapping = {"country": "DE", **{f"a{i}": i for i in range(200)}}
    context = engine.context(mapping)
    assert engine.get_boolean_value("german", False, context) is True
    mapping["country"] = "AT"
    assert engine.get_boolean_value("german", False, context) is True
    engine.load(snapshot_of({f"f{i}": boolean(f'a{i} == {i} and country == "DE"') for i in range(200)}, revision=2))
    assert all(engine.get_boolean_value(f"f{i}", False, context) for i in range(200))
    assert all(details.value for details in engine.evaluate_all(context).values())
    assert (
        engine_of(FLAGS, segments=SEGMENTS).get_boolean_value("german", True, context) is False
    )  # another engine's: as its mapping


def test_reusable_contexts_are_asked_again():
    """What a context holds is not fetched again: answers, their counts and the time are those of a first question.

    There are more attributes than the 64 that are known by a bit, and each flag is asked for while its attributes are not held, and held.
    """
    flags: dict[str, Any] = {f"f{i}": boolean(f"a{i} == {i} and a{(i * 7) % 150} != 999") for i in range(150)}
    flags["later"] = boolean('now >= t"2026-06-01T00:00:00Z" and a1 == 1')
    flags["mine"] = {
        **boolean("a2 == 3"),
        "default": {"on": 1, "off": 1},
    }  # no targeting key: the caller's default value
    june = 1_780_272_000_000_000
    clock = iter(range(june - 2, june + 2))
    engine = engine_of(flags, clock=lambda: next(clock))
    context = engine.context({f"a{i}": i for i in range(150)})
    for _ in range(3):
        assert [engine.get_boolean_value(f"f{i}", False, context) for i in range(150)] == [True] * 150
        assert engine.get_boolean_value("mine", True, context) is True
    assert [engine.get_boolean_value("later", False, context) for _ in range(4)] == [False, False, True, True]
    counts = engine.counters()
    assert {sum(counts[f"f{i}"].values()) for i in range(150)} == {3}
    assert sum(counts["mine"].values()) == 3


def test_more_variants_than_have_a_value_ready():
    """Of a flag's variants 65,535 have a value ready; the others' values and details are made for each answer, and are the same."""
    names = [f"v{i:05}" for i in range(65_600)]
    rules = [
        {"id": name, "when": f'x == "{name}"', "serve": name}
        for name in (names[3], names[65_534], names[65_535], names[-1])
    ]
    flag = {"type": "string", "variants": {name: name for name in names}, "default": "v00000", "rules": rules}
    engine = engine_of({"f": flag})
    for _ in range(3):
        for name in (names[3], names[65_534], names[65_535], names[-1]):
            assert engine.get_string_value("f", "", {"x": name}) == name
            details = engine.get_string_details("f", "", {"x": name})
            assert (details.value, details.variant, details.flag_metadata["flagcore.rule"]) == (name, name, name)
        assert engine.get_string_value("f", "") == "v00000"
    assert engine.counters()["f"][names[-1], names[-1], "TARGETING_MATCH"] == 6


def test_keys_are_found_wherever_they_stand():
    """A key is looked for where it stood in the last dict: dicts of other order, with gaps, other keys or shared ones answer alike."""
    engine = engine_of({f"f{i}": boolean(f"a{i} == {i}") for i in range(8)})
    names = [f"a{i}" for i in range(8)]
    rng = random.Random(20)

    class Holder:
        pass

    for _ in range(400):
        context: dict[Any, Any] = {7: "a key of another kind"} if rng.random() < 0.1 else {}
        for name in rng.sample(names * 2, rng.randrange(1, 16)):
            context[name] = int(name[1:]) + (rng.random() < 0.3)
        for name in rng.sample(names, 3):
            context.pop(name, None)
        holder = Holder()
        holder.__dict__.update({name: value for name, value in context.items() if name != 7})
        expected = [context.get(f"a{i}") == i for i in range(8)]
        for given in (context, vars(holder), dict(context), engine.context(context)):
            assert [engine.get_boolean_value(f"f{i}", False, given) for i in range(8)] == expected


# -- counters ---------------------------------------------------------------------------------------------------------------


def test_counters(engine: Engine):
    """Evaluations are counted by flag, variant, rule and reason, across swaps, until they are drained; explaining counts nothing."""
    for _ in range(3):
        engine.get_boolean_value("german", False, {"country": "DE"})
    engine.get_boolean_details("german", False)
    engine.get_string_value("german", "")
    engine.explain("german", {})
    expected = {("on", "r", "TARGETING_MATCH"): 3, ("off", None, "DEFAULT"): 1, (None, None, "ERROR"): 1}
    assert engine.counters() == {"german": expected}
    engine.load(snapshot_of({"german": boolean('country == "AT"')}, revision=2))
    assert engine.counters(drain=True) == {"german": expected}
    assert engine.counters() == {}
    engine.evaluate_all({"country": "AT"})
    token = engine.push_override({"german": True})
    engine.get_boolean_value("german", False)
    engine.pop_override(token)
    assert engine.counters() == {"german": {("on", "r", "TARGETING_MATCH"): 1, ("on", None, "STATIC"): 1}}


def test_unknown_flags_are_told():
    """``on_unknown`` hears each unknown key; what it raises is not the caller's affair."""
    heard: list[str] = []

    def tell(key: str) -> None:
        heard.append(key)
        raise RuntimeError

    engine = engine_of(FLAGS, segments=SEGMENTS, on_unknown=tell)
    assert engine.get_boolean_value("nope", True) is True
    assert engine.get_string_details("neither", "").error_code == "FLAG_NOT_FOUND"
    assert heard == ["nope", "neither"]
