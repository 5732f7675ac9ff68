"""``flagcore test``."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from tests.support.command import SHOP, Command


def failing() -> dict[str, Any]:
    """Return the shop with one test that expects the wrong variant, in words that XML must escape."""
    shop = copy.deepcopy(SHOP)
    test = {"given": {"plan": 'p<r>&"o'}, "expect": "high", "rule": "pro"}
    shop["flags"]["search.limit"]["tests"] = [test]
    return shop


def test_all_pass(command: Command) -> None:
    """One line and 0 when every test passes; ``-v`` names them."""
    command.write("flags.json", SHOP)
    assert command("test") == (0, "3 tests of 1 flag: all passed\n", "")
    out = command("test", "flags.json", "-v").out
    assert out.count("passed") == 4
    assert "2,000 subjects" in out


def test_a_failure_shows_what_and_why(command: Command) -> None:
    """A failing test shows what was expected, what came, and the explanation; the exit code is 1."""
    command.write("flags.json", failing())
    code, out, _ = command("test")
    assert code == 1
    assert "FAILED  search.limit tests[0]" in out
    assert "expected  high by rule pro" in out
    assert "came      low, DEFAULT" in out
    assert 'plan == "pro"' in out
    assert "1 failed" in out


def test_selection(command: Command) -> None:
    """``--flag`` selects by key or pattern; a selection of nothing is wrong usage."""
    command.write("flags.json", failing())
    assert command("test", "--flag", "checkout.*").code == 0
    assert command("test", "--flag", "search.limit").code == 1
    assert command("test", "--flag", "nope").code == 2


def test_json(command: Command) -> None:
    """``--json`` gives every outcome with its explanation."""
    command.write("flags.json", failing())
    tests = command("test", "--json").json["tests"]
    assert [test["passed"] for test in tests] == [True, True, True, False]
    assert tests[3]["failing"] == {"plan": 'p<r>&"o'}
    assert tests[3]["explanation"]


def test_junit(command: Command) -> None:
    """``--junit`` writes a report that XML readers accept."""
    command.write("flags.json", failing())
    command("test", "--junit", "report.xml")
    suite = ElementTree.parse(command.folder / "report.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("4", "1")
    assert 'p<r>&\\"o' in (suite[3].get("name") or "")
    assert suite[3][0].text


def test_sets_without_tests(command: Command) -> None:
    """A set without tests is fine, and says so."""
    command.write("flags.json", {"schema": "flagcore/v1", "flags": {"a": {"type": "boolean", "default": "on"}}})
    assert command("test") == (0, "0 tests of 0 flags: none\n", "")


def test_time_of_tests_without_one(command: Command) -> None:
    """``--at`` is the time of tests that give none."""
    shop = copy.deepcopy(SHOP)
    shop["flags"]["checkout.new"]["tests"] = [{"given": {"country": "AT"}, "expect": "on"}]
    command.write("flags.json", shop)
    assert command("test", "--at", "2026-12-24T00:00:00Z").code == 0
    assert command("test", "--at", "2026-11-24T00:00:00Z").code == 1


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema": "flagcore/v1", "flags": {"a": {"tests": 5}}}'])
def test_flags_that_are_not_valid(command: Command, content: bytes) -> None:
    """Flags that are not valid are findings, with their problems."""
    command.write("flags.json", content)
    code, _, err = command("test")
    assert code == 1
    assert "error" in err
