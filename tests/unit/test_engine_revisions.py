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
