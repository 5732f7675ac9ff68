"""SDK keys, keyrings, and who is admitted."""

from __future__ import annotations

import string
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.distribution.keys import Admission, Keyring, SdkKey, load_keyring, save_keyring
from flagcore.errors import SettingsError
from flagcore.snapshot.signature import VerifyKeys
from tests.profiles import cases

KEY = SdkKey(b"env-0001", "production", b"p" * 32, b"s" * 32, b"S" * 32, (b"v" * 32, b"w" * 32))
ALPHABET = string.ascii_letters + string.digits + "-_"


@pytest.fixture
def keyring() -> Keyring:
    """A keyring with two environments."""
    return Keyring.generate().with_environment("production").with_environment("staging")


# -- SDK keys ----------------------------------------------------------------------------------------------------------


def test_a_key_is_one_string():
    """A key travels as one word without signs that shells or addresses change, and comes back whole."""
    assert KEY.text.startswith("fck1_")
    assert set(KEY.text) <= set(ALPHABET)
    assert SdkKey.parse(f"  {KEY.text}\n") == KEY


def test_every_changed_character_is_noticed():
    """A wrong, missing or added character is complained about, and the complaint shows nothing of the key."""
    text = KEY.text
    wrong = [text[:i] + ALPHABET[(ALPHABET.index(text[i]) + 1) % 64] + text[i + 1 :] for i in range(5, len(text))]
    wrong += [text[:i] + text[i + 1 :] for i in range(len(text))] + [
        text + "A",
        text + "=",
        text[:5],
        "",
        "fck1_é",
        text * 20,
    ]
    for found in wrong:
        with pytest.raises(SettingsError) as caught:
            SdkKey.parse(found)
        assert text[40:60] not in str(caught.value)


@settings(max_examples=cases(300))
@given(st.text(max_size=300) | st.text(ALPHABET + "=", max_size=300).map("fck1_".__add__))
def test_any_text_is_a_key_or_the_one_error(text: str):
    """No text raises anything but SettingsError."""
    with pytest.raises(SettingsError):
        SdkKey.parse(text)


@settings(max_examples=cases(200))
@given(
    st.binary(max_size=200)
    | st.lists(st.binary(max_size=33) | st.none() | st.text(), max_size=7).map(msgspec.msgpack.encode)
)
def test_wrong_contents_under_a_right_checksum_are_refused(content: bytes):
    """What a checksum vouches for still has to be a key."""
    from base64 import urlsafe_b64encode
    from hashlib import sha256

    whole = content + sha256(b"fck1_" + content).digest()[:4]
    with pytest.raises(SettingsError):
        SdkKey.parse("fck1_" + urlsafe_b64encode(whole).rstrip(b"=").decode())


def test_fields_of_later_releases_are_passed_over():
    """A key of a later release, with fields appended, is read."""
    from base64 import urlsafe_b64encode
    from hashlib import sha256

    content = msgspec.msgpack.encode([*msgspec.structs.astuple(KEY), "later"])
    whole = content + sha256(b"fck1_" + content).digest()[:4]
    assert SdkKey.parse("fck1_" + urlsafe_b64encode(whole).rstrip(b"=").decode()) == KEY


def test_secrets_are_not_shown():
    """What is logged by chance holds no secret."""
    assert "s" * 32 not in repr(KEY)
    assert "s" * 32 not in str(KEY.__rich_repr__())
    assert KEY.secret.hex() not in repr(KEY)


# -- the keyring -------------------------------------------------------------------------------------------------------


def test_issued_keys_are_whole(keyring: Keyring):
    """An issued key holds its environment, a pair of its own, the server's key and the keys whose signatures count."""
    keyring, key = keyring.issue("staging", "shop", 1_700_000_000)
    assert key.environment_id == keyring.environment("staging").id != keyring.environment("production").id
    assert key.server == keyring.server_public
    assert key.verify_keys().signer(b"m", keyring.signer().sign(b"m")) == keyring.signer().key_id
    assert keyring.clients[-1].public == key.public
    assert key.secret not in msgspec.json.encode(keyring)
    assert key.secret != keyring.issue("staging", "shop", 0)[1].secret


