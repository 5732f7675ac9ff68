"""Evaluates a flag for every row of a table: columns in, columns of answers out (docs/design/kernel.md section 4).

A row means what a context of its values, as Python objects, means. ``table_columns`` finds the columns, ``_table`` reads them
as they lie in memory and evaluates rows without the GIL, ``table_results`` makes columns of what came out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from flagcore.evaluator._program import EvaluationDetails, Program, ProgramSet, Values
from flagcore.evaluator._table import Run, Sheet
from flagcore.evaluator.table_columns import Column, Piece, pieces, rows_of
from flagcore.evaluator.table_results import Coding, checked, coding_of, finished
from flagcore.terms import ErrorCode, Reason

__all__ = ["Job", "Progress", "RunAll", "checked", "evaluate_table", "looked_at"]

RANGE = 1 << 17  # rows of one job: some milliseconds, so that progress and an end come soon

Job = Callable[[], int]
"""Evaluates some rows and returns how many; jobs may run in any thread and order."""

RunAll = Callable[[Iterator[Job]], Iterable[int]]
"""Carries out jobs and yields what they return, as they end."""

Progress = Callable[[int, int | None], object]
"""Called with the rows done and the rows there are, None when that is not known; what it raises ends the evaluation."""


class Attribute(NamedTuple):
    """An attribute that a program looks at, and the place of its field. ``now`` has no flat key."""

    place: int
    flat: str | None
    path: tuple[str, ...] | None


class Needs(NamedTuple):
    """What a program and those that it asks look at, and where their outcomes are kept."""

    places: int
    attributes: list[Attribute]
    outcome_slots: list[int]


def evaluate_table(
    programs: ProgramSet,
    flag_key: str,
    table: object,
    *,
    columns: Sequence[str],
    now: int | None,
    run_all: RunAll,
    progress: Progress | None,
) -> Any:
    """Return the answers for each row: one column, or a record batch of several.

    ``now`` is the evaluation time in microseconds, None when there is none to be had. With pyarrow installed the answers
    are its objects.

    Raises:
        TypeError: ``table`` is no table.
        ValueError: columns differ in length, are malformed or of a kind that cannot be read; an unknown answer is asked for.
    """
    wanted = checked(columns)
    program = programs.get(flag_key)
    if program is None:
        return finished(wanted, *_unanswered(_failure(flag_key, programs.ready), wanted, table))
    answers = program.answers()
    codings = [coding_of(column, program.type, answers) for column in wanted]
    run, needs = _started(program, len(answers), codings)
    parts: list[list[bytearray]] = []
    done, total = 0, rows_of(table)
    for piece in pieces(table):
        sheet = _filled(run, piece, needs, programs.static_context or {}, now)
        parts.append([bytearray(piece.rows * coding.width) for coding in codings])
        for rows in run_all(_jobs(sheet, parts[-1])):
            done += rows
            if progress is not None:
                progress(done, total)
    counts = run.counted()
    program.count(counts)
    return finished(wanted, codings, counts, parts)


# ---- flags that are not there ----------------------------------------------------------------------------------------


def _failure(flag_key: str, ready: bool) -> EvaluationDetails:
    code = ErrorCode.FLAG_NOT_FOUND if ready else ErrorCode.PROVIDER_NOT_READY
    return EvaluationDetails(flag_key, None, None, Reason.ERROR, code)


def _unanswered(
    failure: EvaluationDetails, wanted: Sequence[str], table: object
) -> tuple[list[Coding], list[int], list[list[bytearray]]]:
    """Return the same failure for every row: the code of a lone outcome is 0."""
    codings = [coding_of(column, None, (failure,)) for column in wanted]
    parts = [[bytearray(piece.rows * coding.width) for coding in codings] for piece in pieces(table)]
    return codings, [1], parts


# ---- what a program looks at -----------------------------------------------------------------------------------------


def looked_at(programs: ProgramSet, flag_key: str) -> dict[str, str]:
    """Return the attributes that a flag, or one that it asks, looks at: flat key -> first name of its path."""
    program = programs.get(flag_key)
    attributes = [] if program is None else [found for each in _family(program) for found in each.attributes()]
    return {flat: flat if path is None else path[0] for _, flat, path in attributes if flat is not None}


def _started(program: Program, outcomes: int, codings: list[Coding]) -> tuple[Run, Needs]:
    needs = _needs_of(program)
    widths_and_codes = [(coding.width, coding.codes) for coding in codings]
    run = Run(program, program.handle(), needs.places, program.memos, needs.outcome_slots, outcomes, widths_and_codes)
    return run, needs


def _needs_of(program: Program) -> Needs:
    """Places are program slots; evaluation slots where other flags are asked, which share them."""
    if not program.requires:
        own = [Attribute(place, flat, path) for place, (_, flat, path) in enumerate(program.attributes())]
        return Needs(len(own), own, [])
    family = _family(program)
    shared = {slot: Attribute(slot, flat, path) for each in family for slot, flat, path in each.attributes()}
    outcome_slots = {each.outcome_slot for each in family if each.outcome_slot is not None}
    return Needs(max(shared, default=-1) + 1, list(shared.values()), sorted(outcome_slots))


def _family(program: Program) -> list[Program]:
    """Return the program and all that it asks, directly or not."""
    found = {program.key: program}
    waiting = [program]
    while waiting:
        for link in waiting.pop().links:
            if isinstance(link, Program) and link.key not in found:
                found[link.key] = link
                waiting.append(link)
    return list(found.values())


# ---- rows that stand together ------------------------------------------------------------------------------------------


def _filled(run: Run, piece: Piece, needs: Needs, static: Mapping[str, object], now: int | None) -> Sheet:
    """Return a sheet of the piece: each attribute's column, or what the static context has for it, else null."""
    sheet = Sheet(run, piece.rows)
    for place, flat, path in needs.attributes:
        if flat is None:
            sheet.put_time(place, now)
            continue
        root, inner = (path[0], path[1:]) if path is not None else (flat, ())
        if flat in piece.columns:
            _put(sheet, place, flat, piece.columns[flat], ())
        elif flat in static:
            sheet.put_values(place, Values([static[flat]]), 0, True)
        elif root in piece.columns:
            _put(sheet, place, root, piece.columns[root], inner)
        elif root in static:
            sheet.put_values(place, Values([static[root]], inner), 0, True)
    return sheet


def _put(sheet: Sheet, place: int, name: str, column: Column, inner: tuple[str, ...]) -> None:
    try:
        column.put(sheet, place, inner)
    except ValueError as error:
        raise ValueError(f"column {name!r}: {error}") from None


def _jobs(sheet: Sheet, into: list[bytearray]) -> Iterator[Job]:
    for first in range(0, sheet.rows, RANGE):
        yield _job(sheet, first, min(RANGE, sheet.rows - first), into)


def _job(sheet: Sheet, first: int, count: int, into: list[bytearray]) -> Job:
    def job() -> int:
        sheet.evaluate(first, count, into)
        return count

    return job
