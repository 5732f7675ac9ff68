"""The judgement of ``make bench-gate``, on made figures, and the walks that it counts: no instructions are counted here."""

from __future__ import annotations

import argparse
import json
import subprocess
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.gate import __main__ as gate
from benchmarks.gate.baseline import BASELINE, TOLERANCE, Baseline, read_baseline, write_baseline
from benchmarks.gate.growth import CONTEXTS, SETS
from benchmarks.gate.inputs import write_inputs
from benchmarks.gate.reference import MissingReference
from benchmarks.walkers.program_walker import Walker
from benchmarks.workloads.growth import FLAG, contexts, rule_set
from flagcore.cli.figures import compare
from flagcore.compiler import compile_flag_set
from flagcore.compiler.reader import ProgramReader
from flagcore.model import build_flag_set
from tests.support.kernel_library import ROOT, SOURCES, build

OLD = {"W1: instructions a call": 100.0, "W1: blocks kept a call": 0.0, "W1: program bytes": 232}
WALKER = ROOT / "benchmarks/gate/kernel_walk.c"
TOOLS = {"compiler": "cc 1", "cpython": "3.11", "libc": "glibc 2", "valgrind": "3", "machine": "x86_64"}


@pytest.fixture
def baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A baseline of its own, counted with tools that are this machine's."""
    path = tmp_path / "baseline.json"
    write_baseline(Baseline(TOOLS, OLD, []), path)
    monkeypatch.setattr(gate, "read_baseline", lambda: read_baseline(path))
    monkeypatch.setattr(gate, "write_baseline", lambda found: write_baseline(found, path))
    monkeypatch.setattr(gate, "tool_chain", lambda: TOOLS)
    return path


def judge(figures: dict[str, float], **options: object) -> int:
    """Return the verdict about measured figures."""
    return gate._judge(figures, argparse.Namespace(**{"against": None, "allow_missing": False, **options}))


def test_equal_figures_pass(baseline: Path) -> None:
    """What did not change, or by 2 % at most, passes."""
    assert judge(OLD) == gate.FINE
    assert judge({**OLD, "W1: instructions a call": 102.0}) == gate.FINE


@pytest.mark.parametrize(
    ("name", "new", "said"),
    [
        ("W1: instructions a call", 102.1, "100.0 -> 102.1 (+2.1 %)"),
        ("W1: blocks kept a call", 1.0, "0.0 -> 1.0 (+inf %)"),
        ("W1: program bytes", 240, "232.0 -> 240.0 (+3.4 %)"),
    ],
)
def test_a_rise_fails(baseline: Path, capsys: pytest.CaptureFixture[str], name: str, new: float, said: str) -> None:
    """More than 2 % above fails, and names workload, old, new and how much."""
    assert judge({**OLD, name: new}) == gate.RISEN
    assert f"ROSE  {name}: {said}" in capsys.readouterr().out


def test_a_fall_and_a_new_figure_pass(baseline: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What got cheaper passes and is said, with the command that keeps it."""
    assert judge({**OLD, "W1: instructions a call": 90.0, "W2: nodes": 1}) == gate.FINE
    out = capsys.readouterr().out
    assert "fell  W1: instructions a call: 100.0 -> 90.0 (-10.0 %)" in out
    assert "new   W2: nodes" in out
    assert "make bench-baseline" in out


def test_a_figure_that_is_gone_fails(baseline: Path) -> None:
    """A workload cannot pass by not being measured."""
    assert judge({"W1: program bytes": 232}) == gate.RISEN


def test_without_the_reference_counts_are_not_compared(
    baseline: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under other tools and without history, sizes are still judged; counts are said to be unjudged, with exit code 2 unless allowed."""

    def shallow() -> str:
        raise MissingReference("this clone is shallow")

    monkeypatch.setattr(gate, "tool_chain", lambda: {**TOOLS, "compiler": "cc 2"})
    monkeypatch.setattr(gate, "commit_of_baseline", shallow)
    dearer = {**OLD, "W1: instructions a call": 200.0}
    assert judge(dearer) == gate.NOT_COMPARED
    assert "counts of instructions are NOT compared: this clone is shallow" in capsys.readouterr().err
    assert judge(dearer, allow_missing=True) == gate.FINE
    assert judge({**OLD, "W1: program bytes": 500}, allow_missing=True) == gate.RISEN


def test_an_update_wants_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """``--update`` alone, or with an empty reason, is wrong usage: nothing is measured."""
    for words in (["--update"], ["--update", "--because", " "]):
        with pytest.raises(SystemExit) as end:
            gate.main(words)
        assert end.value.code == 2
    assert "--because" in capsys.readouterr().err


def test_an_update_keeps_why(baseline: Path) -> None:
    """Each figure that rose gets a line with its old and new value and the reason; older lines stay."""
    gate._update({**OLD, "W1: instructions a call": 110.0}, "rules name regions now")
    gate._update({**OLD, "W1: instructions a call": 110.0, "W1: program bytes": 240}, "regions have names")
    found = read_baseline(baseline)
    assert found.figures["W1: instructions a call"] == 110.0
    assert [(each["figure"], each["old"], each["new"], each["why"]) for each in found.changes] == [
        ("W1: instructions a call", 100.0, 110.0, "rules name regions now"),
        ("W1: program bytes", 232, 240, "regions have names"),
    ]


def test_the_walks_that_are_counted_are_the_right_ones(tmp_path: Path) -> None:
    """The harness that callgrind counts walks lists, texts and numbers to the leaves that the plain walker finds."""
    family, size = SETS["growth tags 10"]
    snapshot = compile_flag_set(build_flag_set(rule_set(family, size)).flag_set, debug=False).snapshot
    given = list(islice(contexts(family, size), CONTEXTS))
    (tmp_path / "tags").mkdir()
    write_inputs(tmp_path / "tags", snapshot.programs[FLAG], snapshot.value_sets, given)
    harness = build("kernel_walk", ["-std=gnu11", WALKER, *SOURCES], [WALKER])
    printed = subprocess.run([harness, tmp_path, "tags"], capture_output=True, check=True).stdout
    program = ProgramReader(snapshot.programs[FLAG])
    endings = [Walker({}, snapshot.value_sets, context).walk(program) for context in given]
    assert int(printed) == 1000 // CONTEXTS * sum(program.leaves.index(ending.leaf) for ending in endings)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"tool_chain": {}, "figures": {"a": "x"}, "changes": []}', "[" * 10**5]
)
def test_a_malformed_baseline_is_named(tmp_path: Path, text: str) -> None:
    """A file that is no baseline is refused by name."""
    path = tmp_path / "baseline.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"baseline\.json: not a baseline"):
        read_baseline(path)


def test_the_committed_baseline_names_its_tools() -> None:
    """The committed file is whole: tools, figures of every kind, and changes with reasons."""
    found = read_baseline(BASELINE)
    assert set(found.tool_chain) == set(TOOLS)
    assert compare(found.figures, found.figures, TOLERANCE) == ([], [], [], [])
    assert {
        "W1: instructions a call",
        "W4: instructions a walk",
        "W8: program bytes",
        "W4: instructions to compile",
        "W1: instructions a call from C, context reused",
        "growth realistic 1000: tests an evaluation",
        "growth six 100: instructions a walk",
    } <= set(found.figures)
    assert all(change["why"] for change in found.changes)
    assert json.loads(BASELINE.read_text())["figures"] == found.figures
