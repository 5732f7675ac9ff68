"""YAML by the core schema of YAML 1.2, with places, bounded (flag-format.md section 1)."""

from __future__ import annotations

import sys

import pytest
import yaml

from flagcore.errors import FlagSetError
from flagcore.model import Limits, load, loads
from flagcore.model.limits import DEFAULT_LIMITS
from flagcore.model.read_yaml import read
from tests.support.flag_texts import flag, problems
from tests.support.flag_texts import read as read_flags


def scalar(text: str) -> object:
    """Return what a YAML text is read as."""
    return read(text, DEFAULT_LIMITS).data


@pytest.mark.parametrize(
    "text",
    ["NO", "no", "No", "yes", "Y", "n", "on", "off", "On", "OFF", "tRUE", "nULL", "2026-12-01", "2026-12-01T09:00:00Z", "12:30:45",
     "1_000",      "2.10.0", "0x", "0o8", "0b1", "1e", "e3", "+", "-", ".", "5%", "<<", "=", ".Infinity", "nan", "inf", "0x1.8p1", "- "],
)  # fmt: skip
def test_plain_strings(text: str):
    """What YAML 1.1 or other readers take for something else is a string."""
    assert scalar(f"[{text.strip()}]" if text != "- " else "['- ']") == [text.strip() if text != "- " else text]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False), ("FALSE", False),
        ("null", None), ("Null", None), ("NULL", None), ("~", None), ("", None),
        ("0", 0), ("-0", 0), ("+12", 12), ("007", 7), ("0o17", 15), ("0xFf", 255), ("-12", -12),
        ("1.0", 1.0), ("1.", 1.0), (".5", 0.5), ("-1e3", -1000.0), ("1E+2", 100.0), ("12e03", 12000.0), (".inf", float("inf")),
        ("-.INF", float("-inf")), ("+.Inf", float("inf")),
    ],
)  # fmt: skip
def test_core_schema(text: str, value: object):
    """Booleans, nulls, integers and floats of the core schema, with their types."""
    found = scalar(f"key: {text}")
    assert found == {"key": value}
    assert type(found["key"]) is type(value)  # type: ignore[index]


def test_not_a_number():
    """`.nan` is read; where a finite number is needed it is refused later."""
    found = scalar("[.nan, .NaN, .NAN]")
    assert isinstance(found, list)
    assert all(value != value for value in found)


@pytest.mark.parametrize(
    ("text", "value"),
    [("'true'", "true"), ('"1"', "1"), ("! 12", "12"), ("!!str 12", "12"), ("!!int '12'", 12), ("!!float 1", 1.0),
     ("!!bool 'true'", True), ("!!null ''", None), ("|\n  a\n  b\n", "a\nb\n"),
     (">-\n  a\n  b\n", "a b"), ("!!map {a: 1}", {"a": 1}), ("!!seq [1]", [1])],
)  # fmt: skip
def test_quotes_and_core_tags(text: str, value: object):
    """Quoted and block scalars are strings; the core schema's tags may be written out."""
    assert scalar(text) == value


@pytest.mark.parametrize(
    "text",
    ["!custom 1", "!!binary aGk=", "!!timestamp 2026-12-01", "!!set {a}", "!!omap [a: 1]", "!!int abc", "!!bool no",
     "!!python/object/apply:os.system ['true']", "!!map [1]", "!!seq {a: 1}", "!<tag:example.org,2026:x> 1"],
)  # fmt: skip
def test_other_tags(text: str):
    """Tags outside the core schema, and core tags on what they are not, are refused; nothing is ever constructed."""
    (problem, *_) = problems(f"flags: {text}")
    assert problem.code == "unsupported-tag"
    assert problem.line == 2


def test_merge_keys_are_ordinary():
    """`<<` means nothing special: it is a key, and not a known one."""
    found = problems(
        "flags:\n  a: &a {type: boolean, default: on}\n  b:\n    <<: *a\n    type: boolean\n    default: on\n"
    )
    assert [(problem.code, problem.path) for problem in found] == [("unknown-key", "flags.b['<<']")]


def test_anchors():
    """Aliases stand for what they mark, and a mark may be set anew."""
    text = "flags:\n  a: &x {type: boolean, default: on}\n  b: *x\n  c: &x {type: boolean, default: off}\n  d: *x\n"
    flags = read_flags(text).flag_set.flags
    assert [flags[key].default for key in "abcd"] == ["on", "on", "off", "off"]


