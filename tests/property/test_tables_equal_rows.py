"""A table's rows get the answers that single calls give for them, whatever the columns are made of."""

from __future__ import annotations

from functools import partial

import pytest

from flagcore.testing.context_making import ContextMaker, make_moment
from flagcore.testing.making import FlagSetMaker
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
