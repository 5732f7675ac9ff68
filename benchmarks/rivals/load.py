"""How long a peer takes to read many flags, and what they weigh.

Two steps, each in a process of its own:
``python -m benchmarks.rivals.load make WHO COUNT FILE`` writes the document of COUNT flags, as WHO's server would send it;
``python -m benchmarks.rivals.load open WHO FILE`` opens it and prints JSON.

WHO is a peer, ``flagcore`` (a compiled snapshot) or ``flagcore-json`` (an authored document: checked and compiled). The clock
runs from the document in memory to the first answer. What is allocated by then, and what the process has grown, are measured
at the first opening; the difference between two counts is the flags' own. In the environment COUNTED of
benchmarks/memory.py allocations are known exactly.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.memory import allocated, resident
from benchmarks.rivals.peer import Peer, load_peer
from benchmarks.rivals.plain import SUBJECT, plain
from benchmarks.workloads.bulk import many_flags
from flagcore.client import Client
from flagcore.compiler import compile_flag_set
from flagcore.model import build_flag_set
from flagcore.snapshot.codec import decode_snapshot, encode_snapshot
from flagcore.testing import client_from_document

CONTEXT = {SUBJECT: "user-1", "country": "DE", "age": 34}
KEY = "flag-0001"  # one rule, which matches
TIMES = 3
PATIENCE = 5.0  # seconds, after which nothing is opened again

Opening = Callable[
    [bytes], tuple[object, Callable[[], object]]
]  # opens and answers KEY: what lives, and what closes it


def main(step: str, who: str, *arguments: str) -> int:
    """Take one of the two steps."""
    logging.disable(logging.ERROR)
    if step == "make":
        count, path = arguments
        Path(path).write_bytes(_document(who, many_flags(int(count))))
    else:
        print(json.dumps(_opened(_openings(who), Path(arguments[0]).read_bytes())))
    return 0


def _opened(opening: Opening, content: bytes) -> dict[str, float]:
    """Return ``ms`` (the least of up to three openings), ``allocated`` and ``resident`` (bytes grown at the first)."""
    before = allocated(), resident()
    grown: dict[str, float] = {}
    spans: list[float] = []
    while len(spans) < TIMES and sum(spans) < PATIENCE:
        start = time.perf_counter()
        living, close = opening(content)
        spans.append(time.perf_counter() - start)
        grown = grown or {"allocated": allocated() - before[0], "resident": resident() - before[1]}
        close()
        del living
    return {"ms": round(1000 * min(spans), 2), **grown}


# -- make


def _document(who: str, authored: dict[str, Any]) -> bytes:
    if who == "flagcore":
        return encode_snapshot(compile_flag_set(build_flag_set(authored).flag_set).snapshot)
    if who == "flagcore-json":
        return json.dumps(authored).encode()
    text: str = load_peer(who).document(plain(authored))
    return text.encode()


# -- open


def _openings(who: str) -> Opening:
    return {"flagcore": _open_compiled, "flagcore-json": _open_authored}.get(who) or partial(_open_peer, load_peer(who))


def _open_peer(peer: Peer, content: bytes) -> tuple[object, Callable[[], object]]:
    asked = peer.open(content.decode())
    names = {**asked.names, "key": KEY, "context": asked.context(CONTEXT)}
    assert eval(asked.expression, names) is True
    return asked, asked.close


def _open_compiled(content: bytes) -> tuple[object, Callable[[], object]]:
    return _answering(Client.of_snapshot(decode_snapshot(content)))


def _open_authored(content: bytes) -> tuple[object, Callable[[], object]]:
    return _answering(client_from_document(json.loads(content)))


def _answering(client: Client) -> tuple[object, Callable[[], object]]:
    assert client.get_boolean_value(KEY, False, CONTEXT) is True
    return client, client.close


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
