"""Evaluation never raises and never crashes, whatever a context does while it is read."""

from __future__ import annotations

import datetime
import gc
import random
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from flagcore.compiler.layout import ProgramFlag
from flagcore.compiler.reader import ProgramReader
from flagcore.engine import Engine
from tests.support.engines import boolean, engine_of, snapshot_of

FLAGS = {
    "many": {
        "type": "boolean",
        "default": "off",
        "rules": [{"id": f"r{i}", "when": f'a{i} == "v{i}"', "serve": "on"} for i in range(6)],
    },
    "nested": boolean('a.b == "x"'),
    "needs": {**boolean('a5 == "v5"'), "requires": [{"flag": "many", "is": ["on", "off"]}]},
    "draw": {"type": "string", "variants": {"a": "1", "b": "2"}, "default": {"a": 1, "b": 1}},
}


def crowd(*names: str) -> list[dict[str, Any]]:
    """Return rules that no context here meets; they overlap so much that their flag is met by masks."""
    pairs = [random.Random(number).sample(names, 2) for number in range(100)]
    tests = [
        [f'{name} in ["crowd-{number % 7}", "crowd-{number % 5}"]' for name in pair]
        for number, pair in enumerate(pairs)
    ]
    return [{"id": f"c{number}", "when": " and ".join(both), "serve": "on"} for number, both in enumerate(tests)]


