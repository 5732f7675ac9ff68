"""``evaluate_table``: what counts as a table, what comes out, what is refused, and what a hostile producer cannot do."""

from __future__ import annotations

import struct
import sys
from datetime import UTC, datetime
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from flagcore.client import Client
from flagcore.engine import Engine
from flagcore.snapshot.objects import Snapshot
from flagcore.testing import client_from_document
from tests.support.arrow_structs import Producer, array, schema
from tests.support.engines import boolean, engine_of, snapshot_of

ADULTS = boolean("age >= 18 and country == 'DE'".replace("'", '"'))
TABLE = pa.table(
    {"age": [17, 18, None, 40], "country": ["DE", "DE", "DE", "FR"], "targetingKey": ["a", "b", "c", None]}
)
EXPECTED = ["off", "on", "off", "off"]


@pytest.fixture
def engine() -> Engine:
    """An engine with a flag for each test below."""
    split = {"type": "string", "variants": {"a": "A", "b": "B"}, "default": {"a": 1, "b": 1}}
    limit = {
        "type": "float",
        "variants": {"low": 0.5, "high": 2.5},
        "default": "low",
        "rules": [{"id": "r", "when": "age > 30", "serve": "high"}],
    }
    shape = {"type": "object", "variants": {"v": {"k": [1]}}, "default": "v"}
    return engine_of({"f": ADULTS, "split": split, "limit": limit, "shape": shape, "g": boolean('a == "x"')})


# ---- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "table",
    [
        TABLE,
        TABLE.to_batches()[0],
        pl.from_arrow(TABLE),
        TABLE.to_pandas(),
        duckdb.from_arrow(TABLE),
        dict(zip(TABLE.column_names, TABLE.columns, strict=True)),
        {"age": pl.Series([17, 18, None, 40]), "country": pd.Series(["DE", "DE", "DE", "FR"])},
        {"age": np.array([17.0, 18, np.nan, 40]), "country": np.array(["DE", "DE", "DE", "FR"])},
        {"age": [17, 18, None, 40], "country": ("DE", "DE", "DE", "FR")},
        {"age": np.ma.array([17, 18, 99, 40], mask=[0, 0, 1, 0]), "country": np.array(["DE"] * 3 + ["FR"], object)},
        pl.from_arrow(TABLE).with_columns(pl.col("country").cast(pl.Categorical)),
        TABLE.to_pandas().astype({"country": "category"}),
    ],
    ids=[
        "table",
        "batch",
        "polars",
        "pandas",
        "duckdb",
        "arrays",
        "series",
        "numpy",
        "lists",
        "masked",
        "polars categories",
        "pandas categories",
    ],
)
def test_every_kind_of_table(engine: Engine, table: object) -> None:
    """Tables, batches, data frames and mappings of columns, of every library, give the same answers."""
    assert engine.evaluate_table("f", table).to_pylist() == EXPECTED


def test_a_stream_is_read_once_and_in_order(engine: Engine) -> None:
    """A reader of record batches is read piece by piece, its answers stand in one array."""
    reader = pa.RecordBatchReader.from_batches(TABLE.schema, TABLE.to_batches(max_chunksize=1))
    assert engine.evaluate_table("f", reader).to_pylist() == EXPECTED
    assert engine.evaluate_table("f", reader).to_pylist() == []


@pytest.mark.parametrize(
    ("column", "variants"),
    [
        (np.arange(10, dtype=np.int64)[::3], ["off", "off", "off", "on"]),
        (np.arange(4, dtype=">i4") * 5, ["off", "off", "on", "on"]),
        (np.array([1, 9, 10, 2**63], np.uint64), ["off", "on", "on", "off"]),
        (np.array([1, 9, 10, 2], np.float16), ["off", "on", "on", "off"]),
        (np.array([True, False, True, False]), ["off"] * 4),
        (np.array(["2026-01-01"] * 4, "datetime64[ns]"), ["off"] * 4),
        (np.array([9, "9", None, 9.5], object), ["on", "off", "off", "on"]),
        (memoryview(bytes([1, 9, 10, 2])), ["off", "on", "on", "off"]),
    ],
)
def test_arrays_of_numbers(column: Any, variants: list[str]) -> None:
    """NumPy arrays are read where they stand, or, where they are strided, foreign or objects, value by value."""
    assert engine_of({"f": boolean("n > 8")}).evaluate_table("f", {"n": column}).to_pylist() == variants


