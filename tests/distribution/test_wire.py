"""The frames of FCP/1: made, checked, read, and refused."""

from __future__ import annotations

import os
from hashlib import sha256

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.distribution import wire
from flagcore.distribution.wire import WELCOME, Header, Kind, Message, WireError, WireFault, encode, parse
from flagcore.snapshot.delta import Delta, Object, decode_delta
from flagcore.snapshot.limits import DEFAULT_LIMITS, Limits
from flagcore.snapshot.signature import SigningKey, VerifyKeys
from tests.distribution.making import ENVIRONMENT, KEYS, SIGNER, delta_message, head
from tests.profiles import cases

DELTA = Delta(4, 6, 7, (Object("p/checkout.new", 1, head(1, b"program bytes " * 20)),), ("p/old",), urgent=True)


def header(kind: Kind = Kind.BOOKMARK, **fields: object) -> Header:
    """Return a header of this environment."""
    values: dict = {"epoch": 4, "revision": 7, "environment_id": ENVIRONMENT, **fields}
    return Header(kind=kind, **values)


def resigned(frames: list[bytes], signer: SigningKey = SIGNER) -> list[bytes]:
    """Return the frames with a right signature over whatever they say."""
    return [*frames[:3], signer.sign(b"flagcore/fcp1\0" + frames[0] + frames[1]), *frames[4:]]


def with_body(kind: Kind, body: bytes, **fields: object) -> list[bytes]:
    """Return a signed message whose header says of its body whatever the fields say."""
    values = {"encoding": 0, "raw_length": len(body), "body_sha256": sha256(body).digest(), "key_id": SIGNER.key_id}
    second = msgspec.msgpack.encode(header(kind, **values | fields))
    return resigned([wire.topic(ENVIRONMENT, kind), second, body, b""])


def fault_of(frames: list[bytes], limits: Limits = DEFAULT_LIMITS, keys: VerifyKeys | None = KEYS) -> WireFault:
    """Return why the frames are refused, by parse or by raw."""
    with pytest.raises(WireError) as caught:
        parse(frames, keys, ENVIRONMENT, limits).raw()
    return caught.value.reason


# -- what is sound -----------------------------------------------------------------------------------------------------


def test_a_delta_travels():
    """What was encoded is parsed: header, body, and the very frames for who hands them on."""
    frames = delta_message(DELTA, state_hash=b"s" * 32)
    message = parse(frames, KEYS, ENVIRONMENT)
    assert decode_delta(message.raw()) == DELTA
    assert message.frames == tuple(frames)
    assert (message.kind, message.header.base, message.header.revision) == (Kind.DELTA, 6, 7)
    assert (message.header.state_hash, message.header.key_id) == (b"s" * 32, SIGNER.key_id)
    assert len(frames[1]) < 200


@settings(max_examples=cases(200))
@given(
    st.sampled_from([Kind.DELTA, Kind.SNAPSHOT, Kind.ERROR]),
    st.binary(max_size=600) | st.binary().map(lambda b: b * 300),
)
def test_any_body_travels(kind: Kind, body: bytes):
    """Every body comes back as it was, compressed or not, and never grows."""
    body = body[:60_000]
    frames = encode(header(kind, chunk_count=1), body, SIGNER)
    assert len(frames[2]) <= len(body)
    assert parse(frames, KEYS, ENVIRONMENT).raw() == body


def test_two_publishers_make_the_same_bytes():
    """Frames depend on their content only, so that relays and second publishers can be told apart from nothing."""
    assert delta_message(DELTA) == delta_message(DELTA)


def test_compression_is_used_where_it_gains():
    """Bodies that repeat themselves are compressed, random and tiny ones are not."""
    assert parse(encode(header(), b"ab" * 1000, SIGNER), KEYS, ENVIRONMENT).header.encoding == 1
    for body in (b"", b"a" * 127, os.urandom(1000)):
        assert parse(encode(header(), body, SIGNER), KEYS, ENVIRONMENT).header.encoding == 0


