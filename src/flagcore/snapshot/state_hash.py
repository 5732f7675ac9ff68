"""The hash of a state, kept at the cost of what changes (docs/design/wire.md section 2).

    value = sum over all objects of SHA256(u32 length of the id, id, SHA256(content))  mod 2**256

Ids are UTF-8; the length is little-endian, and so is the sum's numbers. Two equal states have equal hashes whatever the
order in which they came about: it finds divergence. It proves no authenticity, for sums can be forged; signatures do.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from flagcore.snapshot.delta import Delta
from flagcore.snapshot.objects import Snapshot, content_of, objects_of

__all__ = ["STATE_HASH_BYTES", "StateHash"]

STATE_HASH_BYTES = 32
_MASK = (1 << 256) - 1


class StateHash:
    """A sum that is changed in place. About 2 us an object."""

    __slots__ = ("_sum",)

    def __init__(self, value: bytes = bytes(STATE_HASH_BYTES)) -> None:
        """Go on from a value that is known; the default is that of no objects."""
        if len(value) != STATE_HASH_BYTES:
            raise ValueError(f"a state hash has {STATE_HASH_BYTES} bytes, not {len(value)}")
        self._sum = int.from_bytes(value, "little")

    @classmethod
    def of(cls, snapshot: Snapshot) -> StateHash:
        """Return the hash of a whole snapshot."""
        state = cls()
        state.add(objects_of(snapshot))
        return state

    @property
    def value(self) -> bytes:
        """The hash, 32 bytes."""
        return self._sum.to_bytes(STATE_HASH_BYTES, "little")

    def add(self, objects: Iterable[tuple[str, bytes]]) -> None:
        """Count objects that were not there: id and content."""
        self._sum = (self._sum + sum(_term(object_id, content) for object_id, content in objects)) & _MASK

    def changed(self, object_id: str, before: bytes | None, after: bytes | None) -> None:
        """Count that an object came (before is None), went (after is None) or changed."""
        if before is not None:
            self._sum -= _term(object_id, before)
        if after is not None:
            self._sum += _term(object_id, after)
        self._sum &= _MASK

    def after(self, snapshot: Snapshot, delta: Delta) -> StateHash:
        """Return the hash that a snapshot with this one will have when the delta is applied; costs what the delta holds."""
        state = StateHash(self.value)
        for upsert in delta.upserts:
            state.changed(upsert.id, content_of(snapshot, upsert.id), upsert.content)
        for object_id in delta.deletes:
            state.changed(object_id, content_of(snapshot, object_id), None)
        return state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StateHash) and self._sum == other._sum

    __hash__ = None  # type: ignore[assignment] # changes in place

    def __repr__(self) -> str:
        return f"StateHash({self.value.hex()})"


def _term(object_id: str, content: bytes) -> int:
    name = object_id.encode()
    digest = sha256(len(name).to_bytes(4, "little") + name + sha256(content).digest()).digest()
    return int.from_bytes(digest, "little")
