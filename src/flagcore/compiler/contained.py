"""Rows that need a constant to be contained in a list or text, by that constant: the ground of MULTI nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from flagcore.compiler.formula import ALWAYS, Formulas, LiteralFormula
from flagcore.compiler.plan import Row
from flagcore.compiler.rows import Rows, normalise
from flagcore.compiler.views import ListView, MatchView, View, fold_bytes
from flagcore.model.tree import Path

__all__ = ["MOST_CONSTANTS", "ByConstant", "by_constant"]

Key = TypeVar("Key")
Element = tuple[bool, bytes]
"""An element of a list: whether ASCII case is ignored, and the text, then in lower case."""
MOST_CONSTANTS = (64, 4)  # of one row, which is copied to the child of each: as many as the credit pays for


class ByConstant(NamedTuple):
    """Rows by what the value at ``path`` must contain, each restricted to that; a child ends with ``rows[-1]``."""

    path: Path
    texts: dict[Element, Rows]
    matches: dict[int, Rows]  # by the match view of a text
    rest: Rows  # rows without such a need


class _Need(NamedTuple):
    """A part of a row that holds only where one of its constants is contained: views of one path, class "yes"."""

    path: Path
    views: tuple[int, ...]


def by_constant(formulas: Formulas, views: Sequence[View], rows: Rows, least: int, most: int) -> ByConstant | None:
    """Split rows at the path that most of them look into; None unless half of them, and ``least`` constants, do.

    A row with more than ``most`` constants has no such need.
    """
    body, end = rows[:-1], rows[-1]
    needs = [next(_needs(formulas, views, row, most), None) for row in body]
    paths = [need.path for need in needs if need is not None]
    if len(paths) < max(least, len(body) / 2):
        return None
    path = max(sorted(set(paths)), key=paths.count)
    texts: dict[Element, list[Row]] = {}
    matches: dict[int, list[Row]] = {}
    rest: list[Row] = []
    for row, need in zip(body, needs, strict=True):
        if need is None or need.path != path:
            rest.append(row)
            continue
        for number in need.views:
            inside = Row(formulas.restrict(row.formula, number, *views[number].members()), row.leaf)
            view = views[number]
            if isinstance(view, ListView):
                for element in _elements(view):
                    texts.setdefault(element, []).append(inside)
            else:
                matches.setdefault(number, []).append(inside)
    if max(len(texts), len(matches)) < least or len(rest) > len(body) / 2:
        return None
    return ByConstant(path, _children(formulas, texts, end), _children(formulas, matches, end), (*rest, end))


def _children(formulas: Formulas, found: Mapping[Key, Sequence[Row]], end: Row) -> dict[Key, Rows]:
    children: dict[Key, Rows] = {}
    for key, rows in found.items():
        children[key] = normalise(formulas, (*rows, end))
    return children


def _needs(formulas: Formulas, views: Sequence[View], row: Row, most: int) -> Iterator[_Need]:
    for part in formulas.requirements(row.formula):
        if part == ALWAYS:
            continue
        numbers = []
        for alternative in formulas.alternatives(part):
            node = formulas.node(alternative)
            if not isinstance(node, LiteralFormula) or not _is_contained(views[node.view], node.classes, most):
                break
            numbers.append(node.view)
        else:
            paths = {views[number].path for number in numbers}
            if len(paths) == 1:
                yield _Need(paths.pop(), tuple(numbers))


def _is_contained(view: View, classes: tuple[int, ...], most: int) -> bool:
    """The literal says yes, and the constants of its view can be keys."""
    if classes != view.members():
        return False
    if isinstance(view, ListView):
        return view.name is None and len(view.literals) <= most and all(kind == "str" for kind, *_ in view.literals)
    return isinstance(view, MatchView)


def _elements(view: ListView) -> set[Element]:
    texts = ((prefix == "i", value.encode()) for _, value, prefix in view.literals)
    return {(fold, fold_bytes(text) if fold else text) for fold, text in texts}
