"""Publish flag files to running services: compile what changes and send it, until interrupted."""

from __future__ import annotations

import argparse
import hashlib
import os
import queue
import signal
import sys
from typing import TYPE_CHECKING

import msgspec

from flagcore.cli import FINE, UsageError
from flagcore.cli.changes import print_change
from flagcore.cli.output import counted, print_problems
from flagcore.cli.sources import find_path
from flagcore.distribution.file_source import FileSource
from flagcore.engine import Engine
from flagcore.errors import FlagcoreError, SettingsError
from flagcore.snapshot.objects import Snapshot

if TYPE_CHECKING:
    from flagcore.distribution.keys import Keyring
    from flagcore.distribution.publisher import Publisher

EPILOG = """\
examples:
  flagcore publish flags/                                              on this machine, without keys
  flagcore publish flags/ --bind ipc:///run/flags.sock
  flagcore publish flags/ --bind 'tcp://*:7440' --keys keyring.json --environment production

Services follow it with flagcore.connect("tcp://127.0.0.1:7440"), on other machines with sdk_key=..., which `flagcore keys` makes.
An edit that is not valid is reported and not published: services keep what they have. A second port, one higher (of ipc: PATH.r),
answers single clients. --state remembers the revision over restarts; `none` lets every start begin a new epoch.

Exit codes: 0 interrupted, 1 the flags are not valid at the start, 2 wrong usage.
"""
ORDER = "the word is [PATH]; where to serve comes with --bind: flagcore publish flags/ --bind 'tcp://*:7440'"

DEFAULT_BIND = "tcp://127.0.0.1:7440"
KEYS_LOOK = 1.0  # seconds between looks at the keyring


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="?", metavar="PATH", help="file or directory with the flags, or a compiled file")
    parser.add_argument("--bind", default=DEFAULT_BIND, metavar="ADDRESS", help=f"default: {DEFAULT_BIND}")
    parser.add_argument("--keys", metavar="FILE", help="the keyring of flagcore keys; needed beyond this machine")
    parser.add_argument("--environment", metavar="NAME", help="which environment of the keyring; default: the only one")
    parser.add_argument("--state", metavar="FILE", help="default: a file of this address in the user's cache folder")
    parser.add_argument("--counts", metavar="FILE", help="append what services evaluated, a JSON line a batch")
    parser.add_argument("--json", action="store_true", help="write a JSON line for each change")


class _Change(msgspec.Struct, frozen=True):
    """A revision of the files."""

    snapshot: Snapshot
    changed: frozenset[str]


def run(arguments: argparse.Namespace) -> int:
    path = find_path(arguments.path)
    keyring, environment_id = _keys(arguments.keys, arguments.environment)
    happened: queue.SimpleQueue[_Change | None] = queue.SimpleQueue()  # None: the end
    engine = Engine()
    source = _Files(engine, path, happened)
    print_problems(source.state.problems, sys.stderr)
    try:
        with _Ended(happened), _publisher(arguments, keyring) as publisher:
            _publish_all(happened, publisher, environment_id, arguments)
    finally:
        source.close()
    return FINE


def _publish_all(
    happened: queue.SimpleQueue[_Change | None],
    publisher: Publisher,
    environment_id: bytes | None,
    arguments: argparse.Namespace,
) -> None:
    keys = _Keys(arguments.keys, publisher)
    while (change := _next(happened, keys)) is not None:
        receipt = publisher.publish(change.snapshot, environment_id=environment_id)
        clients = len(publisher.clients(environment_id))
        text = f"{publisher.endpoint}, {counted(clients, 'client')}"
        print_change(receipt.position, change.changed, text, as_json=arguments.json)


def _next(happened: queue.SimpleQueue[_Change | None], keys: _Keys) -> _Change | None:
    """Return what happens next, with an eye on the keyring meanwhile."""
    while True:
        try:
            return happened.get(timeout=KEYS_LOOK if keys.path else None)
        except queue.Empty:
            keys.look()


class _Files(FileSource):
    """Follows files as a client does, its engine proving every program, and tells each revision."""

    def __init__(self, engine: Engine, path: str, happened: queue.SimpleQueue[_Change | None]) -> None:
        self._happened = happened
        super().__init__(engine, path, debug_at_once=True)

    def _swap(self, snapshot: Snapshot) -> frozenset[str]:
        changed = super()._swap(snapshot)
        self._happened.put(_Change(snapshot, changed))
        return changed


class _Ended:
    """Lets SIGINT and SIGTERM end the publishing, not the process amid it."""

    def __init__(self, happened: queue.SimpleQueue[_Change | None]) -> None:
        self._happened = happened

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._end) for number in (signal.SIGINT, signal.SIGTERM)}

    def _end(self, *_: object) -> None:
        self._happened.put(None)

    def __exit__(self, *failure: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


# -- keys and state -----------------------------------------------------------------------------------------------------


def _publisher(arguments: argparse.Namespace, keyring: Keyring | None) -> Publisher:
    try:
        from flagcore.distribution.publisher import Publisher
    except ImportError as error:
        raise SettingsError(f'publishing needs the extra "zmq": pip install "flagcore[zmq]" ({error})') from None
    state = arguments.state or _state_of(arguments.bind)
    return Publisher(arguments.bind, keyring=keyring, state=None if state == "none" else state, counts=arguments.counts)


def _state_of(bind: str) -> str:
    """Return the file that remembers the revisions published at an address; none where the port is another each time."""
    if bind.endswith((":0", ":*")):
        return "none"
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    name = hashlib.sha256(bind.encode()).hexdigest()[:16]
    return os.path.join(root, "flagcore", "publisher", f"{name}.json")


def _keys(path: str | None, environment: str | None) -> tuple[Keyring | None, bytes | None]:
    """Return keyring and environment id: neither without keys; raises UsageError where it is not clear which one is meant."""
    if path is None:
        if environment is not None:
            raise UsageError("--environment needs --keys: without keys there is one environment")
        return None, None
    from flagcore.distribution.keys import load_keyring

    keyring = load_keyring(path)
    if environment is not None:
        return keyring, keyring.environment(environment).id
    if len(keyring.environments) != 1:
        names = ", ".join(found.name for found in keyring.environments)
        raise UsageError(f"{path} has {counted(len(keyring.environments), 'environment')}", f"--environment: {names}")
    return keyring, keyring.environments[0].id


class _Keys:
    """Follows the keyring's file: who is let in, and who no more."""

    def __init__(self, path: str | None, publisher: Publisher) -> None:
        self.path = path
        self._publisher = publisher
        self._seen = self._stamp()

    def look(self) -> None:
        """Go by the keyring as it is now, if it has changed; one that cannot be used changes nothing."""
        stamp = self._stamp()
        if self.path is None or stamp == self._seen:
            return
        self._seen = stamp
        from flagcore.distribution.keys import load_keyring

        try:
            self._publisher.follow(load_keyring(self.path))
        except (FlagcoreError, OSError) as error:
            print(f"flagcore: the keys stay as they were: {error}", file=sys.stderr)

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self.path or "")
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
