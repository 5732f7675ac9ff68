"""The tools whose doing shows in counts of instructions."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

__all__ = ["tool_chain"]


def tool_chain() -> dict[str, str]:
    """Return compiler, interpreter, libc, valgrind and kind of machine; counts of others are not comparable."""
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
    return {
        "compiler": _first_line(compiler, "--version"),
        "cpython": " ".join(sys.version.split()),
        "libc": " ".join(platform.libc_ver()),
        "valgrind": _first_line("valgrind", "--version"),
        "machine": f"{platform.machine()} {_vectors()}".strip(),
    }


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return done.stdout.partition("\n")[0]


def _vectors() -> str:
    """Return the widest vectors that libc's functions may choose under valgrind."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
    return next((name for name in ("avx2", "avx", "sse4_2") if name in text), "")
