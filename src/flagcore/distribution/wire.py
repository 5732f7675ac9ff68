r"""The frames of FCP/1 (docs/design/wire.md section 4): made, checked and read. No sockets.

    f0 topic      "F1" environment_id[8] kind[1]
    f1 header     msgpack array, <= 512 B: Header
    f2 body       bytes, may be empty, may be compressed
    f3 signature  Ed25519 over "flagcore/fcp1\0" f0 f1; the header holds the body's hash

Whatever comes from outside goes through ``parse`` and then ``Message.raw``: sizes are looked at first, then the signature, then the
header, then the body's hash, and a body is decompressed only when it says itself how large it will be, and that is what was signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from typing import Annotated

import msgspec

from flagcore.errors import FlagcoreError
from flagcore.snapshot.limits import DEFAULT_LIMITS, Limits
from flagcore.snapshot.signature import SIGNATURE_BYTES, SigningKey, VerifyKeys
from flagcore.snapshot.state_hash import STATE_HASH_BYTES

__all__ = [
    "ENVIRONMENT_BYTES",
    "LOCAL_ENVIRONMENT",
    "PROTO",
    "TOPIC_BYTES",
    "WELCOME",
    "Header",
    "Kind",
    "Message",
    "WireError",
    "WireFault",
    "encode",
    "is_welcome",
    "largest_body",
    "parse",
    "prefix",
    "read_header",
    "topic",
]

PROTO = 1
ENVIRONMENT_BYTES = 8
WELCOME = b"F1" + bytes(ENVIRONMENT_BYTES) + b"W"
"""The one frame that every new subscription gets: no state, no proof, it means "say HELLO"."""

LOCAL_ENVIRONMENT = b"local\0\0\0"
"""The one environment of a publisher without keys, on loopback and ipc."""

_MAGIC = b"F1"
TOPIC_BYTES = len(WELCOME)
_SIGNED = b"flagcore/fcp1\0"
_COMPRESSED_FROM = 1024  # bytes; what fits into one packet gains nothing, and costs each end some 20 us
_LEVEL = 3
_LARGEST_WINDOW = 8 << 20  # bytes; what RFC 8878 asks of every decoder


class Kind(StrEnum):
    """What a message is."""

    WELCOME = "W"
    DELTA = "D"
    BOOKMARK = "B"
    NOTICE = "N"
    SNAPSHOT = "S"
    ERROR = "E"
    ROTATION = "R"
    CLOSED = "X"


_KINDS = frozenset(Kind)


class WireFault(StrEnum):
    """Why a message was refused; what counters are named by."""

    FRAMES = "frames"  # too few, or a topic that is none of ours
    ENVIRONMENT = "environment"  # another one's
    UNKNOWN_KIND = "unknown_kind"  # of a later release: to be passed over
    TOO_LARGE = "too_large"
    SIGNATURE = "signature"
    HEADER = "header"
    PROTO = "proto"  # of a later protocol
    BODY_HASH = "body_hash"
    ENCODING = "encoding"  # of a later release, or a compressed body that is not what the header says
    MALFORMED = "malformed"  # a message of DEALER or ROUTER that cannot be read


class WireError(FlagcoreError):
    """A message that was refused; nothing of it may be used."""

    def __init__(self, reason: WireFault, detail: str = "") -> None:
        self.reason = reason
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)


U64 = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
U32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
EnvironmentId = Annotated[bytes, msgspec.Meta(min_length=ENVIRONMENT_BYTES, max_length=ENVIRONMENT_BYTES)]
Hash = Annotated[bytes, msgspec.Meta(min_length=STATE_HASH_BYTES, max_length=STATE_HASH_BYTES)]

RAW, ZSTD = 0, 1


class Header(msgspec.Struct, frozen=True, array_like=True, gc=False, kw_only=True):
    """What every message says of itself, under its signature. Fields are append-only."""

    proto: U32 = PROTO
    kind: Kind
    environment_id: EnvironmentId
    epoch: U64
    base: U64 = 0  # D, N: the revision before
    revision: U64
    commit_time_us: U64 = 0  # microseconds since 1970
    ring_floor: U64 = 0  # the oldest revision from which deltas can still be had
    encoding: U32 = RAW  # of the body; filled in by encode, as are the next two and key_id
    raw_length: U64 = 0  # bytes of the body when it is decompressed
    body_sha256: Hash = bytes(32)
    state_hash: Hash = bytes(STATE_HASH_BYTES)  # of everything at this revision
    min_reader: U32 = 0  # lowest kernel format that reads every object of the body; 0: any
    key_id: Annotated[int, msgspec.Meta(ge=0)] = 0
    chunk_index: U32 = 0  # S
    chunk_count: U32 = 0


class Message(msgspec.Struct, frozen=True):
    """A message that was checked; the frames as they came, so that relays and files can hand them on."""

    frames: tuple[bytes, bytes, bytes, bytes]
    header: Header
    limits: Limits = DEFAULT_LIMITS

    @property
    def kind(self) -> Kind:
        """What the message is."""
        return self.header.kind

    def raw(self) -> bytes:
        """Return the body as it was before compression, at most the limit of its kind.

        Raises:
            WireError: a compressed body that is no single frame of exactly the length that the header says.
        """
        body = self.frames[2]
        return body if self.header.encoding == RAW else _decompressed(body, self.header.raw_length)


_encoder = msgspec.msgpack.Encoder()
_headers = msgspec.msgpack.Decoder(Header)


# -- topics ------------------------------------------------------------------------------------------------------------


def prefix(environment_id: bytes) -> bytes:
    """Return what a client of an environment subscribes to."""
    return _MAGIC + environment_id


def topic(environment_id: bytes, kind: Kind) -> bytes:
    """Return the first frame of a message."""
    return _MAGIC + environment_id + kind.value.encode()


def is_welcome(frames: Sequence[bytes]) -> bool:
    """Return whether this is the welcome that every subscription gets."""
    return len(frames) >= 1 and frames[0] == WELCOME


# -- making ------------------------------------------------------------------------------------------------------------


def encode(header: Header, raw: bytes, signer: SigningKey) -> list[bytes]:
    """Return the frames of a message; compresses the body where that makes it smaller. The same arguments, the same bytes.

    Raises:
        ValueError: an environment id that has not 8 bytes.
    """
    if len(header.environment_id) != ENVIRONMENT_BYTES:
        raise ValueError(f"an environment id has {ENVIRONMENT_BYTES} bytes, not {len(header.environment_id)}")
    body = _compressed(raw)
    whole = msgspec.structs.replace(
        header,
        encoding=RAW if body is raw else ZSTD,
        raw_length=len(raw),
        body_sha256=sha256(body).digest(),
        key_id=signer.key_id,
    )
    first, second = topic(header.environment_id, header.kind), _encoder.encode(whole)
    return [first, second, body, signer.sign(_SIGNED + first + second)]


def _compressed(raw: bytes) -> bytes:
    if len(raw) < _COMPRESSED_FROM:
        return raw
    from zstandard import ZstdCompressor

    body = ZstdCompressor(level=_LEVEL, write_content_size=True).compress(raw)
    return body if len(body) < len(raw) else raw


# -- reading -----------------------------------------------------------------------------------------------------------


def parse(
    frames: Sequence[bytes], keys: VerifyKeys | None, environment_id: bytes, limits: Limits = DEFAULT_LIMITS
) -> Message:
    """Return the message of some frames after every check that needs no state; ``keys`` None: signatures are not looked at.

    Frames beyond the fourth, and header fields beyond those known, are of later releases and ignored. About 60 us.

    Raises:
        WireError: nothing of the message may be used.
    """
    if len(frames) < 4:
        raise WireError(WireFault.FRAMES, f"{len(frames)} of 4")
    first, second, body, signature = frames[:4]
    largest = largest_body(_kind_of(first, environment_id), limits)
    if len(body) > largest:
        raise WireError(WireFault.TOO_LARGE, f"body of {len(body)} bytes, {largest} are allowed")
    header = read_header(first, second, signature, keys, environment_id, limits)
    _check_body(header, body, limits)
    return Message((first, second, body, signature), header, limits)


def read_header(
    first: bytes,
    second: bytes,
    signature: bytes,
    keys: VerifyKeys | None,
    environment_id: bytes,
    limits: Limits = DEFAULT_LIMITS,
) -> Header:
    """Return what a message says of itself, its body left aside; checks and errors are those of ``parse``."""
    kind = _kind_of(first, environment_id)
    if len(second) > limits.header:
        raise WireError(WireFault.TOO_LARGE, f"header of {len(second)} bytes, {limits.header} are allowed")
    if len(signature) != SIGNATURE_BYTES:
        raise WireError(WireFault.SIGNATURE, f"{len(signature)} bytes")
    key_id = None if keys is None else keys.signer(_SIGNED + first + second, signature)
    if keys is not None and key_id is None:
        raise WireError(WireFault.SIGNATURE)
    header = _header_of(second)
    if (header.kind, header.environment_id) != (kind, environment_id) or key_id not in (None, header.key_id):
        raise WireError(WireFault.HEADER, "it contradicts its topic or its signature")
    return header


def _kind_of(first: bytes, environment_id: bytes) -> Kind:
    if len(first) != TOPIC_BYTES or first[:2] != _MAGIC:
        raise WireError(WireFault.FRAMES, "no topic of this protocol")
    if first[2:-1] != environment_id:
        raise WireError(WireFault.ENVIRONMENT)
    letter = first[-1:].decode("latin-1")
    if letter not in _KINDS:
        raise WireError(WireFault.UNKNOWN_KIND)
    return Kind(letter)


def largest_body(kind: Kind, limits: Limits) -> int:
    """Return how many bytes the body of a message may have, as it comes and raw."""
    if kind is Kind.SNAPSHOT:
        return limits.chunk
    return limits.delta if kind in (Kind.DELTA, Kind.NOTICE) else limits.control


def _header_of(second: bytes) -> Header:
    try:
        header = _headers.decode(second)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise WireError(WireFault.HEADER, str(error)) from None
    if header.proto != PROTO:
        raise WireError(WireFault.PROTO, f"{header.proto}; this release speaks {PROTO}")
    return header


def _check_body(header: Header, body: bytes, limits: Limits) -> None:
    if header.encoding not in (RAW, ZSTD):
        raise WireError(WireFault.ENCODING, f"unknown: {header.encoding}")
    if header.raw_length > largest_body(header.kind, limits):
        raise WireError(WireFault.TOO_LARGE, f"{header.raw_length} bytes raw")
    if sha256(body).digest() != header.body_sha256:
        raise WireError(WireFault.BODY_HASH)
    if header.encoding == RAW and len(body) != header.raw_length:
        raise WireError(WireFault.ENCODING, f"{len(body)} bytes, {header.raw_length} announced")
    if header.kind is Kind.SNAPSHOT and header.chunk_index >= header.chunk_count:
        raise WireError(WireFault.HEADER, f"chunk {header.chunk_index} of {header.chunk_count}")


def _decompressed(body: bytes, length: int) -> bytes:
    """Return the content of one frame; the frame's own word on its size decides whether it is opened at all."""
    from zstandard import ZstdDecompressor, ZstdError, get_frame_parameters

    try:
        parameters = get_frame_parameters(body)
        if parameters.content_size != length or parameters.window_size > _LARGEST_WINDOW or parameters.dict_id:
            raise WireError(WireFault.ENCODING, f"a frame of {parameters.content_size} bytes, {length} announced")
        raw = ZstdDecompressor(max_window_size=_LARGEST_WINDOW).decompress(body, allow_extra_data=False)
    except (ZstdError, MemoryError) as error:
        raise WireError(WireFault.ENCODING, str(error)) from None
    if len(raw) != length:
        raise WireError(WireFault.ENCODING, f"{len(raw)} bytes, {length} announced")
    return raw
