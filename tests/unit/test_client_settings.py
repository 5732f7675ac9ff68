"""Where a client's settings come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flagcore.client import connect
from flagcore.errors import SettingsError
from flagcore.settings import Settings, read_settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    monkeypatch.chdir(tmp_path / "work")


def test_defaults() -> None:
    """Without any setting the defaults count."""
    assert read_settings({}, {}) == Settings()


def test_argument_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    """Each setting comes from the first place that has it, one by one."""
    (tmp_path / "work" / "flagcore.toml").write_text("source = 'a'\ndebounce = 1\npoll_interval = 1.5\n")
    settings = read_settings({"source": "c", "watch": None}, {"FLAGCORE_SOURCE": "b", "FLAGCORE_DEBOUNCE": "2"})
    assert (settings.source, settings.debounce, settings.poll_interval, settings.watch) == ("c", 2.0, 1.5, True)


def test_pyproject_of_a_parent_counts(tmp_path: Path) -> None:
    """``[tool.flagcore]`` of a parent directory counts, and its source is relative to that file."""
    (tmp_path / "pyproject.toml").write_text("[tool.flagcore]\nsource = 'flags'\nwatch = false\n")
    settings = read_settings({}, {})
    assert (settings.source, settings.watch) == (str(tmp_path / "flags"), False)


def test_flagcore_toml_beats_pyproject(tmp_path: Path) -> None:
    """In one directory flagcore.toml counts, not the table of pyproject.toml."""
    (tmp_path / "work" / "pyproject.toml").write_text("[tool.flagcore]\ndebounce = 3\n")
    (tmp_path / "work" / "flagcore.toml").write_text("debounce = 4\n")
    assert read_settings({}, {}).debounce == 4


def test_addresses_in_a_file_stay_as_they_are(tmp_path: Path) -> None:
    """Only paths are relative to the configuration file."""
    (tmp_path / "work" / "flagcore.toml").write_text("source = 'tcp://flags:7440'\n")
    assert read_settings({}, {}).source == "tcp://flags:7440"


@pytest.mark.parametrize(("text", "value"), [("1", True), ("true", True), ("0", False), ("false", False), ("", False)])
def test_booleans_of_the_environment(text: str, value: bool) -> None:
    """Booleans are written 1, 0, true or false; an empty variable is as good as none."""
    assert read_settings({}, {"FLAGCORE_OFFLINE": text}).offline is value


def test_context_of_the_environment_is_json() -> None:
    """The static context is written as a JSON object."""
    assert read_settings({}, {"FLAGCORE_CONTEXT": '{"region": "eu"}'}).context == {"region": "eu"}


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        ({"debounce": "soon"}, {}, ["argument debounce", "float"]),
        ({"debounce": -1}, {}, ["debounce", ">= 0"]),
        ({"poll_interval": 0}, {}, ["poll_interval", "> 0"]),
        ({"watch": 1}, {}, ["watch", "bool"]),
        ({"context": ["a"]}, {}, ["context", "object"]),
        ({}, {"FLAGCORE_OFFLINE": "perhaps"}, ["FLAGCORE_OFFLINE", "bool"]),
        ({}, {"FLAGCORE_CONTEXT": "{"}, ["FLAGCORE_CONTEXT", "JSON"]),
        ({}, {"FLAGCORE_CONTEXT": "[1]"}, ["FLAGCORE_CONTEXT", "object"]),
        ({}, {"FLAGCORE_POLL_INTERVAL": "nan"}, ["FLAGCORE_POLL_INTERVAL"]),
    ],
)
def test_wrong_settings_name_their_place(
    arguments: dict[str, object], environment: dict[str, str], words: list[str]
) -> None:
    """A wrong value is refused with the place where it stands and what is wanted."""
    with pytest.raises(SettingsError) as refusal:
        read_settings(arguments, environment)
    assert all(word in str(refusal.value) for word in words)


@pytest.mark.parametrize(
    ("wrong", "word"), [({"source": 5}, "source"), ({"source": "x.json", "context": ["country"]}, "context")]
)
def test_arguments_of_another_kind(wrong: dict[str, Any], word: str) -> None:
    """``connect`` refuses a source that is no path, and a context that is no mapping, as wrong settings."""
    with pytest.raises(SettingsError, match=f"argument {word}: "):
        connect(**wrong)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sorce = 'flags'\n", ["flagcore.toml", "sorce", "known are", "source"]),
        ("debounce = 'x'\n", ["flagcore.toml", "debounce"]),
        ("debounce = \n", ["flagcore.toml", "TOML"]),
    ],
)
def test_wrong_configuration_files_are_named(tmp_path: Path, text: str, words: list[str]) -> None:
    """An unknown key, a wrong value, or broken TOML in the file is refused with the file's name."""
    (tmp_path / "work" / "flagcore.toml").write_text(text)
    with pytest.raises(SettingsError) as refusal:
        read_settings({}, {})
    assert all(word in str(refusal.value) for word in words)


def test_unreadable_bytes_in_a_configuration_file(tmp_path: Path) -> None:
    """A file that is no UTF-8 is refused as TOML, not with a decoding error."""
    (tmp_path / "work" / "flagcore.toml").write_bytes(b"source = '\xff\xfe'\n")
    with pytest.raises(SettingsError):
        read_settings({}, {})
