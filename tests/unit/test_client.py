"""The client: answers, status, waiting, events, overrides, tracking, and its end."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import math
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import flagcore
from flagcore.compiler import compile_flag_set
from flagcore.distribution.source import MemorySource, Source
from flagcore.errors import FlagSetError, SettingsError
from flagcore.model import build_flag_set
from flagcore.telemetry.tracking import TrackingEvent, TrackingQueue
from flagcore.testing import client_for_tests, client_from_document

FLAGS = {
    "on": {"type": "boolean", "default": "on"},
    "german": {
        "type": "boolean",
        "default": "off",
        "rules": [{"id": "de", "when": 'country == "DE"', "serve": "on"}],
    },
    "colour": {"type": "string", "variants": {"red": "#f00", "blue": "#00f"}, "default": "red"},
    "limit": {"type": "integer", "variants": {"low": 10, "high": 100}, "default": "low"},
    "rate": {"type": "float", "variants": {"half": 0.5}, "default": "half"},
    "settings": {"type": "object", "variants": {"one": {"k": [1]}}, "default": "one"},
}


@pytest.fixture
def client() -> Iterator[flagcore.Client]:
    """Return a client of FLAGS in memory."""
    with client_for_tests(FLAGS) as client:
        yield client


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SOURCE", "CONTEXT", "OFFLINE", "WATCH", "DEBOUNCE", "POLL_INTERVAL"):
        monkeypatch.delenv(f"FLAGCORE_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


def write_flags(path: Path) -> Path:
    """Write FLAGS as a document and return its path."""
    path.write_text(json.dumps({"schema": "flagcore/v1", "flags": FLAGS}))
    return path


# -- answers ----------------------------------------------------------------------------------------------------------


def test_typed_getters(client: flagcore.Client) -> None:
    """Each of the five types has its getter, and its details."""
    assert client.get_boolean_value("on", False) is True
    assert client.get_string_value("colour", "") == "#f00"
    assert client.get_integer_value("limit", 0) == 10
    assert client.get_float_value("rate", 0.0) == 0.5
    assert client.get_object_value("settings", {}) == {"k": [1]}
    details = client.get_string_details("colour", "")
    assert (details.value, details.variant, details.reason, details.error_code) == ("#f00", "red", "STATIC", None)


def test_getters_are_the_engines_own() -> None:
    """Nothing stands between a fetched getter and the engine's method."""
    client = client_for_tests(FLAGS)
    get = client.get_boolean_value
    assert type(get).__name__ in ("builtin_function_or_method", "method")
    assert get is client.get_boolean_value
    client.close()


def test_evaluate_all_and_explain(client: flagcore.Client) -> None:
    """Many flags at once, by prefix too, and the way to an answer."""
    every = client.evaluate_all({"country": "DE"})
    assert {key: details.value for key, details in every.items()}["german"] is True
    assert set(client.evaluate_all({}, "co")) == {"colour"}
    assert "de" in str(client.explain("german", {"country": "AT"}))


def test_reusable_context_and_handle(client: flagcore.Client) -> None:
    """A context made once serves many calls, and a handle one flag."""
    context = client.context({"country": "DE"})
    assert client.get_boolean_value("german", False, context) is True
    assert client.flag("german").value(False, {"country": "DE"}) is True


def test_static_context_lies_under_each_calls(tmp_path: Path) -> None:
    """What the call says counts; what it does not say comes from the static context."""
    write_flags(tmp_path / "flags.json")
    with flagcore.connect(tmp_path / "flags.json", context={"country": "DE"}, watch=False) as client:
        assert client.get_boolean_value("german", False) is True
        assert client.get_boolean_value("german", False, {"plan": "pro"}) is True
        assert client.get_boolean_value("german", True, {"country": "AT"}) is False


