"""Who gets in: the ZAP handler of a server's context (ZeroMQ RFC 27), asked by libzmq about each handshake."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

import zmq

from flagcore.distribution.transports.zmq_endpoints import ZAP_DOMAIN

__all__ = ["Admission", "Doorkeeper"]

PLACE = "inproc://zeromq.zap.01"
VERSION = b"1.0"


class Admission(Protocol):
    """Knows the clients: which public keys are let in, as whom, and what each may see."""

    def user_of(self, public_key: bytes) -> str | None:
        """Return who owns a CURVE public key (32 bytes); None for nobody who is let in."""
        ...

    def allows(self, user: str, environment_id: bytes) -> bool:
        """Return whether a user may see an environment, now."""
        ...


class Doorkeeper:
    """Answers libzmq's questions with what ``admission`` knows. Must exist before the sockets bind, in their context."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], admission: Admission) -> None:
        self._admission = admission
        self.refused = 0
        self.socket = context.socket(zmq.ROUTER)  # REP would hold one question at a time
        self.socket.linger = 0
        try:
            self.socket.bind(PLACE)
        except zmq.ZMQError:
            self.socket.close(0)
            raise

    def answer(self) -> None:
        """Answer every question that waits."""
        with suppress(zmq.Again):
            while True:
                question = self.socket.recv_multipart(zmq.NOBLOCK)
                if len(question) >= 5:
                    self._answer(question)

    def _answer(self, question: list[bytes]) -> None:
        sender, _, version, request, *rest = question
        user = self._user(version, rest)
        if user is None:
            self.refused += 1
            reply = (b"400", b"this key is not known here", b"", b"")
        else:
            reply = (b"200", b"OK", user.encode(), b"")
        self.socket.send_multipart([sender, b"", VERSION, request, *reply], zmq.NOBLOCK)

    def _user(self, version: bytes, rest: list[bytes]) -> str | None:
        """Return who asks to come in: of our own domain, by CURVE, with a key that is known; else None."""
        if version != VERSION or len(rest) != 5:
            return None
        domain, _address, _identity, mechanism, key = rest
        if domain != ZAP_DOMAIN or mechanism != b"CURVE":
            return None
        return self._admission.user_of(key)

    def close(self) -> None:
        """Answer nobody any more: libzmq then lets nobody in."""
        self.socket.close(0)