def test_billion_laughs():
    """Aliases that stand for more than a million values end in one clear problem."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    (problem,) = problems("\n".join(lines))
    assert problem.code == "too-many-aliases"
    assert problem.line is not None


def test_alias_inside_itself():
    """A value that would hold itself is refused, and so is an alias before its mark."""
    for text in ("flags: &a [*a]", "flags: &a {b: *a}", "flags: *nothing"):
        (problem,) = problems(text)
        assert problem.code == "bad-alias"


def test_keys_defined_twice():
    """A key defined twice names both places, at every depth, all of them at once."""
    found = problems(flag("type: boolean\ntype: boolean\nmetadata: {a: 1, b: 2, a: 3}\nmetadata: {}"))
    assert [(problem.code, problem.line, problem.column) for problem in found] == [
        ("duplicate-key", 6, 5),
        ("duplicate-key", 7, 28),
        ("duplicate-key", 8, 5),
    ]
    assert "line 5, column 5" in found[0].message
    assert found[1].path == "flags.f.metadata.a"


def test_keys_that_are_no_texts():
    """A key that the core schema reads as something else is a problem that says so, once."""
    found = problems(flag("type: string\ndefault: '1'\nvariants: {1: a, true: b, null: c, [x]: d}"))
    assert [problem.code for problem in found] == ["bad-key"]
    found = problems(flag("type: string\ndefault: '1'\nvariants: {1: a, true: b, null: c}"))
    assert [problem.code for problem in found] == ["bad-key", "bad-key", "bad-key"]
    assert found[0].hint == 'write "1" in quotes'


@pytest.mark.parametrize(
    ("text", "line"),
    [("flags: [", 2), ("flags: {a: 1", 2), ("flags:\n\t- a", 3), ("a: b: c", 2), ("'a", 2), ("flags: @a", 2), ("a: 1\n---\nb: 1", 3),
     ("%x", 2),     ("flags: \x01", 2), ("flags: %", 2)],
)  # fmt: skip
def test_not_yaml(text: str, line: int):
    """Texts that are no YAML, and files of two documents, have one problem with its place."""
    (problem,) = problems(text)
    assert problem.code == "syntax"
    assert problem.line is not None
    assert problem.line >= line


@pytest.mark.parametrize(
    ("text", "shown", "hint"),
    [
        ("flags:\n  a:\n\ttype: boolean", " type: boolean\n^", "indent with spaces"),
        ("flags:\n  a:\n    type: x\n     default: y", "     default: y\n            ^", "begin in the same column"),
        ("flags:\n  - a: 1\n   b: 2", "   b: 2\n   ^", "begin in the same column"),
        (
            'a: {when: country in ["DE", "AT"]}',
            'a: {when: country in ["DE", "AT"]}\n                     ^',
            "single quotes",
        ),
        ("a: @b", "a: @b\n   ^", "needs quotes"),
        ("a: 'b\n", None, "never closed"),
    ],
)
def test_what_authors_do_wrong_in_yaml(text: str, shown: str | None, hint: str):
    """A typical slip shows the line with a caret and says what to do; at the end of the text there is nothing to show."""
    (problem,) = problems(text)
    assert problem.excerpt == shown
    assert hint in (problem.hint or "")


@pytest.mark.parametrize("text", ["", "# only a comment", "---", "null", "[]", "a text", "1", "..."])
def test_no_mapping(text: str):
    """A document that is empty or no mapping is a problem, not a crash."""
    with pytest.raises(FlagSetError) as caught:
        loads(text, "yaml")
    assert caught.value.problems[0].code in ("empty-document", "wrong-type", "syntax")


@pytest.mark.parametrize(
    "text",
    ["flags: " + "[" * 100_000, "flags: " + "{a: " * 50_000, "flags:\n" + "- " * 50_000, "".join(" " * i + "a:\n" for i in range(600)),
     "? " * 20_000],
    ids=["lists", "mappings", "dashes", "blocks", "complex keys"],
)  # fmt: skip
def test_depth_bombs(text: str):
    """Depth ends in a clear problem."""
    codes = {problem.code for problem in problems(text)}
    assert codes <= {"too-deep", "syntax", "bad-key"}
    assert codes


def test_long_numbers():
    """A number of thousands of digits is refused before it costs anything."""
    (problem,) = problems("flags: " + "9" * 1_000_000)
    assert problem.code == "bad-number"


def test_without_libyaml(monkeypatch: pytest.MonkeyPatch):
    """PyYAML's own parser gives the same flags, places and problems as libyaml's."""
    good = flag("rules:\n- {id: a, when: 'x == \"é\"', serve: on}")
    bad = flag("rules:\n- {id: ä, when: 'x = 1', serve: on}\ntype: boolean")
    with_libyaml = read_flags(good), problems(bad)
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert (read_flags(good), problems(bad)) == with_libyaml


def test_without_pyyaml(monkeypatch: pytest.MonkeyPatch, tmp_path):
    """Without PyYAML a YAML file is one problem that names the extra to install, and JSON still loads."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    (problem,) = problems("flags: {}")
    assert problem.code == "missing-extra"
    assert "flagcore[files]" in (problem.hint or "")
    (tmp_path / "a.json").write_text('{"schema": "flagcore/v1", "flags": {}}', encoding="utf-8")
    assert load(tmp_path).flag_set.flags == {}


def test_limits_are_settings():
    """Depth of documents and aliases are limits that can be set."""
    limits = Limits(document_depth=3, alias_nodes=2)
    assert problems("flags: {a: {b: {c: 1}}}", limits=limits)[0].code == "too-deep"
    assert problems("flags: &a {x: 1}\nb: *a\nc: *a", limits=limits)[0].code == "too-many-aliases"
