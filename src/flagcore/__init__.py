"""flagcore evaluates feature flags inside the process that asks.

    import flagcore

    client = flagcore.connect("flags/")
    client.get_boolean_value("checkout.new", False, {"targetingKey": "u-1", "country": "DE"})

Importing this package loads nothing else; each name below is loaded when it is first used. What rule authors need
(model, compiler) is never loaded by a service that reads a compiled file.
"""

TYPE_CHECKING = False  # as typing.TYPE_CHECKING, without importing typing
if TYPE_CHECKING:
    from flagcore.client import Client, connect
    from flagcore.context import EvaluationContext
    from flagcore.engine import Engine, EvaluationDetails
    from flagcore.errors import FlagcoreError, FlagSetError, Problem, SettingsError, SnapshotError
    from flagcore.terms import ErrorCode, FlagType, ProviderStatus, Reason

__version__ = "0.1.0"

__all__ = [
    "Client",
    "Engine",
    "ErrorCode",
    "EvaluationContext",
    "EvaluationDetails",
    "FlagSetError",
    "FlagType",
    "FlagcoreError",
    "Problem",
    "ProviderStatus",
    "Reason",
    "SettingsError",
    "SnapshotError",
    "__version__",
    "connect",
]

_HOMES = {
    "flagcore.client": ("Client", "connect"),
    "flagcore.context": ("EvaluationContext",),
    "flagcore.engine": ("Engine", "EvaluationDetails"),
    "flagcore.errors": ("FlagSetError", "FlagcoreError", "Problem", "SettingsError", "SnapshotError"),
    "flagcore.terms": ("ErrorCode", "FlagType", "ProviderStatus", "Reason"),
}


def __getattr__(name: str) -> object:
    import importlib

    for home, names in _HOMES.items():
        if name in names:
            value: object = getattr(importlib.import_module(home), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'flagcore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
