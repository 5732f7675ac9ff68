"""The state hash: equal for equal states, kept at the cost of what changes."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings

from flagcore.snapshot.delta import applied, diff
from flagcore.snapshot.objects import Snapshot
from flagcore.snapshot.state_hash import StateHash
from tests.distribution.making import snapshots
from tests.profiles import cases


def slow_hash(snapshot: Snapshot) -> bytes:
    """The definition (docs/design/wire.md section 2), a second time, from nothing."""
    objects = {f"p/{name}": content for name, content in snapshot.programs.items()}
    objects |= {f"v/{name}": content for name, content in snapshot.value_sets.items()}
    objects |= {f"d/{name}": content for name, content in snapshot.debug.items()}
    objects |= snapshot.others
    total = 0
    for identifier, content in objects.items():
        key = identifier.encode()
        inner = hashlib.sha256(content).digest()
        total += int.from_bytes(hashlib.sha256(len(key).to_bytes(4, "little") + key + inner).digest(), "little")
    return (total % 2**256).to_bytes(32, "little")


@settings(max_examples=cases(200))
@given(snapshots(revision=1), snapshots(revision=2), snapshots(revision=3))
def test_kept_and_recomputed_hashes_are_equal(first: Snapshot, second: Snapshot, third: Snapshot):
    """Along any history the hash kept over deltas is the hash of the state, as a slow second implementation says."""
    state = StateHash.of(first)
    assert state.value == slow_hash(first)
    for before, after in ((first, second), (second, third)):
        delta = diff(before, after)
        state = state.after(before, delta)
        assert state.value == slow_hash(applied(before, delta)) == StateHash.of(after).value


@settings(max_examples=cases(200))
@given(snapshots(revision=1), snapshots(revision=1))
def test_states_that_differ_have_other_hashes(one: Snapshot, two: Snapshot):
    """Two states have one hash exactly when they have the same objects."""
    assert (StateHash.of(one) == StateHash.of(two)) == (one == two)


def test_only_what_changes_is_read():
    """The cost is that of the change: the contents of other objects are not even looked at."""

    class Untouchable(bytes):
        def __buffer__(self, flags: int) -> memoryview:
            raise AssertionError("read")

        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        __hash__ = None

    before = Snapshot(1, 1, {"a": b"1", "b": Untouchable(b"2")})
    delta = diff(Snapshot(1, 1, {"a": b"1"}), Snapshot(1, 2, {"a": b"3"}))
    state = StateHash.of(Snapshot(1, 1, {"a": b"1", "b": b"2"}))
    assert state.after(before, delta).value == slow_hash(Snapshot(1, 2, {"a": b"3", "b": b"2"}))


def test_changes_one_by_one():
    """An object that comes, changes and goes leaves the hash of nothing; a known value can be gone on from."""
    state = StateHash()
    state.changed("p/a", None, b"1")
    assert StateHash(state.value) == state
    state.changed("p/a", b"1", b"2")
    assert state.value == slow_hash(Snapshot(1, 1, {"a": b"2"}))
    state.changed("p/a", b"2", None)
    assert state.value == bytes(32)


def test_a_known_value():
    """The bytes of one state never change between releases."""
    snapshot = Snapshot(1, 1, {"a": b"1"}, {"s": b"2"}, {"a": b"3"})
    assert StateHash.of(snapshot).value.hex() == "c87aa19e3a16840f2713c2c3d95c0714543fb5cf7deb6f6f9d64c18499d444d4"
