"""A TCP proxy between clients and a server that does to their connections what networks do.

Latency, bandwidth, slicing, a black hole that heals, resets, half-open connections, refusal. It listens on neighbouring ports, one for
each target, as a publisher does. What is set holds from then on, for live connections, too; all methods may be called from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Self, TypeVar

__all__ = ["Proxy"]

T = TypeVar("T")
HOST = "127.0.0.1"
CHUNK = 64 << 10
PAIRS_TRIED = 50
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time: closing resets the connection


class Proxy:
    """Passes connections on to ``targets`` (ports of this machine), as well or as badly as its attributes say."""

    def __init__(self, targets: Sequence[int]) -> None:
        self.latency = 0.0  # seconds that every byte takes longer, each way
        self.bandwidth: float | None = None  # bytes a second, each way and connection
        self.slice: int | None = None  # at most so many bytes at once
        self.up = self.down = 0  # bytes passed on towards the server, and back
        self.connections = 0  # taken since the start
        self._targets = tuple(targets)
        self._live: set[_Connection] = set()
        self._listeners: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()  # not set: a black hole
        self._open.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.ports = self._within(self._listen_anywhere())

    @property
    def endpoint(self) -> str:
        """The address of the first port."""
        return f"tcp://{HOST}:{self.ports[0]}"

    def black_hole(self, on: bool = True) -> None:
        """Let nothing through, in silence, until it is switched off; then what was under way goes on, as TCP does."""
        self._at_once(self._open.clear if on else self._open.set)

    def reset(self) -> int:
        """Reset all live connections, on both sides; returns how many."""
        return self._at_once(self._reset)

    def half_open(self) -> int:
        """Take the server away from all live connections and leave the clients' sides open, in silence; returns how many."""
        return self._at_once(self._half_open)

    def refuse(self, on: bool = True) -> None:
        """Refuse new connections, or take them again; live ones stay."""
        self._within(self._close_listeners() if on else self._listen(self.ports))

    def close(self) -> None:
        """End all connections and the thread."""
        with contextlib.suppress(RuntimeError):
            self._within(self._close_listeners())
            self._at_once(self._reset)
            self._within(_cancel_others())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    # -- in the thread ------------------------------------------------------------------------------------------------

    def _within(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _at_once(self, work: Callable[[], T]) -> T:
        async def run() -> T:
            return work()

        return self._within(run())

    async def _listen_anywhere(self) -> tuple[int, ...]:
        """Listen on neighbouring ports that are free."""
        for _ in range(PAIRS_TRIED):
            with socket.socket() as probe:
                probe.bind((HOST, 0))
                first = probe.getsockname()[1]
            ports = tuple(range(first, first + len(self._targets)))
            with contextlib.suppress(OSError, OverflowError):
                await self._listen(ports)
                return ports
        raise OSError("no neighbouring ports are free")

    async def _listen(self, ports: Sequence[int]) -> None:
        try:
            for port, target in zip(ports, self._targets, strict=True):
                serve = self._serving(target)
                self._listeners.append(await asyncio.start_server(serve, HOST, port, limit=CHUNK))
        except OSError:
            await self._close_listeners()
            raise

    async def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    def _serving(
        self, target: int
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            try:
                await self._open.wait()
                await self._join((reader, writer), target)
            finally:
                _abort(writer)

        return serve

    async def _join(self, client: Side, target: int) -> None:
        """Pass bytes between a client and the server until either ends."""
        try:
            server = await asyncio.open_connection(HOST, target, limit=CHUNK)
        except OSError:
            return
        connection = _Connection(self, client, server)
        self._live.add(connection)
        try:
            await connection.run()
        finally:
            self._live.discard(connection)
            _abort(server[1])

    def _half_open(self) -> int:
        for connection in self._live:
            connection.half_open()
        return len(self._live)

    def _reset(self) -> int:
        live = tuple(self._live)
        for connection in live:
            connection.reset()
        return len(live)


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for _ in range(3):  # aborted connections are closed in the turns that follow
        await asyncio.sleep(0)


Side = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection:
    """One client's connection and the server's other half of it."""

    def __init__(self, proxy: Proxy, client: Side, server: Side) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        self._silent = False
        for _, writer in (client, server):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def run(self) -> None:
        """Pass bytes both ways until either side ends."""
        await asyncio.gather(
            self._pump(self._client[0], self._server[1], "up"), self._pump(self._server[0], self._client[1], "down")
        )

    def reset(self) -> None:
        """End both sides by a reset."""
        _abort(self._client[1])
        _abort(self._server[1])

    def half_open(self) -> None:
        """End the server's side; the client hears nothing of it."""
        self._silent = True
        _abort(self._server[1])

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        flying: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=64)
        landing = asyncio.create_task(self._land(flying, writer, way))
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await flying.put((asyncio.get_running_loop().time() + self._proxy.latency, data))
        await flying.put((0.0, b""))
        await landing

    async def _land(self, flying: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, way: str) -> None:
        """Hand on what has flown long enough; in a black hole nothing lands."""
        proxy, now = self._proxy, asyncio.get_running_loop().time
        while True:
            due, data = await flying.get()
            await asyncio.sleep(max(0.0, due - now()))
            await proxy._open.wait()
            if not data:
                break
            size = proxy.slice or len(data)
            for start in range(0, len(data), size):
                await self._deliver(writer, data[start : start + size], way)
        if not self._silent:
            writer.close()
        elif way == "down":
            await asyncio.Event().wait()  # the client is left alone

    async def _deliver(self, writer: asyncio.StreamWriter, data: bytes, way: str) -> None:
        if not self._silent:
            with contextlib.suppress(OSError):
                writer.write(data)
                await writer.drain()
                setattr(self._proxy, way, getattr(self._proxy, way) + len(data))
        if self._proxy.bandwidth is not None:
            await asyncio.sleep(len(data) / self._proxy.bandwidth)


def _abort(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
