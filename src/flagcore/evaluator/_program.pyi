from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from types import MappingProxyType
from typing import Any, Final, final

from typing_extensions import Self, disjoint_base

from flagcore.context import ContextLike
from flagcore.terms import ErrorCode, FlagType, Reason

__all__ = [
    "Context",
    "EvaluationDetails",
    "Evaluations",
    "Evaluator",
    "FlagHandle",
    "Program",
    "ProgramSet",
    "ValueSet",
]

RULE: Final[str]
REVISION: Final[str]
OVERRIDE: Final[str]

@final
class EvaluationDetails:
    flag_key: Any
    value: Any
    variant: str | None
    reason: Reason
    error_code: ErrorCode | None
    error_message: str | None
    flag_metadata: MappingProxyType[str, Any]
    def __new__(
        cls,
        flag_key: object = None,
        value: object = None,
        variant: str | None = None,
        reason: Reason = ...,
        error_code: ErrorCode | None = None,
        error_message: str | None = None,
        flag_metadata: Mapping[str, Any] = ...,
    ) -> Self: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
