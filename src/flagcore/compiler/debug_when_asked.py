"""Debug information that is made for each flag when it is first asked for, by engines that live beside the compiler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flagcore.compiler.debug import describe_flag
from flagcore.compiler.options import Options
from flagcore.compiler.refusal import Refusal
from flagcore.compiler.value_objects import ValueObjects
from flagcore.compiler.views import ListView, SetView, View
from flagcore.model.flagset import FlagSet

__all__ = ["DebugWhenAsked", "asked_sets"]


class DebugWhenAsked(Mapping[str, bytes]):
    """Flag key -> encoded DebugFlag of a compiled set, as the compiler would have made it at once.

    Making it takes about as long as compiling the flag, and hardly any flag is ever explained. From any thread: two that ask
    for one flag at a time may both make it. Whoever iterates makes all.
    """

    def __init__(self, flag_set: FlagSet, objects: ValueObjects, options: Options) -> None:
        self._set = flag_set
        self._objects = objects
        self._options = options
        self._made: dict[str, bytes] = {}

    def __getitem__(self, key: str) -> bytes:
        known = self._made.get(key)
        if known is None:
            known = self._made[key] = self._make(key)
        return known

    def __iter__(self) -> Iterator[str]:
        return (key for key in sorted(self._set.flags) if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _make(self, key: str) -> bytes:
        """Raises KeyError also for a flag whose tests cannot be built one by one, such as a disabled one's."""
        try:
            return describe_flag(self._set.flags[key], self._set.segments, self._objects, self._options)[0]
        except Refusal as refusal:
            raise KeyError(key) from refusal


def asked_sets(views: list[View]) -> set[str]:
    """Return the names of the value sets that the debug information of a flag with these views asks."""
    named = [view.name for view in views if isinstance(view, SetView | ListView)]
    return {name for name in named if name is not None}
