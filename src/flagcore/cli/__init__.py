"""The command ``flagcore``: one file per verb, each loaded only when it is called."""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import io
import os
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

from flagcore import __version__

__all__ = ["FINDINGS", "FINE", "USAGE", "UsageError", "command", "main"]

FINE, FINDINGS, USAGE = 0, 1, 2
UNSEARCHED = 200_000  # objects more than were freed
INTERRUPTED, PIPE_CLOSED = 130, 141  # what shells report for SIGINT and SIGPIPE

VERBS = {
    "validate": "check flag files and report every problem with its place",
    "test": "run the tests that stand beside the rules",
    "eval": "evaluate a flag, or all of them, for a context",
    "explain": "show how a flag comes to its answer, rule by rule",
    "compile": "compile flag files into one file that services load without a compiler",
    "inspect": "show what a compiled file holds",
    "simulate": "evaluate a flag for every row of a table, and show the shares",
    "bench": "measure what each flag costs, and refuse a set that got slow or big",
    "publish": "publish flag files to running services, and every change of them",
    "watch": "print the changes that a publisher sends, as they arrive",
    "keys": "make, list and revoke the keys by which services are let in",
    "schema": "print the JSON Schema of the flag format, for editors",
}

EPILOG = """\
examples:
  flagcore validate flags/
  flagcore test flags/ -v
  flagcore eval flags/ checkout.new targetingKey=u-1 country=DE
  flagcore explain flags/ checkout.new targetingKey=u-1 country=DE

Exit codes: 0 fine, 1 findings, 2 wrong usage. flagcore VERB --help tells more.
"""


class UsageError(Exception):
    """A command line that cannot be carried out; ``hint`` says what to do instead."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class _Layout(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal; asked for here, since argparse loads shutil and compression modules to find out."""

    def __init__(self, prog: str) -> None:
        try:
            columns = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
        except (OSError, ValueError):
            columns = 80
        super().__init__(prog, width=max(columns, 40) - 2)


class _Arguments(argparse.ArgumentParser):
    """Says what is wrong with a command line as the rest of the command does: one message, or JSON."""

    order: str | None = None  # which words may stand where

    def error(self, message: str) -> NoReturn:
        lacks_words = message.startswith("the following arguments are required")
        raise UsageError(message, (self.order if lacks_words else None) or self._where_to_look())

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Say what is wrong with words that mean nothing here.

        Raises:
            UsageError: always.
        """
        word = words[0]
        if not word.startswith("-"):
            raise UsageError(f"{word!r} is one word too many", self.order or self._where_to_look())
        near = _nearest(
            word.partition("=")[0], [option for action in self._actions for option in action.option_strings]
        )
        raise UsageError(f"there is no option {word}", f"did you mean {near}?" if near else self._where_to_look())

    def _where_to_look(self) -> str:
        return f"{self.prog} --help lists the options"


def command() -> int:
    """Carry out the command line of this process, which is about to end, and return its exit code.

    A process so short is not searched for garbage, neither on its way nor at its end: that was a tenth of its time.
    """
    gc.set_threshold(UNSEARCHED)
    if sys.argv[1:] and sys.argv[1] in VERBS:
        _import_msgspec()
    code = main()
    gc.freeze()
    return code


def _import_msgspec() -> None:
    """Import msgspec without typing_extensions, which it takes where that is installed, for interpreters older than ours.

    That module and what it imports would be a twentieth of the time of ``eval``.
    """
    wanted = "typing_extensions"
    if wanted in sys.modules:
        return
    sys.modules[wanted] = None  # type: ignore[assignment]  # as if it were not installed
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules[wanted]


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command line and return its exit code. Nothing but a bug leaves a traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the terminal cannot show is shown as \\u....
            stream.reconfigure(errors="backslashreplace")
    debug = "--debug" in arguments
    try:
        return _run(arguments)
    except SystemExit as end:  # argparse: --help, --version, wrong usage
        return end.code if isinstance(end.code, int) else USAGE
    except BrokenPipeError:
        return _close_pipe()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if debug:
            raise
        from flagcore.cli.complain import complain

        return complain(error, as_json="--json" in arguments)


def _run(arguments: list[str]) -> int:
    verb = next((word for word in arguments if word in VERBS), None)
    if arguments and arguments[0] not in VERBS and not arguments[0].startswith("-"):
        raise UsageError(f"there is no verb {arguments[0]!r}", _meant(arguments[0]))
    if verb is None or arguments[0] != verb:
        parser = _parser()
        _, left = parser.parse_known_args(arguments)
        if verb is not None:
            raise UsageError(f"{arguments[0]} stands before the verb", f"the verb comes first: flagcore {verb} ...")
        if left:
            parser.refuse(left)
        parser.print_help(sys.stderr)
        return USAGE
    module = importlib.import_module(f"flagcore.cli.{verb}")
    own = _Arguments(
        prog=f"flagcore {verb}",
        description=module.__doc__,
        epilog=module.EPILOG,
        formatter_class=_Layout,
        allow_abbrev=False,
    )
    own.order = getattr(module, "ORDER", None)
    module.add_arguments(own)
    own.add_argument("--debug", action="store_true", help="show the traceback of an unexpected error")
    parsed, left = own.parse_known_intermixed_args(arguments[1:])
    if left:
        own.refuse(left)
    result: int = module.run(parsed)
    sys.stdout.flush()
    return result


def _meant(word: str) -> str:
    near = _nearest(word, VERBS)
    return f"did you mean {near}?" if near else f"verbs are {', '.join(VERBS)}"


def _nearest(word: str, known: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, 1)), None)


def _parser() -> _Arguments:
    listing = "\n".join(f"  {verb:<10}{text}" for verb, text in VERBS.items())
    parser = _Arguments(
        prog="flagcore",
        usage="flagcore VERB ...",
        description=f"Feature flags, evaluated in the process that asks.\n\nverbs:\n{listing}",
        epilog=EPILOG,
        formatter_class=_Layout,
    )
    parser.add_argument("--version", action="version", version=f"flagcore {__version__}")
    parser.add_argument("verb", nargs="?", choices=tuple(VERBS), metavar="VERB", help=argparse.SUPPRESS)
    return parser


def _close_pipe() -> int:
    """Whoever read our output has gone: say nothing more, not even while the interpreter ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED
