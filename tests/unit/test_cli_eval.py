"""``flagcore eval`` and ``flagcore explain``."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import SHOP, Command


@pytest.fixture(autouse=True)
def _flags(command: Command) -> None:
    command.write("flags.json", SHOP)


def test_value_with_its_reason(command: Command) -> None:
    """A flag is shown with value, variant, reason and rule."""
    code, out, _ = command("eval", "search.limit", "plan=pro")
    assert code == 0
    assert out.splitlines()[0] == "search.limit = 100"
    assert {word for line in out.splitlines() for word in line.split()} >= {"high", "TARGETING_MATCH", "pro"}


def test_details_as_json(command: Command) -> None:
    """``--json`` gives the details in OpenFeature's names."""
    details = command("eval", "flags.json", "search.limit", "plan=pro", "--json").json
    assert details["flag_metadata"].pop("flagcore.rule") == "pro"
    assert {key: value for key, value in details.items() if key != "flag_metadata"} == {
        "flag_key": "search.limit",
        "value": 100,
        "variant": "high",
        "reason": "TARGETING_MATCH",
        "error_code": None,
        "error_message": None,
    }


@pytest.mark.parametrize(
    ("words", "variant"),
    [
        (["country=DE", "age=17"], "off"),
        (["targetingKey=u-qa-1"], "on"),
        (["--context", '{"targetingKey": "u-qa-1"}'], "on"),
        (["-c", '{"targetingKey": "u-1"}', "targetingKey=u-qa-1"], "on"),
        (["-c", "@context.json"], "on"),
        (["country=AT", "--at", "2026-12-09T00:00:00Z"], "on"),
        (["country=AT", "--at", "2026-11-09T00:00:00+01:00"], "off"),
    ],
)
def test_contexts(command: Command, words: list[str], variant: str) -> None:
    """A context comes from pairs, from JSON, from a file, pairs last; the time from --at."""
    command.write("context.json", {"targetingKey": "u-qa-1"})
    assert command("eval", "flags.json", "checkout.new", *words, "--json").json["variant"] == variant


def test_context_from_standard_input(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """``@-`` reads the context from standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"plan": "pro"}')))
    assert command("eval", "search.limit", "-c", "@-", "--json").json["variant"] == "high"


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("a=42", 42),
        ("a=4.5", 4.5),
        ("a=true", True),
        ("a=null", None),
        ("a=DE", "DE"),
        ('a="42"', "42"),
        ("a=", ""),
        ("a=b=c", "b=c"),
        ('a=["x", 1]', ["x", 1]),
        ("a=NaN", "NaN"),
        ("a=007", "007"),
        ("a=[[", "[["),
        ("a=" + "[" * 5000, "[" * 5000),
    ],
)
def test_values_of_pairs(pair: str, value: object) -> None:
    """The value of a pair is JSON where it can be read so, else text."""
    from flagcore.cli.contexts import _pair

    assert _pair(pair) == ("a", value)


def test_targeting_key_is_always_text() -> None:
    """A targeting key of digits stays a text, as services send it."""
    from flagcore.cli.contexts import _pair

    assert _pair("targetingKey=42") == ("targetingKey", "42")


def test_all_flags(command: Command) -> None:
    """``--all`` shows every flag, ``--prefix`` those that start so."""
    code, out, _ = command("eval", "--all", "plan=pro")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        ["checkout.new", "false"],
        ["search.limit", "100"],
        ["search.model", '{"k":'],
    ]
    assert list(command("eval", "--all", "--prefix", "search.", "--json").json) == ["search.limit", "search.model"]


def test_prefixes_that_no_flag_has(command: Command) -> None:
    """Nothing to show is said, and is no finding; JSON has an empty object."""
    assert command("eval", "--all", "--prefix", "zz") == (0, "no flag's key begins with 'zz'\n", "")
    assert command("eval", "--all", "--prefix", "zz", "--json").json == {}


def test_a_folder_in_place_of_a_flag(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lone word that is a folder gets a hint how to name flags in it, whether or not there are flags elsewhere."""
    (tmp_path / "mine").mkdir()
    code, out, _ = command("eval", "mine")
    assert code == 1
    assert "mine is a folder here: write the flag's key behind it" in out
    (tmp_path / "empty" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "empty")
    for verb in ("eval", "explain"):
        code, _, err = command(verb, "mine")
        assert code == 2
        assert "which flag?" in err
        assert "mine is a folder here" in err
    code, _, err = command("eval", "other")
    assert code == 2
    assert f"there is no flags, flags.yaml, flags.yml, flags.json, flags.toml or flags.fcs in {Path.cwd()}" in err


def test_types_and_default_values(command: Command) -> None:
    """``--type`` asks as a getter of that type does; ``--default`` is what callers would pass."""
    code, out, _ = command("eval", "search.limit", "--type", "string", "--default", '"x"', "--json")
    assert code == 1
    assert '"TYPE_MISMATCH"' in out
    assert '"x"' in out
    assert command("eval", "search.limit", "--type", "float", "--json").json["value"] == 10.0


def test_unknown_flag(command: Command) -> None:
    """An unknown flag is a finding, with the nearest key as a hint."""
    code, out, _ = command("eval", "checkout.nwe")
    assert code == 1
    assert "FLAG_NOT_FOUND" in out
    assert "did you mean checkout.new?" in out


def test_compiled_file(command: Command) -> None:
    """A compiled file answers as the files it was made from."""
    assert command("compile", "flags.json").code == 0
    words = ["search.limit", "plan=pro", "--at", "2026-12-09T00:00:00Z"]
    assert command("eval", "flags.fcs", *words) == command("eval", "flags.json", *words)
    assert command("explain", "flags.fcs", *words) == command("explain", "flags.json", *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["eval"], "which flag"),
        (["explain", "country=DE"], "which flag"),
        (["eval", "flags.json"], "which flag"),
        (["eval", "./flags.json", "country=DE"], "which flag"),
        (["eval", "flags.json", "checkout.new", "DE"], "one word too many"),
        (["eval", "checkout.new", "DE"], "[PATH] FLAG [KEY=VALUE ...]"),
        (["eval", "flags.json", "checkout.new", "=DE"], "no attribute name"),
        (["eval", "checkout.new", "-c", "{"], "no JSON"),
        (["eval", "checkout.new", "-c", "[1]"], "JSON object"),
        (["eval", "checkout.new", "-c", "[" * 10_000], "no JSON"),
        (["eval", "checkout.new", "-c", "@missing.json"], "missing.json"),
        (["eval", "checkout.new", "-c", "@flags.json", "--at", "tomorrow"], "no time"),
        (["eval", "checkout.new", "--at", "2026-12-01"], "no time"),
        (["eval", "checkout.new", "--default", "{"], "no JSON"),
        (["eval", "checkout.new", "--prefix", "a"], "--all"),
        (["eval", "checkout.new", "--type", "text"], "invalid choice"),
        (["eval", "-f", "tcp://flags:7440", "checkout.new"], "works on files"),
    ],
)
def test_wrong_usage(command: Command, words: list[str], message: str) -> None:
    """A command line that cannot be carried out is 2, with one clear message."""
    code, _, err = command(*words)
    assert code == 2
    assert message in err


