"""Regular expressions: RE2's syntax to trees, and what is refused (flag-format.md section 2, `matches`)."""

from __future__ import annotations

import contextlib
import random
import re

import pytest
import re2

from flagcore.model import PatternError
from flagcore.model.regex import MAX_LENGTH, parse_pattern
from flagcore.model.regex_classes import MAX_CODE_POINT, PERL_CLASSES, POSIX_CLASSES, fold_case, merge, negate
from flagcore.model.regex_tree import Assertion, Choice, Empty, Pattern, Ranges, Repeat, Sequence


def one(text: str) -> Ranges:
    """The set of one character, or of an inclusive range."""
    return Ranges(((ord(text[0]), ord(text[-1])),))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", Empty()),
        ("a", one("a")),
        ("ab", Sequence((one("a"), one("b")))),
        ("a|b|", Choice((one("a"), one("b"), Empty()))),
        ("(a)", one("a")),
        ("(?:a|b)c", Sequence((Choice((one("a"), one("b"))), one("c")))),
        ("(?P<name>a)(?<other>b)", Sequence((one("a"), one("b")))),
        ("a*", Repeat(one("a"), 0, None)),
        ("a+?", Repeat(one("a"), 1, None)),
        ("a?", Repeat(one("a"), 0, 1)),
        ("a{2}", Repeat(one("a"), 2, 2)),
        ("a{2,}", Repeat(one("a"), 2, None)),
        ("a{2,3}?", Repeat(one("a"), 2, 3)),
        ("a{0,0}", Repeat(one("a"), 0, 0)),
        ("()*", Repeat(Empty(), 0, None)),
        ("^a$", Sequence((Assertion("begin"), one("a"), Assertion("end")))),
        (r"\Aa\z", Sequence((Assertion("begin"), one("a"), Assertion("end")))),
        (r"\b\B", Sequence((Assertion("word"), Assertion("not_word")))),
        ("(?m)^$", Sequence((Assertion("line_begin"), Assertion("line_end")))),
        ("a(?i)*b", Sequence((Repeat(one("a"), 0, None), Ranges(((66, 66), (98, 98)))))),
        ("(?i)K", Ranges(((75, 75), (107, 107)))),
        ("(?i)ß", one("ß")),
        ("(a(?i)b)c", Sequence((Sequence((one("a"), Ranges(((66, 66), (98, 98))))), one("c")))),
        ("(?s).", Ranges(negate(()))),
        (".", Ranges(negate(((10, 10),)))),
        (r"\.\*\[\_\-", Sequence(tuple(map(one, ".*[_-")))),
        (r"\a\f\t\n\r\v", Sequence(tuple(map(one, "\a\f\t\n\r\v")))),
        (r"\x41\x{1F600}\101\07", Sequence(tuple(map(one, "A\U0001f600A\a")))),
        (r"\Qa.*\E.", Sequence((*map(one, "a.*"), Ranges(negate(((10, 10),)))))),
        (r"\Q\\E", one("\\")),
        (r"\Qab", Sequence((one("a"), one("b")))),
        ("[abc]", one("ac")),
        ("[]a]", Ranges(((93, 93), (97, 97)))),
        ("[a-]", Ranges(((45, 45), (97, 97)))),
        ("[-a]", Ranges(((45, 45), (97, 97)))),
        (r"[\]\-\\]", Ranges(((45, 45), (92, 93)))),
        ("[^a-z]", Ranges(negate(((97, 122),)))),
        (r"[\d_]", Ranges(((48, 57), (95, 95)))),
        (r"[\D]", Ranges(PERL_CLASSES["D"])),
        ("[[:alpha:]_]", Ranges(((65, 90), (95, 95), (97, 122)))),
        ("[[:^digit:]]", Ranges(PERL_CLASSES["D"])),
        ("(?i)[a-c]", Ranges(((65, 67), (97, 99)))),
        ("(?i)[^a]", Ranges(negate(((65, 65), (97, 97))))),
        (r"[\x{D800}-\x{DFFF}]", Ranges(())),
        ("a{", Sequence((one("a"), one("{")))),
        ("a{,2}", Sequence(tuple(map(one, "a{,2}")))),
        ("}]", Sequence((one("}"), one("]")))),
    ],
)
def test_trees(text: str, tree: Pattern):
    """Each piece of the supported syntax and the tree that it gives; a brace that is no count is an ordinary character."""
    assert parse_pattern(text) == tree


