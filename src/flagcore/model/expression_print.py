"""Conditions as text, the inverse of the parser: parse(print(t)) is t for every tree in normal form."""

from __future__ import annotations

from flagcore.model.expression_tokens import is_plain_name
from flagcore.model.normal import MAX_DEPTH, depth, normal
from flagcore.model.operators import is_text
from flagcore.model.tree import All, Any, Constant, Expression, Has, InSegment, Literal, Not, Path, Test

__all__ = ["print_expression", "print_literal", "print_path"]

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


def print_expression(tree: Expression) -> str:
    """Return the canonical text of the tree's normal form.

    Raises:
        ValueError: the tree has no text: deeper than ``MAX_DEPTH``, an empty All, Any, list or name, a number that is not
            finite, half of a surrogate pair.
    """
    if depth(tree) > MAX_DEPTH:
        raise ValueError(f"the condition is nested deeper than {MAX_DEPTH}")
    return _print(normal(tree))


def _print(tree: Expression) -> str:
    if isinstance(tree, Any):
        return " or ".join(_group(part, isinstance(part, Any)) for part in _parts(tree))
    if isinstance(tree, All):
        return " and ".join(_group(part, isinstance(part, (All, Any))) for part in _parts(tree))
    if isinstance(tree, Not):
        if isinstance(tree.part, Test):
            return _print_test(tree.part, "not ")
        return "not " + _group(tree.part, isinstance(tree.part, (All, Any)))
    if isinstance(tree, Has):
        return f"has({print_path(tree.path)})"
    if isinstance(tree, InSegment):
        return f"segment({_quote(tree.name)})"
    if isinstance(tree, Constant):
        return "true" if tree.value else "false"
    return _print_test(tree, "")


def _parts(tree: All | Any) -> tuple[Expression, ...]:
    if not tree.parts:
        raise ValueError("an empty All or Any has no text")
    return tree.parts


def _group(tree: Expression, parentheses: bool) -> str:
    return f"({_print(tree)})" if parentheses else _print(tree)


def _print_test(test: Test, negation: str) -> str:
    if isinstance(test.constant, tuple):
        if not test.constant:
            raise ValueError("an empty list has no text")
        constant = "[" + ", ".join(map(print_literal, test.constant)) + "]"
    else:
        constant = print_literal(test.constant)
    return f"{print_path(test.path)} {negation}{test.operator.value} {constant}"


def print_path(path: Path) -> str:
    """Return the path as conditions spell it, unusual names in backquotes."""
    if not path or not all(name and is_text(name) for name in path):
        raise ValueError("a path has at least one name, and no name is empty or no text")
    return ".".join(name if is_plain_name(name) else "`" + name.replace("`", "``") + "`" for name in path)


def print_literal(literal: Literal) -> str:
    """Return one constant as conditions spell it."""
    value = literal.value
    if isinstance(value, str):
        return literal.prefix + _quote(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value - value != 0:
        raise ValueError("a number that is not finite has no text")
    return repr(value)


def _quote(text: str) -> str:
    if not is_text(text):
        raise ValueError("half of a surrogate pair has no text")
    return '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else f"\\u{{{ord(c):x}}}") for c in text) + '"'
