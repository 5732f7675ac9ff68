"""The limits of authored input, each a setting (flag-format.md section 4)."""

from __future__ import annotations

import msgspec

__all__ = ["DEFAULT_LIMITS", "Limits"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a flag set may hold at most; beyond it loading ends with a clear problem instead of running on."""

    flags: int = 100_000
    rules_per_flag: int = 10_000
    segment_values: int = 10_000_000  # of all segments of the set together
    depth: int = (
        64  # nesting of conditions (through segments too), of object values, and of requires; the parser's own 64 stays
    )
    document_bytes: int = 256 * 1024 * 1024  # of one file
    document_depth: int = 256  # mappings and lists inside each other in one document
    alias_nodes: int = 1_000_000  # scalars, mappings and lists that YAML aliases of one document add
    problems: int = 10_000  # reported; checking ends when there are more


DEFAULT_LIMITS = Limits()
