"""Snapshots as bytes, the content of a compiled file (``.fcs``), and debug information as bytes.

    0  8 bytes   "FLAGCORE"
    8  u32       format of this page: 2
   12  u32       lowest format that a reader must know: 1
   16  u64       length of the body
   24  32 bytes  SHA-256 of the body: proves that nothing was cut or changed by accident
   56  body      msgpack of Snapshot as an array; fields are appended, never changed; then, where it is signed, the proof:
                 topic, header and signature of a bookmark of this state (docs/design/wire.md section 6); the last one is
                 the index of blocks.py, by which part.py reads one flag without the rest

Numbers are little-endian. The same snapshot gives the same bytes, in whatever order its keys are. What a program or value set holds is
proved by the kernel's ``verify`` when it is loaded, not here.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TypeVar

import msgspec

from flagcore.errors import SnapshotError
from flagcore.snapshot.objects import DebugFlag, Snapshot

__all__ = [
    "FORMAT",
    "HEAD",
    "MAGIC",
    "SUFFIX",
    "Proof",
    "check_head",
    "decode_debug",
    "decode_proof",
    "decode_snapshot",
    "encode_debug",
    "encode_snapshot",
]

MAGIC = b"FLAGCORE"
FORMAT = 2
MIN_READER = 1
SUFFIX = ".fcs"

_HEAD = struct.Struct("<8sIIQ32s")
HEAD = _HEAD.size
"""Bytes before the body; of two sound compiled files with equal ones the bodies are equal."""

_ARRAY_OF_7, _ARRAY_OF_8 = b"\x97", b"\x98"  # in msgpack: the fields of Snapshot, a proof, and the index
_MAX_NUMBER = 2**63 - 1

Proof = tuple[bytes, bytes, bytes]
"""Topic, header and signature of a message whose state hash is that of the snapshot. Who reads it has to check it."""


class _SignedSnapshot(Snapshot, frozen=True, array_like=True, gc=False):
    """A snapshot with what stands behind it: the proof, or already the index."""

    proof: Proof | bytes | None = None


Decoded = TypeVar("Decoded", bound=Snapshot)
_encoder = msgspec.msgpack.Encoder()
_snapshots = msgspec.msgpack.Decoder(Snapshot)


@cache
def _signed() -> msgspec.msgpack.Decoder[_SignedSnapshot]:
    return msgspec.msgpack.Decoder(_SignedSnapshot)


@cache
def _debug_flags() -> msgspec.msgpack.Decoder[DebugFlag]:
    """Return what most processes never need, and takes as long to make as this module to load."""
    return msgspec.msgpack.Decoder(DebugFlag)


def encode_snapshot(snapshot: Snapshot, proof: Proof | None = None) -> bytes:
    """Return the snapshot as the content of a compiled file; releases that know no proof pass over it."""
    from flagcore.snapshot.blocks import Index, add_map, index_field  # what only reads does without

    array = _ARRAY_OF_7 if proof is None else _ARRAY_OF_8
    content = bytearray(HEAD) + array + _encoder.encode(snapshot.epoch) + _encoder.encode(snapshot.revision)
    programs, value_sets, debug = snapshot.programs, snapshot.value_sets, dict(snapshot.debug)
    sections = [add_map(content, part) for part in (programs, value_sets, debug)]
    content += _encoder.encode(dict(sorted(snapshot.others.items())))
    if proof is not None:
        content += _encoder.encode(proof)
    content += index_field(Index(snapshot.epoch, snapshot.revision, *sections))
    with memoryview(content) as view, view[HEAD:] as body:
        _HEAD.pack_into(content, 0, MAGIC, FORMAT, MIN_READER, len(body), _digest(body))
    return bytes(content)


def decode_snapshot(content: bytes | bytearray | memoryview) -> Snapshot:
    """Return the snapshot of a compiled file; ``content`` may be any buffer, a memory map too, and is not kept.

    Raises:
        SnapshotError: the bytes are cut, changed, of another kind, or of a format that this release cannot read.
    """
    return _decoded(content, _snapshots)


def decode_proof(content: bytes | bytearray | memoryview) -> tuple[Snapshot, Proof | None]:
    """Return the snapshot of a compiled file, and the proof that stands beside it; reads and raises as ``decode_snapshot`` does."""
    found = _decoded(content, _signed())
    fields = (getattr(found, name) for name in Snapshot.__struct_fields__)
    return Snapshot(*fields), found.proof if isinstance(found.proof, tuple) else None


def _decoded(content: bytes | bytearray | memoryview, decoder: msgspec.msgpack.Decoder[Decoded]) -> Decoded:
    with memoryview(content) as view, view.cast("B") as bytes_view, _body(bytes_view) as body:
        try:
            snapshot = decoder.decode(body)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise SnapshotError(f"the snapshot's body cannot be read: {error}") from error
    if not (0 <= snapshot.epoch <= _MAX_NUMBER and 0 <= snapshot.revision <= _MAX_NUMBER):
        raise SnapshotError("the snapshot's epoch or revision is out of range")
    return snapshot


def check_head(head: bytes | memoryview, size: int) -> int:
    """Return the format of a file of ``size`` bytes that begins with ``head``, checked but for the body's digest.

    Raises:
        SnapshotError: it is no compiled file, cut, padded, or of a format that this release cannot read.
    """
    if len(head) < HEAD or head[: len(MAGIC)] != MAGIC:
        raise SnapshotError("these bytes are no compiled flags")
    _, written, min_reader, length, _ = _HEAD.unpack_from(head)
    if min_reader > FORMAT:
        raise SnapshotError(f"the snapshot needs a release that reads format {min_reader}; this one reads {FORMAT}")
    if length != size - HEAD:
        raise SnapshotError(f"the snapshot is cut or padded: {length} bytes of body, {size - HEAD} there")
    return int(written)


def _body(content: memoryview) -> memoryview:
    """Return the body after every check that the head allows."""
    check_head(content, len(content))
    body = content[HEAD:]
    if _digest(body) != _HEAD.unpack_from(content)[-1]:
        body.release()
        raise SnapshotError("the snapshot is corrupt: its bytes are not those that were written")
    return body


def _digest(body: memoryview) -> bytes:
    from hashlib import sha256  # a dear import; engines that are fed by other means do without

    return sha256(body).digest()


def encode_debug(debug: DebugFlag) -> bytes:
    """Return the debug information of one flag as it stands in ``Snapshot.debug``."""
    return _encoder.encode(debug)


def decode_debug(content: bytes) -> DebugFlag:
    """Return the debug information of one flag.

    Raises:
        SnapshotError: the bytes are malformed.
    """
    try:
        return _debug_flags().decode(content)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise SnapshotError(f"debug information cannot be read: {error}") from error
