"""Make, list and revoke the keys by which a publisher of files lets services in."""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING

from flagcore.cli import FINDINGS, FINE, UsageError
from flagcore.cli.output import counted, print_table, write_json
from flagcore.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagcore.distribution.keys import ClientKey, Keyring

EPILOG = """\
actions:
  new         make a keyring, with the environments of --environment
  issue       print a new SDK key for a service, once: the keyring does not keep it
  list        show who is let in
  revoke      let the services of a label, or of a public key, in no more: WHICH
  add         add environments
  next        add a signing key that services are to trust from now on
  promote     sign with that key, and let the one before count no more

examples:
  flagcore keys new keyring.json --environment production --environment staging
  flagcore keys issue keyring.json --environment production --label shop > shop.key
  flagcore keys revoke keyring.json shop
  flagcore publish flags/ --bind 'tcp://*:7440' --keys keyring.json --environment production

A publisher that runs with the keyring follows it within a second: revoking cuts live connections. The keyring holds secrets of the
publisher, none of the services; only its owner may read it.
Exit codes: 0 fine, 1 nobody was revoked, 2 wrong usage.
"""
ORDER = "the words are ACTION KEYRING [WHICH]: flagcore keys new keyring.json --environment production"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=tuple(ACTIONS), metavar="ACTION", help="one of those below")
    parser.add_argument("keyring", metavar="KEYRING", help="the file with the publisher's keys")
    parser.add_argument(
        "which", nargs="?", metavar="WHICH", help="revoke: a label, or 8 digits or more of a public key"
    )
    parser.add_argument("--environment", action="append", default=[], metavar="NAME", help="of new, add, issue, list")
    parser.add_argument("--label", default="", metavar="TEXT", help="issue: whose key it is, for people")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    if arguments.which is not None and arguments.action != "revoke":
        raise UsageError(f"keys {arguments.action} takes no {arguments.which!r}", "flagcore keys --help")
    return ACTIONS[arguments.action](arguments)


def _new(arguments: argparse.Namespace) -> int:
    from flagcore.distribution.keys import Keyring

    if os.path.lexists(arguments.keyring):
        raise UsageError(f"{arguments.keyring} is there already: services trust the keys in it", "keys add, keys issue")
    return _save(arguments, _with_environments(Keyring.generate(), arguments.environment))


def _add(arguments: argparse.Namespace) -> int:
    if not arguments.environment:
        raise UsageError("name what to add: --environment NAME")
    return _save(arguments, _with_environments(_load(arguments), arguments.environment))


def _with_environments(keyring: Keyring, names: list[str]) -> Keyring:
    for name in names:
        keyring = keyring.with_environment(name)
    return keyring


def _issue(arguments: argparse.Namespace) -> int:
    keyring = _load(arguments)
    names = arguments.environment or [found.name for found in keyring.environments]
    if len(names) != 1:
        raise UsageError("an SDK key is for one environment: --environment NAME")
    keyring, key = keyring.issue(names[0], arguments.label, int(time.time()))
    _write(arguments, keyring)
    if arguments.json:
        write_json({"sdk_key": key.text, "environment": key.environment, "public": key.public.hex()})
    else:
        print(key.text)
    return FINE


def _list(arguments: argparse.Namespace) -> int:
    keyring = _load(arguments)
    wanted = arguments.environment
    clients = [client for client in keyring.clients if not wanted or client.environment in wanted]
    if arguments.json:
        environments = [{"name": found.name, "id": found.id.hex()} for found in keyring.environments]
        write_json({"environments": environments, "clients": [_plain(client) for client in clients]})
        return FINE
    print(f"environments: {', '.join(found.name for found in keyring.environments) or 'none'}")
    if clients:
        print_table(("public key", "environment", "label", "issued", "revoked"), [_row(client) for client in clients])
    return FINE


def _plain(client: ClientKey) -> dict[str, object]:
    return {
        "public": client.public.hex(),
        "environment": client.environment,
        "label": client.label,
        "issued": client.issued,
        "revoked": client.revoked,
    }


def _row(client: ClientKey) -> tuple[str, ...]:
    return (client.public.hex()[:16], client.environment, client.label, _day(client.issued), _day(client.revoked))


def _day(seconds: int | None) -> str:
    return "" if seconds is None else time.strftime("%Y-%m-%d", time.gmtime(seconds))


def _revoke(arguments: argparse.Namespace) -> int:
    if not arguments.which:
        raise UsageError(
            "say whom to revoke: a label, or 8 digits or more of a public key", "flagcore keys list shows them"
        )
    keyring, gone = _load(arguments).revoke(arguments.which, int(time.time()))
    if gone:
        _write(arguments, keyring)
    if arguments.json:
        write_json({"revoked": [_plain(client) for client in gone]})
    else:
        print(f"revoked {counted(len(gone), 'key')}")
    return FINE if gone else FINDINGS


def _next(arguments: argparse.Namespace) -> int:
    return _save(arguments, _load(arguments).with_next_signing_key())


def _promote(arguments: argparse.Namespace) -> int:
    return _save(arguments, _load(arguments).promoted())


ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "new": _new,
    "issue": _issue,
    "list": _list,
    "revoke": _revoke,
    "add": _add,
    "next": _next,
    "promote": _promote,
}


def _load(arguments: argparse.Namespace) -> Keyring:
    try:
        from flagcore.distribution.keys import load_keyring
    except ImportError as error:
        raise SettingsError(f'keys need the extra "zmq": pip install "flagcore[zmq]" ({error})') from None
    return load_keyring(arguments.keyring)


def _save(arguments: argparse.Namespace, keyring: Keyring) -> int:
    """Keep the keyring and say what is in it."""
    _write(arguments, keyring)
    if arguments.json:
        write_json({"environments": [found.name for found in keyring.environments], "clients": len(keyring.clients)})
    else:
        names = ", ".join(found.name for found in keyring.environments) or "no environment yet"
        print(f"{arguments.keyring}: {names}; {counted(len(keyring.clients), 'SDK key')}")
    return FINE


def _write(arguments: argparse.Namespace, keyring: Keyring) -> None:
    from flagcore.distribution.keys import save_keyring

    save_keyring(arguments.keyring, keyring)
