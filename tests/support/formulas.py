"""Formulas from the nested tuples that generators draw."""

from __future__ import annotations

from flagcore.compiler.formula import Formulas

__all__ = ["make_formula"]


def make_formula(formulas: Formulas, tree: tuple[object, object]) -> int:
    """Return the formula of ``(view, classes)``, ``("and", parts)`` or ``("or", parts)``."""
    head, rest = tree
    if isinstance(head, int):
        return formulas.literal(head, rest)  # type: ignore[arg-type]
    parts = [make_formula(formulas, part) for part in rest]  # type: ignore[attr-defined]
    return formulas.conjunction(parts) if head == "and" else formulas.disjunction(parts)
