"""libflagcore, built by its make file, test drivers linked with it, and its functions through ctypes."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import shutil
import struct
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec

from flagcore.snapshot.codec import FORMAT, MAGIC
from tests.support.kernel_library import COMPILERS, ROOT, build

__all__ = [
    "BINDING",
    "RACES",
    "SANITIZED",
    "Opened",
    "Refusal",
    "compile_against",
    "driver",
    "inside",
    "make",
    "opened",
    "run",
    "sealed",
    "symbols",
]

BINDING = ROOT / "bindings" / "c"
DRIVERS = Path(__file__).parents[1] / "bindings"
INCLUDES = (f"-I{BINDING}", f"-I{BINDING / 'src'}")
SANITIZED = ("-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
RACES = ("-O1", "-g", "-fsanitize=thread")
RELEASE = ("-O2",)


def make(*goals: str | Path, flags: Sequence[str] = RELEASE, **settings: object) -> Path:
    """Run bindings/c/Makefile for a build with these compiler flags, which is kept between runs; return its folder."""
    digest = hashlib.sha256(" ".join(flags).encode()).hexdigest()[:16]
    folder = ROOT / "build" / "native" / f"c-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    variables = {"BUILD": folder, "CC": COMPILERS[-1], "CFLAGS": " ".join(flags), **settings}
    command = ["make", "-C", BINDING, *(f"{name}={value}" for name, value in variables.items())]
    with (folder / "lock").open("w") as lock:  # tests may run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = [str(goal).replace("BUILD", str(folder)) for goal in goals]
        done = subprocess.run([*command, *wanted], capture_output=True, text=True, check=False, env=_environment())
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    return folder


def _environment(**more: str) -> dict[str, str]:
    """Return the environment for programs that bring their own sanitizers, and for makes within make."""
    foreign = ("LD_PRELOAD", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    return {name: value for name, value in os.environ.items() if name not in foreign} | more


def driver(name: str, flags: Sequence[str], *more: str) -> Path:
    """Return a driver of tests/bindings, linked with the static library that these compiler flags make."""
    archive = make("BUILD/libflagcore.a", flags=flags) / "libflagcore.a"
    source = DRIVERS / f"{name}.c"
    arguments = ["-std=gnu11", *flags, *more, *INCLUDES, source, archive, "-pthread"]
    return build(name, arguments, [source, archive, *BINDING.rglob("*.h")], COMPILERS[-1])


def run(program: Path, *arguments: str | Path, fixed: bool = False) -> str:
    """Run a driver, at fixed addresses where its sanitizer wants them, and return what it printed; fail with what it found."""
    prefix = ["setarch", "-R"] if fixed and shutil.which("setarch") else []
    settings = _environment(ASAN_OPTIONS="detect_leaks=0")  # tables are never freed
    done = subprocess.run([*prefix, program, *arguments], capture_output=True, text=True, check=False, env=settings)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@cache
def inside() -> ctypes.CDLL:
    """Return what the binding keeps to itself (tests/bindings/helpers.c)."""
    source, digest = DRIVERS / "helpers.c", BINDING / "src" / "sha256.c"
    arguments = ["-O2", "-fPIC", "-shared", *INCLUDES, source, digest]
    return ctypes.CDLL(str(build("c_binding_helpers.so", arguments, [source, *(BINDING / "src").glob("*")])))


@cache
def _library() -> ctypes.CDLL:
    """Return the shared library."""
    loaded = ctypes.CDLL(str(make("all") / "libflagcore.so"))
    loaded.fcs_status_text.restype = ctypes.c_char_p
    loaded.fcs_revision.restype = loaded.fcs_epoch.restype = ctypes.c_uint64
    loaded.fcs_linked.restype = ctypes.c_void_p
    for function in (
        loaded.fcs_revision,
        loaded.fcs_epoch,
        loaded.fcs_refused,
        loaded.fcs_linked,
        loaded.fc_program_count,
    ):
        function.argtypes = [ctypes.c_void_p]
    loaded.fcs_size.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
    loaded.fcs_open.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
    loaded.fcs_refused_at.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p]
    return loaded


class Refusal(Exception):
    """A file that was not opened; carries the words of its status."""


class Opened(msgspec.Struct):
    """What opening a compiled file gave."""

    epoch: int
    revision: int
    served: int
    refused: dict[str, str]  # flag key -> what is wrong


class _Text(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def _refused(flags: ctypes.c_void_p) -> dict[str, str]:
    found = {}
    for index in range(_library().fcs_refused(flags)):
        key = _Text()
        status = _library().fcs_refused_at(flags, index, ctypes.byref(key))
        found[ctypes.string_at(key.bytes, key.length).decode()] = _words(status)
    return found


def _words(status: int) -> str:
    """Return a status in words."""
    return _library().fcs_status_text(status).decode()  # type: ignore[no-any-return]


def opened(content: bytes) -> Opened:
    """Open the content of a compiled file.

    Raises:
        Refusal: it was refused.
    """
    size, flags = ctypes.c_size_t(), ctypes.c_void_p()
    status = _library().fcs_size(content, len(content), ctypes.byref(size))
    if status:
        assert size.value == 0
        raise Refusal(_words(status))
    memory = (ctypes.c_uint64 * (size.value // 8))()
    status = _library().fcs_open(content, len(content), memory, size.value, ctypes.byref(flags))
    if status:
        assert not flags
        raise Refusal(_words(status))
    served = _library().fc_program_count(_library().fcs_linked(flags))
    return Opened(_library().fcs_epoch(flags), _library().fcs_revision(flags), served, _refused(flags))


def sealed(body: bytes, *, min_reader: int = FORMAT) -> bytes:
    """Return any body as a compiled file with the right head."""
    digest = hashlib.sha256(body).digest()
    return struct.pack("<8sIIQ32s", MAGIC, max(FORMAT, min_reader), min_reader, len(body), digest) + body


def symbols(path: Path, *options: str) -> set[str]:
    """Return the names that nm lists."""
    listed = subprocess.run(["nm", *options, path], check=True, capture_output=True, text=True).stdout
    return {
        line.split()[-1].partition("@")[0] for line in listed.splitlines() if line.strip() and not line.endswith(":")
    }


def compile_against(command: Sequence[str | Path]) -> None:
    """Run a compiler on a program of a user's."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
