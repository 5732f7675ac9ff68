"""Evaluate a plan's flags under callgrind, which zeroes its counts at getppid and dumps them at getpgid."""

from __future__ import annotations

import os
import sys

import msgspec

from flagcore.cli.bench_measure import GETTERS, Plan, Subject, engine_for, evaluations, getter
from flagcore.snapshot.codec import decode_snapshot

WARM = 2


def main() -> None:
    """Carry out the plan in the file that the command line names."""
    with open(sys.argv[1], "rb") as file:
        plan = msgspec.msgpack.decode(file.read(), type=Plan)
    engine = engine_for(decode_snapshot(plan.snapshot), plan.at)
    for subject in plan.subjects:
        _count(engine, subject)


def _count(engine: object, subject: Subject) -> None:
    get, key, default = getter(engine, subject), subject.flag_key, GETTERS[subject.value_type]
    contexts = [{sys.intern(name): value for name, value in context.items()} for context in subject.contexts]
    for context in contexts * WARM:
        get(key, default, context)
    many = contexts * (evaluations(subject) // len(contexts))
    os.getppid()
    for context in many:
        get(key, default, context)
    os.getpgid(0)


if __name__ == "__main__":
    main()
