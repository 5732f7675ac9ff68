"""What the documents say is true of the project: links lead somewhere, examples load, programs print what they promise."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

import flagcore
from flagcore.errors import FlagSetError
from flagcore.model import load, loads, parse_expression
from flagcore.testing.scenarios import run_scenarios
from tests.support.processes import python

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("examples/**/*.md"),
        *ROOT.glob("bindings/**/*.md"),
        *ROOT.glob("benchmarks/**/*.md"),
    ]
)
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


def name_of(page: Path) -> str:
    """Return the page's path inside the project."""
    return page.relative_to(ROOT).as_posix()


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path):
    """Every relative link of a page names a file of the project, and a heading that is there."""
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        aim = (page.parent / path).resolve() if path else page
        assert aim.exists(), target
        assert aim.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(aim), target


def blocks(kind: str) -> list[object]:
    """Return the fenced blocks of a kind, over all guides and the README, each with the place where it stands."""
    found = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match[1].strip() == kind:
                line = text.count("\n", 0, match.start()) + 1
                found.append(pytest.param(match[2], id=f"{name_of(page)}:{line}"))
    return found


@pytest.mark.parametrize("text", blocks("yaml"))
def test_examples_are_valid(text: str):
    """Flag sets shown in the guides load without a warning, and the tests beside their rules pass."""
    if not text.startswith("schema:"):
        pytest.fail("an example is a whole document, so that it can be tried")
    loaded = loads(text, "yaml")
    assert loaded.problems == ()
    assert all(result.passed for result in run_scenarios(loaded.flag_set))


@pytest.mark.parametrize("text", blocks("yaml error"))
def test_examples_of_errors_are_refused(text: str):
    """What the guides call an error is one."""
    with pytest.raises(FlagSetError):
        loads(text, "yaml")


@pytest.mark.parametrize("text", blocks("conditions"))
def test_examples_of_conditions_parse(text: str):
    """Conditions shown in the guides are conditions, one a line."""
    for line in text.splitlines():
        parse_expression(line)


def test_the_quickstart_is_the_readme():
    """The README's ten lines are examples/quickstart.py, word by word."""
    shown = next(match[2] for match in FENCE.finditer((ROOT / "README.md").read_text()) if match[1] == "python")
    assert shown == (ROOT / "examples" / "quickstart.py").read_text()


def test_the_quickstart_prints_what_it_says():
    """The quickstart runs from the project's root and prints what its comments promise."""
    run = python("examples/quickstart.py", cwd=ROOT)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[:2] == ["True", "on TARGETING_MATCH staff"]
    assert lines[-1] == "False"
    assert any("launch" in line for line in lines[2:-1])
    assert run.stderr == ""


def test_the_readme_shows_what_the_command_prints():
    """Each command shown with its output in the README prints exactly that."""
    shown = [match[2] for match in FENCE.finditer((ROOT / "README.md").read_text()) if match[1] == "console"]
    assert shown
    for text in shown:
        command, _, output = text.partition("\n")
        run = python("-m", *command.removeprefix("$ ").split(), cwd=ROOT)
        assert run.stdout == output


def test_the_shop_is_sound():
    """The example shop has no problem, not even a warning, at least 25 flags of every type and purpose, and passes its tests."""
    loaded = load(ROOT / "examples" / "shop")
    flags = loaded.flag_set.flags.values()
    assert loaded.problems == ()
    assert len(flags) >= 25
    assert {flag.type.value for flag in flags} == {"boolean", "string", "integer", "float", "object"}
    assert {flag.purpose.value for flag in flags} == {"release", "experiment", "ops", "kill-switch", "permission"}
    failed = [result for result in run_scenarios(loaded.flag_set) if not result.passed]
    assert not failed


@pytest.mark.slow
def test_the_demo_runs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """`make demo` shows shares, an explanation and figures beside the floors, here for a few visitors."""
    from examples import demo

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", str(Path(flagcore.__file__).parent.parent))
    assert demo.main(visitor_count=300, rounds=1) == 0
    shown = capsys.readouterr().out
    assert "share of each variant" in shown
    assert "rule launch: MATCHED" in shown
    assert shown.count(" F\n") == len(demo.FLOORS) + len(demo.TIMED)


def test_every_page_is_listed():
    """The index of the documentation names every page of it, the decisions by their own index."""
    docs = ROOT / "docs"
    index = (docs / "README.md").read_text()
    pages = [page.relative_to(docs).as_posix() for page in docs.rglob("*.md") if page.parent.name != "decisions"]
    assert [name for name in pages if name != "README.md" and f"({name})" not in index] == []


def test_every_decision_is_listed():
    """The index of decisions names every record, and records are numbered once."""
    records = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    assert [name for name in records if f"({name})" not in index] == []
    numbers = [name[:4] for name in records]
    assert len(numbers) == len(set(numbers))
