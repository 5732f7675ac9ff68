"""Checks of a whole flag set (flag-format.md section 4, compiler.md section 5)."""

from __future__ import annotations

from collections.abc import Iterator

from flagcore.errors import Problem, Severity
from flagcore.model.checks.attributes import check_attributes
from flagcore.model.checks.conditions import check_conditions, check_depths
from flagcore.model.checks.cycles import check_requirement_cycles, check_segment_cycles
from flagcore.model.checks.finding import error, warning
from flagcore.model.checks.names import check_flag_names, check_set_names
from flagcore.model.checks.references import check_flag_references, check_segment_references
from flagcore.model.checks.rules import check_rules, check_rules_together
from flagcore.model.checks.scenarios import check_scenarios
from flagcore.model.checks.segments import check_segments
from flagcore.model.checks.sizes import check_sizes
from flagcore.model.checks.values import check_flag_values
from flagcore.model.flagset import FlagSet
from flagcore.model.limits import DEFAULT_LIMITS, Limits
from flagcore.model.problems import Finding, Suggester
from flagcore.model.scope import Scope

__all__ = ["findings_of", "validate"]


def validate(flag_set: FlagSet, limits: Limits | None = None) -> list[Problem]:
    """Return every problem of the flag set, errors and warnings; for sets that a program has built, too.

    Loading does this already. What only building can tell (an automaton too large) is raised by the compiler.
    """
    return [finding.problem() for finding in findings_of(Scope.of_program(flag_set, limits or DEFAULT_LIMITS))]


def findings_of(scope: Scope) -> Iterator[Finding]:
    """Yield every finding of the scope, hints made; at most ``limits.problems`` errors and as many warnings."""
    suggester = Suggester()
    limit = scope.limits.problems
    counts = {Severity.ERROR: 0, Severity.WARNING: 0}
    for finding in _findings(scope):
        counts[finding.severity] += 1
        if counts[finding.severity] <= limit:
            yield suggester.finish(finding)
        elif finding.severity is Severity.ERROR:
            yield error("too-many-problems", f"there are more than {limit:,} errors; checking ended here", ())
            return
    if counts[Severity.WARNING] > limit:
        yield warning("too-many-problems", f"there are {counts[Severity.WARNING] - limit:,} more warnings", ())


def _findings(scope: Scope) -> Iterator[Finding]:
    too_deep = list(check_depths(scope))
    if too_deep:  # the other checks, and hashes of trees, may rely on the depth
        yield from too_deep
        return
    yield from check_sizes(scope)
    yield from check_set_names(scope)
    yield from check_segments(scope)
    yield from check_conditions(scope)
    yield from check_attributes(scope)
    yield from check_segment_references(scope)
    yield from check_segment_cycles(scope)
    yield from check_requirement_cycles(scope)
    for flag in scope.flag_set.flags.values():
        yield from check_flag_names(flag)
        yield from check_flag_values(scope, flag)
        yield from check_flag_references(scope, flag)
        yield from check_rules(flag)
        if scope.warnings:
            yield from check_rules_together(flag)
        yield from check_scenarios(flag)
