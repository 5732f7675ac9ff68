"""How the command writes: JSON of anything, tables, progress."""

from __future__ import annotations

import io
import json
import sys

import pytest

from flagcore.cli import output
from flagcore.errors import Problem, Severity


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "value",
    [None, True, 1.5, "é", [1, {"a": "b"}], {"deep": [[[]]]}, 2**70, -(2**70), "\ud800", {"\udcff": 1}],
)
def test_json_of_anything(value: object) -> None:
    """Every value that flags and contexts can hold has a JSON, the odd ones too, and reads back."""
    assert json.loads(output.short_json(value)) == value
    assert "\n" not in output.short_json(value)


def test_json_of_records() -> None:
    """Records are written with their fields."""
    text = output.short_json([Problem(code="c", message="m")])
    assert json.loads(text) == [{"code": "c", "message": "m"}]


def test_json_of_unknown_objects() -> None:
    """An object without a JSON is written as its repr."""
    assert "object object" in output.short_json({"a": object()})


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns are as wide as their widest cell; numbers stand to the right; no blanks end a line."""
    output.print_table(("name", "n"), [("a", "1"), ("longer", "1,000")], numbers=(1,))
    assert capsys.readouterr().out == "name        n\na           1\nlonger  1,000\n"


def test_table_without_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """A table without rows is its head."""
    output.print_table(("name", "n"), [])
    assert capsys.readouterr().out == "name  n\n"


def test_problems_in_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the word of a problem's severity is coloured, once."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    problems = [Problem(code="c", message="error: error:", severity=kind) for kind in Severity]
    output.print_problems(problems, terminal)
    red, yellow = terminal.getvalue().splitlines()
    assert red.startswith("\x1b[31merror:\x1b[0m error: error:")
    assert yellow.startswith("\x1b[33mwarning:\x1b[0m error: error:")


@pytest.mark.parametrize(
    ("seconds", "shown"), [([0, 0.5, 0.9], ""), ([0, 1.5, 1.55, 1.7], "\r\x1b[Kwork 1 of 3\r\x1b[Kwork 3 of 3")]
)
def test_progress(monkeypatch: pytest.MonkeyPatch, seconds: list[float], shown: str) -> None:
    """Progress shows from one second on, ten times a second at most."""
    times = iter(seconds)
    monkeypatch.setattr(output.time, "monotonic", lambda: next(times))
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    step = output.progress("work")
    for done in range(1, len(seconds)):
        step(done, 3 + (done == 3))
    assert terminal.getvalue().replace("of 4", "of 3") == shown


def test_progress_is_wiped_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last step wipes the line."""
    times = iter([0, 2, 3])
    monkeypatch.setattr(output.time, "monotonic", lambda: next(times))
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    step = output.progress("work")
    step(1, 2)
    step(2, 2)
    assert terminal.getvalue() == "\r\x1b[Kwork 1 of 2\r\x1b[K"


def test_no_progress_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal nothing is shown, however long it takes."""
    times = iter([0, 100])
    monkeypatch.setattr(output.time, "monotonic", lambda: next(times))
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    output.progress("work")(1, 2)
    assert stream.getvalue() == ""


@pytest.mark.parametrize(("number", "text"), [(0, "0 flags"), (1, "1 flag"), (2000, "2,000 flags")])
def test_counted(number: int, text: str) -> None:
    """Numbers stand with their noun."""
    assert output.counted(number, "flag") == text
