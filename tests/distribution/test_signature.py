"""Signing and verify keys."""

from __future__ import annotations

import subprocess
import sys

import pytest

from flagcore.snapshot.signature import SigningKey, VerifyKeys, key_id_of

# RFC 8032 section 7.1, test 3
SEED = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
PUBLIC = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
SIGNATURE = bytes.fromhex(
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)


def test_a_published_vector():
    """Signatures are those of RFC 8032."""
    key = SigningKey(SEED)
    assert key.public == PUBLIC
    assert key.sign(b"\xaf\x82") == SIGNATURE
    assert VerifyKeys([PUBLIC]).signer(b"\xaf\x82", SIGNATURE) == key.key_id == key_id_of(PUBLIC)


def test_several_keys_count_at_a_time():
    """While keys are rotated the signatures of old and new count, and whose it was is told."""
    old, new, foreign = (SigningKey(bytes([i]) * 32) for i in range(3))
    keys = VerifyKeys([old.public, new.public])
    assert keys.signer(b"m", old.sign(b"m")) == old.key_id
    assert keys.signer(b"m", new.sign(b"m")) == new.key_id
    assert keys.signer(b"m", foreign.sign(b"m")) is None


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_signatures_of_other_lengths_are_refused(length: int):
    """A signature has 64 bytes; a longer one could take bytes of the message for its own."""
    key = SigningKey(SEED)
    signature = (key.sign(b"message") + bytes(64))[:length]
    assert VerifyKeys([key.public]).signer(b"message", signature) is None


def test_every_flipped_bit_is_noticed():
    """Not one bit of message or signature can change."""
    key = SigningKey(SEED)
    keys, signed = VerifyKeys([key.public]), key.sign(b"message") + b"message"
    for bit in range(len(signed) * 8):
        changed = bytearray(signed)
        changed[bit // 8] ^= 1 << bit % 8
        assert keys.signer(bytes(changed[64:]), bytes(changed[:64])) is None


def test_keys_of_small_order_sign_nothing():
    """A public key under which forged signatures would hold for any message is refused by the library."""
    for public in (bytes(32), b"\x01" + bytes(31)):
        assert VerifyKeys([public]).signer(b"m", public + bytes(32)) is None


def test_wrong_keys_are_refused():
    """Keys have 32 bytes, and to check by none is not to check."""
    with pytest.raises(ValueError, match="32 bytes"):
        SigningKey(b"short")
    for publics in ([], [b"short"], [PUBLIC, PUBLIC + b"x"]):
        with pytest.raises(ValueError, match="32 bytes"):
            VerifyKeys(publics)


def test_secrets_are_not_shown():
    """What is logged by chance holds no secret."""
    key = SigningKey.generate()
    assert key.seed.hex() not in repr(key)
    assert repr(key.seed) not in repr(key)


def test_a_missing_library_is_named():
    """Without the extra the modules load; using a key says what to install."""
    program = (
        "import sys; sys.modules['nacl'] = None\n"
        "from flagcore.snapshot.signature import SigningKey\nfrom flagcore.errors import SettingsError\n"
        "try: SigningKey(bytes(32))\nexcept SettingsError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 'pip install "flagcore[zmq]"' in run.stdout
