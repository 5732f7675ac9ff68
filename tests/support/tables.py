"""Tables for tests: contexts of generated flag sets as columns of every kind that Arrow has, and row by row again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timezone
from decimal import Decimal
from itertools import pairwise
from types import NoneType
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa

from flagcore.engine import Engine, EvaluationDetails
from flagcore.model.tree import Path
from flagcore.testing.context_making import ContextMaker
from flagcore.testing.pools import Choices, pick, rarely

__all__ = ["ANSWERS", "CASTS", "assert_rows_equal", "made_table", "rows_of", "shuffled_chunks"]

ANSWERS = ("variant", "value", "reason", "rule", "error_code")

_TEXTS = [pa.string(), pa.large_string(), pa.string_view()]
_KEYS = [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64()]
_NUMBERS = [
    *_KEYS, pa.float16(), pa.float32(), pa.float64(), pa.decimal128(20, 3),
]  # fmt: skip
_TIMES = [pa.timestamp(unit, tz) for unit in ("s", "ms", "us", "ns") for tz in (None, "UTC", "Europe/Berlin")]
_OTHERS = [
    pa.bool_(), pa.null(), pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(1), pa.date32(), pa.date64(),
    pa.time64("us"), pa.duration("ms"), pa.uuid(), pa.struct({"b": pa.string()}),
]  # fmt: skip
_LISTS: list[Callable[[pa.DataType], pa.DataType]] = [
    pa.list_, pa.large_list, pa.list_view, pa.large_list_view, lambda kind: pa.list_(kind, 1),
]  # fmt: skip


def _kind(choices: Choices) -> pa.DataType:
    """Return a type: mostly one that tests look at."""
    group = choices.below(20)
    if group < 7:
        return pick(choices, _TEXTS)
    if group < 10:
        return pick(choices, _NUMBERS)
    if group < 12:
        return pick(choices, _TIMES)
    if group < 14:
        return pa.bool_() if rarely(choices, 3) else pick(choices, _OTHERS)
    if group < 17:
        return pa.dictionary(pick(choices, _KEYS), pick(choices, [*_TEXTS, pa.int64(), pa.float64(), *_TIMES[:2]]))
    elements = pick(choices, [pa.string(), pa.string_view(), pa.int64(), pa.float64(), pa.bool_(), pa.string()])
    if rarely(choices, 6):
        elements = pa.dictionary(pa.int8(), pa.string())
    return pick(choices, _LISTS)(elements)


def _plain(value: object) -> object:
    """Return a value that Arrow may know: text, number or list instead of classes of the tests' own, whose code must not run."""
    if isinstance(value, bool):
        return value
    for kind, native in (
        (int, int.__pos__),
        (float, float.__pos__),
        (str, lambda text: str.__getitem__(text, slice(None))),
    ):
        if isinstance(value, kind):
            return native(value)
    for kind in (list, tuple, set, frozenset):
        if isinstance(value, kind):
            return [_plain(element) for element in kind.__iter__(value)]
    if type(value) is datetime and not isinstance(value.tzinfo, (NoneType, timezone)):
        return None
    return value if type(value) in (bytes, date, datetime, UUID, Decimal) else None


def _fitted(value: object, kind: pa.DataType) -> object:
    """Return the value if it can stand in such a column, else None."""
    if isinstance(value, datetime) and pa.types.is_timestamp(kind) and (value.tzinfo is None) != (kind.tz is None):
        return None
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    try:
        pa.array([value], inner)[0].as_py()
    except (pa.ArrowException, TypeError, ValueError, OverflowError, AttributeError):
        return None
    return value