def test_unknown_flag_is_logged_once(client: flagcore.Client, caplog: pytest.LogCaptureFixture) -> None:
    """An unknown flag gives the default value and one line in the log, however often it is asked for."""
    for _ in range(5):
        assert client.get_boolean_value("nope", True) is True
    client.get_string_value("other", "")
    assert [record.args for record in caplog.records] == [("nope",), ("other",)]


# -- how it stands ----------------------------------------------------------------------------------------------------


def test_status_revision_age(tmp_path: Path) -> None:
    """Connected on files a client is READY at revision 1, with an age that counts from the load when nobody watches."""
    with flagcore.connect(write_flags(tmp_path / "flags.json"), watch=False) as client:
        assert (client.status, client.revision, client.problems, client.last_error) == ("READY", 1, (), None)
        assert client.age is not None
        assert client.age >= 0
    assert (client.status, client.age) == ("NOT_READY", None)


def test_repr_says_what_it_is(tmp_path: Path) -> None:
    """A client prints with its source, status, revision and size."""
    path = write_flags(tmp_path / "flags.json")
    with flagcore.connect(path, watch=False) as client:
        assert repr(client) == f"<flagcore.Client {path} READY revision 1, 6 flags>"
    assert "NOT_READY" in repr(client)


def test_warnings_are_problems_that_do_not_matter(client: flagcore.Client) -> None:
    """Warnings of a good set are told by ``problems``; the client is READY."""
    rules = [{"id": "all", "serve": "on"}, {"id": "never", "serve": "off"}]
    with client_for_tests({"a": {"type": "boolean", "default": "off", "rules": rules}}) as warned:
        assert [problem.code for problem in warned.problems] == ["unreachable-rule"]
        assert warned.status == "READY"


def test_waiting(client: flagcore.Client) -> None:
    """A client with data is ready at once; one that is closed never will be, and does not keep anybody waiting."""
    assert client.wait_ready() is True
    assert asyncio.run(client.wait_ready_async()) is True
    client.close()
    assert client.wait_ready() is False
    assert asyncio.run(client.wait_ready_async()) is False


# -- sources ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["nats://h", "https://h/x", "redis://h", "host:prod", "NATS://x"],
)
def test_addresses_of_servers_are_refused_by_name(address: str) -> None:
    """A server's address is no path: the error names the scheme and says what this release serves."""
    with pytest.raises(SettingsError, match=r"(?i)^'(nats|https|redis|host)' .*files"):
        flagcore.connect(address)


def test_unknown_schemes_are_refused() -> None:
    """A scheme that no release knows is a mistake."""
    with pytest.raises(SettingsError, match="unknown scheme 'htp'"):
        flagcore.connect("htp://flags", offline=True)


def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """``FLAGCORE_OFFLINE`` opens no address: every answer is the default value, overrides work, waiting ends at once."""
    monkeypatch.setenv("FLAGCORE_OFFLINE", "1")
    with flagcore.connect("tcp://key@flags.internal:7440") as client:
        assert (client.status, client.revision, client.age) == ("NOT_READY", 0, None)
        assert client.get_boolean_value("on", True) is True
        assert client.get_boolean_details("on", True).error_code == "PROVIDER_NOT_READY"
        assert client.wait_ready() is False
        assert asyncio.run(client.wait_ready_async()) is False
        assert "key" not in repr(client)


