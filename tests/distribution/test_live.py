"""Flags over real sockets, from ``Publisher`` to ``flagcore.connect``: what arrives, who may see it, how it stands meanwhile."""

from __future__ import annotations

import gc
import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest

import flagcore
from flagcore.distribution.keys import Keyring, SdkKey
from flagcore.errors import SettingsError, SnapshotError
from flagcore.snapshot.delta import Delta, Object
from flagcore.snapshot.objects import Snapshot
from tests.distribution.faults.proxy import Proxy
from tests.support.events import PATIENCE, Events
from tests.support.live import Live, compiled, ports, until


def threads() -> list[threading.Thread]:
    """Return the threads of live clients."""
    return [thread for thread in threading.enumerate() if thread.name == "flagcore-live"]


# -- arriving -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["tcp", "ipc"])
def test_connect_publish_change(live: Live, tmp_path: Path, place: str) -> None:
    """A client has the flags when ``connect`` returns, and each change is visible with its keys told."""
    publisher = live.publisher("tcp://127.0.0.1:0" if place == "tcp" else f"ipc://{tmp_path}/flags")
    publisher.publish(compiled(a="off", b="on"))
    client = live.client(publisher.endpoint)
    assert (client.status, client.get_boolean_value("a", True), client.last_error) == ("READY", False, None)
    events = Events(client)
    publisher.publish(compiled(a="on", b="on"))
    assert events.change() == {"a"}
    assert client.get_boolean_value("a", False) is True
    publisher.publish(compiled(a="on", c="on"))
    assert events.change() == {"b", "c"}
    assert client.get_boolean_details("b", False).error_code == "FLAG_NOT_FOUND"
    assert client.revision == publisher.position().revision == 3
    assert client.age is not None
    assert client.age < PATIENCE


