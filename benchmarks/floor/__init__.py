"""Builds and loads the floor: a C method called with three arguments, what no in-process call can beat."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import shlex
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

__all__ = ["load_floor"]

_SOURCE = Path(__file__).with_name("_floor.c")
_BUILD = Path(__file__).parents[2] / "build" / "floor"


def load_floor() -> Callable[[object, object, object], object]:
    """Return the bound C method ``call(key, default, context)``, built with the interpreter's own compiler when it is stale."""
    target = _BUILD / f"_floor{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not target.exists() or target.stat().st_mtime < _SOURCE.stat().st_mtime:
        _compile(target)
    loader = importlib.machinery.ExtensionFileLoader("_floor", str(target))
    spec = importlib.util.spec_from_file_location("_floor", target, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    call: Callable[[object, object, object], object] = module.Floor().call
    return call


def _compile(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    include = sysconfig.get_paths()["include"]
    shared = ["-bundle", "-undefined", "dynamic_lookup"] if sysconfig.get_platform().startswith("macosx") else ["-shared"]
    subprocess.run([*compiler, "-O3", "-g", "-fPIC", *shared, f"-I{include}", str(_SOURCE), "-o", str(target)], check=True)
