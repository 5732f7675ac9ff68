"""Tables in files, read and written piece by piece: Parquet, CSV, Arrow and JSON lines."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

import msgspec

from flagcore.cli import UsageError

__all__ = ["Batch", "Tables", "Writer", "open_tables", "open_writer"]

ROWS = 1 << 18  # of a batch: two jobs of the engine's, some tens of megabytes


class Batch(NamedTuple):
    """Some rows of a file: a table that the engine takes, and the names of its columns."""

    path: str
    table: Any
    rows: int
    names: frozenset[str]


class Tables(NamedTuple):
    """The batches of several files, and how many rows there are, None where only reading would tell."""

    batches: Iterator[Batch]
    rows: int | None


def _pyarrow(module: str = "") -> Any:
    try:
        return importlib.import_module("pyarrow" + module)
    except ImportError:
        raise UsageError("this kind of file is read and written by pyarrow", "pip install 'flagcore[tables]'") from None


def _suffix(path: str, known: Mapping[str, object]) -> str:
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in known:
        raise UsageError(f"{path}: a table is one of {', '.join(known)}")
    return suffix


def open_tables(paths: Sequence[str], wanted: AbstractSet[str]) -> Tables:
    """Return the rows of files, in order. Columns whose name, or first name of a path, is not wanted may be left out.

    Raises:
        UsageError: a file is not there or of an unknown kind, or pyarrow is missing.
    """
    for path in paths:
        _suffix(path, _READERS)
        if not os.path.exists(path):
            raise UsageError(f"{path}: there is no such file")
    counts = [_parquet_rows(path) if _suffix(path, _READERS) == ".parquet" else None for path in paths]
    rows = sum(count or 0 for count in counts) if None not in counts else None
    return Tables(_batches(paths, wanted), rows)


def _batches(paths: Sequence[str], wanted: AbstractSet[str]) -> Iterator[Batch]:
    for path in paths:
        try:
            yield from _READERS[_suffix(path, _READERS)](path, wanted)
        except (UsageError, OSError):
            raise
        except ValueError as error:  # pyarrow's errors are ValueErrors
            raise UsageError(f"{path}: {error}") from None


def _arrow_batch(path: str, batch: Any, wanted: AbstractSet[str]) -> Batch:
    """Return a batch without the columns that nobody wants, which may be of kinds that nobody reads."""
    names = [name for name in batch.schema.names if name in wanted]
    return Batch(path, batch.select(names), batch.num_rows, frozenset(names))


# ---- Parquet -----------------------------------------------------------------------------------------------------------


def _parquet(path: str) -> Any:
    try:
        return _pyarrow(".parquet").ParquetFile(path)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def _parquet_rows(path: str) -> int:
    with _parquet(path) as file:
        return int(file.metadata.num_rows)


def _read_parquet(path: str, wanted: AbstractSet[str]) -> Iterator[Batch]:
    with _parquet(path) as file:
        names = [name for name in file.schema_arrow.names if name in wanted]
        for batch in file.iter_batches(ROWS, columns=names):
            yield _arrow_batch(path, batch, wanted)


# ---- CSV ---------------------------------------------------------------------------------------------------------------


def _read_csv(path: str, wanted: AbstractSet[str]) -> Iterator[Batch]:
    """Numbers and booleans are told from the first block, all else is text; an empty cell is null."""
    pyarrow, csv = _pyarrow(), _pyarrow(".csv")
    with csv.open_csv(path) as first:
        kinds = {field.name: field.type for field in first.schema}
    numeric = (pyarrow.int64(), pyarrow.float64(), pyarrow.bool_())
    kinds = {
        name: kind if kind in numeric and name != "targetingKey" else pyarrow.string() for name, kind in kinds.items()
    }
    options = csv.ConvertOptions(
        column_types=kinds,
        null_values=[""],
        strings_can_be_null=True,
        include_columns=[name for name in kinds if name in wanted] or list(kinds)[:1],
    )
    with csv.open_csv(path, convert_options=options, read_options=csv.ReadOptions(block_size=1 << 23)) as reader:
        for batch in reader:
            yield _arrow_batch(path, batch, wanted)


# ---- Arrow -------------------------------------------------------------------------------------------------------------


def _read_arrow(path: str, wanted: AbstractSet[str]) -> Iterator[Batch]:
    pyarrow, ipc = _pyarrow(), _pyarrow(".ipc")
    with pyarrow.memory_map(path) as source:
        magic = source.read(6)
        source.seek(0)
        if magic == b"ARROW1":
            file = ipc.open_file(source)
            for number in range(file.num_record_batches):
                yield _arrow_batch(path, file.get_batch(number), wanted)
        else:
            for batch in ipc.open_stream(source):
                yield _arrow_batch(path, batch, wanted)


# ---- JSON lines -----------------------------------------------------------------------------------------------------------


def _read_lines(path: str, wanted: AbstractSet[str]) -> Iterator[Batch]:
    """Every line is a context, read as the JSON of a single evaluation."""
    with open(path, "rb") as file:
        rows: list[dict[str, Any]] = []
        for number, line in enumerate(file, 1):
            if line.strip():
                rows.append(_row(path, number, line))
            if len(rows) == ROWS:
                yield _objects_batch(path, rows, wanted)
                rows = []
        if rows:
            yield _objects_batch(path, rows, wanted)


def _row(path: str, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"{path}:{number}: no JSON: {error}") from None
    if not isinstance(row, dict):
        raise UsageError(f"{path}:{number}: a row is a JSON object, this is {type(row).__name__}")
    return row


def _objects_batch(path: str, rows: list[dict[str, Any]], wanted: AbstractSet[str]) -> Batch:
    names = {name: None for row in rows for name in row if name in wanted} or dict.fromkeys(["targetingKey"])
    return Batch(path, {name: [row.get(name) for row in rows] for name in names}, len(rows), frozenset(names))


_READERS: dict[str, Callable[[str, AbstractSet[str]], Iterator[Batch]]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".arrow": _read_arrow,
    ".feather": _read_arrow,
    ".jsonl": _read_lines,
}
SUFFIXES = tuple(_READERS)


# ---- writing ----------------------------------------------------------------------------------------------------------------


class Writer:
    """Writes answers batch by batch, beside columns of the table. The file appears when all is written."""

    def __init__(self, path: str, partial: str) -> None:
        self._open = _WRITERS[_suffix(path, _WRITERS)]
        self._partial = partial
        self._sink: Any = None

    def write(self, batch: Batch, keep: Sequence[str], columns: Sequence[str], answers: Any) -> None:
        """Append the rows of a batch."""
        pyarrow = _pyarrow()
        arrays = {name: _column(pyarrow, batch.table, name) for name in keep if name in batch.names}
        given = [answers] if len(columns) == 1 else answers.columns
        arrays.update(zip(columns, given, strict=True))
        table = pyarrow.table(arrays)
        if self._sink is None:
            self._sink = self._open(self._partial, table.schema)
        self._sink.write_table(table if self._open is not _open_csv else _plain(pyarrow, table))

    def close(self) -> None:
        """Finish the file; one without rows is empty."""
        if self._sink is not None:
            self._sink.close()


def _column(pyarrow: Any, table: Any, name: str) -> Any:
    column = table[name] if isinstance(table, dict) else table.column(name)
    return pyarrow.array(column) if isinstance(column, list) else column


def _plain(pyarrow: Any, table: Any) -> Any:
    """Return the table without dictionaries, which CSV does not know."""
    fields = [
        field.with_type(field.type.value_type) if pyarrow.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pyarrow.schema(fields))


def _open_parquet(path: str, schema: Any) -> Any:
    return _pyarrow(".parquet").ParquetWriter(path, schema)


def _open_csv(path: str, schema: Any) -> Any:
    pyarrow = _pyarrow()
    return _pyarrow(".csv").CSVWriter(path, _plain(pyarrow, schema.empty_table()).schema)


def _open_arrow(path: str, schema: Any) -> Any:
    return _pyarrow(".ipc").new_file(path, schema)


_WRITERS: dict[str, Callable[[str, Any], Any]] = {
    ".parquet": _open_parquet,
    ".csv": _open_csv,
    ".arrow": _open_arrow,
    ".feather": _open_arrow,
}


@contextlib.contextmanager
def open_writer(path: str) -> Iterator[Writer]:
    """Yield a writer of a file, which is there, whole, when the block ends; after an error nothing is left behind.

    Raises:
        UsageError: its kind is unknown, or pyarrow is missing.
    """
    _pyarrow()
    partial = f"{path}.partial"
    writer = Writer(path, partial)
    try:
        with open(partial, "wb"):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    try:
        yield writer
        writer.close()
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(partial)
        raise
