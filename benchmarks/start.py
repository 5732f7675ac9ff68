"""Measure whole processes, from their start to their end: ``python -m benchmarks.start [--runs N] [--json] [--record]``.

What an author waits for after an edit, and a service at its start. The data are made here, from a seed, in a temporary
directory: 1,000 authored flags, each with a condition of its own and a gate; the big compiled file holds 100,000 entries
more. Byte code is at hand, as where flagcore is installed; nothing else is kept from run to run but what a row says.
Figures are user and system time of the process and its children, since other work on the machine stretches the clock on
the wall; that one is shown beside.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.machine import keep, machine
from flagcore.snapshot.codec import decode_snapshot, encode_snapshot

FLAGS, PADDING = 1_000, 100_000
PROMISE = 150.0  # ms from process start to the answer of `flagcore eval` (docs/design/design.md section 2)
COUNTRIES, PLANS = ("DE", "AT", "CH", "FR", "NL", "ES", "IT", "SE"), ("free", "pro", "team", "enterprise")
COMMAND = "import sys; from flagcore.cli import command; sys.exit(command())"
CONNECT = """
import flagcore, sys
client = flagcore.connect(sys.argv[1], watch=False)
assert client.get_boolean_details("area-1.flag-1", False, {"targetingKey": "u-1"}).error_code is None
"""


class Row(NamedTuple):
    """A process to start again and again."""

    name: str
    arguments: Sequence[str]  # of the interpreter
    promised: bool = False


class Measured(NamedTuple):
    """Milliseconds: least and median of the processor time, median of the wall clock."""

    row: Row
    least: float
    median: float
    wall: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a promised figure is missed."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        measured = _measure(_rows(Path(folder)), _environment(Path(folder)), options.runs)
    if options.record:
        keep(_report(measured), "start-")
    missed = any(row.row.promised and row.median > PROMISE for row in measured)
    print(json.dumps(_report(measured), indent=1) if options.json else _table(measured))
    return int(missed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="of each row (default 15), after two that are not counted")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true", help="keep the figures in benchmarks/records/")
    return parser


# -- data


def _document() -> dict[str, object]:
    """Return a flag set as an author might write it; always the same."""
    chance = random.Random(1)
    return {"schema": "flagcore/v1", "flags": {f"area-{n % 20}.flag-{n}": _flag(n, chance) for n in range(FLAGS)}}


def _flag(number: int, chance: random.Random) -> dict[str, object]:
    country, plans = chance.choice(COUNTRIES), chance.sample(PLANS, 2)
    when = f'country == "{country}" and plan in ["{plans[0]}", "{plans[1]}"] and orders >= {number}'
    return {
        "type": "boolean",
        "description": f"Flag number {number} of a big shop",
        "default": "off",
        "rules": [{"id": "known", "when": when, "serve": "on"}, {"id": "some", "percent": 20, "serve": "on"}],
    }


def _yaml(document: dict[str, object]) -> str:
    """Return the document in the style of the guides: blocks, short rules in one line."""
    lines = ["schema: flagcore/v1", "flags:"]
    for key, flag in document["flags"].items():  # type: ignore[attr-defined]
        lines.append(f"  {key}:")
        lines += [f"    {name}: {flag[name]}" for name in ("type", "description", "default")]
        known, some = flag["rules"]
        lines += ["    rules:", f"      - id: {known['id']}", f"        when: {known['when']}", "        serve: on"]
        lines.append(f"      - {{id: {some['id']}, percent: {some['percent']}, serve: on}}")
    return "\n".join(lines) + "\n"


def _padded(compiled: bytes) -> bytes:
    """Return a compiled file with as much beside its flags as 100,000 others bring."""
    snapshot = decode_snapshot(compiled)
    more = {f"area-{n % 20}.padding-{n}": bytes(700) for n in range(PADDING)}
    return encode_snapshot(msgspec.structs.replace(snapshot, programs={**snapshot.programs, **more}))


# -- processes


def _rows(folder: Path) -> list[Row]:
    document = _document()
    authored, data, compiled = folder / "flags.yaml", folder / "flags.json", folder / "flags.fcs"
    authored.write_text(_yaml(document), encoding="utf-8")
    data.write_text(json.dumps(document, indent=1), encoding="utf-8")
    big = folder / "big.fcs"
    _run(["-c", COMMAND, "compile", str(authored), "-o", str(compiled)], _environment(folder))
    big.write_bytes(_padded(compiled.read_bytes()))

    def ask(verb: str, path: Path, *more: str) -> tuple[str, ...]:
        return ("-c", COMMAND, verb, str(path), "area-1.flag-1", "targetingKey=u-1", "country=DE", *more)

    return [
        Row("the interpreter alone", ("-c", "pass")),
        Row("import flagcore", ("-c", "import flagcore")),
        Row("connect, compiled file", ("-c", CONNECT, str(compiled))),
        Row("connect, YAML", ("-c", CONNECT, str(authored))),
        Row("eval, compiled file", ask("eval", compiled), promised=True),
        Row("eval, compiled file of 75 MB", ask("eval", big), promised=True),
        Row("eval, YAML, asked about before", ask("eval", authored), promised=True),
        Row("eval, YAML, first time", ask("eval", authored, "--no-cache"), promised=True),
        Row("eval, JSON, first time", ask("eval", data, "--no-cache"), promised=True),
        Row("explain, YAML, first time", ask("explain", authored, "--no-cache")),
        Row("validate, YAML", ("-c", COMMAND, "validate", str(authored))),
    ]


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    paths = [str(Path(__file__).resolve().parent.parent / "src"), kept.get("PYTHONPATH", "")]
    own = {"PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "FLAGCORE_CACHE_DIR": str(folder / "cache")}
    return {**kept, **own, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _run(arguments: Sequence[str], environment: dict[str, str]) -> tuple[float, float]:
    """Return milliseconds of processor time and of the wall clock."""
    used, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
    ended, now = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    return (now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime) * 1e3, (ended - begun) * 1e3


def _measure(rows: Sequence[Row], environment: dict[str, str], runs: int) -> list[Measured]:
    """Run the rows in turn, so that a slow minute of the machine slows all of them."""
    samples: list[list[tuple[float, float]]] = [[] for _ in rows]
    for _ in range(runs + 2):
        for row, taken in zip(rows, samples, strict=True):
            taken.append(_run(row.arguments, environment))
    return [_summary(row, taken[2:]) for row, taken in zip(rows, samples, strict=True)]


def _summary(row: Row, taken: Sequence[tuple[float, float]]) -> Measured:
    processor, wall = zip(*taken, strict=True)
    return Measured(row, min(processor), statistics.median(processor), statistics.median(wall))


# -- reports


def _report(measured: Sequence[Measured]) -> dict[str, object]:
    rows = [
        {
            "name": row.row.name,
            "least_ms": round(row.least, 1),
            "ms": round(row.median, 1),
            "wall_ms": round(row.wall, 1),
        }
        for row in measured
    ]
    return {**machine(), "promise_ms": PROMISE, "rows": rows}


def _table(measured: Sequence[Measured]) -> str:
    facts = machine()
    head = f"CPython {facts['python']}, {facts['processor']}; ms of a whole process, {FLAGS:,} flags"
    rows = [f"{'':<32}{'least':>8}{'median':>8}{'wall':>8}"]
    for row in measured:
        verdict = ("" if row.median <= PROMISE else "  MISSED") if row.row.promised else ""
        rows.append(f"{row.row.name:<32}{row.least:>8.0f}{row.median:>8.0f}{row.wall:>8.0f}{verdict}")
    return "\n".join([head, *rows])


if __name__ == "__main__":
    sys.exit(main())
