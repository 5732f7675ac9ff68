"""Every decoder under mutation: bytes that were sound, changed, cut, repeated, exchanged and blown up.

What reads them gives a value or its one documented error, and holds no more memory than its limits allow. Sound bytes are those of the
golden files, so that what was released is what is mutated.
"""

from __future__ import annotations

import io
import random
import tracemalloc
from collections import deque
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.distribution import control, wire
from flagcore.distribution.bootstrap import check_bootstrap
from flagcore.distribution.keys import SdkKey
from flagcore.distribution.last_good import decode_saved
from flagcore.distribution.rotation import decode_rotation
from flagcore.distribution.wire import Kind, WireError
from flagcore.errors import SettingsError, SnapshotError
from flagcore.snapshot.chunks import Assembly, Piece, cut
from flagcore.snapshot.delta import decode_delta, decode_notice
from flagcore.snapshot.limits import Limits
from flagcore.snapshot.signature import VerifyKeys
from tests.distribution import make_golden as golden
from tests.distribution.test_wire import resigned
from tests.profiles import NIGHTLY, cases

KEYS = VerifyKeys([golden.SIGNER.public])
MESSAGES = sorted(path.name for path in golden.FOLDER.glob("*.message"))
MIB = 1 << 20


def frames_of(name: str) -> list[bytes]:
    """Return the frames of a golden message."""
    return msgspec.msgpack.decode((golden.FOLDER / name).read_bytes(), type=list[bytes])


def assemble(content: bytes) -> object:
    """Read a chunk as the only one."""
    assembly = Assembly()
    assembly.add(content)
    return assembly.finish(1, 1)


def read_message(frames: list[bytes], keys: VerifyKeys | None = KEYS) -> object:
    """Read a message to its last byte."""
    return wire.parse(frames, keys, golden.ENVIRONMENT).raw()


def read_saved(content: bytes) -> object:
    """Read a last-known-good file, signed or not."""
    return decode_saved(io.BytesIO(content), len(content), golden.ENVIRONMENT, None)


def raw_of(name: str) -> bytes:
    """Return the raw body of a golden message."""
    return wire.parse(frames_of(name), KEYS, golden.ENVIRONMENT).raw()


READERS: dict[str, tuple[Callable[[bytes], object], bytes, type[Exception]]] = {
    "delta": (decode_delta, raw_of("delta.message"), SnapshotError),
    "notice": (decode_notice, raw_of("notice.message"), SnapshotError),
    "rotation": (decode_rotation, raw_of("rotation.message"), SnapshotError),
    "chunk": (assemble, next(cut(golden.AFTER)), SnapshotError),
    "last-good": (read_saved, (golden.FOLDER / "last-good.fcl").read_bytes(), SnapshotError),
    "bootstrap": (
        lambda content: check_bootstrap(content, golden.ENVIRONMENT, KEYS),
        (golden.FOLDER / "bootstrap.fcs").read_bytes(),
        SnapshotError,
    ),
    "sdk-key": (lambda content: SdkKey.parse(content.decode("latin-1")), golden.KEY.text.encode(), SettingsError),
    **{
        f"{type(said).__name__} as a {side}": (decode, control.encode_control(said), WireError)
        for said in golden.CONTROL.values()
        for side, decode in (("request", control.decode_request), ("answer", control.decode_answer))
    },
}


