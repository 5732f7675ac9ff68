"""Measure what each flag costs, in bytes, time and instructions, and refuse a set that got slow or big."""

from __future__ import annotations

import argparse
import sys
import time
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import msgspec

from flagcore.cli import FINDINGS, FINE, UsageError
from flagcore.cli.contexts import read_context, read_time
from flagcore.cli.figures import Comparison, compare
from flagcore.cli.output import Style, counted, print_table, progress, write_json
from flagcore.cli.sources import find_path, load_authored, open_flags
from flagcore.snapshot.codec import SUFFIX

if TYPE_CHECKING:
    from flagcore.cli.bench_measure import Subject
    from flagcore.model import FlagSet
    from flagcore.snapshot.objects import Snapshot

EPILOG = """\
examples:
  flagcore bench flags/
  flagcore bench flags/ --flag 'checkout.*' --context '{"targetingKey": "u-1", "country": "DE"}'
  flagcore bench flags/ --write flags-baseline.json
  flagcore bench flags/ --gate flags-baseline.json      in the pipeline: fails when a flag got slow or big

Contexts are those of each flag's tests and made ones, always the same for the same flag. x floor: times of a C function
called from Python, measured in the same run. Instructions are counted where valgrind is installed.
Exit codes: 0 fine, 1 a figure is above the baseline or the flags are not valid, 2 wrong usage.
"""
ORDER = "the word is [FLAGS]; one flag of them comes with --flag: flagcore bench flags/ --flag checkout.new"

BIGGER, DEARER, SLOWER = "bytes", "instructions", "ratio"


class Measured(msgspec.Struct, frozen=True):
    """What one flag costs."""

    bytes: int
    steps: int  # no evaluation takes more
    nanoseconds: float
    ratio: float  # to the floor
    instructions: float | None = None  # None: not counted


class Baseline(msgspec.Struct, frozen=True):
    """Figures to compare with: what --write writes and --gate reads."""

    tool_chain: dict[str, str]
    at: Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]  # evaluation time, microseconds since 1970 UTC
    value_set_bytes: int
    flags: dict[str, Measured]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", nargs="?", metavar="FLAGS", help="file, directory or compiled file (.fcs) with the flags"
    )
    parser.add_argument(
        "--flag", action="append", default=[], metavar="KEY", help="only this flag, or a pattern: 'checkout.*'"
    )
    parser.add_argument("--gate", metavar="FILE", help="compare with this baseline; exit code 1 when a figure rose")
    parser.add_argument("--write", metavar="FILE", help="write the figures as a baseline")
    parser.add_argument(
        "--tolerance", type=_percent, default=2.0, metavar="PERCENT", help="rise of bytes and instructions; default: 2"
    )
    parser.add_argument(
        "--ratio-tolerance",
        type=_percent,
        default=30.0,
        metavar="PERCENT",
        help="rise of ratios, compared where instructions cannot be; default: 30",
    )
    parser.add_argument(
        "-c", "--context", metavar="JSON|@FILE", help="measure with this context alone, from a file with @"
    )
    parser.add_argument(
        "--population", type=_count, default=16, metavar="N", help="so many made contexts a flag; default: 16"
    )
    parser.add_argument(
        "--at", metavar="TIME", help="evaluate as of this time; default: that of the baseline to compare with, or now"
    )
    parser.add_argument("--no-instructions", action="store_true", help="count none, though valgrind is there")
    parser.add_argument("--json", action="store_true", help="write JSON")


def _percent(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of percent from 0 on")
    return number


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() and len(text) < 6 else 0
    if not 0 < number <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 10,000")
    return number


def run(arguments: argparse.Namespace) -> int:
    old = read_baseline(arguments.gate) if arguments.gate is not None else None
    at = read_time(arguments.at)
    if at is None:
        at = old.at if old is not None else time.time_ns() // 1000
    measured = _measure(arguments, at)
    if arguments.write is not None:
        _write(arguments.write, measured)
    findings = _compare(old, measured, arguments) if old is not None else None
    if arguments.json:
        write_json({**msgspec.to_builtins(measured), **({} if findings is None else _plain(findings))})
    else:
        _show(measured)
        if old is not None and findings is not None:
            _show_findings(old, measured, findings, str(arguments.gate))
    return FINDINGS if findings is not None and findings.rises else FINE


# -- measuring


def _measure(arguments: argparse.Namespace, at: int) -> Baseline:
    from flagcore.cli.bench_measure import count_instructions, engine_for, time_flags, tool_chain
    from flagcore.compiler.reader import ProgramReader

    path = find_path(arguments.path)
    authored = None if path.endswith(SUFFIX) else load_authored(path, warnings=False).flag_set
    snapshot = open_flags(path).snapshot
    engine = engine_for(snapshot, at)
    subjects = _subjects(arguments, authored, snapshot)
    timings = time_flags(engine, subjects, progress("measuring flag"))
    counts = None if arguments.no_instructions else count_instructions(snapshot, at, subjects)
    flags = {
        key: Measured(
            bytes=len(snapshot.programs[key]),
            steps=ProgramReader(snapshot.programs[key]).step_bound,
            nanoseconds=round(timing.nanoseconds, 1),
            ratio=round(timing.ratio, 2),
            instructions=None if counts is None else counts[key],
        )
        for key, timing in timings.items()
    }
    return Baseline(tool_chain(), at, sum(map(len, snapshot.value_sets.values())), flags)


def _subjects(arguments: argparse.Namespace, authored: FlagSet | None, snapshot: Snapshot) -> list[Subject]:
    from flagcore.cli.bench_contexts import contexts_of
    from flagcore.cli.bench_measure import Subject, value_type

    patterns = arguments.flag
    keys = [key for key in snapshot.programs if not patterns or any(fnmatchcase(key, each) for each in patterns)]
    if not keys:
        raise UsageError(f"no flag is called {', '.join(patterns)}" if patterns else "there are no flags")
    given = None if arguments.context is None else [read_context(arguments.context)]
    if given is None and authored is None:
        raise UsageError(
            "a compiled file has no tests to take contexts from", "give one with --context, or the authored flags"
        )
    return [
        Subject(
            key,
            value_type(snapshot.programs[key]),
            given or contexts_of(authored, key, arguments.population),  # type: ignore[arg-type]
        )
        for key in keys
    ]


# -- baselines


def read_baseline(path: str) -> Baseline:
    """Raises UsageError for a file that is no baseline, OSError where none can be read."""
    with open(path, "rb") as file:
        content = file.read()
    try:
        return msgspec.json.decode(content, type=Baseline)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"{path}: not a baseline: {error}", "flagcore bench --write writes one") from None


