"""Tests of significance, for as few and as plain cases as the tests here need."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, sqrt

__all__ = ["chi_square", "independence", "moved_at_most"]


def chi_square(observed: Mapping[object, int], shares: Mapping[object, float]) -> float:
    """Return the probability of counts at least this far from the shares; the number of categories is odd."""
    total = sum(observed.values())
    statistic = sum((observed.get(key, 0) - total * share) ** 2 / (total * share) for key, share in shares.items())
    return _survival(statistic, len(shares) - 1)


def independence(pairs: Mapping[tuple[object, object], int]) -> float:
    """Return the probability of a contingency table at least this uneven; its degrees of freedom are even."""
    rows, columns = _margin(pairs, 0), _margin(pairs, 1)
    total = sum(pairs.values())
    statistic = 0.0
    for row, in_row in rows.items():
        for column, in_column in columns.items():
            expected = in_row * in_column / total
            statistic += (pairs.get((row, column), 0) - expected) ** 2 / expected
    return _survival(statistic, (len(rows) - 1) * (len(columns) - 1))


def moved_at_most(share: float, count: int) -> float:
    """Return the share plus four standard deviations of a mean over ``count`` subjects."""
    return share + 4 * sqrt(share * (1 - share) / count)


def _margin(pairs: Mapping[tuple[object, object], int], axis: int) -> dict[object, int]:
    margin: dict[object, int] = {}
    for key, count in pairs.items():
        margin[key[axis]] = margin.get(key[axis], 0) + count
    return margin


def _survival(statistic: float, freedom: int) -> float:
    """Return P(chi-square >= statistic); for an even number of degrees of freedom it is a finite sum."""
    assert freedom % 2 == 0
    half, term, total = statistic / 2, 1.0, 1.0
    for k in range(1, freedom // 2):
        term *= half / k
        total += term
    return exp(-half) * total
