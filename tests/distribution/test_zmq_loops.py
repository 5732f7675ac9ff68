"""The threads that own the sockets, with machines that only echo: connections, admission, revocation, the end."""

from __future__ import annotations

import logging
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.utils.z85

from flagcore.distribution.transports.zmq_client import ZmqClientLoop
from flagcore.distribution.transports.zmq_endpoints import ClientCurve, ServerCurve, control_endpoint, is_private
from flagcore.distribution.transports.zmq_server import ZmqServerLoop
from flagcore.errors import SettingsError
from tests.support.echo import PATIENCE, WELCOME, EchoClient, EchoServer, environment_of, topic_of

ONE, TWO = b"env-one ", b"env-two "


class Admitted:
    """Admits what stands in it: public key -> user and environments."""

    def __init__(self, **users: tuple[bytes, tuple[bytes, ...]]) -> None:
        self.users = users

    def user_of(self, public_key: bytes) -> str | None:
        return next((name for name, (key, _) in self.users.items() if key == public_key), None)

    def allows(self, user: str, environment_id: bytes) -> bool:
        return user in self.users and environment_id in self.users[user][1]


def raw(pair: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return a key pair as bytes."""
    return zmq.utils.z85.decode(pair[0]), zmq.utils.z85.decode(pair[1])


class World:
    """Servers and clients of one test; closes them all."""

    def __init__(self) -> None:
        self.loops: list[Any] = []

    def server(self, bind: str = "tcp://127.0.0.1:*", *machines: EchoServer, **settings: Any) -> ZmqServerLoop:
        by_id = {machine.environment: machine for machine in machines or (EchoServer(ONE),)}
        loop = ZmqServerLoop(
            bind, by_id, welcome=WELCOME, environment_of=environment_of, perform=lambda _: None, **settings
        )
        self.loops.append(loop)
        loop.start()
        return loop

    def client(self, machine: EchoClient, endpoint: str, *topics: bytes, **settings: Any) -> ZmqClientLoop:
        topics = topics or (WELCOME, topic_of(machine.environment))
        loop = ZmqClientLoop([endpoint], topics, machine, lambda _: None, **settings)
        self.loops.append(loop)
        loop.start()
        return loop

    def close(self) -> None:
        for loop in reversed(self.loops):
            assert loop.close(PATIENCE)


@pytest.fixture
def world() -> Iterator[World]:
    """Everything that a test opens, closed at its end."""
    made = World()
    yield made
    made.close()


@pytest.mark.parametrize("place", ["tcp", "ipc"])
def test_both_ways(world: World, tmp_path: Path, place: str) -> None:
    """Over tcp and ipc: the welcome and broadcasts come by SUB, answers by DEALER; the greeting waits for the connection."""
    bind = "tcp://127.0.0.1:*" if place == "tcp" else f"ipc://{tmp_path}/flags"
    server = world.server(bind)
    client = EchoClient(ONE)
    world.client(client, server.endpoint)
    assert client.until("sub") == (WELCOME,)
    assert client.until("connected") is None
    assert client.until("dealer") == (b"echo", b"hello " + ONE)


def test_broadcasts_reach_who_subscribed(world: World) -> None:
    """A broadcast reaches the clients of its environment, and nobody else."""
    one, two = EchoServer(ONE), EchoServer(TWO)
    server = world.server("tcp://127.0.0.1:*", one, two)
    first, second = EchoClient(ONE), EchoClient(TWO)
    world.client(first, server.endpoint, topic_of(ONE))
    assert first.until("sub") == (topic_of(ONE), b"bookmark")
    world.client(second, server.endpoint, topic_of(TWO))
    assert second.until("sub") == (topic_of(TWO), b"bookmark")
    server.do(lambda now: one.subscribed(now))
    assert first.until("sub") == (topic_of(ONE), b"bookmark")
    server.do(lambda now: two.subscribed(now))
    assert second.until("sub") == (topic_of(TWO), b"bookmark")


def test_a_prefix_of_all_environments_is_refused(world: World) -> None:
    """Who asks for everything, or for half a topic, is not subscribed at all; who asks for his environment is."""
    machine = EchoServer(ONE)
    server = world.server("tcp://127.0.0.1:*", machine)
    client = EchoClient(ONE)
    world.client(client, server.endpoint, b"", b"F1", b"F1env", b"XX" + ONE, topic_of(TWO))
    client.until("dealer")
    machine.seen.get(timeout=PATIENCE)
    other = EchoClient(ONE)
    world.client(other, server.endpoint, topic_of(ONE))
    assert other.until("sub") == (topic_of(ONE), b"bookmark")
    kinds = set()
    while not client.seen.empty():
        kinds.add(client.seen.get()[0])
    assert "sub" not in kinds
    assert server.counters["subscriptions refused"] >= 5


def test_a_frame_before_the_greeting_goes_nowhere(world: World) -> None:
    """Frames of who has not greeted, greetings to unknown environments, and messages of many parts reach no machine."""
    machine = EchoServer(ONE)
    server = world.server("tcp://127.0.0.1:*", machine)
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        dealer.connect(control_endpoint(server.endpoint))
        for message in ([b""], [b"ack"], [b"hello " + TWO], [b"hello " + ONE, b"more"], [b"", b""]):
            dealer.send_multipart(message)
        dealer.send(b"hello " + ONE)
        assert dealer.poll(PATIENCE * 1000)
        assert dealer.recv_multipart() == [b"echo", b"hello " + ONE]
    assert machine.seen.get() == ("received", b"hello " + ONE)
    assert (server.counters["frames without greeting"], server.counters["greetings refused"]) == (4, 1)


def test_oversized_frames_end_the_connection(world: World) -> None:
    """A frame beyond 64 kB costs its sender the connection; the server goes on."""
    machine = EchoServer(ONE)
    server = world.server("tcp://127.0.0.1:*", machine)
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        dealer.connect(control_endpoint(server.endpoint))
        dealer.send(b"hello " + ONE + bytes(64 << 10))
        assert machine.seen.get(timeout=PATIENCE) == ("disconnected", b"")
    client = EchoClient(ONE)
    world.client(client, server.endpoint)
    client.until("dealer")


def test_noise_instead_of_zeromq(world: World) -> None:
    """Bytes that are no ZeroMQ, on either port, harm nobody."""
    server = world.server()
    for endpoint in (server.endpoint, control_endpoint(server.endpoint)):
        port = int(endpoint.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as noisy:
            noisy.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(range(256)) * 40)
    client = EchoClient(ONE)
    world.client(client, server.endpoint)
    client.until("dealer")


def test_server_comes_back(world: World, tmp_path: Path) -> None:
    """When the server dies and another takes its address, the client hears of both and is welcomed anew."""
    server = world.server(f"ipc://{tmp_path}/flags")
    client = EchoClient(ONE)
    world.client(client, server.endpoint)
    client.until("dealer")
    assert server.close(PATIENCE)
    client.until("disconnected")
    world.server(server.endpoint)
    client.until("connected")
    assert client.until("dealer") == (b"echo", b"hello " + ONE)


def test_who_has_gone_is_told(world: World) -> None:
    """A lost connection is told at once, with whose it was, and nothing of it stays behind; a reply to it harms nobody."""
    machine = EchoServer(ONE)
    server = world.server("tcp://127.0.0.1:*", machine)
    for _ in range(3):
        client = EchoClient(ONE)
        loop = world.client(client, server.endpoint)
        client.until("dealer")
        (identity,) = server._homes
        loop.close(PATIENCE)
        while (event := machine.seen.get(timeout=PATIENCE))[0] != "gone":
            pass
        assert event == ("gone", identity)
        assert (server._homes, server._greeted) == ({}, {})
        server.do(lambda now, gone=identity: machine.received(gone, b"are you there?", now))


@pytest.mark.parametrize("bind", ["tcp://127.0.0.1:{}", "tcp://localhost:{}"])
def test_taken_addresses(world: World, bind: str) -> None:
    """An address in use is a SettingsError that names it, and leaves no thread; so is one whose neighbour is in use."""
    server = world.server()
    port = int(server.endpoint.rpartition(":")[2])
    before = threading.active_count()
    for taken in (port, port + 1):
        with pytest.raises(SettingsError, match=str(taken)):
            world.server(bind.format(taken))
    assert threading.active_count() == before


@pytest.mark.parametrize("bind", ["tcp://*:7440", "tcp://0.0.0.0:7440", "tcp://10.1.2.3:7440", "tcp://flags:7440"])
def test_no_plain_frames_leave_the_machine(bind: str) -> None:
    """Without keys only loopback and ipc are bound."""
    assert not is_private(bind)
    with pytest.raises(SettingsError, match="loopback"):
        ZmqServerLoop(bind, {}, welcome=WELCOME, environment_of=environment_of, perform=lambda _: None)


def test_addresses() -> None:
    """The ROUTER lives on the next port, or beside the path; what is no address says so."""
    assert control_endpoint("tcp://127.0.0.1:7440") == "tcp://127.0.0.1:7441"
    assert control_endpoint("tcp://[::1]:7440") == "tcp://[::1]:7441"
    assert control_endpoint("ipc:///run/flags") == "ipc:///run/flags.r"
    for private in ("tcp://127.8.8.8:1", "tcp://[::1]:1", "tcp://localhost:1", "ipc://x"):
        assert is_private(private)
    for wrong in ("tcp://host", "tcp://host:65535", "tcp://host:0", "ipc://", "http://host:1", "tcp://host:1/x", ""):
        with pytest.raises(SettingsError):
            control_endpoint(wrong)


# -- keys ---------------------------------------------------------------------------------------------------------------


class Keys:
    """A server's key pair and clients' of it."""

    def __init__(self) -> None:
        self.public, self.secret = raw(zmq.curve_keypair())

    def client(self) -> ClientCurve:
        return ClientCurve(*raw(zmq.curve_keypair()), server=self.public)


@pytest.fixture(scope="module")
def keys() -> Keys:
    """A server's keys."""
    return Keys()


def test_a_known_key_gets_in(world: World, keys: Keys) -> None:
    """With CURVE on both sockets a client whose key is admitted to the environment sees it."""
    ours = keys.client()
    admission = Admitted(us=(ours.public, (ONE,)))
    server = world.server(curve=ServerCurve(keys.secret), admission=admission)
    client = EchoClient(ONE)
    world.client(client, server.endpoint, curve=ours)
    assert client.until("sub") == (WELCOME,)
    assert client.until("dealer") == (b"echo", b"hello " + ONE)


def test_unknown_keys_are_refused(world: World, keys: Keys) -> None:
    """A key that nobody issued is refused in the handshake, and the client's machine hears so."""
    server = world.server(curve=ServerCurve(keys.secret), admission=Admitted())
    client = EchoClient(ONE)
    world.client(client, server.endpoint, curve=keys.client())
    assert client.seen.get(timeout=PATIENCE) == ("refused", None)


def test_plain_clients_and_other_servers_keys_get_nowhere(world: World, keys: Keys) -> None:
    """A client without keys, and one that expects another server, hear nothing from a server with keys."""
    ours = keys.client()
    machine = EchoServer(ONE)
    server = world.server(
        "tcp://127.0.0.1:*", machine, curve=ServerCurve(keys.secret), admission=Admitted(us=(ours.public, (ONE,)))
    )
    misled = ClientCurve(ours.public, ours.secret, server=Keys().public)
    clients = [EchoClient(ONE), EchoClient(ONE)]
    world.client(clients[0], server.endpoint)
    world.client(clients[1], server.endpoint, curve=misled)
    right = EchoClient(ONE)
    world.client(right, server.endpoint, curve=ours)
    right.until("dealer")
    for client in clients:
        assert not {kind for kind, _ in client.seen.queue} & {"connected", "sub", "dealer"}


def test_other_environments_stay_hidden(world: World, keys: Keys) -> None:
    """A key of one environment is neither subscribed to another nor answered there."""
    ours = keys.client()
    one, two = EchoServer(ONE), EchoServer(TWO)
    server = world.server(
        "tcp://127.0.0.1:*", one, two, curve=ServerCurve(keys.secret), admission=Admitted(us=(ours.public, (ONE,)))
    )
    curious = EchoClient(TWO)
    world.client(curious, server.endpoint, topic_of(TWO), topic_of(ONE), curve=ours)
    assert curious.until("sub") == (topic_of(ONE), b"bookmark")
    server.do(lambda now: two.subscribed(now))
    server.do(lambda now: one.subscribed(now))
    assert curious.until("sub") == (topic_of(ONE), b"bookmark")
    assert server.counters["subscriptions refused"] == 1
    assert ("received", b"hello " + TWO) not in two.seen.queue


def test_revocation_cuts_live_connections(world: World, keys: Keys) -> None:
    """A revoked key loses its live connections and does not come back; another client of the server notices nothing."""
    ours, theirs = keys.client(), keys.client()
    admission = Admitted(us=(ours.public, (ONE,)), them=(theirs.public, (ONE,)))
    server = world.server(curve=ServerCurve(keys.secret), admission=admission)
    us, them = EchoClient(ONE), EchoClient(ONE)
    for client, key in ((us, ours), (them, theirs)):
        world.client(client, server.endpoint, curve=key)
        client.until("dealer")
    del admission.users["us"]
    server.cut("us")
    us.until("disconnected")
    us.until("refused")
    assert "disconnected" not in {kind for kind, _ in them.seen.queue}


def test_questions_of_another_domain_are_refused(world: World, keys: Keys) -> None:
    """The ZAP handler answers for its own domain, CURVE and version only, and ignores what is no question."""
    from flagcore.distribution.transports.zmq_admission import Doorkeeper

    ours = keys.client()
    with zmq.Context() as context:
        door = Doorkeeper(context, Admitted(us=(ours.public, (ONE,))))
        with context.socket(zmq.DEALER) as libzmq:
            libzmq.connect("inproc://zeromq.zap.01")
            right = [b"", b"1.0", b"7", b"flagcore", b"127.0.0.1", b"", b"CURVE", ours.public]
            changes = {1: b"2.0", 3: b"global", 6: b"PLAIN", 7: b"x"}
            questions = [
                right,
                *([*right[:at], new, *right[at + 1 :]] for at, new in changes.items()),
                right[:-1],
                [b""],
            ]
            for question in questions:
                libzmq.send_multipart(question)
            while door.socket.poll(100):
                door.answer()
            answers = [libzmq.recv_multipart(zmq.NOBLOCK) for _ in range(6)]
        door.close()
    assert [answer[3] for answer in answers] == [b"200"] + [b"400"] * 5
    assert [answer[5] for answer in answers] == [b"us"] + [b""] * 5


def test_without_curve_there_is_no_falling_back(world: World, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where libzmq has no CURVE, keys are refused rather than ignored."""
    monkeypatch.setattr(zmq, "has", lambda _: False)
    with pytest.raises(SettingsError, match="CURVE"):
        world.server(curve=ServerCurve(keys.secret), admission=Admitted())


# -- threads and the end ------------------------------------------------------------------------------------------------


def test_deadlines(world: World) -> None:
    """A machine's deadline wakes its loop, on both sides."""
    machine, client = EchoServer(ONE), EchoClient(ONE)
    server = world.server("tcp://127.0.0.1:*", machine)
    loop = world.client(client, server.endpoint)

    def soon(machine: Any) -> Callable[[float], list[Any]]:
        def decide(now: float) -> list[Any]:
            machine.deadline = now + 0.01
            return []

        return decide

    server.do(soon(machine))
    loop.do(soon(client))
    client.until("tick")
    while machine.seen.get(timeout=PATIENCE)[0] != "tick":
        pass


def test_a_failing_machine_ends_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw is logged once, and the loop begins anew."""
    failures = iter([True])

    def fail_once() -> None:
        if next(failures, False):
            raise RuntimeError("unforeseen")

    server = world.server()
    client = EchoClient(ONE, broken=fail_once)
    with caplog.at_level(logging.ERROR, "flagcore"):
        world.client(client, server.endpoint)
        assert client.until("sub") is not None
    assert [record.getMessage() for record in caplog.records] == ["flagcore-live failed and begins anew: unforeseen"]


@pytest.mark.parametrize("moment", ["before start", "no server", "connected", "from its thread"])
def test_close_in_every_state(world: World, moment: str) -> None:
    """``close`` ends the thread, whatever it is at, may be called again, and calls after it are not carried out."""
    client = EchoClient(ONE)
    if moment == "before start":
        loop = ZmqClientLoop(["tcp://127.0.0.1:1"], [WELCOME], client, lambda _: None)
    else:
        endpoint = "tcp://127.0.0.1:9" if moment == "no server" else world.server().endpoint
        loop = world.client(client, endpoint)
        if moment != "no server":
            client.until("dealer")
    if moment == "from its thread":
        ended: queue.Queue[bool] = queue.Queue()
        loop.call(lambda: ended.put(loop.close()))
        assert ended.get(timeout=PATIENCE) is False
        loop._thread.join(PATIENCE)
    assert loop.close(PATIENCE)
    assert loop.close()
    loop.call(lambda: pytest.fail("too late"))


def test_unwanted_loops_end_by_themselves(world: World) -> None:
    """A loop whose owner is gone ends within about a second, by itself."""
    wanted = [True]
    loop = world.client(EchoClient(ONE), "tcp://127.0.0.1:9", wanted=lambda: bool(wanted))
    wanted.clear()
    loop._thread.join(PATIENCE)
    assert not loop._thread.is_alive()
