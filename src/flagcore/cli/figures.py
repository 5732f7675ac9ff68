"""Figures against figures: what rose, what fell, what is new. Of ``flagcore bench``, and of this project's own gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Change", "Comparison", "Figures", "compare"]

SLACK = 0.005  # of a figure's own unit: what rounding hides, for figures that are zero

Figures = Mapping[str, float]


class Change(NamedTuple):
    """A figure that differs by more than the tolerance."""

    name: str
    old: float
    new: float

    @property
    def percent(self) -> float:
        """How much more it is now, in percent; infinite above zero."""
        return (self.new / self.old - 1) * 100 if self.old else float("inf")


class Comparison(NamedTuple):
    """What differs."""

    rises: list[Change]
    falls: list[Change]
    added: list[str]
    missing: list[str]


def compare(old: Figures, new: Figures, tolerance: float) -> Comparison:
    """Return what differs by more than ``tolerance``, a share of the old figure, and the figures only one side has."""
    both = [Change(name, old[name], new[name]) for name in old if name in new]
    return Comparison(
        [each for each in both if each.new > each.old * (1 + tolerance) + SLACK],
        [each for each in both if each.new < each.old * (1 - tolerance) - SLACK],
        [name for name in new if name not in old],
        [name for name in old if name not in new],
    )
