"""Print the JSON Schema of the flag format: editors complete and check flag files with it."""

from __future__ import annotations

import argparse

from flagcore.cli import FINE
from flagcore.cli.output import write_json

EPILOG = """\
examples:
  flagcore schema --output flagcore.schema.json
  flagcore schema | jq '."$defs" | keys'

For the YAML language server write as the first line of a flag file:
  # yaml-language-server: $schema=flagcore.schema.json
"""
ORDER = "there are no words; a file to write comes with -o: flagcore schema -o flags.schema.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="FILE", help="write to a file instead of standard output")
    parser.add_argument("--json", action="store_true", help="accepted for uniformity: a schema is JSON anyway")


def run(arguments: argparse.Namespace) -> int:
    from flagcore.model.schema import json_schema

    if arguments.output is None:
        write_json(json_schema())
        return FINE
    with open(arguments.output, "w", encoding="utf-8") as file:
        write_json(json_schema(), file)
    return FINE
