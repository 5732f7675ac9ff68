"""libflagcore: what it builds, what it opens, what it refuses, and that it answers every conformance vector."""

from __future__ import annotations

import ctypes
import hashlib
import random
import re
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bindings.case_table import LEFT_OUT, compiled, tellable, write_tables
from flagcore.compiler.value_sets import build_value_set
from flagcore.engine import Engine
from flagcore.snapshot.codec import FORMAT, decode_snapshot, encode_snapshot
from flagcore.snapshot.objects import Snapshot
from tests.support import vectors
from tests.support.c_binding import (
    BINDING,
    RACES,
    SANITIZED,
    Refusal,
    compile_against,
    driver,
    inside,
    make,
    opened,
    run,
    sealed,
    symbols,
)
from tests.support.engines import boolean, snapshot_of
from tests.support.kernel_library import COMPILERS, ROOT
from tests.support.program_builder import samples

NAMES = vectors.files_of_cases()
SMALL: dict[str, Any] = {
    "schema": "flagcore/v1",
    "segments": {"vip": {"attribute": "tenant_id", "values": ["t-1", "t-2", 7, True]}},
    "flags": {
        "a": boolean('segment("vip") or user.age >= 18 and app matches "^r[0-9]+$"', percent=25),
        "b": {
            "type": "string",
            "variants": {"x": "X", "y": "Y"},
            "requires": [{"flag": "a", "is": "on", "otherwise": "x"}],
            "default": {"x": 1, "y": 2},
        },
    },
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The conformance vectors as tables, and a small file of flags."""
    folder = tmp_path_factory.mktemp("tables")
    write_tables(folder)
    (folder / "small.fcs").write_bytes(compiled(SMALL))
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix into which the make file has installed."""
    folder = tmp_path_factory.mktemp("installed")
    make("install", PREFIX=folder)
    return folder


# --- conformance ------------------------------------------------------------------------------------------------------


def expected_counts() -> dict[str, int]:
    """Return how many cases of each file C can be asked."""
    cases = {name: vectors.read(name)["cases"] for name in NAMES}
    return {name: sum(tellable([case["context"], case["default"]]) for case in found) for name, found in cases.items()}


def counts(printed: str) -> dict[str, int]:
    """Return what the runner says it ran."""
    return {name: int(count) for name, count in (line.split() for line in printed.splitlines())}


def test_conformance_of_the_installed_library(installed: Path, tables: Path, tmp_path: Path):
    """A program built as a user builds one, on installed headers and the shared library, passes all cases in all forms."""
    config = (installed / "lib/pkgconfig/flagcore.pc").read_text()
    settings = dict(re.findall(r"^(\w+)=(.*)$", config, re.MULTILINE))
    assert settings == {
        "prefix": str(installed),
        "libdir": f"{installed}/lib",
        "includedir": f"{installed}/include/flagcore",
    }
    (tmp_path / "cases.h").write_bytes((BINDING / "cases.h").read_bytes())
    flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{tmp_path}", f"-I{settings['includedir']}"]
    program, source = tmp_path / "conformance", ROOT / "tests/bindings/conformance.c"
    linked = [f"-L{settings['libdir']}", f"-Wl,-rpath,{settings['libdir']}", "-lflagcore", "-pthread"]
    compile_against([COMPILERS[0], *flags, source, *linked, "-o", program])
    assert counts(run(program, "1", tables, *NAMES)) == expected_counts()


def test_conformance_under_sanitizers(tables: Path):
    """All cases pass under ASan and UBSan, with every text, list, context and revision in memory of exactly its size."""
    assert counts(run(driver("conformance", SANITIZED), "1", tables, *NAMES)) == expected_counts()


def test_conformance_from_many_threads(tables: Path):
    """Four threads with a context each share one revision: right answers, and no race that ThreadSanitizer sees."""
    program = driver("conformance", RACES)
    assert counts(run(program, "4", tables, *NAMES, fixed=True)) == expected_counts()


def test_few_cases_are_left_out():
    """What C cannot be asked needs a class or something that raises: fewer than one case in forty."""
    cases = [case for name in NAMES for case in vectors.read(name)["cases"]]
    left_out = [case for case in cases if not tellable([case["context"], case["default"]])]
    assert len(left_out) < len(cases) / 40
    assert all(any(spelling in str(case) for spelling in LEFT_OUT) for case in left_out)


# --- the build --------------------------------------------------------------------------------------------------------


def test_exported_and_needed_symbols(installed: Path):
    """The shared library exports fc_ and fcs_ names alone and needs nothing but the compilers' own memcpy and memset."""
    shared = installed / "lib/libflagcore.so.0"
    headers = "\n".join(path.read_text("utf-8") for path in (installed / "include/flagcore").iterdir())
    declared = set(re.findall(r"^FC_PUBLIC[^;]*?\b(fcs?_\w+)\(", headers, re.MULTILINE))
    assert symbols(shared, "-D", "--defined-only") == declared
    assert symbols(shared, "-D", "-u") <= {"memcpy", "memset"}
    assert (installed / "lib/libflagcore.so").readlink() == Path("libflagcore.so.0")
    assert b"libflagcore.so.0\0" in shared.read_bytes()


def test_installed_files(installed: Path):
    """Headers, both libraries and the pkg-config file are installed, and nothing else."""
    files = {str(path.relative_to(installed)) for path in installed.rglob("*") if not path.is_dir()}
    libraries = {"lib/libflagcore.a", "lib/libflagcore.so", "lib/libflagcore.so.0", "lib/pkgconfig/flagcore.pc"}
    headers = {f"include/flagcore/{name}.h" for name in ("flagcore", "kernel", "columns")}
    assert files == headers | libraries


@pytest.mark.parametrize("compiler", COMPILERS)
def test_sources_compile_without_warnings(compiler: str, tmp_path: Path):
    """Both compilers build the layer freestanding, with more warnings than the make file asks for."""
    more = ["-Wpedantic", "-Wshadow", "-Wcast-align", "-Wstrict-prototypes", "-Wundef", "-fsyntax-only"]
    flags = ["-std=c11", "-ffreestanding", "-Wall", "-Wextra", "-Wconversion", "-Werror", *more]
    includes = [f"-I{BINDING}", f"-I{ROOT / 'src/flagcore/kernel'}"]
    compile_against([compiler, *flags, *includes, *sorted((BINDING / "src").glob("*.c"))])


def test_headers_serve_cpp(installed: Path, tmp_path: Path):
    """Where a C++ compiler is, it takes the headers, their inline functions included."""
    source = tmp_path / "host.cpp"
    source.write_text('#include <flagcore.h>\nFcsAttribute host() { return fcs_attribute("a", fcs_from_text("b")); }\n')
    for compiler in filter(shutil.which, ("g++", "clang++")):
        compile_against(
            [compiler, "-std=c++11", "-Wall", "-Werror", "-fsyntax-only", f"-I{installed}/include/flagcore", source]
        )


# --- the example ------------------------------------------------------------------------------------------------------

VISITOR = {
    "targetingKey": "u-7",
    "session_id": "s-00002a",
    "country": "DE",
    "language": "de-DE",
    "currency": "EUR",
    "device": "app",
    "app_version": "2.9.0",
    "ip": "93.184.12.7",
    "region": "eu-central-1",
    "service": "checkout",
    "logged_in": True,
    "orders": 31,
    "loyalty": "gold",
    "cart": {"value": 84.5, "items": 3},
}
WIDTHS = (33, 35, 17, 17)  # of the columns of the example's table but the last


def columns(line: str) -> list[str]:
    """Return a row of the example's table."""
    cells = []
    for width in WIDTHS:
        cells.append(line[:width].strip())
        line = line[width:]
    return [*cells, line.strip()]


def test_the_example_agrees_with_python():
    """bindings/c/example/shop.c prints for each of the shop's flags what the Python engine answers to the same visitor."""
    build = make("example", PYTHON=sys.executable)
    printed = run(build / "shop", build / "shop.fcs", "2026-12-09").splitlines()
    engine = Engine()
    engine.load(decode_snapshot((build / "shop.fcs").read_bytes()))
    moment = vectors.moment(datetime(2026, 12, 9, tzinfo=UTC).isoformat())
    rows = {key: rest for key, *rest in map(columns, printed[1:-1])}
    assert list(rows) == list(engine.keys())
    assert printed[-1] == f"{len(rows)} flags, revision 1: callback, filled and in steps agree"
    for key, (value, variant, reason, rule) in rows.items():
        details = engine.evaluate(key, None, VISITOR, moment)
        assert (variant, reason, rule) == (
            details.variant or "",
            details.reason,
            details.flag_metadata.get("flagcore.rule", ""),
        )
        if isinstance(details.value, str | int):
            assert value == (str(details.value).lower() if isinstance(details.value, bool) else str(details.value)[:34])


def test_the_guide_compiles(installed: Path, tmp_path: Path):
    """The C of docs/guides/c.md is C: its first block as a file, the others as statements behind it."""
    blocks = re.findall(r"```c\n(.*?)```", (ROOT / "docs/guides/c.md").read_text("utf-8"), re.DOTALL)
    source = tmp_path / "guide.c"
    source.write_text(
        f"#include <stdio.h>\n{blocks[0]}\nint main(int count, char **given) {{ const FcsFlags *flags = open_flags(given[0], 0);\n"
        f"{''.join(blocks[1:])}\nreturn count + wants_express(flags, context, given[0], 3, 0); }}\n"
    )
    folder = installed / "include/flagcore"
    compile_against([COMPILERS[0], "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{folder}", "-fsyntax-only", source])


def test_the_bench_measures_right_answers(tmp_path: Path):
    """The bench runs its workloads in every form; each evaluation's answer is compared, and a wrong one ends it."""
    from bindings.c.bench.run import FORMS, WORKLOADS, write

    build = make("BUILD/bench")
    for name in WORKLOADS:
        write(tmp_path, name)
        for form in FORMS:
            if (name, form) != ("W3", "reused"):
                assert float(run(build / "bench", tmp_path, name, form, "1")) > 0


# --- digest and texts -------------------------------------------------------------------------------------------------

DIGESTS = {  # FIPS 180-4's own examples (csrc.nist.gov, "SHA-256 examples"; SHAVS), by message
    b"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    b"": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": (
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu": (
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
    ),
    b"a" * 1_000_000: "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
}


def sha256(message: bytes) -> str:
    """Return the binding's digest."""
    digest = ctypes.create_string_buffer(32)
    inside().test_sha256(message, ctypes.c_size_t(len(message)), digest)
    return digest.raw.hex()


def test_published_digests():
    """SHA-256 gives the published digests of the published messages."""
    for message, digest in DIGESTS.items():
        assert sha256(message) == digest


def test_digests_of_every_length():
    """Messages of 0 to 300 bytes, so every way of padding, have the digests of the standard library."""
    numbers = random.Random(2)
    for length in range(300):
        message = numbers.randbytes(length)
        assert sha256(message) == hashlib.sha256(message).hexdigest()


def is_utf8(content: bytes) -> bool:
    """Ask Python."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_utf8_is_what_python_takes():
    """All sequences of up to two bytes, those of three and four with dear edges, and random ones amid text: same verdict."""
    edges = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xED, 0xF4, 0xFF]
    tried = [bytes([a]) for a in range(256)] + [bytes([a, b]) for a in range(256) for b in range(256)]
    tried += [bytes([a, b, c]) for a in range(0xC0, 256) for b in edges for c in edges]
    tried += [bytes([a, b, c, 0xBF]) for a in range(0xE0, 256) for b in edges for c in edges]
    numbers = random.Random(3)
    letters = ["a", "ß", "語", "😀", "text"]
    for _ in range(3000):
        text = bytearray("".join(numbers.choices(letters, k=numbers.randrange(9))).encode() + b"!")
        text[numbers.randrange(len(text))] = numbers.randrange(256)
        tried.append(bytes(text))
    for content in tried:
        exact = (ctypes.c_char * max(1, len(content))).from_buffer_copy(content or b"\0")
        assert bool(inside().test_is_utf8(exact, ctypes.c_size_t(len(content)))) == is_utf8(content), content


# --- compiled files ---------------------------------------------------------------------------------------------------


def body_of(snapshot: Snapshot) -> list[Any]:
    """Return the fields of a snapshot's body."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot))  # type: ignore[no-any-return]


def file_of(*fields: object, **head: int) -> bytes:
    """Return a compiled file of these fields."""
    return sealed(msgspec.msgpack.encode(fields), **head)


def refusal_of(content: bytes) -> str:
    """Return why a file is not opened."""
    with pytest.raises(Refusal) as caught:
        opened(content)
    return str(caught.value)


def test_a_compiled_file_is_opened():
    """Epoch, revision and flags are those of the snapshot; the same bytes may come with or without sets and debug information."""
    snapshot = snapshot_of({"a": boolean("x == 1"), "b": boolean()}, revision=2**62)
    found = opened(encode_snapshot(snapshot))
    assert (found.epoch, found.revision, found.served, found.refused) == (snapshot.epoch, 2**62, 2, {})
    for shorter in (3, 4):
        assert opened(file_of(*body_of(snapshot)[:shorter])).served == 2
    assert opened(encode_snapshot(Snapshot(0, 1, {}))).served == 0


def test_fields_of_later_releases_are_passed_over():
    """Appended fields of any kind are skipped, however deeply nested; what is no msgpack is refused."""
    fields = [0, 1, {}, {}, {}]
    later = [None, True, -5, -(2**40), 1.5, "text", b"bytes", [1, [2, {"a": [None]}]], {"k": [1.0] * 20}, 2**64 - 1]
    extensions = [msgspec.msgpack.Ext(5, bytes(size)) for size in (1, 2, 4, 8, 16, 3, 300, 70000)]
    assert opened(file_of(*fields, *later, *extensions, "x" * 70000, list(range(70000)))).revision == 1
    head = b"\x96\x00\x01\x80\x80\x80"
    assert opened(sealed(head + b"\x91" * 500_000 + b"\xc0")).revision == 1
    assert refusal_of(sealed(head + b"\x91" * 500_000)) == "the body is no snapshot"
    assert refusal_of(sealed(head + b"\xc1")) == "the body is no snapshot"
    assert refusal_of(sealed(head + b"\xdf\xff\xff\xff\xff\xc0")) == "the body is no snapshot"


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [0, 1],
        {"epoch": 0},
        [0, 1, []],
        [0, 1, {"a": "text"}],
        [0, 1, {b"a": b""}],
        [0, 1, {1: b""}],
        [-1, 1, {}],
        [0, 2**63, {}],
        [2**63, 0, {}],
        [0.0, 1, {}],
        [None, 1, {}],
        ["0", 1, {}],
        [0, 1, {}, None],
        [0, 1, {}, {}, {"a": None}],
        [0, 1, None],
    ],
)
def test_other_shapes_are_refused(fields: object):
    """A body that is not exactly a snapshot is refused: too few fields, other kinds, numbers out of range."""
    assert refusal_of(sealed(msgspec.msgpack.encode(fields))) == "the body is no snapshot"


