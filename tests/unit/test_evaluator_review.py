"""Rare states of the evaluator: kept programs, shared empty contexts, collections and forks in the midst of something."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flagcore.compiler import layout
from flagcore.engine import Engine, _after_fork, _before_fork
from flagcore.evaluator._program import ProgramSet
from flagcore.snapshot.objects import Snapshot
from tests.support.engines import boolean, engine_of, snapshot_of
from tests.support.program_builder import Builder

LEAF_OFFSET, OUTCOME_COUNT = 10, 23  # fields of the header


def _fields(snapshot: Snapshot) -> dict[str, Any]:
    return {name: getattr(snapshot, name) for name in snapshot.__struct_fields__}


def requiring(key: str, when: str) -> dict[str, Any]:
    """Return a flag that requires that another one is on."""
    return {**boolean(when), "requires": [{"flag": key, "is": ["on"]}]}


def test_collections_that_swap_the_revision_under_a_context():
    """A finalizer that loads a later revision, and evaluates with the context, while an evaluation of it begins."""
    many = {f"m{i}": boolean(f'a{i} == "x"') for i in range(200)}
    chain = {"b0": boolean('x == "1"')} | {f"b{i}": requiring(f"b{i - 1}", 'x == "1"') for i in range(1, 10)}
    engine = engine_of(chain)
    later = snapshot_of(many, revision=2)
    context = engine.context({"x": "1", **{f"a{i}": "x" for i in range(200)}})

    def swap(phase: str, _: dict[str, int]) -> None:
        if phase == "stop" and engine.revision == 1:
            engine.load(later)
            engine.evaluate_all(context)

    before = gc.get_threshold()
    gc.callbacks.append(swap)
    gc.set_threshold(1)
    try:
        results = engine.evaluate_all(context)
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(swap)
    assert all(details.value is True for details in results.values())
    assert engine.get_boolean_value("b9", False, context) in (True, False)


@pytest.mark.parametrize(
    "flags", [{"f": {"type": "boolean", "default": "on"}}, {"f": boolean()}, {"f": boolean("has(a)")}]
)
def test_collections_that_swap_the_revision_under_an_answer(flags: dict[str, Any]):
    """A finalizer that loads another revision while the details of an outcome are built for the first time."""
    engine = engine_of(flags)
    later = snapshot_of({f"g{i}": boolean() for i in range(20)}, revision=2)

    def swap(phase: str, _: dict[str, int]) -> None:
        if phase == "stop" and engine.revision == 1:
            engine.load(later)

    before = gc.get_threshold()
    gc.callbacks.append(swap)
    gc.set_threshold(1)
    try:
        details = engine.get_boolean_details("f", False, {"a": 1})
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(swap)
    assert (details.flag_key, details.value, details.variant) == ("f", True, "on")
    assert engine.revision == 2


def test_the_context_none_stays_empty():
    """What is written into the mapping of one empty context is seen by no other."""
    engine = engine_of({"f": boolean('a == "x"')})
    context = engine.context(None)
    context.mapping["a"] = "x"  # type: ignore[index]
    assert engine.get_boolean_value("f", False) is False
    assert engine.get_boolean_value("f", False, context) is True


LATER = [{"id": "r", "between": ["2100-01-01T00:00:00Z", None], "serve": "on"}]


@pytest.mark.parametrize("reusable", [False, True])
@pytest.mark.parametrize("part", ["value", "details"])
def test_outcomes_that_are_made_afresh_are_walked_once(part: str, reusable: bool):
    """Where the caller's default value or a fresh object is served, a walk asks the clock once and counts once."""
    asked: list[int] = []
    engine = engine_of(
        {
            "draw": {"type": "boolean", "default": {"on": 1, "off": 1}, "rules": LATER},
            "object": {"type": "object", "variants": {"on": {"k": 1}}, "default": "on", "rules": LATER},
        },
        clock=lambda: asked.append(1) or 0,
    )
    context: Any = engine.context({}) if reusable else {}
    default = object()
    ways: dict[str, Callable[[], Any]] = {
        "getter": lambda: getattr(engine, f"get_boolean_{part}")("draw", default, context),
        "handle": lambda: getattr(engine.flag("draw"), part)(default, context),
        "object": lambda: getattr(engine.flag("object"), part)(default, context),
    }
    for name, ask in ways.items():
        ask()  # a reusable context takes its room when it is first used
        asked.clear()
        engine.counters(drain=True)
        answer = ask() if part == "value" else ask().value
        assert answer == {"k": 1} if name == "object" else answer is default
        assert len(asked) == 1
        assert [sum(counts.values()) for counts in engine.counters().values()] == [1]


def with_leaves(program: bytes, count: int) -> bytes:
    """Return a program of one split with ``count`` leaves, which all share its contestants."""
    header = list(layout.HEADER.unpack_from(program))
    leaf = layout.LEAF.unpack_from(program, header[LEAF_OFFSET])
    outcomes = leaf[6] + 1
    leaves = b"".join(layout.LEAF.pack(*leaf[:8], number * outcomes, *leaf[9:]) for number in range(count))
    header[3], header[LEAF_OFFSET], header[LEAF_OFFSET + 1] = len(program) + len(leaves), len(program), count
    header[OUTCOME_COUNT] = outcomes * count
    return layout.HEADER.pack(*header) + program[layout.HEADER_SIZE :] + leaves