def test_file_addresses_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source may be a file: address, and come from the environment."""
    path = write_flags(tmp_path / "flags.json")
    monkeypatch.setenv("FLAGCORE_SOURCE", f"file://{path}")
    with flagcore.connect(watch=False) as client:
        assert client.get_boolean_value("on", False) is True


def test_no_source() -> None:
    """Without any source the error says how to name one."""
    with pytest.raises(SettingsError, match="FLAGCORE_SOURCE"):
        flagcore.connect()


@pytest.mark.parametrize("name", ["missing.json", "missing/", "missing.fcs", "flags\0.json"])
def test_missing_files(name: str) -> None:
    """A path at which there is nothing is a problem of the flag set, with the path."""
    with pytest.raises(FlagSetError) as refusal:
        flagcore.connect(name)
    assert name.split(".")[0].strip("/\0") in str(refusal.value)


def test_compiled_file_that_is_none(tmp_path: Path) -> None:
    """Bytes that are no compiled flags are refused, not served."""
    path = tmp_path / "flags.fcs"
    path.write_bytes(b"schema: flagcore/v1\n")
    with pytest.raises(flagcore.SnapshotError):
        flagcore.connect(path)


# -- overrides --------------------------------------------------------------------------------------------------------


def test_override(client: flagcore.Client) -> None:
    """Inside the block the given values answer, nested blocks on top; after it the flags do."""
    get = client.get_boolean_value
    with client.override({"german": True, "limit": 3}):
        assert (get("german", False), client.get_integer_value("limit", 0)) == (True, 3)
        with client.override({"german": False}):
            assert get("german", True) is False
        assert get("german", False) is True
    assert (get("german", True), client.get_integer_value("limit", 0)) == (False, 10)


def test_override_ends_when_the_block_raises(client: flagcore.Client) -> None:
    """An exception inside the block ends the override, too."""
    with pytest.raises(RuntimeError), client.override({"german": True}):
        raise RuntimeError
    assert client.get_boolean_value("german", True) is False


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1], "override takes a mapping of flag keys to values, not list"),
        ("german", "override takes a mapping of flag keys to values, not str"),
        (None, "override takes a mapping of flag keys to values, not NoneType"),
        ({1: 2}, "a flag key is a text that is not empty, not 1"),
        ({"": 2}, "a flag key is a text that is not empty, not ''"),
        ({"a\ud800": 2}, "no valid Unicode"),
        ({"a": "\ud800"}, "no valid Unicode"),
        ({"a": {1, 2}}, "a flag is boolean, string, integer, float or object"),
        ({"a": math.nan}, "finite values, not nan"),
        ({"a": {"k": threading.Lock()}}, "unsupported"),
    ],
)
def test_overrides_of_the_wrong_kind(client: flagcore.Client, values: Any, message: str) -> None:
    """What cannot be an override raises a TypeError that says what is expected; nothing has changed then."""
    with pytest.raises(TypeError, match=message), client.override(values):
        pass
    with (
        pytest.raises(TypeError, match=message),
        client.override({"german": True} | values if isinstance(values, dict) else values),
    ):
        pass
    assert client.get_boolean_value("german", False) is False


def test_override_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Overrides answer where there is no data at all."""
    monkeypatch.setenv("FLAGCORE_OFFLINE", "1")
    with flagcore.connect("tcp://h") as client, client.override({"new": True}):
        assert client.get_boolean_value("new", False) is True


# -- tracking ---------------------------------------------------------------------------------------------------------


def test_track(client: flagcore.Client) -> None:
    """Tracked events queue in order, with context, details and time, until they are drained."""
    client.track("bought", {"targetingKey": "u-1"}, {"value": 9.5})
    client.track("left")
    first, second = client.tracking.drain()
    assert (first.name, first.context, first.details) == ("bought", {"targetingKey": "u-1"}, {"value": 9.5})
    assert (second.name, second.context, second.details) == ("left", None, {})
    assert first.time <= second.time
    assert client.tracking.drain() == []


def test_track_hook_and_its_errors(client: flagcore.Client, caplog: pytest.LogCaptureFixture) -> None:
    """A hook sees each event; what it raises is logged, and the event stays recorded."""
    seen: list[TrackingEvent] = []
    client.tracking.hook = seen.append
    client.track("one")
    assert [event.name for event in seen] == ["one"]

    def broken(event: TrackingEvent) -> None:
        raise RuntimeError("hook")

    client.tracking.hook = broken
    with caplog.at_level(logging.ERROR):
        client.track("two")
    assert len(caplog.records) == 1
    assert len(client.tracking) == 2


