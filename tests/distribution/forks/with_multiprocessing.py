"""A program whose children are made by multiprocessing: ``fork`` or ``forkserver``, the first argument."""

from __future__ import annotations

import multiprocessing
import sys
import threading


def child() -> None:
    """Live on, with what the parent had (fork), or with a client of one's own (forkserver)."""
    from tests.distribution.forks import service

    service.note()
    threading.Event().wait()


if __name__ == "__main__":
    from tests.distribution.forks import service

    method = multiprocessing.get_context(sys.argv[1])
    processes = [method.Process(target=child, daemon=True) for _ in range(2)]
    for process in processes:
        process.start()
    service.note()
    for process in processes:
        process.join()
