"""The kernel by itself: its helpers against the golden vectors and the readable parsers, its build against its promises."""

from __future__ import annotations

import ctypes
import hashlib
import json
import random
import re
import struct
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from flagcore import bucketing
from flagcore.bucketing import xxh64
from flagcore.compiler import layout
from flagcore.model.literals import Version, parse_address, parse_time, parse_version, precedence
from tests.support.kernel_library import (
    COMPILERS,
    KERNEL,
    ROOT,
    SOURCES,
    FcContestant,
    FcValue,
    as_value,
    build,
    compile_command,
    kernel,
)
from tools.make_log2_table import header

VECTORS = json.loads((ROOT / "tests/conformance/bucketing-vectors.json").read_text("utf-8"))
HELPERS = ROOT / "tests/native/helpers.c"


@cache
def helpers() -> ctypes.CDLL:
    """Return the inline helpers as a library (tests/native/helpers.c)."""
    arguments = ["-O2", "-fPIC", "-shared", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error", HELPERS]
    library = ctypes.CDLL(str(build("helpers.so", arguments, [HELPERS])))
    for name in ("test_fold8", "test_hash", "test_automaton"):
        getattr(library, name).restype = ctypes.c_uint64
    library.test_fold8.argtypes = [ctypes.c_uint64]
    library.test_hash.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64, ctypes.c_int]
    library.test_compare.argtypes = [ctypes.c_int64, ctypes.c_double]
    for name in ("test_race_plain", "test_race_ends"):
        getattr(library, name).argtypes = [ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32]
    library.test_log2_table.restype = ctypes.POINTER(ctypes.c_uint64)
    return library


def exact(data: bytes) -> Any:
    """Return the bytes in a buffer of exactly their size, so that a read beyond them can be noticed."""
    return (ctypes.c_char * len(data)).from_buffer_copy(data) if data else ctypes.create_string_buffer(0)


# --- the build --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_release_build_needs_nothing(compiler: str, tmp_path: Path):
    """All sources together leave no symbol undefined but the compiler's own memcpy and memset: no libc, no allocation."""
    objects = [tmp_path / f"{source.stem}.o" for source in SOURCES]
    for source, target in zip(SOURCES, objects, strict=True):
        subprocess.run(compile_command(compiler, "-O2", "-DNDEBUG", "-c", source, "-o", target), check=True)
    whole = tmp_path / "whole.o"
    subprocess.run([compiler, "-r", "-nostdlib", "-o", whole, *objects], check=True)
    listed = subprocess.run(["nm", "-u", whole], check=True, capture_output=True, text=True).stdout
    assert set(re.findall(r"U (\w+)", listed)) <= {"memcpy", "memset"}


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("level", ["-O0", "-O3"])
def test_the_walk_compiles_without_warnings(compiler: str, level: str, tmp_path: Path):
    """A host that includes walk.h alone gets no warning, with the project's flags and more."""
    host = tmp_path / "host.c"
    host.write_text('#include "walk.h"\nint host(void);\nint host(void) { return 0; }\n')
    more = ["-Wshadow", "-Wcast-align", "-Wstrict-prototypes", "-Wundef", level, "-c", host, "-o", tmp_path / "host.o"]
    subprocess.run(compile_command(compiler, *more), check=True)


def test_no_long_and_no_recursion():
    """Kernel sources use fixed-width integers only, and include nothing but headers of the language and their own."""
    for path in sorted(KERNEL.glob("*.[ch]")):
        code = re.sub(r'/\*.*?\*/|"(?:[^"\\]|\\.)*"', '""', path.read_text("utf-8"), flags=re.DOTALL)
        assert not re.search(r"\b(long|short|unsigned|malloc|free)\b", code), path.name
        included = set(re.findall(r"#include <(.*?)>", path.read_text("utf-8")))
        assert included <= {"stddef.h", "stdint.h"}, path.name