def test_a_hundred_changes_in_a_row(live: Live) -> None:
    """Every revision of a burst is applied, or what is in the end equals the last one, with nothing skipped in between."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off"))
    client = live.client(publisher.endpoint)
    both = [compiled(a="on"), compiled(a="off")]
    for number in range(100):
        publisher.publish(both[number % 2])
    receipt = publisher.publish(compiled(a="off", last="on"), wait="all", timeout=PATIENCE)
    assert receipt.complete
    assert (client.revision, client.get_boolean_value("last", False)) == (102, True)


def test_large_flag_sets_come_in_chunks(live: Live) -> None:
    """A snapshot of many chunks, a change too large for one delta, and then a small one all arrive whole."""
    wide = {"type": "object", "default": "v"}

    def large(tag: str) -> Any:
        from flagcore.compiler import compile_flag_set
        from flagcore.model import build_flag_set

        flags = {f"f{i}": {**wide, "variants": {"v": {"text": f"{tag}-{i}-" + "x" * 3000}}} for i in range(400)}
        return compile_flag_set(build_flag_set({"schema": "flagcore/v1", "flags": flags}).flag_set).snapshot

    publisher = live.publisher()
    publisher.publish(large("one"))
    client = live.client(publisher.endpoint)
    assert client.get_object_value("f399", None)["text"].startswith("one-399-")
    assert publisher.publish(large("two"), wait="all", timeout=PATIENCE).complete
    assert client.get_object_value("f0", None)["text"].startswith("two-0-")
    assert publisher.publish(compiled(a="on"), wait="all", timeout=PATIENCE).complete
    assert list(client.evaluate_all({})) == ["a"]


def test_clients_that_come_before_the_flags(live: Live) -> None:
    """A client may be there before anything was published: NOT_READY within its wait, READY as soon as there is something."""
    publisher = live.publisher()
    client = live.client(publisher.endpoint, wait=0.05)
    assert (client.status, client.age) == ("NOT_READY", None)
    assert client.last_error is not None
    publisher.publish(compiled(a="on"))
    assert client.wait_ready(PATIENCE)
    assert client.get_boolean_value("a", False) is True


def test_without_a_publisher(live: Live, tmp_path: Path) -> None:
    """Nobody there: ``connect`` returns after its wait without raising, getters give defaults, and all is well once somebody is."""
    endpoint = f"ipc://{tmp_path}/flags"
    client = live.client(endpoint, wait=0.1)
    assert (client.status, client.get_boolean_value("a", True)) == ("NOT_READY", True)
    assert client.get_boolean_details("a", True).error_code == "PROVIDER_NOT_READY"
    live.publisher(endpoint).publish(compiled(a="off"))
    assert client.wait_ready(PATIENCE)
    assert client.get_boolean_value("a", True) is False


def test_several_addresses(live: Live, tmp_path: Path) -> None:
    """Of several addresses one that answers is enough."""
    publisher = live.publisher()
    publisher.publish(compiled(a="on"))
    client = live.client(f"ipc://{tmp_path}/nobody, {publisher.endpoint}")
    assert client.status == "READY"


def test_flags_that_cannot_be_used(live: Live) -> None:
    """One malformed program degrades one flag: it keeps its previous version, is reported, and the rest goes on."""
    publisher = live.publisher()
    publisher.publish(compiled(a="on", b="off"))
    client = live.client(publisher.endpoint)
    events = Events(client)
    sound = compiled(a="off", b="on")
    broken = {**sound.programs, "a": sound.programs["a"][:-8]}
    receipt = publisher.publish(type(sound)(0, 0, broken, sound.value_sets, {}), wait="all", timeout=PATIENCE)
    assert events.change() == {"b"}
    assert (client.get_boolean_value("a", False), client.get_boolean_value("b", False)) == (True, True)
    assert [(problem.code, problem.path) for problem in client.problems] == [("degraded-flag", "flags.a")]
    assert (receipt.complete, len(receipt.failed)) == (False, 1)
    assert publisher.publish(sound, wait="all", timeout=PATIENCE).complete
    assert (client.get_boolean_value("a", True), client.problems) == (False, ())


# -- how it stands ------------------------------------------------------------------------------------------------------


def test_publisher_restarts(live: Live, tmp_path: Path) -> None:
    """Over a restart a client serves on; with its state file the publisher goes on counting, and clients that were current stay so."""
    state = str(tmp_path / "state.json")
    first = live.publisher(f"ipc://{tmp_path}/flags", state=state)
    first.publish(compiled(a="off"))
    client = live.client(first.endpoint)
    events = Events(client)
    first.close()
    second = live.publisher(first.endpoint, state=state)
    second.publish(compiled(a="off"))
    assert second.position() == first.position()
    until(lambda: second.clients() and client.status == "READY", "coming back")
    assert (client.get_boolean_value("a", True), client.revision) == (False, 1)
    assert second.publish(compiled(a="on"), wait="all", timeout=PATIENCE).complete
    assert events.change() == {"a"}
    assert client.revision == 2
    assert second.counters.get("snapshots", 0) == 0


def test_a_publisher_without_memory_begins_a_new_epoch(live: Live, tmp_path: Path) -> None:
    """Without a state file a restarted publisher begins a later epoch, and clients follow it by a whole snapshot."""
    first = live.publisher(f"ipc://{tmp_path}/flags")
    first.publish(compiled(a="off"))
    for _ in range(3):
        first.publish(compiled(a="off"))
    client = live.client(first.endpoint)
    events = Events(client)
    first.close()
    second = live.publisher(first.endpoint)
    second.publish(compiled(a="on"))
    assert events.change() == {"a"}
    assert second.position() > first.position()
    assert client.revision == 1


def test_black_hole_is_stale_and_heals(live: Live) -> None:
    """When nothing comes any more the client is STALE with a reason, serves on, and recovers by itself with what it missed."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off"))
    proxy = live.keep(Proxy(ports(publisher.endpoint)))
    client = live.client(proxy.endpoint)
    events = Events(client)
    proxy.black_hole()
    publisher.publish(compiled(a="on"))
    assert events.status() == "STALE"
    assert client.get_boolean_value("a", True) is False
    assert client.last_error is not None
    proxy.black_hole(False)
    assert events.change() == {"a"}
    assert events.status() == "READY"
    assert client.last_error is None
    assert publisher.counters["snapshots"] == 1


