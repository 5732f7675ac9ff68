"""``flagcore bench``: figures of each flag, baselines, and a gate that fails. Nothing here depends on valgrind or on the clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flagcore.cli.bench import Baseline, Measured, counts_compare
from flagcore.cli.bench_contexts import contexts_of
from flagcore.model import build_flag_set
from tests.support.command import SHOP, Command

QUICK = ("--no-instructions",)
TOOLS = {"flagcore": "1", "python": "3"}


@pytest.fixture(autouse=True)
def _flags(command: Command) -> None:
    command.write("flags.json", SHOP)


def changed(command: Command, **figures: Any) -> Path:
    """Write a baseline of today's figures in which those of ``checkout.new`` are replaced, and ratios are no obstacle."""
    assert command("bench", *QUICK, "--write", "base.json").code == 0
    data = json.loads(Path("base.json").read_text())
    for flag in data["flags"].values():
        flag["ratio"] = 1e9
    data["flags"]["checkout.new"].update(figures)
    return command.write("base.json", data)


def test_each_flag_is_measured(command: Command) -> None:
    """Every flag has its bytes, step bound, time and ratio; the dearest stands first."""
    result = command("bench", *QUICK, "--json")
    assert result.code == 0
    assert set(result.json["flags"]) == set(SHOP["flags"])
    for flag in result.json["flags"].values():
        assert flag["bytes"] > 100
        assert flag["ratio"] > 0
        assert flag["nanoseconds"] > 0
        assert flag["instructions"] is None
    text = command("bench", *QUICK).out
    assert text.split()[:8] == ["flag", "bytes", "steps", "ns", "x", "floor", "instructions", *text.split()[7:8]]
    assert "3 flags, " in text


def test_one_flag_one_context_one_time(command: Command) -> None:
    """Flags can be chosen by pattern, and measured with a context and at a time of the user's."""
    given = ("--context", '{"targetingKey": "u-1"}', "--at", "2026-12-09T00:00:00Z")
    result = command("bench", *QUICK, "--json", "--flag", "search.*", *given)
    assert set(result.json["flags"]) == {"search.limit", "search.model"}
    assert result.json["at"] == 1796774400000000


def test_a_written_baseline_passes(command: Command) -> None:
    """What was measured now is not above itself, ratios aside, which a busy machine moves."""
    changed(command)
    result = command("bench", *QUICK, "--gate", "base.json")
    assert result.code == 0
    assert "passed: 0 figures above base.json" in result.out
    assert "instructions are not compared, ratios are: not counted on both sides" in result.out


@pytest.mark.parametrize(("figures", "name"), [({"bytes": 100}, "bytes"), ({"ratio": 0.0001}, "ratio")])
def test_a_flag_that_got_big_or_slow_fails(command: Command, figures: dict[str, Any], name: str) -> None:
    """A figure above the tolerance fails with exit code 1, naming flag and figure; a wide tolerance lets it pass."""
    changed(command, **figures)
    result = command("bench", *QUICK, "--gate", "base.json")
    assert result.code == 1
    assert f"rose  checkout.new: {name}: " in result.out
    assert "failed: 1 figure above base.json" in result.out
    as_json = command("bench", *QUICK, "--gate", "base.json", "--json")
    assert as_json.code == 1
    assert [each["name"] for each in as_json.json["rises"]] == [f"checkout.new: {name}"]
    wide = ("--tolerance", "1000000", "--ratio-tolerance", "1000000")
    if name == "bytes":
        assert command("bench", *QUICK, "--gate", "base.json", *wide).code == 0


def test_new_and_removed_flags_are_listed(command: Command) -> None:
    """They fail nothing: there is nothing to compare them with."""
    changed(command)
    data = json.loads(Path("base.json").read_text())
    data["flags"]["old.flag"] = data["flags"].pop("search.model")
    command.write("base.json", data)
    result = command("bench", *QUICK, "--gate", "base.json")
    assert result.code == 0
    assert "new   search.model" in result.out
    assert "gone  old.flag" in result.out


def test_the_gate_evaluates_at_the_time_of_its_baseline(command: Command) -> None:
    """Windows that have opened since are no rise."""
    assert command("bench", *QUICK, "--at", "2026-12-09T00:00:00Z", "--write", "base.json").code == 0
    result = command("bench", *QUICK, "--gate", "base.json", "--ratio-tolerance", "1000000", "--json")
    assert result.json["at"] == 1796774400000000


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        b"\xff\xfe",
        '{"tool_chain": {}, "at": 1, "value_set_bytes": 0, "flags": {"a": 1}}',
    ],
)
def test_a_malformed_baseline_is_wrong_usage(command: Command, content: str | bytes) -> None:
    """One message that names the file, exit code 2."""
    command.write("base.json", content)
    result = command("bench", *QUICK, "--gate", "base.json")
    assert result.code == 2
    assert result.err.startswith("flagcore: error: base.json: not a baseline: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--gate", "none.json"), "none.json: No such file or directory"),
        (("--flag", "nothing"), "no flag is called nothing"),
        (("--tolerance", "-1"), "'-1' is not a number of percent"),
        (("--population", "0"), "'0' is not a whole number from 1 to 10,000"),
        (("--context", "{"), "the context is no JSON"),
    ],
)
def test_wrong_usage(command: Command, words: tuple[str, ...], said: str) -> None:
    """What cannot be carried out is said in one message, exit code 2."""
    result = command("bench", *QUICK, *words)
    assert result.code == 2
    assert said in result.err


def test_compiled_flags_want_a_context(command: Command) -> None:
    """A compiled file holds no tests to take contexts from; with one given it is measured."""
    assert command("compile", "flags.json", "-o", "flags.fcs").code == 0
    assert "no tests to take contexts from" in command("bench", "flags.fcs", *QUICK).err
    result = command("bench", "flags.fcs", *QUICK, "--context", '{"targetingKey": "u-1"}', "--json")
    assert set(result.json["flags"]) == set(SHOP["flags"])


def test_counts_compare_with_equal_tools_only() -> None:
    """Counts of another tool chain, or missing on one side, are not compared."""
    flag = Measured(bytes=1, steps=1, nanoseconds=1.0, ratio=1.0, instructions=100.0)
    base = Baseline(TOOLS, 0, 0, {"a": flag})
    assert counts_compare(base, base)
    assert not counts_compare(base, msgspec.structs.replace(base, tool_chain={**TOOLS, "python": "4"}))
    uncounted = msgspec.structs.replace(flag, instructions=None)
    assert not counts_compare(base, msgspec.structs.replace(base, flags={"a": uncounted}))


def test_contexts_depend_on_the_flag_alone() -> None:
    """Equal flags get equal contexts, tests first, whatever other flags say; segments and requirements are looked through."""
    alone = build_flag_set({**SHOP, "flags": {"checkout.new": SHOP["flags"]["checkout.new"]}}).flag_set
    contexts = contexts_of(build_flag_set(SHOP).flag_set, "checkout.new", 16)
    assert contexts == contexts_of(alone, "checkout.new", 16)
    assert contexts[0] == {"targetingKey": "u-qa-1"}
    assert len(contexts) == 1 + 1 + 8 + 16
    assert {"country", "age"} <= {name for context in contexts for name in context}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(contexts)) == contexts
