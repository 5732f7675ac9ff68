"""Automata for `matches` and `contains`, walked by a runner that follows kernel.h."""

from __future__ import annotations

import itertools
import random
import re
import struct

import pytest

from benchmarks.walkers.automaton_runner import check_automaton, matched_bits
from flagcore.compiler.patterns import (
    AutomatonBlob,
    AutomatonLimits,
    AutomatonTooLarge,
    Needle,
    PatternTest,
    build_automata,
)
from flagcore.model.regex import parse_pattern
from flagcore.model.regex_tree import Assertion, Choice, Empty, Pattern, Ranges, Repeat, Sequence
from tests.support.pattern_matcher import pattern_matches

ALPHABET = ("a", "-", "\n", "é")
TEXTS = ["".join(letters) for length in range(5) for letters in itertools.product(ALPHABET, repeat=length)]


def _build(*patterns: str) -> list[AutomatonBlob]:
    return build_automata([PatternTest(parse_pattern(pattern), bit) for bit, pattern in enumerate(patterns)])


def _matches(pattern: str, text: str) -> bool:
    return matched_bits(_build(pattern), text.encode()) == {0}


def _states(blob: AutomatonBlob) -> int:
    return int(struct.unpack_from("<I", blob.data, 4)[0])


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (r"@(corp|example)\.(com|de)$", ["a@corp.com", "@example.de"], ["a@corp.comx", "a@corp.com\n", "corp.com"]),
        (r"^v?\d+\.\d+(\.\d+)?$", ["1.2", "v10.20.30"], ["1", "v1.2.", "1.2\n", "x1.2"]),
        (r"(?i)iphone|ipad", ["my iPHONE", "IPAD"], ["ipod", "i phone"]),
        (r"Chrome/1[2-9]\d", ["Mozilla Chrome/120.1"], ["Chrome/119", "chrome/120"]),
        (r"^.{2}$", ["éä", "😀a", "ab"], ["a", "abc", "a\n", "é"]),
        (r"[а-яё]{3}", ["мир", "xxёжяx"], ["МИР", "ми"]),
        (r"\bcat\b", ["cat", "a cat.", "écat"], ["cats", "_cat", "concat"]),
        (r"^$", [""], ["a", "\n"]),
        (r"(?m)^a$", ["a", "b\na\nc"], ["ba", "a b"]),
        (r"(?s)^a.b$", ["a\nb"], ["ab"]),
        (r"[^a]", ["b", "é", "\n", "😀"], ["", "aa"]),
        (r"", ["", "anything"], []),
        (r"^(?:25[0-5]|2[0-4]\d|1?\d?\d)$", ["0", "99", "255", "199"], ["256", "300", "1000"]),
    ],
)
def test_patterns_that_authors_write(pattern: str, yes: list[str], no: list[str]) -> None:
    """Usual patterns match what they say: searched anywhere, `$` only at the very end, `.` one code point."""
    (blob,) = _build(pattern)
    check_automaton(blob.data)
    assert [text for text in yes + no if matched_bits([blob], text.encode())] == yes


@pytest.mark.parametrize(
    "pattern",
    [
        "a", ".", "a*", "^a*$", "(a|-)+$", "a.a", "^.", ".$", "[^a]", "é", "a?é", "^(a|é-)*$", "aa|--", "(?:a-?){2}",
        r"\b", r"\B", r"\ba", r"a\b", r"\Ba", r"a\B", r"\b-", r"\B-\B", r"^\b", r"^\B", r"\b$", r"\B$", r"\ba\b", r"\Bé\B", r"\b\B",
        "(?m)^", "(?m)^a", "(?m)a$", "(?m)^$", "(?m)$a", "(?m)$.", "(?m)(?s)$.^", "(?m)(?s)^.$",
        "(?m)(^a$|-)", "(?m)(a$\n^)+", "$a", "a^", "$^", "^$",
        r"(?m)\b$", r"(?m)^\B", r"(?m)\B$\B", r"(\b|a)*é", r"(^|-)a($|-)", r"(?s).", "(?s)^.{3}$",
        "(?s)a.*-", "a{2,3}", "^a{0,2}$", "(a{2}){2}", "[é\n]a",
    ],
)  # fmt: skip
def test_all_short_texts_agree_with_the_naive_matcher(pattern: str) -> None:
    """For every text of up to four letters (word, other, newline, beyond ASCII) the answer is the naive matcher's."""
    tree = parse_pattern(pattern)
    blobs = build_automata([PatternTest(tree, 0)])
    check_automaton(blobs[0].data)
    wrong = [text for text in TEXTS if bool(matched_bits(blobs, text.encode())) != pattern_matches(tree, text)]
    assert wrong == []


