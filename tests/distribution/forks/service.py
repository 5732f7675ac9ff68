"""A service with one client, made when this module is imported, before the server forks. It notes what it serves, by process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import flagcore

NOTES = Path(os.environ["NOTES"])


def note(_: frozenset[str] = frozenset()) -> None:
    """Append what this process would answer now."""
    value = client.get_boolean_value("open", False, {})
    with (NOTES / str(os.getpid())).open("a") as file:
        file.write(f"{client.revision} {value}\n")


client = flagcore.connect(os.environ["FLAGS"], cache_dir=None, wait=10)
client.on_change(note)
note()


def wsgi(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer with this process's number and value."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {client.get_boolean_value('open', False, {})}".encode()]


async def asgi(scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    """The same for ASGI."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = f"{os.getpid()} {client.get_boolean_value('open', False, {})}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
