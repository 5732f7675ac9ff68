"""Measure W1 to W8 and print them as ratios to the floor: ``python -m benchmarks.run [--json] [--record] [W1 ...]``.

``--against REF`` compares with another state of the sources, built and run in the same job. Exit codes: 0 nothing is
slower, 1 something is, 2 there is no such state or it cannot be measured.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.engines import client_for
from benchmarks.machine import keep, machine
from benchmarks.subjects import EVALUATIONS, GET, calls, floors
from benchmarks.timing import Measured, Subject, measure
from benchmarks.workloads import LARGE, MAKERS, Workload, make

GOALS = {
    "W1": 1.5,
    "W2": 2.2,
    "W3": 2.6,
    "W4": 12.0,
    "W4 reused context": 4.5,
    "W5": 3.0,
    "W6": 3.0,
    "W7 one": 3.0,
    "W7 different": 16.0,
    "W8 a flag, lazily": 1.4,
    "W8 a flag, as a dict": 3.5,
}  # docs/design/design.md section 5, in units of the floor

Getter = Callable[[str, bool, Any], Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and with --record keep the figures under benchmarks/records/."""
    options = _parser().parse_args(arguments)
    if options.against is not None:
        return _compare(options)
    units = floors()
    results: list[Measured] = []
    for name in options.workloads or (*MAKERS, *LARGE):
        results += measure(_subjects(name, make(name)), units, options.rounds)
    report = {
        **machine(),
        "floor_ns": round(measure(units[:1], units, options.rounds)[0].nanoseconds, 1),
        "rows": [_row(row) for row in results],
    }
    if options.record:
        keep(report)
    print(json.dumps(report, indent=1) if options.json else _table(report))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("workloads", nargs="*", metavar="W", help=f"default: all of {', '.join((*MAKERS, *LARGE))}")
    parser.add_argument("--rounds", type=int, default=21, help="samples of each subject (default 21)")
    parser.add_argument(
        "--against", nargs="?", const="", metavar="REF", help="a commit or tag; default: the last release"
    )
    parser.add_argument("--tolerance", type=float, default=10.0, metavar="PERCENT", help="with --against; default: 10")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true", help="keep the figures in benchmarks/records/")
    return parser


def _compare(options: argparse.Namespace) -> int:
    from benchmarks.against import compared, rendered  # the other side runs this module, too, with its own flagcore
    from benchmarks.gate.reference import MissingReference, last_release

    tolerance = options.tolerance / 100
    try:
        reference = options.against or last_release()
        rows = compared(reference, options.workloads, options.rounds, tolerance)
    except (MissingReference, subprocess.CalledProcessError) as error:
        print(f"benchmarks.run: {error}", file=sys.stderr)
        return 2
    table = [{**row._asdict(), "quotient": round(row.quotient, 3)} for row in rows]
    print(json.dumps(table, indent=1) if options.json else rendered(reference, rows, tolerance))
    return int(any(row.slower for row in rows))


# -- subjects


def _subjects(name: str, workload: Workload) -> list[Subject]:
    client = client_for(workload)
    if name == "W8":
        return _bulk_subjects(workload, client)
    getter = client.get_boolean_value
    contexts = [call.context for call in workload.calls]
    _assert_answers(name, workload, getter, contexts)
    subjects = [_calls(name, getter, workload.key, contexts)]
    if name == "W4":
        reused = [client.context(workload.calls[0].context)] * len(contexts)
        _assert_answers(name, workload, getter, reused)
        subjects.append(_calls("W4 reused context", getter, workload.key, reused))
    if name == "W1":
        subjects.append(_calls("W1 details", client.get_boolean_details, workload.key, contexts))
    if workload.by_hand is not None:
        _assert_answers(name, workload, workload.by_hand, contexts, exact=name != "W3")
        subjects.append(_calls(f"{name} by hand", workload.by_hand, workload.key, contexts))
    return subjects


def _assert_answers(name: str, workload: Workload, getter: Getter, contexts: Sequence[Any], exact: bool = True) -> None:
    """A figure of wrong answers is no figure: every answer is checked before the clock starts."""
    for call, context in zip(workload.calls, contexts, strict=True):
        answer = getter(workload.key, False, context)
        if answer is not call.expected and exact:
            raise AssertionError(f"{name}: {answer!r} for {call.context!r}, expected {call.expected!r}")


def _calls(name: str, getter: Getter, key: str, contexts: Sequence[Any]) -> Subject:
    return calls(name, GET, {"get": getter, "key": key}, contexts, evaluations=max(EVALUATIONS, len(contexts)))


def _bulk_subjects(workload: Workload, client: Any) -> list[Subject]:
    context = workload.calls[0].context
    expected = {key: client.get_boolean_details(key, False, context) for key in workload.flags["flags"]}  # type: ignore[attr-defined]
    if dict(client.evaluate_all(context)) != expected:
        raise AssertionError("W8: evaluate_all differs from the single evaluations")
    names = {"all": client.evaluate_all}
    return [
        calls("W8 a flag, lazily", "all(context)", names, [context], each=len(expected)),
        calls("W8 a flag, as a dict", "dict(all(context))", {**names, "dict": dict}, [context], each=len(expected)),
    ]


# -- reports


def _row(row: Measured) -> dict[str, object]:
    goal = GOALS.get(row.name)
    return {
        "name": row.name,
        "ns": round(row.nanoseconds, 1),
        "ratio": round(row.ratios[0], 2),
        "deviation": round(row.deviation, 2),
        "bare_ratio": round(row.ratios[1], 2),
        "goal": goal,
        "reached": None if goal is None else row.ratios[0] <= goal,
    }


def _table(report: dict[str, Any]) -> str:
    head = (
        f"CPython {report['python']}, {report['processor']}; "
        f"F = a compiled method called with three arguments = {report['floor_ns']:.1f} ns; bare = the same without argument unpacking"
    )
    rows = [f"{'workload':<24}{'ns':>9}{'F':>8}{'+-':>7}{'goal':>7}{'':>10}{'bare':>8}"]
    for row in report["rows"]:
        goal = "" if row["goal"] is None else f"{row['goal']:.1f}"
        verdict = "" if row["goal"] is None else "reached" if row["reached"] else "MISSED"
        figures = f"{row['ns']:>9.1f}{row['ratio']:>8.2f}{row['deviation']:>7.2f}{goal:>7}{verdict:>10}{row['bare_ratio']:>8.2f}"
        rows.append(f"{row['name']:<24}{figures}")
    return "\n".join([head, *rows])


if __name__ == "__main__":
    sys.exit(main())
