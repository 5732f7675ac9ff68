"""Run Python in a process of its own, on the same flagcore as this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["python"]


def python(*arguments: object, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """Return what an interpreter with this process's import path, and these variables beside its own, did; not checked."""
    environment = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    command = [sys.executable, *(str(argument) for argument in arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
