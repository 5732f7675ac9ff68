"""The kinds of node of a decision graph (docs/design/compiler.md section 3). A child is the number of another node.

Rows are met in order and every leaf stands in the order of its row, so "the first row" is "the smallest leaf".
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["NO_ROW", "Block", "Branch", "Column", "Fork", "Keyed", "ListMulti", "Node", "TextMulti", "children_of"]

NO_ROW = -1  # the leaf of "this row does not hold": only a block's own tests lead to it


class Branch(NamedTuple):
    """Child i for classes in ``[cuts[i-1], cuts[i])``; neighbours differ, so there is one more child than cuts."""

    view: int
    cuts: tuple[int, ...]
    children: tuple[int, ...]


class Keyed(NamedTuple):
    """A child with the smallest leaf that it can reach, so that it can be passed over."""

    first: int
    child: int


class Fork(NamedTuple):
    """The smallest leaf that any branch yields; branches ascend by ``first``."""

    branches: tuple[Keyed, ...]


class Column(NamedTuple):
    """Bit i of ``masks[k]``: row i may hold for classes in ``[cuts[k-1], cuts[k])``; a clear bit proves that it does not."""

    view: int
    cuts: tuple[int, ...]
    masks: tuple[int, ...]


class Block(NamedTuple):
    """The first row that all columns let pass and whose own child yields a leaf, else ``after``."""

    columns: tuple[Column, ...]
    rows: tuple[int, ...]
    after: int


class ListMulti(NamedTuple):
    """The smallest leaf of the children one of whose texts is an element of the list at ``path``, and of ``after``."""

    path: tuple[str, ...]
    fold: bool  # ASCII case is ignored; the texts are in lower case
    texts: tuple[tuple[tuple[bytes, ...], Keyed], ...]  # no text leads to two children
    after: Keyed


class TextMulti(NamedTuple):
    """The smallest leaf of the children whose pattern occurs in the text, and of ``after``."""

    views: tuple[tuple[int, Keyed], ...]  # numbers of match views
    after: Keyed


Node = Branch | Fork | Block | ListMulti | TextMulti | int
"""An int is the index of a leaf, or NO_ROW."""


def children_of(node: Node) -> tuple[int, ...]:
    """Return all children, repeated ones too."""
    match node:
        case Branch(_, _, children):
            return children
        case Fork(branches):
            return tuple(branch.child for branch in branches)
        case Block(_, rows, after):
            return (*rows, after)
        case ListMulti(_, _, keyed, after) | TextMulti(keyed, after):
            return (*(key.child for _, key in keyed), after.child)
        case _:
            return ()
