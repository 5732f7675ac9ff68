"""A flag is linked when somebody first asks for it, and nobody can tell but by what it weighs."""

from __future__ import annotations

import gc
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from flagcore.engine import Engine
from flagcore.evaluator.constant import constant_program
from flagcore.snapshot.objects import Snapshot
from tests.support.engines import boolean, engine_of, snapshot_of
from tests.support.processes import python

MANY = 700


def linked(engine: Engine) -> list[str]:
    """Return the keys of the flags that the current revision has linked."""
    return [program.key for program in engine._current.linked()]


def many() -> dict[str, Any]:
    """Return flags that look at attributes of their own, some below others."""
    return {f"area-{n % 7}.flag-{n}": boolean(f'a{n}.b == "x" or a{n} == "y"') for n in range(MANY)}


QUESTIONS: dict[str, Callable[[Engine], object]] = {
    "getter": lambda engine: engine.get_boolean_value("g", False, {}),
    "details": lambda engine: engine.get_boolean_details("g", False, {}),
    "another type": lambda engine: engine.get_string_value("g", "", {}),
    "no context": lambda engine: engine.get_boolean_value("g", False, 5),  # type: ignore[arg-type]
    "reusable context": lambda engine: engine.get_boolean_value("g", False, engine.context({})),
    "handle": lambda engine: engine.flag("g").value(False, {}),
    "evaluate": lambda engine: engine.evaluate("g", False, {}),
    "explain": lambda engine: engine.explain("g", {}),
    "prefix": lambda engine: engine.evaluate_all({}, prefix="g"),
    "table": lambda engine: engine.evaluate_table("g", {"a": ["x"]}),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_question_links_the_flag_that_it_asks_for(question: str):
    """After a load nothing is linked; whoever asks links what he asks for, and no more."""
    engine = engine_of({"f": boolean('a == "x"'), "g": boolean('a == "x"'), "h": boolean()})
    assert linked(engine) == []
    QUESTIONS[question](engine)
    assert linked(engine) == ["g"]
    engine.evaluate_all({})
    assert linked(engine) == ["f", "g", "h"]


def test_what_others_name_is_linked_from_the_start():
    """Prerequisites, the flags that have some, and flags that ask value sets do not wait: their links are resolved with the revision."""
    values = {"attribute": "t", "values": [f"{n}" for n in range(200)]}
    above = {**boolean(), "requires": [{"flag": "below", "is": ["on"]}]}
    flags = {"below": boolean(), "above": above, "alone": boolean(), "member": boolean('segment("s")')}
    engine = engine_of(flags, segments={"s": values})
    assert linked(engine) == ["above", "below", "member"]


def test_any_text_finds_its_flag():
    """Equal texts that are other objects, in any order, find the flag of their key, however many share a place in the table."""
    engine, chance = engine_of(many()), random.Random(4)
    keys = list(engine.keys())
    get = engine.get_boolean_details
    for _ in range(4):
        for key in chance.sample(keys, len(keys)):
            number = key.rpartition("-")[2]
            for text in (key, "".join(key), str(key.encode(), "ascii")):
                assert get(text, False, {f"a{number}": {"b": "x"}}).flag_key == key
                assert get(text, False, {f"a{number}": {"b": "x"}}).value is True
                assert get(text, False, {f"a{number}": "z"}).value is False
    assert get("area-0.flag-1", False, {}).error_code == "FLAG_NOT_FOUND"


class Text(str):
    """A text that is equal to nothing, if anybody asks it."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    def __hash__(self) -> int:
        raise AssertionError


@pytest.mark.parametrize("key", ["grün", "日本", "naïve-🚩", "f", "a\u0000b"])
def test_keys_in_any_script(key: str):
    """Flag keys of any characters are found by equal texts and by subclasses of str; texts that differ or are no Unicode are unknown."""
    engine = Engine()
    engine.load(Snapshot(0, 1, {name: constant_program(name, True, None) for name in (key, "q")}))
    assert not engine.degraded
    for text in (key, Text(key), (key + "x")[:-1]):
        assert engine.get_boolean_value(text, False, {}) is True
    for text in (key + "x", key[:-1] + "\ud800", key[:-1] + "\ufffd", "\udcff"):
        assert engine.get_boolean_details(text, False, {}).error_code == "FLAG_NOT_FOUND"
    assert dict(engine.evaluate_all({}))[key].value is True
    assert list(engine.keys()) == [key, "q"]


@pytest.mark.parametrize("key", ["\ud800", "a\ufffd"])
def test_keys_that_no_program_can_have_are_refused(key: str):
    """A flag whose key is no Unicode, or whose program's is no UTF-8, is degraded by itself."""
    broken = constant_program("aX", True, None).replace(b"aX", b"a\xff")
    engine = Engine()
    engine.load(Snapshot(0, 1, {key: broken, "q": constant_program("q", True, None)}))
    assert list(engine.degraded) == [key]
    assert list(engine.keys()) == ["q"]


def test_the_revision_is_that_at_which_the_bytes_came():
    """A flag that is first asked for long after it came says at which revision that was."""
    engine, flags = Engine(), {"f": boolean('a == "x"'), "g": boolean('a == "x"')}
    engine.load(snapshot_of(flags, revision=3))
    engine.load(snapshot_of({**flags, "g": boolean('b == "x"')}, revision=4))
    engine.load(snapshot_of({"h": boolean(), **flags, "g": boolean('b == "x"')}, revision=5))
    found = {key: details.flag_metadata["flagcore.revision"] for key, details in engine.evaluate_all({}).items()}
    assert found == {"h": 5, "f": 3, "g": 4}


def test_that_a_flag_is_linked_is_no_change():
    """Loading again tells of no change of a flag, asked for or not; evaluations of flags that are no longer served stay counted."""
    engine = engine_of({"f": boolean(), "g": boolean()})
    assert engine.load(snapshot_of({"f": boolean(), "g": boolean()}, revision=2)) == frozenset()
    engine.get_boolean_value("f", False, {})
    assert engine.load(snapshot_of({"g": boolean(), "f": boolean()}, revision=3)) == frozenset()
    token = engine.push_override({"g": False})
    for key in ("f", "g"):
        engine.get_boolean_value(key, False, {})
    engine.pop_override(token)
    engine.get_boolean_value("g", False, {})
    assert {key: sum(counts.values()) for key, counts in engine.counters().items()} == {"f": 2, "g": 2}


def test_a_context_that_is_older_than_the_attributes():
    """A reusable context serves flags that are linked after it was made, though nobody knew their attributes then."""
    engine = engine_of(many())
    context = engine.context({f"a{n}": {"b": "x"} if n % 2 else "y" for n in range(MANY)})
    assert all(engine.get_boolean_value(key, False, context) for key in [*engine.keys()])
    assert all(details.value for details in engine.evaluate_all(context).values())


@contextmanager
def collecting_always() -> Iterator[None]:
    """Look for garbage at each new object."""
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)


