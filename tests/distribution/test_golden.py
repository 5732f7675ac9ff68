"""G17: what one release wrote is read by every later one, and the same content is the same bytes (make_golden.py)."""

from __future__ import annotations

import io

import msgspec
import pytest

from flagcore.distribution import control, wire
from flagcore.distribution.bootstrap import check_bootstrap
from flagcore.distribution.keys import SdkKey, load_keyring
from flagcore.distribution.last_good import decode_saved
from flagcore.distribution.rotation import decode_rotation
from flagcore.distribution.wire import Kind, Message, WireError, WireFault
from flagcore.engine import Engine
from flagcore.snapshot.chunks import Assembly
from flagcore.snapshot.delta import Delta, Object, applied, decode_delta, decode_notice, diff, encode_delta, notice_of
from flagcore.snapshot.signature import VerifyKeys
from flagcore.snapshot.state_hash import StateHash
from tests.distribution import make_golden as golden
from tests.support.engines import boolean, snapshot_of

KEYS = VerifyKeys([golden.SIGNER.public])


def content(name: str) -> bytes:
    """Return a golden file."""
    return (golden.FOLDER / name).read_bytes()


def read(name: str) -> Message:
    """Return a golden message, checked as a client does."""
    frames = msgspec.msgpack.decode(content(f"{name}.message"), type=list[bytes])
    return wire.parse(frames, KEYS, golden.ENVIRONMENT)


def test_every_file_has_its_maker():
    """No golden file is forgotten: what is there is what the script makes."""
    assert {path.name for path in golden.FOLDER.iterdir()} == set(golden.files())


ONLY_READ = {"delta-without-urgency.raw", "delta.message"}  # of an older writer; compressed, and zstd promises no bytes


@pytest.mark.parametrize("name", sorted(set(golden.files()) - ONLY_READ))
def test_bytes_are_kept(name: str):
    """The same content gives the bytes that it gave when the file was written."""
    assert golden.files()[name]() == content(name)


def test_messages_are_read():
    """Every kind of message is read, and says what it said."""
    assert applied(golden.BEFORE, decode_delta(read("delta").raw())) == golden.AFTER
    assert decode_notice(read("notice").raw()) == notice_of(golden.DELTA)
    assert decode_rotation(read("rotation").raw()) == (golden.SIGNER.public, golden.NEXT.public)
    assert control.decode_answer(read("error").raw()) == golden.CONTROL["retry"]
    for name, kind in (("bookmark", Kind.BOOKMARK), ("closed", Kind.CLOSED)):
        message = read(name)
        assert (message.kind, message.raw()) == (kind, b"")
        assert message.header.state_hash == StateHash.of(golden.AFTER).value
        assert (message.header.commit_time_us, message.header.ring_floor) == (1_700_000_000_123_456, 5)
    assembly = Assembly()
    for index in range(read("chunk-0").header.chunk_count):
        assembly.add(read(f"chunk-{index}").raw())
    assert assembly.finish(3, 9) == golden.LARGE


@pytest.mark.parametrize("name", golden.CONTROL)
def test_control_messages_are_read(name: str):
    """What goes over DEALER and ROUTER is read as it was written."""
    said = golden.CONTROL[name]
    decode = control.decode_request if isinstance(said, control.Request) else control.decode_answer
    assert decode(content(f"{name}.control")) == said


def test_files_are_read(tmp_path):
    """Bootstrap, last known good, SDK key and keyring are read as they were written."""
    saved = decode_saved(io.BytesIO(content("last-good.fcl")), len(content("last-good.fcl")), golden.ENVIRONMENT, KEYS)
    assert saved.snapshot == check_bootstrap(content("bootstrap.fcs"), golden.ENVIRONMENT, KEYS) == golden.AFTER
    assert saved.is_whole()
    assert SdkKey.parse(content("sdk-key.txt").decode()) == golden.KEY
    path = tmp_path / "keyring.json"
    path.write_bytes(content("keyring.json"))
    path.chmod(0o600)
    assert load_keyring(str(path)) == golden.KEYRING
    assert content("state-hash.hex").decode().strip() == StateHash.of(golden.AFTER).value.hex()


def test_writers_that_knew_less_are_read():
    """A delta without the fields that were appended later has their defaults."""
    assert decode_delta(content("delta-without-urgency.raw")) == golden.SHORT


# -- newer writers -----------------------------------------------------------------------------------------------------


def later(fields: list, *path: int) -> list:
    """Return msgpack fields with one more appended: to the whole, or to the field at a path."""
    if not path:
        return [*fields, {"of": "the future"}]
    return [later(field, *path[1:]) if index == path[0] else field for index, field in enumerate(fields)]


@pytest.mark.parametrize("name", golden.CONTROL)
def test_control_messages_of_newer_writers_are_read(name: str):
    """Fields that a later release appends are passed over."""
    said = golden.CONTROL[name]
    decode = control.decode_request if isinstance(said, control.Request) else control.decode_answer
    assert decode(msgspec.msgpack.encode(later(msgspec.msgpack.decode(content(f"{name}.control"))))) == said


@pytest.mark.parametrize("path", [(), (3, 0)])
def test_deltas_of_newer_writers_are_read(path: tuple[int, ...]):
    """Fields that a later release appends to a delta or to an object are passed over."""
    fields = msgspec.msgpack.decode(content("delta.raw"))
    assert decode_delta(msgspec.msgpack.encode(later(fields, *path))) == golden.DELTA


def test_unknown_kinds_of_messages_are_passed_over():
    """A kind of message that a later release sends is told apart from damage, signed or not."""
    frames = msgspec.msgpack.decode(content("bookmark.message"), type=list[bytes])
    with pytest.raises(WireError) as caught:
        wire.parse([frames[0][:-1] + b"Q", *frames[1:]], KEYS, golden.ENVIRONMENT)
    assert caught.value.reason is WireFault.UNKNOWN_KIND


def test_unknown_kinds_of_objects_keep_the_state_hash():
    """An older reader that holds objects of a kind that it does not know has the publisher's state hash, and serves the rest."""
    delta = Delta(3, 8, 9, (Object("z/of the future", 9, b"changed"), Object("y/new", 9, b"1")), ())
    hash_after = StateHash.of(golden.AFTER).after(golden.AFTER, delta)
    after = applied(golden.AFTER, delta)
    assert after.programs == golden.AFTER.programs
    assert hash_after == StateHash.of(after)


def test_programs_of_newer_kernels_degrade_their_flag_only():
    """An object whose min_reader is above ours is refused by itself: that flag keeps its version, all others change."""
    before = snapshot_of({"a": boolean("x == 1"), "b": boolean("x == 1")}, revision=1)
    newer = snapshot_of({"a": boolean("x == 2"), "b": boolean("x == 2")}, revision=2)
    program = bytearray(newer.programs["a"])
    program[6:8] = (99).to_bytes(2, "little")
    delta = diff(before, msgspec.structs.replace(newer, programs={**newer.programs, "a": bytes(program)}))
    assert {upsert.id: upsert.min_reader for upsert in delta.upserts if upsert.id.startswith("p/")} == {
        "p/a": 99,
        "p/b": 1,
    }
    engine = Engine()
    engine.load(before)
    engine.load(applied(before, decode_delta(encode_delta(delta))))
    assert set(engine.degraded) == {"a"}
    assert engine.get_boolean_value("a", False, {"x": 1}) is True
    assert engine.get_boolean_value("b", False, {"x": 1}) is False
    assert engine.get_boolean_value("b", False, {"x": 2}) is True
