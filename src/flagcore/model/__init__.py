"""What authors write: reading, printing and checking flags, segments and conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagcore.model.expression import parse_expression, parse_path
from flagcore.model.expression_print import print_expression, print_path
from flagcore.model.files import flag_files
from flagcore.model.flagset import Condition, Flag, FlagSet, RampStep, Requirement, Rule, Scenario, Segment, Split
from flagcore.model.limits import Limits
from flagcore.model.load import Loaded, build_flag_set, load, loads
from flagcore.model.problems import ExpressionError, PatternError
from flagcore.model.validate import validate

if TYPE_CHECKING:
    from flagcore.model.dump import to_document
    from flagcore.model.expression_json import from_structured, to_structured
    from flagcore.model.schema import json_schema

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

_HOMES = {  # of names that loading does not need: imported when they are first asked for
    "from_structured": "flagcore.model.expression_json",
    "json_schema": "flagcore.model.schema",
    "to_document": "flagcore.model.dump",
    "to_structured": "flagcore.model.expression_json",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