def test_empty_tables(engine: Engine) -> None:
    """A table without rows gives no answers, one without columns gives rows of missing attributes."""
    assert engine.evaluate_table("f", TABLE.slice(0, 0)).to_pylist() == []
    assert engine.evaluate_table("f", {}).to_pylist() == []
    assert engine.evaluate_table("f", TABLE.select([])).to_pylist() in (["off"] * 4, [])
    assert engine.evaluate_table("f", {"unused": [1, 2]}).to_pylist() == ["off", "off"]


@pytest.mark.parametrize("table", [None, 5, "text", [1, 2], pl.Series([1]), {"age": "17"}, {"age": 5}, {"age": b"17"}])
def test_what_is_no_table(engine: Engine, table: object) -> None:
    """Anything else is refused, as is a column that is none."""
    with pytest.raises(TypeError, match=r"no table|no column"):
        engine.evaluate_table("f", table)


def test_columns_of_one_length(engine: Engine) -> None:
    """Columns of a mapping have one length."""
    with pytest.raises(ValueError, match="differ in length: age 2, country 1"):
        engine.evaluate_table("f", {"age": [1, 2], "country": ["DE"]})


# ---- answers ---------------------------------------------------------------------------------------------------------


def test_the_default_answer_is_one_dictionary_array(engine: Engine) -> None:
    """Variants come as an Arrow array encoded by a dictionary, null where the caller's default value would be served."""
    answers = engine.evaluate_table("split", TABLE)
    assert isinstance(answers, pa.DictionaryArray)
    assert sorted(answers.dictionary.to_pylist()) == ["a", "b"]
    assert answers.null_count == 1
    assert answers.to_pylist()[3] is None
    answers.validate(full=True)


def test_several_answers_are_a_record_batch(engine: Engine) -> None:
    """With more columns a record batch comes, each column in its natural type."""
    answers = engine.evaluate_table("limit", TABLE, columns=["value", "variant", "reason", "rule", "error_code"])
    answers.validate(full=True)
    assert answers.schema.names == ["value", "variant", "reason", "rule", "error_code"]
    assert answers.schema.field("value").type == pa.float64()
    assert answers.to_pylist()[3] == {
        "value": 2.5,
        "variant": "high",
        "reason": "TARGETING_MATCH",
        "rule": "r",
        "error_code": None,
    }
    assert engine.evaluate_table("f", TABLE, columns=["value"]).to_pylist() == [False, True, False, False]
    assert engine.evaluate_table("shape", TABLE, columns=["value"]).to_pylist() == ['{"k":[1]}'] * 4
    failed = engine.evaluate_table("split", TABLE, columns=["value", "error_code"]).to_pylist()
    assert failed[3] == {"value": None, "error_code": "TARGETING_KEY_MISSING"}