def test_records_have_their_sizes():
    """The structs of kernel.h have the sizes that the layout says, which are those that the compiler packs."""
    sizes = (ctypes.c_uint32 * 20)()
    helpers().test_sizes(sizes)
    assert list(sizes) == [112, 32, 32, 16, 32, 32, 8, 16, 16, 16, 40, 24, 16, 40, 32, 16, 48, 32, 64, 12]
    packed = [
        layout.HEADER,
        layout.NODE,
        layout.LEAF,
        layout.SLOT,
        layout.VIEW,
        layout.VARIANT,
        layout.RULE,
        layout.LINK,
    ]
    assert [record.size for record in packed] == list(sizes[:8])


# --- hash, bucket, race -----------------------------------------------------------------------------------------------


def test_the_logarithms():
    """The table in the sources is the spec's, by its checksum, and is what the script writes."""
    numbers = struct.pack("<513Q", *helpers().test_log2_table()[:513])
    assert hashlib.sha256(numbers).hexdigest() == VECTORS["log2_table_sha256"]
    assert (KERNEL / "log2_table.h").read_text("utf-8") == header(bucketing.log2_table())


def test_hash_vectors():
    """fc_hash gives the golden hashes."""
    for vector in VECTORS["xxh64"]:
        data = bytes.fromhex(vector["input_hex"])
        assert kernel().fc_hash(data, len(data), int(vector["seed"])) == int(vector["hash"])


def test_hash_of_every_length():
    """Plain and folded hashes of 0 to 200 bytes are those of the readable implementation."""
    numbers = random.Random(1)
    for length in range(200):
        data, seed = numbers.randbytes(length), numbers.getrandbits(64)
        assert helpers().test_hash(data, length, seed, 0) == xxh64(data, seed)
        assert helpers().test_hash(data, length, seed, 1) == xxh64(data.lower(), seed)


def test_mix_expo_and_bucket_vectors():
    """The finaliser, the logarithm and the bucket give the golden numbers."""
    for vector in VECTORS["mix64"]:
        assert kernel().fc_mix(int(vector["x"])) == int(vector["out"])
    for vector in VECTORS["expo"]:
        assert kernel().fc_expo(int(vector["r"])) == int(vector["out"])
    for vector in VECTORS["position"]:
        assert kernel().fc_bucket(int(vector["h"])) == vector["bucket"]


def test_expo_everywhere():
    """The logarithm agrees with the readable one at every number of leading zeros and at random."""
    numbers = random.Random(2)
    samples = [1 << bit for bit in range(64)] + [(1 << bit) - 1 for bit in range(1, 65)]
    samples += [numbers.getrandbits(64) >> numbers.randrange(64) for _ in range(2000)]
    for sample in samples:
        assert kernel().fc_expo(sample) == bucketing.expo(sample)


@pytest.mark.parametrize("vector", VECTORS["encoding"], ids=lambda vector: vector["note"])
def test_subject_vectors(vector: dict):
    """The subject bytes of each value are the golden ones, or there are none."""
    value = "\ud800x" if "lone surrogate" in str(vector["value"]) else vector["value"]
    expected = None if vector["bytes_hex"] is None else bytes.fromhex(vector["bytes_hex"])
    assert subject(value) == expected


def subject(value: object) -> bytes | None:
    """Return fc_subject's bytes, None for length 0."""
    scratch, length, native = (ctypes.c_uint8 * 32)(), ctypes.c_uint32(), as_value(value)
    at = kernel().fc_subject(ctypes.byref(native), scratch, ctypes.byref(length))
    return ctypes.string_at(at, length.value) if length.value else None


def test_subjects_at_the_edges():
    """Integers of every length and floats around 2**53 agree with the readable rule."""
    edges = [0.0, -0.0, 0.5, 2.0**53, -(2.0**53), 2.0**53 + 2, float("inf"), float("-inf"), float("nan"), 1e300, -7.0]
    integers = [sign * 10**digits + more for digits in range(19) for sign in (1, -1) for more in (-1, 0, 1)]
    for value in [*edges, *integers, -(2**63), 2**63 - 1, 2**63, -(2**63) - 1]:
        assert subject(value) == bucketing.subject_bytes(value)


