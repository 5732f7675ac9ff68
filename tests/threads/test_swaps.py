"""Threads evaluate while others load, override and count: every answer is that of one revision, and nothing crashes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from flagcore.engine import Engine
from tests.support.engines import boolean, snapshot_of

READERS = 4
LOADS = 150


@pytest.fixture(autouse=True)
def _tiny_switch_interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def revision(number: int) -> dict[str, Any]:
    """Return flags that all carry the number of their revision."""
    value = {"type": "integer", "variants": {"v": number}, "default": "v"}
    split = {"type": "string", "variants": {"a": f"a{number}", "b": f"b{number}"}, "default": {"a": 1, "b": 1}}
    rules = [{"id": "r", "when": f'country == "DE" and x{number} != 1', "serve": "w"}]
    ruled = {"type": "integer", "variants": {"v": -1, "w": number}, "default": "v", "rules": rules}
    needs = {**boolean(f"y{number} != 1"), "requires": [{"flag": "base", "is": "on"}]}
    return {
        "value": value,
        "split": split,
        "ruled": ruled,
        "needs": needs,
        "base": {"type": "boolean", "default": "on"},
    }


class Text(str):
    """A text whose comparison runs Python code, so that threads switch in the middle of an evaluation."""

    __slots__ = ()

    def __hash__(self) -> int:
        return str.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other) is True


def test_answers_during_swaps():
    """While revisions are swapped, overridden and drained, every set of answers is that of one revision."""
    engine = Engine()
    snapshots = [snapshot_of(revision(number), revision=number) for number in (1, 2, 3)]
    engine.load(snapshots[0])
    done, failures, start = threading.Event(), [], threading.Barrier(READERS + 2)
    names = {f"{kind}{number}": 0 for kind in "xy" for number in (1, 2, 3)}
    contexts: list[Any] = [
        {"country": "DE", "targetingKey": "u-1", **names},
        {Text("country"): "DE", Text("targetingKey"): "u-1", **{Text(name): 0 for name in names}},
        engine.context({"country": "DE", "targetingKey": "u-1", **names}),
    ]

    def read(context: Any) -> None:
        get, handle = engine.get_integer_value, engine.flag("value")
        start.wait()
        try:
            while not done.is_set():
                everything = engine.evaluate_all(context)
                number = everything["value"].value
                assert everything["ruled"].value == number
                assert everything["split"].value in (f"a{number}", f"b{number}")
                assert everything["needs"].value is True
                assert get("ruled", 0, context) in (1, 2, 3)
                assert get("value", 0) in (1, 2, 3)
                assert handle.value(0) in (1, 2, 3)
                assert engine.get_boolean_value("needs", False, context) is True
                assert engine.get_boolean_value("extra", False, context) in (True, False)
        except BaseException as error:
            failures.append(error)

    def override() -> None:
        start.wait()
        while not done.is_set():
            token = engine.push_override({"extra": True})
            engine.counters(drain=True)
            str(engine.explain("ruled", contexts[0]))
            engine.pop_override(token)

    threads = [threading.Thread(target=read, args=(contexts[i % 3],)) for i in range(READERS)]
    threads.append(threading.Thread(target=override))
    for thread in threads:
        thread.start()
    start.wait()
    for turn in range(LOADS):
        engine.load(snapshots[turn % 3])
    done.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert not engine.degraded


def test_counts_are_exact():
    """Counts of threads that evaluate at once add up."""
    engine = Engine()
    engine.load(snapshot_of({"f": boolean('country == "DE"')}))

    def evaluate() -> None:
        for _ in range(5000):
            engine.get_boolean_value("f", False, {"country": "DE"})

    threads = [threading.Thread(target=evaluate) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.counters() == {"f": {("on", "r", "TARGETING_MATCH"): 5000 * READERS}}


def test_closing_during_evaluations():
    """Closing while others evaluate gives them the old answer or their default value."""
    for _ in range(20):
        engine = Engine()
        engine.load(snapshot_of({"f": boolean('country == "DE"')}))
        answers: set[object] = set()
        start = threading.Barrier(3)

        def evaluate(engine: Engine = engine, answers: set[object] = answers, start: threading.Barrier = start) -> None:
            start.wait()
            for _ in range(200):
                answers.add(engine.get_boolean_value("f", None, {"country": "DE"}))  # type: ignore[arg-type]

        threads = [threading.Thread(target=evaluate) for _ in range(2)]
        for thread in threads:
            thread.start()
        start.wait()
        engine.close()
        for thread in threads:
            thread.join()
        assert answers <= {True, None}
