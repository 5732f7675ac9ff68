"""TOML by the standard library; date-times become their RFC 3339 text. Places are found by lines, best effort."""

from __future__ import annotations

import datetime
import re
import tomllib

from flagcore.model.limits import Limits
from flagcore.model.problems import DocumentPath, Finding
from flagcore.model.reading import Place, Places, Reading, UnreadableError

__all__ = ["locate", "read"]

_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_KEY_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\\]*(?:\\.[^"\\]*)*"|'[^']*')"""
_KEY = rf"{_KEY_PART}(?:[ \t]*\.[ \t]*{_KEY_PART})*"
_HEADER = re.compile(rf"[ \t]*(\[\[?)[ \t]*({_KEY})[ \t]*\]")
_PAIR = re.compile(rf"[ \t]*({_KEY})[ \t]*=[ \t]*")
_PART = re.compile(_KEY_PART)
_LONG_KEY = re.compile(r"(?<![\w.-])(?:[\w-]++[ \t]*+\.[ \t]*+){256}")
_DEEP = 256


def read(text: str, limits: Limits) -> Reading:
    """Return the document's data.

    Raises:
        UnreadableError: not well formed (keys defined twice are not), nested too deeply.
    """
    if _LONG_KEY.search(text):
        raise UnreadableError(Finding(code="too-deep", message=f"a dotted key has more than {_DEEP} parts"))
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UnreadableError(_syntax(text, str(error))) from None
    except RecursionError:
        raise UnreadableError(Finding(code="too-deep", message="the document is nested too deeply")) from None
    except ValueError as error:  # an integer of thousands of digits, a date that does not exist
        raise UnreadableError(Finding(code="bad-value", message=f"this is not TOML: {error}")) from None
    return Reading(_plain(data, limits))


def _syntax(text: str, message: str) -> Finding:
    match = _AT.search(message)
    reason = _AT.sub("", message)
    line = int(match[1]) if match and match[1] else text.count("\n") + 1
    column = int(match[2]) if match and match[2] else len(text) - text.rfind("\n")
    code = "duplicate-key" if "overwrite a value" in reason or "declare" in reason else "syntax"
    return Finding(code=code, message=f"this is not TOML: {reason}", line=line, column=column)


def _plain(data: dict[str, object], limits: Limits) -> dict[str, object]:
    """Replace dates and times by their texts, in place, level by level."""
    level: list[dict[str, object] | list[object]] = [data]
    for _ in range(limits.document_depth):
        following: list[dict[str, object] | list[object]] = []
        for container in level:
            for key, value in list(container.items() if isinstance(container, dict) else enumerate(container)):
                if isinstance(value, (dict, list)):
                    following.append(value)
                elif isinstance(value, (datetime.date, datetime.time)):
                    container[key] = _time_text(value)  # type: ignore[index,call-overload]
        if not following:
            return data
        level = following
    raise UnreadableError(
        Finding(code="too-deep", message=f"the document is nested deeper than {limits.document_depth}")
    )


def _time_text(value: datetime.date | datetime.time) -> str:
    text = value.isoformat()
    return text[:-6] + "Z" if isinstance(value, datetime.datetime) and text.endswith("+00:00") else text


def locate(text: str, wanted: set[DocumentPath]) -> Places:
    """Return places of keys that begin a line, outside multi-line values as far as a line tells."""
    places: Places = {}
    prefix: DocumentPath = ()
    counts: dict[DocumentPath, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            names = _names(header[2])
            prefix = _table_path(names, header[1] == "[[", counts)
            _note(places, wanted, prefix, 0, number, header.start(1) + 1, header.start(1) + 1)
        elif pair := _PAIR.match(line):
            names = _names(pair[1])
            _note(places, wanted, (*prefix, *names), len(prefix), number, pair.start(1) + 1, pair.end() + 1)
    return places


def _names(key: str) -> tuple[str, ...]:
    return tuple(_unquote(match[0]) for match in _PART.finditer(key))


def _unquote(part: str) -> str:
    if part[0] == "'":
        return part[1:-1]
    if part[0] != '"':
        return part
    try:
        return str(tomllib.loads(f"k = {part}")["k"])
    except ValueError:
        return part[1:-1]


def _table_path(names: tuple[str, ...], is_array: bool, counts: dict[DocumentPath, int]) -> DocumentPath:
    """Return the path of a table header; the last element of each array of tables on the way is meant."""
    path: DocumentPath = ()
    for index, name in enumerate(names):
        path = (*path, name)
        if is_array and index == len(names) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _note(
    places: Places, wanted: set[DocumentPath], path: DocumentPath, known: int, line: int, key_column: int, column: int
) -> None:
    for length in range(known + 1, len(path) + 1):
        if path[:length] in wanted:
            places.setdefault(path[:length], Place(line, column, line, key_column))
