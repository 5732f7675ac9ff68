"""Columns as producers really hand them over: lists, moments, dictionaries of all sorts, slices, nothing but nulls, huge texts."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from flagcore.engine import Engine
from tests.support.arrow_structs import Producer, array, schema
from tests.support.engines import boolean, engine_of
from tests.support.tables import assert_rows_equal, rows_of

LISTS = engine_of(
    {
        "text": boolean('tags contains "vip"'),
        "folded": boolean('tags contains i"VIP"'),
        "two": boolean('tags contains "a longer text than twelve" or tags contains "x"'),
        "number": boolean("tags contains 3"),
        "neither": boolean('not (tags contains "vip")'),
    }
)
WORDS = ["vip", "VIP", "x", "", "a longer text than twelve", "é", None]


def _lists(choices: Random, elements: list[Any], rows: int) -> list[list[Any] | None]:
    return [None if choices.random() < 0.1 else choices.choices(elements, k=choices.randrange(4)) for _ in range(rows)]


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.string()),
        pa.large_list(pa.large_string()),
        pa.list_(pa.string_view()),
        pa.list_view(pa.string()),
        pa.list_(pa.dictionary(pa.int8(), pa.string())),
        pa.large_list(pa.dictionary(pa.uint16(), pa.large_string())),
        pa.list_(pa.binary()),
    ],
    ids=str,
)
def test_lists_of_texts(kind: pa.DataType) -> None:
    """`contains` finds the elements that it finds in a single call's list: of all layouts, with nulls in and around, in slices."""
    choices = Random(str(kind))
    elements = [None if word is None else word.encode() for word in WORDS] if kind == pa.list_(pa.binary()) else WORDS
    column = pa.array(_lists(choices, elements, 3000), kind)
    for part in (column, column[7:2500], column[1:1], column[2990:]):
        table = pa.table({"tags": part})
        assert_rows_equal(LISTS, lambda table=table: table, rows_of(table), 0)


@pytest.mark.parametrize(
    "element", [pa.int64(), pa.uint8(), pa.float64(), pa.bool_(), pa.timestamp("us", "UTC")], ids=str
)
def test_lists_of_others(element: pa.DataType) -> None:
    """Numbers are found among numbers; no other element equals one."""
    values: list[Any] = [0, 1, 3, None]
    if pa.types.is_timestamp(element) or pa.types.is_boolean(element):
        values = [None, True] if pa.types.is_boolean(element) else [None, datetime(2026, 1, 1, tzinfo=UTC)]
    table = pa.table({"tags": pa.array(_lists(Random(5), values, 2000)[:1500], pa.list_(element))})
    assert_rows_equal(LISTS, lambda: table, rows_of(table), 0)


def test_lists_of_one_length() -> None:
    """Lists of a fixed size, sliced, behave as others do."""
    values = [["vip", "x"], ["x", None], None, ["", "vip"]] * 600
    table = pa.table({"tags": pa.array(values, pa.list_(pa.string(), 2))[3:2100]})
    assert_rows_equal(LISTS, lambda: table, rows_of(table), 0)


def test_elements_that_are_no_utf8() -> None:
    """An element that is not UTF-8 equals nothing; those beside it are found."""
    elements = pa.Array.from_buffers(
        pa.string(), 4, [None, pa.py_buffer(struct.pack("<5i", 0, 3, 5, 8, 8)), pa.py_buffer(b"vip\xff\xfevip")]
    )
    column = pa.ListArray.from_arrays([0, 1, 2, 3, 4], elements)
    assert LISTS.evaluate_table("text", {"tags": column}).to_pylist() == ["on", "off", "on", "off"]


