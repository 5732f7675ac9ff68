"""Machines that record what they do, in real processes' threads, for the validator."""

from __future__ import annotations

import itertools
from typing import Any

from flagcore.distribution.actions import Action, Done, SetStatus
from flagcore.distribution.actions import Applied as Result
from flagcore.distribution.client_state import ClientState
from flagcore.distribution.control import Hello
from flagcore.distribution.publisher_state import PublisherState
from flagcore.distribution.server_state import Peer
from flagcore.distribution.wire import Message
from flagcore.snapshot.state_hash import StateHash
from tests.distribution.history import Answered, Applied, Committed, Confirmed, Receipted, Recorder, Started, Status

__all__ = ["recorded_client", "recorded_publisher"]


def recorded_client(recorder: Recorder) -> type[ClientState]:
    """Return a client's machine that tells the recorder what it did, one name each."""
    numbers = itertools.count()

    class Recorded(ClientState):
        def __init__(self, *given: Any, **settings: Any) -> None:
            super().__init__(*given, **settings)
            self.called = f"client {next(numbers)}"
            self.applied_to: tuple[int, int] | None = None

        def start(self, now: float) -> list[Action]:
            recorder.add(Started(now, self.called))
            return super().start(now)

        def applied(self, result: Result, now: float) -> list[Action]:
            apply = self._acks._out[0]
            if not result.refused:
                delta = apply.delta
                base = (
                    (delta.epoch, delta.base)
                    if delta is not None and self.applied_to == (delta.epoch, delta.base)
                    else None
                )
                self.applied_to = tuple(apply.position)
                recorder.add(Applied(now, self.called, self.applied_to, base, StateHash.of(apply.snapshot).value.hex()))
            return super().applied(result, now)

        def _confirm(self, message: Message) -> None:
            super()._confirm(message)
            recorder.add(Confirmed(self._now, self.called, tuple(self.position), self.state_hash.hex()))

        def _done(self) -> list[Action]:
            actions = super()._done()
            for action in actions:
                if isinstance(action, SetStatus):
                    recorder.add(Status(action.since, self.called, action.status))
            return actions

    return Recorded


def recorded_publisher(recorder: Recorder) -> type[PublisherState]:
    """Return a publisher's machine that tells the recorder what was committed, and how it answered."""

    class Recorded(PublisherState):
        def __init__(self, *given: Any, **settings: Any) -> None:
            super().__init__(*given, **settings)
            recorder.add(Committed(self._now, tuple(self.position), None, self.state_hash.hex()))

        def _commit(self, *given: Any) -> None:
            base = tuple(self.position)
            super()._commit(*given)
            recorder.add(Committed(self._now, tuple(self.position), base, self.state_hash.hex()))

        def _answer(self, identity: bytes, peer: Peer, hello: Hello) -> None:
            floor, head, whole = self._ring.floor, self._ring.head, self.counters["snapshots"]
            super()._answer(identity, peer, hello)
            if peer.stream is not None or peer.credit < 32:
                position, sent = (hello.epoch, hello.revision), self.counters["snapshots"] > whole
                told = (hello.state_hash.hex(), tuple(floor or (0, 0)), tuple(head or (0, 0)), sent)
                recorder.add(Answered(self._now, "publisher", peer.name, position, *told))

        def _done(self) -> list[Action]:
            actions = super()._done()
            for action in actions:
                if isinstance(action, Done):
                    recorder.add(Receipted(self._now, tuple(action.receipt.position), (), action.receipt.complete))
            return actions

    return Recorded