class Changing(Mapping[str, object]):
    """A mapping whose iteration raises, as that of a dict does which another thread changes."""

    def __getitem__(self, key: str) -> object:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("dictionary changed size during iteration")

    def __len__(self) -> int:
        return 1


class Mute(Exception):
    def __str__(self) -> str:
        raise self


class Raising(Changing):
    def __iter__(self) -> Iterator[str]:
        raise Mute


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5,), "the name of a tracking event is a string, not int"),
        ((None,), "a string, not NoneType"),
        ((b"bought",), "a string, not bytes"),
        (("",), "empty"),
        (("bought", None, [1]), "the details of a tracking event are a mapping, not list"),
        (("bought", None, {"value": math.nan}), "finite number"),
        (("bought", None, {"value": -math.inf}), "finite number"),
        (("bought", None, {"value": 10**400}), "finite number"),
        (("bought", None, {"value": "9.5"}), "the value of a tracking event is a number, not str"),
        (("bought", None, {"value": True}), "a number, not bool"),
        (("bought", Changing()), "changed size"),
        (("bought", None, Changing()), "changed size"),
        (("bought", Raising()), "Mute"),
    ],
)
def test_what_is_no_tracking_event(
    client: flagcore.Client, caplog: pytest.LogCaptureFixture, arguments: tuple[Any, ...], message: str
) -> None:
    """Odd arguments are not recorded, and logged as one warning that says why; flags go on answering."""
    with caplog.at_level(logging.WARNING):
        client.track(*arguments)
    assert len(client.tracking) == 0
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert message in record.getMessage()
    assert client.get_boolean_value("german", False, {"country": "DE"}) is True


def test_tracking_events_keep_copies(client: flagcore.Client) -> None:
    """What the caller changes after ``track`` does not change the event; contexts that are no mapping are kept as they are."""
    context, details, other = {"targetingKey": "u"}, {"value": 2**62}, object()
    client.track("x" * 100_000, context, details)
    context.clear()
    details.clear()
    client.track("left", other)  # type: ignore[arg-type]
    first, second = client.tracking.drain()
    assert (first.context, first.details) == ({"targetingKey": "u"}, {"value": 2**62})
    assert second.context is other


def test_tracking_queue_is_bounded() -> None:
    """When the queue is full the oldest events go, and are counted."""
    events = TrackingQueue(limit=3)
    for number in range(5):
        events.record(str(number))
    assert ([event.name for event in events.drain()], events.dropped) == (["2", "3", "4"], 2)


# -- the end ----------------------------------------------------------------------------------------------------------


def test_close(client: flagcore.Client) -> None:
    """After ``close`` fetched getters give the default value; closing again changes nothing."""
    get = client.get_boolean_value
    client.close()
    client.close()
    assert (get("on", False), client.status) == (False, "NOT_READY")
    details = client.get_boolean_details("on", False)
    assert (details.error_code, details.error_message) == ("PROVIDER_NOT_READY", "the client is closed")


def test_status_listener_hears_the_end(client: flagcore.Client) -> None:
    """Listeners of the status hear of each new one once."""
    heard: list[str] = []
    client.on_status(heard.append)
    client.close()
    client.close()
    assert heard == ["NOT_READY"]


@pytest.mark.parametrize("copying", [pickle.dumps, copy.copy, copy.deepcopy])
def test_no_copies(client: flagcore.Client, copying: object) -> None:
    """A client cannot be pickled or copied; the message says what to do instead."""
    with pytest.raises(TypeError, match="connect in the process"):
        copying(client)  # type: ignore[operator]


def test_threads_ask_while_overrides_come_and_go(client: flagcore.Client) -> None:
    """Overrides in one thread while others ask: every answer is one or the other, and the last is the flag's own."""
    stop = threading.Event()
    wrong: list[object] = []

    def ask() -> None:
        while not stop.is_set():
            value = client.get_integer_value("limit", -1)
            if value not in (10, 3):
                wrong.append(value)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        with client.override({"limit": 3}):
            pass
    stop.set()
    for thread in threads:
        thread.join()
    assert (wrong, client.get_integer_value("limit", -1)) == ([], 10)