def contestants(weights: dict[str, int]) -> Any:
    """Return FcContestant[] in the order of names."""
    ordered = sorted(weights, key=str.encode)
    return (FcContestant * len(ordered))(
        *(FcContestant(at, weights[name], bucketing.variant_identity(name)) for at, name in enumerate(ordered))
    )


def race(position: int, weights: dict[str, int], base: str = "split") -> str:
    """Return fc_race's winner; two ends by the fast path as well as by the general one."""
    array, ordered, flags = contestants(weights), sorted(weights, key=str.encode), 1 if base == "percent" else 0
    winner = kernel().fc_race(position, array, len(ordered), flags)
    assert helpers().test_race_ends(position, array, len(ordered), flags) == winner
    if ordered == ["off", "on"]:
        assert kernel().fc_race(position, array, 2, flags | 2) == winner
    elif not {"on", "off"} & set(ordered):
        assert helpers().test_race_plain(position, array, len(ordered), flags) == winner
    return ordered[winner]


def test_split_vectors():
    """The race gives the golden winners, on each of its paths."""
    for vector in VECTORS["split"]:
        weights = {name: weight for name, weight in vector["weights"].items() if weight}
        position = bucketing.position(vector["salt"], bytes.fromhex(vector["subject_hex"]))
        assert race(position, bucketing.reduce_weights(weights), vector["base"]) == vector["variant"]


def test_races_at_random():
    """Races of any variants and weights, `on` and `off` among them or not, have the readable implementation's winner."""
    numbers = random.Random(3)
    names = ["on", "off", "a", "b", "control", "zeta", "é"]
    for _ in range(3000):
        chosen = numbers.sample(names, numbers.randrange(1, len(names)))
        weights = {name: numbers.choice([1, 2, 50, 999, 1 << 20]) for name in chosen}
        position, base = numbers.getrandbits(64), numbers.choice(["split", "percent"])
        assert race(position, weights, base) == bucketing.choose(position, weights, base)


def test_races_at_the_ends_of_the_ruler():
    """Positions 0 and 2**64 - 1 and those around a boundary of {on, off} are decided as by exact integers."""
    for on in (1, 500_000, 999_999):
        weights = bucketing.reduce_weights({"on": on, "off": 1_000_000 - on})
        edge = (on << 32) // 1_000_000
        for upper in (0, 1, edge - 1, edge, edge + 1, (1 << 32) - 1):
            for lower in (0, (1 << 32) - 1):
                position = max(0, upper) << 32 | lower
                assert race(position, weights, "percent") == bucketing.choose(position, weights, "percent")


# --- bytes ------------------------------------------------------------------------------------------------------------


def test_folding_changes_ascii_capitals_only():
    """Every byte value, at every place of a word, folds as bytes.lower() does."""
    for byte in range(256):
        for place in range(8):
            word = bytearray(b"zA[`@\xc3\x84Z")
            word[place] = byte
            folded = helpers().test_fold8(int.from_bytes(word, "little"))
            assert folded.to_bytes(8, "little") == bytes(word).lower()


def test_equality_of_every_length():
    """Texts of 0 to 40 bytes are equal to themselves, in any case when folded, and to nothing that differs in one byte."""
    for length in range(41):
        text = bytes((97 + at) if at % 26 else 65 for at in range(length)) if length < 30 else b"Q" * length
        low = text.lower()
        assert helpers().test_equal(exact(text), exact(text), length, 0)
        assert helpers().test_equal(exact(text), exact(low), length, 1)
        for at in range(length):
            other = low[:at] + b"\x01" + low[at + 1 :]
            assert not helpers().test_equal(exact(other), exact(low), length, 0)
            assert not helpers().test_equal(exact(other), exact(low), length, 1)


