"""``flagcore simulate``: shares of a table's rows, assignments, and memory that does not grow with the rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tests.support.command import SHOP, Command
from tests.support.processes import python

ROWS = [
    {"targetingKey": "u-qa-1", "country": "FR", "age": 30},
    {"targetingKey": "u-2", "country": "AT", "age": 30},
    {"targetingKey": "u-3", "country": None, "age": None},
    {"targetingKey": "u-4", "country": "US", "age": 5},
]
TABLE = pa.Table.from_pylist(ROWS)
AT = ("--at", "2026-12-09T00:00:00Z")


@pytest.fixture(autouse=True)
def _flags(command: Command) -> None:
    command.write("flags.json", SHOP)


@pytest.fixture
def tables(command: Command) -> Command:
    """The same rows in every kind of file."""
    pq.write_table(TABLE, "users.parquet")
    pyarrow.csv.write_csv(TABLE, "users.csv")
    for name, opened in (("users.arrow", pa.ipc.new_file), ("users.feather", pa.ipc.new_stream)):
        with opened(name, TABLE.schema) as writer:
            writer.write_table(TABLE)
    Path("users.jsonl").write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    return command


@pytest.mark.parametrize("suffix", ["parquet", "csv", "arrow", "feather", "jsonl"])
def test_shares(tables: Command, suffix: str) -> None:
    """Rows are counted by variant, rule and reason, whatever file they stand in."""
    code, out, err = tables("simulate", "checkout.new", "--table", f"users.{suffix}", *AT)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "checkout.new: 4 rows"
    for line in (
        "off 2 50.000 %",
        "on 2 50.000 %",
        "qa 1 25.000 %",
        "winter 1 25.000 %",
        "(none: the default) 2 50.000 %",
    ):
        assert line.split() in [words.split() for words in out.splitlines()]


def test_several_tables_as_json(tables: Command) -> None:
    """Several tables add up; ``--json`` gives rows and shares as data."""
    words = [
        "simulate",
        "checkout.new",
        "--table",
        "users.parquet",
        "--table",
        "users.jsonl",
        "--json",
        "--threads",
        "0",
    ]
    report = tables(*words, *AT).json
    assert report["rows"] == 8
    assert report["variants"] == [{"name": "off", "rows": 4, "share": 0.5}, {"name": "on", "rows": 4, "share": 0.5}]
    assert {rule["name"]: rule["rows"] for rule in report["rules"]} == {None: 4, "qa": 2, "winter": 2}
    assert report["missing_columns"] == []


def test_missing_columns_are_named(tables: Command) -> None:
    """An attribute that no table has a column for is told: a misspelt column would be the same as no rule."""
    pq.write_table(TABLE.select(["targetingKey"]), "few.parquet")
    _, out, _ = tables("simulate", "checkout.new", "--table", "few.parquet")
    assert "no table has a column for age, country" in out


@pytest.mark.parametrize("out", ["out.parquet", "out.arrow", "out.feather", "out.csv"])
def test_assignments(tables: Command, out: str) -> None:
    """``--out`` writes the answers of each row beside the columns that are kept."""
    words = [
        "simulate",
        "checkout.new",
        "--table",
        "users.parquet",
        "--out",
        out,
        "--columns",
        "variant,rule",
        "--keep",
        "targetingKey,age",
    ]
    assert tables(*words, *AT).code == 0
    written: dict[str, Any] = _read(out).to_pydict()
    assert list(written) == ["targetingKey", "age", "variant", "rule"]
    assert written["variant"] == ["on", "on", "off", "off"]
    assert [rule or None for rule in written["rule"]] == ["qa", "winter", None, None]
    assert list(Path().glob("*.partial")) == []


def _read(path: str) -> pa.Table:
    if path.endswith(".parquet"):
        return pq.read_table(path)
    if path.endswith(".csv"):
        return pyarrow.csv.read_csv(path)
    return pa.ipc.open_file(pa.memory_map(path)).read_all()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["checkout.nw", "--table", "users.parquet"], "did you mean checkout.new?"),
        (["checkout.new", "--table", "nobody.parquet"], "nobody.parquet: there is no such file"),
        (["checkout.new", "--table", "flags.json"], "a table is one of .parquet, .csv"),
        (
            ["checkout.new", "--table", "users.parquet", "--columns", "winner"],
            "--columns: columns are some of variant, value",
        ),
        (["checkout.new", "--table", "users.parquet", "--out", "out.txt"], "out.txt: a table is one of .parquet, .csv"),
        (["checkout.new", "--table", "users.parquet", "--threads", "-1"], "--threads is 0 or more"),
        (["checkout.new", "--table", "broken.parquet"], "broken.parquet: "),
        (["checkout.new", "--table", "broken.arrow"], "broken.arrow: "),
        (["checkout.new", "--table", "broken.csv"], "broken.csv: "),
        (["checkout.new", "--table", "broken.jsonl"], "broken.jsonl:2: no JSON"),
        (["checkout.new", "--table", "rows.jsonl"], "rows.jsonl:1: a row is a JSON object, this is int"),
        (["checkout.new"], "--table"),
    ],
)
def test_wrong_usage(tables: Command, words: list[str], said: str) -> None:
    """What cannot be done is one message with a hint, and nothing is left behind."""
    for suffix in ("parquet", "arrow"):
        Path(f"broken.{suffix}").write_bytes(Path("users.parquet").read_bytes()[:-40])
    Path("broken.csv").write_text("targetingKey,age\nu,1\nv\n")
    Path("broken.jsonl").write_text('{"age": 1}\n{"age": \n')
    Path("rows.jsonl").write_text("5\n")
    code, _, err = tables("simulate", *words)
    assert code == 2
    assert said in err
    assert "bug" not in err
    assert list(Path().glob("*.partial")) == []


def test_without_pyarrow(tables: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow JSON lines are read all the same, and other files name the extra that reads them."""
    for module in ("pyarrow", "pyarrow.parquet", "pyarrow.csv", "pyarrow.ipc"):
        monkeypatch.setitem(sys.modules, module, None)
    assert tables("simulate", "checkout.new", "--table", "users.jsonl", *AT, "--json").json["rows"] == 4
    code, _, err = tables("simulate", "checkout.new", "--table", "users.parquet")
    assert code == 2
    assert "pip install 'flagcore[tables]'" in err


