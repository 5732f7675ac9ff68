"""Revisions one after the other in one engine: whatever changes between them, each is served as a fresh engine serves it."""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Callable
from typing import Any

import pytest

from flagcore.engine import Engine
from flagcore.snapshot.objects import Snapshot
from tests.support.engines import boolean, engine_of, snapshot_of
from tests.support.processes import python

Flags = dict[str, dict[str, Any]]
CONTEXTS = [{"x": x, "y": y, "id": n} for n, x in enumerate("abc") for y in "ab"]


def requiring(key: str, when: str) -> dict[str, Any]:
    """Return a flag that requires that another one is on."""
    return {**boolean(when), "requires": [{"flag": key, "is": ["on"]}]}


def begin() -> Flags:
    """Return flags of every sort: plain, prerequisites, requiring ones."""
    flags = {f"f{n}": boolean(f'x == "{"abc"[n % 3]}"') for n in range(20)}
    flags |= {f"r{n}": requiring(f"f{n}", 'y == "a"') for n in range(5)}
    return flags


def change(flags: Flags, chance: random.Random) -> Flags:
    """Return the flags with something changed: a flag, a prerequisite, what is required, the number."""
    key = chance.choice(sorted(flags))
    when = f'{chance.choice("xy")} == "{chance.choice("abc")}"'
    required = [flag["requires"][0]["flag"] for flag in flags.values() if "requires" in flag]
    steps: list[Callable[[], Flags]] = [
        lambda: {**flags, key: {**flags[key], **boolean(when)}},
        lambda: {**flags, "f1": boolean(when)},
        lambda: {**flags, "r1": requiring(f"f{chance.randrange(5)}", when)},
        lambda: {**flags, f"n{chance.randrange(99)}": boolean(when)},
        lambda: {name: flag for name, flag in flags.items() if name != key or name in required},
        lambda: flags,
    ]
    return chance.choice([*steps[:2], *steps])()


def served(engine: Engine) -> list[dict[str, Any]]:
    """Return what every flag answers in every context, in every way of asking."""
    found = []
    for context in CONTEXTS:
        together = dict(engine.evaluate_all(context))
        assert together == {key: engine.get_boolean_details(key, False, context) for key in list(engine.keys())}
        assert together == dict(engine.evaluate_all(engine.context(context)))
        found.append({key: (details.value, details.variant, details.reason) for key, details in together.items()})
    return found