def crowded(flag: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a flag that answers as this one does, by a forked program."""
    return {**flag, "rules": [*crowd(*names), *flag["rules"]]}


@pytest.fixture(params=["straight", "forked"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """An engine that serves FLAGS; `many` is walked straight, or is a forked program."""
    if request.param == "straight":
        return engine_of(FLAGS)
    flags = {**FLAGS, "many": crowded(FLAGS["many"], *(f"a{i}" for i in range(6)))}
    assert ProgramReader(snapshot_of(flags).programs["many"]).flags & ProgramFlag.FORKED
    return engine_of(flags)


class Key:
    """A key that runs ``act`` whenever it is compared; it lies where the attribute ``name`` would."""

    def __init__(self, name: str, act: Callable[[], object]) -> None:
        self.name, self.act = name, act

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        self.act()
        return False


def every_way(engine: Engine, context: Any) -> None:
    """Ask in every way that there is; answers are checked where something is known of them."""
    assert engine.get_boolean_value("many", False, context) in (True, False)
    assert engine.get_boolean_details("needs", False, context).error_code in (
        None,
        "FLAG_NOT_FOUND",
        "PROVIDER_NOT_READY",
    )
    assert engine.get_string_value("draw", "d", context) in ("1", "2", "d")
    assert engine.get_boolean_value("nested", True, context) in (True, False)
    assert len(engine.evaluate_all(context)) in (0, 1, 4)
    str(engine.explain("many", context))
    engine.flag("many").value(False, context)


class Boom(Exception):
    pass


def raising(*_: object) -> Any:
    """Raise, whatever the arguments."""
    raise Boom


@pytest.mark.parametrize("error", [Boom, MemoryError, RecursionError, AttributeError, KeyError, StopIteration])
def test_keys_that_raise(engine: Engine, error: type[Exception]):
    """A foreign key that raises while it is compared makes its attribute missing, and nothing else."""

    def act() -> None:
        raise error

    context = {Key("a0", act): 1, "a5": "v5"}
    assert engine.get_boolean_value("many", False, context) is True
    every_way(engine, context)
    every_way(engine, engine.context(context))


def test_keys_that_clear_the_mapping(engine: Engine):
    """A key that clears the context while an earlier attribute is still in use is survived."""
    for _ in range(50):
        context: dict[object, object] = {"a1": "x" * 50, "a2": "ü" * 50}
        context[Key("a3", context.clear)] = 1
        context["a5"] = "v5"
        every_way(engine, context)
    kept: dict[object, object] = {"a1": "x" * 50, "a5": "v5"}
    kept[Key("a3", lambda: kept.pop("a1", None))] = 1
    assert engine.get_boolean_value("many", False, kept) is True


@pytest.mark.parametrize("is_forked", [False, True])
def test_what_was_read_plainly_outlives_a_clearing_key(is_forked: bool):
    """A text found by its hint is only borrowed: before a foreign key may run, it and the revision become references.

    The key here clears the context, which frees the text, and swaps the revision; the text is read once more behind it.
    """
    text = "a text that is longer than any entry, number "
    rules = [f'first == "{text}{n}" and second == "s"' for n in range(40)] + [
        f'first == "{text}{n}"' for n in range(40)
    ]
    flags = {
        "f": {
            "type": "boolean",
            "default": "off",
            "rules": [{"id": f"r{n}", "when": when, "serve": "on"} for n, when in enumerate(rules)],
        }
    }
    if is_forked:
        flags["f"] = crowded(flags["f"], "first", "second", "third")
    engine, later = engine_of(flags), snapshot_of({**flags, "g": boolean()}, revision=2)
    for n in range(40):
        assert engine.get_boolean_value("f", False, {"first": f"{text}{n}", "third": 1}) is True  # sets the hint
        context: dict[object, object] = {"first": f"{text}{n}"}

        def act(context: dict[object, object] = context) -> None:
            context.clear()
            engine.load(later)
            gc.collect()

        context[Key("second", act)] = 1
        assert engine.get_boolean_value("f", False, context) is True
        assert context == {}


def test_keys_that_change_the_mapping(engine: Engine):
    """A key that grows the context, or replaces the very value that is being read, is survived."""
    for size in range(1, 300, 23):
        context: dict[object, object] = {"a5": "v" + "5"}
        count = iter(range(10_000))
        context[Key("a2", lambda c=context, n=size, k=count: c.update({f"{next(k)}-{i}": i for i in range(n)}))] = 1
        context[Key("a5", lambda c=context: c.__setitem__("a5", "other"))] = 2
        every_way(engine, context)


def test_keys_that_swap_the_revision(engine: Engine):
    """A key that loads another revision, frees the old one, or closes the engine: the evaluation under way ends by its own."""
    revisions = [
        snapshot_of({**FLAGS, "many": boolean(f'a{i} == "v{i}" and b{i} == 1')}, revision=i + 2) for i in range(6)
    ]
    turn = iter(range(10**9))

    def swap() -> None:
        engine.load(revisions[next(turn) % 6])
        gc.collect()

    for _ in range(20):
        context = {Key("a1", swap): 1, Key("a4", swap): 1, "a5": "v5"}
        every_way(engine, context)
        every_way(engine, engine.context(context))
    closing = {Key(f"a{i}", engine.close): 1 for i in range(6)}
    every_way(engine, closing)
    assert engine.get_boolean_details("many", True, closing).error_code == "PROVIDER_NOT_READY"


def test_keys_that_evaluate(engine: Engine):
    """A key may evaluate again, with the same context even, to any depth that Python allows."""
    calls = 0

    def again() -> None:
        nonlocal calls
        calls += 1
        if calls < 40:
            every_way(engine, context)

    plain = {Key("a3", again): 1, "a5": "v5"}
    for context in (plain, engine.context(plain), HostileMapping(again, {"a5": "v5"})):
        calls = 0
        assert engine.get_boolean_value("many", False, context) is True
        assert calls >= 40


def test_endless_recursion_ends_as_missing(engine: Engine):
    """A key that evaluates without end meets Python's own limit, which counts as a missing attribute at the deepest level.

    On the way back the key lets be. One look-up of a dict may compare a key twice (its probes come back to the same place for
    one hash seed in eleven), so a key that then evaluated again would do so 2 ** depth times, in any Python code.
    """
    context: dict[object, object] = {"a5": "v5"}
    begun = ended = 0

    def again() -> None:
        nonlocal begun, ended
        if ended == 0:
            begun += 1
            assert engine.get_boolean_value("many", False, context) is True
            ended += 1

    context[Key("a3", again)] = 1
    assert engine.get_boolean_value("many", False, context) is True
    assert 50 < begun < 2_000
    assert ended == begun


class HostileMapping(Mapping[str, object]):
    """A mapping whose every method does ``act`` first."""

    def __init__(self, act: Callable[..., Any], items: dict[str, object]) -> None:
        self.act, self.items_ = act, items

    def __getitem__(self, key: str) -> object:
        self.act()
        return self.items_[key]

    def __iter__(self) -> Iterator[str]:
        raise Boom

    def __len__(self) -> int:
        raise Boom

    def get(self, key: str, default: object = None) -> object:
        self.act()
        return self.items_.get(key, default)


class HostileDict(dict[str, object]):
    """A dict subclass whose get raises, or gives the mapping itself."""

    def get(self, key: str, default: object = None) -> Any:  # type: ignore[override]
        if key.startswith("a5"):
            return self
        raise Boom


def test_mappings_that_raise(engine: Engine):
    """A mapping that raises has nothing."""
    assert engine.get_boolean_value("many", True, HostileMapping(raising, {"a5": "v5"})) is False
    every_way(engine, HostileMapping(raising, {"a": 1}))
    every_way(engine, HostileDict(a=1))
    every_way(engine, {"a": HostileMapping(raising, {"b": "x"})})
    every_way(engine, {"a": HostileDict(b="x")})


def test_mappings_that_free_what_they_gave(engine: Engine):
    """Values that nobody but the evaluation holds any more stay valid as long as it runs."""
    items: dict[str, object] = {}

    def renew() -> None:
        items.clear()
        items.update({f"a{i}": f"{'x' * 40}{i}" for i in range(6)}, a5="".join(["v", "5"]))
        gc.collect()

    assert engine.get_boolean_value("many", False, HostileMapping(renew, items)) is True


class Liar:
    """An object that lies about its class, and raises for everything else."""

    @property
    def __class__(self) -> Any:
        return self.__dict__["says"]

    def __init__(self, says: object) -> None:
        self.__dict__["says"] = says

    def __getattr__(self, name: str) -> object:
        raise Boom


@pytest.mark.parametrize("says", [dict, str, int, bool, list, 5, None])
def test_objects_that_lie_about_their_class(engine: Engine, says: object):
    """Values and contexts count by their real type."""
    every_way(engine, {"a5": Liar(says), "a": Liar(says), "targetingKey": Liar(says)})
    engine.get_boolean_value("many", False, Liar(says))


class LateZone(datetime.tzinfo):
    """A time zone that raises."""

    def utcoffset(self, _: datetime.datetime | None) -> datetime.timedelta:
        raise Boom


def test_datetimes_whose_zone_raises():
    """A datetime that cannot say its offset is no time."""
    engine = engine_of({"time": boolean('a > t"2020-01-01T00:00:00Z"')})
    assert engine.get_boolean_value("time", True, {"a": datetime.datetime(2026, 1, 1, tzinfo=LateZone())}) is False


def test_clocks_that_fail():
    """A clock that raises, or gives no whole number, makes ``now`` missing."""
    for clock in (raising, lambda: None, lambda: "1", lambda: 2**70):
        engine = engine_of({"f": boolean(between=["2020-01-01T00:00:00Z", None])}, clock=clock)
        assert engine.get_boolean_value("f", True) is False
        str(engine.explain("f"))


class Stop(BaseException):
    """What is no error, and cannot be made without arguments."""

    def __init__(self, code: int, *, why: str) -> None:
        super().__init__(code)
        self.why = why


class Final(type):
    """A class of classes that cannot be derived from."""

    def __new__(cls, name: str, bases: tuple[type, ...], members: dict[str, object]) -> Any:
        if any(isinstance(base, cls) for base in bases):
            raise Boom
        return super().__new__(cls, name, bases, members)


class FinalStop(BaseException, metaclass=Final):
    pass


def raised_after(engine: Engine, error: BaseException, answers: list[object]) -> BaseException | None:
    """Evaluate with a key that raises ``error``, and return what is raised soon afterwards."""

    def interrupt() -> None:
        raise error

    try:
        answers.append(engine.get_boolean_value("many", False, {Key("a0", interrupt): 1, "a5": "v5"}))
        for _ in range(1000):  # enough for the interpreter to look
            answers.append(1)  # noqa: PERF401
    except BaseException as raised:
        return raised
    return None


@pytest.mark.parametrize("in_main_thread", [True, False])
@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), KeyboardInterrupt("now"), SystemExit(3), GeneratorExit(), Stop(7, why="so"), FinalStop()],
)
def test_interrupts_are_not_lost(engine: Engine, error: BaseException, in_main_thread: bool):
    """What is no error (an interrupt, an exit) is raised in the thread once the evaluation has answered: the object itself."""
    answers: list[object] = []
    found: list[BaseException | None] = []
    if in_main_thread:
        found.append(raised_after(engine, error, answers))
    else:
        thread = threading.Thread(target=lambda: found.append(raised_after(engine, error, answers)))
        thread.start()
        thread.join()
    assert answers[:1] in ([True], [])
    assert len(answers) < 1000
    if isinstance(error, FinalStop) and not in_main_thread:  # nothing can stand in for it
        assert type(found[0]) is FinalStop
    else:
        assert found == [error]


def test_the_thread_that_raises_is_the_one_that_is_interrupted(engine: Engine):
    """An exit in one thread does not reach another."""
    thread = threading.Thread(target=raised_after, args=(engine, SystemExit(3), []))
    thread.start()
    for _ in range(1000):
        engine.get_boolean_value("many", False, {})
    thread.join()


def test_an_exit_keeps_its_code():
    """A context that ends the process ends it with the code that it says."""
    script = """
        import sys
        from flagcore.testing import client_for_tests

        class Mapping(dict):
            def get(self, key, default=None):
                sys.exit(3)

        client = client_for_tests({"f": {"type": "boolean", "default": "off", "rules": [{"id": "r", "when": "has(a)", "serve": "on"}]}})
        client.get_boolean_value("f", False, Mapping())
        for _ in range(1000):
            pass
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], check=False, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (3, "")