@pytest.mark.parametrize("word", ["x=\ud800", "\ud800", "a=\x00", "\U0001f600=1", "x" * 100_000])
def test_odd_words_do_no_harm(command: Command, word: str) -> None:
    """Lone surrogates, control characters and very long words are data, or wrong usage, like any other."""
    code, _, err = command("eval", "flags.json", "search.limit", word)
    assert code == (0 if "=" in word else 2)
    assert "bug" not in err


@pytest.mark.parametrize("words", [["--json"], []])
@pytest.mark.parametrize("key", ["\udcff", "a\x00b", "\U0001f600", "x" * 10_000])
def test_odd_flag_keys_do_no_harm(command: Command, key: str, words: list[str]) -> None:
    """A flag key that no flag can have is an unknown flag, and can be printed."""
    code, out, err = command("eval", "flags.json", key, *words)
    assert (code, err) == (1, "")
    assert "FLAG_NOT_FOUND" in out


def test_explain(command: Command) -> None:
    """``explain`` shows the rules in the author's words, and the bucket."""
    code, out, _ = command("explain", "checkout.new", "targetingKey=u-1", "country=DE", "age=30")
    assert code == 0
    assert "germany" in out
    assert 'country == "DE"' in out
    assert "%" in out


def test_explanations_in_colours(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Truth values and the answer are coloured, and nothing else of the text changes."""
    words = ["explain", "checkout.new", "country=DE", "age=3", "--at", "2026-12-09T00:00:00Z"]
    plain = command(*words).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    painted = command(*words).out
    assert "\x1b[31mfalse\x1b[0m" in painted
    assert re.sub(r"\x1b\[\d+m", "", painted) == plain


def test_explain_as_json(command: Command) -> None:
    """``--json`` gives the explanation as data."""
    explained: dict[str, Any] = command("explain", "checkout.new", "targetingKey=u-qa-1", "--json").json
    assert "qa" in str(explained)


def test_explain_unknown_flag(command: Command) -> None:
    """Explaining an unknown flag is a finding."""
    assert command("explain", "nope").code == 1


@pytest.mark.parametrize("words", [("eval", "sound"), ("explain", "sound")])
def test_an_error_anywhere_stops_a_question(command: Command, words: tuple[str, str]) -> None:
    """A flag is not evaluated while another of its set is not valid; errors and warnings are those of ``validate``."""
    twice = {"id": "twice", "when": 'country in ["DE", "DE"]', "serve": "on"}
    flags = {
        "sound": {"type": "boolean", "default": "on"},
        "other": {"type": "boolean", "default": "maybe", "rules": [twice]},
    }
    command.write("flags.json", {"schema": "flagcore/v1", "flags": flags})
    verb, key = words
    problems = command(verb, "flags.json", key, "--json").json["problems"]
    assert [problem["code"] for problem in problems] == ["unknown-variant", "duplicate-constant"]
    assert problems == command("validate", "flags.json", "--json").json["sets"][0]["problems"]


def test_damage_elsewhere_in_a_compiled_file(command: Command) -> None:
    """One flag is answered from the sound part of a damaged compiled file; whatever needs the damaged part is refused."""
    assert command("compile", "flags.json", "-o", "flags.fcs").code == 0
    path = command.folder / "flags.fcs"
    content = path.read_bytes()
    index = int.from_bytes(content[-40:-32], "little")
    path.write_bytes(content[:60] + b"?" + content[61:])  # of the first block of programs
    refused = command("eval", "flags.fcs", "search.limit", "plan=pro")
    assert (refused.code, refused.out) == (1, "")
    assert "flags.fcs: the block of 'checkout.new' cannot be read" in refused.err
    path.write_bytes(content[:24] + bytes(32) + content[56:])  # the digest of the whole
    assert command("eval", "flags.fcs", "search.limit", "plan=pro", "--json").json["value"] == 100
    assert "corrupt" in command("eval", "flags.fcs", "--all").err
    path.write_bytes(content[: -40 - index] + b"?" + content[-39 - index :])
    assert "index cannot be read" in command("eval", "flags.fcs", "search.limit").err
