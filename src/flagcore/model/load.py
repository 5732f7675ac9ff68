"""Flags from files, folders, texts and plain data: all problems at once, each with file, line and column."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import TypeVar

import msgspec

from flagcore.errors import FlagSetError, Problem, Severity
from flagcore.model.build import Built, build_document
from flagcore.model.documents import Document, Format, open_document
from flagcore.model.fields import Report, TooManyProblemsError
from flagcore.model.files import list_files
from flagcore.model.flagset import Flag, FlagSet, Segment
from flagcore.model.limits import DEFAULT_LIMITS, Limits
from flagcore.model.problems import DocumentPath, Finding, Suggester, path_text
from flagcore.model.reading import place_of
from flagcore.model.scope import Scope
from flagcore.model.validate import findings_of
from flagcore.model.values_file import ValuesFiles

__all__ = ["Loaded", "build_flag_set", "load", "loads"]

T = TypeVar("T")
_HARMLESS = frozenset({"unknown-key", "duplicate-key"})  # these leave the value beside them whole


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A valid flag set, the warnings about it, and the files that were read, values files among them."""

    flag_set: FlagSet
    problems: tuple[Problem, ...] = ()
    files: tuple[str, ...] = ()


def load(path: str | os.PathLike[str], *, limits: Limits | None = None, warnings: bool = True) -> Loaded:
    """Return the flag set of a file, or of all flag files below a folder together.

    Without ``warnings`` nobody looks for what is probably not meant; errors and flags are the same, some 5 % sooner.

    Raises:
        FlagSetError: with every problem of every file.
    """
    limits = limits or DEFAULT_LIMITS
    root = os.fspath(path)
    documents = [open_document(file, limits) for file in list_files(root)]
    return _assemble(
        documents, ValuesFiles(root if os.path.isdir(root) else os.path.dirname(root), limits), limits, warnings
    )


def loads(
    text: str | bytes,
    format: Format,  # noqa: A002 - the word of the command line and of every codec
    *,
    name: str = "<string>",
    base_dir: str | os.PathLike[str] | None = None,
    limits: Limits | None = None,
) -> Loaded:
    """Return the flag set of a text; values files are looked up below ``base_dir``.

    Raises:
        FlagSetError: with every problem.
    """
    limits = limits or DEFAULT_LIMITS
    document = Document(name, format, _inside(base_dir))
    document.decode(text, limits)
    return _assemble([document], ValuesFiles(base_dir, limits), limits)


def build_flag_set(
    document: Mapping[str, object], *, base_dir: str | os.PathLike[str] | None = None, limits: Limits | None = None
) -> Loaded:
    """Return the flag set of plain data, such as ``json.loads`` gives.

    Raises:
        FlagSetError: with every problem; they have paths but no lines.
    """
    limits = limits or DEFAULT_LIMITS
    source = Document(None, None, _inside(base_dir))
    source.data = document
    return _assemble([source], ValuesFiles(base_dir, limits), limits)


def _inside(base_dir: str | os.PathLike[str] | None) -> str | None:
    """Return the place of a document that is no file, in the folder beside which values files are looked up."""
    return None if base_dir is None else os.path.join(base_dir, "document")


def _assemble(documents: list[Document], values: ValuesFiles, limits: Limits, warnings: bool = True) -> Loaded:
    whole = _Whole(documents, limits)
    suggester = Suggester()
    for index, document in enumerate(documents):
        if document.is_read and not whole.is_cut:
            report = Report(suggester, limits.problems, blank_is_null=document.format == "toml")
            try:
                built = build_document(report, document.data, partial(values.read, document.file))
            except TooManyProblemsError:
                built = None
            whole.add(index, built, report.findings)
    flag_set = FlagSet(flags=whole.flags, segments=whole.segments, attributes=whole.attributes)
    if not whole.is_cut:
        whole.check(flag_set, warnings)
    problems = whole.problems()
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise FlagSetError(problems)
    files = tuple(document.name for document in documents if document.format and document.name)
    return Loaded(flag_set=flag_set, problems=tuple(problems), files=(*files, *values.files))


class _Whole:
    """The documents joined; each name remembers the document that it came from."""

    def __init__(self, documents: list[Document], limits: Limits) -> None:
        self.documents = documents
        self.limits = limits
        self.is_cut = False  # so much is wrong that checking has ended
        self.flags: dict[str, Flag] = {}
        self.segments: dict[str, Segment] = {}
        self.attributes: dict[str, str] | None = None
        self.untyped: set[str] = set()
        self.unbuilt: set[tuple[str, str]] = set()
        self.origin: dict[DocumentPath, int] = {}
        self.twice: list[tuple[DocumentPath, int]] = []
        self.findings: list[list[Finding]] = [list(document.findings) for document in documents]

    def add(self, index: int, built: Built | None, findings: list[Finding]) -> None:
        self.findings[index] += findings
        if built is None:
            self.is_cut = True
            return
        self._merge(index, "flags", self.flags, built.flags)
        self._merge(index, "segments", self.segments, built.segments)
        if built.attributes is not None:
            self.attributes = {} if self.attributes is None else self.attributes
            self._merge(index, "attributes", self.attributes, built.attributes)
        self.untyped |= built.untyped
        self.unbuilt |= built.unbuilt

    def _merge(self, index: int, kind: str, into: dict[str, T], new: dict[str, T]) -> None:
        for name, value in new.items():
            if name in into:
                self.twice.append(((kind, name), index))
            else:
                into[name] = value
                self.origin[kind, name] = index

    def check(self, flag_set: FlagSet, warnings: bool) -> None:
        """Add what validation finds, apart from what follows from values that could not be read."""
        scope = Scope.of_document(flag_set, self.limits, self.untyped, self.unbuilt, warnings=warnings)
        faulty = [{finding.path for finding in found if finding.code not in _HARMLESS} for found in self.findings]
        above = [{path[:length] for path in paths for length in range(len(path))} for paths in faulty]
        for finding in findings_of(scope):
            index = self.origin.get(finding.path[:2], 0)
            if finding.path in above[index] or any(
                finding.path[:length] in faulty[index] for length in range(len(finding.path) + 1)
            ):
                continue
            self.findings[index].append(finding)

    def problems(self) -> list[Problem]:
        """Return every finding with its place, in the order of files and lines."""
        self._name_both_places()
        found = [
            finding
            for index, document in enumerate(self.documents)
            for finding in document.located(self.findings[index])
        ]
        problems = [finding.problem() for finding in found]
        if self.is_cut:
            message = f"there are more than {self.limits.problems:,} problems; reading ended here"
            problems.append(Problem(code="too-many-problems", message=message))
        return problems

    def _name_both_places(self) -> None:
        firsts: dict[int, set[DocumentPath]] = {}
        for path, _ in self.twice:
            firsts.setdefault(self.origin[path], set()).add(path)
        places = {index: self.documents[index].places(paths) for index, paths in firsts.items()}
        for path, index in self.twice:
            origin = self.origin[path]
            place = place_of(path, places[origin])
            where = ":".join(str(part) for part in (self.documents[origin].name, *(place[2:] if place else ())))
            message = f"{path_text(path)} is defined twice, first at {where}"
            self.findings[index].append(Finding(code="duplicate-key", message=message, path=path, at_key=True))
