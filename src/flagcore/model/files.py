"""Which files of a folder are flag files."""

from __future__ import annotations

import os
from collections.abc import Iterator

from flagcore.errors import FlagSetError, Problem
from flagcore.model.documents import SUFFIX_HINT, format_of

__all__ = ["flag_files", "list_files"]

_SETTINGS = frozenset({"flagcore.toml", "pyproject.toml"})  # settings, should they lie in the folder


def flag_files(path: str | os.PathLike[str]) -> list[str]:
    """Return the flag files that ``load`` would read, in its order; values files are not among them. Nothing: there are none."""
    try:
        return list_files(os.fspath(path))
    except FlagSetError:
        return []


def list_files(root: str) -> list[str]:
    """Return the file itself, or the flag files below the folder sorted by the parts of their paths.

    Names that begin with a dot are left out; links to files are followed, links to folders are not.

    Raises:
        FlagSetError: nothing there, or a folder that cannot be read.
    """
    if not os.path.isdir(root):
        if not os.path.exists(root):
            raise FlagSetError([_problem("unreadable-file", f"{root!r} does not exist", root)])
        return [root]
    failures: list[OSError] = []
    found = [file for file in _below(root, failures) if format_of(file) is not None]
    if failures:
        raise FlagSetError(
            [
                _problem("unreadable-file", f"the folder cannot be read: {error.strerror}", error.filename)
                for error in failures
            ]
        )
    if not found:
        raise FlagSetError([_problem("no-files", f"there are no flag files in {root!r}", root, SUFFIX_HINT)])
    return sorted(found, key=lambda file: os.path.relpath(file, root).split(os.sep))


def _below(root: str, failures: list[OSError]) -> Iterator[str]:
    for folder, folders, names in os.walk(root, onerror=failures.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and name not in _SETTINGS:
                yield os.path.join(folder, name)


def _problem(code: str, message: str, file: str, hint: str | None = None) -> Problem:
    return Problem(code=code, message=message, file=file, hint=hint)
