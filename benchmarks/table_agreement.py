"""Show that tables answer as single calls do, on millions of random rows: ``python -m benchmarks.table_agreement [--rows N]``.

Several flags over random columns with nulls, plain and dictionary-encoded, in chunks and threads; every row of every flag is compared by
variant, rule and reason with ``evaluate`` for a context of the row's values.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from benchmarks.workloads.base import document
from benchmarks.workloads.tables import TABLES
from flagcore.compiler import compile_flag_set
from flagcore.engine import Engine
from flagcore.model import build_flag_set

ANSWERS = ("variant", "rule", "reason")
PART = 50_000  # rows compared at a time

FLAGS: dict[str, object] = {
    "gate": {"type": "boolean", "default": "off", "rules": [{"id": "quarter", "percent": 25, "serve": "on"}]},
    "mixed": {
        "type": "string",
        "variants": {"a": "A", "b": "B", "c": "C"},
        "default": {"a": 2, "b": 1, "c": 1},
        "rules": [
            {"id": "texts", "when": 'country in ["DE", "FR", "Österreich"] and plan != "free"', "serve": "a"},
            {"id": "numbers", "when": "age >= 18 and age < 30 or score > 0.75", "percent": 60, "serve": "b"},
            {"id": "versions", "when": 'version >= v"4.10.0" and not beta == true', "split": {"a": 1, "c": 3}},
            {"id": "words", "when": 'email ends_with "@example.org" or tags contains "vip"', "serve": "c"},
            {"id": "moments", "when": 'seen >= t"2026-06-01T00:00:00Z"', "serve": "b"},
        ],
    },
    "asks": {
        "type": "boolean",
        "default": "off",
        "requires": [{"flag": "gate", "is": "on"}],
        "rules": [{"id": "old", "when": "age > 40", "serve": "on"}],
    },
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print what was compared, and return 1 when anything differed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table_agreement", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="row answers in all (default 10,000,000)")
    options = parser.parse_args(arguments)
    engine = Engine(clock=lambda: 0)
    engine.load(compile_flag_set(build_flag_set(document({**FLAGS, **_realistic()})).flag_set).snapshot)
    source, begun = np.random.default_rng(2026), time.monotonic()
    compared = different = 0
    while compared < options.rows:
        table = _columns(source)
        rows = table.to_pylist()
        for key in engine.keys():  # noqa: SIM118
            different += _differences(engine, key, table, rows)
            compared += len(rows)
        print(f"\r{compared:,} answers, {different} different, {time.monotonic() - begun:.0f} s", end="", flush=True)
    print(f"\nflags: {', '.join(engine.keys())}; {compared:,} answers compared, {different} different")
    return 1 if different else 0


def _realistic() -> dict[str, object]:
    flags: dict[str, object] = {}
    for name, table in TABLES.items():
        flags[name] = table.document["flags"]["checkout.new"]
    return flags


def _differences(engine: Engine, key: str, table: pa.Table, rows: list[dict[str, Any]]) -> int:
    found = engine.evaluate_table(key, table, columns=ANSWERS, threads=2, at=0).to_pydict()
    evaluate, different = engine.evaluate, 0
    for variant, rule, reason, row in zip(found["variant"], found["rule"], found["reason"], rows, strict=True):
        details = evaluate(key, None, row, 0)
        same = (
            details.variant == variant
            and details.reason == reason
            and details.flag_metadata.get("flagcore.rule") == rule
        )
        different += not same
    return different


def _columns(source: np.random.Generator) -> pa.Table:
    """Return random rows: other values, nulls, kinds of columns and chunks each time."""

    def texts(options: Sequence[str]) -> pa.Array:
        return pa.array(source.choice(options, PART).tolist(), [pa.string(), pa.large_string()][source.integers(2)])

    versions = [f"{a}.{b}.0" for a in range(1, 8) for b in range(0, 30, 5)]
    emails = [
        f"user{number}@{host}" for number in range(200) for host in ("example.org", "example.com", "corp.example")
    ]
    micros = source.integers(1_700_000_000_000_000, 1_800_000_000_000_000, PART)
    columns = {
        "targetingKey": pa.array(
            [f"user-{number}" for number in source.integers(0, 2**62 >> int(source.integers(60)), PART)]
        ),
        "country": texts(["DE", "FR", "US", "Österreich", "", "A", "eu-central-1"]),
        "plan": texts(["free", "pro", "team", "business"]),
        "age": pa.array(
            source.integers(0, 90, PART), [pa.int64(), pa.int32(), pa.uint8(), pa.float64()][source.integers(4)]
        ),
        "score": pa.array(source.random(PART), [pa.float64(), pa.float32()][source.integers(2)]),
        "version": texts(versions),
        "app_version": texts([*versions, "no version"]),
        "beta": pa.array(source.random(PART) < 0.5),
        "email": texts(emails),
        "device": texts(["mobile", "desktop", "tablet", "tv"]),
        "tags": pa.array([["vip"] if number < 5 else ["x", None] for number in source.integers(0, 100, PART)]),
        "seen": pa.array(micros, pa.timestamp("us", "UTC")),
        "visits": pa.array(source.integers(0, 1200, PART)),
        "language": texts(["de-AT", "pt-BR", "en"]),
        "region": texts(["eu-central-1", "us-east-1"]),
    }
    made = {name: _varied(source, column) for name, column in columns.items() if source.random() < 0.97}
    return pa.table(made)


def _varied(source: np.random.Generator, column: pa.Array) -> pa.ChunkedArray:
    """Return the column with nulls, dictionary-encoded, cut into chunks: each now and then."""
    if source.random() < 0.5:
        nulls = pa.array(source.random(PART) < source.choice([0.001, 0.1, 0.9]))
        column = pa.compute.if_else(nulls, pa.scalar(None, column.type), column)
    if source.random() < 0.4 and not pa.types.is_list(column.type):
        column = column.dictionary_encode()
    elif column.type == pa.string() and source.random() < 0.3:
        column = column.cast(pa.string_view())
    cut = int(source.integers(1, PART))
    return pa.chunked_array([column[:cut], column[cut:]]) if source.random() < 0.5 else pa.chunked_array([column])


if __name__ == "__main__":
    sys.exit(main())