def test_without_keys_signatures_are_not_looked_at():
    """A client of an open, local server checks everything but the signature."""
    frames = delta_message(DELTA)
    frames[3] = bytes(64)
    assert parse(frames, None, ENVIRONMENT).header.revision == 7
    assert fault_of(frames) is WireFault.SIGNATURE
    assert fault_of([*frames[:2], b"x", frames[3]], keys=None) is WireFault.BODY_HASH


def test_the_welcome_proves_nothing():
    """W is one static frame under no environment; as a message of four frames it is refused."""
    assert wire.is_welcome([WELCOME])
    assert b"F1" + bytes(8) + b"W" == WELCOME
    assert not wire.is_welcome(delta_message(DELTA))
    assert not wire.is_welcome([])
    assert fault_of([WELCOME]) is WireFault.FRAMES
    assert fault_of([WELCOME, b"", b"", bytes(64)]) is WireFault.ENVIRONMENT


def test_topics_are_found_by_their_prefix():
    """One subscription per environment gets all its kinds, and no other environment's."""
    assert all(wire.topic(ENVIRONMENT, kind).startswith(wire.prefix(ENVIRONMENT)) for kind in Kind)
    assert not wire.topic(b"env-0002", Kind.DELTA).startswith(wire.prefix(ENVIRONMENT))
    with pytest.raises(ValueError, match="8 bytes"):
        encode(header(environment_id=b"short"), b"", SIGNER)


# -- other releases ----------------------------------------------------------------------------------------------------


def test_frames_and_fields_of_later_releases_are_ignored():
    """A fifth frame, and fields that are appended to the header, disturb nothing."""
    frames = delta_message(DELTA)
    fields = msgspec.msgpack.decode(frames[1])
    frames[1] = msgspec.msgpack.encode([*fields, "later", {"a": 1}])
    message = parse([*resigned(frames), b"later"], KEYS, ENVIRONMENT)
    assert decode_delta(message.raw()) == DELTA


def test_kinds_protocols_and_encodings_of_later_releases_are_told_apart():
    """What a later release says is refused under a reason of its own, before its content matters."""
    frames = delta_message(DELTA)
    assert fault_of([frames[0][:-1] + b"Z", *frames[1:]]) is WireFault.UNKNOWN_KIND
    assert fault_of(with_body(Kind.BOOKMARK, b"", proto=2)) is WireFault.PROTO
    assert fault_of(with_body(Kind.BOOKMARK, b"", encoding=2)) is WireFault.ENCODING


# -- what is hostile ---------------------------------------------------------------------------------------------------


