"""Print the changes of a source as they arrive, as a service would see them, until interrupted."""

from __future__ import annotations

import argparse
import os
import queue
import time

from flagcore.cli import FINDINGS, FINE, UsageError
from flagcore.cli.changes import print_change, print_line
from flagcore.client import Client, connect
from flagcore.errors import SettingsError
from flagcore.terms import ProviderStatus

EPILOG = """\
examples:
  flagcore watch                                                       the configured source (FLAGCORE_SOURCE)
  flagcore watch tcp://127.0.0.1:7440
  flagcore watch tcp://flags.internal:7440 --key-file sdk-key.txt --json
  flagcore watch tcp://127.0.0.1:7440 --count 1 --wait 30              until the first change, or for 30 seconds

The SDK key comes from --key-file, or from FLAGCORE_SDK_KEY. Files can be watched, too.
Exit codes: 0 interrupted, or enough seen; 1 no flags came within --wait, or not enough changes; 2 wrong usage.
"""
ORDER = "the word is the source: flagcore watch tcp://flags.internal:7440"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", nargs="?", metavar="ADDRESS", help="a publisher's address, or a path")
    parser.add_argument("--key-file", metavar="FILE", help="holds the SDK key")
    parser.add_argument(
        "--wait", type=_seconds, metavar="SECONDS", help="how long to wait for what is awaited; default: for ever"
    )
    parser.add_argument(
        "--count", type=_count, metavar="N", help="end after so many changes; 0: when the flags are there"
    )
    parser.add_argument("--json", action="store_true", help="write JSON lines")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds <= 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of changes")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    happened: queue.SimpleQueue[frozenset[str] | ProviderStatus] = queue.SimpleQueue()
    end = None if arguments.wait is None else time.monotonic() + arguments.wait
    with _connected(arguments) as client:
        client.on_change(happened.put)
        client.on_status(happened.put)
        _print_status(client, as_json=arguments.json)
        if not client.wait_ready(_left(end)):
            return FINDINGS
        return _watch(client, happened, arguments, end)


def _connected(arguments: argparse.Namespace) -> Client:
    try:
        return connect(arguments.source, sdk_key=_key(arguments.key_file), wait=0.0, cache_dir=None)
    except SettingsError as error:
        raise UsageError(str(error)) from None


def _key(path: str | None) -> str | None:
    if path is None:
        return os.environ.get("FLAGCORE_SDK_KEY") or None
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read(8192)


def _watch(
    client: Client,
    happened: queue.SimpleQueue[frozenset[str] | ProviderStatus],
    arguments: argparse.Namespace,
    end: float | None,
) -> int:
    """Print what happens; returns the exit code when enough was seen, or the time is over."""
    seen = 0
    while arguments.count is None or seen < arguments.count:
        try:
            event = happened.get(timeout=_left(end))
        except queue.Empty:
            return FINE if arguments.count is None else FINDINGS
        if isinstance(event, ProviderStatus):
            _print_status(client, as_json=arguments.json)
        else:
            seen += 1
            print_change((client.epoch, client.revision), event, client.status.value, as_json=arguments.json)
    return FINE


def _print_status(client: Client, *, as_json: bool) -> None:
    reason = f": {client.last_error}" if client.last_error else ""
    data = {"status": client.status.value, "revision": client.revision, "reason": str(client.last_error or "") or None}
    print_line(data, f"{client.status.value}, revision {client.revision}{reason}", as_json=as_json)


def _left(end: float | None) -> float | None:
    return None if end is None else max(0.0, end - time.monotonic())
