"""The kernel as a shared library, driven through ctypes: what a host written in C sees.

Built from src/flagcore/kernel/*.c into build/native, anew whenever a source changes.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import shutil
import struct
import subprocess
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import flagcore
from flagcore.bucketing import subject_bytes

__all__ = [
    "COMPILERS",
    "FLAGS",
    "KERNEL",
    "ROOT",
    "SOURCES",
    "FcContestant",
    "FcProgram",
    "FcResult",
    "FcValue",
    "Linked",
    "NotSoundError",
    "Program",
    "aligned",
    "as_value",
    "build",
    "compile_command",
    "kernel",
    "status_text",
    "verify",
    "verify_set",
]

ROOT = Path(__file__).parents[2]
KERNEL = Path(flagcore.__file__).with_name("kernel")  # wheels carry the sources, too
SOURCES = sorted(KERNEL.glob("*.c"))
FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror")
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)] or ["cc"]

NONE = 0xFFFFFFFF
LEAF = 0x80000000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = range(-(1 << 63), 1 << 63)
_MISSING, _NULL, _BOOLEAN, _INTEGER, _FLOAT, _TEXT, _TIME, _LIST, _SUBJECT, _OTHER = range(10)


# --- building ---------------------------------------------------------------------------------------------------------


def compile_command(compiler: str, *arguments: str | Path) -> list[str]:
    """Return a command line with the warnings that the project's build makes errors."""
    return [compiler, *FLAGS, f"-I{KERNEL}", *map(str, arguments)]


def build(name: str, arguments: Sequence[str | Path], inputs: Iterable[Path], compiler: str = COMPILERS[0]) -> Path:
    """Return build/native/NAME-<digest>, built by ``compiler`` once for all processes that run tests, and kept."""
    files = [*sorted(KERNEL.glob("*.[ch]")), *inputs]
    digest = hashlib.sha256(repr((compiler, arguments)).encode() + b"".join(path.read_bytes() for path in files))
    target = ROOT / "build" / "native" / f"{name}-{digest.hexdigest()[:16]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            partial = target.with_name(f"{target.name}.partial")
            subprocess.run(compile_command(compiler, *arguments, "-o", partial), check=True)
            partial.replace(target)
    return target


# --- the interface of kernel.h ----------------------------------------------------------------------------------------


class _Union(ctypes.Union):
    _fields_ = [
        ("bytes", ctypes.c_void_p),
        ("items", ctypes.c_void_p),
        ("integer", ctypes.c_int64),
        ("number", ctypes.c_double),
    ]


class FcValue(ctypes.Structure):
    """One attribute in one evaluation."""

    _fields_ = [
        ("u", _Union),
        ("hash", ctypes.c_uint64),
        ("parsed", ctypes.c_uint64),
        ("length", ctypes.c_uint32),
        ("type", ctypes.c_uint8),
        ("done", ctypes.c_uint8),
        ("pad", ctypes.c_uint16),
    ]
    keep: object = None  # what the pointers lead to


class FcProgram(ctypes.Structure):
    """A linked program."""

    _fields_ = [
        ("bytes", ctypes.c_void_p),
        ("nodes", ctypes.c_void_p),
        ("leaves", ctypes.c_void_p),
        ("views", ctypes.c_void_p),
        ("slots", ctypes.c_void_p),
        ("links", ctypes.c_void_p),
        ("entry", ctypes.c_uint32),
        ("memo_count", ctypes.c_uint32),
        ("outcome_slot", ctypes.c_uint32),
        ("value_type", ctypes.c_uint8),
        ("detours", ctypes.c_uint8),
        ("is_plain", ctypes.c_uint8),
        ("pad", ctypes.c_uint8),
    ]