class Late(MemorySource):
    """A source whose data come later."""

    def __init__(self, engine: flagcore.Engine) -> None:
        Source.__init__(self, engine)


@pytest.fixture
def late() -> Iterator[tuple[flagcore.Client, Callable[[], None]]]:
    """Return a client without data, and the function that brings them from another thread."""
    engine = flagcore.Engine()
    source = Late(engine)
    snapshot = compile_flag_set(build_flag_set({"schema": "flagcore/v1", "flags": FLAGS}).flag_set).snapshot
    threads: list[threading.Thread] = []

    def bring() -> None:
        threads.append(threading.Thread(target=source.load, args=(snapshot,)))
        threads[-1].start()

    with flagcore.Client(engine, source) as client:
        yield client, bring
        for thread in threads:
            thread.join()


def test_waiting_for_data(late: tuple[flagcore.Client, Callable[[], None]]) -> None:
    """``wait_ready`` ends when data come, and not before; without them at its timeout."""
    client, bring = late
    assert (client.wait_ready(0), client.wait_ready(0.01), client.get_boolean_value("on", False)) == (False,) * 3
    bring()
    assert client.wait_ready(30) is True
    assert client.get_boolean_value("on", False) is True


def test_awaiting_data(late: tuple[flagcore.Client, Callable[[], None]]) -> None:
    """The awaitable twin lets the event loop go on, ends when data come, and at its timeout."""
    client, bring = late

    async def main() -> tuple[bool, bool]:
        early = await client.wait_ready_async(0.01)
        waiting = asyncio.create_task(client.wait_ready_async(30))
        await asyncio.sleep(0)
        bring()
        return early, await waiting

    assert asyncio.run(main()) == (False, True)


def test_awaiting_ends_with_close(late: tuple[flagcore.Client, Callable[[], None]]) -> None:
    """Nobody waits for a client that was closed."""
    client, _ = late

    async def main() -> bool:
        waiting = asyncio.create_task(client.wait_ready_async())
        await asyncio.sleep(0)
        client.close()
        return await waiting

    assert asyncio.run(main()) is False


def test_logging_that_raises_harms_no_evaluation(client: flagcore.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown flag gives the default value even if logging it raises."""
    monkeypatch.setattr(logging.getLogger("flagcore"), "warning", lambda *_: 1 / 0)
    assert client.get_boolean_value("nope", True) is True
    assert client.get_boolean_details("nope", True).error_code == "FLAG_NOT_FOUND"


def test_clients_for_tests() -> None:
    """Clients in memory are made of flags, of a whole document, of a FlagSet, or of nothing; the time may be fixed."""
    rule = {"id": "later", "between": ["2030-01-01T00:00:00Z", None], "serve": "on"}
    flags = {"a": {"type": "boolean", "default": "off", "rules": [rule]}}
    document = {"schema": "flagcore/v1", "flags": flags}
    for made in (flags, document, build_flag_set(document).flag_set):
        with client_for_tests(made, clock=lambda: 1_900_000_000_000_000) as client:
            assert client.get_boolean_value("a", False) is True
    with client_from_document(document) as client:
        assert client.get_boolean_value("a", True) is False
    with client_for_tests() as client:
        assert client.get_boolean_details("a", True).error_code == "FLAG_NOT_FOUND"
    with pytest.raises(FlagSetError):
        client_for_tests({"a": {}})


def test_the_testing_package_names_what_it_exports() -> None:
    """Every exported name is there, and an unknown one is an AttributeError."""
    import flagcore.testing

    assert all(getattr(flagcore.testing, name) is not None for name in flagcore.testing.__all__)
    assert not hasattr(flagcore.testing, "nothing")