@pytest.mark.parametrize(
    ("pattern", "states"),
    [("", 2), ("a", 3), ("ab", 4), ("abc|abd", 5), ("^a", 3), ("(a|b|ab)*c", 3), ("[a-c]x|dx", 4), ("(a?){1000}", 2)],
)
def test_automata_are_minimal(pattern: str, states: int) -> None:
    """No state could be spared: what behaves alike is one state, the dead one included."""
    assert _states(_build(pattern)[0]) == states


def test_a_pattern_that_never_matches_is_one_dead_state() -> None:
    """Nothing is walked where nothing can match."""
    (blob,) = _build(r"$a")
    check_automaton(blob.data)
    assert _states(blob) == 1
    assert matched_bits([blob], b"a") == set()


def test_the_same_tests_give_the_same_bytes() -> None:
    """Building is deterministic."""
    patterns = (r"(?i)foo.*bar|\bbaz\b", r"^[a-f0-9]{8}$", "é+")
    assert _build(*patterns) == _build(*patterns)


def test_patterns_of_one_attribute_share_an_automaton() -> None:
    """A few patterns and needles become one automaton; each reports its own bit."""
    tests = [PatternTest(parse_pattern("^a.*z$"), 10), Needle(b"key", False, 11), Needle(b"LOUD", True, 12)]
    blobs = build_automata(tests)
    assert [blob.bits for blob in blobs] == [(10, 11, 12)]
    check_automaton(blobs[0].data)
    assert matched_bits(blobs, b"a key, loud, z") == {10, 11, 12}
    assert matched_bits(blobs, b"a KEY z") == {10}
    assert matched_bits(blobs, b"") == set()


def test_tests_with_one_number_are_one_test() -> None:
    """A list is any of its elements: one bit, reported once any of them matches."""
    tests = [PatternTest(parse_pattern("^a"), 3), PatternTest(parse_pattern("b$"), 3), Needle(b"x", False, 3)]
    blobs = build_automata(tests)
    assert [blob.bits for blob in blobs] == [(3,)]
    assert [bool(matched_bits(blobs, text)) for text in (b"ac", b"cb", b"cxc", b"c")] == [True, True, True, False]


def test_more_than_64_tests_are_split() -> None:
    """A mask has 64 bits; further tests go to further automata, and every answer stays."""
    tests = [PatternTest(parse_pattern(f"^u{number}$"), number) for number in range(70)]
    blobs = build_automata(tests)
    assert len(blobs) == 2
    assert sorted(bit for blob in blobs for bit in blob.bits) == list(range(70))
    assert [matched_bits(blobs, b"u%d" % number) for number in range(70)] == [{number} for number in range(70)]


def test_patterns_whose_union_explodes_are_kept_apart() -> None:
    """Patterns that are small alone but large together get automata of their own, with the same answers."""
    words = ("ab", "cd", "ef", "gh", "ij", "kl", "mn")
    tests = [PatternTest(parse_pattern(f"{word}.*{word}.*{word}.*{word}"), bit) for bit, word in enumerate(words)]
    blobs = build_automata(tests, AutomatonLimits(shared_states=200))
    assert len(blobs) > 1
    text = "ab cd " * 4 + "ef " * 3
    assert matched_bits(blobs, text.encode()) == {0, 1}


@pytest.mark.parametrize(
    "pattern",
    [
        "a.{1000}x", "a.{14}x", "(.{1,500}x){2}", "^(a?){1000}$", "(x.{0,100}y){0,10}z", "[^x]{0,300}a[^y]{0,300}b",
        r"(\b?\B?.?){300}$", "(.{0,300}a|.{0,300}b|.{0,300}c)z$",
    ],
)  # fmt: skip
def test_hostile_patterns_are_refused(pattern: str) -> None:
    """Patterns without a small automaton are refused with a reason, after a bounded amount of work."""
    with pytest.raises(AutomatonTooLarge) as caught:
        _build("fine", pattern, "also fine")
    assert caught.value.index == 1
    assert re.search("more than 10,000 states|takes too long", caught.value.reason)