class FcFrame(ctypes.Structure):
    """The state of one evaluation."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("values", "have", "memo", "memo_have", "outcomes")]


class FcResult(ctypes.Structure):
    """Leaf, outcome and variant."""

    _fields_ = [("leaf", ctypes.c_uint32), ("outcome", ctypes.c_uint32), ("variant", ctypes.c_uint32)]


class FcContestant(ctypes.Structure):
    """A variant of a split."""

    _fields_ = [("variant", ctypes.c_uint32), ("weight", ctypes.c_uint32), ("identity", ctypes.c_uint64)]


class FcObject(ctypes.Structure):
    """An object handed to fc_link."""

    _fields_ = [
        ("bytes", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("name_length", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
    ]


FETCH = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.POINTER(FcValue))
_POINTER, _SIZE, _U32, _U64 = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_uint64
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "fc_verify": (_U32, (_POINTER, _SIZE)),
    "fc_verify_set": (_U32, (_POINTER, _SIZE)),
    "fc_status_text": (ctypes.c_char_p, (_U32,)),
    "fc_program_init": (None, (_POINTER, _POINTER, _POINTER, _POINTER)),
    "fc_walk": (FcResult, (_POINTER, _POINTER, FETCH, _POINTER)),
    "fc_walk_local": (FcResult, (_POINTER, _POINTER, FETCH, _POINTER)),
    "fc_walk_filled": (FcResult, (_POINTER, _POINTER)),
    "fc_walk_resume": (_U32, (_POINTER, _POINTER, _POINTER, _POINTER)),
    "fc_hash": (_U64, (ctypes.c_char_p, _SIZE, _U64)),
    "fc_mix": (_U64, (_U64,)),
    "fc_expo": (_U64, (_U64,)),
    "fc_bucket": (_U32, (_U64,)),
    "fc_race": (_U32, (_U64, _POINTER, _U32, _U32)),
    "fc_subject": (_POINTER, (_POINTER, _POINTER, _POINTER)),
    "fc_link_size": (_SIZE, (_POINTER, _U32, _U32)),
    "fc_link": (_U32, (_POINTER, _U32, _POINTER, _U32, _POINTER, _SIZE, _POINTER)),
    "fc_find": (_POINTER, (_POINTER, ctypes.c_char_p, _SIZE)),
    "fc_slots": (_U32, (_POINTER,)),
    "fc_outcome_slots": (_U32, (_POINTER,)),
    "fc_memo_words": (_U32, (_POINTER,)),
    "fc_slot_name": (_POINTER, (_POINTER, _U32, _POINTER)),
    "fc_program_count": (_U32, (_POINTER,)),
    "fc_program_at": (_POINTER, (_POINTER, _U32)),
    "fc_walk_all": (None, (_POINTER, _POINTER, FETCH, _POINTER, _POINTER)),
}


@cache
def kernel() -> ctypes.CDLL:
    """Return the library; built with UBSan's traps, so that undefined behaviour kills the test."""
    arguments = [
        "-O0",
        "-g",
        "-fPIC",
        "-shared",
        "-fsanitize=undefined",
        "-fsanitize-undefined-trap-on-error",
        *SOURCES,
    ]
    library = ctypes.CDLL(str(build("libflagcore.so", arguments, ())))
    for name, (result, parameters) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, parameters
    return library


class NotSoundError(Exception):
    """Bytes that fc_verify refuses."""


