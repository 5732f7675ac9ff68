"""Named deadlines of a machine that is told the time."""

from __future__ import annotations

from enum import Enum
from typing import Generic, TypeVar

__all__ = ["Timers"]

Name = TypeVar("Name", bound=Enum)


class Timers(Generic[Name]):
    """At most one deadline a name, in monotonic seconds."""

    __slots__ = ("_due",)

    def __init__(self) -> None:
        self._due: dict[Name, float] = {}

    def __contains__(self, name: Name) -> bool:
        return name in self._due

    @property
    def deadline(self) -> float | None:
        """The earliest, None when there is none."""
        return min(self._due.values(), default=None)

    def set(self, name: Name, at: float) -> None:
        """Let a deadline be at this time, whatever it was."""
        self._due[name] = at

    def cancel(self, *names: Name) -> None:
        """Forget deadlines."""
        for name in names:
            self._due.pop(name, None)

    def clear(self) -> None:
        """Forget all."""
        self._due.clear()

    def pop_due(self, now: float) -> Name | None:
        """Remove and return the earliest deadline that is over, None when there is none."""
        name = min(self._due, key=self._due.__getitem__, default=None)
        if name is None or self._due[name] > now:
            return None
        del self._due[name]
        return name
