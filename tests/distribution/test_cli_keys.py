"""``flagcore keys``: the keyring of a publisher without a manager."""

from __future__ import annotations

from pathlib import Path

import pytest

from flagcore.distribution.keys import SdkKey, load_keyring
from tests.support.command import Command


@pytest.fixture
def ring(command: Command) -> Path:
    """A keyring with two environments."""
    result = command("keys", "new", "ring.json", "--environment", "production", "--environment", "staging")
    assert (result.code, result.out) == (0, "ring.json: production, staging; 0 SDK keys\n")
    return command.folder / "ring.json"


def test_a_keyring_is_its_owners(ring: Path) -> None:
    """Only its owner may read it."""
    assert ring.stat().st_mode & 0o777 == 0o600


def test_a_keyring_is_not_overwritten(command: Command, ring: Path) -> None:
    """Services trust the keys that are there: a second ``new`` is wrong usage and changes nothing."""
    before = ring.read_bytes()
    result = command("keys", "new", "ring.json")
    assert (result.code, ring.read_bytes()) == (2, before)
    assert "there already" in result.err


def test_issue_prints_the_key_once(command: Command, ring: Path) -> None:
    """The key stands alone on standard output; the keyring holds its public half only."""
    result = command("keys", "issue", ring, "--environment", "production", "--label", "shop")
    key = SdkKey.parse(result.out)
    assert (result.code, key.environment) == (0, "production")
    assert key.secret.hex() not in ring.read_text()
    assert [client.public for client in load_keyring(str(ring)).clients] == [key.public]
    assert SdkKey.parse(command("keys", "issue", ring, "--environment", "staging", "--json").json["sdk_key"])


@pytest.mark.parametrize("names", [[], ["production", "staging"], ["elsewhere"]])
def test_issue_needs_one_environment(command: Command, ring: Path, names: list[str]) -> None:
    """Without one environment that is there no key is made."""
    words = [word for name in names for word in ("--environment", name)]
    result = command("keys", "issue", ring, *words)
    assert (result.code, result.out) == (2, "")
    assert load_keyring(str(ring)).clients == ()


def test_list_and_revoke(command: Command, ring: Path) -> None:
    """``list`` shows whom ``issue`` let in, ``revoke`` takes one label, and nobody of that name is a finding."""
    for label in ("shop", "search"):
        command("keys", "issue", ring, "--environment", "production", "--label", label)
    assert "shop" in command("keys", "list", ring).out
    assert command("keys", "revoke", ring, "shop").out == "revoked 1 key\n"
    clients = command("keys", "list", ring, "--json").json["clients"]
    assert {client["label"]: client["revoked"] is not None for client in clients} == {"shop": True, "search": False}
    assert command("keys", "revoke", ring, "shop").code == 1
    public = next(client["public"] for client in clients if client["label"] == "search")
    assert command("keys", "revoke", ring, public[:12], "--json").json["revoked"][0]["label"] == "search"
    assert command("keys", "list", ring, "--environment", "staging", "--json").json["clients"] == []


def test_signing_keys_are_rotated_with_overlap(command: Command, ring: Path) -> None:
    """``next`` adds a key that counts, ``promote`` signs with it; without a next one there is nothing to promote."""
    first = load_keyring(str(ring)).verify()
    assert command("keys", "promote", ring).code == 2
    assert command("keys", "next", ring).code == 0
    both = load_keyring(str(ring)).verify()
    assert both[0] == first[0]
    assert command("keys", "promote", ring).code == 0
    assert load_keyring(str(ring)).verify() == both[1:]


def test_add_environments(command: Command, ring: Path) -> None:
    """Environments may be added later, and keep their ids when they are added twice."""
    before = load_keyring(str(ring)).environment("staging")
    assert command("keys", "add", ring, "--environment", "test", "--environment", "staging").code == 0
    after = load_keyring(str(ring))
    assert (after.environment("staging"), len(after.environments)) == (before, 3)
    assert command("keys", "add", ring).code == 2


@pytest.mark.parametrize(
    "words", [[], ["issue"], ["break", "ring.json"], ["list", "none.json"], ["list", "r", "x"], ["revoke", "x"]]
)
def test_wrong_usage(command: Command, words: list[str]) -> None:
    """What cannot be carried out is wrong usage, in one message."""
    result = command("keys", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("flagcore: error: ")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"schema": "flagcore/keyring/v2"}', "\0"])
def test_what_is_no_keyring(command: Command, content: str) -> None:
    """A file that is no keyring is named; one that others may read is not used."""
    path = command.write("other.json", content)
    path.chmod(0o600)
    assert "no keyring" in command("keys", "list", path).err
    path.chmod(0o644)
    assert "others may read" in command("keys", "list", path).err
