"""What the cheap views tell about a list of rows, gathered in one pass: the ground for choosing views."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from flagcore.compiler.formula import Formulas
from flagcore.compiler.intervals import Classes
from flagcore.compiler.plan import Row

__all__ = ["Guess", "Survey", "ViewSurvey", "guess_sweep", "local_cuts", "survey_rows"]


class ViewSurvey(msgspec.Struct):
    """One view and the rows whose projection it bounds."""

    intervals: int  # local classes: between the edges of all projections
    gain: float = 0.0  # sum over rows of the share of local classes that they exclude: rows - gain are left per child
    saved: float = 0.0  # the same, each row times its weight
    bound_rows: int = 0
    bound_weight: int = 0


class Survey(msgspec.Struct, frozen=True):
    """``shares[i]``: view -> share of its local classes under which row i can still hold; absent views restrict nothing."""

    weight: int
    views: dict[int, ViewSurvey]
    shares: list[dict[int, float]]

    def ranked(self) -> list[int]:
        """Views by gain, the best first."""
        return sorted(self.views, key=lambda view: (-self.views[view].gain, view))


def survey_rows(formulas: Formulas, rows: Sequence[Row]) -> Survey:
    """Return the survey of ``rows``; linear in their literals."""
    positions = _positions(formulas, rows)
    views = {view: ViewSurvey(len(places) - 1) for view, places in positions.items()}
    shares: list[dict[int, float]] = []
    total = 0
    for formula, _ in rows:
        weight = formulas.weight(formula) + 1
        total += weight
        own: dict[int, float] = {}
        for view, classes in formulas.cheap_projection(formula):
            found, places = views[view], positions[view]
            held = places[classes[1]] - places[classes[0]] if len(classes) == 2 else _held(classes, places)
            share = own[view] = held / found.intervals
            found.gain += 1 - share
            found.saved += weight * (1 - share)
            found.bound_rows += 1
            found.bound_weight += weight
        shares.append(own)
    return Survey(total, views, shares)


class Guess(NamedTuple):
    """What a sweep is expected to come to; the best is the smallest."""

    rows_per_child: float
    total: float
    stride: int
    view: int


def guess_sweep(survey: Survey, view: int, limit: int) -> Guess | None:
    """Find the stride at which the switch is expected to fit the limit, None when there is none."""
    found = survey.views[view]
    per_child = survey.weight - found.saved + 1
    stride, total = 1, found.intervals * per_child
    while total > limit:
        stride *= 2
        if stride >= found.intervals:
            return None
        total = found.intervals / stride * per_child + found.bound_weight
    rows = len(survey.shares) - found.gain
    return Guess(rows if stride == 1 else rows + found.bound_rows * stride / found.intervals, total, stride, view)


def local_cuts(formulas: Formulas, rows: Sequence[Row]) -> dict[int, list[int]]:
    """Return for each cheap view the sorted edges of the rows' projections, the ends of its domain left out."""
    edges: defaultdict[int, set[int]] = defaultdict(set)
    for formula, _ in rows:
        for view, classes in formulas.cheap_projection(formula):
            edges[view].update(classes)
    return {view: sorted(found.difference(formulas.domain(view))) for view, found in edges.items()}


def _positions(formulas: Formulas, rows: Sequence[Row]) -> dict[int, dict[int, int]]:
    """For each view: edge -> number of the local class that begins there."""
    found: dict[int, dict[int, int]] = {}
    for view, cuts in local_cuts(formulas, rows).items():
        low, high = formulas.domain(view)
        found[view] = {edge: place for place, edge in enumerate((low, *cuts, high))}
    return found


def _held(classes: Classes, places: dict[int, int]) -> int:
    edges = [places[edge] for edge in classes]
    return sum(edges[1::2]) - sum(edges[::2])
