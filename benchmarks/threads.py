"""W10: evaluations from 1, 2 and 4 threads, with and without swaps meanwhile (``python -m benchmarks.service W10``).

CPython lets one thread run at a time; several threads cannot be quicker together than one. What can be asked is that an evaluation
costs each of them no more CPU time than it costs a thread alone, and that they are not slower together than by handing the interpreter
over. Every answer is checked, those given while revisions are swapped too.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from benchmarks.workloads import Workload, make
from flagcore.compiler import compile_flag_set
from flagcore.engine import Engine
from flagcore.model import build_flag_set
from flagcore.snapshot.objects import Snapshot

__all__ = ["WORKLOADS", "measured"]

WORKLOADS = ("W2", "W4")
THREADS = (1, 2, 4)
EVALUATIONS = 400_000  # of all threads together
PAUSE = 0.001  # between two swaps


class _Run(NamedTuple):
    """Some threads at work: nanoseconds of their CPU time an evaluation, evaluations a second by the wall, swaps meanwhile."""

    nanoseconds: float
    rate: float
    swaps: int


def measured(rounds: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each workload, number of threads, and whether revisions are swapped. Figures are medians of the rounds."""
    for name in WORKLOADS:
        workload = make(name)
        cases = [(threads, swaps) for swaps in (False, True) for threads in THREADS]
        runs: dict[tuple[int, bool], list[_Run]] = {case: [] for case in cases}
        for _ in range(rounds + 1):  # the first does not count
            for case in cases:
                runs[case].append(_run(workload, *case))
        for (threads, swaps), taken in runs.items():
            yield {"name": name, "threads": threads, **_row(taken[1:], runs[1, False][1:], swaps)}


def _row(taken: Sequence[_Run], alone: Sequence[_Run], swaps: bool) -> dict[str, Any]:
    """Ratios are to one thread without swaps in the same round."""
    pairs = list(zip(taken, alone, strict=True))
    return {
        "swaps_a_second": round(statistics.median(run.swaps * run.rate / EVALUATIONS for run in taken)) if swaps else 0,
        "ns": round(statistics.median(run.nanoseconds for run in taken), 1),
        "cpu_ratio": round(statistics.median(run.nanoseconds / one.nanoseconds for run, one in pairs), 2),
        "rate_ratio": round(statistics.median(run.rate / one.rate for run, one in pairs), 2),
    }


def _run(workload: Workload, threads: int, swaps: bool) -> _Run:
    snapshots = _snapshots(workload)
    engine = Engine()
    engine.load(snapshots[0])
    spans: list[int] = []
    wrong: list[object] = []
    barrier = threading.Barrier(threads + 1)

    def work() -> None:
        get, key = engine.get_boolean_value, workload.key
        calls = [(call.context, call.expected) for call in workload.calls[:100]]
        barrier.wait()
        start = time.thread_time_ns()
        for _ in range(EVALUATIONS // threads // len(calls)):
            for context, expected in calls:
                if get(key, False, context) is not expected:
                    wrong.append(context)
        spans.append(time.thread_time_ns() - start)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    barrier.wait()
    start, done = time.perf_counter(), 0
    while swaps and any(worker.is_alive() for worker in workers):
        done += 1
        engine.load(snapshots[done % 2])
        time.sleep(PAUSE)
    for worker in workers:
        worker.join()
    assert not wrong, f"{workload.title}: wrong for {wrong[0]}"
    assert len(spans) == threads
    return _Run(sum(spans) / EVALUATIONS, EVALUATIONS / (time.perf_counter() - start), done)


def _snapshots(workload: Workload) -> list[Snapshot]:
    """Return two revisions: in the second another flag has come, so that the table of flags is made anew."""
    more = {"another": {"type": "boolean", "default": "on"}}
    flags = workload.flags["flags"]
    assert isinstance(flags, dict)
    both = [workload.flags, {**workload.flags, "flags": {**flags, **more}}]
    return [compile_flag_set(build_flag_set(document).flag_set).snapshot for document in both]


if __name__ == "__main__":
    for found in measured(int(sys.argv[1])):
        print(found, flush=True)