def test_keys_are_utf8():
    """A flag key that is not UTF-8 is no key."""
    assert refusal_of(sealed(b"\x93\x00\x01\x81\xa2\xc3\x28\xc4\x00")) == "the body is no snapshot"


def test_heads_that_are_refused():
    """Other files, later formats, cut, padded and changed files each have their own words."""
    content = compiled(SMALL)
    assert (
        refusal_of(b"") == refusal_of(content[:55]) == refusal_of(b"x" + content) == "these bytes are no compiled flags"
    )
    assert refusal_of(content[:-1]) == refusal_of(content + b"\0") == "the file is cut or padded"
    assert refusal_of(file_of(0, 1, {}, min_reader=FORMAT + 1)) == "the flags were compiled for a later release"
    changed = bytearray(content)
    changed[content.index(b"app")] ^= 1
    assert refusal_of(bytes(changed)) == "the file is corrupt: its bytes are not those that were written"


def test_one_flag_that_is_not_sound_does_not_take_others_with_it():
    """A malformed program, one under another key, and one whose value set is missing or malformed are refused by themselves."""
    programs = samples()
    linked = {key: data for key, data in programs.items() if b"segment:vip" in data}
    alone = snapshot_of({"good": boolean("x == 1"), "other": boolean()}).programs
    program = alone["good"]
    bad = {"cut": program[:-8], "empty": b"", "wrong": alone["other"], "tiny": b"FCPG"}
    found = opened(encode_snapshot(Snapshot(0, 1, {**bad, "good": program, **linked})))
    assert found.served == 1
    missing = dict.fromkeys(linked, "a value set is missing or not sound")
    assert found.refused.keys() == {*bad, *linked}
    assert {key: found.refused[key] for key in linked} == missing
    assert found.refused["wrong"] == "the program is another flag's"
    sets = {"segment:vip": build_value_set(["x"])}
    assert opened(encode_snapshot(Snapshot(0, 1, {"good": program, **linked}, sets))).refused == {}
    broken = {"segment:vip": sets["segment:vip"][:-8]}
    assert opened(encode_snapshot(Snapshot(0, 1, {"good": program, **linked}, broken))).refused == missing


