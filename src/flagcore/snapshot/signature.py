"""Ed25519 signatures: who may say what a service's flags are (docs/design/wire.md sections 4 and 7, decision 0032).

Keys are 32 bytes; a key's number, by which messages name it, is made of its public half. The library is loaded at first use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from types import ModuleType

from flagcore.errors import SettingsError

__all__ = ["KEY_BYTES", "SIGNATURE_BYTES", "SigningKey", "VerifyKeys", "key_id_of"]

KEY_BYTES = 32
SIGNATURE_BYTES = 64


def key_id_of(public: bytes) -> int:
    """Return the number of a public key, in ``[0, 2**64)``."""
    from hashlib import sha256

    return int.from_bytes(sha256(public).digest()[:8], "little")


class SigningKey:
    """The private half: signs. Never shown: its ``repr`` holds the number only."""

    __slots__ = ("_secret", "_sign", "key_id", "public", "seed")

    def __init__(self, seed: bytes) -> None:
        """Make the key of 32 secret bytes.

        Raises:
            ValueError: not 32 bytes.
            SettingsError: the extra is not installed.
        """
        if len(seed) != KEY_BYTES:
            raise ValueError(f"a signing key is made of {KEY_BYTES} bytes, not {len(seed)}")
        bindings = _library()
        self.seed = seed
        self.public, self._secret = bindings.crypto_sign_seed_keypair(seed)
        self.key_id = key_id_of(self.public)
        self._sign: Callable[[bytes, bytes], bytes] = bindings.crypto_sign

    @classmethod
    def generate(cls) -> SigningKey:
        """Return a new key, from the system's source of randomness."""
        return cls(os.urandom(KEY_BYTES))

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 bytes; the same for the same message. About 20 us for 1 kB."""
        return self._sign(message, self._secret)[:SIGNATURE_BYTES]

    def __repr__(self) -> str:
        return f"SigningKey(key_id={self.key_id})"


class VerifyKeys:
    """The public keys whose signatures count; immutable."""

    __slots__ = ("_keys", "_open", "_refused")

    def __init__(self, publics: Iterable[bytes]) -> None:
        """Take public keys.

        Raises:
            ValueError: none, or one that has not 32 bytes.
            SettingsError: the extra is not installed.
        """
        keys = tuple(publics)
        if not keys or any(len(public) != KEY_BYTES for public in keys):
            raise ValueError(f"verify keys are one or more, each of {KEY_BYTES} bytes")
        self._keys = {key_id_of(public): public for public in keys}
        bindings = _library()
        self._open: Callable[[bytes, bytes], bytes] = bindings.crypto_sign_open
        from nacl.exceptions import CryptoError

        self._refused = CryptoError

    @property
    def publics(self) -> tuple[bytes, ...]:
        """The keys themselves."""
        return tuple(self._keys.values())

    def signer(self, message: bytes, signature: bytes) -> int | None:
        """Return the number of the key that made the signature, None when none did. About 55 us a key that is tried."""
        if len(signature) != SIGNATURE_BYTES:
            return None
        signed = signature + message
        for key_id, public in self._keys.items():
            try:
                self._open(signed, public)
            except self._refused:
                continue
            return key_id
        return None

    def __repr__(self) -> str:
        return f"VerifyKeys(key_ids={sorted(self._keys)})"


def _library() -> ModuleType:
    try:
        from nacl import bindings
    except ImportError:
        raise SettingsError('signatures need PyNaCl: pip install "flagcore[zmq]"') from None
    return bindings
