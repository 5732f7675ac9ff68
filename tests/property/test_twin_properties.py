"""What must hold of first-match rules over three-valued conditions, whoever evaluates them; here, the readable twin."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from flagcore.context import EvaluationContext
from flagcore.model import from_structured, parse_expression, print_expression, to_structured, validate
from flagcore.model.flagset import Condition, Flag, FlagSet, Rule
from flagcore.model.tree import All, Any, Expression, Has, InSegment, Not
from flagcore.reference import Resolution, Twin
from flagcore.terms import ErrorCode, Reason
from flagcore.testing.making import FlagSetMaker
from flagcore.testing.strategies import contexts, expressions, flag_sets, moments
from tests.support.equality import CALLERS_DEFAULT

SINGLE_NAMES = (("x",), ("y",), ("targetingKey",))


class Drawn:
    """Choices of Hypothesis, for makers with settings of their own."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data

    def below(self, count: int) -> int:
        """Return a number from 0 to ``count - 1``."""
        return self.data.draw(st.integers(0, count - 1))


def is_monotone(tree: Expression) -> bool:
    """Holds no ``has`` and no segment, which are two-valued."""
    match tree:
        case All(parts) | Any(parts):
            return all(map(is_monotone, parts))
        case Not(part):
            return is_monotone(part)
        case _:
            return not isinstance(tree, (Has, InSegment))


def set_of(tree: Expression) -> FlagSet:
    """Return a flag set that asks for the condition."""
    rule = Rule(id="r", when=Condition(tree), serve="on")
    return FlagSet(
        flags={"f": Flag(key="f", type="boolean", variants={"on": True, "off": False}, default="off", rules=(rule,))}
    )


@given(st.data())
def test_more_information_never_reverses(data: st.DataObject):
    """What is true or false of a few attributes stays so when more of them are known (``has`` and segments apart)."""
    tree = FlagSetMaker(Drawn(data), paths=SINGLE_NAMES).expression()
    if not is_monotone(tree):
        return
    flag_set = set_of(tree)
    twin, strategy = Twin(flag_set), contexts(flag_set)
    for _ in range(4):
        full, at = data.draw(strategy), data.draw(moments())
        if not isinstance(full, dict) or not full:
            continue
        known = {name: full[name] for name in data.draw(st.sets(st.sampled_from(sorted(full))))}
        before = twin.test(tree, known, at)
        assert before is None or twin.test(tree, full, at) is before


@given(flag_sets(), st.data())
def test_every_part_of_an_answer_fits(flag_set: FlagSet, data: st.DataObject):
    """Nothing raises; variants exist; a rule id goes with a rule, an error code with ERROR, the default value with no variant."""
    twin, strategy = Twin(flag_set), contexts(flag_set)
    for _ in range(4):
        context, at = data.draw(strategy), data.draw(moments())
        for key, flag in flag_set.flags.items():
            found = twin.evaluate(key, CALLERS_DEFAULT, context, at=at)
            assert (found.value is CALLERS_DEFAULT) == (found.variant is None)
            assert found.variant is None or found.variant in flag.variants
            assert (found.error_code is None) == (found.reason is not Reason.ERROR)
            known = {rule.id for rule in flag.rules} | {f"requires:{requirement.flag}" for requirement in flag.requires}
            assert found.rule is None or found.rule in known
            assert (found.rule is not None) <= (found.reason in (Reason.TARGETING_MATCH, Reason.SPLIT))
            assert found.reason is not Reason.STATIC or not (flag.rules or flag.requires)


def with_rules(flag_set: FlagSet, key: str, rules: tuple[Rule, ...]) -> FlagSet:
    """Return the flag set with the rules of one flag replaced, and requirements taken from it."""
    flag = msgspec.structs.replace(flag_set.flags[key], rules=rules)
    return msgspec.structs.replace(flag_set, flags={**flag_set.flags, key: flag})


def decided(flag_set: FlagSet, key: str, context: object, at: int) -> Resolution:
    """Return the twin's answer."""
    return Twin(flag_set).evaluate(key, CALLERS_DEFAULT, context, at=at)


@given(flag_sets(), st.data())
def test_appending_a_rule(flag_set: FlagSet, data: st.DataObject):
    """A rule added at the end changes nothing for contexts that an earlier rule or a requirement decided."""
    key = data.draw(st.sampled_from(sorted(flag_set.flags)))
    flag = flag_set.flags[key]
    added = Rule(id="added", when=Condition(data.draw(expressions(2))), serve=next(iter(flag.variants)))
    longer = with_rules(flag_set, key, (*flag.rules, added))
    strategy = contexts(longer)
    for _ in range(4):
        context, at = data.draw(strategy), data.draw(moments())
        before, after = decided(flag_set, key, context, at), decided(longer, key, context, at)
        if before.rule is not None or before.reason is Reason.DISABLED:
            assert after == before
        else:
            assert after.rule in (None, "added")


@given(flag_sets(), st.data())
def test_deleting_a_shadowed_rule(flag_set: FlagSet, data: st.DataObject):
    """A rule behind one that matches whenever it does can be deleted without a change for anybody."""
    key = data.draw(st.sampled_from(sorted(flag_set.flags)))
    flag = flag_set.flags[key]
    tree, narrower = data.draw(expressions(2)), data.draw(expressions(1))
    names = tuple(flag.variants)
    first = Rule(id="first", when=Condition(tree), serve=names[0])
    shadowed = Rule(
        id="shadowed",
        when=Condition(All((narrower, tree))),
        serve=names[-1],
        percent=data.draw(st.sampled_from([None, 50])),
    )
    place = data.draw(st.integers(0, len(flag.rules)))
    kept = (first, *flag.rules)
    strategy = contexts(with_rules(flag_set, key, kept))
    shorter = with_rules(flag_set, key, kept)
    longer = with_rules(flag_set, key, (*kept[: place + 1], shadowed, *kept[place + 1 :]))
    for _ in range(4):
        context, at = data.draw(strategy), data.draw(moments())
        assert decided(longer, key, context, at) == decided(shorter, key, context, at)


@given(expressions())
def test_generated_conditions_round_trip(tree: Expression):
    """A generated condition is the same tree after printing and parsing, as text and as structured data."""
    assert parse_expression(print_expression(tree)) == tree
    assert from_structured(to_structured(tree)) == tree


@given(flag_sets())
def test_generated_flag_sets_are_valid(flag_set: FlagSet):
    """Generated flag sets have no errors, only warnings."""
    assert [problem for problem in validate(flag_set) if problem.severity.value == "error"] == []


@given(flag_sets(), st.data())
def test_both_kinds_of_context_mean_the_same(flag_set: FlagSet, data: st.DataObject):
    """A mapping with ``targetingKey`` and an evaluation context with a targeting key give the same answers."""
    context, at = data.draw(contexts(flag_set)), data.draw(moments())
    if not isinstance(context, dict):
        return
    rest = {name: value for name, value in context.items() if name != "targetingKey"}
    other = EvaluationContext(context.get("targetingKey"), rest)
    for key in flag_set.flags:
        assert decided(flag_set, key, context, at)[1:] == decided(flag_set, key, other, at)[1:]


def test_never_raises_for_odd_keys():
    """A flag key that is no string names no flag."""
    for key in (None, 5, [], {}, b"f", object(), "\ud800"):
        found = Twin(FlagSet()).evaluate(key, 1, {})
        assert found == Resolution(1, None, Reason.ERROR, ErrorCode.FLAG_NOT_FOUND)
