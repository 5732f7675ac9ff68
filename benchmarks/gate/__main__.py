"""Compare instructions, sizes and allocations of the workloads with benchmarks/baseline.json: ``python -m benchmarks.gate``.

Exit codes: 0 nothing rose by more than 2 %, 1 something did, 2 it could not be compared. A rise that is wanted is
written into the baseline with its reason: ``python -m benchmarks.gate --update --because "rules may name regions now"``.

Counts belong to a tool chain. Under another one than the baseline's the commit that wrote the baseline (or --against) is
built and counted in the same job, and counts are compared with its own; sizes are compared with the baseline everywhere.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.callgrind import CountingError
from benchmarks.gate.baseline import BASELINE, REPEATED, TOLERANCE, Baseline, read_baseline, write_baseline
from benchmarks.gate.measure import ROOT, is_counted, measure
from benchmarks.gate.reference import MissingReference, built, commit_of_baseline, resolved
from benchmarks.gate.tool_chain import tool_chain
from flagcore.cli.figures import Comparison, Figures, compare

FINE, RISEN, NOT_COMPARED = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and judge, or with --update write the baseline."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.update and not (options.because or "").strip():
        parser.error('--update wants a reason: --because "why the figures are other ones"')
    if shutil.which("valgrind") is None:
        return _complain("valgrind is not installed: apt-get install valgrind")
    try:
        figures = measure(options.tree)
        if options.json:
            print(json.dumps(figures, indent=1))
        return _update(figures, options.because) if options.update else _judge(figures, options)
    except (CountingError, MissingReference, OSError, RuntimeError, ValueError) as error:
        return _complain(str(error))


def _parser() -> argparse.ArgumentParser:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__, formatter_class=layout)
    parser.add_argument("--against", metavar="REF", help="compare with this commit or tag, built in this job")
    parser.add_argument("--tree", type=Path, default=ROOT, metavar="DIR", help="judge the built sources there")
    parser.add_argument("--allow-missing", action="store_true", help="pass where counts cannot be compared")
    parser.add_argument("--update", action="store_true", help="write what was measured as the new baseline")
    parser.add_argument("--because", metavar="WHY", help="with --update: kept beside each figure that rose")
    parser.add_argument("--json", action="store_true", help="print the figures, too")
    return parser


def _complain(message: str) -> int:
    print(f"gate: {message}", file=sys.stderr)
    return NOT_COMPARED


# -- judging


def _judge(figures: Figures, options: argparse.Namespace) -> int:
    baseline = read_baseline()
    try:
        old = _old_figures(baseline, options.against)
    except MissingReference as error:
        print(f"gate: counts of instructions are NOT compared: {error}", file=sys.stderr)
        figures = {name: number for name, number in figures.items() if not is_counted(name)}
        old = {name: number for name, number in baseline.figures.items() if not is_counted(name)}
        verdict = _say(compare(old, figures, TOLERANCE), len(figures))
        return verdict or (FINE if options.allow_missing else NOT_COMPARED)
    return _say(compare(old, figures, TOLERANCE), len(figures))


def _old_figures(baseline: Baseline, against: str | None) -> Figures:
    """Return what to compare with: the baseline, or where its counts mean nothing, those of a reference built here."""
    here = tool_chain()
    differing = [f"{name} {here[name]!r}" for name in here if here[name] != baseline.tool_chain.get(name)]
    if against is None and not differing:
        return baseline.figures
    commit = resolved(against) if against else commit_of_baseline()
    why = (
        f"as asked ({against})" if against else f"the baseline was counted with other tools than {', '.join(differing)}"
    )
    print(f"gate: building and counting {commit[:12]} to compare with: {why}", file=sys.stderr)
    with built(commit) as tree:
        reference = measure(tree, tests=against is not None)
    if against:
        return reference
    return {name: (reference if is_counted(name) else baseline.figures).get(name, 0.0) for name in baseline.figures}


def _say(found: Comparison, count: int) -> int:
    """Print what differs, a line each, and return the verdict."""
    for each in found.rises:
        print(f"ROSE  {each.name}: {each.old:,.1f} -> {each.new:,.1f} ({each.percent:+.1f} %)")
    for each in found.falls:
        print(f"fell  {each.name}: {each.old:,.1f} -> {each.new:,.1f} ({each.percent:+.1f} %)")
    for name in found.added:
        print(f"new   {name}: not in the baseline")
    for name in found.missing:
        print(f"GONE  {name}: in the baseline, but not measured")
    update = 'make bench-baseline BECAUSE="..."'
    if found.rises or found.missing:
        print(f"gate: FAILED, more than {TOLERANCE:.0%} above the baseline. Wanted? Say why: {update}")
        return RISEN
    hint = f"; keep what was won: {update}" if found.falls or found.added else ""
    print(f"gate: passed, {count} figures within {TOLERANCE:.0%} of the baseline{hint}")
    return FINE


# -- updating


def _update(figures: Figures, because: str) -> int:
    old = read_baseline() if BASELINE.exists() else Baseline({}, {}, [])
    risen = compare(old.figures, figures, REPEATED).rises
    today, why = datetime.date.today().isoformat(), because.strip()
    changes = [{"date": today, "figure": each.name, "old": each.old, "new": each.new, "why": why} for each in risen]
    write_baseline(Baseline(tool_chain(), figures, [*old.changes, *changes]))
    print(f"gate: {BASELINE.name} holds {len(figures)} figures, {len(changes)} of them risen")
    return FINE


if __name__ == "__main__":
    sys.exit(main())
