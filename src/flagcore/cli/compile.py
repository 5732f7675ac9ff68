"""Compile flag files into one file that services load without model and compiler."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import TYPE_CHECKING

import msgspec

from flagcore.cli import FINE, UsageError
from flagcore.cli.output import counted, print_problems, progress, write_json
from flagcore.cli.sources import find_path, load_authored
from flagcore.distribution.whole_files import replace_file
from flagcore.snapshot.codec import SUFFIX

if TYPE_CHECKING:
    from flagcore.snapshot.codec import Proof
    from flagcore.snapshot.objects import Snapshot

EPILOG = """\
examples:
  flagcore compile flags/ -o flags.fcs
  flagcore compile flags/ -o flags.fcs --no-debug      smaller; explain then knows no tests
  flagcore compile flags/ -o flags.fcs --revision 42 --json
  flagcore compile flags/ -o bootstrap.fcs --sign keyring.json --environment production

The same flags and options give the same bytes. The file is replaced in one step: a service that watches it never
reads half of it. Exit codes: 0 written, 1 the flags are not valid, 2 wrong usage.
"""
ORDER = "the word is [PATH]; the file to write comes with -o: flagcore compile flags/ -o flags.fcs"


class Statistics(msgspec.Struct, frozen=True):
    """Sizes in bytes of what a compiled file holds."""

    output: str
    flags: int
    revision: int
    file_bytes: int
    program_bytes: int
    value_sets: int
    value_set_bytes: int
    debug_bytes: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="?", metavar="PATH", help="file or directory with the flags")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help=f"where to write; default: PATH with the suffix {SUFFIX}"
    )
    parser.add_argument("--no-debug", action="store_true", help="leave out what only explain needs")
    parser.add_argument(
        "--revision", type=_revision, default=1, metavar="N", help="number of this revision; default: 1"
    )
    parser.add_argument(
        "--sign", metavar="KEYRING", help="sign it as a bootstrap file, by the keyring of `flagcore keys`"
    )
    parser.add_argument("--environment", metavar="NAME", help="of the keyring; needed when it has several")
    parser.add_argument("--json", action="store_true", help="write the statistics as JSON")


def _revision(text: str) -> int:
    number = int(text) if re.fullmatch("[0-9]{1,19}", text) else 0
    if not 0 < number < 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 2^63 - 1")
    return number


def run(arguments: argparse.Namespace) -> int:
    from flagcore.compiler import compile_flag_set
    from flagcore.model.places import placed
    from flagcore.snapshot.codec import encode_snapshot

    path = find_path(arguments.path, authored=True)
    if arguments.environment and not arguments.sign:
        raise UsageError("--environment says for whom a file is signed", "add --sign KEYRING")
    loaded = load_authored(path)
    with placed(loaded.files):
        compiled = compile_flag_set(
            loaded.flag_set,
            revision=arguments.revision,
            debug=not arguments.no_debug,
            progress=progress("compiling flag"),
        )
    print_problems((*loaded.problems, *compiled.problems), sys.stderr)
    proof = _proof(compiled.snapshot, arguments.sign, arguments.environment) if arguments.sign else None
    output = arguments.output or _beside(path)
    content = encode_snapshot(compiled.snapshot, proof)
    write_whole(output, content)
    statistics = measure(output, compiled.snapshot, len(content))
    if arguments.json:
        write_json(statistics)
    else:
        _print_text(statistics)
    return FINE


def _beside(path: str) -> str:
    """Return the name of the compiled file of ``path``, which may be a dot or two."""
    whole = os.path.normpath(path)
    if os.path.basename(whole) in (".", ".."):
        return os.path.abspath(whole) + SUFFIX
    return os.path.splitext(whole)[0] + SUFFIX


def _proof(snapshot: Snapshot, keyring_path: str, environment: str | None) -> Proof:
    """Return what lets services believe a compiled file that is shipped with them."""
    from flagcore.distribution.bootstrap import prove
    from flagcore.distribution.keys import load_keyring

    keyring = load_keyring(keyring_path)
    if environment is None and len(keyring.environments) != 1:
        raise UsageError("the keyring has several environments, or none", "name one: --environment NAME")
    place = keyring.environment(environment or keyring.environments[0].name)
    return prove(snapshot, place.id, keyring.signer())


def write_whole(path: str, content: bytes) -> None:
    """Replace the file at ``path`` in one step, with the rights that a new file has."""
    try:
        replace_file(path, [content], mode=0o666)
    except OSError as error:  # whoever reads the message knows the file, not the temporary one
        raise OSError(error.errno, error.strerror, path) from None


def measure(output: str, snapshot: Snapshot, file_bytes: int) -> Statistics:
    """Return the sizes of a snapshot's parts."""
    return Statistics(
        output=output,
        flags=len(snapshot.programs),
        revision=snapshot.revision,
        file_bytes=file_bytes,
        program_bytes=sum(map(len, snapshot.programs.values())),
        value_sets=len(snapshot.value_sets),
        value_set_bytes=sum(map(len, snapshot.value_sets.values())),
        debug_bytes=sum(map(len, snapshot.debug.values())),
    )


def _print_text(statistics: Statistics) -> None:
    print(f"{statistics.output}: {counted(statistics.flags, 'flag')}, {counted(statistics.file_bytes, 'byte')}")
    each = statistics.program_bytes / max(1, statistics.flags)
    print(f"  programs     {statistics.program_bytes:>12,} bytes, {each:,.0f} a flag")
    print(f"  value sets   {statistics.value_set_bytes:>12,} bytes, {counted(statistics.value_sets, 'set')}")
    print(f"  explanations {statistics.debug_bytes:>12,} bytes")