def test_short_keys():
    """Keys of 0 to 12 bytes are those bytes, zero padded, folded or not."""
    out = (ctypes.c_uint8 * 12)()
    for length in range(13):
        text = b"AbCdEfGhIjKl"[:length]
        for fold in (0, 1):
            helpers().test_short(exact(text), length, fold, out)
            assert bytes(out) == (text.lower() if fold else text).ljust(12, b"\0")


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_integers_and_doubles_compare_exactly():
    """Every pair of interesting integers and doubles has the order of the exact numbers."""
    integers = {
        sign * (1 << bits) + more for bits in (0, 31, 52, 53, 54, 62) for sign in (1, -1) for more in (-1, 0, 1)
    }
    integers |= {0, -(2**63), 2**63 - 1, 2**63 - 513, 2**63 - 1024}
    doubles = {float(number) for number in integers} | {0.5, -0.5, -0.0, 1e300, -1e300, float("inf"), float("-inf")}
    doubles |= {number + 0.5 for number in doubles}
    for integer in integers:
        for double in doubles:
            assert helpers().test_compare(integer, double) == (integer > double) - (integer < double)
        assert helpers().test_compare(integer, float("nan")) == 2


# --- versions ---------------------------------------------------------------------------------------------------------

VERSIONS = [
    "0",
    "1",
    "1.2",
    "1.2.3",
    "v1.2.3",
    "v1",
    "0.0.0",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0-1",
    "1.0.0-a.0",
    "1.0.0-0",
    "1.0.0---",
    "1.0.0-x-y-z.-",
    "1.0.0-1a",
    "1.0.0-A",
    "1.0.0-a",
    "1.0.0-18446744073709551615",
    "1.0.0+build",
    "1.0.0-rc.1+b.007",
    "1+b",
    "1.2+b.c",
    "18446744073709551615.0.0",
    "1.18446744073709551615.0",
    "1.2.18446744073709551615",
    "2097150.0.0",
    "2097151.0.0",
    "2097152.0.0",
    "1.2097150.5",
    "1.2097151.5",
    "1.2097152.5",
    "1.2.2097150",
    "1.2.2097151",
    "1.2.2097152",
    "1.2.2097151-a",
    "2097151.0.0-a",
    "1.2097151.0-z",
    "2026.11.21",
    "1.10.0",
    "1.9.9",
]
NO_VERSIONS = [
    "v",
    "V1.2.3",
    "vv1",
    "1.",
    "1.2.",
    ".1",
    "1..2",
    "01",
    "1.02",
    "1.2.03",
    "1.2.3.4",
    "1.2.3-",
    "1.2.3+",
    "1.2.3-a..b",
    "1.2.3-a.",
    "1.2.3-.a",
    "1.2.3-01",
    "1.2.3-a.01",
    "1.2-a",
    "1-a",
    "2026-01-01",
    "1.2.3-a+",
    "1.2.3+a..b",
    "1.2.3+a+b",
    "1.2.3-ä",
    "1.2.3_a",
    "-1",
    "+1",
    "18446744073709551616",
    "1.18446744073709551616",
    "1.2.3-18446744073709551616",
    "99999999999999999999",
    "1.2.3-a_b",
    "１.２",
    "",
    " 1.2.3",
    "1.2.3 ",
    "1.2.3\n",
    "1.2.3\x00",
]


def native_version(text: str) -> Version | None:
    """Return the kernel's version."""
    data, numbers, pre = text.encode(), (ctypes.c_uint64 * 4)(), (ctypes.c_uint32 * 2)()
    if not helpers().test_version(exact(data), len(data), numbers, pre):
        return None
    identifiers = data[pre[0] : pre[0] + pre[1]].decode()
    return Version(numbers[0], numbers[1], numbers[2], tuple(identifiers.split(".")) if identifiers else ())


