"""Two-valued formulas over literals ``(view, classes)``, hash-consed: equal formulas are equal numbers.

A formula is a number: 0 false, 1 true, else an index into the store. With each formula are kept the views that it
looks at, its *projection* on each view (classes under which it can still be true; a view that is absent restricts
nothing), its *weight* (runs of its literals, which is the size of the source) and its depth. docs/design/compiler.md section 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flagcore.compiler.intervals import Classes, clip, complement, intersect, union
from flagcore.compiler.views import View

__all__ = ["ALWAYS", "NEVER", "Formulas", "Junction", "LiteralFormula"]

NEVER, ALWAYS = 0, 1


class LiteralFormula(NamedTuple):
    """The class of view number ``view`` lies in ``classes``."""

    view: int
    classes: Classes


class Junction(NamedTuple):
    """All (or any) of ``parts``, sorted numbers, at least two, none of the same kind as the junction itself."""

    conjunction: bool
    parts: tuple[int, ...]


Node = LiteralFormula | Junction
Projection = Mapping[int, Classes]


class Formulas:
    """The store of one flag's formulas; its views are frozen."""

    def __init__(self, views: list[View]) -> None:
        self._domains = [view.domain for view in views]
        self._dear = [view.dear for view in views]
        self._cheap_projections: dict[int, Sequence[tuple[int, Classes]]] = {}
        self._cheap_views: dict[int, frozenset[int]] = {}
        self._factors: dict[tuple[int, int], tuple[Classes, int] | None] = {}
        nothing: Projection = {}
        self._nodes: list[Node] = [Junction(False, ()), Junction(True, ())]
        self._literals: dict[tuple[int, Classes], int] = {}
        self._junctions: dict[tuple[bool, tuple[int, ...]], int] = {}
        self._projections: list[Projection] = [nothing, nothing]
        self._views: list[frozenset[int]] = [frozenset(), frozenset()]
        self._weights = [0, 0]
        self._depths = [0, 0]

    # -- reading

    def node(self, formula: int) -> Node:
        """The formula's form; not for NEVER and ALWAYS."""
        return self._nodes[formula]

    def views_of(self, formula: int) -> frozenset[int]:
        """Numbers of the views that the formula looks at."""
        return self._views[formula]

    def projection(self, formula: int) -> Projection:
        """View number -> classes under which the formula can still be true; views that restrict nothing are absent."""
        return self._projections[formula]

    def weight(self, formula: int) -> int:
        """Runs of all literals, counted as often as they occur; at least 1 for a literal."""
        return self._weights[formula]

    def depth(self, formula: int) -> int:
        """Junctions on the longest way down to a literal."""
        return self._depths[formula]

    def alternatives(self, formula: int) -> tuple[int, ...]:
        """The parts any of which makes the formula true: those of a disjunction, else the formula itself."""
        node = self._nodes[formula]
        if formula > ALWAYS and isinstance(node, Junction) and not node.conjunction:
            return node.parts
        return (formula,)

    def requirements(self, formula: int) -> tuple[int, ...]:
        """The parts all of which the formula needs: those of a conjunction, else the formula itself."""
        node = self._nodes[formula]
        if formula > ALWAYS and isinstance(node, Junction) and node.conjunction:
            return node.parts
        return (formula,)

    def cheap_projection(self, formula: int) -> Sequence[tuple[int, Classes]]:
        """The projection on views that are not dear."""
        known = self._cheap_projections.get(formula)
        if known is None:
            items = self._projections[formula].items()
            known = self._cheap_projections[formula] = [item for item in items if not self._dear[item[0]]]
        return known

    def cheap_views_of(self, formula: int) -> frozenset[int]:
        """Numbers of the views that the formula looks at and that are not dear."""
        known = self._cheap_views.get(formula)
        if known is None:
            known = self._cheap_views[formula] = frozenset(
                [view for view in self._views[formula] if not self._dear[view]]
            )
        return known

    def factor(self, formula: int, view: int) -> tuple[Classes, int] | None:
        """Return (classes, rest) of "the class of ``view`` lies in ``classes``, and rest", a rest without the view.

        None when the formula meets the view anywhere else than in one literal at its top.
        """
        key = (formula, view)
        if key not in self._factors:
            self._factors[key] = self._find_factor(formula, view)
        return self._factors[key]

    def domain(self, view: int) -> Classes:
        """All classes of the view."""
        return self._domains[view]

    # -- making

    def literal(self, view: int, classes: Classes) -> int:
        """Return "the class of ``view`` lies in ``classes``"."""
        domain = self._domains[view]
        if domain[0]:  # `now` has no classes 0 and 1
            classes = intersect(classes, domain)
        if not classes:
            return NEVER
        if classes == domain:
            return ALWAYS
        known = self._literals.get((view, classes))
        if known is None:
            node = LiteralFormula(view, classes)
            known = self._add(node, {view: classes}, frozenset((view,)), len(classes) // 2, 0)
            self._literals[view, classes] = known
        return known

    def conjunction(self, parts: Sequence[int]) -> int:
        """Return "all of ``parts``"; literals of one view are intersected."""
        return parts[0] if len(parts) == 1 else self._junction(True, parts)

    def disjunction(self, parts: Sequence[int]) -> int:
        """Return "any of ``parts``"; literals of one view are united."""
        return parts[0] if len(parts) == 1 else self._junction(False, parts)

    def restrict(self, formula: int, view: int, low: int, high: int) -> int:
        """Return the formula under the assumption that the class of ``view`` lies in ``[low, high)``."""
        if view not in self._views[formula]:
            return formula
        factors = self.factor(formula, view)
        if factors is not None:
            classes, rest = factors
            part = clip(classes, low, high)
            if not part or part == (low, high):
                return rest if part else NEVER
            literal = self.literal(view, part)
            return literal if rest == ALWAYS else self._junction(True, (literal, rest))
        node = self._nodes[formula]
        assert isinstance(node, Junction), "a literal is its own factor"
        return self._junction(node.conjunction, [self.restrict(part, view, low, high) for part in node.parts])

    def collect_cuts(self, formula: int, view: int, cuts: set[int]) -> None:
        """Add all edges of ``view``'s classes in the formula's literals."""
        if view not in self._views[formula]:
            return
        node = self._nodes[formula]
        if isinstance(node, LiteralFormula):
            cuts.update(node.classes)
        else:
            for part in node.parts:
                self.collect_cuts(part, view, cuts)

    # -- how

    def _find_factor(self, formula: int, view: int) -> tuple[Classes, int] | None:
        node = self._nodes[formula]
        if isinstance(node, LiteralFormula):
            return node.classes, ALWAYS
        if not node.conjunction:
            return None
        asking = [part for part in node.parts if view in self._views[part]]
        literal = self._nodes[asking[0]]
        if len(asking) > 1 or not isinstance(literal, LiteralFormula):
            return None
        rest = tuple(part for part in node.parts if part != asking[0])
        return literal.classes, self._make_junction(True, rest)

    def _junction(self, conjunction: bool, parts: Sequence[int]) -> int:
        decided, neutral = (NEVER, ALWAYS) if conjunction else (ALWAYS, NEVER)
        todo = [part for part in parts if part != neutral]
        if len(todo) < 2:
            return todo[0] if todo else neutral
        if decided in todo:
            return decided
        literals: dict[int, int] = {}  # of each view the one met first
        further: list[LiteralFormula] = []
        rest: set[int] = set()
        while todo:
            part = todo.pop()
            node = self._nodes[part]
            if isinstance(node, LiteralFormula):
                if literals.setdefault(node.view, part) != part:
                    further.append(node)
            elif node.conjunction == conjunction:
                todo += node.parts
            else:
                rest.add(part)
        if further and not self._merge_all(conjunction, literals, further):
            return decided
        if rest and conjunction:
            rest = self._without_implied(rest.union(literals.values()))
        else:
            rest.update(literals.values())
        return self._make_junction(conjunction, tuple(sorted(rest)))

    def _merge_all(self, conjunction: bool, literals: dict[int, int], further: list[LiteralFormula]) -> bool:
        """Merge further literals of the same views into ``literals``; False when that decides the junction."""
        sets: dict[int, list[Classes]] = {}
        for view, classes in further:
            sets.setdefault(view, []).append(classes)
        decided, neutral = (NEVER, ALWAYS) if conjunction else (ALWAYS, NEVER)
        for view, others in sets.items():
            first = self._nodes[literals[view]]
            assert isinstance(first, LiteralFormula)
            merged = self._merge(conjunction, view, [first.classes, *others])
            if merged == decided:
                return False
            if merged == neutral:
                del literals[view]
            else:
                literals[view] = merged
        return True

    def _without_implied(self, parts: set[int]) -> set[int]:
        """Drop literals of a conjunction that another part implies, as a ramp implies that it has begun."""
        bounds = [self._projections[part] for part in parts if isinstance(self._nodes[part], Junction)]
        return {part for part in parts if not self._is_implied(self._nodes[part], bounds)}

    def _is_implied(self, node: Node, bounds: list[Projection]) -> bool:
        if isinstance(node, Junction):
            return False
        found = [bound[node.view] for bound in bounds if node.view in bound]
        return any(intersect(classes, node.classes) == classes for classes in found)

    def _merge(self, conjunction: bool, view: int, sets: list[Classes]) -> int:
        """One literal for several of one view; sorts once, so thousands of them cost no more than their runs."""
        if not conjunction:
            return self.literal(view, union(sets))
        if len(sets) == 2:
            return self.literal(view, intersect(sets[0], sets[1]))
        count = self._domains[view][1]
        return self.literal(view, complement(union(complement(classes, count) for classes in sets), count))

    def _make_junction(self, conjunction: bool, parts: tuple[int, ...]) -> int:
        if len(parts) < 2:
            return parts[0] if parts else (ALWAYS if conjunction else NEVER)
        known = self._junctions.get((conjunction, parts))
        if known is None:
            known = self._junctions[conjunction, parts] = self._add_junction(Junction(conjunction, parts))
        return known

    def _add_junction(self, node: Junction) -> int:
        parts = node.parts
        projection = self._join(parts) if node.conjunction else self._meet(parts)
        if projection is None:
            return NEVER
        views = frozenset[int]().union(*[self._views[part] for part in parts])
        weight = sum([self._weights[part] for part in parts])
        depth = 1 + max([self._depths[part] for part in parts])
        return self._add(node, projection, views, weight, depth)

    def _join(self, parts: tuple[int, ...]) -> Projection | None:
        """Projection of a conjunction; None when some view leaves no class, so that it can never hold."""
        joined: dict[int, Classes] = {}
        for part in parts:
            for view, classes in self._projections[part].items():
                joined[view] = intersect(joined[view], classes) if view in joined else classes
        return joined if all(joined.values()) else None

    def _meet(self, parts: tuple[int, ...]) -> Projection:
        """Projection of a disjunction: only views that restrict every part restrict it."""
        common = set(self._projections[parts[0]])
        for part in parts[1:]:
            common &= self._projections[part].keys()
        met = {view: union(self._projections[part][view] for part in parts) for view in sorted(common)}
        return {view: classes for view, classes in met.items() if classes != self._domains[view]}

    def _add(self, node: Node, projection: Projection, views: frozenset[int], weight: int, depth: int) -> int:
        number = len(self._nodes)
        self._nodes.append(node)
        self._projections.append(projection)
        self._views.append(views)
        self._weights.append(weight)
        self._depths.append(depth)
        return number
