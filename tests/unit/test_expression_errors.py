"""Condition texts that are refused: the place, the reason, and the word that was meant."""

from __future__ import annotations

import pytest

from flagcore.model import ExpressionError, parse_expression


def refused(text: str) -> ExpressionError:
    """Return the error about the text."""
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "offset", "hint"),
    [
        ('country = "DE"', 8, "`==`"),
        ("a == 1 && b == 2", 7, "`and`"),
        ("a == 1 || b == 2", 7, "`or`"),
        ("!a == 1", 0, "`not`"),
        ("a <> 1", 3, None),
        ("a == 1 adn b == 2", 7, "`and`"),
        ("a == 1 AND b == 2", 7, "`and`"),
        ('a startswith "x"', 2, "`starts_with`"),
        ('a EndsWith "x"', 2, "`ends_with`"),
        ('a contians "x"', 2, "`contains`"),
        ('a is "x"', 2, "`==`"),
        ("a == True", 5, "`true`"),
        ("a == null", 5, "has("),
        ("a == DE", 5, '"DE"'),
        ('a in ("x")', 5, "brackets"),
        ("in == 1", 0, "backquotes"),
        ("a.not == 1", 2, "backquotes"),
        ('"DE" == country', 0, "first"),
        ("a == “x”", 5, '"'),
        ("a == 2.3.0", 5, "v"),
        ('segmnt("x")', 6, "did you mean `segment`"),
        ("hsa(x)", 3, "did you mean `has`"),
        ("lower(x) == 1", 5, "only forms with parentheses"),
    ],
)
def test_what_was_meant(text: str, offset: int, hint: str | None):
    """Each mistake is shown at its place, with the word that was probably meant."""
    error = refused(text)
    assert error.offset == offset
    assert error.problem.code == "syntax"
    assert hint is None or (error.problem.hint is not None and hint in error.problem.hint)


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "# only a comment", "a", "a ==", "a == 1 and", "or a == 1", "a == 1 b == 2", "(a == 1", "a == 1)", "()",
        "not", "segment", 'segment("x"', "segment(x)", "has", "has()", "has(a", "a.", ".a", "a..b == 1", "``.a == 1", "has(``)",
        "a in [1", "a in [,]", "a in [1,,2]", "a in [1 2]", "a in 1]", 'a == "x', "a == 'x", 'a == "x\ny"', "a == `x`", "a == 1.",
        "a == .5", "a == +1", "a == - 1", "a == 1e", "a == 0x10", "a == 12ab", 'a == "\\x41"', 'a == "\\u{}"', 'a == "\\u{110000}"',
        'a == "\\u{d800}"', 'a == "\\u41"', 'a == x"1"', "a == v 1", "a == not 1", "a not not == 1", "a == b", "a + 1 == 2", "f(a) == 1",
        "a == 1;", "a\u00a0== 1", "a == 1 \x00", "1 == a", "true == a", "a == [1] or [", "`a == 1", "a == [[1]]", "a == {}",
    ],
)  # fmt: skip
def test_refused(text: str):
    """What the grammar does not say is refused, with a caret under a place inside the text."""
    error = refused(text)
    assert error.problem.excerpt is not None
    assert error.problem.excerpt.splitlines()[-1].strip() == "^"
    assert error.offset is not None
    assert 0 <= error.offset <= len(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a in []", "empty-list"),
        ('a in ["x", v"1"]', "mixed-list"),
        ('a in [v"1", cidr"10.0.0.0/8"]', "mixed-list"),
        ("a == [1]", "bad-operator"),
        ("a < [1]", "bad-operator"),
        ('a matches ["x"]', "bad-operator"),
        ('a < "x"', "bad-operator"),
        ("a < true", "bad-operator"),
        ('a < i"x"', "bad-operator"),
        ('a == t"2026-12-01T09:00:00Z"', "bad-operator"),
        ('a in [t"2026-12-01T09:00:00Z"]', "bad-operator"),
        ('a contains v"1"', "bad-operator"),
        ('a contains cidr"::/0"', "bad-operator"),
        ('a == cidr"10.0.0.0/8"', "bad-operator"),
        ('a matches i"x"', "bad-operator"),
        ('a matches v"1"', "bad-operator"),
        ("a matches 1", "bad-operator"),
        ("a starts_with 1", "bad-operator"),
        ("a ends_with [true]", "bad-operator"),
        ("now == 1", "bad-operator"),
        ("now < 1", "bad-operator"),
        ('now < v"1"', "bad-operator"),
        ('now in ["x"]', "bad-operator"),
        ("`now` == 1", "bad-operator"),
        ('a < v"x"', "bad-version"),
        ('a < v"2026-01-01"', "bad-version"),
        ('a < t"2026-12-01"', "bad-time"),
        ('a < t"2026-12-01T09:00:00"', "bad-time"),
        ('a in cidr"10.0.0.1/8"', "bad-network"),
        ('a in cidr"example.org"', "bad-network"),
        ('a matches "(?=x)"', "bad-pattern"),
        ("a == 9223372036854775808", "bad-number"),
        ("a == " + "9" * 5000, "bad-number"),
        ("a == 1e999", "bad-number"),
    ],
)
def test_constants_refused(text: str, code: str):
    """Operators with constants that the operator table does not name, and constants that are not what they say."""
    assert refused(text).problem.code == code


