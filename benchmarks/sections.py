"""Sections of pages that are written by a command, between two marks."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_section"]


def write_section(page: Path, name: str, command: str, body: str) -> None:
    """Put ``body`` between the marks of a section, which the page must have."""
    begin, end = f"<!-- {name}: begin ({command}) -->\n", f"<!-- {name}: end -->\n"
    head, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, ended, tail = rest.partition(end)
    assert found, f"{page.name} has no line {begin!r}"
    assert ended, f"{page.name} has no line {end!r}"
    page.write_text(head + begin + body + end + tail, encoding="utf-8")