@pytest.mark.parametrize(
    ("text", "offset", "reason"),
    [
        ("(?=a)", 0, "look-ahead"),
        ("a(?!a)", 1, "look-ahead"),
        ("(?<=a)", 0, "look-behind"),
        ("(?<!a)", 0, "look-behind"),
        (r"(a)\1", 3, "back-reference"),
        (r"\8", 0, "back-reference"),
        ("(?P<n>a)(?P=n)", 8, "back-reference"),
        ("(?>a)", 0, "atomic"),
        ("(?(1)a)", 0, "conditional"),
        ("(?#x)", 0, "comment"),
        ("(?R)", 0, "recursive"),
        (r"\pL", 0, "Unicode"),
        (r"\p{Greek}", 0, "Unicode"),
        (r"[\P{L}]", 1, "Unicode"),
        (r"\C", 0, "bytes"),
        (r"\Z", 0, "not known"),
        (r"\E", 0, "not known"),
        (r"\G", 0, "not known"),
        (r"\xZZ", 0, "not known"),
        (r"\x{110000}", 0, "last code point"),
        ("\\", 0, "end of the pattern"),
        ("(?i:a)", 0, "flags"),
        ("(?is)a", 0, "flags"),
        ("(?U)a", 0, "flags"),
        ("(?-i)a", 0, "flags"),
        ("(?x) a", 0, "flags"),
        ("(?", 0, "not known"),
        ("(?P<1>a)", 0, "not known"),
        ("(?P<n>a)(?P<n>b)", 8, "twice"),
        ("(", 0, "never closed"),
        ("a(b", 1, "never closed"),
        ("a)", 1, "closes no group"),
        ("[a", 0, "never closed"),
        ("[]", 0, "never closed"),
        ("[^]", 0, "never closed"),
        ("[b-a]", 1, "wrong order"),
        (r"[a-\d]", 3, "not known"),
        (r"[\b]", 1, "not known"),
        ("[[:alpah:]]", 1, "not known"),
        ("*a", 0, "nothing to repeat"),
        ("(|*)", 2, "nothing to repeat"),
        ("(?i)*", 4, "nothing to repeat"),
        ("[[:a]:]", 1, "not known"),
        ("a**", 2, "nothing to repeat"),
        ("a*+", 2, "nothing to repeat"),
        ("a{2}{3}", 4, "nothing to repeat"),
        ("a{1001}", 1, "at most 1000"),
        ("a{99999999999999999999}", 1, "at most 1000"),
        ("a{3,2}", 1, "wrong order"),
        ("(a{500}){3}", 8, "more than 1000"),
        ("((a{10}){10}){11}", 13, "more than 1000"),
        ("a" * (MAX_LENGTH + 1), MAX_LENGTH, "longer than"),
    ],
)
def test_refused(text: str, offset: int, reason: str):
    """What one automaton cannot decide, and what is not well formed, is refused with the reason and the place."""
    with pytest.raises(PatternError) as caught:
        parse_pattern(text)
    assert reason in caught.value.reason
    assert caught.value.offset == offset


def test_classes_are_ascii():
    r"""`\d \w \s` and the POSIX classes hold ASCII only; `\s` is RE2's, without the vertical tab that [[:space:]] has."""
    python = {"d": r"[0-9]", "w": r"[0-9A-Za-z_]", "s": r"[\t\n\f\r ]"}
    for letter, pattern in python.items():
        found = [code for code in range(0x3000) if re.fullmatch(pattern, chr(code))]
        assert [code for low, high in PERL_CLASSES[letter] for code in range(low, high + 1)] == found
        assert PERL_CLASSES[letter.upper()] == negate(PERL_CLASSES[letter])
    assert all(ranges[-1][1] < 128 for ranges in POSIX_CLASSES.values())
    assert (11, 11) in merge([pair for pair in POSIX_CLASSES["space"] if pair[0] <= 11 <= pair[1]] and [(11, 11)])


def test_range_arithmetic():
    """Sets are ascending, disjoint, not touching, without surrogates; negation twice is the set; folding is idempotent."""
    messy = [(5, 9), (1, 3), (4, 4), (0xD000, 0xE000), (20, 20), (9, 12)]
    ranges = merge(messy)
    assert ranges == ((1, 12), (20, 20), (0xD000, 0xD7FF), (0xE000, 0xE000))
    assert negate(negate(ranges)) == ranges
    assert negate(()) == ((0, 0xD7FF), (0xE000, MAX_CODE_POINT))
    assert fold_case(fold_case(((60, 70),))) == fold_case(((60, 70),)) == ((60, 70), (97, 102))


@pytest.mark.parametrize(
    "text",
    ["(" * 10_000, "(" * 65 + "a" + ")" * 65, "((" * 4_000, "[" * 10_000, "(a*" * 100, "(?:" * 3_000, "\\" * 9_999,
      "|" * 10_000, "a{1000}" * 1_000],
    ids=["open", "65 groups", "open twice", "brackets", "stars", "plain groups", "backslashes", "bars", "counts"],
)  # fmt: skip
def test_hostile_patterns(text: str):
    """Depth and length end in a tree or a PatternError, never in a RecursionError."""
    with contextlib.suppress(PatternError):
        parse_pattern(text)


PIECES = [*"abAB()[]{}|*+?^$.\\-,012:<>QEdDwWsSbBAzxinms!=# _~é", "(?i)", "(?s)", "(?m)", "(?:", "(?P<n>", r"\d", r"\b", "[^",
          "[[:alpha:]]", "[:", ":]", "{2}", "{2,3}", "{,2}", r"\x41", r"\x{41}", r"\Q", r"\E", r"\1", r"\07", "[a-z]"]  # fmt: skip
OURS_ONLY = ("flags are written only", "nothing to repeat", "Unicode")
"""Reasons that RE2 does not share: flags in groups, a repetition after flags after a repetition, Unicode classes."""


def test_same_verdict_as_re2():
    """On random patterns RE2 and we accept and refuse the same, apart from what the format leaves out on purpose."""
    options = re2.Options()
    options.log_errors = False
    chance = random.Random(2026)
    accepted = 0
    for _ in range(20_000):
        text = "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 7)))
        try:
            parse_pattern(text)
            refusal = None
        except PatternError as error:
            refusal = error.reason
        try:
            re2.compile(text, options=options)
            assert refusal is None or refusal.startswith(OURS_ONLY), text
            accepted += 1
        except re2.error:
            assert refusal is not None, text
    assert accepted > 5_000
