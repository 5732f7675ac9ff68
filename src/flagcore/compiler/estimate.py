"""What a node is expected to cost if all local classes were alike. Estimates steer the build, never an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flagcore.compiler.nodes import Branch, Keyed
from flagcore.compiler.views import View

__all__ = ["NOTHING", "Estimate", "WeighedColumn", "of_block", "of_branch", "of_fork", "of_multi"]

_LEAST_SHARE, _MOST_SHARE = 0.02, 0.5  # bounds of the chance that a single test holds
_SWITCH_EXTRA = 1.5  # what a table costs above one direct comparison
_BLOCK = 1.0  # what a block costs beside its columns
_COLUMN_EXTRA = 0.3  # what a column costs above one direct comparison
_CANDIDATE = 0.3  # what a row that its masks let pass costs beside its own tests
_DEAR_SHARE = 0.3  # chance that a row's own tests hold
_MULTI = 2.0


class Estimate(NamedTuple):
    """Of the walk from a node on, in comparisons of short texts."""

    cost: float
    hit: float  # chance of ending in a row
    last: int  # largest leaf of a row that can be reached, -1: none


class WeighedColumn(NamedTuple):
    """A column of a block: what its class costs, and for each row the share of its local classes that let it pass."""

    cost: float
    shares: Sequence[float]


NOTHING = Estimate(0.0, 0.0, -1)


def of_branch(branch: Branch, view: View, children: Sequence[Estimate]) -> Estimate:
    """A test weighs its two ways by the share of the classes, a switch takes all children for alike."""
    last = max([child.last for child in children])
    if len(set(branch.children)) > 2:
        count = len(children)
        cost = sum(child.cost for child in children) / count
        return Estimate(view.cost + _SWITCH_EXTRA + cost, sum(child.hit for child in children) / count, last)
    share = _inner_share(branch, view)
    no, yes = children[0], children[1]
    cost = view.cost + share * yes.cost + (1 - share) * no.cost
    return Estimate(cost, share * yes.hit + (1 - share) * no.hit, last)


def _inner_share(branch: Branch, view: View) -> float:
    cuts = branch.cuts
    inner = sum(cuts[1::2]) - sum(cuts[::2]) + (view.classes if len(cuts) % 2 else 0)
    return min(_MOST_SHARE, max(_LEAST_SHARE, inner / view.classes))


def of_fork(branches: Sequence[Keyed], children: Sequence[Estimate]) -> Estimate:
    """A hit saves a later branch only when all rows of the earlier one come before it."""
    cost, missed, visited, before = 1.0, 1.0, 1.0, -1
    for branch, child in zip(branches, children, strict=True):
        if before < branch.first:
            visited = missed
        cost += visited * child.cost
        missed *= 1 - child.hit
        before = max(before, child.last)
    return Estimate(cost, 1 - missed, before)


def of_multi(children: Sequence[Estimate], after: Estimate) -> Estimate:
    """About one constant is contained."""
    cost = _MULTI + sum(child.cost for child in children) / len(children) + after.cost
    last = max(after.last, *(child.last for child in children))
    return Estimate(cost, max(0.5, after.hit), last)


def of_block(columns: Sequence[WeighedColumn], rows: Sequence[Estimate], after: Estimate) -> Estimate:
    """Columns are looked at while some row is left; candidates cost their own tests."""
    left = [1.0] * len(rows)
    cost, going = _BLOCK, 1.0
    for view_cost, shares in columns:
        cost += going * (view_cost + _COLUMN_EXTRA)
        left = [chance * share for chance, share in zip(left, shares, strict=True)]
        going = 1 - _none_of(left)
    missed = 1.0
    for chance, row in zip(left, rows, strict=True):
        cost += missed * chance * (_CANDIDATE + row.cost)
        missed *= 1 - chance * (_DEAR_SHARE if row.cost else 1.0)
    last = max(after.last, *(row.last for row in rows))
    return Estimate(cost + missed * after.cost, 1 - missed * (1 - after.hit), last)


def _none_of(chances: Sequence[float]) -> float:
    none = 1.0
    for chance in chances:
        none *= 1 - chance
    return none
