"""File, line and column of what only building can tell: the files are read again, as hardly ever anything is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from flagcore.errors import FlagSetError
from flagcore.model.documents import Document, format_of, open_document
from flagcore.model.limits import DEFAULT_LIMITS
from flagcore.model.problems import DocumentPath, Finding, UnplacedError

__all__ = ["placed"]


@contextmanager
def placed(files: Iterable[str]) -> Iterator[None]:
    """Name file, line and column in the problems that the compiler raises inside, of flags that were read from ``files``.

    What a file no longer tells, because it has changed meanwhile, goes without.
    """
    try:
        yield
    except UnplacedError as error:
        raise FlagSetError([finding.problem() for finding in _located(error.findings, files)]) from error


def _located(findings: Iterable[Finding], files: Iterable[str]) -> list[Finding]:
    """Return the findings in the order of files and lines, those that no file holds behind them."""
    left = list(findings)
    found: list[Finding] = []
    for document in _documents(files):
        own = [finding for finding in left if _holds(document.data, finding.path)]
        left = [finding for finding in left if finding not in own]
        found += document.located(own)
    return found + left


def _documents(files: Iterable[str]) -> Iterator[Document]:
    """Read those that can be read; among ``files`` are values files too."""
    for file in files:
        if format_of(file) is not None:
            document = open_document(file, DEFAULT_LIMITS)
            if document.is_read:
                yield document


def _holds(data: object, path: DocumentPath) -> bool:
    """Tell whether the document defines the flag or segment that ``path`` leads into."""
    kind, name = path[:2]
    defined = data.get(kind) if isinstance(data, Mapping) else None
    return isinstance(defined, Mapping) and name in defined
