"""Conditions, windows and gates to two-valued formulas: Kleene logic ends here (docs/design/compiler.md section 2).

At the top only *true* matters, so every tree is lowered with a mode: is it true, is it false, is it not true, is it
not false? Negation changes the mode, ``all`` and ``any`` become conjunction or disjunction, and a test becomes sets of
classes. The constants of all conditions are collected first (``add``), then the views are frozen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

from flagcore.compiler.atoms import Atom, Group, TestReader
from flagcore.compiler.formula import ALWAYS, NEVER, Formulas
from flagcore.compiler.intervals import complement, intersect
from flagcore.compiler.options import Options
from flagcore.compiler.refusal import Refusal
from flagcore.compiler.value_objects import ValueObjects
from flagcore.compiler.views import PresenceView, View, Views
from flagcore.model.flagset import Segment
from flagcore.model.tree import All, Any, Constant, Expression, Has, InSegment, Not, Path, Test
from flagcore.terms import Operator

__all__ = ["Collector", "Lowering", "Mode"]


class Mode(StrEnum):
    """Which question about a three-valued condition the formula answers."""

    IS_TRUE = "T"
    IS_FALSE = "F"
    NOT_TRUE = "t"
    NOT_FALSE = "f"

    @property
    def of_negation(self) -> Mode:
        """The question about x that answers this question about ``not x``."""
        return _NEGATED[self]

    @property
    def affirms(self) -> bool:
        """True for the questions that more truth can only answer with yes."""
        return self in (Mode.IS_TRUE, Mode.NOT_FALSE)


_NEGATED = {
    Mode.IS_TRUE: Mode.IS_FALSE,
    Mode.IS_FALSE: Mode.IS_TRUE,
    Mode.NOT_TRUE: Mode.NOT_FALSE,
    Mode.NOT_FALSE: Mode.NOT_TRUE,
}


class _Body(NamedTuple):
    """What was found in a condition: its nodes, how deep they nest, and the segments named, each with its depth there."""

    size: int
    depth: int
    named: list[tuple[str, int]]


class Collector:
    """Reads conditions before lowering: their tests as atoms, the segments that they name, the constants of all views."""

    def __init__(self, segments: Mapping[str, Segment], objects: ValueObjects, options: Options) -> None:
        self._options = options
        self._size = 0
        self._measures: dict[str, tuple[int, int]] = {}  # of segments: size and depth, their own segments in place
        self.views = Views()
        self.segments: dict[str, Segment] = {}  # those named, directly or by another; parts before the whole
        self._known = segments
        self._reader = TestReader(self.views, objects)
        self._atoms: dict[int, Atom] = {}  # by identity: equality of trees does not tell 1 from true
        self._values: dict[str, Atom] = {}
        self._present: dict[Path, View | None] = {}

    def add(self, tree: Expression) -> None:
        """Take in a condition and everything that it names; refuses one too deep or large with its segments in place."""
        body = self._read(tree)
        self._add_segments([name for name, _ in body.named])
        size, depth = self._measure(body)
        self._size += size
        if depth > self._options.nesting:
            raise Refusal("too-deep", f"the condition nests {depth} levels deep with its segments in place")
        if self._size > self._options.condition_nodes:
            most = self._options.condition_nodes
            raise Refusal("too-many-tests", f"the conditions come to more than {most:,} parts with segments in place")

    def freeze(self) -> None:
        """Settle all views; to be called once, after the last ``add``."""
        for path in self._present:
            self._present[path] = self.views.presence(path) or self.views.get(PresenceView, path)
        self.views.freeze()

    def atom(self, test: Test) -> Atom:
        """The atom of a test that was added."""
        return self._atoms[id(test)]

    def values(self, segment: str) -> Atom:
        """The atom of a segment of values."""
        return self._values[segment]

    def presence(self, path: Path) -> View:
        """The view that tells whether ``path`` is there."""
        view = self._present[path]
        assert view is not None, "freeze() comes first"
        return view

    def _read(self, tree: Expression) -> _Body:
        """Read the tests of a condition; without recursion, so that any depth is measured."""
        named: list[tuple[str, int]] = []
        size = deepest = 0
        todo = [(tree, 1)]
        while todo:
            node, depth = todo.pop()
            size, deepest = size + 1, max(deepest, depth)
            match node:
                case All(parts) | Any(parts):
                    todo += [(part, depth + 1) for part in reversed(parts)]
                case Not(part):
                    todo.append((part, depth + 1))
                case Test():
                    self._atoms[id(node)] = self._reader.read(node)
                case Has(path):
                    self._present[path] = None
                case InSegment(name):
                    named.append((name, depth))
                case Constant():
                    pass
        return _Body(size, deepest, named)

    def _measure(self, body: _Body) -> tuple[int, int]:
        """Return size and depth of a condition with its segments in place."""
        size, deepest = body.size, body.depth
        for name, depth in body.named:
            size += self._measures[name][0]
            deepest = max(deepest, depth + self._measures[name][1])
        return size, deepest

    def _add_segments(self, names: list[str]) -> None:
        """Read segments depth first without recursion, so that ``segments`` holds parts before the whole."""
        open_: dict[str, _Body] = {}
        todo = [(name, False) for name in reversed(names)]
        while todo:
            name, done = todo.pop()
            if done:
                self._measures[name] = self._measure(open_.pop(name))
                self.segments[name] = self._known[name]
            elif name in open_:
                raise Refusal("cycle", f"the segment {name!r} is part of itself")
            elif name not in self.segments:
                body = open_[name] = self._read_segment(name)
                todo.append((name, True))
                todo += [(part, False) for part, _ in reversed(body.named)]

    def _read_segment(self, name: str) -> _Body:
        segment = self._known.get(name)
        if segment is None:
            raise Refusal("unknown-segment", f"there is no segment {name!r}")
        if segment.when is not None:
            return self._read(segment.when.tree)
        self._values[name] = self._reader.read_segment(segment)
        return _Body(1, 1, [])


class Lowering:
    """Lowers the conditions that a frozen collector has taken in."""

    def __init__(self, collector: Collector, formulas: Formulas) -> None:
        self._collector = collector
        self._formulas = formulas
        self._segments: dict[tuple[str, Mode], int] = {}
        self._tests: dict[tuple[int, Mode], int] = {}  # by the identity of the atom, which the collector keeps
        for name, segment in collector.segments.items():
            for mode in (Mode.IS_TRUE, Mode.NOT_TRUE):
                self._segments[name, mode] = self._lower_body(name, segment, mode)

    def lower(self, tree: Expression, mode: Mode = Mode.IS_TRUE) -> int:
        """Return the formula that answers ``mode`` about ``tree``; recursion is as deep as the tree."""
        return _BY_KIND[type(tree)](self, tree, mode)

    # -- one for each kind of node

    def lower_all(self, tree: All, mode: Mode) -> int:
        parts = [self.lower(part, mode) for part in tree.parts]
        return self._formulas.conjunction(parts) if mode.affirms else self._formulas.disjunction(parts)

    def lower_any(self, tree: Any, mode: Mode) -> int:
        parts = [self.lower(part, mode) for part in tree.parts]
        return self._formulas.disjunction(parts) if mode.affirms else self._formulas.conjunction(parts)

    def lower_not(self, tree: Not, mode: Mode) -> int:
        return self.lower(tree.part, mode.of_negation)

    def lower_constant(self, tree: Constant, mode: Mode) -> int:
        return ALWAYS if tree.value == mode.affirms else NEVER

    def lower_has(self, tree: Has, mode: Mode) -> int:
        view = self._collector.presence(tree.path)
        return self._formulas.literal(view.number, (1, view.classes) if mode.affirms else (0, 1))

    def lower_segment(self, tree: InSegment, mode: Mode) -> int:
        """Two-valued: not known to be a member is not a member."""
        return self._segments[tree.name, Mode.IS_TRUE if mode.affirms else Mode.NOT_TRUE]

    def lower_test(self, tree: Test, mode: Mode) -> int:
        if tree.operator is Operator.NOT_EQUALS:
            mode = mode.of_negation
        atom = self._collector.atom(tree)
        known = self._tests.get((id(atom), mode))
        if known is None:
            known = self._tests[id(atom), mode] = self.lower_atom(atom, mode)
        return known

    def lower_atom(self, atom: Atom, mode: Mode) -> int:
        """A test whose groups look at several kinds of value is still one test; a value is of one kind at most."""
        formulas = self._formulas
        if mode is Mode.IS_TRUE:
            return formulas.disjunction([self._holds(group) for group in atom])
        if mode is Mode.NOT_TRUE:
            return formulas.conjunction([self._fails(group, unknown=True) for group in atom])
        if mode is Mode.IS_FALSE:
            return formulas.disjunction([self._fails(group, unknown=False) for group in atom])
        return formulas.conjunction([self._not_false(group) for group in atom])

    # -- how

    def _lower_body(self, name: str, segment: Segment, mode: Mode) -> int:
        if segment.when is not None:
            return self.lower(segment.when.tree, mode)
        return self.lower_atom(self._collector.values(name), mode)

    def _holds(self, group: Group) -> int:
        literal = self._formulas.literal
        return self._formulas.disjunction([literal(view.number, choose()) for view, choose in group])

    def _fails(self, group: Group, *, unknown: bool) -> int:
        """No part of the group holds; ``unknown``: or the value is not of its kind."""
        literals = []
        for view, choose in group:
            outside = complement(choose(), view.classes)
            literals.append(
                self._formulas.literal(view.number, outside if unknown else intersect(outside, view.values()))
            )
        return self._formulas.conjunction(literals)

    def _not_false(self, group: Group) -> int:
        """The complement of ``_fails(group, unknown=False)``."""
        literals = []
        for view, choose in group:
            false = intersect(complement(choose(), view.classes), view.values())
            literals.append(self._formulas.literal(view.number, complement(false, view.classes)))
        return self._formulas.disjunction(literals)


_BY_KIND: dict[type, Callable[..., int]] = {
    All: Lowering.lower_all,
    Any: Lowering.lower_any,
    Not: Lowering.lower_not,
    Test: Lowering.lower_test,
    Has: Lowering.lower_has,
    InSegment: Lowering.lower_segment,
    Constant: Lowering.lower_constant,
}