def _write(path: str, measured: Baseline) -> None:
    from flagcore.cli.compile import write_whole

    write_whole(path, msgspec.json.format(msgspec.json.encode(measured), indent=1) + b"\n")


def counts_compare(old: Baseline, new: Baseline) -> bool:
    """Return whether instructions of the two mean the same: counted both, with the same tools."""
    counted_both = all(each.instructions is not None for side in (old, new) for each in side.flags.values())
    return counted_both and old.tool_chain == new.tool_chain


def _compare(old: Baseline, new: Baseline, arguments: argparse.Namespace) -> Comparison:
    """Compare the flags that both have; with --flag those that were asked for."""
    exact = [BIGGER, DEARER] if counts_compare(old, new) else [BIGGER]
    found = compare(_figures(old, exact), _figures(new, exact), arguments.tolerance / 100)
    if DEARER not in exact:
        more = compare(_figures(old, [SLOWER]), _figures(new, [SLOWER]), arguments.ratio_tolerance / 100)
        found = Comparison([*found.rises, *more.rises], [*found.falls, *more.falls], [], [])
    added = [key for key in new.flags if key not in old.flags]
    missing = [] if arguments.flag else [key for key in old.flags if key not in new.flags]
    return found._replace(added=added, missing=missing)


def _figures(side: Baseline, names: list[str]) -> dict[str, float]:
    found: dict[str, float] = {
        f"{key}: {name}": getattr(flag, name) for key, flag in side.flags.items() for name in names
    }
    if BIGGER in names:
        found["value sets: bytes"] = side.value_set_bytes
    return found


# -- reports


def _show(measured: Baseline) -> None:
    ordered = sorted(measured.flags.items(), key=lambda item: -(item[1].instructions or item[1].ratio))
    rows = [
        (
            key,
            f"{flag.bytes:,}",
            f"{flag.steps:,}",
            f"{flag.nanoseconds:,.0f}",
            f"{flag.ratio:.2f}",
            "-" if flag.instructions is None else f"{flag.instructions:,.0f}",
        )
        for key, flag in ordered
    ]
    print_table(("flag", "bytes", "steps", "ns", "x floor", "instructions"), rows, numbers=range(1, 6))
    total = sum(flag.bytes for flag in measured.flags.values())
    print(
        f"\n{counted(len(rows), 'flag')}, {counted(total, 'byte')} of programs, {measured.value_set_bytes:,} of value sets"
    )
    if any(flag.instructions is None for flag in measured.flags.values()):
        print("note: no instructions were counted; with valgrind installed figures are exact on a busy machine, too")


def _show_findings(old: Baseline, new: Baseline, found: Comparison, path: str) -> None:
    style = Style(sys.stdout)
    print()
    if not counts_compare(old, new):
        differing = [name for name, tool in new.tool_chain.items() if old.tool_chain.get(name) != tool]
        why = f"the baseline comes from another {', '.join(differing)}" if differing else "not counted on both sides"
        print(f"note: instructions are not compared, ratios are: {why}")
    for each in found.rises:
        print(f"{style('red', 'rose')}  {each.name}: {each.old:,.2f} -> {each.new:,.2f} ({each.percent:+.1f} %)")
    for each in found.falls:
        print(f"{style('green', 'fell')}  {each.name}: {each.old:,.2f} -> {each.new:,.2f} ({each.percent:+.1f} %)")
    for key in found.added:
        print(f"new   {key}: not in the baseline")
    for key in found.missing:
        print(f"gone  {key}: only in the baseline")
    verdict = style("red", "failed") if found.rises else style("green", "passed")
    print(f"{verdict}: {counted(len(found.rises), 'figure')} above {path}")


def _plain(found: Comparison) -> dict[str, object]:
    return {
        "passed": not found.rises,
        "rises": [each._asdict() for each in found.rises],
        "falls": [each._asdict() for each in found.falls],
        "new": found.added,
        "gone": found.missing,
    }
