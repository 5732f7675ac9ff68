"""The body of a key rotation (kind R): all public keys whose signatures count from here on, msgpack array of 32 bytes each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from flagcore.errors import SnapshotError
from flagcore.snapshot.signature import KEY_BYTES

__all__ = ["decode_rotation", "encode_rotation"]

MOST_KEYS = 8

PublicKey = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
PublicKeys = Annotated[tuple[PublicKey, ...], msgspec.Meta(min_length=1, max_length=MOST_KEYS)]

_decoder = msgspec.msgpack.Decoder(PublicKeys)


def encode_rotation(publics: Iterable[bytes]) -> bytes:
    """Return the raw body."""
    return msgspec.msgpack.encode(tuple(publics))


def decode_rotation(body: bytes) -> tuple[bytes, ...]:
    """Return the public keys of a raw body.

    Raises:
        SnapshotError: the bytes are malformed, or hold no key.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise SnapshotError(f"a key rotation cannot be read: {error}") from None
