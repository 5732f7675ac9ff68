"""Another state of the sources, built beside this one: what counts are compared with under another tool chain."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from benchmarks.gate.baseline import BASELINE
from benchmarks.gate.measure import ROOT

__all__ = ["MissingReference", "built", "commit_of_baseline", "last_release", "resolved"]


class MissingReference(Exception):
    """There is no such state here: no git, a shallow clone, an unpacked source archive."""


def commit_of_baseline(path: Path = BASELINE) -> str:
    """Return the commit that last wrote the baseline: its sources are what the figures were taken from."""
    if _git("rev-parse", "--is-shallow-repository") == "true":
        raise MissingReference("this clone is shallow: fetch the whole history (git fetch --unshallow)")
    commit = _git("log", "-1", "--format=%H", "--", str(path))
    if not commit:
        raise MissingReference(f"no commit has written {path.name} yet")
    return commit


def resolved(reference: str) -> str:
    """Return the commit that a tag, branch or commit names."""
    return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")


def last_release() -> str:
    """Return the newest tag that the sources descend from."""
    try:
        return _git("describe", "--tags", "--abbrev=0")
    except MissingReference:
        raise MissingReference("no release is tagged in this clone: name a commit to compare with") from None


@contextmanager
def built(commit: str) -> Iterator[Path]:
    """Give a temporary tree with the sources of ``commit``, built; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="flagcore-reference-") as folder:
        archive = _output("archive", "--format=tar", commit)
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            tar.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        build = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
        done = subprocess.run(build, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MissingReference(f"{commit[:12]} cannot be built here:\n{done.stderr[-2000:]}")
        yield Path(folder)


def _git(*arguments: str) -> str:
    return _output(*arguments).decode().strip()


def _output(*arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        raise MissingReference("git is not installed") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() or "no such commit"
        raise MissingReference(f"git {arguments[0]} {arguments[-1]}: {said}")
    return done.stdout
