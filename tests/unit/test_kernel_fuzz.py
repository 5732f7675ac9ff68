"""Hostile bytes: mutated programs and value sets through verify and, where it accepts them, through every walk.

The driver (tests/native/fuzz_program.c) runs under ASan and UBSan with buffers of exact size; it stops at the first read
beyond one, at undefined behaviour, at a result out of range, and where two forms of the walk disagree. `tools/fuzz.sh`
runs the same target with libFuzzer.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.support.c_binding import SANITIZED, make
from tests.support.kernel_library import COMPILERS, ROOT, build, status_text, verify, verify_set
from tests.support.program_builder import samples, sound_sets
from tools.make_fuzz_corpus import seeds

TARGET = ROOT / "tests/native/fuzz_program.c"
CORPUS = sorted((ROOT / "tests/native/corpus").iterdir())
ROUNDS = 1500


@cache
def driver() -> Path:
    """Return the driver, linked with the kernel that is built with sanitizers once for all drivers."""
    archive = make("BUILD/libflagcore.a", flags=SANITIZED) / "libflagcore.a"
    arguments = [*SANITIZED, "-DFC_STANDALONE", TARGET, archive]
    return build("fuzz_program", arguments, [TARGET, archive], COMPILERS[-1])


def run(files: list[Path], rounds: int = ROUNDS) -> dict[str, tuple[int, int]]:
    """Return how many mutants of each file were accepted and refused; the driver's first finding fails the test."""
    own = {
        name: value for name, value in os.environ.items() if name != "LD_PRELOAD"
    }  # the driver brings its own sanitizers
    done = subprocess.run([driver(), "1", str(rounds), *files], capture_output=True, text=True, check=False, env=own)
    assert done.returncode == 0, done.stderr[-4000:]
    found = re.findall(r"^(\S+) accepted (\d+) refused (\d+)$", done.stdout, re.MULTILINE)
    return {Path(name).name: (int(accepted), int(refused)) for name, accepted, refused in found}


@pytest.mark.parametrize("kind", ["programs", "sets"])
def test_mutants_of_hand_made_objects(kind: str, tmp_path: Path):
    """Every byte changed, and many fields at once: nothing crashes, and enough mutants are accepted to be walked."""
    objects = samples() if kind == "programs" else sound_sets()
    for name, data in objects.items():
        (tmp_path / name).write_bytes(data)
    counts = run([tmp_path / name for name in objects])
    assert counts.keys() == objects.keys()
    for accepted, refused in counts.values():
        assert accepted > 50
        assert refused > 1000


def test_mutants_of_kept_findings():
    """Inputs that led the fuzzer to new places, kept in tests/native/corpus, are still walked without a finding."""
    assert len(CORPUS) >= 5
    assert len(run(CORPUS, rounds=200)) == len(CORPUS)


def test_seeds_of_the_fuzzer_are_sound():
    """What the compiler makes of the example's and the vectors' flags is accepted: the fuzzer starts behind verify."""
    statuses = {(status_text(verify(data)), status_text(verify_set(data)))[data[:4] == b"FCST"] for data in seeds()}
    assert statuses == {"sound"}
