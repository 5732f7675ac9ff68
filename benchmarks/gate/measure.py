"""Take all figures of a tree of sources: instructions by callgrind, sizes, allocations."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.instructions import GETTER
from benchmarks.workloads import MAKERS

__all__ = ["ROOT", "environment_of", "is_counted", "measure"]

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SINGLE = [name for name in MAKERS if name != "W8"]
CALLS, ALL_CALLS = 1000, 10_000  # evaluations between the marks: calls.py and kernel_walk.c; evaluate_all's flags
CALL, WALK, ALL = "instructions a call", "instructions a walk", "instructions a flag of evaluate_all"
MEMORY = "bytes a flag after load"


def is_counted(name: str) -> bool:
    """Return whether a figure depends on the tool chain: counts and the interpreter's memory do, sizes of programs do not."""
    return name.endswith((CALL, WALK, ALL, MEMORY))


def measure(tree: Path = ROOT) -> dict[str, float]:
    """Return the figures of the built sources in ``tree``; workloads and method are always this tree's."""
    tree = tree.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = environment_of(tree)
        prepare = [sys.executable, "-m", "benchmarks.gate.prepare", str(folder)]
        figures: dict[str, float] = json.loads(_run(prepare, environment))
        calls = [sys.executable, str(HERE / "calls.py"), str(folder)]
        walker = [str(_build_walker(tree, folder)), str(folder)]
        jobs = [
            (SINGLE, CALL, GETTER, [*calls, "single", *SINGLE], CALLS),
            (SINGLE, WALK, "fc_walk_filled", [*walker, *SINGLE], CALLS),
            (["W8"], ALL, None, [*calls, "all", "W8"], ALL_CALLS),
        ]
        with ThreadPoolExecutor(2) as pool:
            started = [pool.submit(_count, command, inside, environment) for _, _, inside, command, _ in jobs]
            for (names, what, _, _, evaluations), counts in zip(jobs, started, strict=True):
                for workload, count in zip(names, counts.result(), strict=True):
                    figures[f"{workload}: {what}"] = count / evaluations
    return {name: round(figures[name], 2) for name in sorted(figures)}


def environment_of(tree: Path) -> dict[str, str]:
    """The tree's own package comes before an installed one; hashes are fixed, since they decide where dicts look."""
    return {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": f"{tree / 'src'}{os.pathsep}{ROOT}"}


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


def _count(command: Sequence[str], inside: str | None, environment: dict[str, str]) -> list[int]:
    """Return instructions between each pair of marks: only inside the function ``inside``, or all."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        tool = ["valgrind", "--tool=callgrind", "--zero-before=getppid", "--dump-before=getpgid"]
        toggle = [f"--toggle-collect={inside}"] if inside else []
        _run([*tool, *toggle, f"--callgrind-out-file={out}", *command], environment)
        dumps = sorted(Path(folder).glob("out.*"), key=lambda path: int(path.suffix[1:]))
        counts = [_summary(path) for path in dumps]
    if not all(counts):
        raise RuntimeError(f"nothing was counted inside {inside}: has the function another name now?")
    return counts


def _summary(path: Path) -> int:
    found = re.search(r"^(?:summary|totals): (\d+)", path.read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{path}: no totals")
    return int(found[1])