@pytest.mark.parametrize("fault", ["reset", "half_open"])
def test_lost_connections(live: Live, fault: str) -> None:
    """Connections that are reset, or half open, are replaced; what was published meanwhile arrives."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off"))
    proxy = live.keep(Proxy(ports(publisher.endpoint)))
    client = live.client(proxy.endpoint)
    events = Events(client)
    assert getattr(proxy, fault)() == 2
    publisher.publish(compiled(a="on"))
    assert events.change() == {"a"}
    until(lambda: client.status == "READY")


def test_slow_and_sliced_connections(live: Live) -> None:
    """Latency, a narrow line and tiny packets change when things arrive, not what."""
    publisher = live.publisher()
    publisher.publish(compiled(**{f"flag-{i}": "off" for i in range(200)}))
    proxy = live.keep(Proxy(ports(publisher.endpoint)))
    proxy.latency, proxy.bandwidth, proxy.slice = 0.02, 2_000_000, 100
    client = live.client(proxy.endpoint)
    assert publisher.publish(compiled(a="on"), wait="all", timeout=PATIENCE).complete
    assert list(client.evaluate_all({})) == ["a"]


def test_a_reconnect_transfers_what_is_missing_only(live: Live) -> None:
    """Inside the ring a client that comes back gets the deltas that it missed, not the snapshot (G5)."""
    publisher = live.publisher()
    large = {
        f"large-{i}": hashlib.shake_256(bytes([i])).digest(5000) for i in range(200)
    }  # value sets that nobody links to
    publisher.publish(Snapshot(0, 0, compiled(a="off").programs, large))
    proxy = live.keep(Proxy(ports(publisher.endpoint)))
    client = live.client(proxy.endpoint)
    whole = proxy.down
    assert whole > 1_000_000
    proxy.refuse()
    proxy.reset()
    for number in range(5):
        publisher.publish(Snapshot(0, 0, compiled(a="off", last=("off", "on")[number % 2]).programs, large))
    proxy.refuse(False)
    until(lambda: client.revision == 6, "catching up")
    assert proxy.down - whole < whole / 20
    assert publisher.counters["snapshots"] == 1


# -- receipts -----------------------------------------------------------------------------------------------------------


def test_receipts_name_who_has_not_applied(live: Live) -> None:
    """A client behind a black hole keeps a receipt incomplete until it has applied the change; one without such is complete."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off"))
    near = live.client(publisher.endpoint)
    proxy = live.keep(Proxy(ports(publisher.endpoint)))
    far = live.client(proxy.endpoint)
    assert publisher.publish(compiled(a="on"), wait="all", timeout=PATIENCE).complete
    proxy.black_hole()
    receipt = publisher.publish(compiled(a="off"), wait="all", timeout=0.2)
    assert (receipt.complete, len(receipt.waiting), len(receipt.acknowledged)) == (False, 1, 1)
    assert (near.get_boolean_value("a", True), far.get_boolean_value("a", True)) == (False, True)


def test_a_delta_may_be_published_instead_of_a_snapshot(live: Live) -> None:
    """What a transaction changes goes out as the next revision, whatever numbers it bears; before there is anything it is refused."""
    publisher = live.publisher()
    change = Delta(7, 0, 1, (Object("p/a", 1, compiled(a="on").programs["a"]),), ("p/gone",))
    with pytest.raises(SnapshotError, match="snapshot"):
        publisher.publish(change)
    publisher.publish(compiled(a="off", gone="on"))
    client = live.client(publisher.endpoint)
    assert publisher.publish(change, wait="all", timeout=PATIENCE).complete
    assert (client.revision, client.get_boolean_value("a", False)) == (2, True)
    assert client.get_boolean_details("gone", False).error_code == "FLAG_NOT_FOUND"


