"""Reading one mapping of a document: its known keys by type, every fault noted, nothing raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from flagcore.model.expression import parse_expression, parse_path
from flagcore.model.flagset import Condition
from flagcore.model.operators import is_text
from flagcore.model.problems import DocumentPath, ExpressionError, Finding, Suggester
from flagcore.model.tree import Expression, Has, Path

__all__ = ["UNREADABLE", "Fields", "Keys", "Readers", "Report", "TooManyProblemsError", "kind_of"]

T = TypeVar("T")
Keys = dict[str, None]
"""The keys that a mapping may have, in the order in which hints list them; a set that keeps its order."""

UNREADABLE: Expression = Has(("condition that cannot be read",))
"""Stands for a condition with faults, so that the rest of its rule can be checked."""


def kind_of(data: object) -> str:
    """Return what a value is, in the author's words."""
    if data is None:
        return "null"
    if isinstance(data, bool):
        return "true" if data else "false"
    if isinstance(data, (int, float)):
        return f"the number {data!r}" if abs(data) < 10**15 or isinstance(data, float) else "a number"
    if isinstance(data, str):
        return f"the text {data!r}" if len(data) <= 40 else "a text"
    if isinstance(data, Mapping):
        return "a mapping"
    return "a list" if is_list(data) else f"a value of type {type(data).__name__}"


def is_list(data: object) -> bool:
    """True for lists and tuples."""
    return isinstance(data, (list, tuple))


def _structured(data: object) -> Expression:
    from flagcore.model.expression_json import from_structured

    return from_structured(data)


class TooManyProblemsError(Exception):
    """There is no point in reading on."""


class Report:
    """Collects findings of one document, and remembers condition texts that were read before."""

    def __init__(self, suggester: Suggester, limit: int, *, blank_is_null: bool = False) -> None:
        self.findings: list[Finding] = []
        self.suggester = suggester
        self.limit = limit
        self.blank_is_null = blank_is_null  # TOML has no null: "" stands for it in `between`
        self._conditions: dict[str, Expression] = {}
        self._paths: dict[str, Path] = {}

    def add(
        self, code: str, message: str, path: DocumentPath, hint: str | None = None, *, at_key: bool = False
    ) -> None:
        """Note a finding."""
        self.note(Finding(code=code, message=message, path=path, hint=hint, at_key=at_key))

    def note(self, finding: Finding) -> None:
        """Note a finding.

        Raises:
            TooManyProblemsError: the limit is reached.
        """
        self.findings.append(finding)
        if len(self.findings) >= self.limit:
            raise TooManyProblemsError

    def wrong_type(self, wanted: str, data: object, path: DocumentPath, hint: str | None = None) -> None:
        """Note that something else was expected."""
        self.add("wrong-type", f"{wanted} is expected, not {kind_of(data)}", path, hint)

    def condition(self, data: object, path: DocumentPath) -> Condition:
        """Return the condition, text or structured; with faults noted, one that stands for it."""
        text = data if isinstance(data, str) else None
        if text is not None and text in self._conditions:
            return Condition(self._conditions[text], text)
        try:
            tree = _structured(data) if text is None else parse_expression(text)
        except ExpressionError as error:
            self._expression_faults(error, path)
            return Condition(UNREADABLE, text)
        if text is not None:
            self._conditions[text] = tree
        return Condition(tree, text)

    def _expression_faults(self, error: ExpressionError, path: DocumentPath) -> None:
        for fault, problem in zip(error.faults, error.problems, strict=True):
            self.note(
                Finding(
                    code=fault.code,
                    message=fault.message,
                    hint=fault.hint,
                    path=path + fault.path,
                    excerpt=problem.excerpt,
                    offset=fault.offset,
                )
            )

    def attribute_path(self, data: str, path: DocumentPath) -> Path | None:
        """Return the attribute path that the text means, or None with the fault noted."""
        if data in self._paths:
            return self._paths[data]
        try:
            found = parse_path(data)
        except ExpressionError as error:
            fault = error.faults[0]
            self.note(
                Finding(
                    code="bad-path",
                    message=f"this is no attribute path: {fault.message}",
                    hint=fault.hint,
                    path=path,
                    excerpt=error.problem.excerpt,
                    offset=fault.offset,
                )
            )
            return None
        self._paths[data] = found
        return found


Readers = dict[str, "Callable[[Fields, str], object]"]
"""How the value under each key is read."""


