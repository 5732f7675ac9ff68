"""Take all figures of a tree of sources: instructions by callgrind, sizes, allocations."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.callgrind import count_between_marks
from benchmarks.gate.growth import SETS
from benchmarks.instructions import GETTER
from benchmarks.workloads import MAKERS

__all__ = ["ROOT", "environment_of", "is_counted", "measure"]

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SINGLE = [name for name in MAKERS if name != "W8"]
COMPILED = ("W4", "growth realistic 100", "growth narrow 100")
FORMS = {"pairs": "attributes as pairs", "reused": "context reused"}  # of bindings/c/bench
CALLS, ALL_CALLS = 1000, 10_000  # evaluations between the marks: calls.py and kernel_walk.c; evaluate_all's flags
CALL, WALK, ALL = "instructions a call", "instructions a walk", "instructions a flag of evaluate_all"
COMPILE, FROM_C = "instructions to compile", "instructions a call from C"
LOAD, SWAP = "W9: instructions a flag to load", "W13: instructions to swap one flag"
MEMORY = ("bytes a flag after load", "bytes a flag when all were asked for")
LOADED, SWAPS = 1000, 10  # flags and swaps between the marks of loads.py


class _Count(NamedTuple):
    """Something to run under callgrind."""

    subjects: Sequence[str]  # a pair of marks each
    what: str
    inside: str | None  # count only inside this function; None: all that is run
    command: Sequence[str]
    evaluations: int


def is_counted(name: str) -> bool:
    """Return whether a figure depends on the tool chain: counts and the interpreter's memory do, sizes of programs do not."""
    return "instructions" in name or name.endswith(MEMORY)


def measure(tree: Path = ROOT, *, tests: bool = True) -> dict[str, float]:
    """Return the figures of the built sources in ``tree``; workloads and method are always this tree's.

    Without ``tests`` the tests of evaluations are left out: counting them takes programs as this tree's compiler makes them.
    """
    tree = tree.resolve()
    environment = environment_of(tree)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(2) as pool:
        folder = Path(name)
        prepare, growth = (_python(f"benchmarks.gate.{part}", folder) for part in ("prepare", "growth"))
        growth += ["--tests"] if tests else []
        sizes = [pool.submit(_figures, child, environment) for child in (prepare, growth)]
        figures = {name: number for part in sizes for name, number in part.result().items()}
        loads = pool.submit(_count_loads, folder, environment)
        from_c = pool.submit(_count_from_c, tree, folder, environment)
        counts = [pool.submit(_count_each, count, environment) for count in _counts(tree, folder)]
        for part in (loads, from_c, *counts):
            figures |= part.result()
    return {name: round(figures[name], 2) for name in sorted(figures)}


def _python(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]


def _counts(tree: Path, folder: Path) -> list[_Count]:
    calls = [sys.executable, str(HERE / "calls.py"), str(folder)]
    walker = [str(_build_walker(tree, folder)), str(folder)]
    compiles = [sys.executable, str(HERE / "compiles.py")]
    return [
        _Count(COMPILED, COMPILE, None, [*compiles, *COMPILED], 1),
        _Count(SINGLE, CALL, GETTER, [*calls, "single", *SINGLE], CALLS),
        _Count([*SINGLE, *SETS], WALK, "fc_walk_filled", [*walker, *SINGLE, *SETS], CALLS),
        _Count(["W8"], ALL, None, [*calls, "all", "W8"], ALL_CALLS),
    ]


def _count_each(count: _Count, environment: dict[str, str]) -> dict[str, float]:
    found = zip(count.subjects, count_between_marks(count.command, environment, count.inside), strict=True)
    return {f"{subject}: {count.what}": each / count.evaluations for subject, each in found}


def _count_loads(folder: Path, environment: dict[str, str]) -> dict[str, float]:
    """Count a load of the flags of W8, and swaps."""
    load, swaps = count_between_marks([sys.executable, str(HERE / "loads.py"), str(folder)], environment)
    return {LOAD: load / LOADED, SWAP: swaps / SWAPS}


def _count_from_c(tree: Path, folder: Path, environment: dict[str, str]) -> dict[str, float]:
    """Build the tree's libflagcore with its bench, and count evaluations."""
    build = folder / "c"
    compiler = sysconfig.get_config_var("CC") or "cc"
    _run(["make", "-C", str(tree / "bindings/c"), f"BUILD={build}", f"CC={compiler}", str(build / "bench")], _alone())
    found = _figures(_python("bindings.c.bench.run", build, *FORMS), environment)
    return {f"{name.split()[0]}: {FROM_C}, {FORMS[name.split()[1]]}": number for name, number in found.items()}


def _alone() -> dict[str, str]:
    """Return the environment for a make that is not a part of the make around it."""
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def environment_of(tree: Path) -> dict[str, str]:
    """The tree's own package comes before an installed one; hashes are fixed, since they decide where dicts look."""
    return {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": f"{tree / 'src'}{os.pathsep}{ROOT}"}


def _figures(command: Sequence[str], environment: dict[str, str]) -> dict[str, float]:
    """Run a child that prints figures as JSON."""
    return json.loads(_run(command, environment))  # type: ignore[no-any-return]


def _run(command: Sequence[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)} failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    return done.stdout


def _build_walker(tree: Path, folder: Path) -> Path:
    kernel = tree / "src" / "flagcore" / "kernel"
    target = folder / "kernel_walk"
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    more = shlex.split(os.environ.get("CFLAGS", ""))
    sources = [str(HERE / "kernel_walk.c"), *map(str, sorted(kernel.glob("*.c")))]
    own = ["-std=gnu11", "-O3", "-fno-strict-overflow", "-fcf-protection=none", f"-I{kernel}"]
    _run([*compiler, *own, *more, *sources, "-o", str(target)], dict(os.environ))
    return target