PEAK = """
import resource, sys
from flagcore.cli import main
code = main(sys.argv[1:])
print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_is_bounded(command: Command) -> None:
    """Peak memory does not grow with the rows: six times as many take no more than a fifth more."""
    peaks = []
    for groups in (3, 18):
        with pq.ParquetWriter("large.parquet", TABLE.schema) as writer:
            for group in range(groups):
                keys = [f"u-{group}-{number}" for number in range(200_000)]
                ages = [number % 90 for number in range(200_000)]
                countries = ["DE" if number % 3 else "AT" for number in range(200_000)]
                columns = {"targetingKey": keys, "country": countries, "age": ages}
                writer.write_table(pa.table(columns, TABLE.schema))
        made = python(
            "-c",
            PEAK,
            "simulate",
            "checkout.new",
            "--flags",
            "flags.json",
            "--table",
            "large.parquet",
            "--out",
            "out.parquet",
        )
        code, peak = made.stdout.splitlines()[-1].split()
        assert (code, pq.ParquetFile("out.parquet").metadata.num_rows) == ("0", groups * 200_000), made.stderr
        peaks.append(int(peak))
    assert peaks[1] < 1.2 * peaks[0], peaks


@pytest.mark.parametrize(
    ("words", "wrong", "meant"),
    [
        (
            "flags.json checkout.new",
            "'flags.json' is one word too many",
            "checkout.new --flags flags.json --table users.csv",
        ),
        ("flags.json checkout.new --table u.csv", "one word too many", "checkout.new --flags flags.json --table u.csv"),
        ("checkout.new flags.json users.csv", "one word too many", "checkout.new --flags flags.json --table users.csv"),
        (
            "checkout.new users.csv --flags flags.json",
            "'users.csv' is",
            "checkout.new --flags flags.json --table users.csv",
        ),
        (
            "checkout.new extra --table users.csv",
            "'extra' is one word too many",
            "simulate checkout.new --table users.csv",
        ),
        ("checkout.new", "which table?", "simulate checkout.new --table users.csv"),
        ("", "which flag?", "simulate checkout.new --table users.csv"),
        ("flags.json --table users.csv", "which flag?", "--flags flags.json --table users.csv"),
        ("sub --table users.csv", "there is no flag 'sub'", "--flags sub --table users.csv"),
        ("checkout.new --tabel users.csv", "there is no option --tabel", "did you mean --table?"),
    ],
)
def test_words_in_another_order(command: Command, words: str, wrong: str, meant: str) -> None:
    """Whoever writes the words as for eval, or leaves one out, is told what is wrong and what line is probably meant."""
    command.write("users.csv", "targetingKey\nu-1\n")
    command.write("sub/flags.json", SHOP)
    code, out, err = command("simulate", *words.split())
    assert (code, out) == (2, "")
    first, second = err.splitlines()
    assert wrong in first
    assert second.endswith(meant)
