"""What client and server say to one another over DEALER and ROUTER: one frame each, under CURVE, unsigned.

msgpack arrays that begin with a letter. Fields are append-only; a letter that is not known is of a later release and passed over.
Deltas, notices, bookmarks, chunks and the rest that is signed travel as the multipart messages of ``wire``.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from flagcore.distribution.wire import U32, U64, EnvironmentId, Hash, WireError, WireFault
from flagcore.snapshot.limits import DEFAULT_LIMITS, Limits

__all__ = [
    "Ack",
    "Answer",
    "Begin",
    "Bye",
    "Count",
    "Counted",
    "Counts",
    "Credit",
    "Current",
    "Hello",
    "Ping",
    "Request",
    "Retry",
    "decode_answer",
    "decode_request",
    "encode_control",
]

ClientId = Annotated[bytes, msgspec.Meta(min_length=8, max_length=32)]
Name = Annotated[str, msgspec.Meta(max_length=256)]
Number = Annotated[int, msgspec.Meta(ge=0)]


class _Control(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The form that all have."""


# -- client to server --------------------------------------------------------------------------------------------------


class Hello(_Control, frozen=True, tag="H"):
    """Where the client stands, and what it can read."""

    environment_id: EnvironmentId
    epoch: U64
    revision: U64
    state_hash: Hash
    proto: U32
    reader: U32  # the highest kernel format that it reads
    client_id: ClientId  # random, one a process
    name: Name = ""  # of the service, for people


class Ack(_Control, frozen=True, tag="A"):
    """Everything up to here is applied."""

    epoch: U64
    revision: U64
    apply_us: U64  # what the latest took
    failed: U32 = 0  # objects that could not be used: their previous versions are served


class Credit(_Control, frozen=True, tag="C"):
    """So many chunks more may come."""

    chunks: Annotated[int, msgspec.Meta(ge=1, le=1024)]


class Count(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How often one outcome of a flag was served."""

    flag: Annotated[str, msgspec.Meta(max_length=1024)]
    variant: Annotated[str, msgspec.Meta(max_length=1024)] | None
    rule: Annotated[str, msgspec.Meta(max_length=1024)] | None
    reason: Annotated[str, msgspec.Meta(max_length=64)]
    n: Number


class Counts(_Control, frozen=True, tag="N"):
    """Evaluations of a window of time. A batch that comes twice counts once."""

    batch_id: Number  # rises with every batch of a client
    source: ClientId
    start_us: U64  # microseconds since 1970
    end_us: U64
    dropped: Number  # evaluations of the window that are not in the rows
    rows: tuple[Count, ...]


class Bye(_Control, frozen=True, tag="Y"):
    """The client goes; nobody need wait for it."""


# -- server to client --------------------------------------------------------------------------------------------------


class Current(_Control, frozen=True, tag="c"):
    """Answer to HELLO: the client has everything."""

    epoch: U64
    revision: U64


class Begin(_Control, frozen=True, tag="b"):
    """A snapshot, or the objects that a notice named, will come in chunks as credit is given."""

    epoch: U64
    revision: U64
    chunk_count: U32
    raw_length: U64


class Retry(_Control, frozen=True, tag="r"):
    """Not now."""

    after_ms: Annotated[int, msgspec.Meta(ge=0, le=3_600_000)]
    reason: Name = ""


class Counted(_Control, frozen=True, tag="n"):
    """A batch of counts is kept."""

    batch_id: Number


class Ping(_Control, frozen=True, tag="p"):
    """Shows that the way is open."""


Request: TypeAlias = Hello | Ack | Credit | Counts | Bye
Answer: TypeAlias = Current | Begin | Retry | Counted | Ping

_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)
_letters = msgspec.msgpack.Decoder(list[msgspec.Raw])
_KNOWN = frozenset("HACNYcbrnp")


def encode_control(message: Request | Answer) -> bytes:
    """Return the one frame of a message."""
    return _encoder.encode(message)


def decode_request(frame: bytes, limits: Limits = DEFAULT_LIMITS) -> Request:
    """Return what a client said.

    Raises:
        WireError: TOO_LARGE, UNKNOWN_KIND (to be passed over), or MALFORMED.
    """
    _check_size(frame, limits)
    try:
        return _requests.decode(frame)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise _refusal(frame, error) from None


def decode_answer(frame: bytes, limits: Limits = DEFAULT_LIMITS) -> Answer:
    """Return what a server said; raises as ``decode_request`` does."""
    _check_size(frame, limits)
    try:
        return _answers.decode(frame)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise _refusal(frame, error) from None


def _check_size(frame: bytes, limits: Limits) -> None:
    if len(frame) > limits.control:
        raise WireError(WireFault.TOO_LARGE, f"{len(frame)} of {limits.control}")


def _refusal(frame: bytes, error: Exception) -> WireError:
    """Return what is wrong: a letter of a later release is no fault of the peer's."""
    try:
        letter = msgspec.msgpack.decode(_letters.decode(frame)[0], type=str)
    except (msgspec.DecodeError, RecursionError, ValueError, IndexError):
        return WireError(WireFault.MALFORMED, str(error))
    return WireError(WireFault.MALFORMED if letter in _KNOWN else WireFault.UNKNOWN_KIND, str(error))