@pytest.mark.parametrize("text", VERSIONS + NO_VERSIONS)
def test_versions_are_read_alike(text: str):
    """Kernel and readable parser agree on what is a version and on its parts."""
    assert native_version(text) == parse_version(text)
    assert (parse_version(text) is None) == (text in NO_VERSIONS)


def test_precedence_of_all_pairs():
    """Every pair of versions has the order of SemVer, whether the packed form tells or not."""
    for left in VERSIONS:
        for right in VERSIONS:
            a, b = precedence(parse_version(left)), precedence(parse_version(right))  # type: ignore[arg-type]
            one, other = left.encode(), right.encode()
            order = helpers().test_order(exact(one), len(one), exact(other), len(other))
            assert order == (a > b) - (a < b), (left, right)


def test_versions_at_random():
    """Texts made of a version's characters are read alike."""
    numbers = random.Random(4)
    for _ in range(5000):
        text = "".join(numbers.choices("v019.-+aZ", weights=[1, 4, 6, 3, 8, 2, 2, 2, 1], k=numbers.randrange(12)))
        assert native_version(text) == parse_version(text), text


# --- times ------------------------------------------------------------------------------------------------------------

TIMES = [
    "1970-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999999Z",
    "2026-12-01T09:00:00Z",
    "2026-12-01t09:00:00z",
    "2026-12-01T09:00:00+00:00",
    "2026-12-01T09:00:00-23:59",
    "2026-12-01T09:00:00+23:59",
    "0000-01-01T00:00:00Z",
    "0000-02-29T12:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "2000-02-29T00:00:00Z",
    "2024-02-29T00:00:00Z",
    "2026-12-01T09:00:00.1Z",
    "2026-12-01T09:00:00.123456789012345678901234567890Z",
    "2026-12-01T09:00:00.0000009-01:30",
    "1900-02-28T00:00:00Z",
]
NO_TIMES = [
    "2026-12-01",
    "2026-12-01T09:00:00",
    "2026-12-01T09:00Z",
    "2026-12-01T09:00:60Z",
    "2026-12-01T24:00:00Z",
    "2026-12-01T09:60:00Z",
    "2026-13-01T09:00:00Z",
    "2026-00-01T09:00:00Z",
    "2026-12-00T09:00:00Z",
    "2026-12-32T09:00:00Z",
    "2026-11-31T09:00:00Z",
    "2025-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2026-12-01T09:00:00+24:00",
    "2026-12-01T09:00:00+09:60",
    "2026-12-01T09:00:00+0900",
    "2026-12-01T09:00:00+09",
    "2026-12-01T09:00:00.Z",
    "2026-12-01T09:00:00,5Z",
    "2026-12-01T09:00:00ZZ",
    "2026-12-01T09:00:00.5",
    "26-12-01T09:00:00Z",
    "+026-12-01T09:00:00Z",
    "2026-12-01T09:00:00Z+",
    "2026/12/01T09:00:00Z",
    "2026-12-01T09:00:00.5Zx",
    "２026-12-01T09:00:00Z",
    "",
    "2026-12-01 09:00:00Z",
    " 2026-12-01T09:00:00Z",
    "2026-12-01T09:00:00Z ",
    "2026-12-01T09:00:00Z\x00",
]


def native_time(text: str) -> int | None:
    """Return the kernel's microseconds."""
    data, micros = text.encode(), ctypes.c_int64()
    return micros.value if helpers().test_time(exact(data), len(data), ctypes.byref(micros)) else None


@pytest.mark.parametrize("text", TIMES + NO_TIMES)
def test_times_are_read_alike(text: str):
    """Kernel and readable parser agree on what is a time and on its microseconds."""
    assert native_time(text) == parse_time(text)
    assert (parse_time(text) is None) == (text in NO_TIMES)


def test_every_month_of_many_years():
    """The first and the last days of months agree over four centuries and at the ends of the calendar."""
    for year in [*range(1597, 2001), 0, 1, 4, 100, 400, 9996, 9999]:
        for month in range(1, 13):
            for day in (1, 28, 29, 30, 31):
                text = f"{year:04d}-{month:02d}-{day:02d}T01:02:03Z"
                assert native_time(text) == parse_time(text), text


