"""Conditions as a tree: what the expression text, the structured JSON and the builders all mean.

One tree, three spellings (flag-format.md section 2). Nodes are immutable and hashable; two conditions mean the same
text exactly when their trees are equal. Leaves cannot hold themselves, so the garbage collector need not look (``gc=False``);
nodes with parts keep it, since only tracked objects are taken apart without recursion however deep they are nested.
"""

from __future__ import annotations

from typing import Union

import msgspec

from flagcore.terms import Operator

__all__ = ["All", "Any", "Constant", "Expression", "Has", "InSegment", "Literal", "Not", "Path", "Test", "flat_key"]

Path = tuple[str, ...]
"""An attribute path, one name a level: ``app.version`` is ``("app", "version")``, ``` `app.version` ``` is ``("app.version",)``."""


def flat_key(path: Path) -> str:
    """Return the flat context key that is looked up before the nested levels."""
    return ".".join(path)


class Literal(msgspec.Struct, frozen=True, gc=False):
    """A constant of a test. ``value`` is the author's: text for the prefixes ``v``, ``i``, ``t``, ``cidr``."""

    value: str | bool | int | float
    prefix: str = ""  # "", "v", "i", "t" or "cidr"

    def __eq__(self, other: object) -> bool:
        """Unlike Python, ``1``, ``1.0`` and ``True`` are three constants, and so are ``0.0`` and ``-0.0``."""
        if not isinstance(other, Literal):
            return NotImplemented
        if self.prefix != other.prefix or type(self.value) is not type(other.value):
            return False
        return repr(self.value) == repr(other.value) if isinstance(self.value, float) else self.value == other.value

    def __hash__(self) -> int:
        return hash((type(self.value), self.value, self.prefix))


class Test(msgspec.Struct, frozen=True, gc=False):
    """One attribute, one operator, one constant; a tuple of literals is a list (never empty)."""

    path: Path
    operator: Operator
    constant: Literal | tuple[Literal, ...]

    @property
    def literals(self) -> tuple[Literal, ...]:
        """The constant as a tuple, a single literal as a tuple of one."""
        return self.constant if isinstance(self.constant, tuple) else (self.constant,)


class Has(msgspec.Struct, frozen=True, gc=False):
    """True when a value that is not null is found at ``path``."""

    path: Path


class InSegment(msgspec.Struct, frozen=True, gc=False):
    """True when the context is known to be a member of the segment."""

    name: str


class Constant(msgspec.Struct, frozen=True, gc=False):
    """``true`` or ``false``."""

    value: bool


class Not(msgspec.Struct, frozen=True):
    """Kleene negation."""

    part: Expression


class All(msgspec.Struct, frozen=True):
    """Kleene conjunction of one or more parts."""

    parts: tuple[Expression, ...]


class Any(msgspec.Struct, frozen=True):
    """Kleene disjunction of one or more parts."""

    parts: tuple[Expression, ...]


Expression = Union[All, Any, Not, Test, Has, InSegment, Constant]
