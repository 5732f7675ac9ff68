"""What authors write: reading, printing and checking flags, segments and conditions."""

from __future__ import annotations

from flagcore.model.expression import parse_expression, parse_path
from flagcore.model.expression_json import from_structured, to_structured
from flagcore.model.expression_print import print_expression, print_path
from flagcore.model.flagset import Condition, Flag, FlagSet, RampStep, Requirement, Rule, Scenario, Segment, Split
from flagcore.model.limits import Limits
from flagcore.model.problems import ExpressionError, PatternError

__all__ = [
    "Condition",
    "ExpressionError",
    "Flag",
    "FlagSet",
    "Limits",
    "PatternError",
    "RampStep",
    "Requirement",
    "Rule",
    "Scenario",
    "Segment",
    "Split",
    "from_structured",
    "parse_expression",
    "parse_path",
    "print_expression",
    "print_path",
    "to_structured",
]
