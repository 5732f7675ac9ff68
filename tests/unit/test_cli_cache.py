"""What the command keeps of compiled flags, and when it must not use it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from flagcore import model
from flagcore.cli import cache, main
from tests.support.command import Command


def flags(**variants: str) -> str:
    """Return a document of boolean flags."""
    return json.dumps(
        {"schema": "flagcore/v1", "flags": {key: {"type": "boolean", "default": on} for key, on in variants.items()}}
    )


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the paths that were loaded as authored flags, a list that grows."""
    loaded: list[str] = []
    original = model.load

    def counting(path: str, *, warnings: bool) -> model.Loaded:
        loaded.append(path)
        return original(path, warnings=warnings)

    monkeypatch.setattr(model, "load", counting)
    return loaded


def age(*paths: Path) -> None:
    """Let files come to rest: what changed just now is not kept."""
    deadline = max(path.stat().st_ctime_ns for path in paths) + cache.RESTED
    while time.time_ns() <= deadline:
        time.sleep(0.005)


def value(command: Command, *words: object) -> object:
    """Return the value that ``eval`` prints."""
    return command("eval", *words, "--json").json["value"]


def test_asked_twice_loaded_once(command: Command, loads: list[str]) -> None:
    """The second question about the same files compiles nothing."""
    path = command.write("flags.json", flags(a="on"))
    age(path, command.folder)
    assert [value(command, "flags.json", "a"), value(command, "flags.json", "a")] == [True, True]
    assert loads == ["flags.json"]


def test_flags_are_added_one_by_one(command: Command, loads: list[str]) -> None:
    """A question about another flag compiles that one beside the first; a question about all compiles the rest."""
    age(command.write("flags.json", flags(a="on", b="off", c="on")))
    assert [value(command, "flags.json", key) for key in "abab"] == [True, False, True, False]
    assert len(loads) == 2
    assert len(command("eval", "flags.json", "--all", "--json").json) == 3
    assert [value(command, "flags.json", key) for key in "abc"] == [True, False, True]
    assert len(loads) == 3


def test_an_edit_is_never_missed(command: Command) -> None:
    """Other content is another answer, also with the same size and the same time stamp."""
    path = command.write("flags.json", flags(a="on", b="off"))
    age(path)
    found = path.stat()
    assert value(command, "flags.json", "a") is True
    command.write("flags.json", flags(b="on", a="off"))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert path.stat().st_size == found.st_size
    assert value(command, "flags.json", "a") is False


def test_files_that_come_and_go(command: Command) -> None:
    """A file more or less in a directory is another flag set."""
    first, second = command.write("set/a.json", flags(a="on")), command.folder / "set" / "sub" / "b.json"
    age(first, first.parent)
    assert list(command("eval", "set", "--all", "--json").json) == ["a"]
    second.parent.mkdir()
    second.write_text(flags(b="on"))
    assert list(command("eval", "set", "--all", "--json").json) == ["a", "b"]
    second.unlink()
    assert list(command("eval", "set", "--all", "--json").json) == ["a"]


def test_values_files_count(command: Command) -> None:
    """A changed values file is another answer."""
    values = command.write("vips.txt", "t-1\n")
    rule = {"id": "vip", "when": 'segment("vip")', "serve": "on"}
    document = {
        "schema": "flagcore/v1",
        "segments": {"vip": {"attribute": "tenant", "values_file": "vips.txt"}},
        "flags": {"a": {"type": "boolean", "default": "off", "rules": [rule]}},
    }
    age(values, command.write("flags.json", document))
    assert value(command, "flags.json", "a", "tenant=t-2") is False
    values.write_text("t-2\n")
    assert value(command, "flags.json", "a", "tenant=t-2") is True


def test_other_compilers_count(command: Command, loads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What another version of model or compiler made is not used."""
    age(command.write("flags.json", flags(a="on")))
    value(command, "flags.json", "a")
    monkeypatch.setattr(cache, "_maker", lambda: "another")
    assert value(command, "flags.json", "a") is True
    assert len(loads) == 2


def test_fresh_files_are_not_kept(command: Command, loads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that change while they are read are not kept: the next call reads them again."""
    monkeypatch.setattr(cache, "RESTED", 10**18)
    command.write("flags.json", flags(a="on"))
    assert [value(command, "flags.json", "a") for _ in range(2)] == [True, True]
    assert len(loads) == 2


def test_no_cache(command: Command, loads: list[str]) -> None:
    """``--no-cache`` neither uses nor keeps anything."""
    age(command.write("flags.json", flags(a="on")))
    value(command, "flags.json", "a", "--no-cache")
    assert not (command.folder / ".cache" / "flagcore").exists()
    value(command, "flags.json", "a")
    value(command, "flags.json", "a", "--no-cache")
    assert len(loads) == 3


@pytest.mark.parametrize("damage", [lambda _: b"", lambda content: content[:-3], lambda content: b"\xc1" + content])
def test_damaged_entries_do_no_harm(command: Command, damage: object) -> None:
    """A damaged entry is as good as none."""
    age(command.write("flags.json", flags(a="on")))
    value(command, "flags.json", "a")
    (entry,) = (command.folder / ".cache" / "flagcore" / "compiled").iterdir()
    entry.write_bytes(damage(entry.read_bytes()))  # type: ignore[operator]
    assert value(command, "flags.json", "a") is True


def test_entries_belong_to_their_owner(command: Command) -> None:
    """Folder and entries are for their owner only; a folder that others may write to is not used."""
    age(command.write("flags.json", flags(a="on")))
    value(command, "flags.json", "a")
    folder = command.folder / ".cache" / "flagcore" / "compiled"
    (entry,) = folder.iterdir()
    assert (folder.stat().st_mode & 0o777, entry.stat().st_mode & 0o777) == (0o700, 0o600)
    entry.unlink()
    folder.chmod(0o777)
    assert value(command, "flags.json", "a") is True
    assert list(folder.iterdir()) == []


def test_the_oldest_entries_go(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bounded number of entries is kept."""
    monkeypatch.setattr(cache, "KEPT", 2)
    paths = [command.write(f"{name}.json", flags(a="on")) for name in "wxyz"]
    age(*paths)
    for path in paths:
        value(command, path, "a")
    assert len(list((command.folder / ".cache" / "flagcore" / "compiled").iterdir())) == 2


def test_a_folder_that_cannot_be_made(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place for the cache everything works as with one."""
    monkeypatch.setenv("FLAGCORE_CACHE_DIR", "/dev/null/nowhere")
    command.write("flags.json", flags(a="on"))
    assert value(command, "flags.json", "a") is True


@pytest.mark.parametrize("words", [("eval", "a"), ("explain", "a"), ("inspect",)])
def test_the_answer_comes_first(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """What was compiled is kept when the answer is out already, so that nobody waits for it."""
    seen: list[str] = []
    monkeypatch.setattr(cache, "remember", lambda *_: seen.append(capsys.readouterr().out))
    verb, *rest = words
    path = command.write("flags.json", flags(a="on"))
    assert main([verb, str(path), *rest]) == 0
    assert len(seen) == 1
    assert "a" in seen[0]
