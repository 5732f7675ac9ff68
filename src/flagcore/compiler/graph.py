"""Ordered rows to a decision graph under a strict credit (docs/design/compiler.md section 3).

``build`` gets a list of rows in order, the last of which is always true, and the credit that it may spend on copying rows
into the children of switches. Every choice only steers; each node's answer is the first true row of its list under every
vector of classes that leads to it. Where no switch pays, rows are partitioned (FORK) or met by masks (BLOCK).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from flagcore.compiler.blocks import Blocks
from flagcore.compiler.chain import Chain
from flagcore.compiler.check import check_graph, check_groups, check_rows
from flagcore.compiler.contained import MOST_CONSTANTS, ByConstant, by_constant
from flagcore.compiler.formula import ALWAYS
from flagcore.compiler.nodes import Keyed, ListMulti, TextMulti
from flagcore.compiler.options import Options
from flagcore.compiler.partition import Group, guess_fork, partition
from flagcore.compiler.plan import Plan
from flagcore.compiler.rows import Rows, normalise, source_weight
from flagcore.compiler.simplify import Graph
from flagcore.compiler.survey import Survey, guess_sweep, survey_rows
from flagcore.compiler.sweep import Sweep, sweep_rows
from flagcore.compiler.views import ListView, MatchView

__all__ = ["Built", "build_graph"]

_CHAINED = 16  # up to so many rows a chain of tests is weighed against a block
_TELLING = 0.7  # a switch of many rows must leave at most this part of them per child
_HOPE = 0.5  # rows per child that a switch may come to less than guessed, where rows end or repeat one another
_FEW_BLOCKS = 8  # more blocks in a row are not weighed against a fork
_TRIALS = 3  # blocks in a row that do not pay end the peeling
_MOST_PEELED = 40
_KEYED_DEPTH = 4  # nodes above one another that look for contained constants: two for lists, two for texts
_NEVER = 1 << 30


class Built(NamedTuple):
    """A finished graph and where it begins."""

    graph: Graph
    root: int


def build_graph(plan: Plan, options: Options) -> Built:
    """Return the graph of a plan's rows; deterministic, at most (4K + 4) W entries."""
    rows = normalise(plan.formulas, plan.rows)
    built = _grown(plan, rows, options)
    if options.forked_cost and options.least_block < len(rows) - 1 <= options.small:
        plain = _grown(plan, rows, msgspec.structs.replace(options, least_block=len(rows), multi_constants=_NEVER))
        if plain.graph.cost(plain.root) <= built.graph.cost(built.root) + options.forked_cost:
            return plain
    return built


def _grown(plan: Plan, rows: Rows, options: Options) -> Built:
    builder = _Builder(plan, options)
    root = builder.build(rows, options.credit_factor * source_weight(plan.formulas, rows), options.max_depth)
    if options.check:
        check_graph(builder.graph, [root], plan.views)
    return Built(builder.graph, root)


