"""Rows in groups, each by the view that tells most of it apart (EffiCuts' separable trees): no row is copied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["Group", "guess_fork", "partition"]

_MOST_SHARE = 0.5  # a view that lets more of its classes pass does not tell a row apart
_NEARLY_BEST = 3.0  # a row may go by a view that lets so many times the classes of its best pass,
_SELECTIVE = 0.02  # or by one that lets hardly any pass


_SWITCH, _BLOCK, _BLOCK_ROW = 2.5, 4.0, 0.19  # steps of a switch, of a block, and of each row in one
_CHAINED = 4  # up to so many rows cost a step each


class Group(NamedTuple):
    """The rows, ascending, that a switch on ``view`` is to tell apart."""

    view: int
    rows: tuple[int, ...]


def partition(shares: Sequence[Mapping[int, float]]) -> list[Group]:
    """Return groups of the rows (numbers into ``shares``), the most telling view first; a row is in one at most.

    ``shares`` as in Survey. Greedy: the view that excludes most over the rows left takes all of them that it suits.
    """
    suited = [_suited(own) for own in shares]
    members: dict[int, list[int]] = {}
    scores: dict[int, float] = {}
    for row, own in enumerate(suited):
        for view, gain in own.items():
            members.setdefault(view, []).append(row)
            scores[view] = scores.get(view, 0.0) + gain
    groups = []
    taken = bytearray(len(suited))
    while scores:
        best = min(scores, key=lambda view: (-scores[view], view))
        rows = tuple(row for row in members[best] if not taken[row])
        del scores[best]
        if rows:
            groups.append(Group(best, rows))
        for row in rows:
            taken[row] = 1
            for view, gain in suited[row].items():
                if view in scores:
                    scores[view] -= gain
    return groups


def guess_fork(groups: Sequence[Group], shares: Sequence[Mapping[int, float]]) -> float:
    """Return about how many steps a fork over ``groups`` takes, before anything is built."""
    steps = 0.0
    for view, rows in groups:
        left = sum(shares[row][view] for row in rows)  # rows that a child of the switch holds on average
        steps += _SWITCH + (left if left <= _CHAINED else _BLOCK + _BLOCK_ROW * left)
    unplaced = len(shares) - sum(len(group.rows) for group in groups)
    return steps + _BLOCK_ROW * unplaced


def _suited(shares: Mapping[int, float]) -> dict[int, float]:
    """Return view -> share excluded, of the views that tell the row apart about as well as its best."""
    if not shares:
        return {}
    most = min(_MOST_SHARE, max(_NEARLY_BEST * min(shares.values()), _SELECTIVE))
    return {view: 1 - share for view, share in shares.items() if share <= most}
