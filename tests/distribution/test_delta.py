"""Deltas and notices: what changes between two revisions."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.errors import SnapshotError
from flagcore.snapshot.codec import decode_snapshot, encode_snapshot
from flagcore.snapshot.delta import (
    Delta,
    Notice,
    Object,
    applied,
    decode_delta,
    decode_notice,
    diff,
    encode_delta,
    encode_notice,
    notice_of,
)
from flagcore.snapshot.limits import Limits
from flagcore.snapshot.objects import Snapshot
from tests.distribution.making import head, snapshots
from tests.profiles import cases

BEFORE = Snapshot(3, 7, {"a": head(1), "b": b""}, {"vip": b"set"}, {"a": b"debug"}, {"q/x": b"?"})


@settings(max_examples=cases(200))
@given(snapshots(revision=5), snapshots(revision=8))
def test_applying_a_difference_gives_the_later_snapshot(before: Snapshot, after: Snapshot):
    """Diff and applied are inverse, over the bytes too, and the earlier snapshot stays as it is."""
    copy = decode_snapshot(encode_snapshot(before))
    delta = diff(before, after)
    assert applied(before, decode_delta(encode_delta(delta))) == after
    assert before == copy


def test_a_difference_holds_what_changed_and_no_more():
    """Only changed objects travel, in the order of their ids, each with the lowest kernel format that reads it."""
    after = Snapshot(3, 9, {"a": head(2), "c": b"new"}, {"vip": b"set"}, {}, {"q/x": b"!"})
    delta = diff(BEFORE, after, urgent=True)
    assert delta == Delta(
        3,
        7,
        9,
        (Object("p/a", 2, head(2)), Object("p/c", 0, b"new"), Object("q/x", 0, b"!")),
        ("d/a", "p/b"),
        urgent=True,
    )


def test_parts_that_do_not_change_are_equal_and_those_before_stay():
    """Applying makes new dictionaries: whoever reads the old snapshot goes on reading it."""
    after = applied(BEFORE, Delta(3, 7, 8, (Object("p/b", 0, b"on"),), ()))
    assert after.programs is not BEFORE.programs
    assert (BEFORE.programs["b"], after.programs["b"]) == (b"", b"on")


@pytest.mark.parametrize(("epoch", "base"), [(3, 6), (3, 8), (2, 7), (4, 7)])
def test_a_delta_of_another_base_is_refused(epoch: int, base: int):
    """A delta is applied to the revision and epoch that it names, or not at all."""
    with pytest.raises(SnapshotError, match="does not fit"):
        applied(BEFORE, Delta(epoch, base, base + 1, (), ()))


@pytest.mark.parametrize(("epoch", "revision"), [(3, 7), (3, 6), (4, 8)])
def test_differences_lead_forwards(epoch: int, revision: int):
    """There is no delta to an earlier revision or another epoch."""
    with pytest.raises(ValueError, match="later"):
        diff(BEFORE, Snapshot(epoch, revision, {}))


def test_deleting_what_is_not_there_is_no_error():
    """A delete of an object that is gone already changes nothing."""
    assert applied(BEFORE, Delta(3, 7, 8, (), ("p/none", "q/none"))).programs == BEFORE.programs


MALFORMED = [
    b"",
    b"\xc1",
    b"\x96",
    b"\x91" * 100_000,
    b"\xdd\xff\xff\xff\xff",
    msgspec.msgpack.encode([1, 2, 2, [], []]),
    msgspec.msgpack.encode([1, 2, 1, [], []]),
    msgspec.msgpack.encode([1, -1, 1, [], []]),
    msgspec.msgpack.encode([2**63, 1, 2, [], []]),
    msgspec.msgpack.encode([1, 1, 2, [["p", 0, b""]], []]),
    msgspec.msgpack.encode([1, 1, 2, [["", 0, b""]], []]),
    msgspec.msgpack.encode([1, 1, 2, [["p/" + "x" * 5000, 0, b""]], []]),
    msgspec.msgpack.encode([1, 1, 2, [["p/x", 65536, b""]], []]),
    msgspec.msgpack.encode([1, 1, 2, [["p/x", 0, b""], ["p/x", 0, b""]], []]),
    msgspec.msgpack.encode([1, 1, 2, [["p/x", 0, b""]], ["p/x"]]),
    msgspec.msgpack.encode([1, 1, 2, [], ["p/x", "p/x"]]),
    msgspec.msgpack.encode([1, 1, 2, [["p/x", 0, "text"]], []]),
    msgspec.msgpack.encode({"epoch": 1}),
]


@pytest.mark.parametrize("content", MALFORMED)
def test_malformed_deltas_are_refused(content: bytes):
    """Malformed, contradictory and hostile bytes give a SnapshotError."""
    with pytest.raises(SnapshotError):
        decode_delta(content)


@settings(max_examples=cases(300))
@given(st.binary(max_size=200))
def test_any_bytes_give_a_delta_or_the_one_error(content: bytes):
    """No bytes raise anything else."""
    for decode in (decode_delta, decode_notice):
        try:
            decode(content)
        except SnapshotError:
            continue


def test_limits_of_a_delta_hold_to_the_byte():
    """What is as large as allowed is taken, one byte more is refused: the delta, a program, a value set."""
    delta = Delta(1, 1, 2, (Object("p/a", 0, bytes(100)), Object("v/s", 0, bytes(200))), ())
    content = encode_delta(delta)
    exact = Limits(delta=len(content), program=100, value_set=200)
    assert decode_delta(content, exact) == delta
    for field in ("delta", "program", "value_set"):
        smaller = msgspec.structs.replace(exact, **{field: getattr(exact, field) - 1})
        with pytest.raises(SnapshotError, match="allowed"):
            decode_delta(content, smaller)


def test_fields_of_later_releases_are_passed_over():
    """Appended fields of a delta, an object and a notice do not disturb this reader."""
    content = msgspec.msgpack.encode([1, 1, 2, [["p/a", 0, b"x", "later"]], ["p/b"], True, "later"])
    assert decode_delta(content) == Delta(1, 1, 2, (Object("p/a", 0, b"x"),), ("p/b",), urgent=True)
    assert decode_notice(msgspec.msgpack.encode([1, 1, 2, ["p/a"], [], False, "later"])) == Notice(1, 1, 2, ("p/a",))


def test_a_notice_names_what_a_delta_changes():
    """A notice carries ids, deletes and the urgency; when the ids alone are too many it asks for the whole snapshot."""
    delta = Delta(1, 1, 2, (Object("p/a", 1, bytes(1000)),), ("p/b",), urgent=True)
    notice = notice_of(delta)
    assert notice == Notice(1, 1, 2, ("p/a",), ("p/b",), urgent=True)
    assert decode_notice(encode_notice(notice)) == notice
    many = Delta(1, 1, 2, tuple(Object(f"p/{i}", 1, b"") for i in range(100)), ())
    assert notice_of(many, Limits(delta=100)) == Notice(1, 1, 2, None)


def test_unknown_kinds_are_carried_along():
    """Objects of kinds of a later release are kept by id, survive the bytes of a compiled file, and are changed by deltas."""
    assert decode_snapshot(encode_snapshot(BEFORE)) == BEFORE
    after = applied(BEFORE, Delta(3, 7, 8, (Object("z/y", 9, b"1"),), ("q/x",)))
    assert after.others == {"z/y": b"1"}
    assert after.programs == BEFORE.programs
