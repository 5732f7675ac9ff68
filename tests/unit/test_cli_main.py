"""The command as a whole: help, usage, settings, errors, pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import flagcore
from flagcore.cli import VERBS
from tests.support.command import SHOP, Command

COMMAND = [sys.executable, "-m", "flagcore"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_version(command: Command) -> None:
    """``--version`` prints name and version."""
    assert command("--version") == (0, f"flagcore {flagcore.__version__}\n", "")


@pytest.mark.parametrize("words", [["--help"], ["-h"]])
def test_help_lists_every_verb(command: Command, words: list[str]) -> None:
    """The help names every verb and shows examples."""
    code, out, _ = command(*words)
    assert code == 0
    assert all(verb in out for verb in VERBS)
    assert "examples:" in out


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_each_verb_has_examples(command: Command, verb: str) -> None:
    """Each verb tells what it does, with examples that name it."""
    code, out, _ = command(verb, "--help")
    assert code == 0
    assert f"flagcore {verb}" in out.split("examples:")[1]


@pytest.mark.parametrize(
    "words",
    [[], ["evaluate"], ["--nonsense"], ["eval", "--nonsense"], ["schema", "extra"], ["--debugg", "eval"], [""]],
)
def test_wrong_usage(command: Command, words: list[str]) -> None:
    """A command line that means nothing ends with 2 and says so on standard error."""
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    assert "flagcore" in err


@pytest.mark.parametrize("words", [["eval", "x", "--type", "text", "--json"], ["compile", "--revision", "x", "--json"]])
def test_wrong_usage_as_json(command: Command, words: list[str]) -> None:
    """With ``--json`` a command line that means nothing is told as JSON, too."""
    result = command(*words)
    assert (result.code, result.err) == (2, "")
    assert "argument" in result.json["error"]
    assert "--help" in result.json["hint"]


@pytest.mark.parametrize(
    ("words", "wrong", "meant"),
    [
        ("compile flags.json out.fcs", "'out.fcs' is one word too many", "-o flags.fcs"),
        ("inspect flags.json checkout.new", "'checkout.new' is one word too many", "--flag checkout.new"),
        ("bench flags.json checkout.new", "'checkout.new' is one word too many", "--flag checkout.new"),
        ("test flags.json checkout.new", "checkout.new: there is no such file or directory", "--flag checkout.new"),
        ("keys new", "the following arguments are required: KEYRING", "keys new keyring.json --environment production"),
        ("publish flags.json production", "'production' is one word too many", "--bind 'tcp://*:7440'"),
        ("watch tcp://h:1 production", "'production' is one word too many", "flagcore watch tcp://flags.internal:7440"),
        ("schema schema.json", "'schema.json' is one word too many", "-o flags.schema.json"),
        ("validate flags.json --formt github", "there is no option --formt", "did you mean --format?"),
        ("validate flags.json --formt=github", "there is no option --formt=github", "did you mean --format?"),
        ("eval flags.json a --frob", "there is no option --frob", "flagcore eval --help lists the options"),
        ("--frob eval flags.json a", "--frob stands before the verb", "the verb comes first: flagcore eval ..."),
        ("--frob", "there is no option --frob", "flagcore --help lists the options"),
        ("eval flags.json a --at", "argument --at: expected one argument", "flagcore eval --help lists the options"),
    ],
)
def test_every_refusal_says_what_to_do(command: Command, words: str, wrong: str, meant: str) -> None:
    """Words too many and options that do not exist are named, with the option that is meant or the words that are taken."""
    command.write("flags.json", SHOP)
    code, out, err = command(*words.split())
    assert (code, out) == (2, "")
    first, second = err.splitlines()
    assert wrong in first
    assert second.endswith(meant)


@pytest.mark.parametrize("verb", ["validate", "test", "compile", "inspect"])
def test_no_flags_anywhere(command: Command, verb: str) -> None:
    """Without a path and without flags in the folder the error says how to name them."""
    code, _, err = command(verb)
    assert code == 2
    assert "FLAGCORE_SOURCE" in err


def test_unknown_verbs(command: Command) -> None:
    """A verb that is none is told with the nearest one, or all."""
    assert "did you mean validate?" in command("valdate").err
    assert "verbs are validate, test" in command("zzz").err


def test_compiled_files_are_found_last(command: Command) -> None:
    """A compiled file that lies beside what it was made from never hides it."""
    command.write("flags.json", SHOP)
    assert command("compile").code == 0
    assert [command(verb).code for verb in ("validate", "test", "inspect")] == [0, 0, 0]
    assert "flags.json" in command("inspect").out
    (command.folder / "flags.json").unlink()
    assert "flags.fcs" in command("inspect").out
    assert command("validate").code == 2


def test_where_flags_are_found(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path beats FLAGCORE_SOURCE, which beats flagcore.toml, which beats the usual names in the folder."""
    for name in ("flags.json", "of-toml.json", "of-environment.json", "given.json"):
        key = name.removesuffix(".json")
        command.write(name, {"schema": "flagcore/v1", "flags": {key: {"type": "boolean", "default": "on"}}})

    def found(*words: str) -> list[str]:
        return list(command("eval", "--all", "--json", *words).json)

    assert found() == ["flags"]
    command.write("flagcore.toml", "source = 'of-toml.json'\n")
    assert found() == ["of-toml"]
    monkeypatch.setenv("FLAGCORE_SOURCE", "of-environment.json")
    assert found() == ["of-environment"]
    assert found("given.json") == found("-f", "given.json") == ["given"]


