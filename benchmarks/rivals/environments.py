"""An environment for each peer, made from its pinned requirements when they have changed."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.rivals.peer import progress, requirements

__all__ = ["make_environment", "run_in"]

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ROOT / "build" / "rivals"  # not below benchmarks/: what is packed from there would take them along


def make_environment(peer: str) -> None:
    """Install a peer's packages, unless they are there already.

    The environment takes this project from its tree: the interpreter is the one that built the extension.
    """
    pins = requirements(peer).read_text()
    wanted = f"{sys.version}\n{pins}"
    folder = ENVIRONMENTS / peer
    done = folder / "installed.txt"
    if done.exists() and done.read_text() == wanted:
        return
    progress(f"installing {peer}")
    venv.create(folder, clear=True, with_pip=True)
    command = [_python(peer), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "-r", str(requirements(peer))], check=True)
    done.write_text(wanted)


def run_in(peer: str, arguments: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None) -> str:
    """Return what ``python -m arguments`` prints in the peer's environment.

    Raises:
        CalledProcessError: it failed; what it said stands on standard error.
        TimeoutExpired: it took longer than ``seconds``.
    """
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    variables = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0", **(environment or {})}
    command = [_python(peer), "-m", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True, timeout=seconds, check=True
    )
    return done.stdout


def _python(peer: str) -> str:
    return str(ENVIRONMENTS / peer / "bin" / "python")
