"""Lists of rows as the builder handles them: in order, the last one always true."""

from __future__ import annotations

from collections.abc import Iterable

from flagcore.compiler.formula import ALWAYS, NEVER, Formulas
from flagcore.compiler.plan import Row

__all__ = ["Rows", "alternatives", "normalise", "source_weight"]

Rows = tuple[Row, ...]


def normalise(formulas: Formulas, rows: Iterable[Row]) -> Rows:
    """Drop rows that never hold or repeat an earlier formula; end with the first that always holds.

    A row that is a disjunction becomes one row for each part: each looks at fewer views, and a long list of alternatives
    is met part by part where it matters.
    """
    kept: list[Row] = []
    seen = {NEVER}
    for row in rows:
        for part in alternatives(formulas, row):
            if part.formula not in seen:
                kept.append(part)
                seen.add(part.formula)
        if row.formula == ALWAYS:
            break
    return tuple(kept)


def alternatives(formulas: Formulas, row: Row) -> list[Row]:
    """Return a row for each part of a disjunction, else the row itself."""
    parts = formulas.alternatives(row.formula)
    return [row] if len(parts) == 1 else [Row(part, row.leaf) for part in parts]


def source_weight(formulas: Formulas, rows: Iterable[Row]) -> int:
    """W: what the rows weigh, each one more than its literals."""
    return sum(formulas.weight(row.formula) + 1 for row in rows)
