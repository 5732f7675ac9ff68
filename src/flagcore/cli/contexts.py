"""The words of ``eval`` and ``explain``: which flags, which flag, which context, at which time."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable

import msgspec

from flagcore.cli import UsageError
from flagcore.cli.sources import add_cache, add_path, find_path

__all__ = ["Words", "add_words", "find_flags", "folder_hint", "is_path", "read_time", "read_words"]

TARGETING_KEY = "targetingKey"
ORDER = "the words are [PATH] FLAG [KEY=VALUE ...]"
SUFFIXES = (".fcs", ".yaml", ".yml", ".json", ".toml")


class Words(msgspec.Struct, frozen=True):
    """What the words of a command line mean."""

    path: str | None
    flag_key: str | None
    context: dict[str, object]


def add_words(parser: argparse.ArgumentParser) -> None:
    """Add what both verbs share."""
    parser.usage = f"{parser.prog} [PATH] FLAG [KEY=VALUE ...] [options]"
    parser.add_argument(
        "words",
        nargs="*",
        metavar="[PATH] FLAG [KEY=VALUE ...]",
        help="flags, flag key, and attributes of the context: values are JSON where they can be read so (age=42, "
        "beta=true, groups='[\"a\"]'), else text; quote a text that looks like a number (version='\"2.10\"')",
    )
    add_path(parser)
    parser.add_argument(
        "-c", "--context", metavar="JSON|@FILE", help="the context as JSON, from a file with @, from - with @-"
    )
    parser.add_argument(
        "--at", metavar="TIME", help="evaluate as of this time, such as 2026-12-01T09:00:00Z; default: now"
    )
    add_cache(parser)
    parser.add_argument("--json", action="store_true", help="write JSON")


def read_words(arguments: argparse.Namespace, *, wants_flag: bool = True) -> Words:
    """Sort the words. Raises UsageError where they do not fit."""
    names, pairs = _split_words(arguments.words)
    if arguments.flags is not None:
        names.insert(0, arguments.flags)
    elif len(names) < 1 + wants_flag:
        names.insert(0, "")
    if len(names) == 1 + wants_flag and names[0] and "://" not in names[0] and not os.path.exists(names[0]):
        raise UsageError(f"{names[0]}: there is no such file or directory", ORDER)
    if len(names) > 1 + wants_flag:
        raise UsageError(f"{names[-1]!r} is one word too many", ORDER)
    if wants_flag and (len(names) < 2 or (not names[0] and is_path(names[1]))):
        raise UsageError("which flag?", "write its key, as in: flagcore eval flags/ checkout.new targetingKey=u-1")
    context = read_context(arguments.context) if arguments.context is not None else {}
    return Words(names[0] or None, names[1] if wants_flag else None, context | dict(map(_pair, pairs)))


def find_flags(words: Words) -> str:
    """Return the path of the flags that the words mean, as ``find_path``; say so where a lone word can only be that path."""
    try:
        return find_path(words.path)
    except UsageError:
        if words.path is not None or words.flag_key is None or not os.path.exists(words.flag_key):
            raise
        raise UsageError("which flag?", folder_hint(words.flag_key)) from None


def folder_hint(word: str) -> str:
    """Return how to name flags at a place that was taken for a flag's key."""
    kind = "a folder" if os.path.isdir(word) else "a file"
    return f"{word} is {kind} here: write the flag's key behind it, as in: {word} checkout.new"


def is_path(word: str) -> bool:
    """Return whether a lone word must mean the flags, not a flag."""
    return ("/" in word or word.endswith(SUFFIXES)) and os.path.exists(word)


def _split_words(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """Part names from attributes; a word with ``=`` in front is a name only if there is such a file."""
    names: list[str] = []
    pairs: list[str] = []
    for word in words:
        is_pair = "=" in word and (bool(names) or not os.path.exists(word))
        (pairs if is_pair else names).append(word)
    return names, pairs


def _pair(word: str) -> tuple[str, object]:
    key, _, text = word.partition("=")
    if not key:
        raise UsageError(f"{word!r} has no attribute name before the =")
    if key == TARGETING_KEY:  # always a text, as OpenFeature has it
        return key, text
    try:
        return key, msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return key, text


def read_context(text: str) -> dict[str, object]:
    """Return a context given as JSON, ``@FILE`` or ``@-``. Raises UsageError where it is none."""
    if text.startswith("@"):
        source = text[1:]
        content = sys.stdin.buffer.read() if source == "-" else _content(source)
    else:
        source, content = "--context", os.fsencode(text)
    try:
        context = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise UsageError(
            f"{source}: the context is no JSON: {error}", 'write it as in --context \'{"country": "DE"}\''
        ) from None
    if not isinstance(context, dict):
        raise UsageError(f"{source}: a context is a JSON object, this is {type(context).__name__}")
    return context


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def read_time(text: str | None) -> int | None:
    """Return microseconds since 1970 UTC. Raises UsageError where ``text`` is no time."""
    if text is None:
        return None
    from flagcore.model.literals import parse_time

    time = parse_time(text)
    if time is None:
        raise UsageError(f"--at {text!r} is no time", "write it as 2026-12-01T09:00:00Z or 2026-12-01T10:00:00+01:00")
    return time
