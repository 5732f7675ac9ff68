"""A child of the gate, run under callgrind: ``python calls.py FOLDER KIND WORKLOAD...`` evaluates prepared workloads.

Before and behind what is counted it calls functions of libc that callgrind is told to zero and to dump at.
"""

from __future__ import annotations

import json
import os
import sys
from itertools import cycle, islice
from pathlib import Path

import flagcore

CALLS, WARM = 1000, 300


def main() -> None:
    """Count each workload in turn, a dump each."""
    folder, kind, *names = sys.argv[1:]
    for name in names:
        data = json.loads((Path(folder) / name / "calls.json").read_text(), object_pairs_hook=_interned)
        client = flagcore.connect(str(Path(folder) / name / "flags.fcs"), watch=False)
        (_count_all if kind == "all" else _count_calls)(client, sys.intern(data["key"]), data["calls"])
        client.close()


def _interned(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Names are one object each, as the literals of a program are; values are not, as those of a request."""
    return {sys.intern(name): value for name, value in pairs}


def _count_calls(client: flagcore.Client, key: str, calls: list[tuple[dict[str, object], bool]]) -> None:
    get = client.get_boolean_value
    for context, expected in calls[:WARM]:
        if get(key, False, context) is not expected:
            raise AssertionError(f"{key} for {context}: expected {expected}")
    contexts = [context for context, _ in islice(cycle(calls), CALLS)]
    os.getppid()
    for context in contexts:
        get(key, False, context)
    os.getpgid(0)


def _count_all(client: flagcore.Client, key: str, calls: list[tuple[dict[str, object], bool]]) -> None:
    """All flags for one subject, taken out as a dict: the interpreter's own part counts, since users pay it."""
    context, expected = calls[0]
    evaluate_all = client.evaluate_all
    for _ in range(5):
        assert dict(evaluate_all(context))[key].value is expected
    os.getppid()
    for _ in range(10):
        dict(evaluate_all(context))
    os.getpgid(0)


if __name__ == "__main__":
    main()
