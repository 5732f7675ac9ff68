"""Debug information as a view of compiled flags, so that a revision needs no table of its own for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flagcore.compiler.flag_compiler import FlagProgram

__all__ = ["DebugOfFlags"]


class DebugOfFlags(Mapping[str, bytes]):
    """Flag key -> encoded DebugFlag, for the flags that have one."""

    def __init__(self, flags: Mapping[str, FlagProgram]) -> None:
        self._flags = flags

    def __getitem__(self, key: str) -> bytes:
        debug = self._flags[key].debug
        if debug is None:
            raise KeyError(key)
        return debug

    def __iter__(self) -> Iterator[str]:
        return (key for key, flag in self._flags.items() if flag.debug is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
