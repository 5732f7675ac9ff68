"""The answer to one HELLO, made message by message as the client grants credit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from flagcore.distribution.control import Answer, Begin, Current, Retry, encode_control
from flagcore.distribution.position import Position
from flagcore.distribution.ring import Ring
from flagcore.distribution.wire import Message

__all__ = ["Base", "answer", "one"]

Frames = tuple[bytes, ...]


class Base(msgspec.Struct, frozen=True):
    """A whole snapshot, cut and signed once for all who need it. The ring's deltas lead on from it."""

    messages: tuple[Message, ...]

    @property
    def position(self) -> Position:
        """Its revision."""
        header = self.messages[0].header
        return Position(header.epoch, header.revision)

    @property
    def state_hash(self) -> bytes:
        """Its state hash."""
        return self.messages[0].header.state_hash


def one(control: Answer) -> Frames:
    """Return the frames of one message of control."""
    return (encode_control(control),)


def answer(ring: Ring, position: Position, base: Base | None, rotation: Message | None) -> Iterator[Frames]:
    """Yield what leads a client from ``position``, or from ``base`` when there is one, to the head of the ring.

    The ring is looked at anew for each message: what is published meanwhile comes along, and a client that is too slow for
    the ring is told to ask again.
    """
    if rotation is not None:
        yield rotation.frames
    if base is not None:
        yield from _chunks(base.messages)
        position = base.position
    while (entry := ring.after(position)) is not None:
        yield entry.message.frames
        yield from _chunks(entry.parts)
        position = entry.position
    yield one(Current(*position)) if position == ring.head else one(Retry(0, "too slow"))


def _chunks(messages: Sequence[Message]) -> Iterator[Frames]:
    if messages:
        header = messages[0].header
        raw_length = sum(message.header.raw_length for message in messages)
        yield one(Begin(header.epoch, header.revision, len(messages), raw_length))
    for message in messages:
        yield message.frames
