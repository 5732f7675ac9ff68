"""Evaluate a flag for every row of a table, and print how many rows get which variant, by which rule and for what reason."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flagcore.cli import FINE, UsageError
from flagcore.cli.contexts import is_path, read_time
from flagcore.cli.output import counted, print_table, progress, write_json
from flagcore.cli.sources import Opened, add_cache, add_path, find_path, open_flags, start_engine
from flagcore.cli.table_files import SUFFIXES, Batch, Writer, open_tables, open_writer

if TYPE_CHECKING:
    from flagcore.engine import Engine

EPILOG = """\
examples:
  flagcore simulate checkout.new --table users.parquet
  flagcore simulate checkout.new --flags flags/ --table users.csv --out assignments.parquet --columns variant,rule
  flagcore simulate checkout.new --table a.parquet --table b.parquet --threads 0 --at 2026-12-09T00:00:00Z --json

A column is an attribute, under its own name: targetingKey, country, account.plan (or a struct account). Tables are .parquet,
.csv, .arrow, .feather or .jsonl; they are read piece by piece, however large they are.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = f"{parser.prog} FLAG --table FILE [--flags PATH] [options]"
    parser.add_argument("words", nargs="*", metavar="FLAG", help="key of the flag")
    parser.add_argument(
        "--table",
        action="append",
        default=[],
        metavar="FILE",
        dest="tables",
        help="rows to evaluate; may be given again",
    )
    add_path(parser)
    parser.add_argument("-o", "--out", metavar="FILE", help="write each row's answer to this file")
    parser.add_argument(
        "--columns",
        default="variant",
        metavar="NAMES",
        help="answers to write, by comma: variant, value, reason, rule, error_code",
    )
    parser.add_argument(
        "--keep",
        default="targetingKey",
        metavar="NAMES",
        help="columns of the table to write beside them; default: targetingKey",
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="evaluate in N threads, 0: one a processor")
    parser.add_argument(
        "--at", metavar="TIME", help="evaluate as of this time, such as 2026-12-01T09:00:00Z; default: now"
    )
    add_cache(parser)
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    arguments.flag_key = _flag_key(arguments)
    if arguments.threads < 0:
        raise UsageError("--threads is 0 or more")
    opened = open_flags(find_path(arguments.flags), arguments.flag_key, cached=not arguments.no_cache)
    if arguments.flag_key not in opened.snapshot.programs:
        raise UsageError(f"there is no flag {arguments.flag_key!r}", _meant(opened, arguments))
    engine = start_engine(opened, read_time(arguments.at))
    rows, missing = _simulate(engine, arguments)
    report = _report(arguments.flag_key, rows, engine.counters().get(arguments.flag_key, {}), missing)
    if arguments.json:
        write_json(report)
    else:
        _show(report)
    opened.keep()
    return FINE


def _flag_key(arguments: argparse.Namespace) -> str:
    """Return the one word; where words or tables are missing or too many, say what to write, with what is known of it."""
    words: list[str] = arguments.words
    if len(words) == 1 and arguments.tables and not is_path(words[0]):
        return words[0]
    line = _line(words, arguments.flags, arguments.tables)
    if len(words) > 1:
        raise UsageError(f"{next(filter(os.path.exists, words), words[-1])!r} is one word too many", line)
    raise UsageError("which table?" if words and not is_path(words[0]) else "which flag?", line)


def _meant(opened: Opened, arguments: argparse.Namespace) -> str | None:
    """Return what to do about a key that no flag has."""
    if os.path.exists(arguments.flag_key):
        return _line([arguments.flag_key], None, arguments.tables)
    near = opened.nearest(arguments.flag_key)
    return f"did you mean {near}?" if near else None


def _line(words: list[str], flags: str | None, tables: list[str]) -> str:
    """Return how the command line is probably meant."""
    paths = [word for word in words if os.path.exists(word)]
    keys = [word for word in words if word not in paths]
    tables = tables or [path for path in paths if path.endswith(SUFFIXES)]
    sources = [flags] if flags else [path for path in paths if not path.endswith(SUFFIXES)]
    source = f" --flags {sources[0]}" if sources else ""
    key, table = (keys or ["checkout.new"])[0], (tables or ["users.csv"])[0]
    return f"write a flag's key, and files with their options: flagcore simulate {key}{source} --table {table}"


def _simulate(engine: Engine, arguments: argparse.Namespace) -> tuple[int, list[str]]:
    """Evaluate all rows; returns how many, and the attributes that no table has a column for."""
    from flagcore.evaluator.table import checked, looked_at

    looked = looked_at(engine._current, arguments.flag_key)
    keep = [name for name in arguments.keep.split(",") if name] if arguments.out else []
    try:
        columns = checked(arguments.columns.split(","))
    except ValueError as error:
        raise UsageError(f"--columns: {error}") from None
    tables = open_tables(arguments.tables, {*looked, *looked.values(), *keep})
    at = engine._moment()
    step = progress("evaluating row")
    rows, found = 0, set[str]()
    with _writer(arguments.out) as writer:
        for batch in tables.batches:
            found |= batch.names
            rows += batch.rows
            answers = _answers(engine, arguments, batch, columns if writer else ["variant"], at)
            if writer is not None:
                writer.write(batch, keep, columns, answers)
            step(rows, tables.rows)
    step(rows, rows)
    return rows, sorted(flat for flat, root in looked.items() if flat not in found and root not in found)


@contextlib.contextmanager
def _writer(path: str | None) -> Iterator[Writer | None]:
    if path is None:
        yield None
    else:
        with open_writer(path) as writer:
            yield writer


def _answers(engine: Engine, arguments: argparse.Namespace, batch: Batch, columns: list[str], at: int) -> Any:
    try:
        return engine.evaluate_table(arguments.flag_key, batch.table, columns=columns, at=at, threads=arguments.threads)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{batch.path}: {error}") from None


def _report(
    flag_key: str, rows: int, counts: Mapping[tuple[str | None, str | None, str], int], missing: list[str]
) -> dict[str, Any]:
    """Return rows by variant, by rule and by reason, the most frequent first; None stands for none."""
    parts: dict[str, Counter[str | None]] = {"variants": Counter(), "rules": Counter(), "reasons": Counter()}
    for what, count in counts.items():
        for part, name in zip(parts.values(), what, strict=True):
            part[name] += count
    shares = {
        title: [
            {"name": name, "rows": count, "share": count / rows if rows else 0.0}
            for name, count in sorted(part.items(), key=lambda item: (-item[1], str(item[0])))
        ]
        for title, part in parts.items()
    }
    return {"flag_key": flag_key, "rows": rows, **shares, "missing_columns": missing}


NONE = {"variants": "(the caller's default value)", "rules": "(none: the default)", "reasons": "-"}


def _show(report: Mapping[str, Any]) -> None:
    print(f"{report['flag_key']}: {counted(report['rows'], 'row')}")
    for title in ("variants", "rules", "reasons"):
        lines = [
            (NONE[title] if line["name"] is None else line["name"], f"{line['rows']:,}", f"{100 * line['share']:.3f} %")
            for line in report[title]
        ]
        print()
        print_table((title.removesuffix("s"), "rows", "share"), lines, numbers=(1, 2))
    if report["missing_columns"]:
        print(f"\nnote: no table has a column for {', '.join(report['missing_columns'])}: tests of it find nothing")
