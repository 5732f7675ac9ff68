"""Problems that only building can tell name file, line and column, as those of reading do."""

from __future__ import annotations

from pathlib import Path

import pytest

import flagcore
from flagcore.cli.validate import check
from flagcore.compiler import Options, compile_flag_set
from flagcore.errors import FlagSetError, Problem
from flagcore.model import load
from flagcore.model.places import placed

_DEAR = "(a|b)*a(a|b){40}"
_FLAGS = f"""\
schema: flagcore/v1
flags:
  checkout.new:
    type: boolean
    default: off
    rules:
      - {{id: well, when: 'x matches "ab+"', serve: on}}
      - id: dear
        when: 'has(x) and x matches "{_DEAR}"'
        serve: on
  nested:
    type: boolean
    default: off
    rules:
      - {{id: r, when: segment("odd"), serve: on}}
"""
_SEGMENTS = '{"schema": "flagcore/v1",\n "segments": {"odd": {"when": "not (x matches \\"' + _DEAR + '\\")"}}}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, in each of which a pattern stands that needs an automaton beyond its budget."""
    (tmp_path / "flags.yaml").write_text(_FLAGS, encoding="utf-8")
    (tmp_path / "segments.json").write_text(_SEGMENTS, encoding="utf-8")
    return tmp_path


def _places(problems: tuple[Problem, ...]) -> list[tuple[str, int | None, int | None, str]]:
    return [
        (Path(problem.file or "").name, problem.line, problem.column, problem.path)
        for problem in problems
        if problem.code == "automaton-too-large"
    ]


_EXPECTED = [
    ("flags.yaml", 9, 1 + _FLAGS.splitlines()[8].index('"'), "flags.checkout.new.rules[1].when"),
    ("segments.json", 2, 1 + _SEGMENTS.splitlines()[1].index('"not'), "segments.odd.when"),
]


def test_validate_names_the_place_of_a_pattern(folder: Path) -> None:
    """At the pattern's own quotation mark where the text stands in the file as it is, else at the condition."""
    assert _places(check(str(folder)).problems) == _EXPECTED


def test_connect_names_the_place_of_a_pattern(folder: Path) -> None:
    """A service that cannot start says where to look."""
    with pytest.raises(FlagSetError) as caught:
        flagcore.connect(str(folder), watch=False)
    assert _places(caught.value.problems) == _EXPECTED
    assert "flags.yaml:9:" in str(caught.value)


@pytest.mark.parametrize("now_there", [None, "flags: [", "schema: flagcore/v1\nflags: {other: {}}\n", "\0"])
def test_files_that_have_changed_meanwhile(folder: Path, now_there: str | None) -> None:
    """What a file no longer tells goes without a place; nothing else is raised."""
    loaded = load(folder)
    file = folder / "flags.yaml"
    file.unlink() if now_there is None else file.write_text(now_there, encoding="utf-8")
    with pytest.raises(FlagSetError) as caught, placed(loaded.files):
        compile_flag_set(loaded.flag_set, options=Options(automaton_states=50))
    assert _places(caught.value.problems) == [_EXPECTED[1], ("", None, None, "flags.checkout.new.rules[1].when")]


def test_what_is_too_large_as_a_whole_is_placed_at_the_flag(folder: Path) -> None:
    """A problem of the flag, not of one rule, points at the flag's beginning."""
    loaded = load(folder)
    with pytest.raises(FlagSetError) as caught, placed(loaded.files):
        compile_flag_set(loaded.flag_set, options=Options(literal_runs=1, automaton_states=50))
    (problem,) = (problem for problem in caught.value.problems if problem.code == "too-many-tests")
    assert (Path(problem.file or "").name, problem.line, problem.path) == ("flags.yaml", 4, "flags.checkout.new")
