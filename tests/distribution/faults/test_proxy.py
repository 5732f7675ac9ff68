"""The proxy itself: each fault does what it says, and nothing else."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.distribution.faults.proxy import HOST, Proxy

PATIENCE = 20.0


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        try:
            while data := self.request.recv(65536):
                self.request.sendall(data)
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = False  # closing waits for the connections
    allow_reuse_address = True


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy before two echoing servers."""
    servers = [Server((HOST, 0), Echo) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    with Proxy([server.server_address[1] for server in servers]) as made:
        yield made
    for server in servers:
        server.shutdown()
        server.server_close()


def connect(proxy: Proxy, index: int = 0) -> socket.socket:
    """Return a connection through the proxy that fails a test rather than hang."""
    return socket.create_connection((HOST, proxy.ports[index]), timeout=PATIENCE)


def echoed(connection: socket.socket, data: bytes) -> bytes:
    """Return what comes back for some bytes."""
    connection.sendall(data)
    found = b""
    while len(found) < len(data) and (part := connection.recv(65536)):
        found += part
    return found


def test_passes_everything(proxy: Proxy) -> None:
    """Without faults all bytes pass, on both neighbouring ports, and are counted."""
    assert proxy.ports[1] == proxy.ports[0] + 1
    data = bytes(range(256)) * 1000
    for index in (0, 1):
        with connect(proxy, index) as connection:
            assert echoed(connection, data) == data
    assert (proxy.up, proxy.connections) == (2 * len(data), 2)
    assert len(data) < proxy.down <= 2 * len(data)  # counted once it is handed on, which the receiver may see first


def test_latency_and_bandwidth(proxy: Proxy) -> None:
    """Every way takes the latency; a stream takes its bytes over the bandwidth."""
    with connect(proxy) as connection:
        proxy.latency = 0.05
        begun = time.monotonic()
        assert echoed(connection, b"x") == b"x"
        assert time.monotonic() - begun >= 0.1
        proxy.latency, proxy.bandwidth, proxy.slice = 0.0, 100_000, 1000
        begun = time.monotonic()
        assert echoed(connection, bytes(10_000)) == bytes(10_000)
        assert time.monotonic() - begun >= 0.09


def test_slicing(proxy: Proxy) -> None:
    """However small the slices, the bytes stay the same."""
    proxy.slice = 3
    with connect(proxy) as connection:
        assert echoed(connection, bytes(range(100))) == bytes(range(100))


def test_black_hole_heals(proxy: Proxy) -> None:
    """In a black hole nothing comes and nobody is told; what was under way arrives when it heals. New connections wait, too."""
    with connect(proxy) as connection:
        assert echoed(connection, b"a") == b"a"
        proxy.black_hole()
        with connect(proxy) as late:
            for each in (connection, late):
                each.sendall(b"b")
                each.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    each.recv(1)
            proxy.black_hole(False)
            for each in (connection, late):
                each.settimeout(PATIENCE)
                assert each.recv(1) == b"b"


def test_reset(proxy: Proxy) -> None:
    """A reset ends live connections by an error; new ones pass."""
    with connect(proxy) as connection:
        assert echoed(connection, b"a") == b"a"
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with connect(proxy) as connection:
        assert echoed(connection, b"a") == b"a"


def test_half_open(proxy: Proxy) -> None:
    """Half open, the client's bytes vanish in silence."""
    with connect(proxy) as connection:
        assert echoed(connection, b"a") == b"a"
        assert proxy.half_open() == 1
        connection.sendall(b"b")
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_refusal(proxy: Proxy) -> None:
    """Refusing leaves live connections alone, and ends."""
    with connect(proxy) as connection:
        assert echoed(connection, b"a") == b"a"
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
        assert echoed(connection, b"a") == b"a"
        proxy.refuse(False)
        with connect(proxy) as again:
            assert echoed(again, b"a") == b"a"


def test_server_is_away(proxy: Proxy) -> None:
    """Where the server takes no connection, the client's is reset, at once or when it reads."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        with (
            Proxy([free.getsockname()[1]]) as nowhere,
            pytest.raises(ConnectionResetError),
            connect(nowhere) as connection,
        ):
            connection.recv(1)