def aligned(data: bytes) -> ctypes.Array[ctypes.c_uint64]:
    """Return the bytes in memory that begins at a multiple of eight."""
    words = (ctypes.c_uint64 * max(1, -(-len(data) // 8)))()
    ctypes.memmove(words, data, len(data))
    return words


def verify(program: bytes) -> int:
    """Return fc_verify's status."""
    return int(kernel().fc_verify(aligned(program), len(program)))


def verify_set(value_set: bytes) -> int:
    """Return fc_verify_set's status."""
    return int(kernel().fc_verify_set(aligned(value_set), len(value_set)))


def status_text(status: int) -> str:
    """Return what a status means."""
    return str(kernel().fc_status_text(status).decode())


# --- values -----------------------------------------------------------------------------------------------------------


def as_value(value: object) -> FcValue:
    """Return a Python value as a host hands it to the kernel (kernel.h, "values")."""
    out = FcValue()
    if value is None:
        out.type = _NULL
    elif isinstance(value, bool):
        out.type, out.u.integer = _BOOLEAN, value
    elif isinstance(value, int):
        _fill_integer(out, value)
    elif isinstance(value, float):
        out.type, out.u.number = _FLOAT, value
    elif isinstance(value, str):
        _fill_text(out, value)
    elif isinstance(value, (bytes, uuid.UUID)):
        _fill_bytes(out, _SUBJECT, value if isinstance(value, bytes) else str(value).encode())
    elif isinstance(value, datetime) and value.tzinfo is not None:
        out.type, out.u.integer = _TIME, (value - _EPOCH) // timedelta(microseconds=1)
    elif isinstance(value, (list, tuple, set, frozenset)):
        _fill_list(out, [_element(item) for item in value])
    else:
        out.type = _OTHER
    return out


def _element(item: object) -> FcValue:
    other = FcValue()
    other.type = _OTHER
    return other if isinstance(item, (list, tuple, set, frozenset)) else as_value(item)


def _fill_integer(out: FcValue, value: int) -> None:
    if value in _INT64:
        out.type, out.u.integer = _INTEGER, value
        return
    subject = subject_bytes(value)
    if subject is None:
        out.type = _OTHER
    else:
        _fill_bytes(out, _SUBJECT, subject)


def _fill_text(out: FcValue, value: str) -> None:
    try:
        _fill_bytes(out, _TEXT, value.encode())
    except UnicodeEncodeError:
        _fill_bytes(out, _SUBJECT, value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode())


def _fill_bytes(out: FcValue, kind: int, data: bytes) -> None:
    out.type, out.length, out.keep = kind, len(data), ctypes.create_string_buffer(data, len(data) or 1)
    out.u.bytes = ctypes.addressof(out.keep)  # type: ignore[arg-type]


def _fill_list(out: FcValue, items: list[FcValue]) -> None:
    array = (FcValue * max(1, len(items)))()
    for at, item in enumerate(items):
        ctypes.memmove(ctypes.byref(array, at * ctypes.sizeof(FcValue)), ctypes.byref(item), ctypes.sizeof(FcValue))
    out.type, out.length, out.keep = _LIST, len(items), (array, items)
    out.u.items = ctypes.addressof(array)


# --- programs ---------------------------------------------------------------------------------------------------------


class _Layout:
    """The parts of a program's header that a host reads."""

    def __init__(self, program: bytes) -> None:
        self.bytes = program
        self.node_count, self.leaf_offset, self.leaf_count, self.slot_offset, self.slot_count = struct.unpack_from(
            "<5I", program, 24
        )
        self.link_offset, self.link_count, self.memo_count, self.outcome_count = struct.unpack_from("<4I", program, 68)

    def text(self, at: int) -> str:
        offset, length = struct.unpack_from("<II", self.bytes, at)
        return self.bytes[offset : offset + length].decode()

    def slot(self, index: int) -> tuple[str, int]:
        """Return flat key and kind."""
        at = self.slot_offset + 16 * index
        return self.text(at), struct.unpack_from("<H", self.bytes, at + 14)[0]

    def link(self, index: int) -> tuple[int, str]:
        at = self.link_offset + 16 * index
        return struct.unpack_from("<I", self.bytes, at)[0], self.text(at + 4)


def _lookup(context: Mapping[str, object], flat: str, kind: int, now: int) -> FcValue:
    if kind == 1:
        value = FcValue()
        value.type, value.u.integer = _TIME, now
        return value
    if flat not in context:
        return FcValue()
    return as_value(context[flat])


class Program:
    """A verified program, to be walked by itself; value sets by name, prerequisites absent. Attributes by flat key."""

    def __init__(self, program: bytes, value_sets: Mapping[str, bytes] | None = None) -> None:
        status = verify(program)
        if status:
            raise NotSoundError(status_text(status))
        self.layout = _Layout(program)
        self._bytes = aligned(program)
        self._sets = {name: aligned(data) for name, data in (value_sets or {}).items()}
        links = [self.layout.link(index) for index in range(self.layout.link_count)]
        self._links = (ctypes.c_void_p * max(1, len(links)))(
            *(ctypes.addressof(self._sets[name]) if kind == 1 and name in self._sets else None for kind, name in links)
        )
        self._slots = (ctypes.c_uint32 * max(1, self.layout.slot_count))(*range(self.layout.slot_count))
        self.record = FcProgram()
        kernel().fc_program_init(ctypes.byref(self.record), self._bytes, self._slots, self._links)

    def walk(self, context: Mapping[str, object], now: int = 0, form: str = "local") -> FcResult:
        """Walk for a context: by ``local``, ``wide``, ``filled`` or ``resume``."""
        return _WALKS[form](self, context, now)

    def frame(self) -> FcFrame:
        """Return a fresh frame; its arrays live as long as it does."""
        values = (FcValue * max(1, self.layout.slot_count))()
        words = [(ctypes.c_uint64 * max(1, count))() for count in (self.layout.slot_count, self.layout.memo_count)]
        memo_have = (ctypes.c_uint64 * (1 + self.layout.memo_count // 64))()
        outcomes = (ctypes.c_uint64 * 1)()
        frame = FcFrame(*(ctypes.addressof(part) for part in (values, *words, memo_have, outcomes)))
        frame.keep = (values, *words, memo_have, outcomes, [])
        return frame

    def value(self, context: Mapping[str, object], slot: int, now: int) -> FcValue:
        """Return the value of a slot."""
        return _lookup(context, *self.layout.slot(slot), now)


def _fetcher(read: Callable[[int], FcValue], kept: list[tuple[int, FcValue]]) -> Any:
    def fetch(_: int, slot: int, out: Any) -> None:
        value = read(slot)
        kept.append((slot, value))
        ctypes.memmove(out, ctypes.byref(value), ctypes.sizeof(FcValue))

    return FETCH(fetch)


def _check_fetches(kept: list[tuple[int, FcValue]]) -> None:
    slots = [slot for slot, _ in kept]
    assert len(slots) == len(set(slots)), "an attribute is fetched at most once"


def _walk_fetching(program: Program, context: Mapping[str, object], now: int, function: str) -> FcResult:
    kept: list[tuple[int, FcValue]] = []
    fetch = _fetcher(lambda slot: program.value(context, slot, now), kept)
    frame = program.frame()
    result = getattr(kernel(), function)(ctypes.byref(program.record), ctypes.byref(frame), fetch, None)
    _check_fetches(kept)
    return result  # type: ignore[no-any-return]


def _fill(program: Program, frame: FcFrame, slot: int, context: Mapping[str, object], now: int) -> None:
    value = program.value(context, slot, now)
    frame.keep[-1].append(value)  # type: ignore[attr-defined]
    ctypes.memmove(frame.values + 32 * slot, ctypes.byref(value), 32)  # type: ignore[operator]
    frame.keep[1][slot // 64] |= 1 << slot % 64  # type: ignore[attr-defined]


def _walk_filled(program: Program, context: Mapping[str, object], now: int) -> FcResult:
    frame = program.frame()
    for slot in range(program.layout.slot_count):
        _fill(program, frame, slot, context, now)
    return kernel().fc_walk_filled(ctypes.byref(program.record), ctypes.byref(frame))  # type: ignore[no-any-return]


def _walk_resuming(program: Program, context: Mapping[str, object], now: int) -> FcResult:
    frame, at, result = program.frame(), ctypes.c_uint32(program.record.entry), FcResult()
    arguments = [ctypes.byref(part) for part in (program.record, at, frame, result)]
    while (slot := kernel().fc_walk_resume(*arguments)) != NONE:
        _fill(program, frame, slot, context, now)
    return result


_WALKS: dict[str, Callable[[Program, Mapping[str, object], int], FcResult]] = {
    "local": lambda program, context, now: _walk_fetching(program, context, now, "fc_walk_local"),
    "wide": lambda program, context, now: _walk_fetching(program, context, now, "fc_walk"),
    "filled": _walk_filled,
    "resume": _walk_resuming,
}


# --- linked sets ------------------------------------------------------------------------------------------------------


class Linked:
    """Programs and value sets linked by fc_link."""

    def __init__(self, programs: Sequence[bytes], value_sets: Mapping[str, bytes] | None = None) -> None:
        self._bytes = [aligned(program) for program in programs]
        sets = list((value_sets or {}).items())
        self._set_bytes = [aligned(data) for _, data in sets]
        self._objects = (FcObject * max(1, len(programs)))(
            *(FcObject(ctypes.addressof(a), None, 0, len(p)) for a, p in zip(self._bytes, programs, strict=True))
        )
        self._set_objects = (FcObject * max(1, len(sets)))(
            *(
                FcObject(ctypes.addressof(a), name.encode(), len(name.encode()), len(data))
                for a, (name, data) in zip(self._set_bytes, sets, strict=True)
            )
        )
        size = kernel().fc_link_size(self._objects, len(programs), len(sets))
        self._memory = (ctypes.c_uint64 * (size // 8 + 1))()
        self._linked = ctypes.c_void_p()
        status = kernel().fc_link(
            *(self._objects, len(programs), self._set_objects, len(sets)),
            *(self._memory, size, ctypes.byref(self._linked)),
        )
        if status:
            raise NotSoundError(status_text(status))

    def find(self, key: str) -> int | None:
        """Return the address of a flag's FcProgram."""
        found = kernel().fc_find(self._linked, key.encode(), len(key.encode()))
        return None if found is None else int(found)

    @property
    def count(self) -> int:
        """How many programs there are."""
        return int(kernel().fc_program_count(self._linked))

    def slot_names(self) -> list[tuple[str, int, tuple[int, ...]]]:
        """Return flat key, kind and lengths of the names of each evaluation slot from 1 on."""
        return [self._slot(slot) for slot in range(1, kernel().fc_slots(self._linked))]

    def _slot(self, slot: int) -> tuple[str, int, tuple[int, ...]]:
        base = ctypes.c_void_p()
        record = kernel().fc_slot_name(self._linked, slot, ctypes.byref(base))
        offset, length, parts, count, kind = struct.unpack("<IIIHH", ctypes.string_at(record, 16))
        flat = ctypes.string_at(base.value + offset, length).decode()  # type: ignore[operator]
        if count == 1:
            return flat, kind, (length,)
        return flat, kind, struct.unpack(f"<{count}I", ctypes.string_at(base.value + parts, 4 * count))  # type: ignore[operator]

    def _frame(self) -> FcFrame:
        slots = kernel().fc_slots(self._linked)
        memo = kernel().fc_memo_words(self._linked)
        values = (FcValue * slots)()
        words = [(ctypes.c_uint64 * (1 + n))() for n in (slots // 64, memo, memo // 64)]
        outcomes = (ctypes.c_uint64 * (1 + kernel().fc_outcome_slots(self._linked)))()
        frame = FcFrame(*(ctypes.addressof(part) for part in (values, *words, outcomes)))
        frame.keep = (values, *words, outcomes)
        return frame

    def _reader(self, context: Mapping[str, object], now: int) -> Callable[[int], FcValue]:
        names = self.slot_names()
        return lambda slot: _lookup(context, "", 1, now) if slot == 0 else _lookup(context, names[slot - 1][0], 0, now)

    def walk(self, key: str, context: Mapping[str, object], now: int = 0) -> FcResult:
        """Walk one flag with its prerequisites."""
        kept: list[tuple[int, FcValue]] = []
        fetch, frame = _fetcher(self._reader(context, now), kept), self._frame()
        result = kernel().fc_walk(self.find(key), ctypes.byref(frame), fetch, None)
        _check_fetches(kept)
        return result  # type: ignore[no-any-return]

    def walk_all(self, context: Mapping[str, object], now: int = 0) -> list[FcResult]:
        """Walk every program for one frame."""
        kept: list[tuple[int, FcValue]] = []
        fetch, frame, results = (
            _fetcher(self._reader(context, now), kept),
            self._frame(),
            (FcResult * max(1, self.count))(),
        )
        kernel().fc_walk_all(self._linked, ctypes.byref(frame), fetch, None, results)
        _check_fetches(kept)
        return list(results)[: self.count]
