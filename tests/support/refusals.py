"""What fc_verify says of programs around one view, table or set, in words."""

from __future__ import annotations

from typing import Any

from flagcore.compiler.layout import LinkKind, ViewKind
from tests.support.kernel_library import status_text, verify
from tests.support.program_builder import Builder, Reference

__all__ = ["patched", "reason", "tabled", "viewed"]


def reason(program: bytes) -> str:
    """Return what is wrong with a program."""
    return status_text(verify(program))


def patched(program: bytes, at: int, content: bytes) -> bytes:
    """Return the program with some bytes replaced."""
    return program[:at] + content + program[at + len(content) :]


def viewed(kind: int, classes: int, data: Reference | int = 0, **fields: Any) -> str:
    """Return what is wrong with a program that has this view."""
    builder = Builder(memo_count=fields.pop("memo_count", 0))
    slot = builder.slot("country")
    builder.link(LinkKind.PROGRAM, "other")
    builder.link(LinkKind.SET, "segment:vip")
    builder.variant_leaf(0)
    builder.view(kind, fields.pop("slot", slot), classes, data, **fields)
    return reason(builder.finish())


def tabled(table: bytes, classes: int, flags: int = 0) -> str:
    """Return what is wrong with a text view on this table."""
    return viewed(ViewKind.TEXT, classes, Reference(table), count=classes - 3, flags=flags)
