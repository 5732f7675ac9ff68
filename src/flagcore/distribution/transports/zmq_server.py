"""The server's sockets: XPUB for everybody, ROUTER for one client at a time; they drive one sans-IO machine an environment.

docs/design/wire.md sections 3 and 7. Who may see which environment is settled here: by the ZAP handler when a client shakes hands,
by the User-Id of each subscription, and by that of each client's first frame.
"""

from __future__ import annotations

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

import zmq

from flagcore.distribution.actions import Action, Broadcast, Reply
from flagcore.distribution.transports.machines import ServerMachine
from flagcore.distribution.transports.zmq_admission import Admission, Doorkeeper
from flagcore.distribution.transports.zmq_connections import Connections
from flagcore.distribution.transports.zmq_endpoints import (
    ROUTER,
    XPUB,
    ServerCurve,
    control_endpoint,
    is_private,
    prepare,
    secure_server,
)
from flagcore.distribution.transports.zmq_events import events_of
from flagcore.distribution.transports.zmq_thread import SocketThread
from flagcore.errors import SettingsError

__all__ = ["ZmqServerLoop"]

AT_ONCE = 256  # messages of one socket before the others get their turn
PAIRS_TRIED = 50  # ports, where any will do and the next one must be free, too
START_SECONDS = 10.0
LOST = zmq.EVENT_DISCONNECTED
ENVIRONMENT = slice(2, 10)  # of a topic


