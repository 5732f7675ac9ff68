"""YAML by the core schema of YAML 1.2, driven by PyYAML's events: no recursion, bounded depth and aliases.

Only ``true`` and ``false`` (also True, TRUE, ...) are booleans; timestamps and merge keys do not exist; tags beyond the core
schema are refused; a key defined twice is a finding that names both places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from flagcore.model.limits import Limits
from flagcore.model.problems import DocumentPath, Finding, excerpt, path_text
from flagcore.model.reading import Place, Places, Reading, UnreadableError, too_many

if TYPE_CHECKING:
    import yaml

__all__ = ["locate", "read"]

_CORE = "tag:yaml.org,2002:"
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_NUMBER_START = frozenset("+-.0123456789")
_UNKNOWN = object()
_MAX_DIGITS = 4000  # int() of longer texts takes quadratic time
_HINTS = {  # a part of PyYAML's message -> what to do
    "cannot start any token": "a text that begins with this character needs quotes",
    "parsing a flow": "inside {...} and [...] a text with a bracket, brace, comma or quote needs single quotes",
    "mapping values are not allowed": "keys of one mapping begin in the same column; a text that contains ': ' needs quotes",
    "parsing a block": "keys of one mapping, and items of one list, begin in the same column",
    "scanning a quoted scalar": "a quotation mark is opened and never closed",
}


def read(text: str, limits: Limits) -> Reading:
    """Return the document's data.

    Raises:
        UnreadableError: not well formed, too deep, too many aliases, a tag that is not in the core schema, no PyYAML.
    """
    builder = _Builder(limits)
    _follow(text, builder.steps)
    if builder.documents == 0:
        raise UnreadableError(Finding(code="empty-document", message="the document is empty", line=1, column=1))
    return Reading(builder.top.items[0], builder.findings)


def locate(text: str, wanted: set[DocumentPath]) -> Places:
    """Return the places of the wanted paths in a document that ``read`` has accepted."""
    locator = _Locator(wanted)
    _follow(text, locator.steps)
    return locator.places


def _follow(text: str, steps: Mapping[str, Callable[[Any], object]]) -> None:
    """Hand each event of the text to the step of its kind. PyYAML needs 0.7 us an event to make its objects."""
    yaml = _yaml()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    step_of = {getattr(yaml, kind): step for kind, step in steps.items()}.get
    try:
        for event in iter(loader(text).get_event, None):
            step = step_of(type(event))
            if step is not None:
                step(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.context, error.problem) if part) or "this is not YAML"
        raise _not_yaml(text, message, mark) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        raise UnreadableError(
            Finding(
                code="syntax", message=f"YAML does not allow this character: {error.reason}", line=line, column=column
            )
        ) from None
    except RecursionError:
        raise UnreadableError(Finding(code="too-deep", message="the document is nested too deeply")) from None


def _not_yaml(text: str, message: str, mark: yaml.Mark | None) -> UnreadableError:
    """Return the problem with the line, a caret under the place, and what authors most often did there."""
    shown = excerpt(text, mark.index) if mark is not None else ""
    hint = next((hint for part, hint in _HINTS.items() if part in message), None)
    if mark is not None and text[mark.index : mark.index + 1] == "\t":
        hint = "indent with spaces: YAML takes no tabs"
    return _unreadable("syntax", message, mark, hint, shown if shown.strip(" \n^") else None)


def _yaml() -> Any:
    try:
        import yaml
    except ImportError:
        raise UnreadableError(
            Finding(
                code="missing-extra",
                message="reading YAML needs PyYAML, which is not installed",
                hint='pip install "flagcore[files]"; JSON and TOML are read without it',
            )
        ) from None
    return yaml


def _unreadable(
    code: str, message: str, mark: yaml.Mark | None, hint: str | None = None, shown: str | None = None
) -> UnreadableError:
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (None, None)
    return UnreadableError(Finding(code=code, message=message, hint=hint, line=line, column=column, excerpt=shown))


class _Open:
    """A mapping or list whose end has not come."""

    __slots__ = ("anchor", "items", "key", "keys", "nodes_before")

    def __init__(self, items: Any, anchor: str | None, nodes_before: int) -> None:
        self.items = items
        self.keys: dict[str, Any] | None = {} if items == {} else None  # key -> mark, for keys defined twice
        self.key: str | None = None
        self.anchor = anchor
        self.nodes_before = nodes_before


class _Builder:
    """Builds plain data from events on an explicit stack."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.top = _Open([], None, 0)  # what is read last stands inside; the document itself inside a list
        self.documents = 0
        self.findings: list[Finding] = []
        self.stack: list[_Open] = []  # what is open around it
        self.anchors: dict[str, tuple[object, int]] = {}  # anchor -> value, nodes in it
        self.nodes = 0  # so far, aliases counted as often as they are used
        self.alias_nodes = 0
        self.plain_values: dict[str, object] = {}  # the same few words come again and again
        self.steps = {
            "ScalarEvent": self.scalar,
            "MappingStartEvent": self.start_mapping,
            "SequenceStartEvent": self.start_list,
            "MappingEndEvent": self.end,
            "SequenceEndEvent": self.end,
            "AliasEvent": self.alias,
            "DocumentStartEvent": self.document,
        }

    def document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            raise _unreadable(
                "syntax", "a file holds one document", event.start_mark, "put the second one into a file of its own"
            )

    def scalar(self, event: Any) -> None:
        self.nodes += 1
        if event.tag is None:
            value: object = event.value
            if event.implicit[0]:  # not in quotes
                value = self.plain_values.get(event.value, _UNKNOWN)
                if value is _UNKNOWN:
                    value = self.plain_values[event.value] = self.plain(event.value, event)
        else:
            value = self.tagged(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)
        self.add(value, event)

    def tagged(self, event: Any) -> object:
        tag: str = event.tag
        text: str = event.value
        kind = tag.removeprefix(_CORE)
        if tag == "!" or kind == "str":
            return text
        value = self.plain(text, event)
        if {"int": int, "float": float, "bool": bool, "null": type(None)}.get(kind) is type(value):
            return value
        if kind == "float" and type(value) is int:
            return float(value)
        raise _tag_refused(tag, text, event)

    def plain(self, text: str, event: Any) -> object:
        """Resolve a plain scalar by the core schema."""
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if text[:1] not in _NUMBER_START:
            return None if text in _NULL else text
        if _INTEGER.fullmatch(text) and self.short(text, event):
            return int(text)
        if _OCTAL.fullmatch(text) and self.short(text, event):
            return int(text, 8)
        if _HEXADECIMAL.fullmatch(text) and self.short(text, event):
            return int(text, 16)
        if _FLOAT.fullmatch(text):
            return float(text)
        return float(text.replace(".", "", 1)) if _INFINITE.fullmatch(text) else text

    def short(self, text: str, event: Any) -> bool:
        if len(text) > _MAX_DIGITS:
            raise _unreadable("bad-number", f"a number of {len(text):,} digits", event.start_mark)
        return True

    def start_mapping(self, event: Any) -> None:
        self.start(event, _Open({}, event.anchor, self.nodes), "map")

    def start_list(self, event: Any) -> None:
        self.start(event, _Open([], event.anchor, self.nodes), "seq")

    def start(self, event: Any, opened: _Open, kind: str) -> None:
        self.nodes += 1
        if event.tag is not None and event.tag not in ("!", _CORE + kind):
            raise _tag_refused(event.tag, None, event)
        if len(self.stack) >= self.limits.document_depth:
            raise _unreadable(
                "too-deep", f"the document is nested deeper than {self.limits.document_depth}", event.start_mark
            )
        if self.top.keys is not None and self.top.key is None:
            raise _unreadable("bad-key", "a key is a text, not a mapping or list", event.start_mark)
        if event.anchor is not None:
            self.anchors.pop(event.anchor, None)
        self.stack.append(self.top)
        self.top = opened

    def end(self, event: Any) -> None:
        closed = self.top
        if closed.anchor is not None:
            self.anchors[closed.anchor] = (closed.items, self.nodes - closed.nodes_before)
        self.top = self.stack.pop()
        self.add(closed.items, event)

    def alias(self, event: Any) -> None:
        found = self.anchors.get(event.anchor)
        if found is None:
            raise _unreadable("bad-alias", f"no complete value is marked &{event.anchor} before this", event.start_mark)
        value, nodes = found
        self.nodes += nodes
        self.alias_nodes += nodes
        if self.alias_nodes > self.limits.alias_nodes:
            raise _unreadable(
                "too-many-aliases", f"aliases stand for more than {self.limits.alias_nodes:,} values", event.start_mark
            )
        self.add(value, event)

    def add(self, value: object, event: Any) -> None:
        top = self.top
        if top.keys is None:
            top.items.append(value)
        elif top.key is None:
            top.key = key = value if isinstance(value, str) else self.as_key(value, event)
            first = top.keys.setdefault(key, event.start_mark)
            if first is not event.start_mark:
                self.twice(key, first, event.start_mark)
        else:
            top.items.setdefault(top.key, value)
            top.key = None

    def as_key(self, value: object, event: Any) -> str:
        """Return the text of what is no text, noted as a finding."""
        text = event.value if hasattr(event, "value") else str(value)
        self.note(
            Finding(
                code="bad-key",
                message=f"the key {text[:64]!r} is read as {type(value).__name__}, but a key is a text",
                hint=f'write "{text[:64]}" in quotes'
                + (", or on and off, which are texts" if isinstance(value, bool) else ""),
                path=self.path(),
                line=event.start_mark.line + 1,
                column=event.start_mark.column + 1,
            )
        )
        return cast("str", text)

    def note(self, finding: Finding) -> None:
        if len(self.findings) >= self.limits.problems:
            raise too_many(self.findings)
        self.findings.append(finding)

    def twice(self, key: str, first: Any, second: Any) -> None:
        path = (*self.path(), key)
        self.note(
            Finding(
                code="duplicate-key",
                message=f"{path_text(path)} is defined twice, first in line {first.line + 1}, "
                f"column {first.column + 1}",
                path=path,
                line=second.line + 1,
                column=second.column + 1,
            )
        )

    def path(self) -> DocumentPath:
        """The path of the innermost open mapping or list."""
        return tuple(_part(open_one) for open_one in self.stack[1:])


