"""W9: how long it takes to open 1,000, 10,000 and 100,000 flags, and what they weigh (``python -m benchmarks.service W9``).

Each way of opening runs in processes of its own: ``python -m benchmarks.loading WAY FILE [ROUNDS]`` prints JSON. Time runs from the bytes
in memory, or the name of the file, to the first answer. Memory is counted in the environment COUNTED, beyond the bytes of programs and
explanations themselves: after the first answer, and when every flag has been asked for by its getter three times, so that all that
makes the next time quicker is there. The texts that name the flags are the caller's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import flagcore
from benchmarks.memory import COUNTED, allocated, highest, resident
from benchmarks.workloads.base import Context
from benchmarks.workloads.bulk import many_flags
from flagcore.compiler import compile_flag_set
from flagcore.model import build_flag_set
from flagcore.snapshot.codec import decode_snapshot, encode_snapshot
from flagcore.snapshot.objects import Snapshot

__all__ = ["SIZES", "WAYS", "measured"]

SIZES = (1_000, 10_000, 100_000)
CONTEXT: Context = {"targetingKey": "user-1", "country": "DE", "age": 34}
FEW = 3
KEY = "flag-0001"  # one rule, which matches
WAYS = {  # of opening; what is opened, in how many rounds of 10,000 flags
    "snapshot bytes": ("flags.fcs", 40),
    "compiled file": ("flags.fcs", 40),
    "compiled file, with explanations": ("explained.fcs", 20),
    "authored JSON": ("flags.json", 2),
}
ROOT = Path(__file__).resolve().parents[1]


def measured(folder: Path, sizes: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield a row for each number of flags and way of opening them."""
    _write(folder, FEW)
    for size in sizes:
        content = _write(folder, size)
        for way, (name, rounds) in WAYS.items():
            command = [sys.executable, "-m", "benchmarks.loading", way, str(folder / str(size) / name)]
            spans = _run([*command, str(max(1, rounds * 10_000 // max(size, 10_000)))], {})
            held = _run(command, COUNTED)
            own = content[name]
            weight = {what: round((number - own) / size, 1) for what, number in held.items()}
            yield {"flags": size, "way": way, "content_bytes": round(own / size, 1), **spans, **weight}


def _write(folder: Path, size: int) -> dict[str, int]:
    """Write the files, and return the bytes of the programs and explanations that each leads to."""
    document, folder = many_flags(size), folder / str(size)
    folder.mkdir()
    explained = compile_flag_set(build_flag_set(document).flag_set).snapshot
    bare = Snapshot(explained.epoch, explained.revision, explained.programs, explained.value_sets)
    (folder / "flags.json").write_text(json.dumps(document))
    (folder / "explained.fcs").write_bytes(encode_snapshot(explained))
    (folder / "flags.fcs").write_bytes(encode_snapshot(bare))
    programs, texts = (sum(map(len, part.values())) for part in (explained.programs, explained.debug))
    return {"flags.fcs": programs, "explained.fcs": programs + texts, "flags.json": programs + texts}


def _run(command: Sequence[str], more: dict[str, str]) -> dict[str, float]:
    environment = {**os.environ, **more, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


# -- a child


def main(way: str, path: str, rounds: str = "0") -> int:
    """Open again and again and print the least times, or without rounds open once and print the bytes."""
    print(json.dumps(_timed(_opening(way, Path(path)), int(rounds)) if int(rounds) else _weighed(way, Path(path))))
    return 0


def _opening(way: str, path: Path) -> Callable[[], flagcore.Client]:
    if way != "snapshot bytes":
        return lambda: flagcore.connect(str(path), watch=False)
    content = path.read_bytes()
    return lambda: flagcore.Client.of_snapshot(decode_snapshot(content))


def _asked(opening: Callable[[], flagcore.Client]) -> flagcore.Client:
    client = opening()
    assert client.get_boolean_value(KEY, False, CONTEXT) is True
    return client


def _timed(opening: Callable[[], flagcore.Client], rounds: int) -> dict[str, float]:
    """Return the least CPU and wall time in ms, and the most that the process ever held."""
    spans = []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        client = _asked(opening)
        spans.append((time.process_time() - cpu, time.perf_counter() - wall))
        client.close()
    least = [round(1000 * min(times), 2) for times in zip(*spans, strict=True)]
    return {"cpu_ms": least[0], "wall_ms": least[1], "peak_mb": round(highest() / 1e6, 1)}


def _weighed(way: str, path: Path) -> dict[str, float]:
    """Return the bytes that are held after the first answer, and when all flags have been asked for; pages, too."""
    few = path.parent.parent / str(FEW) / path.name
    _asked(_opening(way, few)).close()  # what is imported and kept once is not the flags'
    opening = _opening(way, path)
    keys = [f"flag-{number:04}" for number in range(int(path.parent.name))]
    allocated(), resident()  # their own first time
    heap, pages = allocated(), resident()
    client = _asked(opening)
    loaded, grown = allocated() - heap, resident() - pages
    for key in 3 * keys:
        client.get_boolean_value(key, False, CONTEXT)
    return {"bytes_loaded": loaded, "bytes_asked": allocated() - heap, "pages_loaded": grown}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