def test_all_faults_of_a_condition():
    """Refused constants do not end the reading: every one is reported, and a syntax error after them too."""
    error = refused('a < v"x" and b in [cidr"10.0.0.1/8", cidr"y"] and c == 99999999999999999999 and d = 1')
    assert [problem.code for problem in error.problems] == [
        "bad-version",
        "bad-network",
        "bad-network",
        "bad-number",
        "syntax",
    ]
    assert [fault.offset for fault in error.faults] == [4, 19, 37, 55, 82]


def test_host_bits_hint():
    """Host bits in a network are refused with the network that was meant."""
    assert 'cidr"10.0.0.0/8"' in (refused('ip in cidr"10.1.2.3/8"').problem.hint or "")
    assert 'cidr"2001:db8::/32"' in (refused('ip in cidr"2001:db8::1/32"').problem.hint or "")


def test_excerpt_of_one_line():
    """The excerpt is the line of the mistake, the caret under its place; long lines are cut around it."""
    error = refused("a == 1 and\n  b = 2\nand c == 3")
    assert error.problem.excerpt == "  b = 2\n    ^"
    assert (error.problem.line, error.problem.column) == (2, 5)
    long = refused("a == 1 and " * 100 + "b = 2" + " and c == 3" * 100)
    assert long.problem.excerpt is not None
    shown, caret = long.problem.excerpt.splitlines()
    assert len(shown) < 120
    assert shown[len(caret) - 1] == "="


@pytest.mark.parametrize(
    "text",
    ["(" * 100_000, "not " * 100_000, "(" * 65 + "a == 1" + ")" * 65, "not " * 65 + "a == 1", "a == 1 and (" * 70 + "b == 1" + ")" * 70],
    ids=["parentheses", "nots", "65 parentheses", "65 nots", "mixed"],
)  # fmt: skip
def test_depth_bombs(text: str):
    """Nesting beyond 64 is a problem of its own and never a RecursionError."""
    assert refused(text).problem.code == "too-deep"


def test_depth_through_and_and_or():
    """A tree deeper than 64 is refused even where its text needs fewer parentheses."""
    text = "a == 1"
    for _ in range(33):
        text = f"a == 1 or a == 1 and ({text})"
    assert refused(text).problem.code == "too-deep"


def test_wide_conditions():
    """Width has no limit: thousands of tests in a row, and thousands of constants, are read."""
    assert len(parse_expression(" or ".join(["a == 1"] * 20_000)).parts) == 20_000  # type: ignore[union-attr]
    many = ", ".join(map(str, range(50_000)))
    assert len(parse_expression(f"a in [{many}]").literals) == 50_000  # type: ignore[union-attr]
