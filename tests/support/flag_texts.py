"""Short ways to load a text of flags and to look at what was wrong with it."""

from __future__ import annotations

from flagcore.errors import FlagSetError, Problem
from flagcore.model import Limits, Loaded, loads
from flagcore.model.documents import Format

__all__ = ["flag", "problems", "read"]

HEAD: dict[str, str] = {"yaml": "schema: flagcore/v1\n", "toml": 'schema = "flagcore/v1"\n', "json": ""}


def read(text: str, format_name: Format = "yaml", limits: Limits | None = None) -> Loaded:
    """Load the text; YAML and TOML get the line that names the schema in front."""
    return loads(HEAD[format_name] + text, format_name, limits=limits)


def problems(text: str, format_name: Format = "yaml", limits: Limits | None = None) -> tuple[Problem, ...]:
    """Return all problems of the text, warnings of a valid one too."""
    try:
        return read(text, format_name, limits).problems
    except FlagSetError as error:
        return error.problems


def flag(body: str) -> str:
    """Return the YAML of a set with the one boolean flag ``f`` whose other keys are the lines of the body."""
    lines = "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))
    default = "" if "default:" in body else "    default: off\n"
    kind = "" if "type:" in body else "    type: boolean\n"
    return f"flags:\n  f:\n{kind}{default}{lines}"
