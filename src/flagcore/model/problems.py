"""How the model speaks of what is wrong: findings with a path, syntax errors with a caret, and the nearest known word."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import msgspec

from flagcore.errors import FlagcoreError, FlagSetError, Problem, Severity
from flagcore.terms import ErrorCode

__all__ = [
    "DocumentPath",
    "ExpressionError",
    "Fault",
    "Finding",
    "PatternError",
    "Suggester",
    "UnplacedError",
    "excerpt",
    "nearest",
    "path_text",
]

DocumentPath = tuple[str | int, ...]
"""The way from the document's root to a place in it: keys and list indices."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_$][A-Za-z0-9_.$-]*")
_EXCERPT_WIDTH = 100
_SUGGEST_LENGTH = 64


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong inside one condition or pattern; ``offset`` counts code points from the text's start."""

    code: str
    message: str
    hint: str | None = None
    offset: int | None = None
    element: int | None = None  # of a list constant
    path: DocumentPath = ()  # inside a structured condition


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One problem of a flag set, before file, line and column are known."""

    code: str
    message: str
    path: DocumentPath = ()
    hint: str | None = None
    severity: Severity = Severity.ERROR
    excerpt: str | None = None
    offset: int | None = None  # into the condition text that stands at ``path``
    at_key: bool = False  # the place is the key, not its value
    word: str | None = None  # a word that is not known: the nearest of ``known`` replaces the hint, if one is near
    known: Collection[str] = ()
    file: str | None = None
    line: int | None = None  # from 1, when the reader knows it already
    column: int | None = None

    def problem(self) -> Problem:
        """The public record."""
        return Problem(
            code=self.code,
            message=self.message,
            path=path_text(self.path),
            hint=self.hint,
            severity=self.severity,
            file=self.file,
            line=self.line,
            column=self.column,
            excerpt=self.excerpt,
        )


class UnplacedError(FlagSetError):
    """Flags that cannot be built, by whoever has them without their files: ``findings`` know the way to their places."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__([finding.problem() for finding in self.findings])


class ExpressionError(FlagcoreError):
    """A condition that cannot be read; ``problems`` holds one record a fault, ``faults`` the offsets beside them."""

    code = ErrorCode.PARSE_ERROR

    def __init__(self, faults: Iterable[Fault], text: str | None = None) -> None:
        self.faults = tuple(faults)
        self.problems = tuple(_fault_problem(fault, text) for fault in self.faults)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @property
    def problem(self) -> Problem:
        """The first problem."""
        return self.problems[0]

    @property
    def offset(self) -> int | None:
        """Where in the text the first problem stands, in code points from 0."""
        return self.faults[0].offset


class PatternError(FlagcoreError):
    """A regular expression outside the supported set: ``reason``, the ``offset`` in it, and perhaps a ``hint``."""

    code = ErrorCode.PARSE_ERROR

    def __init__(self, reason: str, offset: int, hint: str | None = None) -> None:
        self.reason, self.offset, self.hint = reason, offset, hint
        super().__init__(f"{reason} (at character {offset + 1})" + (f"; {hint}" if hint else ""))


def _fault_problem(fault: Fault, text: str | None) -> Problem:
    has_place = text is not None and fault.offset is not None
    return Problem(
        code=fault.code,
        message=fault.message,
        path=path_text(fault.path),
        hint=fault.hint,
        excerpt=excerpt(text, fault.offset) if has_place else None,  # type: ignore[arg-type]
        line=text.count("\n", 0, fault.offset) + 1 if has_place else None,  # type: ignore[union-attr]
        column=_column(text, fault.offset) if has_place else None,  # type: ignore[arg-type]
    )


def _column(text: str, offset: int) -> int:
    return offset - (text.rfind("\n", 0, offset) + 1) + 1


def excerpt(text: str, offset: int) -> str:
    """Return the line of ``text`` around ``offset`` with a caret under it, at most some 100 characters wide."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    line = text[start : len(text) if end < 0 else end]
    column = offset - start
    left = max(0, column - _EXCERPT_WIDTH * 2 // 3) if len(line) > _EXCERPT_WIDTH else 0
    shown = line[left : left + _EXCERPT_WIDTH]
    head, tail = ("..." if left else ""), ("..." if left + _EXCERPT_WIDTH < len(line) else "")
    printable = "".join(c if c.isprintable() else " " for c in shown)
    return f"{head}{printable}{tail}\n{' ' * (column - left + len(head))}^"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant, or None. Case, ``_``, ``-`` and spaces hardly count."""
    if len(word) > _SUGGEST_LENGTH:
        return None
    import difflib  # 3 ms that only mistakes should cost

    folded: dict[str, str] = {}
    for candidate in known:
        folded.setdefault(_fold(candidate), candidate)
    meant = _fold(word)
    for candidate in folded:
        if sorted(candidate) == sorted(meant):  # swapped letters, which difflib rates low in short words
            return folded[candidate]
    best = difflib.get_close_matches(meant, folded, n=1, cutoff=0.65)
    return folded[best[0]] if best else None


class Suggester:
    """Turns unknown words into hints, for so many comparisons; a document of mistakes must not take minutes."""

    def __init__(self, comparisons: int = 300_000) -> None:
        self._left = comparisons

    def hint(self, word: str, known: Collection[str], otherwise: str | None = None) -> str | None:
        """Return "did you mean ...?", or else the other hint."""
        self._left -= len(known)
        meant = nearest(word, known) if self._left >= 0 else None
        return f'did you mean "{meant}"?' if meant else otherwise

    def finish(self, finding: Finding) -> Finding:
        """Return the finding with its hint made."""
        if finding.word is None:
            return finding
        hint = self.hint(finding.word, finding.known, finding.hint)
        return msgspec.structs.replace(finding, hint=hint, word=None, known=())


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "").replace(" ", "")


def path_text(path: DocumentPath) -> str:
    """Return ``flags.checkout.new.rules[1].when`` for the path; unusual keys are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            shown = part if len(part) <= _SUGGEST_LENGTH else part[:_SUGGEST_LENGTH] + "..."
            text += f"[{shown!a}]"
    return text
