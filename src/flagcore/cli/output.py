"""How the verbs write: text with colours on a terminal only, JSON, tables, progress."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

import msgspec

from flagcore.errors import Problem, Severity

__all__ = ["Style", "counted", "print_problems", "print_table", "progress", "short_json", "write_json"]

CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Style:
    """Colours for one stream: none unless it is a terminal, and none with ``NO_COLOR``; ``FORCE_COLOR`` insists."""

    def __init__(self, stream: TextIO) -> None:
        wanted = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.on = (wanted or bool(os.environ.get("FORCE_COLOR"))) and not os.environ.get("NO_COLOR")

    def __call__(self, colour: str, text: str) -> str:
        """Return ``text`` between the escape sequences of ``colour``."""
        return f"\x1b[{CODES[colour]}m{text}\x1b[0m" if self.on else text


def write_json(data: object, stream: TextIO | None = None) -> None:
    """Write ``data`` as indented JSON and a line end."""
    print(_json(data, 2), file=stream or sys.stdout)


def short_json(value: object) -> str:
    """Return a value on one line, as JSON."""
    return _json(value, 0)


def _json(value: object, indent: int) -> str:
    try:
        return msgspec.json.format(msgspec.json.encode(value), indent=indent).decode()
    except (UnicodeEncodeError, OverflowError, RecursionError, TypeError):
        # lone surrogates, numbers beyond 64 bits, unknown objects: slower, but has an answer for everything
        import json

        return json.dumps(msgspec.to_builtins(value, enc_hook=repr), indent=indent or None)


def print_problems(problems: Iterable[Problem], stream: TextIO | None = None) -> None:
    """Print each problem with its place, excerpt and hint."""
    out = stream or sys.stdout
    style = Style(out)
    for problem in problems:
        word = f"{problem.severity.value}:"
        painted = style("red" if problem.severity is Severity.ERROR else "yellow", word)
        print(str(problem).replace(word, painted, 1), file=out)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Iterable[int] = ()) -> None:
    """Print columns with two blanks between; those whose index is in ``numbers`` stand to the right."""
    style = Style(sys.stdout)
    right = set(numbers)
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = (
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    print(style("bold", line(head)))
    for row in rows:
        print(line(row))


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 flag``, ``2,000 flags``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def progress(title: str) -> Callable[[int, int | None], None]:
    """Return a function that shows ``done`` of ``total`` (None: not known) on a terminal, from one second on, and wipes it at the end."""
    begun, shown = time.monotonic(), 0.0
    visible = sys.stderr.isatty()

    def step(done: int, total: int | None) -> None:
        nonlocal shown
        now = time.monotonic()
        if not visible or now - begun < 1.0:
            return
        if total is not None and done >= total:
            sys.stderr.write("\r\x1b[K" if shown else "")
        elif now - shown >= 0.1:
            shown = now
            sys.stderr.write(f"\r\x1b[K{title} {done:,}" + ("" if total is None else f" of {total:,}"))
        sys.stderr.flush()

    return step