@pytest.mark.parametrize("seed", range(12))
def test_every_revision_is_served_as_if_it_were_the_first(seed: int):
    """Thirty changes in a row, some in another order: answers and the keys said to have changed are those of engines that start afresh."""
    chance, flags = random.Random(seed), begin()
    engine, before = engine_of(flags), snapshot_of(flags, revision=1)
    for revision in range(2, 32):
        flags = change(flags, chance)
        now = snapshot_of(flags, revision=revision)
        shuffled = chance.random() < 0.2
        programs = dict(chance.sample(sorted(now.programs.items()), len(now.programs)) if shuffled else now.programs)
        for key in chance.sample(sorted(programs), len(programs) // 2):
            programs[key] = bytes(bytearray(programs[key]))  # equal bytes at another place
        told = engine.load(Snapshot(**{**{n: getattr(now, n) for n in now.__struct_fields__}, "programs": programs}))
        gone_or_new = {key for key in {**before.programs, **programs} if before.programs.get(key) != programs.get(key)}
        assert gone_or_new <= told
        assert told <= gone_or_new | {key for key, flag in flags.items() if "requires" in flag}
        assert (engine.revision, list(engine.keys()), engine.degraded) == (revision, list(programs), {})
        fresh = Engine()
        fresh.load(now)
        assert served(engine) == served(fresh)
        before = now


def test_counts_survive_a_revision_that_replaces_another_flag():
    """A flag that stays keeps its counts and its built details; the one that is replaced hands its counts over once."""
    engine = engine_of({"a": boolean('x == "a"'), "b": boolean('x == "b"')})
    for _ in range(3):
        details = engine.get_boolean_details("a", False, {"x": "a"})
        engine.get_boolean_value("b", False, {"x": "b"})
    later = snapshot_of({"a": boolean('x == "a"'), "b": boolean('x == "c"')}, revision=2)
    assert engine.load(later) == {"b"}
    assert engine.get_boolean_details("a", False, {"x": "a"}) is details
    engine.get_boolean_value("b", True, {"x": "b"})
    counts = engine.counters(drain=True)
    assert sum(counts["a"].values()) == 4
    assert sum(counts["b"].values()) == 4
    assert engine.counters() == {}


def test_a_malformed_program_beside_one_that_changed():
    """The whole is linked again where one of the changes is not sound: that flag stays as it was, the other is new."""
    flags = {"a": boolean('x == "a"'), "b": boolean('x == "b"')}
    engine = engine_of(flags)
    later = snapshot_of({**flags, "b": boolean('x == "a"')}, revision=2)
    programs = {**later.programs, "a": later.programs["a"][:-8]}
    assert engine.load(
        Snapshot(**{**{n: getattr(later, n) for n in later.__struct_fields__}, "programs": programs})
    ) == {"b"}
    assert set(engine.degraded) == {"a"}
    assert engine.get_boolean_value("a", False, {"x": "a"}) is True
    assert engine.get_boolean_value("b", False, {"x": "a"}) is True
    engine.load(later)
    assert engine.degraded == {}


def test_a_revision_lets_go_of_the_texts_that_asked():
    """Flags are found by whatever str names them; the last one is remembered, and let go with the revision or for the next."""
    engine = engine_of({"a.flag": boolean(), "another": boolean('x == "a"')})
    keys = ["".join(["a", ".flag"]) for _ in range(5)]
    counts = [sys.getrefcount(key) for key in keys]
    for key in [*keys, *keys]:
        assert engine.get_boolean_value(key, False, {}) is True
    del key
    assert [sys.getrefcount(key) for key in keys] == [*counts[:4], counts[4] + 1]
    engine.load(snapshot_of({"a.flag": boolean(), "another": boolean('x == "b"')}, revision=2))
    gc.collect()
    assert [sys.getrefcount(key) for key in keys] == counts

    class Text(str):
        pass

    assert engine.get_boolean_value(Text("a.flag"), False, {}) is True
    assert engine.get_boolean_value("a.flog", False, {}) is False


def many(count: int = 300) -> Flags:
    """Return flags that look at attributes of their own."""
    return {f"flag-{n:03}": boolean(f'a{n} == "x" or b{n}.c == "x"') for n in range(count)}


def test_what_an_earlier_revision_links_serves_the_later_one():
    """Flags that are linked through a revision that is no longer served, with attributes nobody knew, answer in the current one."""
    flags = many()
    engine = engine_of(flags)
    context, handle = engine.context({f"a{n}": "x" for n in range(300)}), engine.flag("flag-299")
    assert engine.get_boolean_value("flag-000", False, context) is True
    before = engine._current
    engine.load(snapshot_of({**flags, "flag-007": boolean("z == 1")}, revision=2))
    now = engine._current
    assert now is not before
    linked = [before.get(key) for key in flags]
    assert sum(now.get(key) is program for key, program in zip(flags, linked, strict=True)) > 200
    assert handle.value(False, {"b299": {"c": "x"}}) is True
    for n in (0, 63, 64, 299):
        assert engine.get_boolean_value(f"flag-{n:03}", False, context) is True
        assert engine.get_boolean_value(f"flag-{n:03}", True, {f"a{n}": "y"}) is False
    answers = engine.evaluate_all(context)
    assert [key for key, details in answers.items() if not details.value] == ["flag-007"]


def test_a_swap_of_one_flag_leaves_the_others_where_they_are():
    """Flags that stay keep their counts, shared with the earlier revision or not; what was counted of the others is not lost."""
    flags = many()
    engine = engine_of(flags)
    for key in flags:
        engine.get_boolean_value(key, False, {})
    for turn in range(5):
        key = f"flag-{37 * turn:03}"
        assert engine.load(snapshot_of({**flags, key: boolean(f"z == {turn}")}, revision=turn + 2)) >= {key}
    assert len(engine._current.linked()) < 300
    assert {sum(counts.values()) for counts in engine.counters().values()} == {1}
    assert len(engine.counters()) == 300


def patch_of(before: Snapshot, now: Snapshot) -> tuple[dict[str, bytes | None], ...]:
    """Return what makes one snapshot of the other: programs, value sets, debug information."""
    parts = []
    for name in ("programs", "value_sets", "debug"):
        old, new = getattr(before, name), getattr(now, name)
        gone = dict.fromkeys(key for key in old if key not in new)
        parts.append(gone | {key: content for key, content in new.items() if old.get(key) != content})
    return tuple(parts)


@pytest.mark.parametrize("seed", range(8))
def test_patches_come_to_what_loads_come_to(seed: int):
    """Thirty patches in a row: answers, explanations and the keys said to have changed are those of engines that load the whole."""
    chance, flags = random.Random(seed), begin()
    engine, before = engine_of(flags), snapshot_of(flags, revision=1)
    for revision in range(2, 32):
        flags = change(flags, chance)
        now = snapshot_of(flags, revision=revision)
        told = engine.patch(revision, *patch_of(before, now))
        gone_or_new = {
            key for key in before.programs | now.programs if before.programs.get(key) != now.programs.get(key)
        }
        assert gone_or_new <= told
        assert (engine.revision, set(engine.keys()), engine.degraded) == (revision, set(now.programs), {})
        fresh = Engine()
        fresh.load(now)
        assert served(engine) == served(fresh)
        assert dict(engine._current.debug) == dict(now.debug)
        key = chance.choice(sorted(flags))
        assert str(engine.explain(key, CONTEXTS[0], 0)) == str(fresh.explain(key, CONTEXTS[0], 0))
        before = now


def test_a_patch_that_is_no_good_harms_its_flag_alone():
    """A malformed program, or a name whose set is not there, degrades that flag until it is patched again; others are changed."""
    flags = {"a": boolean('x == "a"'), "b": boolean('x == "b"')}
    engine, first = engine_of(flags), snapshot_of(flags, revision=1)
    other = snapshot_of({"a": boolean("y == 1"), "b": boolean("y == 1")}, revision=2)
    assert engine.patch(2, {"a": first.programs["a"][:-8], "b": other.programs["b"]}) == {"b"}
    assert set(engine.degraded) == {"a"}
    assert engine.get_boolean_value("a", False, {"x": "a"}) is True
    assert engine.patch(3, {"b": first.programs["b"]}) == {"b"}
    assert set(engine.degraded) == {"a"}
    assert engine.patch(4, {"a": other.programs["a"], "b": None, "none": None}) == {"a", "b"}
    assert (engine.degraded, list(engine.keys()), engine.revision) == ({}, ["a"], 4)
    assert engine.get_boolean_value("a", False, {"y": 1}) is True


def test_value_sets_are_patched():
    """A changed value set reaches the flags that ask it; taken away, they go on with what they had."""

    def with_values(*more: str) -> Snapshot:
        values = {"attribute": "t", "values": [f"{n}" for n in range(200)] + list(more)}
        return snapshot_of({"member": boolean('segment("s")')}, segments={"s": values})

    engine, (before, now) = Engine(), (with_values(), with_values("new"))
    assert engine.patch(1, before.programs, before.value_sets, before.debug) == {"member"}
    assert engine.get_boolean_value("member", False, {"t": "new"}) is False
    assert engine.patch(2, {}, patch_of(before, now)[1]) == {"member"}
    assert engine.get_boolean_value("member", False, {"t": "new"}) is True
    engine.patch(3, {}, dict.fromkeys(now.value_sets))
    assert set(engine.degraded) == {"member"}
    assert engine.get_boolean_value("member", False, {"t": "new"}) is True


def test_a_patch_keeps_overrides_and_ends_with_the_engine():
    """Overrides lie over patched flags; a closed engine takes no patch."""
    flags = {"a": boolean('x == "a"'), "b": boolean('x == "b"')}
    engine, other = engine_of(flags), snapshot_of({"a": boolean("y == 1")}, revision=2)
    token = engine.push_override({"a": False})
    assert engine.patch(2, other.programs) == {"a"}
    assert engine.get_boolean_value("a", True, {"y": 1}) is False
    engine.pop_override(token)
    assert engine.get_boolean_value("a", False, {"y": 1}) is True
    engine.close()
    assert engine.patch(3, other.programs) == frozenset()
    assert engine.get_boolean_details("a", False, {"y": 1}).error_code == "PROVIDER_NOT_READY"


NO_MEMORY = """
import _testcapi
from tests.support.engines import boolean, engine_of, snapshot_of
from tests.support.processes import python

flags = {f"f{n}": boolean(f'a{n} == "x"') for n in range(200)}
engine = engine_of(flags)
snapshots = [snapshot_of({**flags, "f9": boolean(f"z == {n}")}, revision=n) for n in (2, 3)]
refused = 0
for n in range(90):
    programs = {"f9": snapshots[n % 2].programs["f9"]}
    load = [lambda: engine.load(snapshots[n % 2]), lambda: engine.patch(n, programs)][n // 2 % 2]
    _testcapi.set_nomemory(n // 4, n // 4 + 1)  # one request for memory fails
    try:
        load()
    except MemoryError:
        refused += 1
    finally:
        _testcapi.remove_mem_hooks()
    assert engine.get_boolean_value("f8", False, {"a8": "x"}) is True
    load()
    assert engine.get_boolean_value("f9", False, {"z": 2 + n % 2}) is True
assert refused, "no request failed within a load"
"""


def test_a_load_without_memory_leaves_a_revision_that_answers():
    """Wherever a load runs out of memory it says so; what was served before goes on, and the next load comes through."""
    pytest.importorskip("_testcapi", reason="this interpreter was built without CPython's own test module")
    done = python("-c", NO_MEMORY)
    assert done.returncode == 0, done.stderr
