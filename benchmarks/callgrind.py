"""Instructions of a program, counted by valgrind.

Not that of ``flagcore bench``: with another state's sources on the path, counting has to stay this tree's.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["CountingError", "count_between_marks", "count_inside"]


class CountingError(Exception):
    """Valgrind is not installed, the program failed under it, or nothing was counted."""


def count_between_marks(command: Sequence[str], environment: Mapping[str, str], inside: str | None = None) -> list[int]:
    """Return instructions between each pair of marks, in order: calls of ``getppid`` and ``getpgid``.

    ``inside``: only those of this function and what it calls. Hashes should be fixed by ``environment`` (PYTHONHASHSEED).

    Raises:
        CountingError: they could not be counted.
    """
    options = ["--zero-before=getppid", "--dump-before=getpgid", *_toggle(inside)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        _run(options, out, command, environment)
        counts = [_total(path) for path in sorted(out.parent.glob("out.*"), key=lambda path: int(path.suffix[1:]))]
    if not all(counts):
        raise CountingError(f"nothing was counted inside {inside}: has the function another name now?")
    return counts


def count_inside(function: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Return the instructions that a command spends inside a function and what it calls.

    Raises:
        CountingError: they could not be counted.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        _run(_toggle(function), out, command, environment)
        return _total(out)


def _toggle(function: str | None) -> list[str]:
    return [] if function is None else [f"--toggle-collect={function}"]


def _run(options: Sequence[str], out: Path, command: Sequence[str], environment: Mapping[str, str]) -> None:
    program = shutil.which("valgrind")
    if program is None:
        raise CountingError("valgrind is not installed")
    tool = [program, "--tool=callgrind", *options, f"--callgrind-out-file={out}"]
    done = subprocess.run([*tool, *command], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CountingError(f"callgrind of {' '.join(command)[-200:]} failed:\n{done.stderr[-2000:]}")


def _total(path: Path) -> int:
    found = re.search(r"^(?:summary|totals): (\d+)", path.read_text(errors="replace"), re.MULTILINE)
    if found is None:
        raise CountingError(f"{path}: no totals")
    return int(found[1])
