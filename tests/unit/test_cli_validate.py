"""``flagcore validate`` and ``flagcore schema``."""

from __future__ import annotations

import json

import pytest

from tests.support.command import SHOP, Command

BROKEN = """\
schema: flagcore/v1
flags:
  checkout.new:
    type: boolean
    default: offf
    rules:
      - {id: a, when: 'country = "DE"', serve: on}
"""
WARNED = {
    "schema": "flagcore/v1",
    "flags": {
        "a": {
            "type": "boolean",
            "default": "off",
            "rules": [{"id": "all", "serve": "on"}, {"id": "never", "serve": "off"}],
        }
    },
}


def test_valid_set(command: Command) -> None:
    """A valid set is one line with its size, and 0."""
    command.write("flags.json", SHOP)
    assert command("validate", "flags.json") == (0, "flags.json: valid: 3 flags, 1 segment\n", "")


def test_every_problem_with_its_place(command: Command) -> None:
    """All problems are printed with file, line and column, path and hint, and the exit code is 1."""
    command.write("flags.yaml", BROKEN)
    code, out, _ = command("validate", "flags.yaml")
    assert code == 1
    assert "flags.yaml:5:" in out
    assert "flags.yaml:7:" in out
    assert "flags.checkout.new.default" in out
    assert "2 errors" in out


def test_problems_as_json(command: Command) -> None:
    """``--json`` and ``--format json`` give the same records."""
    command.write("flags.yaml", BROKEN)
    code, out, _ = command("validate", "flags.yaml", "--json")
    assert (code, out) == command("validate", "flags.yaml", "--format", "json")[:2]
    (result,) = json.loads(out)["sets"]
    assert (result["path"], result["valid"]) == ("flags.yaml", False)
    assert {(problem["line"], problem["path"]) for problem in result["problems"]} == {
        (5, "flags.checkout.new.default"),
        (7, "flags.checkout.new.rules[0].when"),
    }


def test_annotations_for_github(command: Command) -> None:
    """``--format github`` prints one workflow command a problem, with line ends and colons escaped."""
    command.write("flags.yaml", BROKEN)
    code, out, _ = command("validate", "flags.yaml", "--format", "github")
    lines = out.splitlines()
    assert code == 1
    assert len(lines) == 2
    assert lines[0].startswith("::error file=flags.yaml,line=5,col=")
    assert "%0A" in lines[0]


def test_several_sets(command: Command) -> None:
    """Each path is a set of its own; one that is broken makes the whole 1."""
    command.write("good.json", SHOP)
    command.write("bad.yaml", BROKEN)
    code, out, _ = command("validate", "good.json", "bad.yaml")
    assert code == 1
    assert "good.json: valid" in out
    assert "bad.yaml: not valid" in out
    assert command("validate", "good.json", "good.json").code == 0


def test_warnings_count_when_strict(command: Command) -> None:
    """Warnings are shown and do no harm; with ``--strict`` they are findings."""
    command.write("flags.json", WARNED)
    code, out, _ = command("validate")
    assert code == 0
    assert "unreachable-rule" in out
    assert "1 warning" in out
    assert command("validate", "--strict").code == 1


def test_a_compiled_file_has_no_rules_to_check(command: Command) -> None:
    """A compiled file is refused as wrong usage, with the reason."""
    command.write("flags.json", SHOP)
    assert command("compile", "flags.json").code == 0
    code, _, err = command("validate", "flags.fcs")
    assert code == 2
    assert "compiled" in err


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x01\x02",
        b"\xff\xfe\xfd",
        b"[" * 100_000,
        b"{" * 100_000,
        b"a: &a [*a]\n",
        b"schema: flagcore/v1\nflags: !!python/object/apply:os.system [true]\n",
        b"schema: flagcore/v9\nflags: {}\n",
        b"- " * 1000,
        b"\t\t: :\n---\n...\n",
        b"schema: flagcore/v1\nflags: 5\n",
    ],
)
@pytest.mark.parametrize("suffix", ["yaml", "json", "toml"])
def test_hostile_files_are_findings(command: Command, content: bytes, suffix: str) -> None:
    """Whatever a file holds, validate ends with 1 and a message: no traceback, no hang."""
    command.write(f"flags.{suffix}", content)
    code, out, err = command("validate", f"flags.{suffix}")
    assert (code, err) == (1, "")
    assert "error" in out


def test_schema_is_json_schema(command: Command) -> None:
    """``schema`` prints a JSON Schema, and writes the same to a file."""
    code, out, _ = command("schema")
    assert code == 0
    assert "$schema" in json.loads(out)
    assert command("schema", "--output", "s.json") == (0, "", "")
    assert (command.folder / "s.json").read_text() == out