class ZmqServerLoop(SocketThread):
    """Serves ``machines`` (environment id -> machine) at ``bind``, until it is closed.

    ``environment_of`` returns the environment that a client's frame asks for, None when the frame is no greeting. With ``curve``
    only clients that ``admission`` knows get in; without it anybody on this machine does. ``counts`` is asked first about what
    admitted clients send, with the environment; what it answers is the reply.

    Raises:
        SettingsError: this is no address, or frames without keys would leave this machine.
    """

    def __init__(
        self,
        bind: str,
        machines: Mapping[bytes, ServerMachine],
        *,
        welcome: bytes,
        environment_of: Callable[[bytes], bytes | None],
        perform: Callable[[Action], Iterable[Action] | None],
        counts: Callable[[bytes, bytes], bytes | None] = lambda *_: None,
        curve: ServerCurve | None = None,
        admission: Admission | None = None,
        clock: Callable[[], float] = time.monotonic,
        name: str = "flagcore-publisher",
    ) -> None:
        probe = f"{bind.rpartition(':')[0]}:1" if _takes_any_port(bind) else bind
        control_endpoint(probe)  # raises for what is no address
        if curve is None and not is_private(bind):
            raise SettingsError(f"{bind}: without keys flags are published on loopback and ipc only; see flagcore keys")
        if (curve is None) is not (admission is None):
            raise SettingsError("a server key needs the keys of its clients, and they need it")
        super().__init__(name)
        self._bind = bind
        self._machines = machines
        self._welcome = welcome
        self._environment_of = environment_of
        self._perform = perform
        self._counts = counts
        self._curve = curve
        self._admission = admission
        self._clock = clock
        self._ready = threading.Event()
        self._refusal: Exception | None = None
        self._leaving: list[bytes] = []  # whose connections were lost: told when their last frames were read
        self._homes: dict[bytes, tuple[bytes, str]] = {}  # ROUTER identity -> its environment and user
        self._greeted: dict[int, bytes] = {}  # file descriptor of a connection -> ROUTER identity
        self._connections = Connections()
        self.counters = {
            "subscriptions refused": 0,
            "greetings refused": 0,
            "frames without greeting": 0,
            "replies dropped": 0,
        }

    def start(self, delay: float = 0.0) -> None:
        """Bind, and serve from here on.

        Raises:
            SettingsError: the address cannot be bound.
        """
        super().start(delay)
        if not self._ready.wait(START_SECONDS) or self._refusal is not None:
            self.close()
            raise SettingsError(f"{self._bind} cannot be bound: {self._refusal or 'it takes too long'}")

    @property
    def endpoint(self) -> str:
        """The address in use: as given, with the port that was found where any would do."""
        return self._bind

    def do(self, decide: Callable[[float], Iterable[Action]]) -> None:
        """Let ``decide(now)`` ask a machine something in the loop's thread, and carry out what it returns."""
        self.call(lambda: self.do_now(decide(self._clock())))

    def cut(self, user: str) -> None:
        """End the live connections of a user whose key was revoked; where they come back, ZAP refuses them."""
        self.call(lambda: self._cut(user))

    # -- in the thread ------------------------------------------------------------------------------------------------

    def _open(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._sockets: list[zmq.Socket[bytes]] = []
        self._door: Doorkeeper | None = None
        try:
            if self._admission is not None:
                self._door = Doorkeeper(context, self._admission)
            self._xpub, self._router = self._bound_pair(context)
            self._monitors = [socket.get_monitor_socket(LOST) for socket in (self._xpub, self._router)]
        except (zmq.ZMQError, SettingsError) as error:
            if not self._ready.is_set():  # who started waits for the answer; later on it is tried again
                self._refusal = error
                self._stop.set()
                self._ready.set()
                return
            raise
        self._poller = zmq.Poller()
        for socket in (self._woken, self._xpub, self._router, *self._monitors, *self._doors()):
            self._poller.register(socket, zmq.POLLIN)
        self._ready.set()

    def _doors(self) -> list[zmq.Socket[bytes]]:
        return [] if self._door is None else [self._door.socket]

    def _bound_pair(self, context: zmq.Context[zmq.Socket[bytes]]) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
        """Return XPUB and ROUTER at neighbouring addresses; where any port will do, at the first pair that is free."""
        anywhere = _takes_any_port(self._bind)
        for attempt in range(PAIRS_TRIED):
            xpub, router = self._new(context, zmq.XPUB, XPUB), self._new(context, zmq.ROUTER, ROUTER)
            xpub.setsockopt(zmq.XPUB_WELCOME_MSG, self._welcome)
            try:
                endpoint = self._bound(xpub, anywhere)
                router.bind(control_endpoint(endpoint))
            except (zmq.ZMQError, SettingsError):
                xpub.close(0)
                router.close(0)
                if not anywhere or attempt == PAIRS_TRIED - 1:
                    raise
            else:
                self._bind = endpoint
                return xpub, router
        raise AssertionError("unreachable")

    def _bound(self, xpub: zmq.Socket[bytes], anywhere: bool) -> str:
        """Bind and return the address as it was given, with a port that the system chose where any will do."""
        if not anywhere:
            xpub.bind(self._bind)
            return self._bind
        host = self._bind.rpartition(":")[0]
        xpub.bind(f"{host}:*")
        chosen = bytes(xpub.getsockopt(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode()
        return f"{host}:{chosen.rpartition(':')[2]}"

    def _new(self, context: zmq.Context[zmq.Socket[bytes]], kind: int, options: dict[int, int]) -> zmq.Socket[bytes]:
        socket = context.socket(kind)
        self._sockets.append(socket)
        prepare(socket, options)
        secure_server(socket, self._curve)
        return socket

    def _shut(self) -> None:
        self._homes.clear()
        self._greeted.clear()
        self._leaving.clear()
        self._connections = Connections()
        for socket in self._sockets:
            socket.close(0)
        if self._door is not None:
            self._door.close()

    def _turn(self, timeout: float) -> None:
        ready = dict(self._poller.poll(self._patience(timeout)))
        if self._door is not None and self._door.socket in ready:
            self._door.answer()
        if any(monitor in ready for monitor in self._monitors) and self._forget_lost():
            self._ask_all(lambda machine, now: machine.disconnected(now))
        if self._xpub in ready:
            self._drain(self._xpub, self._subscription)
        if self._router not in ready or self._drain(self._router, self._question):
            self._let_go()
        self._tick()

    def _patience(self, timeout: float) -> int:
        """Return how long to wait in milliseconds: until the next deadline of a machine, rounded up."""
        deadlines = [due for machine in self._machines.values() if (due := machine.deadline) is not None]
        if deadlines:
            timeout = min(timeout, max(0.0, min(deadlines) - self._clock()))
        return int(timeout * 1000) + (timeout > 0)

    def _tick(self) -> None:
        now = self._clock()
        for machine in tuple(self._machines.values()):
            if (due := machine.deadline) is not None and now >= due:
                self.do_now(machine.tick(now))

    def _ask_all(self, decide: Callable[[ServerMachine, float], Iterable[Action]]) -> None:
        for machine in tuple(self._machines.values()):
            self.do_now(decide(machine, self._clock()))

    def _drain(self, socket: zmq.Socket[bytes], handle: Callable[[Sequence[zmq.Frame]], None]) -> bool:
        """Handle what has come, and return whether that was all."""
        try:
            for _ in range(AT_ONCE):
                handle(socket.recv_multipart(zmq.NOBLOCK, copy=False))
        except zmq.Again:
            return True
        return False

    # -- subscriptions ------------------------------------------------------------------------------------------------

    def _subscription(self, frames: Sequence[zmq.Frame]) -> None:
        content = frames[0].bytes
        if content[:1] == b"\1":
            self._subscribe(frames[0], content[1:])
        elif content[:1] == b"\0":
            with suppress(zmq.ZMQError):  # its connection may be gone, and took the subscription along
                self._xpub.setsockopt(zmq.UNSUBSCRIBE, content[1:])

    def _subscribe(self, frame: zmq.Frame, topic: bytes) -> None:
        """Admit a subscription to what its user may see; the welcome needs no admission, and the rest gets none."""
        if topic == self._welcome:
            return
        environment, user = topic[ENVIRONMENT], _user_of(frame)
        machine = self._machines.get(environment) if topic[:2] == self._welcome[:2] else None
        if machine is None or not self._is_admitted(user, environment):
            self.counters["subscriptions refused"] += 1
            return
        with suppress(zmq.ZMQError):  # it may be gone already
            self._xpub.setsockopt(zmq.SUBSCRIBE, topic)
            self._remember(frame, user)
            self.do_now(machine.subscribed(self._clock()))

    def _is_admitted(self, user: str, environment: bytes) -> bool:
        return self._admission is None or self._admission.allows(user, environment)

    # -- questions of single clients ----------------------------------------------------------------------------------

    def _question(self, frames: Sequence[zmq.Frame]) -> None:
        if len(frames) != 2:
            self.counters["frames without greeting"] += 1
            return
        identity, content, user = frames[0].bytes, frames[1].bytes, _user_of(frames[1])
        machine = self._home(identity, frames[1], user)
        if machine is not None:
            self._remember(frames[1], user)
            receipt = self._counts(self._homes[identity][0], content)
            if receipt is None:
                self.do_now(machine.received(identity, content, self._clock()))
            else:
                self.do_now([Reply(identity, (receipt,))])

    def _home(self, identity: bytes, frame: zmq.Frame, user: str) -> ServerMachine | None:
        """Return the machine that a frame is for: the first of a client must be a greeting to an environment of its user."""
        asked = self._environment_of(frame.bytes)
        environment, owner = (asked, user) if asked is not None else self._homes.get(identity, (b"", user))
        machine = self._machines.get(environment)
        if asked is None and (machine is None or owner != user):
            self.counters["frames without greeting"] += 1
            return None
        if machine is None or not self._is_admitted(user, environment):
            self.counters["greetings refused"] += 1
            return None
        if asked is not None:
            self._forget_lost()  # the descriptor may have been that of a connection that is gone
            self._greeted[int(frame.get(zmq.SRCFD))] = identity
        self._homes[identity] = environment, user
        return machine

    def _let_go(self) -> None:
        """Tell the machines who is gone, when everything that they had said was heard."""
        leaving, self._leaving = self._leaving, []
        for identity in leaving:
            self.do_now(self._gone(identity))

    def _gone(self, identity: bytes) -> Iterable[Action]:
        environment, _ = self._homes.pop(identity, (b"", ""))
        machine = self._machines.get(environment)
        return () if machine is None else machine.gone(identity, self._clock())

    # -- connections --------------------------------------------------------------------------------------------------

    def _remember(self, frame: zmq.Frame, user: str) -> None:
        """Note whose connection a frame came by, where connections may have to be cut."""
        if self._admission is not None:
            self._forget_lost()  # the number may have been that of a connection that is gone
            self._connections.add(int(frame.get(zmq.SRCFD)), user)

    def _forget_lost(self) -> bool:
        """Forget connections that were lost, and note whose they were; returns whether there were any."""
        lost = False
        for monitor in self._monitors:
            for _, descriptor in events_of(monitor):
                self._connections.remove(descriptor)
                if (identity := self._greeted.pop(descriptor, None)) is not None:
                    self._leaving.append(identity)
                lost = True
        return lost

    def _cut(self, user: str) -> None:
        self._forget_lost()
        self._connections.cut(user, (self._bind, control_endpoint(self._bind)))

    # -- actions ------------------------------------------------------------------------------------------------------

    def do_now(self, actions: Iterable[Action]) -> None:
        """Carry out actions. In the loop's own thread only."""
        waiting = deque(actions)
        while waiting:
            action = waiting.popleft()
            if type(action) is Broadcast:
                self._xpub.send_multipart(action.frames, zmq.NOBLOCK)
            elif type(action) is Reply:
                waiting.extendleft(reversed(list(self._reply(action))))
            else:
                waiting.extendleft(reversed(list(self._perform(action) or ())))

    def _reply(self, action: Reply) -> Iterable[Action]:
        try:
            self._router.send_multipart((action.identity, *action.frames), zmq.NOBLOCK)
        except zmq.Again:  # it does not read: what it misses it asks for again
            self.counters["replies dropped"] += 1
        except zmq.ZMQError as error:
            if error.errno != errno.EHOSTUNREACH:
                raise
            return self._gone(action.identity)
        return ()


def _takes_any_port(bind: str) -> bool:
    return bind.startswith("tcp://") and bind.rpartition(":")[2] in ("0", "*")


def _user_of(frame: zmq.Frame) -> str:
    """Return whom the ZAP handler took the sender for; nobody where there is none."""
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""
