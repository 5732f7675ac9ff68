"""What a workload is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Call", "Workload", "document"]

Context = dict[str, object]


class Call(NamedTuple):
    """One evaluation and the answer that it must give."""

    context: Context
    expected: bool


class Workload(NamedTuple):
    """A flag set, the boolean flag that is asked for, and the calls, in order."""

    title: str
    flags: dict[str, object]  # an authored document
    key: str
    calls: list[Call]
    by_hand: Callable[[str, bool, Context], bool] | None  # the same decision as plain Python


def document(flags: dict[str, object], **more: object) -> dict[str, object]:
    """Return an authored document with these flags."""
    return {"schema": "flagcore/v1", **more, "flags": flags}
