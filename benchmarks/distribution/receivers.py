"""Processes that receive and note when: each runs a module of this folder that follows many subscribers at once.

Such a module calls ``serve_notes`` with what its subscribers note. The clock is CLOCK_MONOTONIC, one for all processes of a machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

__all__ = ["Receivers", "receivers", "serve_notes"]

Notes = dict[int, int]
"""Revision -> monotonic nanoseconds at which it was there."""

PROCESSES = 4  # that many subscribers share: as many of one machine's services as two processors bear


def serve_notes(notes: Sequence[Notes]) -> NoReturn:
    """Say that all subscribers are ready, wait for the word, and print what they noted."""
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(notes), flush=True)
    sys.stdin.readline()
    sys.exit(0)


class Receivers:
    """Child processes with so many subscribers in all."""

    def __init__(self, module: str, count: int, settings: Mapping[str, Any]) -> None:
        shares = [count // PROCESSES + (n < count % PROCESSES) for n in range(PROCESSES)]
        self.count = count
        self._processes = [_start(module, {**settings, "count": share}) for share in shares if share]

    def wait_ready(self) -> None:
        """Return when every subscriber has what was there before."""
        for process in self._processes:
            line = _stdout(process).readline()
            if line != "ready\n":
                raise RuntimeError(f"a receiver ended: {line!r}")

    @property
    def pids(self) -> list[int]:
        """Return the processes' numbers."""
        return [process.pid for process in self._processes]

    def report(self) -> list[Notes]:
        """Return what each subscriber noted."""
        found: list[Notes] = []
        for process in self._processes:
            _say(process)
            found += [
                {int(revision): t for revision, t in notes.items()} for notes in json.loads(_stdout(process).readline())
            ]
        return found

    def last_line(self) -> Any:
        """Return what the first process says of itself in the end."""
        return json.loads(_stdout(self._processes[0]).readline())

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.kill()
            process.communicate()


@contextmanager
def receivers(module: str, count: int, **settings: Any) -> Iterator[Receivers]:
    """Run ``module`` for ``count`` subscribers; they are not ready yet."""
    made = Receivers(module, count, settings)
    try:
        yield made
    finally:
        made.close()


def _start(module: str, settings: Mapping[str, Any]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"benchmarks.distribution.{module}", json.dumps(settings)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _stdout(process: subprocess.Popen[str]) -> Any:
    return process.stdout


def _say(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