def test_who_takes_leave_is_not_waited_for(live: Live) -> None:
    """A client that was closed holds up no receipt."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off"))
    client = live.client(publisher.endpoint)
    client.close()
    assert publisher.publish(compiled(a="on"), wait="all", timeout=PATIENCE).complete


# -- keys ---------------------------------------------------------------------------------------------------------------


def keyring(*environments: str) -> Keyring:
    """Return a keyring with these environments."""
    made = Keyring.generate()
    for name in environments:
        made = made.with_environment(name)
    return made


def test_keys_let_in(live: Live) -> None:
    """With a key a client sees its environment, over CURVE and with signatures checked."""
    ring, key = keyring("production").issue("production", "shop", 0)
    publisher = live.publisher(keyring=ring)
    publisher.publish(compiled(a="on"))
    client = live.client(publisher.endpoint, sdk_key=key.text)
    assert client.get_boolean_value("a", False) is True
    assert publisher.publish(compiled(a="off"), wait="all", timeout=PATIENCE).complete
    assert client.get_boolean_value("a", True) is False


def test_unknown_keys_are_errors(live: Live) -> None:
    """A key that the publisher does not know gives ERROR with a reason, without waiting on; once it is issued there are flags."""
    ring, _ = keyring("production").issue("production", "shop", 0)
    later, stranger = ring.issue("production", "stranger", 0)
    publisher = live.publisher(keyring=ring)
    publisher.publish(compiled(a="on"))
    client = live.client(publisher.endpoint, sdk_key=stranger.text)
    assert (client.status, client.get_boolean_value("a", False)) == ("ERROR", False)
    assert "does not accept this key" in str(client.last_error)
    publisher.follow(later)
    assert client.wait_ready(PATIENCE)
    assert client.get_boolean_value("a", False) is True


def test_each_key_sees_its_environment(live: Live) -> None:
    """Two environments of one publisher: each client gets the flags of its own, and changes of the other never reach it."""
    ring, production = keyring("production", "staging").issue("production", "shop", 0)
    ring, staging = ring.issue("staging", "shop", 0)
    publisher = live.publisher(keyring=ring)
    for key, variant in ((production, "off"), (staging, "on")):
        publisher.publish(compiled(a=variant), environment_id=key.environment_id)
    one, two = (live.client(publisher.endpoint, sdk_key=key.text) for key in (production, staging))
    assert (one.get_boolean_value("a", True), two.get_boolean_value("a", False)) == (False, True)
    publisher.publish(compiled(a="off", b="on"), environment_id=staging.environment_id, wait="all", timeout=PATIENCE)
    assert (one.revision, two.revision) == (1, 2)
    with pytest.raises(ValueError, match="no environment"):
        publisher.publish(compiled(a="on"))


def test_another_environments_name_on_a_valid_key(live: Live) -> None:
    """A key whose owner rewrites it to another environment is let in by its handshake, and sees nothing."""
    ring, key = keyring("production", "staging").issue("production", "shop", 0)
    publisher = live.publisher(keyring=ring)
    for environment in ring.environments:
        publisher.publish(compiled(a="on"), environment_id=environment.id)
    forged = SdkKey(ring.environment("staging").id, "staging", key.public, key.secret, key.server, key.verify)
    client = live.client(publisher.endpoint, sdk_key=forged.text, wait=0.0)
    until(lambda: publisher.counters["subscriptions refused"] and publisher.counters["greetings refused"])
    assert (client.status, client.revision) == ("NOT_READY", 0)


def test_revoked_keys_lose_their_connections(live: Live) -> None:
    """A revoked key is cut off while it is connected and told why; the flags that it had are served on, STALE. Others go on."""
    ring, key = keyring("production").issue("production", "left", 0)
    ring, other = ring.issue("production", "stays", 0)
    publisher = live.publisher(keyring=ring)
    publisher.publish(compiled(a="off"))
    client, stays = (live.client(publisher.endpoint, sdk_key=each.text) for each in (key, other))
    events = Events(client)
    publisher.follow(ring.revoke("left", 1)[0])
    until(lambda: "does not accept" in str(client.last_error), "being cut off")
    assert publisher.publish(compiled(a="on"), timeout=PATIENCE)
    until(lambda: stays.get_boolean_value("a", False))
    assert client.get_boolean_value("a", True) is False
    assert events.status() == "STALE"
    assert stays.status == "READY"


def test_a_server_that_cannot_sign(live: Live) -> None:
    """A publisher with the right server key, but another signing key, gets nothing applied."""
    ring, key = keyring("production").issue("production", "shop", 0)
    forger = Keyring(
        ring.schema, ring.server_public, ring.server_secret, (b"\7" * 32,), ring.environments, ring.clients
    )
    publisher = live.publisher(keyring=forger)
    publisher.publish(compiled(a="on"))
    client = live.client(publisher.endpoint, sdk_key=key.text, wait=0.0)
    until(lambda: client._source.counters.get("signature"))
    assert (client.status, client.revision) == ("NOT_READY", 0)


@pytest.mark.parametrize("key", ["", "x", "fck1_", "fck1_AAAA", "fck1_\0", "fck1_" + "A" * 5000])
def test_malformed_keys(key: str) -> None:
    """What is no key is a SettingsError that does not repeat it."""
    with pytest.raises(SettingsError) as refusal:
        flagcore.connect("tcp://127.0.0.1:7440", sdk_key=key or " ")
    assert key[5:] not in str(refusal.value) or len(key) <= 5


@pytest.mark.parametrize(
    "address", ["tcp://10.1.2.3:7440", "tcp://flags.internal:7440", "tcp://127.0.0.1:1,tcp://flags:1"]
)
def test_other_machines_need_a_key(address: str) -> None:
    """Without a key only publishers of this machine are asked; the message says what to give."""
    with pytest.raises(SettingsError, match="sdk_key"):
        flagcore.connect(address)


@pytest.mark.parametrize(
    "address", ["tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:99999", "ipc://", "tcp://127.0.0.1:x"]
)
def test_wrong_addresses(address: str) -> None:
    """What is no address says so, at once."""
    with pytest.raises(SettingsError, match="no address"):
        flagcore.connect(address)


def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """``FLAGCORE_OFFLINE`` opens nothing: no thread, no data, no error."""
    monkeypatch.setenv("FLAGCORE_OFFLINE", "1")
    with flagcore.connect("tcp://127.0.0.1:7440") as client:
        assert (client.status, threads()) == ("NOT_READY", [])


# -- threads and the end ------------------------------------------------------------------------------------------------


def test_close_ends_everything(live: Live) -> None:
    """``close`` leaves no thread, is idempotent, and every answer is the caller's default from then on."""
    publisher = live.publisher()
    publisher.publish(compiled(a="on"))
    client = live.client(publisher.endpoint)
    assert len(threads()) == 1
    client.close()
    client.close()
    assert threads() == []
    assert (client.status, client.get_boolean_value("a", False), client.age) == ("NOT_READY", False, None)


def test_a_listener_may_close(live: Live) -> None:
    """``close`` may be called in a listener, in the thread that is to end."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off"))
    client = live.client(publisher.endpoint)
    (thread,) = threads()
    client.on_change(lambda _: client.close())
    publisher.publish(compiled(a="on"))
    thread.join(PATIENCE)
    assert (thread.is_alive(), client.status) == (False, "NOT_READY")


def test_the_thread_ends_with_the_last_getter(live: Live) -> None:
    """A client that is dropped without ``close`` stays live as long as one of its getters, and leaves no thread after it."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off"))
    client = flagcore.connect(publisher.endpoint, wait=PATIENCE, cache_dir=None)
    (thread,) = threads()
    get = client.get_boolean_value
    del client
    gc.collect()
    publisher.publish(compiled(a="on"), wait="all", timeout=PATIENCE)
    assert get("a", False) is True
    del get
    gc.collect()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_closed_publisher_says_so(live: Live) -> None:
    """Publishing after ``close`` raises at once; closing twice does no harm."""
    publisher = live.publisher()
    publisher.close()
    publisher.close()
    with pytest.raises(RuntimeError, match="closed"):
        publisher.publish(compiled(a="on"))
