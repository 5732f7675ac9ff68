"""Say what went wrong in one clear message, with the exit code that belongs to it."""

from __future__ import annotations

import sys

from flagcore.cli import FINDINGS, USAGE, UsageError
from flagcore.cli.output import print_problems, write_json
from flagcore.errors import FlagSetError, SettingsError, SnapshotError

__all__ = ["complain"]


def complain(error: Exception, *, as_json: bool = False) -> int:
    """Report ``error`` (as JSON on standard output where that was asked for) and return the exit code."""
    if isinstance(error, FlagSetError):
        if as_json:
            write_json({"problems": error.problems})
        else:
            print_problems(error.problems, sys.stderr)
        return FINDINGS
    message, hint, code = _described(error)
    if as_json:
        write_json({"error": message, "hint": hint})
    else:
        sys.stdout.flush()
        print(f"flagcore: error: {message}" + (f"\n    hint: {hint}" if hint else ""), file=sys.stderr)
    return code


def _described(error: Exception) -> tuple[str, str | None, int]:
    """Return message, hint and exit code."""
    if isinstance(error, UsageError):
        return str(error), error.hint, USAGE
    if isinstance(error, SettingsError):
        return str(error), None, USAGE
    if isinstance(error, SnapshotError):
        return str(error), "is it a file that `flagcore compile` wrote, whole, with this release?", FINDINGS
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}", None, USAGE
    if isinstance(error, ImportError):
        return str(error), None, USAGE
    return f"{type(error).__name__}: {error}", "this is a bug in flagcore; --debug shows where", USAGE
