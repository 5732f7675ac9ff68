"""What selection yields: one operation for each node of the program, and what the operation looks for."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from flagcore.compiler.automata import Automaton
from flagcore.compiler.intervals import Classes
from flagcore.compiler.layout import LEAF_BIT, Op
from flagcore.compiler.nodes import Column
from flagcore.compiler.views import AddressCut, VersionKey
from flagcore.model.tree import Path

__all__ = [
    "ClassTest",
    "Content",
    "Exit",
    "Forked",
    "Gate",
    "InlineSet",
    "LinkedSet",
    "Masked",
    "Match",
    "MultiElements",
    "MultiMatches",
    "Operation",
    "Ranges",
    "Required",
    "Selection",
    "Several",
    "Switch",
    "Text",
    "VersionConstant",
    "Visit",
    "is_node",
]

Exit = int
"""The number of an operation made before, LEAF_BIT | leaf of the plan, or NONE."""


def is_node(exit_: Exit) -> bool:
    """Tell an operation from a leaf and from NONE."""
    return not exit_ & LEAF_BIT


class Text(NamedTuple):
    """A constant of TEXT, PREFIX and SUFFIX, as authored (lower case when folded)."""

    text: bytes


class InlineSet(NamedTuple):
    """A value set inside the program."""

    blob: bytes


class LinkedSet(NamedTuple):
    """A value-set object."""

    name: str


class VersionConstant(NamedTuple):
    """A version to compare with."""

    key: VersionKey


class Ranges(NamedTuple):
    """Half-open ranges of addresses, none of which spans two families."""

    ranges: tuple[tuple[AddressCut, AddressCut], ...]


class Match(NamedTuple):
    """Some bit of ``mask`` is set by the automaton of that index in the selection."""

    automaton: int
    mask: int


class Gate(NamedTuple):
    """bucket(hash of the subject under ``salt``) < threshold."""

    salt: str
    threshold: int


class Required(NamedTuple):
    """The other flag's key and the identities that meet the requirement."""

    flag: str
    identities: tuple[int, ...]


class ClassTest(NamedTuple):
    """The class of a view with a table lies in ``classes``."""

    view: int
    classes: Classes


class Switch(NamedTuple):
    """Exit i for classes of the view in ``[cuts[i-1], cuts[i])``."""

    view: int
    cuts: tuple[int, ...]
    exits: tuple[Exit, ...]
    dense: bool


class Visit(NamedTuple):
    """A branch of several that are all visited, and the smallest leaf that it can reach."""

    first: int
    exit: Exit


class Forked(NamedTuple):
    """The branches of a FORK, ascending."""

    branches: tuple[Visit, ...]


class Masked(NamedTuple):
    """The columns and rows of a BLOCK; on_false is what comes after."""

    columns: tuple[Column, ...]
    rows: tuple[Exit, ...]


class MultiElements(NamedTuple):
    """The branches of a MULTI by the elements of a list; on_false is visited last."""

    fold: bool  # ASCII case is ignored
    texts: tuple[tuple[bytes, int], ...]  # each with the number of its branch
    branches: tuple[Visit, ...]
    rest_first: int


class MultiMatches(NamedTuple):
    """The branches of a MULTI by the bits of ``mask`` that the automaton sets, lowest bit first."""

    automaton: int
    mask: int
    branches: tuple[Visit, ...]
    rest_first: int


Single = Text | InlineSet | LinkedSet | VersionConstant | Ranges | Match | Gate | Required | ClassTest | Switch
Several = Forked | Masked | MultiElements | MultiMatches
Content = Single | Several
_VISITING = frozenset({Op.FORK, Op.BLOCK, Op.MULTI})


class Operation(msgspec.Struct, frozen=True):
    """One node to be: what it does, where it goes."""

    op: Op
    path: Path | None  # None: it looks at no attribute of its own
    on_true: Exit
    on_false: Exit
    on_unknown: Exit
    flags: int = 0
    immediate: int | float = 0
    content: Content | None = None

    @property
    def exits(self) -> tuple[Exit, ...]:
        """All exits, repeated ones too."""
        if self.op < Op.SWITCH:
            return (self.on_true, self.on_false, self.on_unknown)
        match self.content:
            case Switch(_, _, exits):
                return exits
            case Forked(branches):
                return tuple(branch.exit for branch in branches)
            case Masked(_, rows):
                return (*rows, self.on_false)
            case MultiElements(_, _, branches) | MultiMatches(_, _, branches):
                return (*(branch.exit for branch in branches), self.on_false)
        return (self.on_true, self.on_false, self.on_unknown)

    @property
    def visits_all(self) -> bool:
        """A walk may go to several exits, one after the other."""
        return self.op in _VISITING


class Selection(NamedTuple):
    """Operations, children before parents, and the exits that walks begin with; the first is the program's entry."""

    operations: tuple[Operation, ...]
    entries: tuple[Exit, ...]
    automata: tuple[Automaton, ...]
