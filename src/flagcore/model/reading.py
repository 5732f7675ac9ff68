"""What the readers of YAML, JSON and TOML share: their result, their errors, and places found on demand.

Reading keeps no places. Only when something is wrong a document is scanned once more for the places of those paths.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from flagcore.model.problems import DocumentPath, Finding

__all__ = ["Places", "Reading", "UnreadableError", "place_of", "too_many", "wanted_paths"]


class Reading(msgspec.Struct):
    """The plain data of a document, and what was wrong without stopping the reading (keys defined twice)."""

    data: object
    findings: list[Finding] = []


class Place(NamedTuple):
    """Where a value stands, and the key before it (the same place in a list); lines and columns from 1."""

    line: int
    column: int
    key_line: int
    key_column: int


Places = dict[DocumentPath, Place]


class UnreadableError(Exception):
    """The document is not well formed, or has too many faults; the findings know line and column."""

    def __init__(self, finding: Finding, before: list[Finding] | None = None) -> None:
        self.findings = [*(before or ()), finding]
        super().__init__(finding.message)


def too_many(before: list[Finding]) -> UnreadableError:
    """The end of reading a document of which more is wrong than is worth reading."""
    message = f"there are more than {len(before):,} problems; reading ended here"
    return UnreadableError(Finding(code="too-many-problems", message=message, line=before[-1].line), before)


def wanted_paths(paths: Iterable[DocumentPath]) -> set[DocumentPath]:
    """Return the paths and everything above them."""
    wanted: set[DocumentPath] = set()
    for path in paths:
        while path not in wanted:
            wanted.add(path)
            path = path[:-1]
    return wanted


def place_of(path: DocumentPath, places: Places) -> Place | None:
    """Return the place of the path, or else of the nearest thing around it."""
    while path and path not in places:
        path = path[:-1]
    return places.get(path)
