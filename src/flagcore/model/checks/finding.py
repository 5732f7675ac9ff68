"""Short ways to make findings, and the patterns of names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import msgspec

from flagcore.errors import Severity
from flagcore.model.flagset import Flag
from flagcore.model.problems import DocumentPath, Finding, excerpt

__all__ = ["FLAG_KEY", "NAME", "at_word", "error", "shown", "unknown", "unknown_variant", "warning"]

FLAG_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Variants, segments and rule ids."""

_SHOWN = 64
_SEARCHED = 10_000  # code points; thousands of findings may stand in one condition


def error(code: str, message: str, path: DocumentPath, hint: str | None = None, *, at_key: bool = False) -> Finding:
    """Something that stops loading and publishing."""
    return Finding(code=code, message=message, path=path, hint=hint, at_key=at_key)


def warning(code: str, message: str, path: DocumentPath, hint: str | None = None, *, at_key: bool = False) -> Finding:
    """Something that is probably not meant."""
    return Finding(code=code, message=message, path=path, hint=hint, at_key=at_key, severity=Severity.WARNING)


def shown(text: str) -> str:
    """The text in quotes, cut when it is long."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def unknown(
    code: str,
    message: str,
    path: DocumentPath,
    word: str,
    known: Collection[str],
    otherwise: str | None = None,
    *,
    at_key: bool = False,
) -> Finding:
    """An error about a word that is not known; the hint names the nearest known one, or else is ``otherwise``."""
    return Finding(code=code, message=message, path=path, hint=otherwise, at_key=at_key, word=word, known=known)


def at_word(finding: Finding, text: str | None, word: str) -> Finding:
    """The finding with the place of the word in the condition's text, where it is found at once."""
    if text is None or len(text) > _SEARCHED:
        return finding
    match = re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)
    if match is None:
        return finding
    return msgspec.structs.replace(finding, offset=match.start(), excerpt=excerpt(text, match.start()))


def unknown_variant(flag: Flag, name: str, path: DocumentPath, whose: str = "the flag") -> Iterator[Finding]:
    """The error about a variant that the flag does not have; nothing when it has it, or has none at all."""
    if flag.variants and name not in flag.variants:
        some = ", ".join(list(flag.variants)[:10])
        message = f"{whose} has no variant {shown(name)}"
        yield unknown("unknown-variant", message, path, name, flag.variants, f"the variants are {some}")
