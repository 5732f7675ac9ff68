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
    """Medians over the rounds: nanoseconds an evaluation, its ratio to each floor, and the first ratio's median deviation."""

    name: str
    nanoseconds: float
    ratios: tuple[float, ...]
    deviation: float


def measure(subjects: Sequence[Subject], floors: Sequence[Subject], rounds: int) -> list[Measured]:
    """Time every subject once a round, the floors before each of them, and return their medians.

    The floors are repeated through the run, so that a slow second of the machine slows both sides of a ratio.
    """
    samples: dict[str, list[list[float]]] = {subject.name: [] for subject in subjects}
    with _no_collection():
        for subject in (*floors, *subjects):
            _span(subject)
        for _ in range(rounds):
            for subject in subjects:
                units = [_span(floor) for floor in floors]
                span = _span(subject)
                samples[subject.name].append([span, *(span / unit for unit in units)])
    return [_summary(subject.name, samples[subject.name]) for subject in subjects]


def _summary(name: str, samples: list[list[float]]) -> Measured:
    spans, *ratios = zip(*samples, strict=True)
    middles = tuple(statistics.median(each) for each in ratios)
    deviation = statistics.median(abs(each - middles[0]) for each in ratios[0])
    return Measured(name, statistics.median(spans), middles, deviation)


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
