"""Make the sdist, and the wheel from that sdist: what is shipped is built from what is shipped.

Run as ``python tools/package.py DIRECTORY``. Uses the running environment's setuptools and Cython (no isolation), so that it
works without a network.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

__all__ = ["build"]

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("src", "tests", "docs", "examples", "tools", "benchmarks", "bindings")
HOOK = "import sys, setuptools.build_meta as backend; print(getattr(backend, sys.argv[1])(sys.argv[2]))"
CLUTTER = shutil.ignore_patterns("*.so", "_program.c", "_table.c", "__pycache__", "*.egg-info", "*.pyc", ".hypothesis")


def build(directory: Path) -> tuple[Path, Path]:
    """Return the paths of the sdist and the wheel made in ``directory``.

    Works on a copy of the sources, so that nothing is written beside them. Takes as long as compiling the extension.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "copy")
        _copy_sources(copy)
        sdist = directory / _hook("build_sdist", copy, directory)
        with tarfile.open(sdist) as archive:
            archive.extractall(scratch, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        unpacked = Path(scratch, sdist.name.removesuffix(".tar.gz"))
        wheel = directory / _hook("build_wheel", unpacked, directory)
    return sdist, wheel


def _copy_sources(target: Path) -> None:
    target.mkdir()
    for part in PARTS:
        shutil.copytree(ROOT / part, target / part, ignore=CLUTTER)
    for file in ROOT.iterdir():
        if file.is_file() and not file.name.startswith("."):
            shutil.copy2(file, target)


def _hook(name: str, source: Path, directory: Path) -> str:
    """Run one PEP 517 hook in ``source``; return the name of the file that it made."""
    run = subprocess.run(
        [sys.executable, "-c", HOOK, name, str(directory)], cwd=source, capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise SystemExit(f"{name} failed:\n{run.stdout}\n{run.stderr}")
    return run.stdout.splitlines()[-1]


if __name__ == "__main__":
    for path in build(Path(sys.argv[1] if len(sys.argv) > 1 else "dist")):
        print(f"{path}  {path.stat().st_size / 1000:.0f} kB")
