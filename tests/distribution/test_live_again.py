"""Live clients over time: flags from the last run, keys that are replaced, many clients after a partition, hostile peers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import zmq

from flagcore.distribution.control import Bye, Hello, encode_control
from flagcore.distribution.keys import Keyring
from flagcore.distribution.transports.zmq_endpoints import control_endpoint
from flagcore.distribution.wire import LOCAL_ENVIRONMENT, WELCOME, prefix
from tests.distribution.faults.proxy import Proxy
from tests.support.events import PATIENCE, Events
from tests.support.live import Live, compiled, ports, until

# -- the last run -------------------------------------------------------------------------------------------------------


def kept(folder: Path) -> list[Path]:
    """Return the files of last known good."""
    return sorted(folder.rglob("last-good.fcl"))


def test_last_known_good_answers_where_nobody_does(live: Live, tmp_path: Path) -> None:
    """What a client had is served by the next one at once, STALE and with its age, where no publisher answers; then what is new."""
    bind, cache = f"ipc://{tmp_path}/flags", tmp_path / "cache"
    with live.publisher(bind) as publisher:
        publisher.publish(compiled(a="on"))
        with live.client(bind, cache_dir=cache) as client:
            until(lambda: kept(cache), "saving")
    client = live.client(bind, cache_dir=cache, wait=0.0)
    assert (client.status, client.get_boolean_value("a", False)) == ("STALE", True)
    assert client.age is not None
    events = Events(client)
    live.publisher(bind).publish(compiled(a="off"))
    assert events.change() == {"a"}
    until(lambda: client.status == "READY")


def test_with_keys_it_is_kept_without_being_asked_for(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an SDK key the user's cache folder holds last known good; None switches it off, for clients without keys, too."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("FLAGCORE_CACHE_DIR", raising=False)
    ring, key = Keyring.generate().with_environment("production").issue("production", "shop", 0)
    publisher = live.publisher(keyring=ring)
    publisher.publish(compiled(a="on"))
    live.client(publisher.endpoint, sdk_key=key.text, cache_dir=None)
    plain = live.publisher()
    plain.publish(compiled(a="on"))
    live.client(plain.endpoint, cache_dir=...)
    live.client(publisher.endpoint, sdk_key=key.text, cache_dir=...)
    until(lambda: kept(tmp_path), "saving")
    (file,) = kept(tmp_path)
    assert file.parent.name == key.environment_id.hex()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_forged_last_known_good_is_dropped(live: Live, tmp_path: Path) -> None:
    """A file whose objects are not those that were signed is given up before anything builds on it."""
    from flagcore.distribution.last_good import LastGood, encode_saved

    bind, cache = f"ipc://{tmp_path}/flags", tmp_path / "cache"
    ring, key = Keyring.generate().with_environment("production").issue("production", "shop", 0)
    with live.publisher(bind, keyring=ring) as publisher:
        publisher.publish(compiled(a="off"))
        with live.client(bind, sdk_key=key.text, cache_dir=cache):
            until(lambda: kept(cache), "saving")
    (file,) = kept(cache)
    saved = LastGood(str(file.parent), key.environment_id, key.verify_keys()).load()
    assert saved is not None
    topic_and_head = file.read_bytes()
    forged = type(saved.snapshot)(saved.snapshot.epoch, saved.snapshot.revision, compiled(a="on").programs)
    length = int.from_bytes(topic_and_head[16:20], "little")
    start = 28
    topic, signature = topic_and_head[start : start + 11], topic_and_head[start + 11 : start + 75]
    header = topic_and_head[start + 75 : start + 75 + length]
    file.write_bytes(b"".join(encode_saved((topic, header, b"", signature), forged)))
    client = live.client(bind, sdk_key=key.text, cache_dir=cache, wait=0.0)
    until(lambda: client.status == "NOT_READY", "being dropped")
    assert client.get_boolean_value("a", False) is False
    assert not file.exists()
    live.publisher(bind, keyring=ring).publish(compiled(a="off"))
    assert client.wait_ready(PATIENCE)


def test_a_folder_that_cannot_be_written(live: Live, tmp_path: Path) -> None:
    """Where nothing can be kept, everything else goes on."""
    (tmp_path / "file").write_text("no folder")
    publisher = live.publisher()
    publisher.publish(compiled(a="on"))
    client = live.client(publisher.endpoint, cache_dir=tmp_path / "file" / "below")
    assert publisher.publish(compiled(a="off"), wait="all", timeout=PATIENCE).complete
    assert client.get_boolean_value("a", True) is False


# -- keys that are replaced ---------------------------------------------------------------------------------------------


def test_signing_keys_are_replaced_while_clients_run(live: Live) -> None:
    """A connected client follows from one signing key to the next, and misses nothing; one that comes later with its old SDK key, too."""
    ring, key = Keyring.generate().with_environment("production").issue("production", "shop", 0)
    publisher = live.publisher(keyring=ring)
    publisher.publish(compiled(a="off"))
    client = live.client(publisher.endpoint, sdk_key=key.text)
    for number, later in enumerate([both := ring.with_next_signing_key(), both.promoted()]):
        publisher.follow(later)
        receipt = publisher.publish(compiled(a=("on", "off")[number]), wait="all", timeout=PATIENCE)
        assert receipt.complete
        assert client.get_boolean_value("a", number == 1) is (number == 0)
    newcomer = live.client(publisher.endpoint, sdk_key=key.text)
    assert newcomer.get_boolean_value("a", True) is False
    assert client.status == "READY"


# -- many ---------------------------------------------------------------------------------------------------------------


def test_many_clients_after_a_partition(live: Live) -> None:
    """After a partition with changes on its far side every client equals the record, by deltas alone (G7, small)."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off", last="off"))
    proxy = live.keep(Proxy(ports(publisher.endpoint)))
    clients = [live.client(proxy.endpoint) for _ in range(20)]
    snapshots = publisher.counters["snapshots"]
    proxy.refuse()
    proxy.reset()
    for number in range(10):
        publisher.publish(compiled(a=("on", "off")[number % 2], last="on" if number == 9 else "off"))
    until(lambda: all(client.status == "STALE" for client in clients), "STALE")
    proxy.refuse(False)
    until(lambda: all(client.get_boolean_value("last", False) for client in clients), "catching up")
    until(lambda: all(client.status == "READY" for client in clients), "READY")
    assert {client.revision for client in clients} == {11}
    assert publisher.counters["snapshots"] == snapshots