class Fields:
    """One mapping of the document. Getters return None for what is absent or wrong; what is wrong is noted."""

    def __init__(self, report: Report, data: Mapping[str, object], path: DocumentPath, known: Keys) -> None:
        self.report, self.data, self.path = report, data, path
        if not data.keys() <= known.keys():
            for key in data:
                if key not in known:
                    self._unknown(key, known)

    def _unknown(self, key: str, known: Keys) -> None:
        hint = self.report.suggester.hint(key, known, "the keys are " + ", ".join(known))
        self.report.add("unknown-key", f"the key {key[:64]!r} is not known here", (*self.path, key), hint, at_key=True)

    def read(self, readers: Readers) -> dict[str, Any]:
        """Return what stands under those of the keys that are there; without what cannot be read."""
        found = {key: readers[key](self, key) for key in self.data if key in readers}
        return {key: value for key, value in found.items() if value is not None}

    def at(self, key: str) -> DocumentPath:
        """Return the path of the key."""
        return (*self.path, key)

    def require(self, key: str, hint: str | None = None) -> bool:
        """Note a missing key; True when it is there."""
        if key in self.data:
            return True
        self.report.add("missing-key", f"the key {key!r} is missing", self.at(key), hint)
        return False

    def text(self, key: str, hint: str | None = None) -> str | None:
        """Return the text under the key."""
        data = self.data.get(key)
        if isinstance(data, str):
            if is_text(data):
                return data
            self.report.add("bad-text", "the text holds half of a surrogate pair", self.at(key))
        elif data is not None or key in self.data:
            self.report.wrong_type("a text", data, self.at(key), hint or text_hint(data))
        return None

    def boolean(self, key: str) -> bool | None:
        """Return the boolean under the key."""
        data = self.data.get(key)
        if key in self.data and not isinstance(data, bool):
            meant = "write true or false" if isinstance(data, (str, int)) else None
            self.report.wrong_type("true or false", data, self.at(key), meant)
        return data if isinstance(data, bool) else None

    def number(self, key: str, hint: str | None = None) -> int | float | None:
        """Return the number under the key; a boolean is none."""
        data = self.data.get(key)
        if is_number(data):
            return cast("int | float", data)
        if data is not None or key in self.data:
            self.report.wrong_type("a number", data, self.at(key), hint)
        return None

    def attribute(self, key: str) -> Path | None:
        """Return the attribute path under the key."""
        data = self.data.get(key)
        if isinstance(data, str):
            return self.report.attribute_path(data, self.at(key))
        if key in self.data:
            self.report.wrong_type("an attribute path", data, self.at(key), text_hint(data))
        return None

    def mapping(self, key: str) -> Mapping[str, object] | None:
        """Return the mapping with text keys under the key."""
        return as_mapping(self.report, self.data.get(key), self.at(key)) if key in self.data else None

    def items(self, key: str, read: Callable[[object, DocumentPath], T | None]) -> tuple[T, ...] | None:
        """Read each element of a list; those that cannot be read are left out."""
        data = self.data.get(key)
        if not is_list(data):
            if data is not None or key in self.data:
                self.report.wrong_type("a list", data, self.at(key))
            return None
        found = [read(item, (*self.path, key, index)) for index, item in enumerate(cast("Sequence[object]", data))]
        return tuple([item for item in found if item is not None])

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the list of texts under the key; nothing when it is absent."""
        return self.items(key, self._text_item) or ()

    def _text_item(self, data: object, path: DocumentPath) -> str | None:
        if isinstance(data, str) and is_text(data):
            return data
        self.report.wrong_type("a text", data, path, text_hint(data))
        return None


def as_mapping(report: Report, data: object, path: DocumentPath) -> Mapping[str, object] | None:
    """Return the data when it is a mapping with text keys, else None with the fault noted."""
    if not isinstance(data, (dict, Mapping)):  # dict first: asking for the abstract type takes longer
        report.wrong_type("a mapping", data, path)
        return None
    for key in data:
        if not isinstance(key, str):
            report.add("bad-key", f"a key is a text, not {kind_of(key)}", path, "write it in quotes")
            return None
    return data


def text_hint(data: object) -> str | None:
    """Return what to do about a scalar where a text is expected."""
    return "write it in quotes" if isinstance(data, (bool, int, float)) else None


def is_number(data: object) -> bool:
    """True for int and float, never for bool."""
    return isinstance(data, (int, float)) and not isinstance(data, bool)