@st.composite
def mutated(draw: st.DrawFn, content: bytes) -> bytes:
    """Change, remove, repeat and insert bytes of a content."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(changed)))
        length = draw(st.integers(0, 8))
        match draw(st.sampled_from(["flip", "set", "cut", "repeat", "insert", "end"])):
            case "flip" if place < len(changed):
                changed[place] ^= 1 << draw(st.integers(0, 7))
            case "set" if place < len(changed):
                changed[place] = draw(st.sampled_from([0, 0x7F, 0x80, 0x90, 0xC0, 0xC1, 0xC6, 0xCF, 0xDD, 0xDF, 0xFF]))
            case "cut":
                del changed[place : place + length]
            case "repeat":
                changed[place:place] = changed[place : place + length]
            case "insert":
                changed[place:place] = draw(st.binary(max_size=8))
            case "end":
                del changed[place:]
    return bytes(changed)


@pytest.mark.parametrize("name", READERS)
def test_mutations_give_a_value_or_the_one_error(name: str):
    """No mutation makes a reader raise anything but its documented error."""
    reader, sound, expected = READERS[name]

    @settings(max_examples=cases(60))
    @given(mutated(sound))
    def attempt(content: bytes) -> None:
        try:
            reader(content)
        except expected:
            return

    attempt()


@pytest.mark.parametrize("name", MESSAGES)
def test_mutated_frames_are_refused(name: str):
    """A message of which any frame was mutated is refused, or is what it was."""
    frames = frames_of(name)
    sound = read_message(frames)

    @settings(max_examples=cases(60))
    @given(st.integers(0, 3), st.data())
    def attempt(index: int, data: st.DataObject) -> None:
        changed = [*frames]
        changed[index] = data.draw(mutated(frames[index]))
        try:
            assert read_message(changed) == sound
            assert changed == frames
        except WireError:
            return

    attempt()


@pytest.mark.parametrize("name", MESSAGES)
def test_mutated_headers_under_a_right_signature(name: str):
    """What a publisher with a bug would sign is refused with the one error, or means something that is within its limits."""
    frames = frames_of(name)

    @settings(max_examples=cases(60))
    @given(mutated(frames[1]))
    def attempt(header: bytes) -> None:
        try:
            assert len(read_message(resigned([frames[0], header, frames[2], b""], golden.SIGNER))) <= MIB
        except WireError:
            return

    attempt()


@pytest.mark.parametrize("name", MESSAGES)
def test_flipped_bits_of_every_message(name: str):
    """G9: every single bit of topic, header and signature, and samples of a body of many (nightly: every one), make a message refused."""
    frames = frames_of(name)
    source = random.Random(5)
    for index, frame in enumerate(frames):
        bits = range(len(frame) * 8)
        for bit in bits if len(bits) < 4000 or NIGHTLY else source.sample(bits, 400):
            changed = bytearray(frame)
            changed[bit // 8] ^= 1 << bit % 8
            with pytest.raises(WireError):
                read_message([*frames[:index], bytes(changed), *frames[index + 1 :]])


@pytest.mark.parametrize("name", MESSAGES)
def test_frames_of_one_message_fit_no_other(name: str):
    """Signed for one place and time: no frame of one message can stand in another."""
    frames = frames_of(name)
    for other in MESSAGES:
        for index, frame in enumerate(frames_of(other)):
            if frame != frames[index]:
                with pytest.raises(WireError):
                    read_message([*frames[:index], frame, *frames[index + 1 :]])


# -- bounds ------------------------------------------------------------------------------------------------------------


def peak_of(read: Callable[[], object], expected: type[Exception]) -> int:
    """Return the most bytes that were held while something was refused."""
    tracemalloc.start()
    try:
        with pytest.raises(expected):
            read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


HUGE = b"\xff\xff\xff\xf0"
ANNOUNCED = {
    "an array": b"\xdd" + HUGE,
    "a map": b"\xdf" + HUGE,
    "bytes": b"\xc6" + HUGE,
    "a text": b"\xdb" + HUGE,
    "a delta's upserts": b"\x95\x01\x01\x02\xdd" + HUGE,
    "an object": b"\x95\x01\x01\x02\x91\x93\xa3p/a\x00\xc6" + HUGE,
    "a piece": b"\x91\x95\xa3p/a\x00\x01\x00\xc6" + HUGE,
    "rows": b"\x97\xa1N\x01\xc4\x08cccccccc\x01\x02\x00\xdd" + HUGE,
    "nested": b"\xdd\x00\x01\x00\x00" * 50_000,
}


@pytest.mark.parametrize("content", ANNOUNCED.values(), ids=ANNOUNCED.keys())
def test_announced_lengths_allocate_nothing(content: bytes):
    """A length of gigabytes in a few bytes costs no memory before it is refused."""
    for read, error in (
        (decode_delta, SnapshotError),
        (decode_notice, SnapshotError),
        (assemble, SnapshotError),
        (decode_rotation, SnapshotError),
        (control.decode_request, WireError),
        (control.decode_answer, WireError),
    ):
        assert peak_of(lambda read=read: read(content), error) < MIB  # type: ignore[misc]


def bomb(raw_length: int, content_size: int | None = None) -> list[bytes]:
    """Return a signed delta whose body unpacks to 256 MiB, and whose header and frame say otherwise."""
    body = bytearray(zstandard.ZstdCompressor(level=3).compress(bytes(256 * MIB)))
    if content_size is not None:
        place = bytes(body).index((256 * MIB).to_bytes(4, "little"))
        body[place : place + 4] = content_size.to_bytes(4, "little")
    header = msgspec.structs.replace(
        wire.parse(frames_of("delta.message"), KEYS, golden.ENVIRONMENT).header,
        encoding=1,
        raw_length=raw_length,
        body_sha256=sha256(body).digest(),
    )
    topic = wire.topic(golden.ENVIRONMENT, Kind.DELTA)
    return resigned([topic, msgspec.msgpack.encode(header), bytes(body), b""], golden.SIGNER)


@pytest.mark.parametrize(
    ("raw_length", "content_size"), [(256 * MIB, None), (1000, None), (1000, 1000), (262_144, 262_144)]
)
def test_decompression_bombs_stay_within_the_limit(raw_length: int, content_size: int | None):
    """A body of 24 kB that unpacks to 256 MiB costs no more than the largest delta, whatever header and frame say of it."""
    frames = bomb(raw_length, content_size)
    assert len(frames[2]) < 100_000
    assert peak_of(lambda: read_message(frames), WireError) < MIB


def test_a_snapshot_of_nothing_but_names_ends():
    """Objects without content count by their names: a flood of them ends at the limit of a snapshot."""
    assembly = Assembly(Limits(snapshot=100_000))
    flood = (msgspec.msgpack.encode([Piece(f"p/{number}", 0, 0, 0, b"")]) for number in range(100_000))
    with pytest.raises(SnapshotError, match="allowed"):
        deque(map(assembly.add, flood), maxlen=0)
    assert len(assembly.objects()) < 20_000


def test_a_file_that_grows_while_it_is_read(tmp_path: Path):
    """A last-known-good file is read as long as it was at first, and refused when it is shorter by then."""
    content = (golden.FOLDER / "last-good.fcl").read_bytes()
    longer = io.BytesIO(content + b"more")
    assert decode_saved(longer, len(content), golden.ENVIRONMENT, KEYS).snapshot == golden.AFTER
    with pytest.raises(SnapshotError, match="cut"):
        decode_saved(io.BytesIO(content[:-5]), len(content), golden.ENVIRONMENT, KEYS)