def test_answers_without_pyarrow(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pyarrow is not installed answers are small objects that every consumer of Arrow data takes."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    one = engine.evaluate_table("split", {"targetingKey": ["a", None]})
    several = engine.evaluate_table("split", {"targetingKey": ["a", None]}, columns=["variant", "value"])
    assert one.to_pylist() == several.to_pydict()["variant"]
    assert (len(one), len(several), several["value"].to_pylist()[1]) == (2, 2, None)
    monkeypatch.undo()
    assert pa.array(one).to_pylist() == one.to_pylist()
    assert pa.record_batch(several).to_pydict() == several.to_pydict()
    assert pa.schema(several).names == ["variant", "value"]
    assert pl.DataFrame(several).shape == (2, 2)


def test_answers_outlive_everything(engine: Engine) -> None:
    """An answer keeps its own memory: table and engine may go."""
    answers = engine.evaluate_table("limit", pa.table({"age": list(range(100_000))}), columns=["value", "rule"])
    parts = [answers.column(0)[50_000:], answers.column(1)]
    del engine, answers
    assert parts[0].to_pylist() == [2.5] * 50_000
    assert parts[1].to_pylist() == [None] * 31 + ["r"] * 99_969


@pytest.mark.parametrize("columns", [(), ("nothing",), ("variant", "variant"), "rules"])
def test_unknown_answers(engine: Engine, columns: Any) -> None:
    """Only the answers that exist can be asked for, each once."""
    with pytest.raises(ValueError, match="columns are some of variant, value"):
        engine.evaluate_table("f", TABLE, columns=columns)


def test_unknown_flags() -> None:
    """For a flag that is not there every row has an error, as in single calls, and it is told once."""
    told: list[str] = []
    engine = Engine(on_unknown=told.append)
    columns = ("variant", "reason", "error_code")
    wanted = {"variant": None, "reason": "ERROR", "error_code": "PROVIDER_NOT_READY"}
    assert engine.evaluate_table("x", TABLE, columns=columns).to_pylist() == [wanted] * 4
    engine.load(snapshot_of({"f": ADULTS}))
    assert (
        engine.evaluate_table("x", TABLE, columns=columns).to_pylist()
        == [{**wanted, "error_code": "FLAG_NOT_FOUND"}] * 4
    )
    assert told == ["x"]


# ---- one evaluation --------------------------------------------------------------------------------------------------------


def test_rows_are_counted(engine: Engine) -> None:
    """Every row counts as an evaluation."""
    engine.evaluate_table("f", TABLE)
    assert engine.counters()["f"] == {("on", "r", "TARGETING_MATCH"): 1, ("off", None, "DEFAULT"): 3}


def test_overrides_hold(engine: Engine) -> None:
    """An override answers for every row."""
    token = engine.push_override({"f": True})
    assert engine.evaluate_table("f", TABLE, columns=["value", "reason"]).to_pydict() == {
        "value": [True] * 4,
        "reason": ["STATIC"] * 4,
    }
    engine.pop_override(token)
    assert engine.evaluate_table("f", TABLE).to_pylist() == EXPECTED


def test_a_static_context_lies_under_each_row() -> None:
    """Attributes that the table has no column for come from the static context, nested ones too; a null in a row is null."""
    flags = {"f": boolean('country == "DE" and account.plan == "pro"')}
    engine = engine_of(flags, static_context={"country": "DE", "account": {"plan": "pro"}})
    assert engine.evaluate_table("f", {"n": [1, 2]}).to_pylist() == ["on", "on"]
    assert engine.evaluate_table("f", {"country": ["DE", None]}).to_pylist() == ["on", "off"]
    assert engine.evaluate_table("f", {"account": [{"plan": "pro"}, {}]}).to_pylist() == ["on", "off"]
    assert engine.evaluate_table("f", {"account.plan": ["pro", "free"]}).to_pylist() == ["on", "off"]


def test_one_time_for_all_rows() -> None:
    """``now`` is read once, or given."""
    times = iter([1_000_000, 3_000_000])
    engine = engine_of({"f": boolean('now >= t"1970-01-01T00:00:02Z"')}, clock=lambda: next(times))
    rows = {"n": [0] * 3000}
    assert set(engine.evaluate_table("f", rows).to_pylist()) == {"off"}
    assert set(engine.evaluate_table("f", rows).to_pylist()) == {"on"}
    assert set(engine.evaluate_table("f", rows, at=2_000_000).to_pylist()) == {"on"}
    assert set(engine.evaluate_table("f", rows).to_pylist()) == {"off"}  # the clock fails: the time is unknown


def test_times_with_a_zone_are_moments() -> None:
    """Timestamps with a zone are times, whatever their unit; without one they are no value that a test knows."""
    engine = engine_of({"f": boolean('t >= t"2026-12-01T00:00:00Z"'), "has": boolean("has(t)")})
    moment = datetime(2026, 12, 1, tzinfo=UTC)
    for unit in ("s", "ms", "us", "ns"):
        aware = pa.array([moment, moment.replace(year=2025), None], pa.timestamp(unit, "Europe/Berlin"))
        assert engine.evaluate_table("f", {"t": aware}).to_pylist() == ["on", "off", "off"]
        naive = pa.array([moment.replace(tzinfo=None)], pa.timestamp(unit))
        assert engine.evaluate_table("f", {"t": naive}).to_pylist() == ["off"]
        assert engine.evaluate_table("has", {"t": naive}).to_pylist() == ["on"]


def test_progress_and_cancelling(engine: Engine) -> None:
    """Progress tells rows done and rows there are; what it raises ends the evaluation, with any number of threads."""
    table = pa.table({"age": list(range(400_000))})
    for threads in (1, 2, 3):
        told: list[tuple[int, int | None]] = []
        engine.evaluate_table(
            "limit", table, threads=threads, progress=lambda done, total, told=told: told.append((done, total))
        )
        assert told[-1] == (400_000, 400_000)
        assert [done for done, _ in told] == sorted(done for done, _ in told)

        def stop(done: int, total: int | None) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            engine.evaluate_table("limit", table, threads=threads, progress=stop)


@pytest.mark.parametrize("threads", [0, 1, 2, 5])
def test_threads_change_nothing(engine: Engine, threads: int) -> None:
    """Rows come in their order, whoever evaluates them."""
    table = pa.table({"age": [number % 60 for number in range(300_000)]})
    answers = engine.evaluate_table("limit", table, threads=threads).to_pylist()
    assert answers == ["high" if number % 60 > 30 else "low" for number in range(300_000)]
    assert sum(engine.counters()["limit"].values()) == 300_000


def test_a_swap_amid_a_table(engine: Engine) -> None:
    """All rows have the revision that was served when the call began."""
    table = pa.table({"age": [40] * 600_000})

    def swap(done: int, total: int | None) -> None:
        engine.load(Snapshot(epoch=1, revision=9, programs={}, value_sets={}))

    answers = engine.evaluate_table("limit", table, progress=swap)
    assert set(answers.to_pylist()) == {"high"}
    assert set(engine.evaluate_table("limit", table).to_pylist()) == {None}


def test_the_client_has_it() -> None:
    """A client's evaluate_table is its engine's."""
    client: Client = client_from_document({"schema": "flagcore/v1", "flags": {"f": ADULTS}})
    assert client.evaluate_table("f", TABLE).to_pylist() == EXPECTED


# ---- hostile producers ----------------------------------------------------------------------------------------------------------


def _offsets(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}i", *numbers)


TEXTS = [None, _offsets(0, 1, 2), b"xx"]
HOSTILE = {
    "negative length": (schema(b"u"), array(-1, TEXTS)),
    "negative offset": (schema(b"u"), array(2, TEXTS, offset=-1)),
    "enormous offset": (schema(b"u"), array(2, TEXTS, offset=2**62)),
    "shorter than the batch": (schema(b"u"), array(1, TEXTS)),
    "no buffers": (schema(b"u"), array(2, [])),
    "too few buffers": (schema(b"u"), array(2, TEXTS[:2])),
    "no values": (schema(b"l"), array(2, [None, None])),
    "no offsets": (schema(b"u"), array(2, [None, None, b"xx"])),
    "nulls without a bitmap": (schema(b"u"), array(2, TEXTS, null_count=1)),
    "offsets that fall": (schema(b"u"), array(2, [None, _offsets(0, 2, 1), b"xx"])),
    "negative offsets": (schema(b"u"), array(2, [None, _offsets(-5, 0, 1), b"xx"])),
    "wide offsets that fall": (schema(b"U"), array(2, [None, struct.pack("<3q", 0, 2**62, 1), b"xx"])),
    "no format": (schema(None), array(2, TEXTS)),
    "empty format": (schema(b""), array(2, TEXTS)),
    "unknown format": (schema(b"?"), array(2, TEXTS)),
    "union": (schema(b"+us:0,1"), array(2, [b"\0\0"])),
    "run-end encoded": (schema(b"+r", children=[schema(b"i"), schema(b"u")]), array(2, [], [array(1), array(1)])),
    "timestamp of no unit": (schema(b"ts"), array(2, [None, bytes(16)])),
    "fixed size of no number": (schema(b"w:x"), array(2, [None, bytes(16)])),
    "enormous fixed size": (schema(b"w:99999999999"), array(2, [None, bytes(16)])),
    "list without a child": (schema(b"+l"), array(2, [None, _offsets(0, 1, 2)])),
    "list with a null child": (schema(b"+l", children=[None]), array(2, [None, _offsets(0, 1, 2)], [None])),
    "list beyond its elements": (
        schema(b"+l", children=[schema(b"u")]),
        array(2, [None, _offsets(0, 1, 9)], [array(2, TEXTS)]),
    ),
    "list whose offsets fall": (
        schema(b"+l", children=[schema(b"u")]),
        array(2, [None, _offsets(0, 2, 1)], [array(2, TEXTS)]),
    ),
    "list view of negative size": (
        schema(b"+vl", children=[schema(b"u")]),
        array(2, [None, _offsets(0, 0), _offsets(1, -1)], [array(2, TEXTS)]),
    ),
    "fixed list beyond its elements": (schema(b"+w:9", children=[schema(b"u")]), array(2, [None], [array(2, TEXTS)])),
    "dictionary that is missing": (schema(b"i", dictionary=schema(b"u")), array(2, [None, _offsets(0, 1)])),
    "dictionary by texts": (schema(b"u", dictionary=schema(b"u")), array(2, TEXTS, dictionary=array(2, TEXTS))),
    "dictionary of a dictionary": (
        schema(b"i", dictionary=schema(b"i", dictionary=schema(b"u"))),
        array(2, [None, _offsets(0, 1)], dictionary=array(2, [None, _offsets(0, 1)], dictionary=array(2, TEXTS))),
    ),
    "dictionary that is malformed": (
        schema(b"i", dictionary=schema(b"u")),
        array(2, [None, _offsets(0, 1)], dictionary=array(-2, TEXTS)),
    ),
    "views without sizes": (schema(b"vu"), array(2, [None, bytes(32), b"x", None])),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_malformed_columns_are_refused(engine: Engine, name: str) -> None:
    """Lengths, offsets, buffers and children that cannot be right are refused, with the name of the column."""
    with pytest.raises(ValueError, match=r"column 'a': |malformed"):
        engine.evaluate_table("g", Producer(*HOSTILE[name]))


@pytest.mark.parametrize(
    "more",
    [
        {"length": -1},
        {"offset": -1},
        {"n_children": 5},
        {"n_children": -1},
        {"offset": 2**62},
        {"buffers": None, "n_buffers": 1},
    ],
)
def test_malformed_batches_are_refused(engine: Engine, more: dict[str, Any]) -> None:
    """So are record batches whose own counts are wrong."""
    with pytest.raises(ValueError, match=r"malformed|shorter"):
        engine.evaluate_table("g", Producer(schema(b"u", b"a"), array(2, TEXTS), **more))


def test_a_sound_batch_made_by_hand(engine: Engine) -> None:
    """The batches above are refused for their faults alone: without one they are read."""
    assert engine.evaluate_table("g", Producer(schema(b"u", b"a"), array(2, TEXTS))).to_pylist() == ["on", "on"]
    released = Producer(schema(b"u", b"a"), array(2, TEXTS))
    engine.evaluate_table("g", released)
    with pytest.raises(ValueError, match="released"):
        engine.evaluate_table("g", released)


def test_views_that_name_nothing(engine: Engine) -> None:
    """A view of a buffer, or of bytes, that are not there is a value of no kind, not a crash."""
    views = struct.pack("<i4sii", 20, b"xxxx", 7, 0) + struct.pack("<i4sii", 20, b"xxxx", 0, 100)
    views += struct.pack("<i4sii", -1, b"xxxx", 0, 0) + struct.pack("<i12s", 1, b"x")
    sizes = struct.pack("<q", 64)
    for name, wanted in (("g", ["off", "off", "off", "on"]), ("has", ["on"] * 4)):
        served = engine if name == "g" else engine_of({"has": boolean("has(a)")})
        column = array(4, [None, views, b"x" * 64, sizes])
        assert served.evaluate_table(name, Producer(schema(b"vu", b"a"), column, rows=4)).to_pylist() == wanted


@pytest.mark.parametrize("width", ["b", "B", "h", "H", "i", "I", "q", "Q"])
def test_indices_of_no_distinct_value(engine: Engine, width: str) -> None:
    """An index outside its dictionary means null, of every width, negative ones too."""
    letter = {"b": b"c", "B": b"C", "h": b"s", "H": b"S", "i": b"i", "I": b"I", "q": b"l", "Q": b"L"}[width]
    indices = struct.pack(f"<4{width}", 0, 1, 100, -1 if width.islower() else 101)
    column = array(4, [None, indices], dictionary=array(2, [None, _offsets(0, 1, 2), b"xy"]))
    batch = Producer(schema(letter, b"a", dictionary=schema(b"u")), column, rows=4)
    assert engine.evaluate_table("g", batch).to_pylist() == ["on", "off", "off", "off"]


@pytest.mark.parametrize("rows", [3, 3000])
def test_texts_that_are_no_utf8(rows: int) -> None:
    """A text that is not UTF-8 is there, but equals nothing and cannot be bucketed; its neighbours are read as ever."""
    flags = {
        "has": boolean("has(a)"),
        "equal": boolean('a != "x"'),
        "gate": boolean(None, percent=99.9999, bucket_by="a"),
    }
    engine = engine_of(flags)
    texts = [b"ab", b"\xff\xfe", "é".encode()] * (rows // 3)
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int32).tobytes()
    column = pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts))])
    for kind in (column, column.cast(pa.binary()).cast(pa.large_binary()).view(pa.large_string())):
        assert engine.evaluate_table("has", {"a": kind}).to_pylist() == ["on"] * rows
        assert engine.evaluate_table("equal", {"a": kind}).to_pylist() == ["on", "off", "on"] * (rows // 3)
        assert engine.evaluate_table("gate", {"a": kind}).to_pylist() == ["on", "off", "on"] * (rows // 3)


def test_a_character_cut_in_two() -> None:
    """Two texts that are UTF-8 only when joined are not."""
    engine = engine_of({"f": boolean('a == "é"'), "g": boolean('a != "x"')})
    column = pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(_offsets(0, 1, 2)), pa.py_buffer("é".encode())])
    assert engine.evaluate_table("g", {"a": column}).to_pylist() == ["off", "off"]


def test_producers_that_fail(engine: Engine) -> None:
    """What a producer says went wrong reaches the caller."""

    def batches():
        yield TABLE.to_batches()[0]
        raise RuntimeError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        engine.evaluate_table("f", pa.RecordBatchReader.from_batches(TABLE.schema, batches()))
