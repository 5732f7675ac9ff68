"""Segments: a condition, or an attribute with values."""

from __future__ import annotations

from collections.abc import Iterator

from flagcore.model.checks.finding import error, warning
from flagcore.model.flagset import Segment
from flagcore.model.operators import INT64_MAX, INT64_MIN, is_text
from flagcore.model.problems import DocumentPath, Finding
from flagcore.model.scope import Scope

__all__ = ["check_segments"]


def check_segments(scope: Scope) -> Iterator[Finding]:
    """Every segment has one of the two forms, and values that can be compared."""
    for name, segment in scope.flag_set.segments.items():
        path: DocumentPath = ("segments", name)
        yield from _check_form(segment, path)
        if segment.values is not None:
            yield from _check_values(
                segment.values, (*path, "values" if segment.values_file is None else "values_file")
            )


def _check_form(segment: Segment, path: DocumentPath) -> Iterator[Finding]:
    has_values = segment.values is not None or segment.values_file is not None
    if (segment.when is None) == (segment.attribute is None and not has_values):
        hint = "{when: ...} or {attribute: ..., values: [...]} or {attribute: ..., values_file: ...}"
        yield error("bad-segment", "a segment has either `when` or `attribute` with values", path, hint, at_key=True)
    elif segment.when is None and (segment.attribute is None or segment.values is None):
        missing = "attribute" if segment.attribute is None else "values"
        yield error("bad-segment", f"the segment needs `{missing}`", path, at_key=True)


def _check_values(values: tuple[object, ...], path: DocumentPath) -> Iterator[Finding]:
    if not values:
        yield warning("empty-segment", "the segment has no values, so nobody is a member", path)
        return
    kinds = set(map(type, values))
    if kinds == {str} and "".join(values).isascii():  # type: ignore[arg-type]
        return
    for index, value in enumerate(values):
        if isinstance(value, str) and not is_text(value):
            yield error("bad-text", "the text holds half of a surrogate pair", (*path, index))
        elif isinstance(value, int) and not INT64_MIN <= value <= INT64_MAX:
            yield error("bad-number", "the integer does not fit into 64 bits", (*path, index))
        elif isinstance(value, float) and value - value != 0:
            yield error("bad-number", "the number is not finite", (*path, index))
