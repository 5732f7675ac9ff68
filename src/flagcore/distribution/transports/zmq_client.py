"""The client's sockets: SUB for what everybody gets, DEALER for what this client asks; they drive a sans-IO machine.

docs/design/wire.md section 3. What the machine decides comes back as actions; the loop carries out those that concern the
sockets and hands the others to ``perform``, which may answer with more.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import zmq

from flagcore.distribution.actions import Action, Connect, Report, Send
from flagcore.distribution.transports.machines import ClientMachine
from flagcore.distribution.transports.zmq_endpoints import (
    DEALER,
    SUB,
    ClientCurve,
    control_endpoint,
    prepare,
    secure_client,
)
from flagcore.distribution.transports.zmq_events import events_of
from flagcore.distribution.transports.zmq_thread import SocketThread

__all__ = ["ZmqClientLoop"]

AT_ONCE = 256  # messages of one socket before the others get their turn
FAREWELL = 50  # milliseconds that the last frame has for getting out
BROKEN = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
WATCHED = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | BROKEN
REFUSED = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
REFUSAL = "the server does not accept this key, or expects one where there is none"


class _Link:
    """One socket connected to one server, and its monitor."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], kind: int, options: dict[int, int], curve: ClientCurve | None
    ) -> None:
        self.up = False
        self.socket = context.socket(kind)
        try:
            prepare(self.socket, options)
            secure_client(self.socket, curve)
            self.monitor = self.socket.get_monitor_socket(WATCHED)
        except BaseException:
            self.socket.close(0)
            raise

    def events(self) -> list[int]:
        """Return what happened to the connection meanwhile."""
        return [event for event, _ in events_of(self.monitor)]

    def close(self, linger: int = 0) -> None:
        """Close the socket; what is still to be sent has ``linger`` milliseconds."""
        self.socket.disable_monitor()
        self.monitor.close(0)
        self.socket.close(linger)


class ZmqClientLoop(SocketThread):
    """Runs one client machine on ``endpoints``, subscribed to the topic prefixes ``topics``.

    ``perform`` is called in the thread with each action that is not the sockets' own.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        topics: Sequence[bytes],
        machine: ClientMachine,
        perform: Callable[[Action], Iterable[Action] | None],
        *,
        curve: ClientCurve | None = None,
        wanted: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
        name: str = "flagcore-live",
    ) -> None:
        super().__init__(name, wanted)
        self._endpoints = tuple((endpoint, control_endpoint(endpoint)) for endpoint in endpoints)
        self._topics = tuple(topics)
        self._machine = machine
        self._perform = perform
        self._curve = curve
        self._clock = clock
        self._links: tuple[_Link, ...] = ()  # SUB, DEALER; none before the machine asked to connect
        self._poller = zmq.Poller()
        self._first: Callable[[float], Iterable[Action]] | None = None
        self._begun = False
        self.unsent = 0  # frames that found no connection, or a full one

    def begin_with(self, decide: Callable[[float], Iterable[Action]]) -> None:
        """Let ``decide(now)`` ask the machine something before it starts. To be called before ``start``."""
        self._first = decide

    def do(self, decide: Callable[[float], Iterable[Action]]) -> None:
        """Let ``decide(now)`` ask the machine something in the loop's thread, and carry out what it returns."""
        self.call(lambda: self._do(decide(self._clock())))

    # -- in the thread ------------------------------------------------------------------------------------------------

    def _open(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._context = context
        self._poller = zmq.Poller()
        self._poller.register(self._woken, zmq.POLLIN)
        now = self._clock()
        if self._begun:  # anew, after a failure: the sockets are gone
            self._do(self._machine.disconnected(now))
            return
        self._begun = True
        if self._first is not None:
            self._do(self._first(now))
        self._do(self._machine.start(now))

    def _shut(self) -> None:
        try:
            self._do(self._machine.close(self._clock()) if self._stop.is_set() else ())
        finally:
            self._disconnect(FAREWELL)

    def _turn(self, timeout: float) -> None:
        ready = dict(self._poller.poll(self._patience(timeout)))
        links = self._links
        for link in links:
            if link.monitor in ready and links is self._links:  # the machine may connect elsewhere on the way
                self._notice(link)
        for link, receive in zip(links, (self._machine.received_sub, self._machine.received_dealer), strict=False):
            if link.socket in ready and links is self._links:
                self._receive(link, receive)
        deadline = self._machine.deadline
        if deadline is not None and (now := self._clock()) >= deadline:
            self._do(self._machine.tick(now))

    def _patience(self, timeout: float) -> int:
        """Return how long to wait in milliseconds: until the machine's deadline, rounded up, never beyond ``timeout``."""
        deadline = self._machine.deadline
        if deadline is not None:
            timeout = min(timeout, max(0.0, deadline - self._clock()))
        return int(timeout * 1000) + (timeout > 0)

    def _receive(self, link: _Link, receive: Callable[[Sequence[bytes], float], Iterable[Action]]) -> None:
        with suppress(zmq.Again):
            for _ in range(AT_ONCE):
                frames = link.socket.recv_multipart(zmq.NOBLOCK)
                self._do(receive(frames, self._clock()))
                if link not in self._links:
                    return

    def _notice(self, link: _Link) -> None:
        """Tell the machine when both connections have come up, when one was lost, and when the server refused us."""
        were_up = self._up
        events = link.events()
        for event in events:
            link.up = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
        now = self._clock()
        if any(event & REFUSED for event in events):
            self._disconnect()  # libzmq would knock on without end: the machine says when to try again
            self._do((Report("key-refused", REFUSAL), *self._machine.refused(now)))
            return
        if were_up and (not self._up or zmq.EVENT_DISCONNECTED in events):
            self._do(self._machine.disconnected(now))
        if self._up and (not were_up or zmq.EVENT_DISCONNECTED in events):
            self._do(self._machine.connected(now))

    @property
    def _up(self) -> bool:
        return bool(self._links) and all(link.up for link in self._links)

    # -- actions ------------------------------------------------------------------------------------------------------

    def _do(self, actions: Iterable[Action]) -> None:
        waiting = deque(actions)
        while waiting:
            action = waiting.popleft()
            if type(action) is Send:
                self._send(action.frame)
            elif type(action) is Connect:
                self._connect(action.endpoint)
            else:
                waiting.extendleft(reversed(list(self._perform(action) or ())))

    def _send(self, frame: bytes) -> None:
        """Send now or never: a machine whose frame was lost asks again."""
        if self._links and self._links[1].socket.poll(0, zmq.POLLOUT):
            self._links[1].socket.send(frame, zmq.NOBLOCK)
        else:
            self.unsent += 1

    def _connect(self, index: int) -> None:
        """Leave the present server, if any, and connect to another, or to the same anew."""
        self._disconnect()
        subscribe, control = self._endpoints[index % len(self._endpoints)]
        sub = _Link(self._context, zmq.SUB, SUB, self._curve)
        try:
            dealer = _Link(self._context, zmq.DEALER, DEALER, self._curve)
        except BaseException:
            sub.close()
            raise
        self._links = (sub, dealer)
        for topic in self._topics:
            sub.socket.subscribe(topic)
        for link, endpoint in zip(self._links, (subscribe, control), strict=True):
            self._poller.register(link.socket, zmq.POLLIN)
            self._poller.register(link.monitor, zmq.POLLIN)
            link.socket.connect(endpoint)

    def _disconnect(self, linger: int = 0) -> None:
        links, self._links = self._links, ()
        for link in links:
            for socket in (link.socket, link.monitor):
                with suppress(KeyError):
                    self._poller.unregister(socket)
            link.close(linger)