def test_times_at_random():
    """Times with one character replaced are read alike."""
    numbers = random.Random(5)
    for _ in range(5000):
        text = list(numbers.choice(TIMES))
        text[numbers.randrange(len(text))] = numbers.choice("0123459-+:.TZtz ")
        assert native_time("".join(text)) == parse_time("".join(text)), text


# --- addresses --------------------------------------------------------------------------------------------------------

ADDRESSES = [
    "0.0.0.0",
    "255.255.255.255",
    "10.1.2.3",
    "::",
    "::1",
    "1::",
    "1:2:3:4:5:6:7:8",
    "2001:db8::1",
    "2001:0DB8:0000::abcd",
    "::ffff:1.2.3.4",
    "::ffff:102:304",
    "::1.2.3.4",
    "1:2:3:4:5:6:7::",
    "::2:3:4:5:6:7:8",
    "1:2:3:4:5:6:1.2.3.4",
    "1::5:6:7:8",
    "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
    "0000:0000:0000:0000:0000:ffff:192.168.100.200",
    "0:0:0:0:0:ffff:0:0",
    "::fffe:1.2.3.4",
    "64:ff9b::1.2.3.4",
]
NO_ADDRESSES = [
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.04",
    "256.1.1.1",
    "1.2.3.256",
    "1.2.3.1000",
    "1..2.3",
    ".1.2.3.4",
    "1.2.3.4.",
    "1.2.3.a",
    "0x1.2.3.4",
    "1.2.3.4/32",
    "::/0",
    "fe80::1%eth0",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8",
    "12345::1",
    "::g",
    "1:",
    ":1",
    "1:2:3:4:5:6:7:",
    ":1:2:3:4:5:6:7:8",
    "::1.2.3",
    "::1.2.3.4.5",
    "::1.2.3.4:5",
    "1.2.3.4::",
    "1:2:3:4:5:6:7:1.2.3.4",
    "::01.2.3.4",
    "::256.1.1.1",
    "1:2:3:4:5:6::1.2.3.4",
    "::-1",
    "１.2.3.4",
    "::ffff:1.2.3.4::",
    "",
    " 1.2.3.4",
    "1.2.3.4 ",
    "1.2.3.4\n",
    "::1\x00",
    " ::1",
    "1" * 50,
    ":" * 50,
]


def native_address(text: str) -> tuple[int, int] | None:
    """Return the kernel's family and number."""
    data, out = text.encode(), (ctypes.c_uint64 * 3)()
    return (out[0], out[1] << 64 | out[2]) if helpers().test_address(exact(data), len(data), out) else None


@pytest.mark.parametrize("text", ADDRESSES + NO_ADDRESSES)
def test_addresses_are_read_alike(text: str):
    """Kernel and readable parser agree on what is an address and on its number."""
    assert native_address(text) == parse_address(text)
    assert (parse_address(text) is None) == (text in NO_ADDRESSES)


def test_addresses_at_random():
    """Addresses with characters replaced, taken out or put in are read alike."""
    numbers = random.Random(6)
    for _ in range(10_000):
        text = list(numbers.choice(ADDRESSES))
        for _ in range(numbers.randrange(3)):
            at = numbers.randrange(len(text))
            text[at : at + numbers.randrange(2)] = numbers.choices("0129afF:.", k=numbers.randrange(3))
            text = text or ["1"]
        assert native_address("".join(text)) == parse_address("".join(text)), text


# --- tables and sets: their readers are compared in test_tables.py and test_value_sets.py; here the kernel's own -------


def test_values_have_the_size_of_the_layout():
    """The ctypes mirror of FcValue is as large as the struct: what follows would be nonsense otherwise."""
    assert ctypes.sizeof(FcValue) == 32
