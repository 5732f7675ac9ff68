"""A program on uvloop that runs subprocesses all the time."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from tests.distribution.forks import service


async def main() -> None:
    """Run one subprocess after the other."""
    service.note()
    while True:
        process = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "pass")
        await process.wait()
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    uvloop.run(main())