class Cycle:
    """Garbage as soon as it is made; asks when it is collected."""

    def __init__(self, ask: Callable[[], object]) -> None:
        self.ask, self.itself = ask, self

    def __del__(self) -> None:
        self.ask()


@pytest.mark.parametrize("seed", range(4))
def test_garbage_that_asks_while_a_flag_is_linked(seed: int):
    """Finalizers that run while a flag is linked may ask for the same flag, for others, or swap: every answer is right."""
    flags, chance, found = many(), random.Random(seed), []
    keys, engine, revisions = list(flags), engine_of(flags), 2
    snapshots = [snapshot_of(flags, revision=1), snapshot_of({**flags, "one": boolean()}, revision=2)]

    def ask(key: str) -> None:
        if chance.random() < 0.02:
            engine.load(snapshots[chance.randrange(revisions)])
        number = key.rpartition("-")[2]
        found.append(engine.get_boolean_value(key, False, {f"a{number}": {"b": "x"}}))

    with collecting_always():
        for key in chance.sample(keys, 200):
            other = chance.choice(keys)
            Cycle(lambda key=key, other=other: (ask(key), ask(other)))  # type: ignore[misc]
            ask(key)
    gc.collect()
    assert len(found) == 600
    assert all(found)
    names = [program.key for program in engine._current.linked()]
    assert len(names) == len(set(names))


def test_threads_that_ask_first():
    """Threads that ask for flags nobody has asked for, while others swap revisions, get the right answers."""
    flags, wrong = many(), list[str]()
    keys, engine, barrier = list(flags), engine_of(flags), threading.Barrier(4)
    snapshots = [
        snapshot_of(flags, revision=2, debug=False),
        snapshot_of(dict(reversed(flags.items())), revision=3, debug=False),
    ]

    def ask(seed: int) -> None:
        barrier.wait()
        for key in random.Random(seed).choices(keys, k=3000):
            number = key.rpartition("-")[2]
            if engine.get_boolean_value(key, False, {f"a{number}": {"b": "x"}}) is not True:
                wrong.append(key)

    def swap() -> None:
        barrier.wait()
        for turn in range(60):
            engine.load(snapshots[turn % 2])

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(3)] + [threading.Thread(target=swap)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


NO_MEMORY = """
import _testcapi
from tests.support.engines import boolean, engine_of

COUNT = 200
engine = engine_of({f"f{n}": boolean(f'a{n} == "x" and b{n} == {n}') for n in range(COUNT)})
refused = 0
for n in range(COUNT):
    key, context = f"f{n}", {f"a{n}": "x", f"b{n}": n}
    _testcapi.set_nomemory(n // 2, n // 2 + 1)  # one request for memory fails, a later one for each two flags
    try:
        answer = engine.get_boolean_value(key, False, context)
    finally:
        _testcapi.remove_mem_hooks()
    refused += answer is False
    assert engine.get_boolean_value(key, False, context) is True
assert refused, "no request failed within linking"
"""


def test_a_flag_that_found_no_memory_to_be_linked_serves_the_default_value_and_is_linked_next_time():
    """Wherever linking runs out of memory nothing is raised and nothing crashes; later questions get the right answer."""
    pytest.importorskip("_testcapi", reason="this interpreter was built without CPython's own test module")
    done = python("-c", NO_MEMORY)
    assert done.returncode == 0, done.stderr
