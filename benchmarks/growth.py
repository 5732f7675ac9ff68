"""How cost grows with the number of rules: ``python -m benchmarks.growth [--json] [--sizes N,...] [family ...]``.

For each rule set of benchmarks/workloads/growth.py: mean tests of an evaluation over seeded contexts, entries of the decision
graph, bytes of the program, CPU time of the compiler. A test is a node of the program on the way, or a column of a block in
place of the block itself. Tests, entries and bytes are the same on every machine; the figures beside them are those of
docs/design/compiler.md section 6.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

from benchmarks.machine import keep, machine
from benchmarks.walkers.graph_walker import count_entries
from benchmarks.walkers.program_walker import Walker
from benchmarks.workloads.base import Context
from benchmarks.workloads.growth import FAMILIES, FLAG, contexts, rule_set
from flagcore.compiler import Options, compile_flag_set
from flagcore.compiler.graph import build_graph
from flagcore.compiler.layout import Op, ViewKind
from flagcore.compiler.plan import plan_flag
from flagcore.compiler.reader import BlockRecord, MultiRecord, NodeRecord, ProgramReader
from flagcore.compiler.rows import normalise, source_weight
from flagcore.compiler.value_objects import ValueObjects
from flagcore.engine import Engine
from flagcore.model import loads
from flagcore.model.flagset import FlagSet
from flagcore.model.literals import parse_version, precedence
from flagcore.reference import Twin
from flagcore.snapshot.objects import Snapshot

__all__ = ["DESIGN", "SIZES", "Growth", "mean_tests", "measure"]

OPTIONS = Options(
    literal_runs=1_000_000
)  # 10,000 rules over 6 of 20 attributes come to more than a flag may usually have
SIZES = (1, 10, 100, 1_000, 10_000)
CONTEXTS = 200
ROUNDS = 50
CHECKED = 3  # contexts whose answer is compared with the twin's, which walks every rule
DESIGN = {  # mean tests at SIZES, docs/design/compiler.md section 6
    "equal": (1, 1, 1, 1, 1),
    "realistic": (1.2, 6, 11, 16, 16),
    "exceptions": (1, 6.5, 7.3, 7.1, 7.2),
    "boxes": (1, 1.1, 2, 2.2, 3.9),
    "affixes": (1, 1.4, 1.4, 1.4, 1.3),
    "tags": (1, 3, 3.5, 3.4, 3.4),
    "wide": (1.5, 13, 32, 54, 54),
    "narrow": (1.1, 8, 17, 51, 157),
    "six": (1.1, 8, 28, 116, 333),
}


class Growth(NamedTuple):
    """One rule set, compiled and walked."""

    family: str
    rules: int
    tests: float
    entries: int
    entries_per_weight: float  # at most 4K + 4
    bytes: int
    compile_ms: float  # CPU, without debug information
    nanoseconds: float  # of a typed getter with a plain dict, the least mean of several rounds


def measure(family: str, rules: int, evaluations: int = CONTEXTS) -> Growth:
    """Compile a rule set and walk it; asserts some answers against the twin."""
    flag_set = loads(json.dumps(rule_set(family, rules)), "json").flag_set
    start = time.process_time()
    snapshot = compile_flag_set(flag_set, debug=False, options=OPTIONS).snapshot
    spent = time.process_time() - start
    program = _Reader(snapshot.programs[FLAG])
    walked = list(islice(contexts(family, rules), evaluations))
    mean = mean_tests(program.data, snapshot.value_sets, walked)
    _check(flag_set, program, snapshot.value_sets, walked[:CHECKED])
    entries, weight = _entries(flag_set)
    per_weight = round(entries / weight, 2)
    nanoseconds = _timed(snapshot, walked)
    return Growth(family, rules, mean, entries, per_weight, len(program.data), round(1000 * spent, 1), nanoseconds)


def mean_tests(program: bytes, value_sets: dict[str, bytes], given: Sequence[Context]) -> float:
    """Return the mean tests of an evaluation over some contexts of one of these rule sets."""
    reader = _Reader(program)
    return round(sum(_count(reader, value_sets, context) for context in given) / len(given), 2)


def _timed(snapshot: Snapshot, given: Sequence[Context]) -> float:
    engine = Engine()
    engine.load(snapshot)
    getter, rounds = engine.get_boolean_value, []
    for _ in range(ROUNDS):
        start = time.thread_time_ns()
        for context in given:
            getter(FLAG, False, context)
        rounds.append(time.thread_time_ns() - start)
    return round(min(rounds) / len(given), 1)


def _entries(flag_set: FlagSet) -> tuple[int, int]:
    """Return the entries of the flag's graph, and the weight of its rules."""
    plan = plan_flag(flag_set.flags[FLAG], flag_set.segments, ValueObjects(), OPTIONS)
    built = build_graph(plan, OPTIONS)
    return count_entries(built.graph, built.root), source_weight(plan.formulas, normalise(plan.formulas, plan.rows))