def test_missing_path(command: Command) -> None:
    """A path at which there is nothing is wrong usage, in one line."""
    code, out, err = command("validate", "nowhere.yaml")
    assert (code, out) == (2, "")
    assert err.startswith("flagcore: error: nowhere.yaml: ")


def test_unreadable_output(command: Command) -> None:
    """What cannot be written is named."""
    command.write("flags.json", SHOP)
    code, _, err = command("schema", "-o", "no/such/folder/schema.json")
    assert code == 2
    assert "no/such/folder" in err


def test_errors_as_json(command: Command) -> None:
    """With ``--json`` an error is JSON on standard output too."""
    command.write("flags.json", SHOP)
    assert "error" in command("eval", "a", "b", "c", "--json").json
    command.write("broken.json", '{"schema": "flagcore/v1", "flags": {"a": {}}}')
    code, out, _ = command("eval", "broken.json", "a", "--json")
    assert code == 1
    assert '"problems"' in out


def test_broken_settings(command: Command) -> None:
    """A broken configuration file is named, not raised."""
    command.write("flagcore.toml", "source = 5\n")
    code, _, err = command("eval", "a")
    assert code == 2
    assert "flagcore.toml" in err


def test_bugs_are_one_line_unless_debugged(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unforeseen exception is one message; ``--debug`` shows where it came from."""
    from flagcore.cli import schema

    monkeypatch.setattr(schema, "write_json", lambda *_: 1 / 0)
    code, _, err = command("schema")
    assert code == 2
    assert "ZeroDivisionError" in err
    assert "--debug" in err
    with pytest.raises(ZeroDivisionError):
        command("schema", "--debug")


def test_interrupt(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control-C ends quietly with the code that shells expect."""
    from flagcore.cli import schema

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(schema, "write_json", interrupted)
    assert command("schema") == (128 + signal.SIGINT, "", "")


def test_as_a_process(tmp_path: Path) -> None:
    """The command works as a process of its own, with the exit code of its findings."""
    (tmp_path / "flags.json").write_text('{"schema": "flagcore/v1", "flags": {"a": {"type": "boolean"}}}')
    result = subprocess.run(
        [*COMMAND, "validate"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "\x1b" not in result.stdout
    assert result.stderr == ""


def test_closed_pipe(tmp_path: Path) -> None:
    """A reader that goes away ends the command without a word."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        result = subprocess.run(
            [*COMMAND, "schema"], cwd=tmp_path, env=ENVIRONMENT, stdout=pipe, stderr=subprocess.PIPE, check=False
        )
    assert (result.returncode, result.stderr) == (128 + signal.SIGPIPE, b"")


def test_colours_only_where_wanted(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """No escape sequences without a terminal; FORCE_COLOR insists, NO_COLOR has the last word."""
    command.write("flags.json", SHOP)
    assert "\x1b" not in command("validate").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" in command("validate").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in command("validate").out