def test_dictionaries_of_lists_and_of_nulls() -> None:
    """A distinct value may be a list or null, and so may the index; each is what it would be by itself."""
    distinct = pa.array([["vip"], None, ["x", None], []], pa.list_(pa.string()))
    indices = pa.array([0, 1, None, 2, 3] * 500, pa.int8())
    column = pa.DictionaryArray.from_arrays(indices, distinct)
    table = pa.table({"tags": column})
    wanted = pa.table({"tags": distinct.take(indices)})
    assert_rows_equal(LISTS, lambda: table, rows_of(wanted), 0)


# ---- moments -------------------------------------------------------------------------------------------------------------

ORDERS = {"lt": ("<", int.__lt__), "le": ("<=", int.__le__), "gt": (">", int.__gt__), "ge": (">=", int.__ge__)}
COMPARISONS = {**ORDERS, "eq": ("==", int.__eq__), "ne": ("!=", int.__ne__)}


@pytest.mark.parametrize(("unit", "up", "down"), [("s", 10**6, 1), ("ms", 1000, 1), ("us", 1, 1), ("ns", 1, 1000)])
@pytest.mark.parametrize("constant", ["2026-06-01T12:00:00Z", "0001-01-01T00:00:00Z"])
def test_moments_of_all_units(unit: str, up: int, down: int, constant: str) -> None:
    """Comparisons are of whole microseconds, cut downwards; a moment that does not fit is unknown, at both ends of the range too."""
    micros = (datetime.fromisoformat(constant) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    middle = micros * down // up
    near = [number for number in range(middle - 1001, middle + 1002) if -(2**63) <= number < 2**63]
    numbers = [*near, -(2**63), 2**63 - 1, 0, -1, -(2**63) // up, (2**63 - 1) // up]
    column = pa.array(numbers, pa.int64()).view(pa.timestamp(unit, "UTC"))
    engine = engine_of({key: boolean(f't {sign} t"{constant}"') for key, (sign, _) in ORDERS.items()})
    for key, (_, holds) in ORDERS.items():
        wanted = []
        for number in numbers:
            here = number * up // down
            wanted.append("on" if -(2**63) <= here < 2**63 and holds(here, micros) else "off")
        assert engine.evaluate_table(key, {"t": column}).to_pylist() == wanted, key


# ---- numbers -------------------------------------------------------------------------------------------------------------

INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]


@pytest.mark.parametrize("constant", ["0", "5", "-3", "127", "9223372036854775807", "-9223372036854775808", "2.5"])
@pytest.mark.parametrize("kind", INTEGERS, ids=str)
def test_integers_of_all_widths(kind: pa.DataType, constant: str) -> None:
    """Comparisons with every kind of constant are exact to the ends of each width."""
    low, high = (
        (0, 2**kind.bit_width - 1)
        if "u" in str(kind)
        else (-(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1)
    )
    numbers = [
        None,
        *(n for n in (low, low + 1, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 126, 127, high - 1, high) if low <= n <= high),
    ]
    table = pa.table({"n": pa.array(numbers * 80, kind)})
    engine = engine_of({key: boolean(f"n {sign} {constant}") for key, (sign, _) in COMPARISONS.items()})
    assert_rows_equal(engine, lambda: table, rows_of(table.slice(0, len(numbers))), 0, times=80)


# ---- everything at once --------------------------------------------------------------------------------------------------


@pytest.fixture
def engine() -> Engine:
    """Flags that look at a text, a number and the subject."""
    return engine_of(
        {
            "f": boolean('a == "x" and n > 1', percent=50),
            "g": boolean('a matches "^x+$" or a ends_with "y" or a in ["é", "z"]'),
            "has": boolean("has(a)"),
            "inside": boolean('a contains "x"'),
        }
    )


def test_nothing_but_nulls(engine: Engine) -> None:
    """Columns of nulls alone, typed or not, sliced or not."""
    for kind in (pa.null(), pa.string(), pa.int64(), pa.list_(pa.string()), pa.dictionary(pa.int8(), pa.string())):
        table = pa.table({name: pa.nulls(2100, kind)[5:] for name in ("a", "n", "targetingKey")})
        assert_rows_equal(engine, lambda table=table: table, rows_of(table), 0)


def test_rows_without_columns(engine: Engine) -> None:
    """A batch without the columns that are asked for has as many answers as rows."""
    batch = pa.RecordBatch.from_struct_array(pa.StructArray.from_arrays([pa.nulls(4)], names=["unused"]))
    assert engine.evaluate_table("has", batch).to_pylist() == ["off"] * 4


def test_huge_texts(engine: Engine) -> None:
    """Texts of megabytes, plain and in a dictionary, beside empty ones."""
    texts = ["x" * 3_000_000, "", "x", "é" * 1_000_000, "y" * 2_000_000] * 3
    plain = pa.table({"a": texts, "n": [2] * 15, "targetingKey": texts})
    encoded = pa.table(
        {
            name: column.combine_chunks().dictionary_encode()
            for name, column in zip(plain.column_names, plain.columns, strict=True)
        }
    )
    for table in (plain, encoded):
        assert_rows_equal(engine, lambda table=table: table, rows_of(plain), 0)


def test_chunks_with_dictionaries_of_their_own(engine: Engine) -> None:
    """Each chunk's indices mean its own dictionary, also where the next one is shorter, or wider."""
    chunks = [
        pa.array(["x", "y", None, "z"] * 300).dictionary_encode(),
        pa.array(["z", "x"]).dictionary_encode(),
        pa.array([f"{number}" for number in range(900)] + ["x"]).dictionary_encode(),
    ]
    column = pa.chunked_array(chunks)
    table = pa.table({"a": column, "n": [3] * len(column), "targetingKey": [f"u{i}" for i in range(len(column))]})
    assert_rows_equal(engine, lambda: table, rows_of(table), 0)
    assert_rows_equal(engine, lambda: dict(zip(table.column_names, table.columns, strict=True)), rows_of(table), 0)


@pytest.mark.parametrize("width", ["b", "B", "h", "H", "i", "I", "q", "Q"])
def test_wild_indices_among_many_rows(width: str) -> None:
    """Indices outside of a dictionary, below zero and above all, mean null in every batch, in the one row or in all."""
    letter = {"b": b"c", "B": b"C", "h": b"s", "H": b"S", "i": b"i", "I": b"I", "q": b"l", "Q": b"L"}[width]
    top = 2 ** (8 * struct.calcsize(width) - width.islower()) - 1
    numbers = [0, 1, 2, 3, top, -1 if width.islower() else top - 1] * 500 + [0, 1, 2] * 1000
    offsets = struct.pack("<4i", 0, 1, 2, 3)
    engine = engine_of({"f": boolean('a == "x"'), "has": boolean("has(a)")})
    for name, wanted in (("f", [0]), ("has", [0, 1, 2])):
        column = array(
            len(numbers),
            [None, struct.pack(f"<{len(numbers)}{width}", *numbers)],
            dictionary=array(3, [None, offsets, b"xyz"]),
        )
        batch = Producer(schema(letter, b"a", dictionary=schema(b"u")), column, rows=len(numbers))
        found = engine.evaluate_table(name, batch).to_pylist()
        assert found == ["on" if number in wanted else "off" for number in numbers]


def test_a_negative_index_of_a_long_dictionary() -> None:
    """An int8 index below zero is null, though its bits would name one of 200 distinct values."""
    texts = b"".join(b"%03d" % number for number in range(200))
    offsets = struct.pack("<201i", *range(0, 603, 3))
    indices = struct.pack("<2000b", *[5, -56] * 1000)
    column = array(2000, [None, indices], dictionary=array(200, [None, offsets, texts]))
    engine = engine_of({"has": boolean("has(a)")})
    batch = Producer(schema(b"c", b"a", dictionary=schema(b"u")), column, rows=2000)
    assert engine.evaluate_table("has", batch).to_pylist() == ["on", "off"] * 1000
