"""What a process holds: bytes of its allocator, and pages.

In the environment COUNTED every allocation of Python, and of extensions that use the C library's allocator, is one of the C library's,
its own head included, so that differences are exact; an extension with an allocator of its own shows in the pages alone.
"""

from __future__ import annotations

import ctypes
import gc
import os
from pathlib import Path

__all__ = ["COUNTED", "allocated", "highest", "resident"]

COUNTED = {"PYTHONMALLOC": "malloc", "MALLOC_ARENA_MAX": "1"}
PAGE = os.sysconf("SC_PAGE_SIZE")

_MALLINFO2 = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class _Mallinfo2(ctypes.Structure):
    """glibc's malloc.h: ``hblkhd`` bytes are mapped, ``uordblks`` bytes come from the heap."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in _MALLINFO2)


def allocated() -> int:
    """Return the bytes that the C library's allocator has handed out (0 where it cannot tell)."""
    gc.collect()
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        return 0
    library.mallinfo2.restype = _Mallinfo2
    info = library.mallinfo2()
    return int(info.hblkhd + info.uordblks)


def resident() -> int:
    """Return the bytes that the process has in memory, freed ones given back first."""
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def highest() -> int:
    """Return the most bytes that the process has had in memory since its program began: what its parent had does not count."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
