"""Compiled files that are shipped with a service and believed without a server: signed bootstrap files.

The proof in such a file (snapshot/codec.py) is a bookmark of its state as a publisher would send it: it names environment, epoch and
revision, and its state hash is that of all objects. Readers that have no use for it pass over it.
"""

from __future__ import annotations

import os

from flagcore.distribution.source import log
from flagcore.distribution.wire import Header, Kind, WireError, encode, read_header
from flagcore.errors import SnapshotError
from flagcore.snapshot.blocks import END, read_index
from flagcore.snapshot.codec import Proof, decode_proof
from flagcore.snapshot.limits import DEFAULT_LIMITS, Limits
from flagcore.snapshot.objects import Snapshot
from flagcore.snapshot.signature import SigningKey, VerifyKeys
from flagcore.snapshot.state_hash import StateHash

__all__ = ["check_bootstrap", "load_bootstrap", "newer_bootstrap", "prove"]


def prove(snapshot: Snapshot, environment_id: bytes, signer: SigningKey) -> Proof:
    """Return the proof that a snapshot is the state of an environment; the same arguments, the same bytes."""
    header = Header(
        kind=Kind.BOOKMARK,
        environment_id=environment_id,
        epoch=snapshot.epoch,
        revision=snapshot.revision,
        state_hash=StateHash.of(snapshot).value,
    )
    first, second, _, signature = encode(header, b"", signer)
    return first, second, signature


def load_bootstrap(
    path: str, environment_id: bytes, keys: VerifyKeys | None, limits: Limits = DEFAULT_LIMITS
) -> Snapshot:
    """Return the snapshot of a bootstrap file. ``keys`` None: any sound compiled file will do.

    Raises:
        SnapshotError: it is cut, changed or of a later format; with keys also: not signed by one of them for this environment.
        OSError: it cannot be read.
    """
    with open(path, "rb", buffering=0) as file:
        size, largest = os.fstat(file.fileno()).st_size, limits.snapshot + limits.snapshot // 2
        if size > largest:
            raise SnapshotError(f"{path}: it has {size} bytes, {largest} are allowed")
        content = file.read(size)
    try:
        return check_bootstrap(content, environment_id, keys, limits)
    except SnapshotError as error:
        raise SnapshotError(f"{path}: {error}") from None


def newer_bootstrap(
    path: str, environment_id: bytes, keys: VerifyKeys | None, above: tuple[int, int] = (-1, -1)
) -> Snapshot | None:
    """Return the snapshot of a bootstrap file that is newer than a position; a file that is not is hardly read. Never raises.

    What is wrong with the file is logged: a service starts without it as well as it can.
    """
    try:
        if above >= (0, 0) and _claims(path) <= above:
            return None
        snapshot = load_bootstrap(path, environment_id, keys)
    except (OSError, SnapshotError, MemoryError) as error:
        log.error("the bootstrap file cannot be used: %s", error)
        return None
    return snapshot if (snapshot.epoch, snapshot.revision) > above else None


def _claims(path: str) -> tuple[int, int]:
    """Return epoch and revision as the end of the file says; more than any where it must be read to know."""
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - END))
        try:
            index = read_index(file.read(END), size)
        except ValueError:  # an older format, or very many flags
            return 2**63, 0
    return index.epoch, index.revision


def check_bootstrap(
    content: bytes, environment_id: bytes, keys: VerifyKeys | None, limits: Limits = DEFAULT_LIMITS
) -> Snapshot:
    """Return the snapshot of a compiled file's content; raises SnapshotError as ``load_bootstrap`` does. About 2 us an object."""
    snapshot, proof = decode_proof(content)
    if keys is None:
        return snapshot
    if proof is None:
        raise SnapshotError("it is not signed: flagcore compile --sign does")
    first, second, signature = proof
    try:
        header = read_header(first, second, signature, keys, environment_id, limits)
    except WireError as error:
        raise SnapshotError(f"its signature does not count here: {error}") from None
    if (header.epoch, header.revision) != (snapshot.epoch, snapshot.revision):
        raise SnapshotError("its signature is of another revision")
    if header.state_hash != StateHash.of(snapshot).value:
        raise SnapshotError("its flags are not those that were signed")
    return snapshot
