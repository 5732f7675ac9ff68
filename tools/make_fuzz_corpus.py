"""Writes seeds for fuzzing the kernel: hand-made programs with every operation, and compiled flags of the examples and vectors.

Usage: python tools/make_fuzz_corpus.py FOLDER
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from flagcore.compiler import compile_flag_set  # noqa: E402
from flagcore.errors import FlagSetError  # noqa: E402
from flagcore.model import FlagSet, build_flag_set, load  # noqa: E402
from tests.support.program_builder import samples, sound_sets  # noqa: E402
from tests.support.random_forks import random_forks  # noqa: E402

__all__ = ["seeds"]

MOST = 16 * 1024  # bytes of a seed: larger ones only slow the fuzzer down


def _flag_sets() -> Iterator[FlagSet]:
    """Yield the example's flags and those of the conformance vectors."""
    yield load(ROOT / "examples" / "shop").flag_set
    for path in sorted((ROOT / "tests" / "conformance").glob("*.json")):
        document = json.loads(path.read_text("utf-8")).get("flag_set")
        if document is None:
            continue
        try:
            yield build_flag_set(document).flag_set
        except FlagSetError:
            continue  # vectors of what is refused


def seeds() -> Iterator[bytes]:
    """Yield sound programs and value sets, the hand-made ones first."""
    yield from samples().values()
    yield from sound_sets().values()
    yield from (random_forks(number).finish() for number in range(40))
    for flag_set in _flag_sets():
        snapshot = compile_flag_set(flag_set, debug=False).snapshot
        yield from (data for data in (*snapshot.programs.values(), *snapshot.value_sets.values()) if len(data) <= MOST)


def main(arguments: Sequence[str]) -> None:
    """Write each seed to the folder, named by its digest."""
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    written = {hashlib.sha256(data).hexdigest()[:16]: data for data in seeds()}
    for name, data in written.items():
        (folder / name).write_bytes(data)
    print(f"{len(written)} seeds in {folder}")


if __name__ == "__main__":
    main(sys.argv[1:])
