"""Evaluate a flag for a context, or with --all every flag, and print what callers would get."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import msgspec

from flagcore.cli import FINDINGS, FINE, UsageError
from flagcore.cli.contexts import add_words, find_flags, folder_hint, read_time, read_words
from flagcore.cli.output import Style, print_table, short_json, write_json
from flagcore.cli.sources import Opened, open_flags, start_engine
from flagcore.engine import Engine, EvaluationDetails
from flagcore.terms import ErrorCode, FlagType

EPILOG = """\
examples:
  flagcore eval flags/ checkout.new targetingKey=u-1 country=DE
  flagcore eval flags.fcs search.ranker --context '{"targetingKey": "u-1", "plan": "pro"}'
  flagcore eval -f flags/ checkout.new --context @context.json --at 2026-12-09T00:00:00Z --json
  flagcore eval flags/ --all targetingKey=u-1 country=DE

Exit codes: 0 evaluated, 1 the evaluation ended in an error or the flags are not valid, 2 wrong usage.
"""

RULE = "flagcore.rule"
CELL = 60  # characters of a value in the table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_words(parser)
    parser.usage = f"{parser.usage}\n       {parser.prog} [PATH] --all [KEY=VALUE ...] [options]"
    parser.add_argument("--all", action="store_true", help="evaluate every flag")
    parser.add_argument("--prefix", metavar="TEXT", help="with --all: only flags whose keys start so")
    parser.add_argument("--type", choices=[kind.value for kind in FlagType], help="ask for this type, as a getter does")
    parser.add_argument("--default", metavar="JSON", help="the caller's default value; default: null")


def run(arguments: argparse.Namespace) -> int:
    words = read_words(arguments, wants_flag=not arguments.all)
    if arguments.prefix is not None and not arguments.all:
        raise UsageError("--prefix goes with --all")
    default = _default(arguments)
    at = read_time(arguments.at)
    opened = open_flags(find_flags(words), words.flag_key, cached=not arguments.no_cache)
    engine = start_engine(opened, at)
    if words.flag_key is None:
        results = dict(engine.evaluate_all(words.context, arguments.prefix))
    else:
        results = {words.flag_key: _ask(engine, words.flag_key, words.context, default, arguments.type)}
    if arguments.json:
        plain = {key: to_plain(details) for key, details in results.items()}
        write_json(plain if words.flag_key is None else plain[words.flag_key])
    elif words.flag_key is None:
        _show_table(results, arguments.prefix)
    else:
        _show(results[words.flag_key], opened)
    sys.stdout.flush()
    opened.keep()
    return FINDINGS if any(details.error_code for details in results.values()) else FINE


def _default(arguments: argparse.Namespace) -> object:
    if arguments.default is None:
        return None
    try:
        value: object = msgspec.json.decode(arguments.default)
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise UsageError(
            f"--default {arguments.default} is no JSON", "a text needs quotes: --default '\"red\"'"
        ) from None
    return value


def _ask(
    engine: Engine, flag_key: str, context: dict[str, object], default: object, kind: str | None
) -> EvaluationDetails:
    if kind is None:
        return engine.evaluate(flag_key, default, context)
    details: EvaluationDetails = getattr(engine, f"get_{kind}_details")(flag_key, default, context)
    return details


def to_plain(details: EvaluationDetails) -> dict[str, Any]:
    """Return details as plain data, in OpenFeature's names."""
    return {
        "flag_key": details.flag_key,
        "value": details.value,
        "variant": details.variant,
        "reason": details.reason,
        "error_code": details.error_code,
        "error_message": details.error_message,
        "flag_metadata": dict(details.flag_metadata),
    }


def _show(details: EvaluationDetails, opened: Opened) -> None:
    style = Style(sys.stdout)
    print(f"{style('bold', details.flag_key)} = {style('cyan', short_json(details.value))}")
    if details.error_code:
        print(f"  {style('red', 'error')}    {details.error_code}: {details.error_message or 'no more is known'}")
        if details.error_code is ErrorCode.FLAG_NOT_FOUND and (hint := _hint(details.flag_key, opened)):
            print(f"  hint     {hint}")
    if details.variant is not None:
        print(f"  variant  {details.variant}")
    print(f"  reason   {details.reason}")
    if rule := details.flag_metadata.get(RULE):
        print(f"  rule     {rule}")


def _hint(flag_key: str, opened: Opened) -> str | None:
    if near := opened.nearest(flag_key):
        return f"did you mean {near}?"
    return folder_hint(flag_key) if os.path.exists(flag_key) else None


def _cut(text: str) -> str:
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def _show_table(results: dict[str, EvaluationDetails], prefix: str | None) -> None:
    if not results:
        print(f"no flag's key begins with {prefix!r}" if prefix else "there are no flags")
        return
    rows = [
        (
            key,
            _cut(short_json(details.value)),
            details.variant or "-",
            str(details.error_code or details.reason),
            str(details.flag_metadata.get(RULE) or "-"),
        )
        for key, details in sorted(results.items())
    ]
    print_table(("flag", "value", "variant", "reason", "rule"), rows)
