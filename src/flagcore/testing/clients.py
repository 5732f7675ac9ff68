"""Clients that hold their flags in memory, for tests of code that asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flagcore.client import Client
from flagcore.compiler import compile_flag_set
from flagcore.model import FlagSet, build_flag_set

__all__ = ["client_for_tests", "client_from_document"]

SCHEMA = "flagcore/v1"


def client_for_tests(
    flags: FlagSet | Mapping[str, Any] | None = None,
    *,
    context: Mapping[str, Any] | None = None,
    clock: Callable[[], int] | None = None,
) -> Client:
    """Return a client of ``flags``: a FlagSet, a document as plain data, or the ``flags`` of one (flag key -> flag).

    ``context`` is the static context; ``clock`` gives the evaluation time in microseconds since 1970 UTC.

    Raises:
        FlagSetError: the flags are not valid; holds all problems.
    """
    flag_set, warnings = (flags, ()) if isinstance(flags, FlagSet) else _built(flags or {})
    compiled = compile_flag_set(flag_set, debug="when asked")
    problems = (*warnings, *compiled.problems)
    return Client.of_snapshot(compiled.snapshot, problems, context=context, clock=clock)


def client_from_document(document: Mapping[str, Any]) -> Client:
    """Return a client of a whole document, as read from a flag file."""
    return client_for_tests(document)


def _built(flags: Mapping[str, Any]) -> tuple[FlagSet, tuple[Any, ...]]:
    document = flags if isinstance(flags.get("schema"), str) else {"schema": SCHEMA, "flags": flags}
    loaded = build_flag_set(document)
    return loaded.flag_set, tuple(loaded.problems)
