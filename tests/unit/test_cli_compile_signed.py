"""``flagcore compile --sign``: bootstrap files."""

from __future__ import annotations

import io

import pytest

import flagcore
from flagcore.distribution.bootstrap import load_bootstrap
from flagcore.distribution.keys import Keyring, save_keyring
from flagcore.errors import SnapshotError
from flagcore.snapshot.codec import decode_snapshot
from flagcore.snapshot.part import read_flag
from flagcore.snapshot.signature import SigningKey, VerifyKeys
from tests.support.c_binding import opened
from tests.support.command import SHOP, Command


@pytest.fixture
def keyring(command: Command) -> Keyring:
    """The shop's flags, and a keyring with two environments."""
    command.write("flags.json", SHOP)
    made = Keyring.generate().with_environment("production").with_environment("staging")
    save_keyring(str(command.folder / "keyring.json"), made)
    return made


def test_compile_signs(command: Command, keyring: Keyring):
    """A file that was compiled with --sign is believed by the SDK keys of that environment, and by no other's."""
    run = command(
        "compile", "flags.json", "-o", "b.fcs", "--revision", 5, "--sign", "keyring.json", "--environment", "staging"
    )
    assert run.code == 0, run.err
    keyring, key = keyring.issue("staging", "shop", 0)
    path = str(command.folder / "b.fcs")
    assert load_bootstrap(path, key.environment_id, key.verify_keys()).revision == 5
    _, other = keyring.issue("production", "shop", 0)
    with pytest.raises(SnapshotError, match=r"b\.fcs.*environment"):
        load_bootstrap(path, other.environment_id, other.verify_keys())
    with pytest.raises(SnapshotError, match="signature"):
        load_bootstrap(path, key.environment_id, VerifyKeys([SigningKey.generate().public]))


def test_other_readers_pass_over_the_proof(command: Command, keyring: Keyring):
    """A client of files, the reader of single flags and libflagcore answer from a signed file as from any."""
    command("compile", "flags.json", "-o", "b.fcs", "--sign", "keyring.json", "--environment", "staging")
    command("compile", "flags.json", "-o", "plain.fcs")
    signed, plain = ((command.folder / name).read_bytes() for name in ("b.fcs", "plain.fcs"))
    assert decode_snapshot(signed) == decode_snapshot(plain)
    assert read_flag(io.BytesIO(signed), "checkout.new") == read_flag(io.BytesIO(plain), "checkout.new")
    with flagcore.connect(str(command.folder / "b.fcs")) as client:
        assert client.revision == 1
    assert opened(signed) == opened(plain)


def test_wrong_usage(command: Command, keyring: Keyring):
    """An environment is asked for where there are several; unknown ones, missing keyrings and lone --environment are named."""
    compile_ = ("compile", "flags.json", "-o", "b.fcs")
    assert "--environment NAME" in command(*compile_, "--sign", "keyring.json").err
    assert "production, staging" in command(*compile_, "--sign", "keyring.json", "--environment", "prod").err
    assert "none.json: No such file" in command(*compile_, "--sign", "none.json", "--environment", "staging").err
    assert "--sign KEYRING" in command(*compile_, "--environment", "staging").err
    assert not (command.folder / "b.fcs").exists()
