"""Objects of the compiled module: whoever makes them by hand is refused, and whatever is done to real ones is survived."""

from __future__ import annotations

import copy
import copyreg
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from flagcore.engine import Engine
from flagcore.evaluator import _program
from tests.support.engines import boolean, engine_of

KINDS = [kind for kind in vars(_program).values() if isinstance(kind, type) and kind.__module__ == _program.__name__]
BY_HAND = {_program.EvaluationDetails, _program.ValueSet, _program.Values, _program.Evaluator}  # made by calling them
SEALED = [kind for kind in KINDS if kind not in BY_HAND]
PICKLED = {_program.EvaluationDetails}
ODD: list[Any] = [None, 0, -1, 2**70, 1.5, "x", "\ud800", b"x", [], {}, (), ("a", 1), (1,), object(), _program.Program]


def objects() -> dict[type, list[Any]]:
    """Return real objects of every kind that can be met."""
    values = {"attribute": "t", "values": [f"{i}" for i in range(200)]}
    flags = {"f": boolean('a == "x"'), "g": boolean('segment("s")')}
    engine = engine_of(flags, segments={"s": values})
    programs = engine._current
    made: list[Any] = [
        engine,
        _program.Evaluator(clock=None),
        programs,
        *programs.linked(),
        *programs.sets.values(),
        engine.context({"a": 1}),
        engine.flag("f"),
        engine.flag("none"),
        engine.evaluate_all({}),
        engine.evaluate_all(5),  # type: ignore[arg-type]
        engine.evaluate("f", None),
        _program.EvaluationDetails(),
        _program.Values([1, "x", None, {"a": 5}], ("a",)),
        engine._probes("f", programs.sources()[0]["f"], {"a": "x"}, 0),
    ]
    return {kind: [thing for thing in made if isinstance(thing, kind)] for kind in KINDS}


def attempt(act: Callable[[], object]) -> object:
    """Return what a call gives, or the exception that it raises."""
    try:
        return act()
    except Exception as error:
        return error


def test_every_kind_is_looked_at():
    """The module has the kinds that its declarations name; those that a test could meet are met."""
    names = {kind.__name__ for kind in KINDS}
    assert {
        "Program",
        "ProgramSet",
        "Context",
        "Evaluator",
        "FlagHandle",
        "Evaluations",
        "Probes",
        "SlotTable",
    } <= names
    met = {kind.__name__ for kind, found in objects().items() if found}
    assert names - met == {"SlotTable", "Linker"}  # these live inside others


@pytest.mark.parametrize("kind", SEALED)
def test_only_an_engine_makes_its_parts(kind: type):
    """No way that Python has makes an object that lacks what its methods rely on; the error says who does."""
    ways: list[Callable[[], object]] = [
        kind,
        lambda: kind.__new__(kind),
        lambda: copyreg.__newobj__(kind),  # type: ignore[attr-defined]
        lambda: type.__call__(kind),
        lambda: kind(*[None] * 4),
    ]
    for way in ways:
        with pytest.raises(TypeError, match=f"only an engine makes a {kind.__name__}"):
            way()
    with pytest.raises(TypeError, match="not safe"):
        object.__new__(kind)
    with pytest.raises(TypeError):
        type("Derived", (kind,), {})()


@pytest.mark.parametrize("kind", sorted(BY_HAND, key=str))
def test_kinds_that_are_made_by_hand(kind: type):
    """Without the arguments that they need these raise, or are complete."""
    made = attempt(lambda: kind.__new__(kind))
    assert isinstance(made, TypeError | kind)
    for odd in ODD:
        attempt(lambda odd=odd: kind(odd))
        attempt(lambda odd=odd: kind(clock=odd, static_context=odd))
        attempt(lambda odd=odd: kind(clock=odd, on_unknown=odd).evaluate("f", None))


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_done_to_objects(kind: type):
    """Every attribute and method, dunders included, with odd arguments, comparisons, copies: answers or exceptions, no crash."""
    for thing in objects()[kind]:
        for other in [*ODD, thing]:
            for compare in (thing.__eq__, thing.__ne__, thing.__lt__):
                attempt(lambda compare=compare, other=other: compare(other))
        for name in dir(thing):
            if name in ("__class__", "__dict__", "__subclasshook__", "__init_subclass__"):
                continue
            found = attempt(lambda thing=thing, name=name: getattr(thing, name))
            if callable(found):
                use(found)
            if not isinstance(thing, Engine):  # it has attributes of its own, which anybody may spoil
                attempt(lambda thing=thing, name=name: setattr(thing, name, 5))
        for act in (repr, str, hash, len, list, dict, bool, copy.copy, copy.deepcopy):
            attempt(lambda act=act, thing=thing: act(thing))


def use(method: Callable[..., object]) -> None:
    """Call a method with odd arguments of every number."""
    attempt(method)
    for odd in ODD:
        for count in (1, 2, 3, 4):
            attempt(lambda odd=odd, count=count: method(*[odd] * count))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in PICKLED])
def test_objects_that_cannot_be_copied(kind: type):
    """Pickling and copying raise TypeError, but for details, which are plain data."""
    for thing in objects()[kind]:
        for act in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                act(thing)


def test_details_are_copied():
    """Details are equal after a copy and through a pickle."""
    details = engine_of({"f": boolean()}).evaluate("f", None)
    for other in (copy.copy(details), copy.deepcopy(details), pickle.loads(pickle.dumps(details))):
        assert other == details


def test_engines_outlive_their_misuse():
    """An engine whose methods were called with anything still answers."""
    engine = engine_of({"f": boolean('a == "x"')})
    for name in (
        "_link",
        "_probes",
        "_peek",
        "_swap",
        "evaluate",
        "evaluate_all",
        "context",
        "flag",
        "explain",
        "counters",
    ):
        use(getattr(engine, name))
    assert engine.get_boolean_value("f", False, {"a": "x"}) is True
    assert isinstance(engine, Engine)
