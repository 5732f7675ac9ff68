"""Check flag files: every problem of a set in one go, with file, line, column and a hint."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable

import msgspec

from flagcore.cli import FINDINGS, FINE
from flagcore.cli.output import Style, counted, print_problems, progress, write_json
from flagcore.cli.sources import find_path, load_authored
from flagcore.errors import FlagSetError, Problem, Severity

EPILOG = """\
examples:
  flagcore validate flags/
  flagcore validate checkout.yaml search.yaml       each path is a set of its own
  flagcore validate flags/ --format github          annotations for a workflow of GitHub Actions
  flagcore validate flags/ --strict --json

Exit codes: 0 valid, 1 errors (with --strict warnings too), 2 wrong usage.
"""


class Checked(msgspec.Struct, frozen=True):
    """What was found in one flag set."""

    path: str
    flags: int  # 0 when the set could not be read
    segments: int
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> int:
        """How many problems are errors."""
        return sum(problem.severity is Severity.ERROR for problem in self.problems)

    @property
    def warnings(self) -> int:
        """How many problems are warnings."""
        return len(self.problems) - self.errors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files or directories; each is one flag set")
    parser.add_argument("--format", choices=("text", "json", "github"), default="text", help="default: text")
    parser.add_argument("--json", action="store_true", help="the same as --format json")
    parser.add_argument("--strict", action="store_true", help="count warnings as findings")


def run(arguments: argparse.Namespace) -> int:
    paths = [find_path(path, authored=True) for path in arguments.paths or (None,)]
    results = [check(path) for path in paths]
    if arguments.json or arguments.format == "json":
        write_json({"sets": [_plain(result) for result in results]})
    elif arguments.format == "github":
        _print_annotations(problem for result in results for problem in result.problems)
    else:
        for result in results:
            _print_text(result)
    found = any(result.errors or (arguments.strict and result.warnings) for result in results)
    return FINDINGS if found else FINE


def check(path: str) -> Checked:
    """Load and compile the set at ``path``: what only building can tell counts too."""
    from flagcore.compiler import compile_flag_set
    from flagcore.model.places import placed

    try:
        loaded = load_authored(path)
    except FlagSetError as error:
        return Checked(path, 0, 0, error.problems)
    flag_set, warnings = loaded.flag_set, tuple(loaded.problems)
    try:
        with placed(loaded.files):
            found = compile_flag_set(flag_set, debug=False, progress=progress("checking flag")).problems
    except FlagSetError as error:
        found = error.problems
    return Checked(path, len(flag_set.flags), len(flag_set.segments), (*warnings, *found))


def _plain(result: Checked) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(result)
    return {"valid": not result.errors, **plain}


def _print_text(result: Checked) -> None:
    style = Style(sys.stdout)
    print_problems(result.problems)
    found = [
        counted(number, noun) for number, noun in ((result.errors, "error"), (result.warnings, "warning")) if number
    ]
    size = f"{counted(result.flags, 'flag')}, {counted(result.segments, 'segment')}" if result.flags else ""
    verdict = style("red", "not valid") if result.errors else style("green", "valid")
    print(f"{style('bold', result.path)}: {verdict}: {', '.join(filter(None, (size, *found))) or 'no flags'}")


def _print_annotations(problems: Iterable[Problem]) -> None:
    for problem in problems:
        place = {"file": problem.file and os.path.relpath(problem.file), "line": problem.line, "col": problem.column}
        properties = {**place, "title": f"flagcore {problem.code}"}
        shown = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items() if value is not None)
        parts = (
            problem.message,
            f"at {problem.path}" if problem.path else "",
            f"hint: {problem.hint}" if problem.hint else "",
        )
        print(f"::{problem.severity.value} {shown}::{_message(chr(10).join(filter(None, parts)))}")


def _message(text: str) -> str:
    """Escape text as the workflow commands of GitHub Actions want it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
