"""JSON: Python's parser for the data, and a scanner of our own that finds places and keys defined twice.

The scanner keeps its own stack, so no depth makes it recurse; it runs only when something is wrong.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import NoReturn

from flagcore.model.limits import Limits
from flagcore.model.problems import DocumentPath, Finding, path_text
from flagcore.model.reading import Place, Places, Reading, UnreadableError, too_many

__all__ = ["locate", "read"]

_TOKEN = re.compile(r'[ \t\r\n]*(?:("[^"\\]*(?:\\.[^"\\]*)*")|([{}\[\],:])|([^\s{}\[\],:"]+))', re.DOTALL)
_HINTS = (
    ("Expecting property name enclosed in double quotes", "keys stand in double quotes, and no comma stands before }"),
    ("Illegal trailing comma", "no comma stands before } or ]"),
    ("Expecting value", "values are strings in double quotes, numbers, true, false, null, objects and arrays"),
)


class _TwiceError(Exception):
    """A key stands twice in one object."""


def read(text: str, limits: Limits) -> Reading:
    """Return the document's data.

    Raises:
        UnreadableError: not well formed, nested too deeply, NaN or Infinity.
    """
    try:
        return Reading(_parse(text, check_keys=True))
    except _TwiceError:
        return Reading(_parse(text, check_keys=False), _scan(text, limits, None)[1])


def _parse(text: str, *, check_keys: bool) -> object:
    try:
        return json.loads(text, object_pairs_hook=_pairs if check_keys else None, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        hint = next((hint for start, hint in _HINTS if error.msg.startswith(start)), None)
        raise UnreadableError(
            Finding(
                code="syntax",
                message=f"this is not JSON: {error.msg}",
                hint=hint,
                line=error.lineno,
                column=error.colno,
            )
        ) from None
    except RecursionError:
        raise UnreadableError(Finding(code="too-deep", message="the document is nested too deeply")) from None
    except ValueError as error:
        raise UnreadableError(Finding(code="bad-number", message=f"a number cannot be read: {error}")) from None


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise _TwiceError
    return mapping


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def locate(text: str, wanted: set[DocumentPath]) -> Places:
    """Return the places of the wanted paths in a document that ``read`` has accepted."""
    return _scan(text, Limits(), wanted)[0]


def _scan(text: str, limits: Limits, wanted: set[DocumentPath] | None) -> tuple[Places, list[Finding]]:
    """Scan well-formed JSON; ``wanted`` None: look for keys defined twice instead of places."""
    scanner = _Scanner(text, wanted)
    for match in _TOKEN.finditer(text):
        scanner.token(match)
        if len(scanner.findings) >= limits.problems:
            raise too_many(scanner.findings)
    return scanner.places, scanner.findings


class _Scanner:
    def __init__(self, text: str, wanted: set[DocumentPath] | None) -> None:
        self.text = text
        self.wanted = wanted
        self.places: Places = {}
        self.findings: list[Finding] = []
        self.path: list[str | int | None] = []  # None: an object that waits for a key
        self.keys: list[dict[str, int]] = []  # key -> offset; for arrays an empty one
        self.is_object: list[bool] = []
        self.key_offset = 0
        self.line_starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def token(self, match: re.Match[str]) -> None:
        offset = match.start(match.lastindex or 0)
        mark = match[2]
        if mark in ("{", "["):
            self.note(offset)
            self.path.append(None if mark == "{" else 0)
            self.is_object.append(mark == "{")
            self.keys.append({})
        elif mark in ("}", "]"):
            self.path.pop()
            self.is_object.pop()
            self.keys.pop()
        elif mark == ",":
            last = self.path[-1]
            self.path[-1] = last + 1 if isinstance(last, int) else None
        elif mark is None:
            self.scalar(match, offset)

    def scalar(self, match: re.Match[str], offset: int) -> None:
        if not (self.is_object and self.is_object[-1] and self.path[-1] is None):
            self.note(offset)
            return
        key = str(json.loads(match[1]))
        self.path[-1] = key
        self.key_offset = offset
        first = self.keys[-1].setdefault(key, offset) if self.wanted is None else offset
        if first != offset:
            self.twice(first, offset)

    def twice(self, first: int, second: int) -> None:
        path = tuple(part for part in self.path if part is not None)
        line, column = self.position(second)
        first_line, first_column = self.position(first)
        message = f"{path_text(path)} is defined twice, first in line {first_line}, column {first_column}"
        self.findings.append(Finding(code="duplicate-key", message=message, path=path, line=line, column=column))

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def note(self, offset: int) -> None:
        if self.wanted is None:
            return
        path = tuple(self.path)
        if path in self.wanted and path not in self.places:
            key = self.position(self.key_offset if self.is_object and self.is_object[-1] else offset)
            self.places[path] = Place(*self.position(offset), *key)  # type: ignore[index]
