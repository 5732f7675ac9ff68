"""Columns of answers: each outcome of a flag as a code, codes as a column, with and without pyarrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import msgspec

from flagcore.evaluator._program import EvaluationDetails
from flagcore.evaluator._table import Vector, export, export_schema
from flagcore.terms import FlagType

__all__ = ["WANTED", "Answers", "Coding", "checked", "coding_of", "finished"]

RULE = "flagcore.rule"

WANTED: dict[str, Callable[[EvaluationDetails], object]] = {
    "variant": lambda details: details.variant,
    "value": lambda details: details.value,
    "reason": lambda details: str(details.reason),
    "rule": lambda details: details.flag_metadata.get(RULE),
    "error_code": lambda details: None if details.error_code is None else str(details.error_code),
}
FORMS = {FlagType.BOOLEAN: "b", FlagType.INTEGER: "l", FlagType.FLOAT: "g"}  # Arrow's formats; others are texts


class Coding(NamedTuple):
    """How the outcomes of a flag become a column: entries, and the code of each outcome, ``width`` bytes in a row."""

    entries: list[object]
    codes: list[int]
    width: int
    form: str

    @property
    def null(self) -> int:
        """The code of outcomes that have nothing to show."""
        return len(self.entries)


def checked(columns: Sequence[str]) -> list[str]:
    """Return the wanted columns. Raises ValueError for none, for one that does not exist, or one named twice."""
    wanted = [columns] if isinstance(columns, str) else list(columns)
    unknown = [column for column in wanted if column not in WANTED]
    if unknown or not wanted or len(set(wanted)) < len(wanted):
        raise ValueError(
            f"columns are some of {', '.join(WANTED)}, each once; not {', '.join(map(repr, unknown or wanted)) or 'none'}"
        )
    return wanted


def coding_of(column: str, kind: FlagType | None, answers: Sequence[EvaluationDetails]) -> Coding:
    """Return the coding of one column; of objects the entries are JSON texts."""
    form = FORMS.get(kind, "u") if column == "value" and kind is not None else "u"
    read = WANTED[column]
    numbers: dict[str, int] = {}  # by repr: -0.0 is not 0.0
    entries: list[object] = []
    found = [read(details) for details in answers]
    if column == "value" and form == "u" and kind is not FlagType.STRING:
        found = [None if value is None else msgspec.json.encode(value).decode() for value in found]
    for value in found:
        if value is not None and repr(value) not in numbers:
            numbers[repr(value)] = len(entries)
            entries.append(value)
    codes = [len(entries) if value is None else numbers[repr(value)] for value in found]
    width = 1 if len(entries) < 128 else 2 if len(entries) < 32768 else 4  # indices are signed
    return Coding(entries, codes, width, form)


def finished(
    wanted: Sequence[str], codings: Sequence[Coding], counts: Sequence[int], parts: list[list[bytearray]]
) -> Any:
    """Return the answers of all parts, each a list of codes by column: a column, or a record batch of several."""
    vectors = [_vector(coding, counts, [part[number] for part in parts]) for number, coding in enumerate(codings)]
    answers = vectors[0] if len(vectors) == 1 else Answers(list(wanted), vectors)
    try:
        pyarrow = import_module("pyarrow")
    except ImportError:
        return answers
    return pyarrow.array(answers) if len(vectors) == 1 else pyarrow.record_batch(answers)


def _vector(coding: Coding, counts: Sequence[int], parts: list[bytearray]) -> Vector:
    codes = parts[0] if len(parts) == 1 else bytearray().join(parts)
    has_nulls = any(count and code == coding.null for code, count in zip(coding.codes, counts, strict=True))
    return Vector(codes, coding.width, coding.entries, coding.null if has_nulls else None, coding.form)


class Answers:
    """Columns of answers under their names, where pyarrow is not installed: any consumer of Arrow data takes them."""

    def __init__(self, names: list[str], columns: list[Vector]) -> None:
        self.names = names
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, name: str) -> Vector:
        return self.columns[self.names.index(name)]

    def to_pydict(self) -> dict[str, list[Any]]:
        """Return the columns as lists of Python values."""
        return {name: column.to_pylist() for name, column in zip(self.names, self.columns, strict=True)}

    def _named(self) -> list[tuple[str, Vector]]:
        return list(zip(self.names, self.columns, strict=True))

    def __arrow_c_schema__(self) -> object:
        return export_schema(self._named())

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return export(self._named(), len(self))

    def __repr__(self) -> str:
        return f"<flagcore answers {', '.join(self.names)} of {len(self):,} rows>"