@pytest.mark.parametrize(
    "pattern", ["(a?){1000}", "(a|aa)*b{500}", "(a*)*(a*)*(a*)*b", "^.{1,1000}$", "(a|b|ab)*" * 20 + "c"]
)
def test_patterns_that_only_look_hostile_are_built(pattern: str) -> None:
    """What stalls a backtracking matcher is no trouble here."""
    (blob,) = _build(pattern)
    check_automaton(blob.data)
    text = "ab" * 300 + "b" * 500 + "c"
    assert bool(matched_bits([blob], text.encode())) == pattern_matches(parse_pattern(pattern), text)


def test_repetitions_that_are_too_long_are_refused() -> None:
    """Counts that multiply, in a tree made by hand, end at the limit of construction, also around nothing at all."""
    for part in (Ranges(((97, 97),)), Empty()):
        tree: Pattern = part
        for _ in range(6):
            tree = Repeat(tree, 1000, 1000)
        with pytest.raises(AutomatonTooLarge, match="written out"):
            build_automata([PatternTest(tree, 0)])


def test_a_tree_that_is_too_deep_is_refused() -> None:
    """Nesting beyond what the parser allows cannot exhaust the interpreter's stack."""
    tree: Pattern = Assertion("begin")
    for _ in range(5000):
        tree = Sequence((Choice((tree, Empty())), Empty()))
    with pytest.raises(AutomatonTooLarge, match="nested"):
        build_automata([PatternTest(tree, 0)])


def test_an_automaton_past_its_size_is_refused() -> None:
    """Bytes count too, not only states."""
    with pytest.raises(AutomatonTooLarge, match="bytes"):
        build_automata([PatternTest(parse_pattern("abcdef"), 0)], AutomatonLimits(size=400))


@pytest.mark.parametrize("fold", [False, True])
def test_many_needles(fold: bool) -> None:
    """Thousands of needles answer as `in` does, over as many automata as their size and their bits need."""
    source = random.Random(3)
    words = ["".join(source.choices("abAB-é", k=source.randrange(1, 9))) for _ in range(1500)]
    tests = [Needle(word.encode(), fold, number // 20) for number, word in enumerate(words)]
    blobs = build_automata(tests, AutomatonLimits(size=20_000))
    for blob in blobs:
        check_automaton(blob.data)
        assert len(blob.data) <= 20_000
    for _ in range(100):
        text = "".join(source.choices("abAB-é", k=12)).encode()
        probe = text.lower() if fold else text
        expected = {test.bit for test in tests if (test.text.lower() if fold else test.text) in probe}
        assert matched_bits(blobs, text) == expected


def test_folded_needles_share_classes() -> None:
    """A letter's two cases are one class where case is ignored; beyond ASCII nothing is folded."""
    (blob,) = build_automata([Needle("Größe".encode(), True, 0)])
    assert blob.data[40 + ord("G")] == blob.data[40 + ord("g")]
    assert matched_bits([blob], "GRößE".encode()) == {0}
    assert matched_bits([blob], "GRÖßE".encode()) == set()


def test_folded_and_exact_needles_beyond_a_few_bytes() -> None:
    """Long lists of both kinds get automata of their own and keep their answers."""
    tests = [Needle(b"exact%03d" % number, False, number) for number in range(60)]
    tests += [Needle(b"Loose%03d" % number, True, 60 + number) for number in range(60)]
    blobs = build_automata(tests)
    assert matched_bits(blobs, b"EXACT001 exact002 LOOSE003 loose004") == {2, 63, 64}


def test_the_empty_needle_is_in_every_text() -> None:
    """Every text contains the empty one, the empty text too."""
    (blob,) = build_automata([Needle(b"", False, 0), Needle(b"x", False, 1)])
    check_automaton(blob.data)
    assert matched_bits([blob], b"") == {0}
    assert matched_bits([blob], b"wxy") == {0, 1}


def test_a_needle_too_long_for_one_automaton_is_refused() -> None:
    """A text longer than an automaton has states is refused with its index."""
    with pytest.raises(AutomatonTooLarge, match="65,535 states") as caught:
        build_automata([Needle(b"short", False, 0), Needle(bytes(70_000), False, 1)])
    assert caught.value.index == 1


def test_no_tests_need_no_automaton() -> None:
    """Nothing in, nothing out."""
    assert build_automata([]) == []


def test_a_huge_needle_is_refused_before_it_is_read() -> None:
    """A text of many megabytes costs neither time nor memory."""
    with pytest.raises(AutomatonTooLarge, match="states"):
        build_automata([Needle(bytes(50_000_000), True, 0)])
