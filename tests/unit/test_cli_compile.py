"""``flagcore compile`` and ``flagcore inspect``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flagcore.snapshot.codec import decode_snapshot, encode_snapshot
from flagcore.snapshot.objects import Snapshot
from tests.support.command import SHOP, Command


@pytest.fixture(autouse=True)
def _flags(command: Command) -> None:
    command.write("flags.json", SHOP)


def test_writes_beside_the_source(command: Command) -> None:
    """Without ``-o`` the file stands beside the source; statistics are printed."""
    code, out, _ = command("compile", "flags.json")
    assert code == 0
    assert out.startswith("flags.fcs: 3 flags, ")
    assert (command.folder / "flags.fcs").stat().st_size > 0


def test_directory_gives_its_name(command: Command) -> None:
    """A directory gives the compiled file its name, with or without a slash at its end."""
    command.write("shop/flags.json", SHOP)
    assert command("compile", "shop/").out.startswith("shop.fcs")


def test_statistics_as_json(command: Command) -> None:
    """``--json`` gives sizes that add up with the file."""
    statistics = command("compile", "flags.json", "-o", "x.fcs", "--revision", 42, "--json").json
    assert (statistics["flags"], statistics["revision"]) == (3, 42)
    assert statistics["file_bytes"] == (command.folder / "x.fcs").stat().st_size
    assert statistics["debug_bytes"] > 0


def test_same_flags_same_bytes(command: Command) -> None:
    """Compiling twice gives the same bytes."""
    command("compile", "flags.json", "-o", "a.fcs")
    command("compile", "flags.json", "-o", "b.fcs")
    assert (command.folder / "a.fcs").read_bytes() == (command.folder / "b.fcs").read_bytes()


def test_without_explanations(command: Command) -> None:
    """``--no-debug`` leaves out what only explain needs, and answers stay the same."""
    command("compile", "flags.json", "-o", "full.fcs")
    assert command("compile", "flags.json", "-o", "small.fcs", "--no-debug", "--json").json["debug_bytes"] == 0
    assert (command.folder / "small.fcs").stat().st_size < (command.folder / "full.fcs").stat().st_size
    words = ["checkout.new", "targetingKey=u-qa-1"]
    assert command("eval", "small.fcs", *words) == command("eval", "full.fcs", *words)
    assert command("explain", "small.fcs", *words).code == 0


def test_flags_that_are_not_valid_write_nothing(command: Command) -> None:
    """Problems are printed, the exit code is 1, and an older file stays as it was."""
    command.write("out.fcs", b"older")
    command.write("bad.json", '{"schema": "flagcore/v1", "flags": {"a": {"type": "boolean"}}}')
    code, out, err = command("compile", "bad.json", "-o", "out.fcs")
    assert (code, out) == (1, "")
    assert "default" in err
    assert (command.folder / "out.fcs").read_bytes() == b"older"


def test_replaced_in_one_step(command: Command) -> None:
    """The file is replaced by a rename, leaves nothing beside it, and has the rights that a new file has."""
    output = command.folder / "out.fcs"
    command("compile", "flags.json", "-o", "out.fcs")
    first = output.stat().st_ino
    command("compile", "flags.json", "-o", "out.fcs")
    mask = os.umask(0)
    os.umask(mask)
    assert output.stat().st_ino != first
    assert output.stat().st_mode & 0o777 == 0o666 & ~mask
    assert [path.name for path in command.folder.glob(".flagcore*")] == []


@pytest.mark.parametrize("revision", ["0", "-1", "x", str(2**63), "1.5"])
def test_revisions_are_positive_numbers(command: Command, revision: str) -> None:
    """A revision that is none is wrong usage."""
    code, _, err = command("compile", "flags.json", "--revision", revision)
    assert code == 2
    assert f"{revision!r} is not a whole number from 1 to 2^63 - 1" in err


def test_places_that_cannot_be_written(command: Command) -> None:
    """What cannot be written is named as it was given, not by the temporary file beside it."""
    assert command("compile", "flags.json", "-o", "no/where.fcs").err == (
        "flagcore: error: no/where.fcs: No such file or directory\n"
    )
    (command.folder / "folder").mkdir()
    assert command("compile", "flags.json", "-o", "folder").err == "flagcore: error: folder: Is a directory\n"


def test_inspect_lists_flags(command: Command) -> None:
    """``inspect`` shows revision and the size of each flag, of files too."""
    command("compile", "flags.json", "-o", "flags.fcs", "--revision", 9)
    code, out, _ = command("inspect", "flags.fcs")
    assert code == 0
    assert "revision 9" in out
    assert all(key in out for key in SHOP["flags"])
    assert command("inspect", "flags.json").code == 0
    assert set(command("inspect", "flags.fcs", "--json").json["flags"]) == set(SHOP["flags"])


def test_inspect_one_flag(command: Command) -> None:
    """``--flag`` prints the program for people, and as JSON."""
    code, out, _ = command("inspect", "flags.json", "--flag", "checkout.new")
    assert code == 0
    assert "country" in out
    assert command("inspect", "flags.json", "--flag", "checkout.new", "--json").json


def test_inspect_unknown_flag(command: Command) -> None:
    """An unknown flag is wrong usage, with the nearest key."""
    code, _, err = command("inspect", "flags.json", "--flag", "checkout.nwe")
    assert code == 2
    assert "did you mean checkout.new?" in err


def test_damaged_files_are_findings(command: Command) -> None:
    """Every way to damage a compiled file ends in a message: cut, flipped, empty, text."""
    command("compile", "flags.json")
    sound = (command.folder / "flags.fcs").read_bytes()
    damaged = [b"", sound[:7], sound[:-1], b"schema: flagcore/v1", sound + b"x"]
    damaged += [sound[:at] + bytes([sound[at] ^ 0x10]) + sound[at + 1 :] for at in range(0, len(sound), 97)]
    for content in damaged:
        path: Path = command.write("bad.fcs", content)
        for words in (["inspect", path], ["eval", path, "search.limit"]):
            code, _, err = command(*words)
            assert code == 1, err
            assert err.startswith(f"flagcore: error: {path}: ")


def test_programs_that_are_not_sound(command: Command) -> None:
    """A whole file around a malformed program is a finding: named by eval, listed by inspect, never walked."""
    command("compile", "flags.json")
    snapshot = decode_snapshot((command.folder / "flags.fcs").read_bytes())
    programs = {**snapshot.programs, "search.limit": snapshot.programs["search.limit"][:-8]}
    bad = Snapshot(snapshot.epoch, snapshot.revision, programs, snapshot.value_sets, snapshot.debug)
    command.write("bad.fcs", encode_snapshot(bad))
    code, _, err = command("eval", "bad.fcs", "search.limit")
    assert (code, "search.limit" in err) == (1, True)
    code, out, _ = command("inspect", "bad.fcs")
    assert code == 1
    assert "refused" in out
    assert command("inspect", "bad.fcs", "--flag", "search.limit").code == 1
    assert list(command("inspect", "bad.fcs", "--json").json["refused"]) == ["search.limit"]


@pytest.mark.parametrize("here", [".", "./", "../shop"])
def test_the_file_of_the_folder_one_is_in(command: Command, monkeypatch: pytest.MonkeyPatch, here: str) -> None:
    """Without -o the file stands beside the folder under the folder's name, also when that is given as a dot."""
    folder = command.write("shop/flags.json", SHOP).parent
    monkeypatch.chdir(folder)
    assert command("compile", here).code == 0
    assert (folder.parent / "shop.fcs").exists()
    assert [path.name for path in folder.iterdir()] == ["flags.json"]
