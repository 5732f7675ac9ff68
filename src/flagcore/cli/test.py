"""Run the tests that stand beside the rules: plain cases, and shares over generated populations."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from flagcore.cli import FINDINGS, FINE, UsageError
from flagcore.cli.contexts import read_time
from flagcore.cli.output import Style, counted, progress, short_json, write_json
from flagcore.cli.sources import find_path, load_authored
from flagcore.model.places import placed
from flagcore.testing.scenarios import Outcome, run_scenarios

EPILOG = """\
examples:
  flagcore test flags/
  flagcore test flags/ --flag 'checkout.*' -v
  flagcore test flags/ --json
  flagcore test flags/ --junit report.xml

Tests without `at` run as of --at, or now.
Exit codes: 0 all passed, 1 some failed or the flags are not valid, 2 wrong usage.
"""


WORDS = "the words are [PATH ...]; one flag of them comes with --flag: flagcore test flags/ --flag checkout.new"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files or directories; each is one flag set")
    parser.add_argument(
        "--flag", action="append", default=[], metavar="KEY", help="only this flag, or a pattern: 'checkout.*'"
    )
    parser.add_argument("--at", metavar="TIME", help="the time of tests that give none; default: now")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the tests that passed, too")
    parser.add_argument("--junit", metavar="FILE", help="write a JUnit report")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    now = read_time(arguments.at)
    outcomes: list[Outcome] = []
    for path in [find_path(path, authored=True, hint=WORDS) for path in arguments.paths or (None,)]:
        loaded = load_authored(path)
        with placed(loaded.files):
            found = run_scenarios(loaded.flag_set, select=arguments.flag, now=now, progress=progress("running test"))
            outcomes.extend(found)
    if arguments.flag and not outcomes:
        raise UsageError(f"no tests for {', '.join(arguments.flag)}", "flagcore test -v shows which there are")
    if arguments.json:
        write_json({"tests": [to_plain(outcome) for outcome in outcomes]})
    else:
        _print_text(outcomes, verbose=arguments.verbose)
    if arguments.junit is not None:
        from flagcore.cli.junit import write_report

        write_report(arguments.junit, outcomes)
    return FINE if all(outcome.passed for outcome in outcomes) else FINDINGS


def to_plain(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain data."""
    plain = {name: getattr(outcome, name) for name in outcome.__struct_fields__}
    plain["explanation"] = outcome.explanation and outcome.explanation.to_dict()
    return plain


def _print_text(outcomes: list[Outcome], *, verbose: bool) -> None:
    style = Style(sys.stdout)
    for outcome in outcomes:
        if not outcome.passed:
            _print_failure(outcome, style)
        elif verbose:
            print(f"{style('green', 'passed')}  {title(outcome)}: {outcome.actual}")
    failed = sum(not outcome.passed for outcome in outcomes)
    flags = counted(len({outcome.flag_key for outcome in outcomes}), "flag")
    summary = f"{counted(len(outcomes), 'test')} of {flags}: "
    print(
        summary
        + (style("red", f"{failed:,} failed") if failed else style("green", "all passed") if outcomes else "none")
    )


def _print_failure(outcome: Outcome, style: Style) -> None:
    print(f"{style('red', 'FAILED')}  {style('bold', title(outcome))}")
    print(f"    expected  {outcome.expected}")
    print(f"    came      {outcome.actual}")
    if outcome.failing is not None and outcome.failing != outcome.given:
        print(f"    first for {short_json(outcome.failing)}")
    if outcome.explanation is not None:
        print("".join(f"    {line}\n" for line in str(outcome.explanation).splitlines()), end="")


def title(outcome: Outcome) -> str:
    """Return a test's name: flag, number, what is given."""
    people = f" for {counted(outcome.population, 'subject')}" if outcome.population else ""
    return f"{outcome.flag_key} tests[{outcome.index}] {short_json(outcome.given)}{people}"
