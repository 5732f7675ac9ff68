"""The floors: what no in-process call can beat.

``F`` is a method of a compiled class called with three arguments, as Cython makes one (60 instructions inside, by
callgrind): the unit of docs/design/design.md section 5. The ``bare`` floor is the same written by hand against CPython's
fast calls, without any unpacking of arguments (5 instructions): the strictest unit there is.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

__all__ = ["load_bare", "load_floor"]

Call = Callable[[object, object, object], object]

_HERE = Path(__file__).parent
_BUILD = _HERE.parents[1] / "build" / "floor"


def load_floor() -> Call:
    """Return F: the bound method ``call(key, default, context)`` of a Cython class, built when it is stale."""
    call: Call = _module("_method", _HERE / "_method.pyx").Floor().call
    return call


def load_bare() -> Call:
    """Return the bare floor: the same as a hand-written C method of fast calls."""
    call: Call = _module("_bare", _HERE / "_bare.c").Bare().call
    return call


def _module(name: str, source: Path) -> ModuleType:
    target = _BUILD / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        _build(source, target)
    loader = importlib.machinery.ExtensionFileLoader(name, str(target))
    spec = importlib.util.spec_from_file_location(name, target, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def _build(source: Path, target: Path) -> None:
    """Compile into a folder of this process's own, then put the result in place in one step: others may be building too."""
    _BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_BUILD) as name:
        folder = Path(name)
        made = folder / target.name
        _compile(_translated(source, folder) if source.suffix == ".pyx" else source, made)
        made.replace(target)


def _translated(source: Path, folder: Path) -> Path:
    translated = folder / f"{source.stem}.c"
    subprocess.run([sys.executable, "-m", "cython", str(source), "-o", str(translated)], check=True)
    return translated


def _compile(source: Path, target: Path) -> None:
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    include = sysconfig.get_paths()["include"]
    macos = sysconfig.get_platform().startswith("macosx")
    shared = ["-bundle", "-undefined", "dynamic_lookup"] if macos else ["-shared"]
    arguments = ["-O3", "-g", "-fPIC", "-w", *shared, f"-I{include}", str(source), "-o", str(target)]
    subprocess.run([*compiler, *arguments], check=True)
