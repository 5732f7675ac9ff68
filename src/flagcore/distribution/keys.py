"""SDK keys, the keyring of a publisher without a manager, and who is admitted (docs/design/wire.md section 7).

An SDK key is what a service is given: one string, of one environment. The keyring is the publisher's: a JSON file that only
its owner can read. It holds no secret of the services': an SDK key can be shown once, when it is issued. Time is handed in.
"""

from __future__ import annotations

import base64
import binascii
import os
from hashlib import sha256
from typing import Annotated, Any

import msgspec

from flagcore.distribution.whole_files import replace_file
from flagcore.distribution.wire import ENVIRONMENT_BYTES, EnvironmentId
from flagcore.errors import SettingsError
from flagcore.snapshot.signature import SigningKey, VerifyKeys

__all__ = [
    "Admission",
    "ClientKey",
    "Environment",
    "Keyring",
    "SdkKey",
    "load_keyring",
    "save_keyring",
]

PREFIX = "fck1_"
_CHECKSUM = 4
_LONGEST = 4096  # characters of an SDK key
_LARGEST = 64 << 20  # bytes of a keyring

Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Publics = Annotated[tuple[Key, ...], msgspec.Meta(min_length=1, max_length=8)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[\w.:/-]+$")]
Label = Annotated[str, msgspec.Meta(max_length=256)]
Seconds = Annotated[int, msgspec.Meta(ge=0)]


# -- SDK keys ----------------------------------------------------------------------------------------------------------


class SdkKey(msgspec.Struct, frozen=True, array_like=True):
    """What a service needs to be let in and to trust what it is told. Fields are append-only; ``repr`` shows no secret."""

    environment_id: EnvironmentId
    environment: Name
    public: Key  # CURVE, of the service
    secret: Key
    server: Key  # CURVE, public
    verify: Publics  # Ed25519, public: whose signatures count

    @classmethod
    def parse(cls, text: str) -> SdkKey:
        """Return the key that a string holds; white space around it does no harm.

        Raises:
            SettingsError: it is none, is cut, or has a wrong character; the message shows nothing of it.
        """
        stripped = text.strip()
        if not stripped.startswith(PREFIX):
            raise SettingsError(f"this is no SDK key: it does not begin with {PREFIX}")
        try:
            if len(stripped) > _LONGEST:
                raise ValueError
            return _sdk_keys.decode(_checked(stripped.removeprefix(PREFIX)))
        except (ValueError, msgspec.DecodeError, RecursionError):
            raise SettingsError("this SDK key is cut or has a wrong character: copy it again") from None

    @property
    def text(self) -> str:
        """The key as one string."""
        content = msgspec.msgpack.encode(self)
        return PREFIX + base64.urlsafe_b64encode(content + _checksum(content)).rstrip(b"=").decode()

    def verify_keys(self) -> VerifyKeys:
        """Return the keys whose signatures count for this service."""
        return VerifyKeys(self.verify)

    def __repr__(self) -> str:
        return f"SdkKey(environment={self.environment!r}, public={self.public.hex()})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """What pretty printers show: no secret either."""
        return [("environment", self.environment), ("public", self.public.hex())]


_sdk_keys = msgspec.msgpack.Decoder(SdkKey)


def _checksum(content: bytes) -> bytes:
    return sha256(PREFIX.encode() + content).digest()[:_CHECKSUM]


def _checked(text: str) -> bytes:
    """Return the content of a key; ValueError for any that was not written by ``SdkKey.text``."""
    encoded = text.encode("ascii")
    content = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    content, checksum = content[:-_CHECKSUM], content[-_CHECKSUM:]
    if checksum != _checksum(content) or base64.urlsafe_b64encode(content + checksum).rstrip(b"=") != encoded:
        raise ValueError
    return content


# -- the keyring -------------------------------------------------------------------------------------------------------


class Environment(msgspec.Struct, frozen=True):
    """One environment of a keyring."""

    id: EnvironmentId
    name: Name


class ClientKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """An SDK key that was issued, as far as the publisher knows it."""

    public: Key
    environment: Name
    label: Label  # whose it is, for people
    issued: Seconds  # since 1970
    revoked: Seconds | None = None


class Keyring(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """All keys of a publisher. Changes give a new one; ``save_keyring`` keeps it."""

    schema: Annotated[str, msgspec.Meta(pattern="^flagcore/keyring/v1$")]
    server_public: Key  # CURVE
    server_secret: Key
    signing: Annotated[tuple[Key, ...], msgspec.Meta(min_length=1, max_length=8)]  # seeds; the first signs, all count
    environments: tuple[Environment, ...] = ()
    clients: tuple[ClientKey, ...] = ()

    @classmethod
    def generate(cls) -> Keyring:
        """Return a keyring with new keys and without environments."""
        public, secret = _curve_pair()
        return cls("flagcore/keyring/v1", public, secret, (os.urandom(32),))

    def signer(self) -> SigningKey:
        """Return the key that signs."""
        return SigningKey(self.signing[0])

    def verify(self) -> tuple[bytes, ...]:
        """Return the public keys that count, for SDK keys and for rotation messages."""
        return tuple(SigningKey(seed).public for seed in self.signing)

    def environment(self, name: str) -> Environment:
        """Return the environment of a name.

        Raises:
            SettingsError: there is none.
        """
        for found in self.environments:
            if found.name == name:
                return found
        known = ", ".join(found.name for found in self.environments) or "none yet"
        raise SettingsError(f"the keyring has no environment {name!r}; it has: {known}")

    def with_environment(self, name: str) -> Keyring:
        """Return the keyring with an environment of that name, under a new id unless it is there."""
        if any(found.name == name for found in self.environments):
            return self
        fresh = Environment(os.urandom(ENVIRONMENT_BYTES), name)
        return _valid(msgspec.structs.replace(self, environments=(*self.environments, fresh)))

    def issue(self, environment: str, label: str, now: int) -> tuple[Keyring, SdkKey]:
        """Return the keyring that admits a new SDK key, and that key, which nobody can get from the keyring again."""
        place = self.environment(environment)
        public, secret = _curve_pair()
        clients = (*self.clients, ClientKey(public, environment, label, now))
        key = SdkKey(place.id, environment, public, secret, self.server_public, self.verify())
        return _valid(msgspec.structs.replace(self, clients=clients)), key

    def revoke(self, which: str, now: int) -> tuple[Keyring, tuple[ClientKey, ...]]:
        """Return the keyring without the clients of a label or of a public key (hex, 8 digits or more), and those that were revoked."""
        gone = tuple(client for client in self.clients if client.revoked is None and _is_meant(client, which))
        clients = tuple(
            msgspec.structs.replace(client, revoked=now) if client in gone else client for client in self.clients
        )
        return msgspec.structs.replace(self, clients=clients), gone

    def with_next_signing_key(self) -> Keyring:
        """Return the keyring with one more signing key, which counts from now on and will sign after ``promoted``."""
        return _valid(msgspec.structs.replace(self, signing=(*self.signing, os.urandom(32))))

    def promoted(self) -> Keyring:
        """Return the keyring whose second signing key has become the first, and whose first counts no more.

        Raises:
            SettingsError: there is only one.
        """
        if len(self.signing) < 2:
            raise SettingsError("there is no next signing key: add one, and wait until every service knows it")
        return msgspec.structs.replace(self, signing=self.signing[1:])


def _is_meant(client: ClientKey, which: str) -> bool:
    return client.label == which or (len(which) >= 8 and client.public.hex().startswith(which.lower()))


def _valid(keyring: Keyring) -> Keyring:
    """Return the keyring if it could be read again; raises SettingsError."""
    try:
        return _keyrings.decode(msgspec.json.encode(keyring))
    except msgspec.ValidationError as error:
        raise SettingsError(f"this cannot be kept in a keyring: {error}") from None


_keyrings = msgspec.json.Decoder(Keyring)


def load_keyring(path: str) -> Keyring:
    """Return the keyring of a file.

    Raises:
        SettingsError: it is no keyring, or others may read it.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        found = os.fstat(file.fileno())
        if found.st_mode & 0o077:
            raise SettingsError(f"{path}: others may read this keyring; chmod 600 it, or make new keys")
        content = file.read(min(found.st_size, _LARGEST))
    try:
        return _keyrings.decode(content)
    except (msgspec.DecodeError, RecursionError, ValueError, binascii.Error) as error:
        raise SettingsError(f"{path}: this is no keyring: {error}") from None


def save_keyring(path: str, keyring: Keyring) -> None:
    """Write the keyring to a file that only its owner can read, whole or not at all."""
    replace_file(path, [msgspec.json.format(msgspec.json.encode(keyring)), b"\n"])


def _curve_pair() -> tuple[bytes, bytes]:
    """Return a new CURVE key pair: public, secret. They are X25519 keys, as libsodium makes them."""
    try:
        from nacl.bindings import crypto_box_keypair
    except ImportError:
        raise SettingsError('keys need PyNaCl: pip install "flagcore[zmq]"') from None
    public, secret = crypto_box_keypair()
    return bytes(public), bytes(secret)


# -- who is admitted ---------------------------------------------------------------------------------------------------


class Admission:
    """Which services a server lets in, and what each may see. A service is named by its public key in hex."""

    __slots__ = ("_environments",)

    def __init__(self, keyring: Keyring) -> None:
        """Let in whom the keyring lets in."""
        self._environments = _admitted(keyring)

    def user_of(self, public_key: bytes) -> str | None:
        """Return who owns a CURVE public key; None for nobody who is let in."""
        user = public_key.hex()
        return user if user in self._environments else None

    def allows(self, user: str, environment_id: bytes) -> bool:
        """Return whether a service may see an environment, now."""
        return self._environments.get(user) == environment_id

    def follow(self, keyring: Keyring) -> frozenset[str]:
        """Go by a later keyring from here on; returns whose connections are to be cut."""
        before, self._environments = self._environments, _admitted(keyring)
        return frozenset(user for user, seen in before.items() if self._environments.get(user) != seen)


def _admitted(keyring: Keyring) -> dict[str, bytes]:
    """Return service -> environment id, of the clients that are not revoked, in environments that there are."""
    ids = {environment.name: environment.id for environment in keyring.environments}
    living = (client for client in keyring.clients if client.revoked is None and client.environment in ids)
    return {client.public.hex(): ids[client.environment] for client in living}
