"""The judgement of ``make bench-against``, on made ratios: nothing is timed here."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from benchmarks import against, run
from benchmarks.against import Beside, judged, rendered
from benchmarks.gate import reference
from benchmarks.gate.reference import MissingReference

STEADY = [2.0, 2.01, 2.02, 1.99, 2.0]
NOISY = [2.0, 2.6, 1.9, 3.1, 2.2]


def slower(there: Sequence[float], here: Sequence[float], name: str = "W2") -> bool:
    """Return whether a row of these ratios is called slower at 10 %."""
    (row,) = judged({name: list(there)}, {name: list(here)}, 0.1)
    return row.slower


def times(factor: float, ratios: Sequence[float]) -> list[float]:
    """Return ratios that many times as large."""
    return [factor * each for each in ratios]


def test_a_steady_rise_is_slower() -> None:
    """More than the tolerance counts, less does not, and what got faster never does."""
    assert slower(STEADY, times(1.15, STEADY))
    assert not slower(STEADY, times(1.08, STEADY))
    assert not slower(STEADY, times(0.5, STEADY))


def test_noise_is_no_rise() -> None:
    """A median above the tolerance is no verdict while the middle halves of both sides' processes meet."""
    assert not slower(NOISY, times(1.15, NOISY))
    assert not slower(STEADY, [1.99, 2.0, 2.3, 2.4, 2.9])
    assert slower(NOISY, times(2, NOISY))


def test_one_slow_process_hides_nothing() -> None:
    """A process of the reference that was disturbed does not make a slower tree pass."""
    assert slower([*STEADY[:4], 9.0], times(1.2, STEADY))


def test_the_same_python_on_both_sides_is_never_slower() -> None:
    """Rows written by hand are shown as what the machine did, and judge nobody."""
    assert not slower(STEADY, times(2, STEADY), "W2 by hand")


def test_rows_of_one_side_are_left_out() -> None:
    """A workload that the reference does not have is not compared."""
    assert judged({}, {"W99": STEADY}, 0.1) == []


def test_the_verdict_names_what_is_slower() -> None:
    """The table marks the row, and its last line names the workloads."""
    rows = judged({"W1": STEADY, "W2": STEADY}, {"W1": STEADY, "W2": times(1.5, STEADY)}, 0.1)
    table = rendered("v1.0.0", rows, 0.1).splitlines()
    assert table[-1] == "FAILED, more than 10% slower than v1.0.0: W2"
    assert table[2].split() == ["W2", "2.00", "3.00", "1.50", "SLOWER"]
    assert rendered("v1.0.0", rows[:1], 0.1).splitlines()[-1].startswith("passed")


def run_against(monkeypatch: pytest.MonkeyPatch, rows: list[Beside], *words: str) -> int:
    """Return the exit code of a comparison that found these rows."""
    monkeypatch.setattr(against, "compared", lambda *_: rows)
    return run.main(["--against", "HEAD", *words])


def test_exit_codes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """0 where nothing is slower, 1 where something is, in text and as JSON."""
    fine, slow = Beside("W1", 1.0, 1.0, slower=False), Beside("W2", 2.0, 3.0, slower=True)
    assert run_against(monkeypatch, [fine]) == 0
    assert run_against(monkeypatch, [fine, slow]) == 1
    capsys.readouterr()
    assert run_against(monkeypatch, [slow], "--json") == 1
    assert json.loads(capsys.readouterr().out) == [
        {"name": "W2", "there": 2.0, "here": 3.0, "slower": True, "quotient": 1.5}
    ]


def test_a_reference_that_is_missing_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the commit, or any release to fall back on, nothing is measured and the exit code is 2."""

    def missing(*_: object) -> str:
        raise MissingReference("no release is tagged in this clone")

    monkeypatch.setattr(reference, "last_release", missing)
    assert run.main(["--against"]) == 2
    assert "no release is tagged" in capsys.readouterr().err
    assert run.main(["--against", "no-such-commit"]) == 2