def _count(program: _Reader, value_sets: dict[str, bytes], context: Context) -> int:
    ending = _Walker({}, value_sets, context).walk(program)
    return ending.steps - sum(program.nodes[number].op is Op.BLOCK for number in ending.nodes)


def _check(flag_set: FlagSet, program: _Reader, value_sets: dict[str, bytes], given: Sequence[Context]) -> None:
    twin = Twin(flag_set)
    for context in given:
        ending = _Walker({}, value_sets, context).walk(program)
        assert ending.leaf.rule == twin.evaluate(FLAG, False, context, at=0).rule


class _Reader(ProgramReader):
    """Reads each block, and the constants of each view, once."""

    def block(self, node: NodeRecord) -> BlockRecord:
        return _block(self, node)

    def multi(self, node: NodeRecord) -> MultiRecord:
        return _multi(self, node)

    def __hash__(self) -> int:
        return id(self)


@cache
def _block(program: _Reader, node: NodeRecord) -> BlockRecord:
    return ProgramReader.block(program, node)


@cache
def _multi(program: _Reader, node: NodeRecord) -> MultiRecord:
    return ProgramReader.multi(program, node)


@cache
def _constants(program: _Reader, number: int) -> Any:
    view = program.views[number]
    match view.kind:
        case ViewKind.TEXT:
            return dict(program.table_keys(view.data))
        case ViewKind.NUMBER:
            return program.numbers(view)
        case ViewKind.VERSION:
            return [_version(text) for text in program.versions(view.data, view.constants)]
        case ViewKind.SUFFIX:
            return {text[::-1]: 3 + index for index, text in enumerate(program.affixes(view))}
        case _:
            return {text: 3 + index for index, text in enumerate(program.affixes(view))}


def _version(text: str) -> object:
    version = parse_version(text)
    assert version is not None
    return precedence(version)


class _Walker(Walker):
    """Finds classes by look-up; the contexts of these rule sets hold values of the right type only."""

    def view_class(self, program: ProgramReader, number: int) -> int:
        assert isinstance(program, _Reader)
        view = program.views[number]
        value: Any = self._value(program, view.slot)
        if value is None or view.kind not in _CLASSED:
            return super().view_class(program, number)
        constants = _constants(program, number)
        if view.kind is ViewKind.TEXT:
            return int(constants.get(value, 2))
        if view.kind in (ViewKind.NUMBER, ViewKind.VERSION):
            key = value if view.kind is ViewKind.NUMBER else _version(value)
            below = bisect_right(constants, key)
            return 2 * below + (1 if below and constants[below - 1] == key else 2)
        text = value[::-1] if view.kind is ViewKind.SUFFIX else value
        return next((constants[text[:size]] for size in range(len(text), 0, -1) if text[:size] in constants), 2)


_CLASSED = {ViewKind.TEXT, ViewKind.NUMBER, ViewKind.VERSION, ViewKind.PREFIX, ViewKind.SUFFIX}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print, family by family."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("families", nargs="*", metavar="family", help=", ".join(FAMILIES))
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of rules")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", action="store_true", help="keep the figures in benchmarks/records/")
    options = parser.parse_args(arguments)
    found: list[Growth] = []
    load = os.getloadavg()[0]
    for family in options.families or FAMILIES:
        for size in map(int, options.sizes.split(",")):
            found.append(measure(family, size))
            if not options.json:
                print(_line(found[-1]), flush=True)
    sets = [{**growth._asdict(), "design": _design(growth)} for growth in found]
    if options.json:
        print(json.dumps(sets, indent=1))
    if options.record:
        keep({**machine(), "load_average": load, "sets": sets}, "growth-")
    return 0


def _design(growth: Growth) -> float | None:
    return dict(zip(SIZES, DESIGN[growth.family], strict=True)).get(growth.rules)


def _line(growth: Growth) -> str:
    design = _design(growth) or ""
    return (
        f"{growth.family:<12}{growth.rules:>7,} rules {growth.tests:>8.1f} tests (design {design:>5}) "
        f"{growth.entries:>9,} entries {growth.entries_per_weight:>5.2f} W {growth.bytes:>10,} B "
        f"{growth.compile_ms:>9.1f} ms {growth.nanoseconds:>7.0f} ns"
    )


if __name__ == "__main__":
    sys.exit(main())
