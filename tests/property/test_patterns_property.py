"""Automata of generated patterns against the naive matcher, Python's `re`, and RE2 itself where it is installed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.walkers.automaton_runner import check_automaton, matched_bits
from flagcore.compiler.patterns import AutomatonLimits, AutomatonTooLarge, Needle, PatternTest, build_automata
from flagcore.model.regex import parse_pattern
from flagcore.model.regex_tree import Assertion, Choice, Empty, Pattern, Ranges, Repeat, Sequence
from tests.profiles import cases
from tests.support.pattern_matcher import pattern_matches

TEXTS = st.text(alphabet="aB_- \né\u07ff\u0800€😀", max_size=10)
FAST = AutomatonLimits(states=1000, work=100_000, shared_states=200, shared_work=20_000)

# -- trees ---------------------------------------------------------------------------------------------------------

RANGES = st.sampled_from(
    [
        ((97, 97),),
        ((66, 66), (97, 97)),
        ((32, 45),),
        ((10, 10),),
        ((0xE9, 0xE9),),
        ((0x7FF, 0x800),),
        ((0x1F600, 0x1F6FF),),
        ((0, 9), (11, 0xD7FF), (0xE000, 0x10FFFF)),
        ((0, 96), (98, 0xD7FF), (0xE000, 0x10FFFF)),
        ((0x80, 0xD7FF), (0xE000, 0xFFFF)),
        (),
    ]
)
LEAVES: st.SearchStrategy[Pattern] = st.one_of(
    st.builds(Ranges, RANGES),
    st.builds(Assertion, st.sampled_from(["begin", "end", "line_begin", "line_end", "word", "not_word"])),
    st.just(Empty()),
)


def _combined(parts: st.SearchStrategy[Pattern]) -> st.SearchStrategy[Pattern]:
    several = st.lists(parts, min_size=2, max_size=4).map(tuple)
    counts = st.sampled_from([(0, None), (1, None), (0, 1), (2, 2), (0, 3), (1, 3), (2, None)])
    repeats = st.builds(lambda part, count: Repeat(part, *count), parts, counts)
    return st.one_of(st.builds(Sequence, several), st.builds(Choice, several), repeats)


TREES = st.recursive(LEAVES, _combined, max_leaves=10)


@given(TREES, st.lists(TEXTS, min_size=1, max_size=5))
@settings(max_examples=cases(600))
def test_an_automaton_matches_what_the_naive_matcher_matches(tree: Pattern, texts: list[str]) -> None:
    """Whatever the tree, assertions in loops and empty branches included, the automaton gives the naive answer."""
    try:
        blobs = build_automata([PatternTest(tree, 0)], FAST)
    except AutomatonTooLarge:
        return
    check_automaton(blobs[0].data)
    for text in texts:
        assert bool(matched_bits(blobs, text.encode())) == pattern_matches(tree, text)


TESTS = st.lists(
    st.one_of(
        st.builds(PatternTest, TREES, st.integers(0, 5)),
        st.builds(Needle, TEXTS.map(str.encode), st.booleans(), st.integers(0, 5)),
    ),
    max_size=8,
)


@given(TESTS, st.lists(TEXTS, min_size=1, max_size=4))
@settings(max_examples=cases(300))
def test_tests_answer_together_as_alone(tests: list[Needle | PatternTest], texts: list[str]) -> None:
    """Patterns and needles in shared automata answer as each does by itself; equal numbers mean "any of"."""
    try:
        blobs = build_automata(tests, FAST)
    except AutomatonTooLarge:
        return
    assert build_automata(tests, FAST) == blobs
    for text in texts:
        assert matched_bits(blobs, text.encode()) == {test.bit for test in tests if _holds(test, text)}


def _holds(test: Needle | PatternTest, text: str) -> bool:
    if isinstance(test, PatternTest):
        return pattern_matches(test.tree, text)
    data = text.encode()
    return (test.text.lower() in data.lower()) if test.fold else test.text in data


# -- texts of patterns: the parser takes part ----------------------------------------------------------------------

ATOMS = st.sampled_from(
    [
        "a",
        "B",
        "_",
        "-",
        " ",
        r"\n",
        "é",
        "😀",
        ".",
        r"\d",
        r"\w",
        r"\W",
        r"\S",
        "[aB]",
        "[^a]",
        "[a-z_]",
        r"[^\w-]",
        "[é-€]",
    ]
)  # \s is left out: it holds \v in Python only
ASSERTIONS = st.sampled_from(["^", "$", r"\A", r"\z", r"\b"])
REPEATS = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "*?", "+?", "{2,}"])


def _composed(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(parts, min_size=1, max_size=4).map("".join),
        st.lists(parts, min_size=2, max_size=3).map(lambda found: f"(?:{'|'.join(found)})"),
        st.builds("({}){}".format, parts, REPEATS),
        st.builds("{}{}".format, ATOMS, REPEATS),
    )


FLAGS = st.lists(st.sampled_from("ism"), unique=True).map(lambda letters: "".join(f"(?{letter})" for letter in letters))
PATTERNS = st.builds("{}{}".format, FLAGS, st.recursive(st.one_of(ATOMS, ASSERTIONS), _composed, max_leaves=8))


def _automaton_answer(pattern: str, text: str) -> bool | None:
    try:
        blobs = build_automata([PatternTest(parse_pattern(pattern), 0)], FAST)
    except AutomatonTooLarge:
        return None
    return bool(matched_bits(blobs, text.encode()))


@given(PATTERNS, TEXTS)
@settings(max_examples=cases(600))
def test_patterns_match_as_python_does(pattern: str, text: str) -> None:
    """On the common subset the answer is that of `re` with re.ASCII, end assertions translated."""
    flags = re.ASCII | sum(getattr(re, letter.upper()) for letter in "ism" if f"(?{letter})" in pattern)
    body = re.sub(r"\(\?[ism]\)", "", pattern).replace(r"\z", r"\Z")
    body = body if flags & re.MULTILINE else body.replace("$", r"\Z")
    answer = _automaton_answer(pattern, text)
    assert answer is None or answer == bool(re.search(body, text, flags))


@given(PATTERNS, TEXTS)
@settings(max_examples=cases(600))
def test_patterns_match_as_re2_does(pattern: str, text: str) -> None:
    """RE2 itself gives the same answer."""
    re2 = pytest.importorskip("re2", reason="google-re2 is not installed; the naive matcher and `re` still judge")
    answer = _automaton_answer(pattern, text)
    assert answer is None or answer == bool(re2.search(pattern, text))