def _encoded(values: list[Any], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_dictionary(kind):
        return pa.array(values, kind)
    distinct: list[Any] = [None]  # a distinct value may be null, too
    for value in values:
        if not any(value is known or repr(value) == repr(known) for known in distinct):
            distinct.append(value)
    numbers = [next(i for i, known in enumerate(distinct) if repr(known) == repr(value)) for value in values]
    indices = pa.array([None if n == 0 and row % 2 else n for row, n in enumerate(numbers)], kind.index_type)
    return pa.DictionaryArray.from_arrays(indices, pa.array(distinct, kind.value_type))


def column_of(choices: Choices, draw: Callable[[], object], rows: int, times: int) -> pa.Array:
    """Return a column of a random kind, a slice of a longer one: its offset is not 0."""
    kind = _kind(choices)
    before, behind = choices.below(11), choices.below(3)
    values: list[Any] = []
    for _ in range(before + rows + behind):
        value = _plain(draw())
        for _ in range(4):
            if (found := _fitted(value, kind)) is not None:
                break
            value = _plain(draw())
        values.append(None if rarely(choices, 8) else found)
    whole = [*values[:before], *values[before : before + rows] * times, *values[before + rows :]]
    return _encoded(whole, kind)[before : before + rows * times]


def made_table(choices: Choices, maker: ContextMaker, rows: int, times: int = 1) -> pa.Table:
    """Return a table of the attributes that a flag set looks at, some of them missing, nested ones under either name.

    ``times``: how often its rows stand in it, one after the other.
    """
    columns: dict[str, pa.Array] = {}
    for path in maker.paths:
        if rarely(choices, 8):
            continue
        columns.update(_columns_at(choices, maker, path, rows, times))
    return pa.table(columns or {"unused": pa.nulls(rows * times)})


def _columns_at(choices: Choices, maker: ContextMaker, path: Path, rows: int, times: int) -> dict[str, pa.Array]:
    def draw() -> object:
        return maker.value(choices, path)

    column = column_of(choices, draw, rows, times)
    if len(path) == 1 or rarely(choices, 2):
        return {".".join(path): column}
    for name in reversed(path[1:]):
        mask = pa.array([rarely(choices, 5) for _ in range(rows)] * times, pa.bool_())
        column = pa.StructArray.from_arrays([pa.nulls(len(column)), column], names=["other", name], mask=mask)
    return {path[0]: column}


def shuffled_chunks(choices: Choices, table: pa.Table) -> pa.Table:
    """Return the same rows cut into chunks here and there, other columns elsewhere."""
    columns = []
    for column in table.columns:
        cuts = sorted({0, table.num_rows, *(choices.below(table.num_rows + 1) for _ in range(choices.below(3)))})
        whole = column.combine_chunks()
        columns.append(pa.chunked_array([whole[a:b] for a, b in pairwise(cuts)], whole.type))
    return pa.table(columns, names=table.column_names)


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return each row as the context of a single call."""
    columns = [[value.as_py() for value in column] for column in table.columns]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def told(details: EvaluationDetails) -> tuple[object, ...]:
    """Return what a row of a table should say of an answer."""
    error = None if details.error_code is None else str(details.error_code)
    rule = details.flag_metadata.get("flagcore.rule")
    return details.variant, details.value, str(details.reason), rule, error


def assert_rows_equal(
    engine: Engine,
    table: Callable[[], object],
    rows: list[dict[str, Any]],
    at: int,
    *,
    times: int = 1,
    threads: int = 1,
) -> None:
    """Compare what a table's rows get with what single calls give, for every flag; a reader is read only once.

    ``times``: how often the rows stand in the table, one after the other.
    """
    for key in tuple(engine.keys()):
        found = engine.evaluate_table(key, table(), columns=ANSWERS, at=at, threads=threads).to_pydict()
        answers = list(zip(*(found[name] for name in ANSWERS), strict=True))
        program = engine._current.get(key)
        if program is not None and program.type == "object":
            answers = [(a, None if b is None else msgspec.json.decode(b), *rest) for a, b, *rest in answers]
        wanted = [repr(told(engine.evaluate(key, None, row, at))) for row in rows]
        assert len(answers) == times * len(rows)
        for number, answer in enumerate(answers):
            assert repr(answer) == wanted[number % len(rows)], (key, number, rows[number % len(rows)])


CASTS: dict[str, Callable[[pa.Table], object]] = {
    "pyarrow": lambda table: table,
    "batches": lambda table: table.to_reader(),
    "columns": lambda table: dict(zip(table.column_names, table.columns, strict=True)),
    "objects": lambda table: {
        name: column.to_pylist() for name, column in zip(table.column_names, table.columns, strict=True)
    },
}
"""The same table handed over in several ways."""
