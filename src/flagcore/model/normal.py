"""The normal form of conditions, and measures of trees. Nothing here recurses: trees built by programs may be hostile."""

from __future__ import annotations

from collections.abc import Iterator

from flagcore.model.tree import All, Any, Expression, Literal, Not, Test
from flagcore.terms import Operator

__all__ = ["MAX_DEPTH", "depth", "normal", "walk"]

MAX_DEPTH = 64
"""How many All, Any and Not may stand inside each other; a negated test counts its Not."""


def depth(tree: Expression) -> int:
    """Return how many All, Any and Not stand inside each other at most; a single test is 0."""
    deepest = 0
    level: list[Expression] = [tree]
    while level := [part for node in level for part in parts_of(node)]:
        deepest += 1
    return deepest


def parts_of(node: Expression) -> tuple[Expression, ...]:
    """Return what stands directly inside an All, Any or Not; nothing for the others."""
    if isinstance(node, (All, Any)):
        return node.parts
    return (node.part,) if isinstance(node, Not) else ()


def walk(tree: Expression) -> Iterator[Expression]:
    """Yield every node, parents before their parts, in the order of the text."""
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, Test):
            stack.extend(reversed(parts_of(node)))


def normal(tree: Expression) -> Expression:
    """Return the tree in normal form: no All or Any of one part, and the constant of ``in`` always a list.

    Parsers yield normal trees only; printing brings a tree into normal form first.

    Raises:
        RecursionError: never below a depth of ``MAX_DEPTH``; check ``depth`` first.
    """
    if isinstance(tree, (All, Any)):
        if len(tree.parts) == 1:
            return normal(tree.parts[0])
        return type(tree)(tuple(normal(part) for part in tree.parts))
    if isinstance(tree, Not):
        return Not(normal(tree.part))
    if isinstance(tree, Test) and tree.operator is Operator.IN and isinstance(tree.constant, Literal):
        return Test(tree.path, tree.operator, (tree.constant,))
    return tree