def test_pairs_are_curve_pairs(keyring: Keyring):
    """Keys are those of CURVE: ZeroMQ makes the same public half of the secret one."""
    import zmq
    from zmq.utils import z85

    _, key = keyring.issue("staging", "shop", 0)
    for public, secret in ((key.public, key.secret), (keyring.server_public, keyring.server_secret)):
        assert z85.decode(zmq.curve_public(z85.encode(secret))) == public


def test_files_are_private_and_come_back(keyring: Keyring, tmp_path: Path):
    """A keyring is written for its owner alone, replaced whole, and read back; one that others may read is refused."""
    path = tmp_path / "keyring.json"
    save_keyring(str(path), keyring)
    assert path.stat().st_mode & 0o777 == 0o600
    keyring, _ = keyring.issue("staging", "shop", 5)
    save_keyring(str(path), keyring)
    assert load_keyring(str(path)) == keyring
    assert [found.name for found in tmp_path.iterdir()] == ["keyring.json"]
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        load_keyring(str(path))


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[" * 100_000, b"\xff", b'{"schema": "flagcore/keyring/v2"}', b"null"]
)
def test_files_that_are_no_keyrings(content: bytes, tmp_path: Path):
    """Anything else is refused with its name."""
    path = tmp_path / "keyring.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match=r"keyring\.json: this is no keyring"):
        load_keyring(str(path))


@settings(max_examples=cases(200))
@given(st.data())
def test_mutated_keyrings(data: st.DataObject):
    """Changed bytes of a keyring give a keyring or SettingsError."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "keyring.json"
        save_keyring(str(path), RING)
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content)
        try:
            load_keyring(str(path))
        except SettingsError:
            return


RING = Keyring.generate().with_environment("production").issue("production", "shop", 1)[0]


def test_unknown_environments_are_named(keyring: Keyring):
    """Whoever mistypes an environment is told which there are; names that cannot be kept are refused."""
    with pytest.raises(SettingsError, match="production, staging"):
        keyring.issue("prodution", "shop", 0)
    assert keyring.with_environment("staging") is keyring
    for name in ("", "a b", "x" * 129):
        with pytest.raises(SettingsError, match="cannot be kept"):
            keyring.with_environment(name)


def test_signing_keys_are_rotated_with_overlap(keyring: Keyring):
    """The next key counts before it signs; when it signs, the first counts no more."""
    both = keyring.with_next_signing_key()
    assert both.signer().key_id == keyring.signer().key_id
    _, key = both.issue("staging", "shop", 0)
    after = both.promoted()
    assert key.verify_keys().signer(b"m", after.signer().sign(b"m")) == after.signer().key_id
    assert VerifyKeys(after.verify()).signer(b"m", keyring.signer().sign(b"m")) is None
    with pytest.raises(SettingsError, match="no next signing key"):
        after.promoted()


# -- who is admitted ---------------------------------------------------------------------------------------------------


def test_services_see_their_environment_only(keyring: Keyring):
    """A key that was issued is let in, and to its environment only; unknown keys are nobody's."""
    keyring, key = keyring.issue("staging", "shop", 0)
    admission = Admission(keyring)
    user = admission.user_of(key.public)
    assert user is not None
    assert admission.allows(user, keyring.environment("staging").id)
    assert not admission.allows(user, keyring.environment("production").id)
    assert admission.user_of(b"x" * 32) is None
    assert not admission.allows("nobody", keyring.environment("staging").id)


@pytest.mark.parametrize("by_label", [True, False])
def test_revoked_services_are_named(keyring: Keyring, by_label: bool):
    """Revoking by label or by the start of the key takes the service out, tells whom to cut off, and leaves others in."""
    keyring, shop = keyring.issue("staging", "shop", 0)
    keyring, other = keyring.issue("staging", "other", 0)
    admission = Admission(keyring)
    user = admission.user_of(shop.public)
    later, gone = keyring.revoke("shop" if by_label else shop.public.hex()[:12], 77)
    assert [(client.label, client.issued) for client in gone] == [("shop", 0)]
    assert later.clients[0].revoked == 77
    assert admission.follow(later) == {user}
    assert admission.user_of(shop.public) is None
    assert admission.user_of(other.public) is not None
    assert later.revoke("shop", 78)[1] == ()
    assert keyring.revoke("", 1)[1] == ()
