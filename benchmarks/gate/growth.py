"""A child of the gate: compile the rule sets that grow into FOLDER: ``python -m benchmarks.gate.growth FOLDER [--tests]``.

Prints the bytes of their programs as JSON, and with --tests the mean tests of an evaluation, which are counted on programs as this tree's
compiler makes them.
"""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path

from benchmarks.gate.inputs import write_inputs
from benchmarks.workloads.growth import FAMILIES, FLAG, contexts, rule_set
from flagcore.compiler import compile_flag_set
from flagcore.model import build_flag_set

__all__ = ["SETS"]

SIZES = (10, 100, 1000)
CONTEXTS = 200
SETS = {f"growth {family} {size}": (family, size) for family in FAMILIES for size in SIZES}


def main() -> None:
    """Write what kernel_walk.c reads, and print the figures."""
    folder, with_tests = Path(sys.argv[1]), "--tests" in sys.argv
    figures: dict[str, float] = {}
    for name in SETS:
        snapshot = compile_flag_set(build_flag_set(rule_set(*SETS[name])).flag_set, debug=False).snapshot
        given = list(islice(contexts(*SETS[name]), CONTEXTS))
        (folder / name).mkdir()
        write_inputs(folder / name, snapshot.programs[FLAG], snapshot.value_sets, given)
        figures[f"{name}: program bytes"] = sum(map(len, [snapshot.programs[FLAG], *snapshot.value_sets.values()]))
        if with_tests:
            from benchmarks.growth import mean_tests  # another compiler's programs may be beyond it

            figures[f"{name}: tests an evaluation"] = mean_tests(snapshot.programs[FLAG], snapshot.value_sets, given)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