def test_names_that_occur_twice_refuse_the_file():
    """A body that names a flag twice is nobody's honest work."""
    (program,) = snapshot_of({"a": boolean()}).programs.values()
    entry = b"\xa1a" + msgspec.msgpack.encode(program)
    assert refusal_of(sealed(b"\x93\x00\x01\x82" + entry + entry)) == "two objects have one name"


def test_prerequisites_in_a_circle_refuse_the_file():
    """Flags that require each other, which no compiler lets through, are not walked."""
    one, other = (
        snapshot_of(
            {
                "a": {**boolean(), "requires": [{"flag": "b", "is": "on"}]} if first else boolean(),
                "b": boolean() if first else {**boolean(), "requires": [{"flag": "a", "is": "on"}]},
            }
        ).programs
        for first in (True, False)
    )
    assert refusal_of(encode_snapshot(Snapshot(0, 1, {"a": one["a"], "b": other["b"]}))) == "prerequisites form a cycle"


def test_mutated_files(tables: Path):
    """A file cut anywhere, or with any byte changed, is refused or served soundly, under the right digest too: no finding of ASan or UBSan.

    What is opened is evaluated by a callback and in steps, with texts that are not UTF-8 among the values.
    """
    printed = run(driver("fuzz_snapshot", SANITIZED, "-DFC_STANDALONE"), tables, "small")
    found = {
        (what, words): int(count) for what, _, count, words in (line.split(" ", 3) for line in printed.splitlines())
    }
    assert found[("file", "sound")] > 1000
    for refusal in ("no compiled flags", "later release", "cut or padded", "is corrupt", "no snapshot"):
        assert any(what == "file" and refusal in words for what, words in found), refusal
    assert sum(what == "flag" for what, _ in found) > 10
