"""A stand-in for ``os`` that is killed before a chosen call, or in the middle of a write: what was done until then stays, nothing follows.

As with ``kill -9``, no clean-up of the killed code has any effect: every later call is refused.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

CALLS = {"open", "write", "fsync", "close", "replace", "unlink", "makedirs", "stat"}


class Killed(BaseException):
    """The process is no more."""


class KilledOs(ModuleType):
    """``os``, until the call of number ``at``; when that is a write, ``torn`` bytes of it still reach the file."""

    def __init__(self, at: int | None = None, torn: int = 0) -> None:
        super().__init__("os")
        self.at, self.torn = at, torn
        self.calls: list[tuple[str, int]] = []  # name, bytes of a write
        self._descriptors: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return self._guarded(name, real) if name in CALLS else real

    def _guarded(self, name: str, real: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            size = len(arguments[1]) if name == "write" else 0
            if self.at is not None and len(self.calls) >= self.at:
                if len(self.calls) == self.at and name == "write" and self.torn:
                    real(arguments[0], bytes(arguments[1][: self.torn]))
                self.calls.append((name, size))
                raise Killed
            self.calls.append((name, size))
            result = real(*arguments, **options)
            if name == "open":
                self._descriptors.add(result)
            elif name == "close":
                self._descriptors.discard(arguments[0])
            return result

        return call

    def bury(self) -> None:
        """Close what the killed process had open, as the system does."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()