def test_many_leaves_that_share_contestants():
    """Two million outcomes in 650 kB, as many as verify lets pass, are linked in linear time; one more than its leaves is refused."""
    names = [f"v{number:02}" for number in range(100)]
    builder = Builder("f", value_type=layout.ValueType.BOOLEAN, variants=names)
    builder.split_leaf(dict.fromkeys(names, 1), builder.slot("targetingKey"))
    program = with_leaves(builder.finish(), 20_000)
    engine = Engine()
    engine.load(Snapshot(epoch=1, revision=1, programs={"f": program}))
    assert not engine.degraded
    assert engine.get_boolean_details("f", False, {"targetingKey": "u"}).variant in names
    assert sum(engine.counters()["f"].values()) == 1
    header = list(layout.HEADER.unpack_from(program))
    header[OUTCOME_COUNT] += 1
    engine.load(
        Snapshot(epoch=1, revision=2, programs={"f": layout.HEADER.pack(*header) + program[layout.HEADER_SIZE :]})
    )
    assert "outcomes" in engine.degraded["f"]


class Unshowable:
    """A key whose repr raises an error whose repr raises."""

    def __repr__(self) -> str:
        class Unshowable(Exception):
            def __repr__(self) -> str:
                raise self

        raise Unshowable


def test_keys_that_cannot_be_shown():
    """Not even the message about a key raises."""
    engine = engine_of({"f": boolean()})
    key: Any = Unshowable()
    assert engine.get_boolean_details(key, True).error_code == "GENERAL"


def test_programs_that_are_none():
    """A snapshot with None for a program is refused before anything is read."""
    engine = engine_of({"f": boolean()})
    programs: Any = {"f": None}
    with pytest.raises(TypeError, match="None"):
        engine.load(Snapshot(**{**_fields(snapshot_of({"f": boolean()})), "programs": programs}))
    assert engine.get_boolean_value("f", False) is True


def test_explaining_at_what_is_no_time():
    """A time that is no whole number is the caller's error; the context stays as quick as it was."""
    engine = engine_of({"f": boolean('a == "x"')})
    moment: Any = "now"
    with pytest.raises(TypeError):
        engine.explain("f", engine.context({}), moment)


def test_overrides_after_the_end():
    """A closed engine answers PROVIDER_NOT_READY for good, whatever is pushed and popped."""
    engine = engine_of({"f": boolean()})
    engine.close()
    first, _ = engine.push_override({"f": True}), engine.push_override({"g": True})
    engine.pop_override(first)
    assert engine.get_boolean_details("g", False).error_code == "PROVIDER_NOT_READY"


class Last:
    """Runs ``act`` when it is freed."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act

    def __del__(self) -> None:
        self.act()


def revisions_alive() -> int:
    """Return how many revisions there are in the process."""
    gc.collect()
    return sum(type(thing) is ProgramSet for thing in gc.get_objects())


def test_handles_that_are_asked_while_they_free_a_revision():
    """A handle may be the last that holds a revision; what is freed with it may ask the handle again."""
    before = revisions_alive()
    engine = engine_of({"f": boolean()})
    handles = [engine.flag("f")]
    second, third = (snapshot_of({"f": boolean(f'a{i} == "x"')}, revision=i) for i in (2, 3))
    answers: list[object] = []
    debug: dict[str, Any] = {"other": Last(lambda: answers.append(handles[0].value(False, {"a3": "x"})))}
    engine.load(Snapshot(**{**_fields(second), "debug": debug}))
    handles[0].value(False)
    del debug
    engine.load(third)
    assert handles[0].value(False, {"a3": "x"}) is True
    assert answers == [True]
    handles.clear()
    del engine
    assert revisions_alive() == before


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**400])
def test_overrides_beyond_64_bits(value: int):
    """An integer that no flag can have is refused when it is pushed, and does not stand in the way of later loads."""
    engine = engine_of({"x": {"type": "float", "variants": {"a": 1.5}, "default": "a"}})
    with pytest.raises(TypeError, match="64 bits"):
        engine.push_override({"x": value})
    engine.load(snapshot_of({"x": boolean()}, revision=2))
    assert engine.get_boolean_value("x", False) is True


def test_overrides_that_change_after_they_were_pushed():
    """An override stays what it was when it was pushed, over loads too."""
    engine = engine_of({"f": boolean()})
    value: list[object] = [1]
    engine.push_override({"c": value})
    value.append(object())
    engine.load(snapshot_of({"f": boolean('a == "x"')}, revision=2))
    assert engine.get_object_value("c", {}) == [1]


def test_overrides_of_flags_whose_values_cannot_be_read():
    """A variant that is no JSON does not keep its flag from being overridden, or a revision from being served."""
    snapshot = snapshot_of({"o": {"type": "object", "variants": {"a": {"k": 12345}}, "default": "a"}}, revision=2)
    programs = {key: program.replace(b"12345", b"1234x") for key, program in snapshot.programs.items()}
    engine = engine_of({"f": boolean()})
    engine.push_override({"o": {"k": 1}})
    engine.load(Snapshot(**{**_fields(snapshot), "programs": programs}))
    assert not engine.degraded
    assert engine.get_object_value("o", {}) == {"k": 1}


class SlowLock:
    """A lock whose first release waits until another thread has gone on."""

    def __init__(self) -> None:
        self.lock, self.other_went_on = threading.RLock(), threading.Event()

    def acquire(self) -> None:
        self.lock.acquire()

    def release(self) -> None:
        self.lock.release()
        self.other_went_on.wait(5)


def test_threads_that_fork_at_once():
    """Each thread that forks releases the locks that it took itself, so that loading goes on."""
    engine = engine_of({"f": boolean()})
    lock: Any = SlowLock()
    done = threading.Event()
    engine._lock = lock

    def fork() -> None:
        _before_fork()
        lock.other_went_on.set()
        done.wait(5)
        _after_fork()

    _before_fork()
    other = threading.Thread(target=fork)
    other.start()
    _after_fork()
    done.set()
    other.join()
    assert lock.lock.acquire(timeout=5)
    lock.lock.release()
