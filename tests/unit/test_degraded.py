"""Revisions of which a part cannot be used: every flag and value set has one version in them, whoever names it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.engine import Engine
from flagcore.snapshot.objects import Snapshot
from tests.profiles import cases
from tests.support.engines import boolean, engine_of, snapshot_of

ON, OFF = {"type": "boolean", "default": "on"}, {"type": "boolean", "default": "off"}
RUBBISH = b"rubbish"


def requiring(*keys: str, when: str | None = None) -> dict[str, Any]:
    """Return a flag that is on where all these flags are."""
    return {**boolean(when), "requires": [{"flag": key, "is": "on"} for key in keys]}


def mixed(revision: int, **flags: dict[str, Any] | bytes) -> Snapshot:
    """Return a snapshot of flags that were compiled apart, so that they need not fit together; bytes stand for themselves."""
    programs = {
        key: flag if isinstance(flag, bytes) else snapshot_of(_with_required(key, flag)).programs[key]
        for key, flag in flags.items()
    }
    return Snapshot(epoch=1, revision=revision, programs=programs)


def _with_required(key: str, flag: dict[str, Any]) -> dict[str, Any]:
    return {key: flag} | {required["flag"]: ON for required in flag.get("requires", ())}


def engine_after(*snapshots: Snapshot) -> Engine:
    """Return an engine that has loaded these."""
    engine = Engine()
    for snapshot in snapshots:
        engine.load(snapshot)
    return engine


def answers(engine: Engine, context: dict[str, Any] | None = None) -> dict[str, object]:
    """Return the value of every flag, after making sure that every way to ask gives the same."""
    context = context or {}
    keys = list(engine.keys())
    found = {key: details.value for key, details in engine.evaluate_all(context).items()}
    reusable = engine.context(context)
    for key in keys[::-1]:
        assert engine.evaluate(key, None, context).value == found[key]
        assert engine.flag(key).value(None, reusable) == found[key]
        assert engine.explain(key, context).value == found[key]
    return found


def test_a_kept_flag_obeys_the_prerequisites_of_today():
    """A kill switch that is turned off in the very revision that spoils a flag turns the kept flag off."""
    engine = engine_after(mixed(1, switch=ON, a=requiring("switch"), b=requiring("a")))
    assert answers(engine) == {"switch": True, "a": True, "b": True}
    engine.load(mixed(2, switch=OFF, a=RUBBISH, b=requiring("a", "switch")))
    assert set(engine.degraded) == {"a"}
    assert answers(engine) == {"switch": False, "a": False, "b": False}
    assert engine.evaluate("a", None).flag_metadata["flagcore.rule"] == "requires:switch"
    engine.load(mixed(3, switch=ON, a=RUBBISH, b=requiring("a")))
    assert answers(engine) == {"switch": True, "a": True, "b": True}


def test_a_kept_flag_does_not_bring_gone_prerequisites_back():
    """A kept flag whose prerequisite is no longer there finds it not met."""
    engine = engine_after(mixed(1, p=ON, a=requiring("p")), mixed(2, a=RUBBISH))
    assert answers(engine) == {"a": False}
    chain = {f"b{i}": requiring(f"b{i - 1}") for i in range(1, 40)}
    engine = engine_after(mixed(1, b0=ON, a=requiring("b39"), **chain), mixed(2, a=requiring("c"), c=requiring("a")))
    assert answers(engine) == {"a": False}


def test_flags_of_a_cycle_are_prerequisites_like_others():
    """Who requires a flag that was kept because of a cycle sees what that flag serves."""
    first = mixed(1, x=ON, y=ON, d=requiring("x"))
    engine = engine_after(first, mixed(2, x=requiring("y"), y=requiring("x"), d=requiring("x", "y"), e=requiring("d")))
    assert set(engine.degraded) == {"x", "y"}
    assert answers(engine) == {"x": True, "y": True, "d": True, "e": True}


def test_only_what_makes_a_cycle_falls_back():
    """A flag that has not changed is not to blame for a cycle that another one closes; nor is who only waits for it."""
    engine = engine_after(
        mixed(1, x=requiring("y"), y=ON), mixed(2, x=requiring("y"), y=requiring("x"), z=requiring("x"))
    )
    assert engine.degraded == {"y": "its prerequisites form a cycle"}
    assert answers(engine) == {"x": True, "y": True, "z": True}


def test_previous_programs_that_close_a_cycle():
    """Where a kept flag and new ones form a cycle, the new ones fall back too; without previous programs they are missing."""
    engine = engine_after(mixed(1, x=requiring("y"), y=ON), mixed(2, x=RUBBISH, y=requiring("x")))
    assert set(engine.degraded) == {"x", "y"}
    assert answers(engine) == {"x": True, "y": True}
    engine = engine_after(mixed(1, x=requiring("y")), mixed(2, x=RUBBISH, y=requiring("x")))
    assert set(engine.degraded) == {"x", "y"}
    assert answers(engine) == {"x": False}


def test_chains_that_are_too_long():
    """A flag too far from its last prerequisite is refused, as if it were not there; its previous program comes back."""
    chain = {f"b{i:02}": requiring(f"b{i - 1:02}") for i in range(1, 70)}
    engine = engine_after(mixed(1, b00=ON, **chain))
    assert set(engine.degraded) == {"b64"}
    assert "too long" in engine.degraded["b64"]
    assert answers(engine) == {f"b{i:02}": i < 64 for i in range(70) if i != 64}
    engine = engine_after(mixed(1, b64=ON), mixed(2, b00=ON, **chain))
    assert set(engine.degraded) == {"b64"}
    assert set(answers(engine).values()) == {True}


def test_value_sets_that_are_missing():
    """Of a value set that is no longer there, the flags that ask it keep the one they had; a set that is there is the new one."""
    values = {name: {"attribute": "t", "values": [f"{name}-{i}" for i in range(100)]} for name in ("one", "two")}
    flags = {name: boolean(f'segment("{name}")') for name in values} | {
        "both": boolean('segment("one") and segment("two")')
    }
    good = snapshot_of(flags, segments=values)
    sets = {("one" if b"one-5" in content else "two"): name for name, content in good.value_sets.items()}
    assert set(sets) == {"one", "two"}
    engine = engine_after(good)
    without = {name: content for name, content in good.value_sets.items() if name != sets["one"]}
    for revision in (2, 3):  # a kept set is kept again
        engine.load(msgspec.structs.replace(good, revision=revision, value_sets=without))
        assert set(engine.degraded) == {"one", "both"}
        assert answers(engine, {"t": "one-7"}) == {"one": True, "two": False, "both": False}
    token = engine.push_override({"two": True})
    assert answers(engine, {"t": "one-7"}) == {"one": True, "two": True, "both": False}
    engine.pop_override(token)
    engine.load(msgspec.structs.replace(good, revision=4))
    assert not engine.degraded


def test_kept_flags_are_explained_by_their_own_rules():
    """The explanation of a kept flag tells the rules that decided; of a flag that is missing there is none."""
    engine = engine_of({"f": boolean('a == "old"')})
    new = snapshot_of({"f": boolean('a == "new"'), "g": boolean('a == "new"')}, revision=2)
    engine.load(msgspec.structs.replace(new, programs=dict.fromkeys(new.programs, RUBBISH)))
    assert 'a == "old"' in str(engine.explain("f", {"a": "old"}))
    assert "new" not in str(engine.explain("g", {"a": "new"}))


KEYS = [f"f{i}" for i in range(5)]


@st.composite
def revisions(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Authored flags that each require some of those before them, with rules of their own."""
    flags: dict[str, dict[str, Any]] = {}
    for position, key in enumerate(KEYS):
        required = draw(st.lists(st.sampled_from(KEYS[:position]), max_size=2, unique=True)) if position else []
        flag = requiring(*required, when=f"a == {draw(st.integers(0, 2))}")
        flag["default"] = draw(st.sampled_from(["on", "off"]))
        flags[key] = flag
    return flags


