"""Exceptions, each with its error code, and the record of one problem in authored flags."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from flagcore.terms import ErrorCode

__all__ = [
    "FlagSetError",
    "FlagcoreError",
    "MalformedProgramError",
    "Problem",
    "SettingsError",
    "Severity",
    "SnapshotError",
    "TargetingKeyMissingError",
]


class Severity(StrEnum):
    """How bad a problem is: an error stops loading and publishing, a warning never does."""

    ERROR = "error"
    WARNING = "warning"


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong in authored flags, with the place where it stands."""

    code: str  # stable, kebab-case: unknown-key, wrong-type, syntax, ...; docs/reference/problems.md lists them
    message: str  # one sentence, in the author's words
    path: str = ""  # dotted path from the document's root: flags.checkout.new.rules[1].when
    hint: str | None = None  # what to do: did you mean "country"?
    severity: Severity = Severity.ERROR
    file: str | None = None
    line: int | None = None  # from 1
    column: int | None = None  # from 1, in code points
    excerpt: str | None = None  # the offending text with a caret under the place, for syntax errors

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        head = f"{place}: " if place else ""
        where = f" (at {self.path})" if self.path else ""
        text = f"{head}{self.severity.value}: {self.message} [{self.code}]{where}"
        if self.excerpt:
            text += "\n" + "\n".join("    " + line for line in self.excerpt.splitlines())
        return f"{text}\n    hint: {self.hint}" if self.hint else text


class FlagcoreError(Exception):
    """The base of every exception that flagcore raises; ``code`` is OpenFeature's error code."""

    code: ErrorCode = ErrorCode.GENERAL


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


class FlagSetError(FlagcoreError):
    """Authored flags that cannot be used, with every problem found, never only the first."""

    code = ErrorCode.PARSE_ERROR

    def __init__(self, problems: tuple[Problem, ...] | list[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        errors = sum(problem.severity is Severity.ERROR for problem in self.problems)
        warnings = len(self.problems) - errors
        lines = "\n".join(str(problem) for problem in self.problems)
        counts = [_counted(errors, "problem"), *([_counted(warnings, "warning")] if warnings else [])]
        super().__init__(f"{' and '.join(counts)} in the flag set\n{lines}")


class MalformedProgramError(FlagcoreError):
    """Program or value-set bytes that the kernel's ``verify`` refuses."""

    code = ErrorCode.PARSE_ERROR


class SnapshotError(FlagcoreError):
    """Snapshot bytes that are truncated, corrupt, or of a format this release cannot read."""

    code = ErrorCode.PARSE_ERROR


class TargetingKeyMissingError(FlagcoreError):
    """A value that cannot be bucketed (docs/design/bucketing.md 2.1) where a subject is needed."""

    code = ErrorCode.TARGETING_KEY_MISSING


class SettingsError(FlagcoreError, ValueError):
    """A setting that cannot be used: a wrong value, an unknown name, a source that this release cannot open."""
