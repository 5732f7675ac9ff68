"""The patterns shown in docs/guides/patterns.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.walkers.automaton_runner import matched_bits
from flagcore.compiler.patterns import AutomatonTooLarge, PatternTest, build_automata
from flagcore.model.regex import parse_pattern

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "patterns.md").read_text(encoding="utf-8")
CODE = re.compile(r"`([^`]+)`")


def _rows(heading: str) -> list[list[list[str]]]:
    """Return the table under a heading row: for each row and cell what stands between backquotes."""
    table = PAGE.split(heading + "\n", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    cells = [re.split(r"(?<!\\)\|", row.strip("|")) for row in table]
    return [[[code.replace(r"\|", "|") for code in CODE.findall(cell)] for cell in row] for row in cells]


def _matches(pattern: str, text: str) -> bool:
    return bool(matched_bits(build_automata([PatternTest(parse_pattern(pattern), 0)]), text.encode()))


@pytest.mark.parametrize(("pattern", "yes", "no"), _rows("| pattern | matches | does not match |"))
def test_examples_match_as_shown(pattern: list[str], yes: list[str], no: list[str]) -> None:
    """Each example matches the texts of its second column and not those of its third."""
    assert yes
    assert no
    assert [text for text in yes + no if _matches(pattern[0], text)] == yes


@pytest.mark.parametrize("row", _rows("| pattern | must remember | write |"))
def test_what_is_said_to_be_too_large_is_refused(row: list[list[str]]) -> None:
    """The examples of costly patterns are refused, and what is offered instead compiles."""
    with pytest.raises(AutomatonTooLarge, match=r"more than 10,000 states|takes too long"):
        _matches(row[0][0], "")
    for offered in row[2]:
        _matches(offered, "")


def test_what_is_said_to_be_harmless_compiles() -> None:
    """Patterns named as harmless are."""
    harmless = PAGE.split("Long counts are harmless", 1)[1].split("\n\n", 1)[0]
    patterns = CODE.findall(harmless)
    assert len(patterns) == 5
    for pattern in patterns:
        _matches(pattern, "a b a b")
