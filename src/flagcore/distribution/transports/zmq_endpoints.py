"""Addresses, keys and socket options of the ZeroMQ transport (docs/design/wire.md section 3)."""

from __future__ import annotations

import ipaddress
import re

import msgspec
import zmq

from flagcore.errors import SettingsError

__all__ = [
    "ClientCurve",
    "ServerCurve",
    "control_endpoint",
    "is_private",
    "prepare",
    "require_curve",
    "secure_client",
    "secure_server",
]

ZAP_DOMAIN = b"flagcore"

Options = dict[int, int]

COMMON: Options = {
    zmq.LINGER: 0,
    zmq.HEARTBEAT_IVL: 1000,
    zmq.HEARTBEAT_TIMEOUT: 3000,
    zmq.HEARTBEAT_TTL: 4000,
    zmq.HANDSHAKE_IVL: 5000,
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 30,
    zmq.TCP_KEEPALIVE_INTVL: 10,
    zmq.TCP_KEEPALIVE_CNT: 3,
    zmq.IPV6: 1,
}

# Attempts to come back are 100 to 200 ms apart at first and about a second apart in the end: a server that is away for long is
# asked seldom, and one that comes back is found within the two seconds that clients are promised.
RECONNECT: Options = {zmq.RECONNECT_IVL: 100, zmq.RECONNECT_IVL_MAX: 1000, zmq.CONNECT_TIMEOUT: 3000}

SUB: Options = {**COMMON, **RECONNECT, zmq.RCVHWM: 10_000, zmq.MAXMSGSIZE: 1 << 20}
DEALER: Options = {
    **COMMON,
    **RECONNECT,
    zmq.SNDHWM: 16,
    zmq.RCVHWM: 64,
    zmq.IMMEDIATE: 1,
    zmq.MAXMSGSIZE: 1 << 20,
}
XPUB: Options = {
    **COMMON,
    zmq.XPUB_VERBOSER: 1,
    zmq.XPUB_MANUAL: 1,
    zmq.SNDHWM: 1000,
    zmq.BACKLOG: 4096,
    zmq.MAXMSGSIZE: 64 << 10,
}
ROUTER: Options = {
    **COMMON,
    zmq.ROUTER_MANDATORY: 1,
    zmq.SNDHWM: 64,
    zmq.RCVHWM: 256,
    zmq.BACKLOG: 4096,
    zmq.MAXMSGSIZE: 64 << 10,
}

_TCP = re.compile(r"tcp://(\[[^\]]+\]|[^:/]+):([0-9]{1,5}|\*)")


class ClientCurve(msgspec.Struct, frozen=True):
    """A client's key pair and the public key that its server must prove, 32 bytes each."""

    public: bytes
    secret: bytes
    server: bytes


class ServerCurve(msgspec.Struct, frozen=True):
    """A server's secret key, 32 bytes."""

    secret: bytes


def control_endpoint(endpoint: str) -> str:
    """Return where the ROUTER beside an XPUB lives: the next port, or the path with ``.r`` after it.

    Raises:
        SettingsError: this is no address of the transport.
    """
    if endpoint.startswith("ipc://") and len(endpoint) > len("ipc://"):
        return f"{endpoint}.r"
    address = _TCP.fullmatch(endpoint)
    if address is None or address[2] == "*" or not 0 < int(address[2]) < 65_535:
        raise SettingsError(f"{endpoint!r} is no address such as tcp://flags.internal:7440 or ipc:///run/flags.sock")
    return f"tcp://{address[1]}:{int(address[2]) + 1}"


def is_private(endpoint: str) -> bool:
    """Return whether only this machine can reach the address: only there may frames travel without keys."""
    if endpoint.startswith("ipc://"):
        return True
    address = _TCP.fullmatch(endpoint)
    host = address[1].strip("[]") if address else ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_curve() -> None:
    """Refuse to go on where libzmq was built without CURVE: there is no falling back to plain frames.

    Raises:
        SettingsError: there is no CURVE.
    """
    if not zmq.has("curve"):
        raise SettingsError(
            "this build of libzmq has no CURVE security: install a pyzmq wheel, or build with libsodium"
        )


def prepare(socket: zmq.Socket[bytes], options: Options) -> None:
    """Set the options of a new socket."""
    for option, value in options.items():
        socket.setsockopt(option, value)


def secure_client(socket: zmq.Socket[bytes], curve: ClientCurve | None) -> None:
    """Let a socket speak CURVE as a client, where there are keys."""
    if curve is not None:
        require_curve()
        socket.curve_publickey, socket.curve_secretkey = curve.public, curve.secret
        socket.curve_serverkey = curve.server


def secure_server(socket: zmq.Socket[bytes], curve: ServerCurve | None) -> None:
    """Let a socket demand CURVE, where there is a key, and ask the ZAP handler of its context about each client."""
    if curve is not None:
        require_curve()
        socket.curve_server = True
        socket.curve_secretkey = curve.secret
        socket.zap_domain = ZAP_DOMAIN