def _part(open_one: _Open) -> str | int:
    return (open_one.key or "") if open_one.keys is not None else len(open_one.items)


def _tag_refused(tag: str, text: str | None, event: Any) -> UnreadableError:
    if tag.startswith(_CORE) and text is not None:
        message = f"{text[:64]!r} cannot be read as !!{tag.removeprefix(_CORE)}"
    else:
        message = f"the tag {tag[:64]} is not part of the core schema"
    return _unreadable("unsupported-tag", message, event.start_mark, "leave the tag out")


class _Locator:
    """Follows the events and notes the marks of wanted paths."""

    def __init__(self, wanted: set[DocumentPath]) -> None:
        self.wanted = wanted
        self.places: Places = {}
        self.path: list[str | int | None] = []  # None: a mapping that waits for a key
        self.kinds: list[bool] = []  # is it a mapping
        self.key_mark: Any = None
        self.steps = {
            "ScalarEvent": self.value,
            "AliasEvent": self.value,
            "MappingStartEvent": self.start,
            "SequenceStartEvent": self.start,
            "MappingEndEvent": self.end,
            "SequenceEndEvent": self.end,
        }

    def start(self, event: Any) -> None:
        self.note(event)
        is_mapping = type(event).__name__ == "MappingStartEvent"
        self.kinds.append(is_mapping)
        self.path.append(None if is_mapping else 0)

    def end(self, _event: Any) -> None:
        self.kinds.pop()
        self.path.pop()
        self.advance()

    def value(self, event: Any) -> None:
        if self.kinds and self.kinds[-1] and self.path[-1] is None:
            self.path[-1] = getattr(event, "value", "")
            self.key_mark = event.start_mark
            return
        self.note(event)
        self.advance()

    def note(self, event: Any) -> None:
        path = cast("DocumentPath", tuple(self.path))
        if path in self.wanted and path not in self.places:
            mark = event.start_mark
            key = self.key_mark if self.kinds and self.kinds[-1] else mark
            self.places[path] = Place(mark.line + 1, mark.column + 1, key.line + 1, key.column + 1)

    def advance(self) -> None:
        if self.path:
            last = self.path[-1]
            self.path[-1] = last + 1 if isinstance(last, int) and not self.kinds[-1] else None
