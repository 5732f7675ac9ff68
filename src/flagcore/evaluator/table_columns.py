"""What counts as a table, and as a column of one: Arrow data of any producer, arrays of numbers, sequences of objects.

Nothing here imports a producer: pyarrow, Polars, DuckDB and pandas hand over Arrow data by its PyCapsule protocol, NumPy
arrays are buffers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

from flagcore.evaluator._program import Values
from flagcore.evaluator._table import Array, Numbers, Sheet, Stream

__all__ = ["Column", "Piece", "pieces", "rows_of"]

NO_TABLE = "no table: pass an Arrow table or record batch, a data frame, or a mapping of names to columns"


class Column(Protocol):
    """Values of one name for the rows of a piece."""

    def put(self, sheet: Sheet, place: int, inner: tuple[str, ...]) -> None:
        """Let a place of the sheet read the column, or what stands at a path inside each of its values."""
        ...


class Piece(NamedTuple):
    """Rows that stand together in memory, and their columns by name."""

    rows: int
    columns: dict[str, Column]


class ArrayColumn(NamedTuple):
    """An Arrow array, or what stands at a path of one, from its row ``start`` on."""

    array: Array
    path: tuple[str, ...] = ()
    start: int = 0

    def put(self, sheet: Sheet, place: int, inner: tuple[str, ...]) -> None:
        """See Column."""
        path = [name.encode("utf-8", "replace") for name in (*self.path, *inner)]
        if not any(b"\0" in name for name in path):  # Arrow has no such names
            sheet.put_array(place, self.array, path, self.start)


class NumbersColumn(NamedTuple):
    """Numbers of a buffer; there is nothing inside them."""

    numbers: Numbers
    start: int = 0

    def put(self, sheet: Sheet, place: int, inner: tuple[str, ...]) -> None:
        """See Column."""
        if not inner:
            sheet.put_numbers(place, self.numbers, self.start)


class ObjectsColumn(NamedTuple):
    """Python objects: each is read as the context of a single call would be."""

    objects: list[object]
    start: int = 0

    def put(self, sheet: Sheet, place: int, inner: tuple[str, ...]) -> None:
        """See Column."""
        rows = self.objects[self.start : self.start + sheet.rows]
        sheet.put_values(place, Values(rows, inner), 0)


def rows_of(table: object) -> int | None:
    """Return how many rows there are, None where only reading the table to its end would tell."""
    if isinstance(table, Mapping):
        return max((_length_of(column) for column in table.values()), default=0)
    for name in ("num_rows", "__len__"):
        found = getattr(table, name, None)
        found = found() if callable(found) else found
        if isinstance(found, int):
            return found
    return None


def _length_of(column: object) -> int:
    try:
        return len(column)  # type: ignore[arg-type]
    except TypeError:
        return 0


def pieces(table: object) -> Iterator[Piece]:
    """Yield the table piece by piece, each with the same columns.

    Raises:
        TypeError: it is no table, or a column is none.
        ValueError: it is malformed, or its columns differ in length.
        OSError: its producer failed.
    """
    if isinstance(table, Mapping):
        yield from _pieces_of_mapping(table)
    elif hasattr(table, "__arrow_c_stream__"):
        for array in Stream(table):
            yield _piece_of(array)
    elif hasattr(table, "__arrow_c_array__"):
        yield _piece_of(Array.of(table))
    else:
        raise TypeError(f"{type(table).__name__} is {NO_TABLE}")


def _piece_of(array: Array) -> Piece:
    names = array.names()
    if names is None:
        raise TypeError(f"a single column is {NO_TABLE}")
    return Piece(len(array), {name: ArrayColumn(array, (name,)) for name in names})


# ---- mappings of columns -----------------------------------------------------------------------------------------------


class Chunk(NamedTuple):
    """So many rows of a column, from its row ``first`` on."""

    first: int
    rows: int
    column: ArrayColumn | NumbersColumn | ObjectsColumn


def _pieces_of_mapping(table: Mapping[object, object]) -> Iterator[Piece]:
    """Yield rows between the places where any column begins a new chunk."""
    columns = {name: _chunks_of(name, column) for name, column in table.items() if isinstance(name, str)}
    lengths = {name: sum(chunk.rows for chunk in chunks) for name, chunks in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns differ in length: {', '.join(f'{name} {n:,}' for name, n in lengths.items())}")
    cuts = sorted({0} | {chunk.first + chunk.rows for chunks in columns.values() for chunk in chunks})
    for start, end in pairwise(cuts):
        yield Piece(end - start, {name: _part(chunks, start) for name, chunks in columns.items()})


def _part(chunks: list[Chunk], start: int) -> Column:
    """Return the column from a row on."""
    chunk = next(chunk for chunk in chunks if chunk.first <= start < chunk.first + chunk.rows)
    return chunk.column._replace(start=start - chunk.first)


def _chunks_of(name: str, column: object) -> list[Chunk]:
    if hasattr(column, "__arrow_c_stream__"):
        chunks, first = [], 0
        for array in Stream(column):
            chunks.append(Chunk(first, len(array), ArrayColumn(array)))
            first += len(array)
        return chunks
    if hasattr(column, "__arrow_c_array__"):
        array = Array.of(column)
        return [Chunk(0, len(array), ArrayColumn(array))]
    try:
        if not hasattr(column, "mask") and not isinstance(
            column, (bytes, bytearray)
        ):  # a masked array's numbers are not all meant
            numbers = Numbers(column)
            return [Chunk(0, numbers.count, NumbersColumn(numbers))]
    except (BufferError, TypeError, ValueError):  # NumPy: ValueError for kinds that no buffer has
        pass
    objects = _objects(name, column)
    return [Chunk(0, len(objects), ObjectsColumn(objects))]


def _objects(name: str, column: object) -> list[object]:
    """Return a column's values as Python objects."""
    to_list = getattr(column, "tolist", None)
    if to_list is not None and getattr(column, "ndim", 1) == 1:
        if str(getattr(column, "dtype", "")).startswith("datetime64"):  # they have no time zone
            return [_NAIVE] * _length_of(column)
        return list(to_list())
    if isinstance(column, Sequence) and not isinstance(column, (str, bytes, bytearray)):
        return list(column)
    raise TypeError(f"column {name!r}: {type(column).__name__} is no column: pass an array or a list of values")


_NAIVE = object()  # present, and of no kind that a test knows, as a naive datetime is