class _Builder:
    def __init__(self, plan: Plan, options: Options) -> None:
        self.graph = Graph(plan.views, plan.rows[-1].leaf)
        self._formulas = plan.formulas
        self._views = plan.views
        self._options = options
        self._chain = Chain(self.graph, plan.formulas, plan.views)
        self._blocks = Blocks(self.graph, plan.formulas, plan.views, self._chain, options.block_rows)
        self._is_contained = any(isinstance(view, ListView | MatchView) for view in plan.views)
        self._built: dict[Rows, int] = {}

    def build(self, rows: Rows, credit: int, depth: int) -> int:
        """Return the node that yields the first true row; lists met before are shared."""
        if self._options.check:
            check_rows(rows)
        if rows[0].formula == ALWAYS:
            return self.graph.leaf(rows[0].leaf)
        known = self._built.get(rows)
        if known is None:
            known = self._built[rows] = self._build(rows, credit, depth)
        return known

    def _build(self, rows: Rows, credit: int, depth: int) -> int:
        if len(rows) == 2:
            return self._chain.build(rows)
        if self._is_contained and depth >= _KEYED_DEPTH and len(rows) > self._options.multi_constants:
            found = self._keyed(rows, credit, depth - _KEYED_DEPTH)
            if found is not None:
                return found
        if not self._is_contended(rows):
            return self._chain.build(rows)
        if depth <= 0:
            return self._blocks.build(rows, nested=depth < self._options.max_depth)
        survey = survey_rows(self._formulas, rows[:-1])
        sweep = self._best_sweep(rows, survey, credit)
        if self._is_small(rows):
            return self._cheapest(rows, sweep, credit, depth)
        if sweep is not None:
            return self._switch(sweep, credit - sweep.total, depth)
        return self._partitioned(rows, survey, credit, depth)

    def _is_small(self, rows: Rows) -> bool:
        return len(rows) - 1 <= self._options.small

    def _is_contended(self, rows: Rows) -> bool:
        """Some cheap view is asked by two rows; else no switch can answer for more than one."""
        asked: set[int] = set()
        for formula, _ in rows:
            views = self._formulas.cheap_views_of(formula)
            if not views.isdisjoint(asked):
                return True
            asked |= views
        return False

    def _cheapest(self, rows: Rows, sweep: Sweep | None, credit: int, depth: int) -> int:
        """Few rows: the cheapest of a switch, a block and a chain."""
        found = [] if sweep is None else [self._switch(sweep, credit - sweep.total, depth)]
        if len(rows) > self._options.least_block:
            found.append(self._blocks.build(rows, nested=depth < self._options.max_depth))
        if len(rows) <= _CHAINED or not found:
            found.append(self._chain.build(rows))
        return min(found, key=self.graph.cost)

    # -- replicate: a switch

    def _switch(self, sweep: Sweep, left: int, depth: int) -> int:
        """Return the switch of a sweep; what is left of the credit is shared among its children by weight."""
        shares = sum(sweep.weights) or 1
        children = [
            self.build(child, max(left, 0) * weight // shares, depth - 1)
            for child, weight in zip(sweep.children, sweep.weights, strict=True)
        ]
        return self.graph.branch(sweep.view, sweep.cuts, children)

    def _best_sweep(self, rows: Rows, survey: Survey, credit: int) -> Sweep | None:
        """Return the switch that leaves the fewest rows per child for its price, None when none pays."""
        limit = credit if self._is_small(rows) else min(credit, 2 * survey.weight)
        guesses = [guess_sweep(survey, view, limit) for view in self._candidates(rows, survey)]
        for guess in sorted(guess for guess in guesses if guess is not None):
            if self._pays(len(rows) - 1, guess.rows_per_child - _HOPE):
                sweep = sweep_rows(self._formulas, rows, guess.view, limit, guess.stride)
                if sweep is not None and self._pays(len(rows) - 1, sweep.rows_per_child):
                    return sweep
        return None

    def _pays(self, count: int, per_child: float) -> bool:
        return (
            per_child <= _TELLING * count or count <= 4 or (count <= self._options.small and per_child <= count - 0.5)
        )

    def _candidates(self, rows: Rows, survey: Survey) -> list[int]:
        """The best views by gain, and those that the first row needs anyway."""
        small = self._is_small(rows)
        ranked = survey.ranked()
        chosen = ranked[: 4 if small else 2]
        for view in sorted(survey.shares[0]):
            if view not in chosen and (small or survey.views[view].gain > survey.views[ranked[0]].gain / 2):
                chosen.append(view)
        return chosen

    # -- partition: forks, blocks in front of them

    def _partitioned(self, rows: Rows, survey: Survey, credit: int, depth: int) -> int:
        """Many rows that no switch tells apart: groups, and blocks in front while they are likely to answer."""
        groups = self._groups(survey)
        peeled = 0
        if groups:
            peeled = self._count_peeled(rows, guess_fork(groups, survey.shares))
        tail = rows[peeled:]
        if peeled:
            survey = survey_rows(self._formulas, tail[:-1])
            groups = self._groups(survey)
        after = self._fork(tail, groups, survey.weight, credit, depth)
        found = [] if after is None else [self._blocks.before(rows[:peeled], after)]
        if not found or len(rows) <= _FEW_BLOCKS * self._options.block_rows:
            found.append(self._blocks.build(rows, nested=depth < self._options.max_depth))
        return min(found, key=self.graph.cost)

    def _groups(self, survey: Survey) -> list[Group]:
        """Return the groups that are worth a switch, none when they hold less than half of the rows."""
        count = len(survey.shares)
        groups = partition(survey.shares)
        if self._options.check:
            check_groups(groups, count)
        groups = [group for group in groups if len(group.rows) >= min(self._options.group_rows, count / 2)]
        return groups if 2 * sum(len(group.rows) for group in groups) >= count else []

    def _count_peeled(self, rows: Rows, cost: float) -> int:
        """Return how many rows in front go into blocks: while a block is likelier to save the rest than it costs."""
        size = self._options.block_rows
        end = self.graph.leaf(rows[-1].leaf)
        peeled = losses = 0
        for start in range(0, min(len(rows) - 1 - size, _MOST_PEELED * size), size):
            block = self.graph.estimate(self._blocks.block(rows[start : start + size], end))
            if block.hit * cost >= 1 + block.cost:
                peeled, losses = start + size, 0
            elif losses == _TRIALS - 1:
                break
            else:
                losses += 1
        return peeled

    def _fork(self, rows: Rows, groups: Sequence[Group], weight: int, credit: int, depth: int) -> int | None:
        """Return a fork over groups, each told apart by one switch; None when they come to less than half of the rows."""
        count = len(rows) - 1
        branches: list[tuple[int, int]] = []
        placed: set[int] = set()
        for group in groups:
            branch = self._group(rows, group, weight, credit, depth)
            if branch is not None:
                branches.append(branch)
                placed.update(group.rows)
        if not branches or len(placed) < count / 2:
            return None
        rest = self._sublist(rows, (row for row in range(count) if row not in placed))
        if len(rest) > 1:
            share = credit * source_weight(self._formulas, rest) // weight
            branches.append((rest[0].leaf, self.build(rest, share, depth - 1)))
        return self.graph.fork(branches)

    def _group(self, rows: Rows, group: Group, total: int, credit: int, depth: int) -> tuple[int, int] | None:
        """Return (first leaf, switch) of a group, None when its view does not tell its rows apart within the credit."""
        part = self._sublist(rows, group.rows)
        weight = source_weight(self._formulas, part)
        limit = min(credit * weight // total, 4 * weight)
        guess = guess_sweep(survey_rows(self._formulas, part[:-1]), group.view, limit)
        if guess is None or guess.rows_per_child - _HOPE > _TELLING * len(group.rows):
            return None
        sweep = sweep_rows(self._formulas, part, group.view, limit, guess.stride)
        if sweep is None or sweep.rows_per_child > _TELLING * len(group.rows):
            return None
        return part[0].leaf, self._switch(sweep, limit - sweep.total, depth)

    def _sublist(self, rows: Rows, numbers: Iterable[int]) -> Rows:
        return (*(rows[number] for number in numbers), rows[-1])

    # -- children by contained constants

    def _keyed(self, rows: Rows, credit: int, depth: int) -> int | None:
        """Return the nodes that look for contained constants, of long lists too where the credit pays; None: it pays for none."""
        for most in MOST_CONSTANTS:
            split = by_constant(self._formulas, self._views, rows, self._options.multi_constants, most)
            if split is not None and (found := self._multi(rows, split, credit, depth)) is not None:
                return found
        return None

    def _multi(self, rows: Rows, split: ByConstant, credit: int, depth: int) -> int | None:
        """Return the nodes of a split: elements of a list, then matches of a text, then the rest."""
        weight = source_weight(self._formulas, rows)
        lists = {*split.texts.values(), *split.matches.values()}  # constants of one row alone share their child
        spent = sum(source_weight(self._formulas, child) for child in lists)
        if spent > weight + credit:
            return None
        left = min(credit, credit + weight - spent)

        def keyed(child: Rows) -> Keyed:
            share = left * source_weight(self._formulas, child) // (weight + spent)
            return Keyed(child[0].leaf, self.build(child, share, depth))

        after = keyed(split.rest)
        texts = {number: keyed(child) for number, child in split.matches.items()}
        if texts:
            first = min(after.first, *(key.first for key in texts.values()))
            multi = self.graph.multi(TextMulti(tuple(sorted(texts.items())), after))
            is_text = self.graph.branch(min(texts), (2,), (after.child, multi))
            after = Keyed(first, is_text)
        for fold in (True, False):
            grouped: dict[Rows, list[bytes]] = {}
            for (is_folded, text), child in sorted(split.texts.items()):
                if is_folded == fold:
                    grouped.setdefault(child, []).append(text)
            elements = tuple((tuple(found), keyed(child)) for child, found in grouped.items())
            if elements:
                first = min(after.first, *(key.first for _, key in elements))
                after = Keyed(first, self.graph.multi(ListMulti(split.path, fold, elements, after)))
        return after.child
