"""Loading with pauses: other threads evaluate meanwhile, and see one revision or the other."""

from __future__ import annotations

from typing import Any

import pytest

from flagcore import engine as engine_module
from flagcore.engine import Engine
from tests.support.engines import boolean, engine_of, snapshot_of

MANY = 640
EVERY = 32  # flags between two pauses


def flags(salt: str, count: int = MANY) -> dict[str, Any]:
    """Return flags that are on for the attribute value ``salt``; every fourth requires the one before."""
    made = {f"flag-{n:04}": boolean(f'a{n % 90} == "{salt}"') for n in range(count)}
    for n in range(3, count, 4):
        made[f"flag-{n:04}"]["requires"] = [{"flag": f"flag-{n - 1:04}", "is": ["on"]}]
    return made


def answers(engine: Engine, salt: str) -> set[bool]:
    """Return the different answers of all flags for a context that the revision of ``salt`` turns on."""
    context = {f"a{n}": salt for n in range(90)}
    return {engine.get_boolean_value(f"flag-{n:04}", False, context) for n in range(MANY)}


def test_a_load_with_pauses_is_the_same_load():
    """Answers, changed keys and degraded flags do not depend on pauses, for a first, a changed, a smaller and an equal snapshot."""
    plain, paused = Engine(), Engine()
    pauses: list[None] = []
    for revision, made in enumerate((flags("x"), flags("y"), flags("y", 500), flags("y", 500))):
        snapshot = snapshot_of(made, revision=revision + 1)
        snapshot.programs["flag-0001"] = b"no program" if revision == 2 else snapshot.programs["flag-0001"]
        assert plain.load(snapshot) == paused.load(snapshot, pause=lambda: pauses.append(None))
        assert (plain.degraded, plain.revision) == (paused.degraded, paused.revision)
        everyone = {f"a{n}": "y" for n in range(90)}
        assert dict(plain.evaluate_all(everyone)) == dict(paused.evaluate_all(everyone))
    assert len(pauses) > 4 * MANY / EVERY


def test_whoever_evaluates_in_a_pause_meets_one_whole_revision():
    """Until the swap every flag answers as before, also those that are linked only then; afterwards as the new revision."""
    engine = engine_of(flags("x"))
    seen: list[tuple[set[bool], set[bool]]] = []
    engine.load(
        snapshot_of(flags("y"), revision=2), pause=lambda: seen.append((answers(engine, "x"), answers(engine, "y")))
    )
    before, after = ({True}, {False}), ({False}, {True})
    assert seen.count(before) > MANY / EVERY
    assert seen.count(after) > MANY / EVERY
    assert seen == [before] * seen.count(before) + [after] * seen.count(after)


def test_flags_linked_in_a_pause_may_need_more_room():
    """A flag of a new attribute that is linked in a pause is taken over into the new revision with its attribute's place."""
    made = {f"flag-{n:03}": boolean(f'a{n}.b == "x"') for n in range(200)}
    engine = engine_of(made)
    more = {**made, "new": boolean('z == "x"')}
    asked = iter(range(200))
    every = {f"a{n}": {"b": "x"} for n in range(200)}

    def ask() -> None:
        for _, n in zip(range(40), asked, strict=False):
            assert engine.get_boolean_value(f"flag-{n:03}", False, every)

    engine.load(snapshot_of(more, revision=2), pause=ask)
    assert all(engine.get_boolean_value(f"flag-{n:03}", False, every) for n in range(200))
    assert engine.get_boolean_value("new", False, {"z": "x"})


def test_counts_of_programs_that_went_are_bounded(monkeypatch: pytest.MonkeyPatch):
    """Counts of replaced programs are kept for so many flags and outcomes; of the others it is told how many there were."""
    monkeypatch.setattr(engine_module, "MAX_RETIRED_FLAGS", 2)
    monkeypatch.setattr(engine_module, "MAX_RETIRED_OUTCOMES", 3)
    engine = Engine()
    for revision in range(1, 6):
        made = {key: boolean(f'a == "{revision}"', id=f"r{revision}") for key in ("f", "g", "h")}
        engine.load(snapshot_of(made, revision=revision))
        for key in made:
            engine.get_boolean_value(key, False, {"a": str(revision)})
    engine.load(snapshot_of({}, revision=9))
    known = engine.counters(drain=True)
    assert {key: sum(counts.values()) for key, counts in known.items()} == {"f": 3, "g": 3}
    assert engine.uncounted == 15 - 6
