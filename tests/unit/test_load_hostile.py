"""Documents made to hurt: large, wide, wrong in every line. Each ends in a result or in a clear problem."""

from __future__ import annotations

import json

import pytest

from flagcore.errors import FlagSetError
from flagcore.model import Limits, build_flag_set, loads
from tests.support.flag_texts import problems

FLAG = {"type": "boolean", "default": "off"}


def flags(**documents: object) -> dict[str, object]:
    """A document with these flags."""
    return {"schema": "flagcore/v1", "flags": documents}


def refused(document: dict[str, object]) -> list[str]:
    """Return the codes of the document's problems."""
    with pytest.raises(FlagSetError) as caught:
        build_flag_set(document)
    return [problem.code for problem in caught.value.problems]


def test_more_flags_than_the_limit():
    """One flag more than 100,000 is refused; references among many flags are checked."""
    document = flags(**{f"f{number}": FLAG for number in range(100_001)})
    assert refused(document) == ["too-many"]


def test_ten_thousand_rules():
    """10,000 rules with gates on different attributes load, with the warning about gates; one more is refused."""
    rules: list[object] = [
        {"id": f"r{number}", "when": f"a{number} == 1", "percent": 50, "serve": "on"} for number in range(10_000)
    ]
    document = flags(f={**FLAG, "rules": rules})
    assert [problem.code for problem in build_flag_set(document).problems] == ["many-gates"]
    rules.append({"id": "last", "serve": "on"})
    assert "too-many" in refused(document)


def test_ten_thousand_wrong_rules_and_variants():
    """Hints compare words only so often: 10,000 unknown names among 10,000 variants are all reported."""
    rules = [{"id": f"r{number}", "when": f"a == {number}", "serve": f"w{number}"} for number in range(9_000)]
    variants = {f"v{number}": True for number in range(10_000)}
    codes = refused(flags(f={"type": "boolean", "variants": variants, "default": "v1", "rules": rules}))
    assert codes.count("unknown-variant") == 9_000


@pytest.mark.parametrize("name", ["json", "yaml"])
def test_a_million_segment_values(name: str):
    """A million values inside a document load."""
    values = ", ".join(f'"u-{number}"' for number in range(1_000_000 if name == "json" else 100_000))
    text = f'{{"schema": "flagcore/v1", "segments": {{"s": {{"attribute": "x", "values": [{values}]}}}}}}'
    segment = loads(text, "json" if name == "json" else "yaml").flag_set.segments["s"]
    assert segment.values is not None
    assert segment.values[-1] == ("u-999999" if name == "json" else "u-99999")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("k: 1\n" * 50_000, "yaml"),
        ("".join(f"k{number}: 1\n" for number in range(50_000)), "yaml"),
        ("{" + ",".join('"k": 1' for _ in range(50_000)) + "}", "json"),
        ("{" + ",".join(f'"k{number}": 1' for number in range(50_000)) + "}", "json"),
        ('{"schema": "flagcore/v1", "flags": {' + ",".join(f'"k{number}": {{}}' for number in range(50_000)) + "}}", "json"),
        ('{"schema": "flagcore/v1", "flags": {' + ",".join(f'"k{number}": 1' for number in range(50_000)) + "}}", "json"),
    ],
    ids=["same key", "keys", "same key, JSON", "keys, JSON", "empty flags", "no flags"],
)  # fmt: skip
def test_wrong_in_every_line(text: str, name: str):
    """Reading and checking end after 10,000 problems, and the last word says so."""
    found = problems(text, "json" if name == "json" else "yaml")
    assert 10_001 <= len(found) <= 10_002
    assert [problem.code for problem in found].count("too-many-problems") == 1


@pytest.mark.parametrize("name", ["yaml", "json", "toml"])
def test_one_long_text(name: str):
    """A text of ten million characters where a word is expected is one problem with a short message."""
    long = "a" * 10_000_000
    text = {"yaml": f"flags: {long}", "json": f'{{"flags": "{long}"}}', "toml": f'flags = "{long}"'}[name]
    found = problems(text, name)  # type: ignore[arg-type]
    assert "wrong-type" in {problem.code for problem in found}
    assert all(len(str(problem)) < 1_000 for problem in found)


@pytest.mark.parametrize(
    "when", ["(" * 2_000_000, "not " * 1_000_000, '"' * 2_000_001, "a == " * 500_000, "`" * 2_000_001, "[" * 2_000_000]
)
def test_long_conditions(when: str):
    """A condition of megabytes is read up to its first fault."""
    (problem,) = problems(json.dumps(flags(f={**FLAG, "rules": [{"id": "r", "serve": "on", "when": when}]})), "json")
    assert problem.code in ("syntax", "too-deep")
    assert len(str(problem)) < 1_000


def test_conditions_that_repeat():
    """A condition text that thousands of rules share is read once, and each rule has it."""
    rules = [
        {"id": f"r{number}", "when": "x == 1 and " * 50 + "y == 1", "percent": 1, "serve": "on"}
        for number in range(5_000)
    ]
    flag_set = build_flag_set(flags(f={**FLAG, "rules": rules})).flag_set
    trees = {id(rule.when.tree) for rule in flag_set.flags["f"].rules if rule.when is not None}
    assert len(trees) == 1


def test_everything_requires_everything():
    """A dense graph of requirements has thousands of cycles; checking stays linear in its edges and ends at the limit."""
    keys = [f"f{number}" for number in range(200)]
    document = flags(
        **{key: {**FLAG, "requires": [{"flag": other, "is": "on"} for other in keys if other != key]} for key in keys}
    )
    codes = refused(document)
    assert set(codes) == {"cycle", "too-many-problems"}
    assert len(codes) == Limits().problems + 1


def test_segments_that_double():
    """Segments that name each other twice a level would stand for 2**40 tests: their depth is refused first."""
    segments = {f"s{number}": {"when": f'segment("s{number + 1}") or segment("s{number + 1}")'} for number in range(40)}
    document = {"schema": "flagcore/v1", "segments": {**segments, "s40": {"when": "has(x)"}}, "flags": {}}
    assert set(refused(document)) == {"too-deep"}
