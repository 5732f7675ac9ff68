"""Values files of segments: UTF-8 texts, one a line (flag-format.md section 1).

A path is relative to the document and must stay inside the folder that is loaded (for a single file: its own folder), links
resolved: flag files come from many hands, and one must not be able to ship the contents of any file of the machine.
"""

from __future__ import annotations

import os
import stat

from flagcore.model.documents import read_bytes
from flagcore.model.limits import Limits
from flagcore.model.problems import DocumentPath, Finding

__all__ = ["ValuesFiles", "read_lines"]


class ValuesFiles:
    """Reads values files named by documents below ``root`` and remembers which were read."""

    def __init__(self, root: str | os.PathLike[str] | None, limits: Limits) -> None:
        self._root = os.path.realpath(root) if root is not None else None
        self._limits = limits
        self.files: list[str] = []

    def read(self, document: str | None, name: str, path: DocumentPath) -> tuple[str, ...] | Finding:
        """Return the values of the file that the document names, or the finding that stands for them."""
        if self._root is None or document is None:
            return Finding(
                code="unreadable-file",
                message="a text without a folder cannot name a values file",
                path=path,
                hint="load the flags from a file, or give base_dir",
            )
        if not name or "\0" in name:
            return Finding(code="unreadable-file", message=f"{name!r} names no file", path=path)
        file = os.path.join(os.path.dirname(document), name)
        try:
            if os.path.isabs(name) or not self._holds(file):
                return Finding(
                    code="outside-folder",
                    message=f"the values file {name!r} lies outside the folder of the flags",
                    path=path,
                    hint="name a file beside or below the flag files, by a relative path",
                )
            self.files.append(file)
            found = os.stat(file)
            if found.st_size > self._limits.document_bytes:
                return Finding(
                    code="too-large",
                    message=f"{name!r} has {found.st_size:,} bytes, the limit is {self._limits.document_bytes:,}",
                    path=path,
                )
            if not stat.S_ISREG(found.st_mode):
                return Finding(code="unreadable-file", message=f"{name!r} is not a file", path=path)
            content = read_bytes(file)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "the path cannot be followed"
            return Finding(
                code="unreadable-file", message=f"the values file {name!r} cannot be read: {reason}", path=path
            )
        return self._lines(name, content, path)

    def _holds(self, file: str) -> bool:
        """Return whether the file lies below the root, links resolved."""
        return self._root is not None and os.path.commonpath((self._root, os.path.realpath(file))) == self._root

    def _lines(self, name: str, content: bytes, path: DocumentPath) -> tuple[str, ...] | Finding:
        try:
            return read_lines(content)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            return Finding(
                code="encoding",
                message=f"the values file {name!r} is not UTF-8 in line {line}",
                path=path,
                hint="save it as UTF-8",
            )


def read_lines(content: bytes) -> tuple[str, ...]:
    r"""Return the values: lines end in ``\n`` or ``\r\n``, blank lines and lines of # are skipped, nothing is trimmed.

    A byte order mark at the start is skipped. About 0.2 s for a million lines.

    Raises:
        UnicodeDecodeError: the content is not UTF-8.
    """
    text = content.decode("utf-8-sig")
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    return tuple(line for line in text.split("\n") if line and line[0] != "#" and not line.isspace())
