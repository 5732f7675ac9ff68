"""docs/reference/problems.md lists every problem code of the sources, and its examples are true."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from flagcore.errors import Severity
from flagcore.model.documents import Format
from tests.support.flag_texts import problems

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "problems.md").read_text("utf-8")
SECTION = re.compile(r"^### ([a-z-]+)\n\n(?:```(\w+)\n(.*?)```\n)?", re.MULTILINE | re.DOTALL)
EXAMPLES = [match.groups() for match in SECTION.finditer(PAGE) if match[2] in ("yaml", "json")]
WARNINGS = set(
    re.findall(r"^### (.*)$", PAGE.partition("## Warnings")[2].partition("## From building")[0], re.MULTILINE)
)

CODE = re.compile(r"[a-z]+(?:-[a-z]+)+")
SINGLE_WORDS = {"cycle", "encoding", "syntax"}
NO_CODES = {"kill-switch", "look-ahead", "look-behind", "flagcore-files", "utf-8-sig"}
"""Texts of the sources that look like codes: purposes, names of threads, encodings."""


def _codes_of(path: Path) -> set[str]:
    """Texts in kebab-case of modules that make problems, and every argument named ``code``."""
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    named = {
        keyword.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str)
    }
    makes_problems = "model" in path.parts or "Problem(" in source or "Refusal(" in source
    found = {text for text in texts if CODE.fullmatch(text) or text in SINGLE_WORDS} if makes_problems else set()
    return found | {code for code in named if CODE.fullmatch(code) or code in SINGLE_WORDS}


def test_every_code_is_listed():
    """The page has one section for each code that the sources use, and none that they do not use."""
    used: set[str] = set()
    for path in (ROOT / "src" / "flagcore").rglob("*.py"):
        if "cli" not in path.parts:
            used |= _codes_of(path)
    listed = re.findall(r"^### (.*)$", PAGE, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert used - NO_CODES - set(listed) == set()
    assert set(listed) - used == set()


@pytest.mark.parametrize(("code", "kind", "text"), EXAMPLES, ids=[code for code, _, _ in EXAMPLES])
def test_example(code: str, kind: Format, text: str):
    """The example gives the code, as an error or a warning as the page says, and nothing but that kind of problem."""
    found = problems(text, kind)
    assert code in {problem.code for problem in found}
    severity = Severity.WARNING if code in WARNINGS else Severity.ERROR
    assert {problem.severity for problem in found if problem.code == code} == {severity}
    assert {problem.code for problem in found} == {code}
