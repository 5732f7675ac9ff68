"""Documents on their way from bytes to data, and the places of findings in them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Literal, cast

import msgspec

from flagcore.model.limits import Limits
from flagcore.model.operators import is_text
from flagcore.model.problems import DocumentPath, Finding
from flagcore.model.reading import Places, UnreadableError, place_of, wanted_paths

__all__ = ["Document", "Format", "format_of", "open_document", "read_bytes"]

Format = Literal["yaml", "json", "toml"]
_READERS = {name: f"flagcore.model.read_{name}" for name in ("yaml", "json", "toml")}
_SUFFIXES: dict[str, Format] = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}
SUFFIX_HINT = "flag files end in .yaml, .yml, .json or .toml"


def format_of(file: str) -> Format | None:
    """Return the format that the file's name tells."""
    return _SUFFIXES.get(os.path.splitext(file)[1].lower())


def _reader(name: str) -> ModuleType:
    """Import what reads the format, and only that: a process that evaluates one file starts faster."""
    return importlib.import_module(_READERS[name])


class Document:
    """One text of flags: its data, what was wrong with the text, and where things stand in it."""

    def __init__(self, name: str | None, format_name: Format | None, file: str | None) -> None:
        self.name = name
        self.format = format_name
        self.file = file  # values files are looked up beside it
        self.text = ""
        self.data: object = None
        self.findings: list[Finding] = []
        self.is_read = True

    def fail(self, code: str, message: str, hint: str | None = None, line: int | None = None) -> None:
        """Note why there is no data."""
        self.findings.append(Finding(code=code, message=message, hint=hint, line=line))
        self.is_read = False

    def decode(self, content: str | bytes, limits: Limits) -> None:
        """Take the text of the content and read its data."""
        if len(content) > limits.document_bytes:
            self.fail("too-large", f"the document has {len(content):,} bytes, the limit is {limits.document_bytes:,}")
            return
        try:
            self.text = content.decode("utf-8-sig") if isinstance(content, bytes) else content.removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            line = cast("bytes", content).count(b"\n", 0, error.start) + 1
            self.fail("encoding", "the document is not UTF-8", "save it as UTF-8", line)
            return
        if not is_text(self.text):
            self.fail("encoding", "the text holds half of a surrogate pair")
            return
        self._read(limits)

    def _read(self, limits: Limits) -> None:
        if self.format not in _READERS:
            raise ValueError(f"the format {self.format!r} is not known: yaml, json or toml")
        try:
            reading = _reader(self.format).read(self.text, limits)
        except UnreadableError as error:
            self.findings += error.findings
            self.is_read = False
            return
        self.data, self.findings = reading.data, reading.findings

    def places(self, paths: Iterable[DocumentPath]) -> Places:
        """Return the places of the paths and of everything above them: one scan of the text."""
        if self.format is None or not self.is_read:
            return {}
        return cast("Places", _reader(self.format).locate(self.text, wanted_paths(paths)))

    def located(self, findings: Sequence[Finding]) -> list[Finding]:
        """Return the findings with file, line and column, in the order of the text."""
        open_ones = [finding.path for finding in findings if finding.line is None]
        places = self.places(open_ones) if open_ones else {}
        lines = self.text.split("\n") if any(finding.offset is not None for finding in findings) else []
        found = [self._located(finding, places, lines) for finding in findings]
        return sorted(found, key=lambda finding: (finding.line or 0, finding.column or 0))

    def _located(self, finding: Finding, places: Places, lines: list[str]) -> Finding:
        place = None if finding.line is not None else place_of(finding.path, places)
        if place is None:
            return msgspec.structs.replace(finding, file=self.name)
        line, column = (place.key_line, place.key_column) if finding.at_key else (place.line, place.column)
        if finding.offset is not None:
            column += self._shift(finding, lines[line - 1], column - 1)
        return msgspec.structs.replace(finding, file=self.name, line=line, column=column)

    def _shift(self, finding: Finding, line: str, start: int) -> int:
        """Return how far right the finding's offset lies, when its text stands in the line as it is."""
        text = _value_at(self.data, finding.path)
        if not isinstance(text, str) or finding.offset is None:
            return 0
        quoted = line[start : start + 1] in ("'", '"')
        return finding.offset + quoted if line.startswith(text, start + quoted) else 0


def _value_at(data: object, path: DocumentPath) -> object:
    for part in path:
        if isinstance(data, Mapping):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


def read_bytes(file: str) -> bytes:
    """Return the content of a file."""
    with open(file, "rb") as opened:
        return opened.read()


def open_document(file: str, limits: Limits) -> Document:
    """Return the document of a file, read as far as it can be."""
    document = Document(file, format_of(file), file)
    if document.format is None:
        document.fail("unknown-format", f"{os.path.basename(file)!r} is no flag file", SUFFIX_HINT)
        return document
    try:
        size = os.stat(file).st_size
        content = read_bytes(file) if size <= limits.document_bytes else None
    except OSError as error:
        document.fail("unreadable-file", f"the file cannot be read: {error.strerror}")
        return document
    if content is None:
        document.fail("too-large", f"the document has {size:,} bytes, the limit is {limits.document_bytes:,}")
    else:
        document.decode(content, limits)
    return document
