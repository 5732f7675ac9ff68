"""Values that mislead or stop a careless reader: they count by their native value, and none of their own code may run.

For tests of whatever reads contexts. Each is shown plainly, so that reports of failures can print it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import tzinfo
from typing import Any, NoReturn, cast

__all__ = [
    "Dictionary",
    "Frozen",
    "HostileFloat",
    "HostileInteger",
    "HostileList",
    "HostileText",
    "Raising",
    "RaisingZone",
    "Thing",
    "refuse",
]


def refuse(*_: object, **__: object) -> NoReturn:
    """Raise: code of a value's class ran that should not have run."""
    raise RuntimeError("code of a value's class ran")


def _hostile(base: type, name: str, methods: str) -> type[Any]:
    def show(self: object) -> str:
        return f"{name}({shown(self)})"

    shown = cast("Callable[[object], str]", base.__repr__)
    return type(name, (base,), {"__repr__": show, **{f"__{method}__": refuse for method in methods.split()}})


_COMPARISONS = "eq ne lt le gt ge hash bool str format"
HostileText = _hostile(str, "HostileText", _COMPARISONS + " len iter contains getitem")
HostileInteger = _hostile(int, "HostileInteger", _COMPARISONS + " int index float abs neg add sub")
HostileFloat = _hostile(float, "HostileFloat", _COMPARISONS + " int float abs neg add sub trunc")
HostileList = _hostile(list, "HostileList", _COMPARISONS + " len iter contains getitem reversed")


class Dictionary(dict[str, object]):
    """A dict of a class of its own."""


class Frozen(Mapping[str, object]):
    """A mapping that is no dict."""

    def __init__(self, entries: Mapping[str, object]) -> None:
        self.entries = entries

    def __getitem__(self, name: str) -> object:
        return self.entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"Frozen({self.entries!r})"


class Raising(Mapping[str, object]):
    """A mapping that raises whatever it is asked."""

    get = __getitem__ = __iter__ = __len__ = __contains__ = keys = items = values = refuse

    def __repr__(self) -> str:
        return "Raising()"


class RaisingZone(tzinfo):
    """A time zone that raises whatever it is asked."""

    utcoffset = dst = tzname = refuse

    def __repr__(self) -> str:
        return "RaisingZone()"


class Thing:
    """A value of no known kind, which cannot be compared, hashed, counted or run through."""

    __eq__ = __hash__ = __bool__ = __str__ = __len__ = __iter__ = refuse

    def __repr__(self) -> str:
        return "Thing()"
