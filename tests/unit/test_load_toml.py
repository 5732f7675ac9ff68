"""TOML documents: native times, null in `between`, places by lines."""

from __future__ import annotations

import pytest

from tests.support.flag_texts import problems, read

FLAG = """
[flags.a]
type = "boolean"
default = "off"
"""


def test_times_are_their_texts():
    """A native date-time with offset is its RFC 3339 text, and so in `between`, ramps and tests; a date is its text."""
    text = FLAG + (
        "expires = 2027-03-01\n"
        "tests = [{given = {since = 2026-12-01T09:00:00.25+01:00}, at = 2026-12-01T09:00:00Z, expect = 'off'}]\n"
        "[[flags.a.rules]]\nid = 'r'\nserve = 'on'\nbetween = [2026-12-01T09:00:00Z, 2026-12-24 18:00:00+01:00]\n"
        "ramp = [{at = 2026-12-01t09:00:00z, percent = 5}]\n"
    )
    flag = read(text, "toml").flag_set.flags["a"]
    assert flag.expires == "2027-03-01"
    assert flag.tests[0].at == "2026-12-01T09:00:00Z"
    assert flag.tests[0].given == {"since": "2026-12-01T09:00:00.250000+01:00"}
    assert flag.rules[0].between == ("2026-12-01T09:00:00Z", "2026-12-24T18:00:00+01:00")
    assert flag.rules[0].ramp is not None
    assert flag.rules[0].ramp[0].at == "2026-12-01T09:00:00Z"


def test_null_in_between():
    """TOML has no null: an empty string stands for it in `between`, in TOML only."""
    rule = "[[flags.a.rules]]\nid = 'r'\nserve = 'on'\nbetween = ['', 2026-12-01T09:00:00Z]\n"
    assert read(FLAG + rule, "toml").flag_set.flags["a"].rules[0].between == (None, "2026-12-01T09:00:00Z")
    yaml_text = "flags: {a: {type: boolean, default: off, rules: [{id: r, serve: on, between: ['', null]}]}}"
    assert [problem.code for problem in problems(yaml_text)] == ["bad-time"]


def test_times_without_offset():
    """A local date-time is no time."""
    rule = "[[flags.a.rules]]\nid = 'r'\nserve = 'on'\nbetween = [2026-12-01T09:00:00, '']\n"
    assert [problem.code for problem in problems(FLAG + rule, "toml")] == ["bad-time"]


def test_places():
    """Problems have the line of their key, in tables, arrays of tables and dotted keys."""
    text = (
        '[flags.a]\ntype = "boolean"\ndefault = "onn"\nmetadata."x y".z = 1\n'
        "[[flags.a.rules]]\nid = 'r'\nserve = 'on'\n[[flags.a.rules]]\nid = 'r2'\n  serve = 'of'\n"
        '["flags"."b-c"]\ntyp = "boolean"\n'
    )
    found = {problem.path: (problem.line, problem.column) for problem in problems(text, "toml")}
    assert found["flags.a.default"] == (4, 11)
    assert found["flags.a.metadata['x y']"][0] == 5
    assert found["flags.a.rules[1].serve"] == (11, 11)
    assert found["flags.b-c.typ"] == (13, 1)


@pytest.mark.parametrize(
    "text",
    ["a", "a =", "a = ", "[a", "a = 1\na = 2", "[a]\n[a]", "a = {b = 1, b = 2}", "a = 'x", "a = 1e",
     "a = 2026-13-01", "a = \x01", "a.b = 1\na = 2"],
)  # fmt: skip
def test_not_toml(text: str):
    """What is no TOML, keys defined twice among it, is one problem with its line."""
    (problem,) = problems(text, "toml")
    assert problem.code in ("syntax", "duplicate-key")
    assert problem.line is not None
    assert problem.line >= 2


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 100_000, "a = " + "{b = " * 100_000, "a." * 100_000 + "b = 1", "[" + "a." * 100_000 + "b]",
     "x = [" + "{y = [" * 300 + "]}" * 300 + "]"],
    ids=["arrays", "inline tables", "dotted key", "header", "both"],
)  # fmt: skip
def test_depth_bombs(text: str):
    """Depth ends in a clear problem."""
    assert {problem.code for problem in problems(text, "toml")} <= {"too-deep", "unknown-key", "syntax"}


def test_long_numbers():
    """An integer of thousands of digits is a problem."""
    (problem,) = problems("a = " + "9" * 10_000, "toml")
    assert problem.code == "bad-value"


def test_infinite_numbers():
    """TOML's inf and nan are refused where a number is needed."""
    text = '[flags.a]\ntype = "float"\ndefault = "x"\nvariants = {x = inf, y = nan, z = 1.5}\n'
    assert [problem.code for problem in problems(text, "toml")] == ["bad-number", "bad-number"]
