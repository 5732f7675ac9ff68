"""A table's rows get the answers that single calls give for them, whatever the columns are made of."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.model.flagset import FlagSet
from flagcore.testing.context_making import ContextMaker, make_moment
from flagcore.testing.making import FlagSetMaker
from flagcore.testing.strategies import flag_sets
from tests.profiles import cases
from tests.support.equality import Asked, Seeded
from tests.support.tables import CASTS, assert_rows_equal, made_table, rows_of, shuffled_chunks

ROWS = 40


@pytest.mark.parametrize("part", range(8))
def test_tables_of_seeded_flag_sets(part: int):
    """For generated flag sets, tables of every kind of column, with nulls, slices, chunks and structs, row by row."""
    for seed in range(50_000 + part, 50_000 + cases(240), 8):
        choices = Seeded(seed)
        flag_set = FlagSetMaker(choices).flag_set()
        table = shuffled_chunks(choices, made_table(choices, ContextMaker(flag_set), choices.below(ROWS)))
        cast = list(CASTS)[seed % len(CASTS)]
        try:
            engine = Asked(flag_set).engine
            assert_rows_equal(engine, partial(CASTS[cast], table), rows_of(table), make_moment(choices))
        except Exception as error:
            error.add_note(f"seed {seed}, {cast}, {table.schema}")
            raise


@settings(max_examples=cases(40))
@given(flag_sets(), st.integers(0, 2**32))
def test_tables_of_drawn_flag_sets(flag_set: FlagSet, seed: int):
    """The same for flag sets that Hypothesis draws, and shrinks."""
    choices = Seeded(seed)
    table = made_table(choices, ContextMaker(flag_set), choices.below(ROWS))
    assert_rows_equal(Asked(flag_set).engine, lambda: table, rows_of(table), make_moment(choices))


@pytest.mark.parametrize("part", range(4))
def test_tables_of_many_batches(part: int):
    """Rows that stand in a table dozens of times, thousands in all, get the same answers each time, in any number of threads."""
    for seed in range(60_000 + part, 60_000 + cases(48), 4):
        choices = Seeded(seed)
        flag_set = FlagSetMaker(choices).flag_set(max_flags=2, max_rules=8)
        rows = 1 + choices.below(ROWS)
        times = 1 + 3000 // rows
        table = made_table(choices, ContextMaker(flag_set), rows, times)
        at, threads = make_moment(choices), 1 + seed % 3
        once = rows_of(table.slice(0, rows))
        assert_rows_equal(Asked(flag_set).engine, lambda table=table: table, once, at, times=times, threads=threads)
