"""JSON documents: keys defined twice, places, numbers, depth."""

from __future__ import annotations

import json

import pytest

from flagcore.model import Limits, loads
from tests.support.flag_texts import problems

FLAG = '{"type": "boolean", "default": "on"}'


def document(flags: str) -> str:
    """A document with these flags."""
    return f'{{"schema": "flagcore/v1", "flags": {flags}}}'


def test_places():
    """Every problem has the line and column of its value, or of the key where the key is wrong."""
    text = document(
        '{\n  "a": {"type": "boolean", "default": "onn"},\n  "b": {"type": "boolean",\n "default": "on", "x": 1}}'
    )
    found = problems(text, "json")
    assert [(problem.code, problem.line, problem.column) for problem in found] == [
        ("unknown-variant", 2, 39),
        ("unknown-key", 4, 19),
    ]


def test_place_inside_a_condition():
    """Where the condition stands in the file as it is, the column is that of the mistake itself."""
    text = document(
        '{"a": {"type": "boolean", "default": "on", "rules": [{"id": "r", "serve": "on", "when": "x = 1"}]}}'
    )
    (problem,) = problems(text, "json")
    assert problem.column is not None
    assert text[problem.column - 1 :].startswith("= 1")
    assert problem.excerpt == "x = 1\n  ^"


def test_keys_defined_twice():
    """Python's parser would keep the last one silently; here each is a problem that names both places."""
    text = document(f'{{"a": {FLAG},\n "b": {FLAG},\n "a": {FLAG}, "a": {{"type": "boolean", "type": "string"}}}}')
    found = [problem for problem in problems(text, "json") if problem.code == "duplicate-key"]
    assert [(problem.path, problem.line, problem.column) for problem in found] == [
        ("flags.a", 3, 2),
        ("flags.a", 3, 45),
        ("flags.a.type", 3, 70),
    ]
    assert all("line 1" in problem.message for problem in found[:2])


def test_keys_that_differ_only_in_spelling():
    r"""Keys are compared by what they mean: "a" and "\u0061" are one."""
    (problem,) = problems(document(f'{{"a": {FLAG}, "\\u0061": {FLAG}}}'), "json")
    assert problem.code == "duplicate-key"


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", "[", '{"a" 1}', "{'a': 1}", '{"a": 1,}', "[1,]", '{"a": NaN}', '{"a": Infinity}', '{"a": -Infinity}', "nul", '"\n"',
     '{"a": 01}', '{"a": .5}', '{"a": +1}', "// comment\n{}", '{"a": "\\x"}', "{} {}", "\x00"],
)  # fmt: skip
def test_not_json(text: str):
    """What JSON does not know, comments, trailing commas, NaN and infinities among it, is refused."""
    (problem,) = problems(text, "json")
    assert problem.code in ("syntax", "bad-number")


def test_place_of_a_syntax_error():
    """A syntax error has its line and column."""
    (problem,) = problems('{\n  "schema": "flagcore/v1",\n  "flags": {,}\n}', "json")
    assert (problem.code, problem.line, problem.column) == ("syntax", 3, 13)


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 200_000, '{"schema": "flagcore/v1", "flags": ' + "[" * 900 + "]" * 900 + "}"]
)
def test_depth_bombs(text: str):
    """Depth ends in a clear problem."""
    assert {problem.code for problem in problems(text, "json")} <= {"too-deep", "wrong-type", "syntax"}


def test_deep_values_and_conditions():
    """Depths that the parser still reads are refused where they stand: values and conditions nest 64 levels."""
    value = "[" * 800 + "]" * 800
    (problem,) = problems(
        document(f'{{"a": {{"type": "object", "variants": {{"x": {value}}}, "default": "x"}}}}'), "json"
    )
    assert (problem.code, problem.path) == ("too-deep", "flags.a.variants.x")
    when = '{"not": ' * 800 + "true" + "}" * 800
    rule = f'{{"id": "r", "serve": "on", "when": {when}}}'
    found = problems(document(f'{{"a": {{"type": "boolean", "default": "on", "rules": [{rule}]}}}}'), "json")
    assert [problem.code for problem in found] == ["too-deep"]


def test_numbers():
    """Integers beyond 64 bits, floats that overflow and thousands of digits are refused."""
    for number in ("9223372036854775808", "-9223372036854775809", "1e999", "9" * 5_000):
        text = document(f'{{"a": {{"type": "float", "variants": {{"x": {number}}}, "default": "x"}}}}')
        assert [problem.code for problem in problems(text, "json")] == ["bad-number"]


def test_lone_surrogates():
    """Half a surrogate pair, which JSON can write but UTF-8 cannot, is refused wherever it stands."""
    text = document(
        '{"\\ud800": '
        + FLAG
        + ', "a": {"type": "string", "variants": {"x": "\\udc00"}, "default": "x", "salt": "\\ud800",'
        ' "description": "\\ud800", "tags": ["\\ud800"], "metadata": {"\\ud800": "\\ud800"},'
        ' "rules": [{"id": "r", "serve": "x", "when": "a == \\"\\ud800\\""}]}}'
    )
    found = problems(text, "json")
    assert {problem.path for problem in found} == {
        "flags['\\ud800']", "flags.a.variants.x", "flags.a.salt", "flags.a.description", "flags.a.tags[0]", "flags.a.metadata['\\ud800']",
        "flags.a.rules[0].when",
    }  # fmt: skip
    assert all(str(problem).encode() for problem in found)


def test_a_pair_of_surrogates_is_a_character():
    """Escapes of a whole pair are one character."""
    text = document('{"a": {"type": "string", "variants": {"x": "\\ud83d\\ude00"}, "default": "x"}}')
    assert loads(text, "json").flag_set.flags["a"].variants == {"x": "\U0001f600"}


def test_many_problems():
    """Checking ends after the limit, and says so; with fewer all are reported."""
    flags = {f"f{i}": {"type": "boolean", "default": "x"} for i in range(50)}
    text = document(json.dumps(flags))
    assert len(problems(text, "json")) == 50
    cut = problems(text, "json", Limits(problems=10))
    assert len(cut) == 11
    assert cut[0].code == "too-many-problems"
    unknown = document(json.dumps({f"f{i}": {"type": "boolean", "default": "on", "x": 1} for i in range(50)}))
    assert [problem.code for problem in problems(unknown, "json", Limits(problems=10))] == ["unknown-key"] * 10 + [
        "too-many-problems"
    ]
