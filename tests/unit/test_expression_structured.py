"""Conditions as structured data, both ways (flag-format.md section 2)."""

from __future__ import annotations

import pytest

from flagcore.model import ExpressionError, from_structured, parse_expression, to_structured
from flagcore.model.tree import All, Any, Constant, Not

PAIRS = [
    ('app_version >= v"2.3.0"', {"attribute": "app_version", ">=": {"v": "2.3.0"}}),
    ('country not in ["DE"]', {"not": {"attribute": "country", "in": ["DE"]}}),
    ("a == 1 and b == 2.0", {"all": [{"attribute": "a", "==": 1}, {"attribute": "b", "==": 2.0}]}),
    ('segment("x") or has(a.b)', {"any": [{"segment": "x"}, {"has": "a.b"}]}),
    ("not true", {"not": True}),
    ("has(`a.b`)", {"has": "`a.b`"}),
    ('email ends_with [i"@a", "@b"]', {"attribute": "email", "ends_with": [{"i": "@a"}, "@b"]}),
    ('ip in [cidr"10.0.0.0/8"]', {"attribute": "ip", "in": [{"cidr": "10.0.0.0/8"}]}),
    ('now < t"2026-12-01T09:00:00Z"', {"attribute": "now", "<": {"t": "2026-12-01T09:00:00Z"}}),
]


@pytest.mark.parametrize(("text", "data"), PAIRS)
def test_two_spellings_of_one_tree(text: str, data: object):
    """Text and data mean the same tree, and the tree is written as that data."""
    tree = parse_expression(text)
    assert from_structured(data) == tree
    assert to_structured(tree) == data


def test_single_constant_of_in():
    """`in` with a single constant is a list of one, here too."""
    assert from_structured({"attribute": "a", "in": "x"}) == parse_expression('a in ["x"]')


def test_lists_of_one_condition():
    """`all` and `any` of one condition are that condition."""
    assert from_structured({"all": [{"any": [True]}]}) == Constant(True)


@pytest.mark.parametrize(
    ("data", "code", "path"),
    [
        (None, "wrong-type", ""),
        ("country == 1", "wrong-type", ""),
        ({}, "wrong-type", ""),
        ([], "wrong-type", ""),
        (1, "wrong-type", ""),
        ({"all": []}, "empty-list", "all"),
        ({"all": {}}, "wrong-type", "all"),
        ({"any": [True, "a == 1"]}, "wrong-type", "any[1]"),
        ({"not": None}, "wrong-type", "not"),
        ({"al": [True]}, "unknown-key", "al"),
        ({"all": [True], "any": [True]}, "bad-condition", ""),
        ({"segment": 1}, "wrong-type", "segment"),
        ({"has": 1}, "wrong-type", "has"),
        ({"has": "a b"}, "bad-path", "has"),
        ({"has": "in"}, "bad-path", "has"),
        ({"==": 1}, "unknown-key", "['==']"),
        ({"attribute": "a"}, "bad-condition", ""),
        ({"attribute": "a", "==": 1, "!=": 2}, "bad-condition", ""),
        ({"attribute": "a", "startswith": "x"}, "unknown-key", "startswith"),
        ({"attribute": 1, "==": 1}, "wrong-type", "attribute"),
        ({"attribute": "a", "==": None}, "wrong-type", "['==']"),
        ({"attribute": "a", "==": {}}, "bad-prefix", "['==']"),
        ({"attribute": "a", "==": {"x": "1"}}, "bad-prefix", "['==']"),
        ({"attribute": "a", "==": {"v": 1}}, "bad-constant", "['==']"),
        ({"attribute": "a", "==": {"v": "x"}}, "bad-version", "['==']"),
        ({"attribute": "a", "in": []}, "empty-list", "in"),
        ({"attribute": "a", "in": [1, [2]]}, "wrong-type", "in[1]"),
        ({"attribute": "a", "in": [1, {"v": "1"}]}, "mixed-list", "in"),
        ({"attribute": "a", "in": ["x", 2**63]}, "bad-number", "in[1]"),
        ({"attribute": "a", "==": float("nan")}, "bad-number", "['==']"),
        ({"attribute": "a", "==": "\ud800"}, "bad-text", "['==']"),
        ({"attribute": "a", "<": "x"}, "bad-operator", "['<']"),
    ],
)
def test_refused(data: object, code: str, path: str):
    """Data that is no condition, with its code and the path of the mistake inside the data."""
    with pytest.raises(ExpressionError) as caught:
        from_structured(data)
    assert (caught.value.problem.code, caught.value.problem.path) == (code, path)


def test_all_faults_of_a_tree():
    """Every fault of a tree is reported, each with its own path."""
    with pytest.raises(ExpressionError) as caught:
        from_structured({"all": [{"attribute": "a", "==": None}, {"not": {"has": 1}}, {"any": [{"x": 1}]}]})
    assert [problem.path for problem in caught.value.problems] == ["all[0]['==']", "all[1].not.has", "all[2].any[0].x"]


def test_depth():
    """64 levels are read and written; 65 are refused, and so are depths that would exhaust the stack."""
    data: object = True
    for _ in range(64):
        data = {"not": data}
    assert to_structured(from_structured(data)) == data
    for levels in (65, 100_000):
        deep: object = True
        for _ in range(levels):
            deep = {"all": [deep, True]}
        with pytest.raises(ExpressionError) as caught:
            from_structured(deep)
        assert caught.value.problem.code == "too-deep"


def test_deep_trees_of_programs():
    """A tree too deep for the format is a ValueError when written, not a RecursionError."""
    tree: All | Any | Not | Constant = Constant(True)
    for _ in range(10_000):
        tree = Not(tree)
    with pytest.raises(ValueError, match="deeper than 64"):
        to_structured(tree)
