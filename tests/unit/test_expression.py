"""Condition texts that are right: what tree they mean and how a tree is printed (flag-format.md section 2)."""

from __future__ import annotations

import pytest

from flagcore.model import parse_expression, parse_path, print_expression
from flagcore.model.tree import All, Any, Constant, Has, InSegment, Literal, Not
from flagcore.model.tree import Test as AttributeTest
from flagcore.terms import Operator

A = AttributeTest(("a",), Operator.EQUALS, Literal(1))
B = AttributeTest(("b",), Operator.EQUALS, Literal(2))
C = AttributeTest(("c",), Operator.EQUALS, Literal(3))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a == 1", A),
        ("a == 1 and b == 2 or c == 3", Any((All((A, B)), C))),
        ("a == 1 and (b == 2 or c == 3)", All((A, Any((B, C))))),
        ("(a == 1 and b == 2) and c == 3", All((All((A, B)), C))),
        ("a == 1 and b == 2 and c == 3", All((A, B, C))),
        ("((a == 1))", A),
        ("not a == 1 and b == 2", All((Not(A), B))),
        ("not (a == 1 and b == 2)", Not(All((A, B)))),
        ("not not a == 1", Not(Not(A))),
        ("a not == 1", Not(A)),
        ("true or false", Any((Constant(True), Constant(False)))),
        ('segment("internal")', InSegment("internal")),
        ("has(app.version)", Has(("app", "version"))),
        ("has(`app.version`)", Has(("app.version",))),
    ],
)
def test_grammar(text: str, tree: object):
    """`not` binds tighter than `and`, `and` tighter than `or`; parentheses make a node of their own."""
    assert parse_expression(text) == tree


@pytest.mark.parametrize("operator", list(Operator))
def test_every_operator(operator: Operator):
    """Each operator of the table parses with a constant that it takes, and prints as it was written."""
    constant = {Operator.IN: '["x"]', Operator.LESS: "1", Operator.LESS_OR_EQUAL: "1"}.get(operator)
    constant = constant or ("1" if operator.value[0] in "<>" else '"x"')
    text = f"name {operator.value} {constant}"
    assert print_expression(parse_expression(text)) == text
    negated = f"name not {operator.value} {constant}"
    assert parse_expression(negated) == Not(parse_expression(text))
    assert print_expression(parse_expression(negated)) == negated


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"a\\b"', "a\\b"),
        (r'"\"\'"', "\"'"),
        (r"'\"\''", "\"'"),
        (r'"\n\t"', "\n\t"),
        (r'"\u{1F600}\u{0}\u{e9}"', "\U0001f600\0é"),
        ("'double \" inside'", 'double " inside'),
        ('"Straße 北京"', "Straße 北京"),
        ('"# no comment"', "# no comment"),
        ('""', ""),
    ],
)
def test_strings(text: str, value: str):
    """Both quotation marks, all escapes, and `#` inside a string."""
    assert parse_expression(f"a == {text}") == AttributeTest(("a",), Operator.EQUALS, Literal(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("007", 7),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("1.0", 1.0),
        ("-1.5e3", -1500.0),
        ("1e3", 1000.0),
        ("1E-3", 0.001),
        ("-0.0", -0.0),
        ("0.1", 0.1),
    ],
)
def test_numbers(text: str, value: int | float):
    """A number without point and exponent is an exact integer, any other a double."""
    tree = parse_expression(f"a == {text}")
    assert isinstance(tree, AttributeTest)
    assert tree.constant == Literal(value)
    assert type(tree.literals[0].value) is type(value)


def test_kinds_of_constants_differ():
    """1, 1.0 and true are three constants although Python calls them equal, and so are 0.0 and -0.0."""
    texts = ["a == 1", "a == 1.0", "a == true", "a == 0.0", "a == -0.0", 'a == "1"', 'a == i"1"', 'a == v"1"']
    trees = [parse_expression(text) for text in texts]
    assert len(set(trees)) == len(texts)
    assert all((one == other) == (i == k) for i, one in enumerate(trees) for k, other in enumerate(trees))
    assert Literal(1) != 1


def test_blanks_and_comments():
    """Lines may break between any tokens, comments run to the end of the line, and a list may end in a comma."""
    text = 'a # the first\n .\n b\r\n\tnot\n in # list\n[\n"x", # one\n v\n"1",]'
    with pytest.raises(Exception, match="one prefix"):
        parse_expression(text)
    assert parse_expression(text.replace("v\n", "i\n")) == Not(
        AttributeTest(("a", "b"), Operator.IN, (Literal("x"), Literal("1", "i")))
    )
    assert parse_expression("a==1#end") == A


def test_single_constant_of_in_is_a_list():
    """`in` with a single literal is a list of one."""
    assert parse_expression('a in "x"') == parse_expression('a in ["x"]')
    assert parse_expression('ip in cidr"10.0.0.0/8"') == parse_expression('ip in [cidr"10.0.0.0/8"]')


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("a.b-c._d9", ("a", "b-c", "_d9")),
        ("`a.b`.c", ("a.b", "c")),
        ("`in`.`true`", ("in", "true")),
        ("`any text, 北`", ("any text, 北",)),
        ("`a``b`", ("a`b",)),
        ("v.i.t.cidr", ("v", "i", "t", "cidr")),
        (" a . b ", ("a", "b")),
    ],
)
def test_paths(text: str, path: tuple[str, ...]):
    """Names join by dots; backquotes hold any text, a doubled backquote one backquote; prefixes are free as names."""
    assert parse_path(text) == path
    assert parse_expression(f"has({text})") == Has(path)


@pytest.mark.parametrize(
    "text",
    [
        'country not in ["DE", "AT"]',
        "not (a == 1 or b == 2)",
        "(a == 1 or b == 2) and c == 3",
        "a == 1 and b == 2 or c == 3",
        'not segment("x") and not has(`a b`)',
        "not not (a == 1 and b == 2)",
        'a == "\\u{0}\\n\\t\\u{2028}\\"é"',
        'a in [1, 1.0, true, "x", i"x"]',
        "a == 1e+300",
        "not a not == 1",
    ],
)
def test_printing_is_canonical(text: str):
    """These texts are what printing gives: printing what they mean gives them back."""
    assert print_expression(parse_expression(text)) == text


def test_normal_form():
    """An All or Any of one part is its part, and the constant of `in` is a list: printing brings trees into this form."""
    assert print_expression(All((Any((A,)),))) == "a == 1"
    lone = AttributeTest(("a",), Operator.IN, Literal("x"))
    assert print_expression(lone) == 'a in ["x"]'


@pytest.mark.parametrize(
    "tree",
    [
        All(()),
        AttributeTest(("a",), Operator.IN, ()),
        Has(()),
        Has(("",)),
        Has(("\ud800",)),
        AttributeTest(("a",), Operator.EQUALS, Literal(float("inf"))),
        AttributeTest(("a",), Operator.EQUALS, Literal("\udfff")),
    ],
)
def test_trees_without_a_text(tree: All | AttributeTest | Has):
    """What the grammar cannot say is a ValueError, not a wrong text."""
    with pytest.raises(ValueError, match=r"no text|at least one name"):
        print_expression(tree)


def test_deepest_condition():
    """64 levels parse and print; one more is refused by both."""
    deep: All | Any = Any((A, B))
    for level in range(63):
        deep = All((deep, A)) if level % 2 == 0 else Any((deep, A))
    assert parse_expression(print_expression(deep)) == deep
    with pytest.raises(ValueError, match="deeper than 64"):
        print_expression(All((deep, B)))
    assert parse_expression("(" * 64 + "a == 1" + ")" * 64) == A
