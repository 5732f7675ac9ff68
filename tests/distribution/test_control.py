"""What goes over DEALER and ROUTER."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.distribution.control import (
    Ack,
    Answer,
    Begin,
    Bye,
    Count,
    Counted,
    Counts,
    Credit,
    Current,
    Hello,
    Ping,
    Request,
    Retry,
    decode_answer,
    decode_request,
    encode_control,
)
from flagcore.distribution.wire import WireError, WireFault
from flagcore.snapshot.limits import Limits
from tests.profiles import cases

REQUESTS: list[Request] = [
    Hello(b"env-0001", 3, 7, b"h" * 32, 1, 1, b"c" * 16, "shop"),
    Ack(3, 7, 250, 1),
    Credit(4),
    Counts(1, b"c" * 16, 10, 20, 0, (Count("a", "on", "r", "TARGETING_MATCH", 5), Count("b", None, None, "ERROR", 1))),
    Bye(),
]
ANSWERS: list[Answer] = [Current(3, 7), Begin(3, 7, 12, 3_000_000), Retry(500, "busy"), Counted(1), Ping()]


@pytest.mark.parametrize("message", REQUESTS, ids=lambda message: type(message).__name__)
def test_requests_travel(message: Request):
    """What a client says is what the server reads, fields of later releases passed over."""
    frame = encode_control(message)
    assert decode_request(frame) == message
    assert decode_request(msgspec.msgpack.encode([*msgspec.msgpack.decode(frame), "later"])) == message


@pytest.mark.parametrize("message", ANSWERS, ids=lambda message: type(message).__name__)
def test_answers_travel(message: Answer):
    """What a server says is what the client reads, fields of later releases passed over."""
    frame = encode_control(message)
    assert decode_answer(frame) == message
    assert decode_answer(msgspec.msgpack.encode([*msgspec.msgpack.decode(frame), "later"])) == message


def test_letters_tell_all_messages_apart():
    """No two messages begin with one letter, in either direction."""
    letters = [msgspec.msgpack.decode(encode_control(message))[0] for message in (*REQUESTS, *ANSWERS)]
    assert len(set(letters)) == len(letters)


def test_messages_of_later_releases_are_told_apart():
    """A letter that is not known is passed over under a reason of its own; the other side's letters are malformed here."""
    for decode in (decode_request, decode_answer):
        with pytest.raises(WireError) as caught:
            decode(msgspec.msgpack.encode(["Z", 1, 2]))
        assert caught.value.reason is WireFault.UNKNOWN_KIND
    with pytest.raises(WireError) as caught:
        decode_request(encode_control(Ping()))
    assert caught.value.reason is WireFault.MALFORMED


MALFORMED = [
    b"",
    b"\xc1",
    b"\x90",
    b"\x91" * 60_000,
    b"\xdd\xff\xff\xff\xff",
    msgspec.msgpack.encode(["H"]),
    msgspec.msgpack.encode(["H", b"short", 3, 7, b"h" * 32, 1, 1, b"c" * 16, ""]),
    msgspec.msgpack.encode(["H", b"env-0001", -3, 7, b"h" * 32, 1, 1, b"c" * 16, ""]),
    msgspec.msgpack.encode(["H", b"env-0001", 3, 7, b"h" * 31, 1, 1, b"c" * 16, ""]),
    msgspec.msgpack.encode(["H", b"env-0001", 3, 7, b"h" * 32, 1, 1, b"", ""]),
    msgspec.msgpack.encode(["H", b"env-0001", 3, 7, b"h" * 32, 1, 1, b"c" * 16, "x" * 257]),
    msgspec.msgpack.encode(["C", 0]),
    msgspec.msgpack.encode(["C", 2**40]),
    msgspec.msgpack.encode(["A", 3, 2**63, 1]),
    msgspec.msgpack.encode(["N", 1, b"c" * 16, 1, 2, 0, [["a", "on", "r", "SPLIT", -1]]]),
    msgspec.msgpack.encode({"tag": "H"}),
]


@pytest.mark.parametrize("frame", MALFORMED)
def test_malformed_requests_are_refused(frame: bytes):
    """Wrong types, values out of range and hostile bytes give a WireError that says so."""
    with pytest.raises(WireError) as caught:
        decode_request(frame)
    assert caught.value.reason is WireFault.MALFORMED


def test_the_limit_holds_to_the_byte():
    """A message as large as allowed is read, one byte more is refused unread."""
    frame = encode_control(REQUESTS[0])
    assert decode_request(frame, Limits(control=len(frame))) == REQUESTS[0]
    for decode in (decode_request, decode_answer):
        with pytest.raises(WireError) as caught:
            decode(frame, Limits(control=len(frame) - 1))
        assert caught.value.reason is WireFault.TOO_LARGE


@settings(max_examples=cases(500))
@given(
    st.binary(max_size=100)
    | st.recursive(
        st.none()
        | st.integers(-(2**63), 2**63)
        | st.text(max_size=3)
        | st.binary(max_size=33)
        | st.sampled_from("HACNYcbrnp"),
        lambda inner: st.lists(inner, max_size=9),
    ).map(msgspec.msgpack.encode)
)
def test_any_bytes_give_a_message_or_the_one_error(frame: bytes):
    """No frame raises anything but WireError."""
    for decode in (decode_request, decode_answer):
        try:
            decode(frame)
        except WireError:
            continue


@settings(max_examples=cases(300))
@given(st.sampled_from([*REQUESTS, *ANSWERS]), st.data())
def test_mutated_messages_give_a_message_or_the_one_error(message: Request | Answer, data: st.DataObject):
    """Changed bytes of a sound message raise nothing but WireError."""
    frame = bytearray(encode_control(message))
    for _ in range(data.draw(st.integers(1, 3))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    for decode in (decode_request, decode_answer):
        try:
            decode(bytes(frame))
        except WireError:
            continue