def test_every_flipped_bit_of_a_delta_is_refused():
    """G9: not one bit of any frame of a recorded delta can change."""
    frames = delta_message(DELTA)
    for index, frame in enumerate(frames):
        for bit in range(len(frame) * 8):
            changed = bytearray(frame)
            changed[bit // 8] ^= 1 << bit % 8
            with pytest.raises(WireError):
                parse([*frames[:index], bytes(changed), *frames[index + 1 :]], KEYS, ENVIRONMENT)


def test_cut_messages_are_refused():
    """A message of fewer frames, or with any frame cut anywhere, is refused."""
    frames = delta_message(DELTA)
    for count in range(4):
        assert fault_of(frames[:count]) is WireFault.FRAMES
    for index, frame in enumerate(frames):
        for length in range(len(frame)):
            with pytest.raises(WireError):
                parse([*frames[:index], frame[:length], *frames[index + 1 :]], KEYS, ENVIRONMENT)


def test_replays_into_another_environment_are_refused():
    """What was signed for one environment is refused in another, also under that one's topic."""
    frames = delta_message(DELTA, environment_id=b"env-0002")
    assert fault_of(frames) is WireFault.ENVIRONMENT
    assert fault_of([wire.topic(ENVIRONMENT, Kind.DELTA), *frames[1:]]) is WireFault.SIGNATURE
    assert fault_of(resigned([wire.topic(ENVIRONMENT, Kind.DELTA), *frames[1:]])) is WireFault.HEADER


def test_a_message_cannot_change_its_kind():
    """A signed header is no header of another kind."""
    frames = delta_message(DELTA)
    assert fault_of([wire.topic(ENVIRONMENT, Kind.NOTICE), *frames[1:]]) is WireFault.SIGNATURE
    assert fault_of(resigned([wire.topic(ENVIRONMENT, Kind.NOTICE), *frames[1:]])) is WireFault.HEADER


def test_foreign_and_swapped_signatures_are_refused():
    """Only the keys that count sign; a header that names another key than the one that signed it is refused."""
    foreign = SigningKey(b"f" * 32)
    assert fault_of(resigned(delta_message(DELTA), foreign)) is WireFault.SIGNATURE
    both = VerifyKeys([SIGNER.public, foreign.public])
    assert fault_of(resigned(delta_message(DELTA), foreign), keys=both) is WireFault.HEADER


def test_bodies_cannot_be_exchanged():
    """The body of one message under the header of another is refused."""
    other = delta_message(Delta(4, 6, 7, (), ()))
    frames = delta_message(DELTA)
    assert fault_of([frames[0], frames[1], other[2], frames[3]]) is WireFault.BODY_HASH


FIELDS = [
    {"epoch": -1},
    {"revision": 2**63},
    {"body_sha256": b"short"},
    {"state_hash": b""},
    {"key_id": SIGNER.key_id + 1},
    {"environment_id": b"env-0002"},
    {"kind": Kind.DELTA},
]


@pytest.mark.parametrize("fields", FIELDS, ids=str)
def test_wrong_fields_are_refused(fields: dict[str, object]):
    """Values out of range, of another environment, kind or key are refused even under a right signature."""
    frames = encode(header(), b"", SIGNER)
    values = msgspec.structs.asdict(parse(frames, KEYS, ENVIRONMENT).header) | fields
    frames[1] = msgspec.msgpack.encode(list(values.values()))
    assert fault_of(resigned(frames)) is WireFault.HEADER


@pytest.mark.parametrize("second", [b"", b"\xc1", b"\x01", b"\x91" * 400, b"\xdd\xff\xff\xff\xff", b"\x90"])
def test_headers_that_are_none_are_refused(second: bytes):
    """Malformed headers under a right signature are refused."""
    assert fault_of(resigned([wire.topic(ENVIRONMENT, Kind.BOOKMARK), second, b"", b""])) is WireFault.HEADER


def test_chunks_have_a_place_among_their_own():
    """The index of a chunk lies below their count."""
    assert parse(encode(header(Kind.SNAPSHOT, chunk_index=1, chunk_count=2), b"", SIGNER), KEYS, ENVIRONMENT)
    for index, count in ((0, 0), (2, 2)):
        frames = encode(header(Kind.SNAPSHOT, chunk_index=index, chunk_count=count), b"", SIGNER)
        assert fault_of(frames) is WireFault.HEADER


# -- sizes -------------------------------------------------------------------------------------------------------------

LIMITED = [(Kind.DELTA, "delta"), (Kind.NOTICE, "delta"), (Kind.SNAPSHOT, "chunk"), (Kind.BOOKMARK, "control")]


@pytest.mark.parametrize(("kind", "field"), LIMITED)
def test_limits_of_bodies_hold_to_the_byte(kind: Kind, field: str):
    """A body as large as its kind allows is taken, one byte more refused, as it comes and as it says that it will be."""
    for body in (os.urandom(3000), b"a" * 3000):
        frames = encode(header(kind, chunk_count=1), body, SIGNER)
        assert parse(frames, KEYS, ENVIRONMENT, Limits(**{field: 3000})).raw() == body
        assert fault_of(frames, Limits(**{field: 2999})) is WireFault.TOO_LARGE


def test_the_limit_of_headers_holds_to_the_byte():
    """A header of 512 bytes is read, one of 513 is not even verified."""
    fields = msgspec.msgpack.decode(encode(header(), b"", SIGNER)[1])
    short = len(msgspec.msgpack.encode([*fields, bytes(256)])) - 256
    for length, taken in ((512, True), (513, False)):
        frames = encode(header(), b"", SIGNER)
        frames[1] = msgspec.msgpack.encode([*fields, bytes(length - short)])
        assert len(frames[1]) == length
        if taken:
            assert parse(resigned(frames), KEYS, ENVIRONMENT).header.revision == 7
        else:
            assert fault_of(resigned(frames)) is WireFault.TOO_LARGE


BOMB = zstandard.ZstdCompressor(level=19).compress(bytes(64 << 20))
UNSIZED = zstandard.ZstdCompressor(write_content_size=False).compress(b"a" * 1000)


@pytest.mark.parametrize(
    ("body", "raw_length", "fault"),
    [
        (BOMB, 64 << 20, WireFault.TOO_LARGE),
        (BOMB, 1000, WireFault.ENCODING),
        (UNSIZED, 1000, WireFault.ENCODING),
        (zstandard.compress(b"a" * 1000), 999, WireFault.ENCODING),
        (zstandard.compress(b"a" * 1000), 1001, WireFault.ENCODING),
        (zstandard.compress(b"a" * 1000)[:-1], 1000, WireFault.ENCODING),
        (zstandard.compress(b"a" * 1000) + b"more", 1000, WireFault.ENCODING),
        (zstandard.compress(b"a" * 1000) * 2, 1000, WireFault.ENCODING),
        (b"no frame at all", 1000, WireFault.ENCODING),
        (b"", 0, WireFault.ENCODING),
        (b"\x28\xb5\x2f\xfd\xe0" + (1000).to_bytes(8, "little"), 1000, WireFault.ENCODING),  # a frame without blocks
        (b"\x28\xb5\x2f\xfd\x80\xff" + (1000).to_bytes(4, "little"), 1000, WireFault.ENCODING),  # a window of terabytes
    ],
)
def test_bombs_are_not_opened(body: bytes, raw_length: int, fault: WireFault):
    """A compressed body whose size lies, is missing or is too large, or that is cut or padded, is refused unopened."""
    assert fault_of(with_body(Kind.DELTA, body, encoding=1, raw_length=raw_length)) is fault


def test_a_frame_that_holds_more_than_it_says_is_refused():
    """A frame whose own size was changed to what the header says is found out while it is read, within that size."""
    body = bytearray(zstandard.ZstdCompressor().compress(b"a" * 100_000))
    assert zstandard.get_frame_parameters(bytes(body)).content_size == 100_000
    place = bytes(body).index((100_000).to_bytes(4, "little"))
    body[place : place + 4] = (1000).to_bytes(4, "little")
    assert fault_of(with_body(Kind.DELTA, bytes(body), encoding=1, raw_length=1000)) is WireFault.ENCODING


@settings(max_examples=cases(300))
@given(st.binary(max_size=80))
def test_any_compressed_body_gives_bytes_or_the_one_error(body: bytes):
    """Whatever follows zstd's magic number, opening gives the announced length or a WireError."""
    frames = with_body(Kind.DELTA, b"\x28\xb5\x2f\xfd" + body, encoding=1, raw_length=100)
    try:
        raw = parse(frames, KEYS, ENVIRONMENT).raw()
    except WireError:
        return
    assert len(raw) == 100


@settings(max_examples=cases(300))
@given(st.lists(st.binary(max_size=100) | st.sampled_from(delta_message(DELTA)), max_size=6), st.booleans())
def test_any_frames_give_a_message_or_the_one_error(frames: list[bytes], checked: bool):
    """No frames raise anything but WireError, with or without keys."""
    try:
        found = parse(frames, KEYS if checked else None, ENVIRONMENT)
    except WireError:
        return
    assert isinstance(found, Message)
