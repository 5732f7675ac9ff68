"""Short ways to make findings, and the patterns of names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flagcore.errors import Severity
from flagcore.model.problems import DocumentPath, Finding, nearest

__all__ = ["FLAG_KEY", "NAME", "did_you_mean", "error", "shown", "warning"]

FLAG_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Variants, segments and rule ids."""

_SHOWN = 64
_MAX_CANDIDATES = 2_000  # names compared for one "did you mean"


def error(code: str, message: str, path: DocumentPath, hint: str | None = None, *, at_key: bool = False) -> Finding:
    """Something that stops loading and publishing."""
    return Finding(code=code, message=message, path=path, hint=hint, at_key=at_key)


def warning(code: str, message: str, path: DocumentPath, hint: str | None = None, *, at_key: bool = False) -> Finding:
    """Something that is probably not meant."""
    return Finding(code=code, message=message, path=path, hint=hint, at_key=at_key, severity=Severity.WARNING)


def shown(text: str) -> str:
    """The text in quotes, cut when it is long."""
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The hint that names the nearest known word; None when none is near, or too many are known to compare."""
    candidates = list(known)
    if len(candidates) > _MAX_CANDIDATES:
        first = word[:2].lower()
        candidates = [name for name in candidates if name[:2].lower() == first][:_MAX_CANDIDATES]
    meant = nearest(word, candidates)
    return f'did you mean "{meant}"?' if meant else None