@settings(max_examples=cases(150), deadline=None)
@given(revisions(), revisions(), st.sets(st.sampled_from(KEYS)), st.integers(0, 2))
def test_a_degraded_revision_is_the_revision_of_what_it_holds(
    old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]], spoilt: set[str], a: int
):
    """With some programs refused, every flag answers as if the kept and the new flags had been published together."""
    engine = engine_of(old)
    snapshot = snapshot_of(new, revision=2)
    programs = snapshot.programs | dict.fromkeys(spoilt, RUBBISH)
    engine.load(msgspec.structs.replace(snapshot, programs=programs))
    assert set(engine.degraded) == spoilt
    together = engine_of({key: old[key] if key in spoilt else new[key] for key in KEYS})
    assert answers(engine, {"a": a}) == answers(together, {"a": a})


@pytest.mark.parametrize("programs", [{"f": None}, {"f": "text"}, {5: b""}])
def test_what_is_no_program_leaves_the_revision_as_it_was(programs: Any):
    """A snapshot of wrong types raises before anything is swapped."""
    engine = engine_of({"f": boolean()})
    with pytest.raises(TypeError):
        engine.load(Snapshot(epoch=1, revision=2, programs=programs))
    assert engine.revision == 1
    assert engine.get_boolean_value("f", False) is True
