"""Programs with blocks, and with forks, give the rows of a table what they give single calls, whatever tests stand behind the masks."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from flagcore.engine import Engine
from flagcore.snapshot.objects import Snapshot
from tests.profiles import cases
from tests.support.engines import engine_of
from tests.support.program_builder import Builder
from tests.support.random_forks import WORDS, random_blocks, random_forks
from tests.support.tables import assert_rows_equal, rows_of

ROWS = 60


def _engine(program: bytes) -> Engine:
    engine = Engine()
    engine.load(Snapshot(epoch=1, revision=1, programs={"random": program}))
    assert not engine.degraded
    return engine


def _column(choices: Random, rows: int, times: int) -> pa.Array:
    """Return a column of one of the kinds that blocks have loops for, or of a kind that they have none for."""
    words = [*WORDS, "W1", ""]
    draw = choices.choice(
        [
            lambda: choices.choice(words),
            lambda: choices.choice(words),
            lambda: choices.randrange(-1, 9),
            lambda: choices.choice([0.0, 3.0, 2.5, float("nan")]),
            lambda: choices.random() < 0.5,
            lambda: choices.choices(words, k=choices.randrange(4)),
        ]
    )
    values = [None if choices.random() < 0.1 else draw() for _ in range(rows + 3)]
    column = pa.array(values[:3] + values[3:] * times)
    if pa.types.is_integer(column.type):
        column = column.cast(choices.choice([pa.int64(), pa.int32(), pa.int16(), pa.int8(), pa.float32()]))
    if pa.types.is_string(column.type):
        column = column.cast(choices.choice([pa.string(), pa.large_string(), pa.string_view()]))
        column = column.dictionary_encode() if choices.random() < 0.5 else column
    return column.slice(3)


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("memos", [True, False])
@pytest.mark.parametrize("make", [random_blocks, random_forks])
def test_random_programs(make: Callable[..., Builder], part: int, memos: bool):
    """Blocks behind tests and switches, rows of several tests, leaves that split, forks: as single calls answer, batch after batch."""
    for number in range(part, cases(160), 4):
        choices = Random(number)
        times = choices.choice([1, 1, 40])
        columns = {name: _column(choices, ROWS, times) for name in "abc" if choices.random() < 0.9}
        table = pa.table(columns or {"other": pa.nulls(ROWS * times)})
        engine = _engine(make(number, memos=memos).finish())
        once = rows_of(table.slice(0, ROWS))
        try:
            assert_rows_equal(engine, lambda table=table: table, once, 0, times=times, threads=1 + number % 2)
        except AssertionError as error:
            error.add_note(f"number {number}")
            raise


def _rules(choices: Random, count: int, percents: list[int]) -> list[dict[str, Any]]:
    """Return rules of two to four tests that overlap: too many for a chain, too tangled for a switch."""
    made = []
    for number in range(count):
        tests = choices.sample(
            [
                f'country in ["{choices.choice("ABCDEF")}", "{choices.choice("ABCDEF")}"]',
                f'plan == "{choices.choice(["free", "pro", "team"])}"',
                f'version >= v"{choices.randrange(1, 6)}.{choices.randrange(9)}.0"',
                f'email ends_with "{choices.randrange(9)}@x.org"',
                f"age > {choices.randrange(40)}",
                f'tags contains "t{choices.randrange(9)}"',
            ],
            choices.randrange(2, 5),
        )
        made.append(
            {"id": f"r{number}", "when": " and ".join(tests), "percent": choices.choice(percents), "serve": "on"}
        )
    return made


@pytest.mark.parametrize("seed", range(6))
def test_realistic_rules(seed: int):
    """Rules as teams write them, with one salt or one for each, over plain, dictionary, view and missing columns."""
    choices = Random(seed)
    rules = _rules(choices, 70, [0, 5, 50, 100])
    if seed % 2:
        rules = [{**rule, "salt": rule["id"]} for rule in rules[:40]] + rules[40:]
    engine = engine_of({"f": {"type": "boolean", "default": {"on": 1, "off": 3}, "rules": rules}})
    rows = 150
    texts = {
        "country": [choices.choice("ABCDEFG") for _ in range(rows)],
        "plan": [choices.choice(["free", "pro", "team", None]) for _ in range(rows)],
        "version": [choices.choice(["1.2.3", "4.5.0", "5.9.9", "none"]) for _ in range(rows)],
        "email": [f"u{choices.randrange(99)}@x.org" for _ in range(rows)],
        "targetingKey": [choices.choice([None, "", f"user-{number}"]) for number in range(rows)],
    }
    columns = {name: pa.array(values, pa.string()) for name, values in texts.items()}
    for name in choices.sample(list(columns), 3):
        columns[name] = columns[name].dictionary_encode()
    columns["age"] = pa.array([choices.randrange(60) for _ in range(rows)], choices.choice([pa.int64(), pa.uint8()]))
    columns["tags"] = pa.array(
        [[f"t{choices.randrange(20)}" for _ in range(choices.randrange(3))] for _ in range(rows)]
    )
    columns.pop(choices.choice([*columns, "none of them"]), None)
    table = pa.table({name: pa.concat_arrays([column] * 20) for name, column in columns.items()})
    assert_rows_equal(engine, lambda: table, rows_of(table.slice(0, rows)), 0, times=20)
