"""Checks of a whole flag set (flag-format.md section 4, compiler.md section 5)."""

from __future__ import annotations

from collections.abc import Iterator

from flagcore.errors import Problem
from flagcore.model.flagset import FlagSet
from flagcore.model.limits import DEFAULT_LIMITS, Limits
from flagcore.model.problems import Finding
from flagcore.model.scope import Scope

__all__ = ["findings_of", "validate"]


def validate(flag_set: FlagSet, limits: Limits | None = None) -> list[Problem]:
    """Return every problem of the flag set, errors and warnings; works for sets that a program has built, too."""
    return [finding.problem() for finding in findings_of(Scope.of_program(flag_set, limits or DEFAULT_LIMITS))]


def findings_of(scope: Scope) -> Iterator[Finding]:
    """Yield every finding of the scope."""
    yield from ()
