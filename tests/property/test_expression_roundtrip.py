"""Round trips of conditions: text, structured data and tree are one thing (flag-format.md section 2)."""

from __future__ import annotations

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from flagcore.model import ExpressionError, from_structured, parse_expression, print_expression, to_structured
from flagcore.model.normal import depth, normal
from flagcore.model.tree import All, Any, Constant, Expression, Has, InSegment, Literal, Not
from flagcore.model.tree import Test as AttributeTest
from flagcore.terms import Operator
from tests.profiles import cases

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
NAMES = st.one_of(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,5}", fullmatch=True),
    st.sampled_from(
        ["and", "in", "not", "true", "has", "segment", "v", "i", "t", "cidr", "a.b", "`", "``", "a`b", "\n", "é", " "]
    ),
    TEXTS.filter(bool),
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(tuple).filter(lambda path: path != ("now",))
NUMBERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))
PLAIN = st.one_of(TEXTS, NUMBERS, st.booleans()).map(Literal)
FOLDED = TEXTS.map(lambda text: Literal(text, "i"))
VERSIONS = st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 99)).map(
    lambda pair: Literal(f"{pair[0]}.{pair[1]}", "v")
)
NETWORKS = st.integers(0, 255).map(lambda first: Literal(f"{first}.0.0.0/8", "cidr"))
TIMES = st.datetimes().map(lambda time: Literal(time.isoformat() + "Z", "t"))
ORDER = st.sampled_from([Operator.LESS, Operator.LESS_OR_EQUAL, Operator.GREATER, Operator.GREATER_OR_EQUAL])
EQUALITY = st.sampled_from([Operator.EQUALS, Operator.NOT_EQUALS])
AFFIX = st.sampled_from([Operator.STARTS_WITH, Operator.ENDS_WITH])


def lists(*literals: st.SearchStrategy[Literal]) -> st.SearchStrategy[tuple[Literal, ...]]:
    """Lists of one or more constants."""
    return st.lists(st.one_of(*literals), min_size=1, max_size=4).map(tuple)


STRINGS = st.one_of(TEXTS.map(Literal), FOLDED)
TESTS = st.one_of(
    st.builds(AttributeTest, PATHS, EQUALITY, st.one_of(PLAIN, FOLDED, VERSIONS)),
    st.builds(AttributeTest, PATHS, ORDER, st.one_of(NUMBERS.map(Literal), VERSIONS, TIMES)),
    st.builds(AttributeTest, st.just(("now",)), ORDER, TIMES),
    st.builds(
        AttributeTest, PATHS, st.just(Operator.IN), st.one_of(lists(PLAIN, FOLDED), lists(VERSIONS), lists(NETWORKS))
    ),
    st.builds(AttributeTest, PATHS, st.just(Operator.CONTAINS), st.one_of(PLAIN, FOLDED, lists(PLAIN, FOLDED))),
    st.builds(AttributeTest, PATHS, AFFIX, st.one_of(STRINGS, lists(STRINGS))),
    st.builds(
        AttributeTest, PATHS, st.just(Operator.MATCHES), st.sampled_from(["", "^a.*b$", r"\d+\"", "(?i)é"]).map(Literal)
    ),
)
LEAVES = st.one_of(TESTS, st.builds(Has, PATHS), st.builds(InSegment, TEXTS), st.builds(Constant, st.booleans()))


def _nodes(parts: st.SearchStrategy[Expression], least: int) -> st.SearchStrategy[Expression]:
    several = st.lists(parts, min_size=least, max_size=3).map(tuple)
    return st.one_of(st.builds(All, several), st.builds(Any, several), st.builds(Not, parts))


TREES = st.recursive(LEAVES, lambda parts: _nodes(parts, 2), max_leaves=12)
LOOSE_TREES = st.recursive(LEAVES, lambda parts: _nodes(parts, 1), max_leaves=8)


@given(TREES)
@settings(max_examples=cases(500))
@example(Not(Not(AttributeTest(("in",), Operator.IN, (Literal(-0.0), Literal(0.0), Literal(0), Literal(False))))))
@example(All((All((Constant(True), Constant(False))), Any((Constant(True), Any((Constant(False), Has(("`",)))))))))
def test_text_round_trip(tree: Expression):
    """parse(print(t)) == t for every tree, and print(parse(print(t))) == print(t)."""
    text = print_expression(tree)
    parsed = parse_expression(text)
    assert parsed == tree
    assert print_expression(parsed) == text


@given(TREES)
@settings(max_examples=cases(500))
def test_structured_round_trip(tree: Expression):
    """Data written from a tree reads as that tree, also after a way through JSON."""
    data = to_structured(tree)
    assert from_structured(data) == tree
    assert from_structured(json.loads(json.dumps(data))) == tree


@given(LOOSE_TREES)
def test_normal_form(tree: Expression):
    """A tree that is not in normal form is printed and written as its normal form, which is never deeper."""
    wanted = normal(tree)
    assert normal(wanted) == wanted
    assert depth(wanted) <= depth(tree)
    assert parse_expression(print_expression(tree)) == wanted
    assert from_structured(to_structured(tree)) == wanted


@given(st.text(max_size=60))
@settings(max_examples=cases(500))
def test_any_text(text: str):
    """Any text is a condition or an ExpressionError with a place inside it; what parses survives printing."""
    try:
        tree = parse_expression(text)
    except ExpressionError as error:
        offsets = [fault.offset for fault in error.faults]
    else:
        offsets = [0]
        assert parse_expression(print_expression(tree)) == tree
    assert all(offset is not None and 0 <= offset <= len(text) for offset in offsets)


FRAGMENTS = st.sampled_from(
    ["a", "b.c", "`x y`", " and ", " or ", "not ", "(", ")", "[", "]", ",", "==", "<", " in ", " contains ", "1", "-2.5e3", '"x"', "i'y'",
     'v"1.2"', 'cidr"10.0.0.0/8"', "true", "segment(", "has(", "now", "#c\n", "\\", "“", "."]
)  # fmt: skip


@given(st.lists(FRAGMENTS, max_size=14).map("".join))
@settings(max_examples=cases(500))
def test_texts_of_grammar_words(text: str):
    """The same for texts made of the language's own words, which come closer to conditions."""
    test_any_text.hypothesis.inner_test(text)


JSONISH = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["all", "any", "not", "has", "segment", "attribute", "==", "in", "v", "x"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=10,
)


@given(JSONISH)
@settings(max_examples=cases(500))
def test_any_data(data: object):
    """Any data is a condition or an ExpressionError; what is read can be printed and read again."""
    try:
        tree = from_structured(data)
    except ExpressionError:
        return
    assert from_structured(to_structured(tree)) == tree
    assert parse_expression(print_expression(tree)) == tree