@pytest.mark.parametrize("key", [None, 5, b"many", ["many"], object(), "\ud800", "", "many\0", "x" * 100_000])
def test_odd_flag_keys(engine: Engine, key: Any):
    """Whatever stands for the flag key, the caller's default value comes back."""
    default = object()
    assert engine.get_boolean_value(key, default, {}) is default  # type: ignore[arg-type, comparison-overlap]
    assert engine.get_object_details(key, default, {}).error_code == "FLAG_NOT_FOUND"


class KeyText(str):
    """A flag key whose own hash and comparison raise."""

    __slots__ = ()

    def __hash__(self) -> int:
        raise Boom

    def __eq__(self, other: object) -> bool:
        raise Boom


def test_flag_keys_count_by_their_native_text(engine: Engine):
    """A str subclass as flag key finds the flag without running its code."""
    assert engine.get_boolean_value(KeyText("many"), False, {"a5": "v5"}) is True


def test_nothing_leaks():
    """Contexts, values and engines are freed when nobody holds them, after evaluations of every kind."""

    class Value(str):
        __slots__ = ("__weakref__",)

    engine = engine_of(FLAGS)
    value = Value("ü" * 10)
    watch = [weakref.ref(value)]
    context = engine.context({"a1": value, "a2": [value], "targetingKey": 2**80})
    for _ in range(10):
        every_way(engine, {"a1": value, "a2": [value, "ü"], "targetingKey": value})
        every_way(engine, context)
    del value, context
    gc.collect()
    assert [ref() for ref in watch] == [None]
    handle, results, watch = engine.flag("many"), engine.evaluate_all({}), [weakref.ref(engine)]
    del engine, handle, results
    gc.collect()
    assert [ref() for ref in watch] == [None]


def test_cycles_are_collected():
    """An engine that its own clock refers to is freed all the same."""
    holder: list[object] = []
    engine = engine_of({"f": boolean(between=["2020-01-01T00:00:00Z", None])}, clock=lambda: len(holder))
    holder.append(engine)
    watch = weakref.ref(engine)
    del engine
    holder = []
    gc.collect()
    assert watch() is None
