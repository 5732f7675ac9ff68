"""Measure W14, tables of a million rows, beside a plain C loop of the hash alone: ``python -m benchmarks.tables [--record]``.

Rows per second of one core: rows by the CPU time of all threads, the best of several repetitions. Answers are asserted.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.machine import keep, machine
from benchmarks.workloads.tables import TABLES, Table
from flagcore import bucketing
from flagcore.compiler import compile_flag_set
from flagcore.engine import Engine
from flagcore.model import build_flag_set

GOALS = {"W3": 100, "W4": 14, "W4 dictionary": 45}  # millions of rows a second; docs/design/design.md section 5
SAMPLE = 997  # every so many rows are asked one by one, too

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and with --record keep the figures under benchmarks/records/."""
    options = _parser().parse_args(arguments)
    rows: list[dict[str, Any]] = []
    for name in options.workloads or TABLES:
        rows += measured(name, TABLES[name], options.rows, options.rounds)
    report = {**machine(), "rows": rows}
    if options.record:
        keep(report, "tables-")
    print(json.dumps(report, indent=1) if options.json else shown(report))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="W", help=f"default: all of {', '.join(TABLES)}")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of each table (default 1,000,000)")
    parser.add_argument("--rounds", type=int, default=7, help="repetitions, of which the best counts (default 7)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true", help="keep the figures in benchmarks/records/")
    return parser


def measured(name: str, table: Table, rows: int, rounds: int) -> list[dict[str, Any]]:
    """Return a row for each form of the table's columns, and for the control."""
    engine = Engine()
    engine.load(compile_flag_set(build_flag_set(table.document).flag_set).snapshot)
    assert not engine.degraded
    columns = table.columns(rows)
    plain = pa.table({key: pa.array(values) for key, values in columns.items()})
    forms = {name: plain}
    if table.texts:
        forms[f"{name} dictionary"] = pa.table(
            {
                key: column.dictionary_encode() if key in table.texts else column
                for key, column in zip(plain.column_names, plain.columns, strict=True)
            }
        )
    found = [_row(form, engine, table.flag_key, data, columns, rounds) for form, data in forms.items()]
    if name == "W3":
        found.insert(0, _control(plain, engine, table.flag_key, rounds))
    return found


def _row(
    name: str, engine: Engine, key: str, data: pa.Table, columns: Mapping[str, list[Any]], rounds: int
) -> dict[str, Any]:
    answers = engine.evaluate_table(key, data).to_pylist()
    for number in range(0, data.num_rows, SAMPLE):
        context = {attribute: values[number] for attribute, values in columns.items()}
        assert engine.evaluate(key, None, context).variant == answers[number], (name, number)
    seconds = {}
    for threads in (1, 2):
        spans = [
            _clocked(lambda threads=threads: engine.evaluate_table(key, data, threads=threads)) for _ in range(rounds)
        ]  # type: ignore[misc]
        seconds[threads] = min(cpu for cpu, _ in spans), min(wall for _, wall in spans)
    millions = data.num_rows / 1e6
    return {
        "name": name,
        "rows": data.num_rows,
        "millions_a_core_second": round(millions / seconds[1][0], 1),
        "ns_a_row": round(1e3 * seconds[1][0] / millions, 2),
        "cpu_2_threads_to_1": round(seconds[2][0] / seconds[1][0], 2),
        "wall_2_threads_to_1": round(seconds[2][1] / seconds[1][1], 2),
        "goal": GOALS.get(name),
    }


def _clocked(call: Callable[[], object]) -> tuple[float, float]:
    """Return CPU seconds of all threads, and seconds by the wall."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.process_time() - cpu, time.perf_counter() - wall


def _control(data: pa.Table, engine: Engine, key: str, rounds: int) -> dict[str, Any]:
    """The hash of every subject in a plain C loop over the same buffers, and as many inside the gate."""
    subjects = data.column("targetingKey").combine_chunks()
    _, offsets, texts = subjects.buffers()
    control = _library().hash_column
    control.restype = ctypes.c_uint64
    seed, threshold = bucketing.seed(key), bucketing.gate_threshold(25)
    arguments = (
        ctypes.c_void_p(offsets.address), ctypes.c_void_p(texts.address), ctypes.c_int64(len(subjects)),
        ctypes.c_uint64(seed), ctypes.c_uint32(threshold),
    )  # fmt: skip
    inside = engine.evaluate_table(key, data).to_pylist().count("on")
    assert control(*arguments) == inside
    seconds = min(_clocked(lambda: control(*arguments))[0] for _ in range(rounds))
    millions = len(subjects) / 1e6
    return {
        "name": "hash alone, plain C",
        "rows": len(subjects),
        "millions_a_core_second": round(millions / seconds, 1),
        "ns_a_row": round(1e3 * seconds / millions, 2),
    }


def _library() -> ctypes.CDLL:
    source, target = ROOT / "benchmarks/floor/hash_column.c", ROOT / "build/floor/hash_column.so"
    target.parent.mkdir(parents=True, exist_ok=True)
    compiler = (sysconfig.get_config_var("CC") or "cc").split()
    arguments = ["-O3", "-fPIC", "-shared", "-w", f"-I{ROOT / 'src/flagcore/kernel'}", str(source), "-o", str(target)]
    subprocess.run([*compiler, *arguments], check=True)
    return ctypes.CDLL(str(target))


def shown(report: Mapping[str, Any]) -> str:
    """Return the report as a table for people."""
    head = f"{'':<22}{'M rows/s a core':>16}{'ns a row':>10}{'goal':>6}{'CPU 2:1':>9}{'wall 2:1':>10}"
    lines = [
        f"{row['name']:<22}{row['millions_a_core_second']:>16,}{row['ns_a_row']:>10}{row.get('goal') or '':>6}"
        f"{row.get('cpu_2_threads_to_1', ''):>9}{row.get('wall_2_threads_to_1', ''):>10}"
        for row in report["rows"]
    ]
    return "\n".join([f"{report['processor']}, Python {report['python']}", head, *lines])


if __name__ == "__main__":
    sys.exit(main())