def test_a_storm_of_new_clients(live: Live) -> None:
    """Clients that all come at once while changes are published are live in the end (G13, small)."""
    ring, key = Keyring.generate().with_environment("production").issue("production", "shop", 0)
    publisher = live.publisher(keyring=ring)
    publisher.publish(compiled(a="off"))
    clients = [live.client(publisher.endpoint, sdk_key=key.text, wait=0.0) for _ in range(30)]
    for number in range(20):
        publisher.publish(compiled(a=("on", "off")[number % 2]))
    until(lambda: all(client.status == "READY" for client in clients), "READY")
    receipt = publisher.publish(compiled(a="on"), wait="all", timeout=PATIENCE)
    assert (receipt.complete, len(receipt.acknowledged)) == (True, 30)


# -- hostile peers ------------------------------------------------------------------------------------------------------


def test_hostile_peers(live: Live) -> None:
    """Floods of HELLO, garbage, subscriptions to everything and replays harm no other client, and counters tell of them."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off"))
    client = live.client(publisher.endpoint)
    hello = Hello(LOCAL_ENVIRONMENT, 0, 0, bytes(32), 1, 1, b"hostile!", "x")
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer, context.socket(zmq.SUB) as sub:
        for socket in (dealer, sub):
            socket.linger = 0
        sub.subscribe(b"")
        sub.connect(publisher.endpoint)
        dealer.connect(control_endpoint(publisher.endpoint))
        for number in range(500):
            dealer.send(encode_control(hello))
            dealer.send(os.urandom(number))
            dealer.send_multipart([b"", b"\xff" * number, encode_control(Bye())])
        assert publisher.publish(compiled(a="on"), wait="all", timeout=1.0)
        until(lambda: client.get_boolean_value("a", False))
        until(lambda: publisher.counters["hellos"] >= 500, "the flood")
        assert sub.poll(0) == 0 or sub.recv_multipart() == [WELCOME]
    assert publisher.counters["snapshots"] <= 3
    assert publisher.counters["subscriptions refused"] >= 1
    events = Events(client)
    publisher.publish(compiled(a="off"))
    assert events.change() == {"a"}


def test_a_hostile_publisher(live: Live) -> None:
    """Garbage from whoever took the publisher's address is counted and changes nothing; the client finds back."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off"))
    endpoint = publisher.endpoint
    client = live.client(endpoint)
    publisher.close()
    topic = prefix(LOCAL_ENVIRONMENT)
    with zmq.Context() as context, context.socket(zmq.PUB) as pub, context.socket(zmq.ROUTER) as router:
        for socket, place in ((pub, endpoint), (router, control_endpoint(endpoint))):
            socket.linger = 0
            socket.bind(place)
        before = sum(client._source.counters.values())

        def hurt() -> bool:
            for kind in b"DBSNERXZ":
                pub.send_multipart([topic + bytes([kind]), os.urandom(100), os.urandom(100), os.urandom(64)])
                pub.send(topic + bytes([kind]))
            return sum(client._source.counters.values()) > before + 20

        until(hurt, "being hurt")
    assert client.get_boolean_value("a", True) is False
