"""What authors write: reading, printing and checking flags, segments and conditions."""

from __future__ import annotations

from flagcore.model.dump import to_document
from flagcore.model.expression import parse_expression, parse_path
from flagcore.model.expression_json import from_structured, to_structured
from flagcore.model.expression_print import print_expression, print_path
from flagcore.model.files import flag_files
from flagcore.model.flagset import Condition, Flag, FlagSet, RampStep, Requirement, Rule, Scenario, Segment, Split
from flagcore.model.limits import Limits
from flagcore.model.load import Loaded, build_flag_set, load, loads
from flagcore.model.problems import ExpressionError, PatternError
from flagcore.model.schema import json_schema
from flagcore.model.validate import validate

__all__ = [
    "Condition",
    "ExpressionError",
    "Flag",
    "FlagSet",
    "Limits",
    "Loaded",
    "PatternError",
    "RampStep",
    "Requirement",
    "Rule",
    "Scenario",
    "Segment",
    "Split",
    "build_flag_set",
    "flag_files",
    "from_structured",
    "json_schema",
    "load",
    "loads",
    "parse_expression",
    "parse_path",
    "print_expression",
    "print_path",
    "to_document",
    "to_structured",
    "validate",
]
