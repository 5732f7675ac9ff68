"""The project's own tools: what they refuse, and that they refuse it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import readme_figures, yellow_lines

COOL = "cdef int f(int x) noexcept nogil:\n    # hot: begin\n    return x + 1\n    # hot: end\ndef g(a):\n    return f(a)\n"
WARM = COOL.replace("return x + 1", "return len(str(x))").replace(" noexcept nogil", "")


@pytest.fixture
def listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function from Cython source to its scored lines."""
    (tmp_path / "src").mkdir()
    monkeypatch.setattr(yellow_lines, "ROOT", tmp_path)
    monkeypatch.setattr(yellow_lines, "LISTINGS", tmp_path / "listings")
    monkeypatch.setattr(yellow_lines, "directives", lambda: {"language_level": 3})

    def lines(text: str) -> list[yellow_lines.Line]:
        source = tmp_path / "src" / "face.pyx"
        source.write_text(text)
        return yellow_lines.read(yellow_lines.annotate(source))

    return lines


def test_a_hot_line_of_plain_c_passes(listing):
    """Hot lines that score 0 are no complaint, and are seen as hot."""
    lines = listing(COOL)
    assert [line.text.strip() for line in lines if line.hot and line.function == "f" and "return" in line.text] == [
        "return x + 1"
    ]
    assert yellow_lines.hot_complaints("face", lines) == []


def test_a_hot_line_that_touches_the_interpreter_is_named(listing):
    """A hot line with a score is a complaint with its place."""
    (complaint,) = yellow_lines.hot_complaints("face", listing(WARM))
    assert complaint.startswith("face.pyx:3: hot, scores ")


def test_a_face_without_hot_lines_is_refused(listing):
    """Marks cannot be lost without notice."""
    assert yellow_lines.hot_complaints("face", listing("def g(a):\n    return a\n"))


def test_a_rise_above_the_budget_is_named(listing):
    """A function that scores more than it did is a complaint, one that scores less is none."""
    spent = {"face": yellow_lines.budgets_of(listing(COOL))}
    assert set(spent["face"]) == {"f", "g"}
    assert yellow_lines.budget_complaints(spent, spent) == []
    lower = {"face": {**spent["face"], "g": spent["face"]["g"] - 1}}
    assert len(yellow_lines.budget_complaints(spent, lower)) == 1


def test_directives_are_those_of_the_build():
    """The listing is made with the directives that setup.py builds with."""
    assert yellow_lines.directives()["boundscheck"] is False


def test_figures_are_rendered_from_a_record():
    """A record becomes rows with nanoseconds and ratio, and the command that measured them."""
    rows = [
        {"name": "W1", "ns": 17.24, "ratio": 1.43, "bare_ratio": 2.96},
        {"name": "W1 by hand", "ns": 18.0, "ratio": 1.5},
    ]
    report = {"python": "3.11.7", "processor": "P", "date": "2026-01-01", "floor_ns": 11.6, "rows": rows}
    text = readme_figures.rendered(report)
    assert "| a static flag; `if` by hand 18 ns | 17 | 1.4 | 3.0 |" in text
    assert text.endswith("CPython 3.11.7, P, 2026-01-01; `python -m benchmarks.run`.\n")
