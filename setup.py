"""Builds the extensions of ``flagcore.evaluator`` from their Cython faces and the C kernel: ``_program``, and ``_table``.

Environment: ``FLAGCORE_DEBUG=1`` turns every check of Cython and C on, ``FLAGCORE_SANITIZE=1`` builds with ASan and UBSan,
``FLAGCORE_TRACE=1`` for line coverage (never measure speed on any of the three).
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import sys

from setuptools import Extension, setup

# Stand here once, not in the sources; tools/yellow_lines.py reads them.
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "embedsignature": True,
    "binding": False,
    "always_allow_keywords": True,
}
CHECKED = {"boundscheck": True, "wraparound": True, "cdivision": False, "initializedcheck": True, "nonecheck": True}
MACHINES = {"linux": ("x86_64", "aarch64"), "darwin": ("arm64",)}

DEBUG = os.environ.get("FLAGCORE_DEBUG") == "1"
SANITIZE = os.environ.get("FLAGCORE_SANITIZE") == "1"
TRACE = os.environ.get("FLAGCORE_TRACE") == "1"

FOLDER = "src/flagcore/evaluator"
KERNEL = "src/flagcore/kernel"


def files(folder: str, suffix: str) -> list[str]:
    """Return the files of a folder with this suffix, in a fixed order."""
    return [f"{folder}/{name}" for name in sorted(os.listdir(folder)) if name.endswith(suffix)]


def refuse_other_platforms() -> None:
    """Say what flagcore runs on, where it does not."""
    if platform.machine() not in MACHINES.get(sys.platform, ()) or platform.python_implementation() != "CPython":
        here = f"{platform.python_implementation()} on {sys.platform} {platform.machine()}"
        raise SystemExit(f"flagcore runs on CPython under Linux (x86-64, aarch64) and macOS (arm64), not on {here}.")


def compile_arguments() -> list[str]:
    """Return the C compiler's arguments for this kind of build."""
    arguments = [
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Wno-unused-parameter",
        "-fvisibility=hidden",
        "-fno-strict-overflow",
        "-fno-plt",
        "-fcf-protection=none",
    ]
    if SANITIZE:
        return [
            *arguments,
            "-O1",
            "-g",
            "-fno-omit-frame-pointer",
            "-fsanitize=address,undefined",
            "-fno-sanitize-recover=all",
        ]
    if DEBUG:
        return [*arguments, "-O0", "-g", "-UNDEBUG"]
    return [*arguments, "-O3", "-g0" if os.environ.get("FLAGCORE_SYMBOLS") != "1" else "-g"]


def extension(name: str, kernel: list[str]) -> Extension:
    """Return the extension of this name with the parts of the kernel that it needs."""
    macros: list[tuple[str, str | None]] = [("CYTHON_CLINE_IN_TRACEBACK", "0")]
    if TRACE:
        macros += [("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")]
    return Extension(
        f"flagcore.evaluator.{name}",
        [f"{FOLDER}/{name}.pyx", *kernel],
        include_dirs=[FOLDER],
        define_macros=macros,
        depends=[*files(FOLDER, ".pxd"), *files(FOLDER, ".h"), *files(KERNEL, ".h")],
        extra_compile_args=compile_arguments(),
        extra_link_args=["-fsanitize=address,undefined"] if SANITIZE else [],
    )


def extensions() -> list[Extension]:
    """Return the extensions. Only the one of tables, which few services load, has the kernel's part for columns."""
    kernel = files(KERNEL, ".c")
    columns = f"{KERNEL}/columns.c"
    return [extension("_program", [path for path in kernel if path != columns]), extension("_table", kernel)]


def translated() -> list[Extension]:
    """Return the extensions with their Cython translated; fail where Cython sees a slow exception check."""
    from Cython.Build import cythonize

    directives = {**DIRECTIVES, **(CHECKED if DEBUG else {}), **({"linetrace": True} if TRACE else {})}
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            made = cythonize(
                extensions(), compiler_directives=directives, force=DEBUG or TRACE, show_all_warnings=False
            )
    finally:
        sys.stderr.write(said.getvalue())
    if "performance hint" in said.getvalue():
        raise SystemExit("Cython gives performance hints: say noexcept or except -1 (docs/design/style.md section 2)")
    return list(made)


refuse_other_platforms()
setup(ext_modules=translated())
