"""Values files of segments: UTF-8 texts, one a line (flag-format.md section 1).

A path is relative to the document and must stay inside the folder that is loaded (for a single file: its own folder), links
resolved: flag files come from many hands, and one must not be able to ship the contents of any file of the machine.
"""

from __future__ import annotations

from pathlib import Path

from flagcore.model.limits import Limits
from flagcore.model.problems import DocumentPath, Finding

__all__ = ["ValuesFiles", "read_lines"]


class ValuesFiles:
    """Reads values files named by documents below ``root`` and remembers which were read."""

    def __init__(self, root: Path | None, limits: Limits) -> None:
        self._root = root.resolve() if root is not None else None
        self._limits = limits
        self.files: list[Path] = []

    def read(self, document: Path | None, name: str, path: DocumentPath) -> tuple[str, ...] | Finding:
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
        file = document.parent / name
        try:
            if not file.resolve().is_relative_to(self._root) or Path(name).is_absolute():
                return Finding(
                    code="outside-folder",
                    message=f"the values file {name!r} lies outside the folder of the flags",
                    path=path,
                    hint="name a file beside or below the flag files, by a relative path",
                )
            self.files.append(file)
            size = file.stat().st_size
            if size > self._limits.document_bytes:
                return Finding(
                    code="too-large",
                    message=f"{name!r} has {size:,} bytes, the limit is {self._limits.document_bytes:,}",
                    path=path,
                )
            if not file.is_file():
                return Finding(code="unreadable-file", message=f"{name!r} is not a file", path=path)
            content = file.read_bytes()
        except (OSError, RuntimeError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "the path cannot be followed"
            return Finding(
                code="unreadable-file", message=f"the values file {name!r} cannot be read: {reason}", path=path
            )
        return self._lines(name, content, path)

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
