"""A workload's flags in plain words, for adapters to write down in the words of a peer.

The authored document is read by our own model; what remains is what W1 to W9 need: boolean flags, rules with at most one
test, value sets, gates and two-way splits. Anything else raises, so that no adapter can lose a condition silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from flagcore.model import Flag, Rule, build_flag_set
from flagcore.model import tree as nodes

__all__ = ["SUBJECT", "VERSION_AT_LEAST", "PlainFlag", "PlainRule", "PlainSet", "Test", "plain"]

SUBJECT = "targetingKey"
VERSION_AT_LEAST = "version >="


class Test(NamedTuple):
    """``operator`` is ``==``, ``>=``, ``>``, ``in``, ``starts_with``, ``ends_with``, VERSION_AT_LEAST or ``in_segment``."""

    attribute: str
    operator: str
    value: object  # a list for ``in``, a segment's name for ``in_segment``


class PlainRule(NamedTuple):
    """Whoever passes ``test`` and lies in the gate of ``percent`` is served ``share`` percent ``true``, the others ``false``."""

    id: str
    test: Test | None
    percent: float  # 100: no gate
    share: float  # 100: true; 0: false; between: a split

    @property
    def value(self) -> bool:
        """What is served when the rule does not split."""
        assert self.share in {0, 100}, "a split has no one value"
        return self.share == 100


class PlainFlag(NamedTuple):
    """A boolean flag: the first rule that matches, else the default."""

    key: str
    default: bool
    rules: tuple[PlainRule, ...]


class PlainSet(NamedTuple):
    """Flags, and the value sets that they name, each over targeting keys."""

    flags: tuple[PlainFlag, ...]
    segments: dict[str, list[str]]


def plain(document: Mapping[str, object]) -> PlainSet:
    """Return an authored document in plain words."""
    flag_set = build_flag_set(document).flag_set
    segments = {}
    for segment in flag_set.segments.values():
        assert segment.attribute == (SUBJECT,), "value sets hold targeting keys"
        segments[segment.name] = [str(value) for value in segment.values or ()]
    return PlainSet(tuple(map(_flag, flag_set.flags.values())), segments)


def _flag(flag: Flag) -> PlainFlag:
    assert isinstance(flag.default, str), "a default that splits"
    return PlainFlag(flag.key, flag.default == "on", tuple(map(_rule, flag.rules)))


def _rule(rule: Rule) -> PlainRule:
    assert rule.between is None, "a rule with a window"
    assert rule.ramp is None, "a rule with a ramp"
    test = None if rule.when is None else _test(rule.when.tree)
    percent = 100 if rule.percent is None else rule.percent
    weights = rule.split or {str(rule.serve): 1}
    return PlainRule(rule.id, test, percent, 100 * weights.get("on", 0) / sum(weights.values()))


def _test(node: nodes.Expression) -> Test:
    if isinstance(node, nodes.InSegment):
        return Test(SUBJECT, "in_segment", node.name)
    assert isinstance(node, nodes.Test), "a condition of more than one test"
    (attribute,) = node.path
    if isinstance(node.constant, tuple):
        return Test(attribute, node.operator.value, [literal.value for literal in node.constant])
    prefix = {"": "", "v": "version "}[node.constant.prefix]
    return Test(attribute, f"{prefix}{node.operator.value}", node.constant.value)
