"""Help for people who write flags and for tests of code that asks for them.

``flagcore.testing.strategies`` holds Hypothesis strategies and is imported by that name.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from flagcore.testing.clients import client_for_tests, client_from_document
    from flagcore.testing.scenarios import Outcome, run_scenarios

__all__ = ["Outcome", "client_for_tests", "client_from_document", "run_scenarios"]


def __getattr__(name: str) -> object:
    import importlib

    for home in ("clients", "scenarios"):
        module = importlib.import_module(f"flagcore.testing.{home}")
        if name in __all__ and hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"module 'flagcore.testing' has no attribute {name!r}")
