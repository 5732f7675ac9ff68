"""A child of the gate, run under callgrind: ``python compiles.py NAME...`` compiles rule sets, the interpreter's part counted.

A count repeats to within 0.1 %: addresses decide where some of the interpreter's tables look.
"""

from __future__ import annotations

import os
import sys

from benchmarks.gate.growth import SETS
from benchmarks.workloads import make
from benchmarks.workloads.growth import rule_set
from flagcore.compiler import compile_flag_set
from flagcore.model import build_flag_set
from flagcore.model.flagset import FlagSet

WARM = "W4"


def main() -> None:
    """Compile each set between marks, a dump each, after one that does not count."""
    sets = list(map(_flag_set, sys.argv[1:]))
    compile_flag_set(_flag_set(WARM), debug=False)
    for flag_set in sets:
        os.getppid()
        compile_flag_set(flag_set, debug=False)
        os.getpgid(0)


def _flag_set(name: str) -> FlagSet:
    flags = rule_set(*SETS[name]) if name in SETS else make(name).flags
    return build_flag_set(flags).flag_set


if __name__ == "__main__":
    main()
