"""The words of flagcore as enums.

Reasons, error codes, types and statuses are OpenFeature's (open-feature/spec, ``specification/types.md``); the rest is ours.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ErrorCode", "FlagType", "Operator", "ProviderStatus", "Purpose", "Reason"]


class FlagType(StrEnum):
    """The value type of a flag (OpenFeature's five)."""

    BOOLEAN = "boolean"
    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    OBJECT = "object"


class Purpose(StrEnum):
    """What a flag is for (flag-format.md section 1)."""

    RELEASE = "release"
    EXPERIMENT = "experiment"
    OPS = "ops"
    KILL_SWITCH = "kill-switch"
    PERMISSION = "permission"


class Operator(StrEnum):
    """The operators of a test (flag-format.md section 2)."""

    EQUALS = "=="
    NOT_EQUALS = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    IN = "in"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    MATCHES = "matches"


class Reason(StrEnum):
    """Why an evaluation gave its value."""

    STATIC = "STATIC"
    DEFAULT = "DEFAULT"
    TARGETING_MATCH = "TARGETING_MATCH"
    SPLIT = "SPLIT"
    CACHED = "CACHED"
    DISABLED = "DISABLED"
    STALE = "STALE"
    ERROR = "ERROR"
    UNKNOWN = "UNKNOWN"


class ErrorCode(StrEnum):
    """What went wrong in an evaluation that ended abnormally."""

    PROVIDER_NOT_READY = "PROVIDER_NOT_READY"
    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    PARSE_ERROR = "PARSE_ERROR"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    INVALID_CONTEXT = "INVALID_CONTEXT"
    PROVIDER_FATAL = "PROVIDER_FATAL"
    GENERAL = "GENERAL"


class ProviderStatus(StrEnum):
    """How a client stands to its source (docs/design/design.md section 2)."""

    NOT_READY = "NOT_READY"
    READY = "READY"
    STALE = "STALE"
    ERROR = "ERROR"
    FATAL = "FATAL"
