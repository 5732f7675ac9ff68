"""Show how a flag comes to its answer for a context: rule by rule, test by test, down to the bucket number."""

from __future__ import annotations

import argparse
import re
import sys

from flagcore.cli import FINDINGS, FINE
from flagcore.cli.contexts import add_words, find_flags, read_time, read_words
from flagcore.cli.output import Style, write_json
from flagcore.cli.sources import open_flags, start_engine

EPILOG = """\
examples:
  flagcore explain flags/ checkout.new targetingKey=u-1 country=DE
  flagcore explain flags.fcs checkout.new --context @context.json --at 2026-12-09T00:00:00Z
  flagcore explain flags/ checkout.new targetingKey=u-1 --json

Exit codes: 0 explained, 1 the evaluation ended in an error or the flags are not valid, 2 wrong usage.
"""

COLOURS = {
    "true": "green",
    "false": "red",
    "unknown": "yellow",
    "MATCHED": "green",
    "<- wins": "green",
    "NOT met": "red",
}
MARKS = re.compile(r"(?m)^( +)(true|false|unknown)(?= )|(MATCHED)(?=, )|(<- wins)$|(NOT met)$")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_words(parser)


def run(arguments: argparse.Namespace) -> int:
    words = read_words(arguments)
    key, at = words.flag_key or "", read_time(arguments.at)
    opened = open_flags(find_flags(words), key, cached=not arguments.no_cache)
    engine = start_engine(opened, at)
    explanation = engine.explain(key, words.context, at)
    if arguments.json:
        write_json(explanation.to_dict())
    else:
        print(paint(str(explanation), Style(sys.stdout)))
    sys.stdout.flush()
    opened.keep()
    return FINDINGS if engine.evaluate(key, None, words.context, at).error_code else FINE


def paint(text: str, style: Style) -> str:
    """Return an explanation with its truth values and its answer in colours."""
    head, _, rest = text.partition("\n")
    painted = MARKS.sub(lambda found: (found[1] or "") + _coloured(found[0].strip(" "), style), rest)
    return f"{style('bold', head)}\n{painted}"


def _coloured(word: str, style: Style) -> str:
    return style(COLOURS[word], word)
