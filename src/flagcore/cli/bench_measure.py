"""What an evaluation costs: time as a ratio to a floor, and instructions where valgrind exists.

The floor is ``operator.setitem`` called with three arguments: about the least that a call of a C function from Python does.
It is timed beside each flag, so that a slow second of the machine slows both sides of the ratio.
"""

from __future__ import annotations

import gc
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat
from operator import setitem
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from flagcore.cli.bench_contexts import Context
from flagcore.compiler.reader import ProgramReader
from flagcore.snapshot.codec import encode_snapshot

if TYPE_CHECKING:
    from flagcore.snapshot.objects import Snapshot

__all__ = [
    "GETTERS",
    "Plan",
    "Subject",
    "Timing",
    "count_instructions",
    "engine_for",
    "evaluations",
    "getter",
    "time_flags",
    "tool_chain",
    "value_type",
]

EVALUATIONS, ROUNDS = 1_000, 7
GETTERS = {
    "boolean": False,
    "string": "",
    "integer": 0,
    "float": 0.0,
    "object": None,
}  # and the callers' default values

Evaluate = Callable[[str, object, Context], object]


class Subject(msgspec.Struct, frozen=True):
    """A flag and the contexts that it is evaluated for, in turn."""

    flag_key: str
    value_type: str
    contexts: list[Context]


class Plan(msgspec.Struct, frozen=True):
    """What a child process counts."""

    snapshot: bytes
    at: int
    subjects: list[Subject]


class Timing(NamedTuple):
    """Medians over the rounds."""

    nanoseconds: float
    ratio: float


def value_type(program: bytes) -> str:
    """Return the flag type of a verified program."""
    return ProgramReader(program).value_type.name.lower()


def engine_for(snapshot: Snapshot, at: int) -> object:
    """Return an engine whose clock, which costs no Python call, stands at ``at`` (microseconds)."""
    from flagcore.engine import Engine

    engine = Engine(clock=repeat(at).__next__)
    engine.load(snapshot)
    return engine


def getter(engine: object, subject: Subject) -> Evaluate:
    """Return the typed getter that callers of this flag use."""
    found: Evaluate = getattr(engine, f"get_{subject.value_type}_value")
    return found


# -- time


def time_flags(
    engine: object, subjects: Sequence[Subject], step: Callable[[int, int | None], None]
) -> dict[str, Timing]:
    """Return what an evaluation of each takes; the loop around the calls counts on both sides."""
    found = {}
    gc.collect()
    gc.disable()
    try:
        for done, subject in enumerate(subjects):
            step(done, len(subjects))
            found[subject.flag_key] = _time_flag(getter(engine, subject), subject)
    finally:
        gc.enable()
    step(len(subjects), len(subjects))
    return found


def _time_flag(get: Evaluate, subject: Subject) -> Timing:
    each = max(1, EVALUATIONS // len(subject.contexts))
    contexts = list(chain.from_iterable(repeat(subject.contexts, each)))
    key, default = subject.flag_key, GETTERS[subject.value_type]
    samples = []
    _span(get, key, default, contexts)
    for _ in range(ROUNDS):
        floor = _floor_span(key, default, contexts)
        span = _span(get, key, default, contexts)
        samples.append((span / len(contexts), span / max(floor, 1)))
    spans, ratios = zip(*samples, strict=True)
    return Timing(statistics.median(spans), statistics.median(ratios))


def _span(get: Evaluate, key: str, default: object, contexts: Sequence[Context]) -> int:
    begun = time.thread_time_ns()
    for context in contexts:
        get(key, default, context)
    return time.thread_time_ns() - begun


def _floor_span(key: str, default: object, contexts: Sequence[Context]) -> int:
    target: dict[str, object] = {}
    begun = time.thread_time_ns()
    for _ in contexts:
        setitem(target, key, default)
    return time.thread_time_ns() - begun


# -- instructions


def tool_chain() -> dict[str, str]:
    """Return what counts depend on beside the flags; those of others are not comparable."""
    import platform

    import flagcore

    return {
        "flagcore": flagcore.__version__,
        "python": " ".join(sys.version.split()),
        "libc": " ".join(platform.libc_ver()),
        "machine": platform.machine(),
        "valgrind": _valgrind_version(),
    }


def _valgrind_version() -> str:
    program = shutil.which("valgrind")
    if program is None:
        return "none"
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip()


def count_instructions(snapshot: Snapshot, at: int, subjects: Sequence[Subject]) -> Mapping[str, float] | None:
    """Return instructions an evaluation, the interpreter's call included, by flag; None where valgrind cannot count here.

    Equal flags give equal counts, on a busy machine, too. Takes some seconds, and a hundredth of one a flag.
    """
    program = shutil.which("valgrind")
    if program is None or not subjects:
        return None
    plan = Plan(encode_snapshot(snapshot), at, list(subjects))
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, "plan"), os.path.join(folder, "out")
        with open(path, "wb") as file:
            file.write(msgspec.msgpack.encode(plan))
        tool = [program, "--tool=callgrind", "--zero-before=getppid", "--dump-before=getpgid"]
        child = [sys.executable, "-m", "flagcore.cli.bench_child", path]
        command = [*tool, f"--callgrind-out-file={out}", *child]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603
        counts = [_total(f"{out}.{number + 1}") for number in range(len(subjects))]
    if done.returncode != 0 or not all(counts):
        return None
    return {
        each.flag_key: round((count or 0) / evaluations(each), 1) for each, count in zip(subjects, counts, strict=True)
    }


def evaluations(subject: Subject) -> int:
    """Return how many evaluations of a flag are counted."""
    return 4 * len(subject.contexts)


def _total(path: str) -> int | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = re.search(r"^(?:summary|totals): (\d+)", file.read(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None
