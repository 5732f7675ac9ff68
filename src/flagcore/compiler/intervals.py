"""Sets of classes as sorted, disjoint, half-open runs in one flat tuple: ``(lo, hi, lo, hi, ...)``.

Every test of every operator becomes such a set (docs/design/compiler.md section 1). Touching runs are joined, so equal sets
are equal tuples.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

__all__ = ["EMPTY", "Classes", "clip", "complement", "contains", "intersect", "point_runs", "runs", "size", "union"]

Classes = tuple[int, ...]
EMPTY: Classes = ()


def runs(classes: Classes) -> Iterator[tuple[int, int]]:
    """Yield the runs, ascending."""
    return zip(classes[::2], classes[1::2], strict=True)


def contains(classes: Classes, value: int) -> bool:
    """Tell whether ``value`` is in the set; logarithmic."""
    return bool(bisect_right(classes, value) & 1)


def size(classes: Classes) -> int:
    """Return how many classes the set holds."""
    return sum(classes[1::2]) - sum(classes[::2])


def union(sets: Iterable[Classes]) -> Classes:
    """Return the union of all ``sets``; one sort, however many there are."""
    joined: list[int] = []
    for low, high in sorted(run for classes in sets for run in runs(classes)):
        if joined and low <= joined[-1]:
            joined[-1] = max(joined[-1], high)
        else:
            joined += (low, high)
    return tuple(joined)


def complement(classes: Classes, count: int) -> Classes:
    """Return what the set lacks of ``[0, count)``."""
    edges = (0, *classes, count)
    return tuple(edge for low, high in runs(edges) if low < high for edge in (low, high))


def intersect(left: Classes, right: Classes) -> Classes:
    """Return the intersection of two sets; linear in their runs."""
    if left == right:
        return left
    if len(left) == 2:
        return clip(right, left[0], left[1])
    if len(right) == 2:
        return clip(left, right[0], right[1])
    common: list[int] = []
    i = j = 0
    while i < len(left) and j < len(right):
        low, high = max(left[i], right[j]), min(left[i + 1], right[j + 1])
        if low < high:
            common += (low, high)
        if left[i + 1] < right[j + 1]:
            i += 2
        else:
            j += 2
    return tuple(common)


def clip(classes: Classes, low: int, high: int) -> Classes:
    """Return the part of the set inside ``[low, high)``; cost is that of the part, not of the set."""
    if len(classes) == 2:  # as most are
        low, high = max(low, classes[0]), min(high, classes[1])
        return (low, high) if low < high else EMPTY
    first, last = bisect_right(classes, low), bisect_left(classes, high)
    head = (low,) if first & 1 else ()
    tail = (high,) if last & 1 else ()
    return head + classes[first:last] + tail


def point_runs(points: Iterable[int]) -> Classes:
    """Return the set of single classes, neighbours joined."""
    joined: list[int] = []
    for point in sorted({*points}):
        if joined and joined[-1] == point:
            joined[-1] = point + 1
        else:
            joined += (point, point + 1)
    return tuple(joined)
