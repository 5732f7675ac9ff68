"""Evaluation contexts and their merging."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace

import pytest

from flagcore.context import EvaluationContext, merge


def test_context_is_immutable():
    """A context cannot be changed after it was made."""
    context = EvaluationContext("u-1", {"country": "DE"})
    with pytest.raises(AttributeError, match="immutable"):
        context.targeting_key = "u-2"
    with pytest.raises(AttributeError, match="immutable"):
        del context.attributes


def test_contexts_compare_by_content_and_print():
    """Equal key and attributes make equal contexts; the repr shows both; nothing else is equal."""
    context = EvaluationContext("u-1", {"a": 1})
    assert context == EvaluationContext("u-1", {"a": 1})
    assert context != EvaluationContext("u-2", {"a": 1})
    assert context != {"a": 1}
    assert repr(context) == "EvaluationContext('u-1', {'a': 1})"
    assert pickle.loads(pickle.dumps(context)) == copy.copy(context) == context


def test_later_levels_win_attribute_by_attribute():
    """Of several levels the last one that names an attribute decides; mappings are replaced as wholes."""
    merged = merge({"a": 1, "b": 1, "m": {"x": 1}}, None, EvaluationContext("u-1", {"b": 2, "m": {"y": 2}}))
    assert merged == EvaluationContext("u-1", {"a": 1, "b": 2, "m": {"y": 2}})
    assert EvaluationContext("u-1", {"a": 1}).merge({"a": 2}) == EvaluationContext("u-1", {"a": 2})


def test_the_targeting_key_of_a_later_level_wins_in_either_spelling():
    """A later targeting key replaces an earlier one, whether it is the attribute or the field."""
    assert merge(EvaluationContext("u-1"), {"targetingKey": "u-2"}).targeting_key is None
    assert merge(EvaluationContext("u-1"), {"targetingKey": "u-2"}).attributes == {"targetingKey": "u-2"}
    assert merge({"targetingKey": "u-1"}, EvaluationContext("u-2")).targeting_key == "u-2"


def test_foreign_contexts_merge():
    """Objects with targeting_key and attributes are contexts; others are refused."""
    assert merge(SimpleNamespace(targeting_key="u", attributes=None)).targeting_key == "u"
    with pytest.raises(TypeError, match="no evaluation context: int"):
        merge(5)
