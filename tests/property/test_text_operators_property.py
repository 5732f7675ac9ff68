"""Operators on texts, compiled, proved and walked by the kernel, against the twin: tables, sets, tries and automata."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.compiler import compile_flag_set
from flagcore.model import FlagSet, build_flag_set
from flagcore.reference import Twin
from tests.profiles import cases
from tests.support.kernel_library import Program

ALPHABET = "aAbB-é 1."
PATTERNS = st.sampled_from(
    [
        "^a",
        "b$",
        r"\bab\b",
        "(?i)AB",
        "[0-9]+",
        "a.*b",
        "^(a|b)+$",
        "é",
        "a.{2}b",
        "^$",
        "(?i)a-b$",
        "[^a]",
        r"\Bb",
        "^.{3}$",
    ]
)
WORDS = st.text(ALPHABET, max_size=5)
LITERALS = st.one_of(WORDS, WORDS.map(lambda word: {"i": word}))


def _lists(most: int) -> st.SearchStrategy[object]:
    return st.lists(LITERALS, min_size=1, max_size=most, unique_by=str)


CONSTANTS = st.one_of(
    st.tuples(st.just("matches"), PATTERNS),
    st.tuples(st.sampled_from(["==", "!="]), LITERALS),
    st.tuples(st.just("in"), st.one_of(_lists(4), _lists(90))),
    st.tuples(st.sampled_from(["contains", "starts_with", "ends_with"]), st.one_of(LITERALS, _lists(12))),
)
TESTS = st.builds(lambda name, test: {"attribute": name, test[0]: test[1]}, st.sampled_from("xy"), CONSTANTS)
CONDITIONS = st.recursive(
    st.one_of(TESTS, TESTS.map(lambda test: {"not": test})),
    lambda parts: st.builds(
        lambda word, found: {word: found}, st.sampled_from(["all", "any"]), st.lists(parts, min_size=1, max_size=3)
    ),
    max_leaves=4,
)
VALUES = st.one_of(
    st.text(ALPHABET, max_size=9),
    st.none(),
    st.booleans(),
    st.integers(0, 3),
    st.lists(st.one_of(WORDS, st.integers()), max_size=3),
)
CONTEXTS = st.dictionaries(st.sampled_from("xy"), VALUES)


def _flag_set(conditions: list[object]) -> FlagSet:
    rules = [{"id": f"r{place}", "when": when, "serve": f"v{place % 3}"} for place, when in enumerate(conditions)]
    variants = {name: name for name in ("v0", "v1", "v2", "none")}
    flag = {"type": "string", "variants": variants, "default": "none", "rules": rules}
    return build_flag_set({"schema": "flagcore/v1", "flags": {"flag": flag}}).flag_set


def _rule(program: bytes, leaf: int) -> str | None:
    leaves, rules = struct.unpack_from("<I", program, 28)[0], struct.unpack_from("<I", program, 60)[0]
    (rule,) = struct.unpack_from("<I", program, leaves + 32 * leaf + 4)
    if rule == 0xFFFFFFFF:
        return None
    offset, length = struct.unpack_from("<2I", program, rules + 8 * rule)
    return program[offset : offset + length].decode()


@given(st.lists(CONDITIONS, min_size=1, max_size=12), st.lists(CONTEXTS, min_size=1, max_size=6))
@settings(max_examples=cases(150))
def test_the_kernel_decides_texts_as_the_twin_does(conditions: list[object], contexts: list[dict[str, object]]) -> None:
    """Whatever the constants and however many share an attribute, the rule that matches is the twin's."""
    flag_set = _flag_set(conditions)
    snapshot = compile_flag_set(flag_set, debug=False).snapshot
    program = Program(snapshot.programs["flag"], snapshot.value_sets)
    twin = Twin(flag_set)
    for context in contexts:
        walked = program.walk(context)
        assert _rule(snapshot.programs["flag"], walked.leaf) == twin.evaluate("flag", "", context).rule
