"""Timing that survives a noisy machine: interleaved samples, thread CPU time, ratios to a floor of the same round."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

__all__ = ["Measured", "Subject", "measure"]

Batch = Callable[[], None]


class Subject(NamedTuple):
    """Something to time: ``batch()`` does ``count`` evaluations; ``empty()`` is the same loop around nothing."""

    name: str
    batch: Batch
    empty: Batch
    count: int


class Measured(NamedTuple):
    """Medians over the rounds, nanoseconds an evaluation and ratio to the floor; ``mad`` is the ratio's median deviation."""

    name: str
    nanoseconds: float
    ratio: float
    mad: float


def measure(subjects: Sequence[Subject], floor: Subject, rounds: int) -> list[Measured]:
    """Time every subject once a round, the floor before each of them, and return their medians.

    The floor is repeated through the run, so that a slow second of the machine slows both sides of a ratio.
    """
    spans: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    ratios: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    with _no_collection():
        for subject in (floor, *subjects):
            _span(subject)
        for _ in range(rounds):
            for subject in subjects:
                unit = _span(floor)
                span = _span(subject)
                spans[subject.name].append(span)
                ratios[subject.name].append(span / unit)
    return [_summary(subject.name, spans[subject.name], ratios[subject.name]) for subject in subjects]


def _summary(name: str, spans: list[float], ratios: list[float]) -> Measured:
    ratio = statistics.median(ratios)
    mad = statistics.median(abs(each - ratio) for each in ratios)
    return Measured(name, statistics.median(spans), ratio, mad)


def _span(subject: Subject) -> float:
    """Return nanoseconds an evaluation, the loop's own cost taken off."""
    return max(_clocked(subject.batch) - _clocked(subject.empty), 1) / subject.count


def _clocked(batch: Batch) -> int:
    start = time.thread_time_ns()
    batch()
    return time.thread_time_ns() - start


@contextmanager
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
