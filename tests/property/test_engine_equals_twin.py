"""The compiled engine answers as the readable twin does, for generated flag sets and hostile contexts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.compiler import Options, compile_flag_set
from flagcore.model.flagset import FlagSet
from flagcore.model.tree import Path
from flagcore.reference import Twin
from flagcore.terms import Operator
from flagcore.testing.context_making import ContextMaker, make_moment
from flagcore.testing.making import FlagSetMaker
from flagcore.testing.pools import made_pools
from flagcore.testing.strategies import contexts, flag_sets, moments
from tests.profiles import NIGHTLY, cases
from tests.support.equality import Asked, Seeded, assert_equal_answers

CONTEXTS = 10  # of one flag set: compiling it is the dear part
# Small limits, so that every kind of node occurs in small flags; credit decides how much is copied, never what is answered.
OPTIONS = [
    Options(credit_factor=credit, small=small, direct_tests=direct)
    for credit, small, direct in ((0, 64, 3), (1, 2, 0), (4, 4, 1), (50, 64, 3), (50, 2, 0))
]


@settings(max_examples=cases(200))
@given(st.data())
def test_engine_equals_twin(data: st.DataObject):
    """Value, variant, reason, error code and rule id are equal for every flag of 200 sets in 10 contexts each; nightly, 50,000 sets."""
    flag_set = data.draw(flag_sets())
    twin, engine = Twin(flag_set), Asked(flag_set)
    asked = contexts(flag_set)
    for _ in range(CONTEXTS):
        assert_equal_answers(twin, [engine], data.draw(asked), data.draw(moments()))


@pytest.mark.parametrize("part", range(8))
def test_seeded_flag_sets(part: int):
    """The same for flag sets of a random number generator, which makes many more of them in the same time."""
    for seed in range(part, cases(320), 8):
        choices = Seeded(seed)
        flag_set = FlagSetMaker(choices).flag_set()
        twin, engine, maker = Twin(flag_set), Asked(flag_set), ContextMaker(flag_set)
        for _ in range(CONTEXTS):
            _check(seed, twin, [engine], maker.context(choices), make_moment(choices))


@pytest.mark.parametrize("part", range(8))
def test_options_change_no_answer(part: int):
    """Whatever the credit and the limits of the compiler, the answers are the twin's."""
    for seed in range(10_000 + part, 10_000 + (5_000 if NIGHTLY else 64), 8):
        choices = Seeded(seed)
        flag_set = FlagSetMaker(choices).flag_set(max_flags=2, max_rules=12)
        twin, maker = Twin(flag_set), ContextMaker(flag_set)
        engines = [Asked(flag_set, options) for options in OPTIONS]
        for _ in range(2 * CONTEXTS):
            _check(seed, twin, engines, maker.context(choices), make_moment(choices))


@pytest.mark.parametrize("part", range(4))
def test_static_context(part: int):
    """A static context lies under each call's: the answers are those for both laid over each other, name by name."""
    for seed in range(15_000 + part, 15_000 + (5_000 if NIGHTLY else 80), 4):
        choices = Seeded(seed)
        flag_set = FlagSetMaker(choices).flag_set()
        twin, maker = Twin(flag_set), ContextMaker(flag_set)
        under = maker.context(choices)
        if type(under) is not dict:
            continue
        engines = [Asked(flag_set, static_context=under)]
        for _ in range(CONTEXTS):
            context = maker.context(choices)
            if context is None or type(context) is dict:
                assert_equal_answers(twin, engines, context, make_moment(choices), under)


WIDE: tuple[Path, ...] = (("x",), ("y",))


@pytest.mark.parametrize("seed", range(64 if NIGHTLY else 16))
def test_wide_flags(seed: int):
    """Flags of a hundred rules on few attributes, where switches, forks and blocks are needed, answer as the twin does."""
    choices = Seeded(20_000 + seed)
    maker = FlagSetMaker(choices, paths=WIDE[: 1 + seed % 2])
    flag_set = maker.wide_flag_set(rules=60 + 10 * (seed % 8), depth=seed % 3)
    twin, contexts_of = Twin(flag_set), ContextMaker(flag_set)
    engines = [Asked(flag_set, options) for options in (None, *OPTIONS[:3])]
    for _ in range(60):
        _check(seed, twin, engines, contexts_of.context(choices), make_moment(choices))


THEMES = (Operator.EQUALS, Operator.IN, Operator.LESS, Operator.CONTAINS, Operator.STARTS_WITH, Operator.MATCHES)


@pytest.mark.parametrize("operator", THEMES)
@pytest.mark.parametrize("part", range(2))
def test_flags_of_one_operator(operator: Operator, part: int):
    """Many rules with one operator over many constants close to each other, as of lists of customers, versions or networks."""
    for seed in range(part, 160 if NIGHTLY else 8, 2):
        choices = Seeded(40_000 + seed)
        pools = made_pools(choices, 10 + 10 * (seed % 8))
        maker = FlagSetMaker(choices, paths=WIDE[: 1 + seed % 2], pools=pools, operators=[operator])
        flag_set = maker.wide_flag_set(rules=10 + 15 * (seed % 8), depth=seed % 2)
        twin, contexts_of = Twin(flag_set), ContextMaker(flag_set, pools)
        engines = [Asked(flag_set, options) for options in (None, OPTIONS[1 + seed % 4])]
        for _ in range(40):
            _check(seed, twin, engines, contexts_of.context(choices), make_moment(choices, pools))


def _check(seed: int, twin: Twin, engines: list[Asked], context: object, at: int) -> None:
    """Compare; a difference names the seed that shows it again."""
    try:
        assert_equal_answers(twin, engines, context, at)
    except AssertionError as error:
        error.add_note(f"seed {seed}, at {at}, context {context!r:.2000}")
        raise


# --- what follows for every compiler of first-match rules --------------------------------------------------------------------


def _shuffled(mapping: dict, source: random.Random) -> dict:
    items = list(mapping.items())
    source.shuffle(items)
    return dict(items)


@pytest.mark.parametrize("part", range(4))
def test_same_bytes_after_shuffling(part: int):
    """The order of mappings in the document (flags, segments, variants, weights) changes no byte of any program."""
    for seed in range(part, 200, 4):
        flag_set, source = FlagSetMaker(Seeded(30_000 + seed)).flag_set(), random.Random(seed)
        flags = {
            key: _replaced(
                flag,
                variants=_shuffled(flag.variants, source),
                default=_shuffled(flag.default, source) if isinstance(flag.default, dict) else flag.default,
                rules=tuple(_replaced(rule, split=rule.split and _shuffled(rule.split, source)) for rule in flag.rules),
            )
            for key, flag in flag_set.flags.items()
        }
        again = FlagSet(flags=_shuffled(flags, source), segments=_shuffled(flag_set.segments, source))
        one, other = compile_flag_set(flag_set).snapshot, compile_flag_set(again).snapshot
        assert one.programs == other.programs, seed
        assert one.value_sets == other.value_sets, seed


def _replaced(struct, **changes):
    import msgspec

    return msgspec.structs.replace(struct, **changes)
