"""Mappings that differ from another in few entries, made at the cost of the difference."""

from __future__ import annotations

from collections.abc import Iterator, KeysView, Mapping
from typing import TypeVar

__all__ = ["Layered", "replaced"]

T = TypeVar("T")


class Layered(Mapping[str, T]):
    """Another mapping with other values for some of its keys. Neither may change any more."""

    def __init__(self, below: Mapping[str, T], above: dict[str, T]) -> None:
        self.below = below
        self.above = above

    def __getitem__(self, key: str) -> T:
        return self.above[key] if key in self.above else self.below[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.below)

    def __len__(self) -> int:
        return len(self.below)

    def keys(self) -> KeysView[str]:
        """Return the keys as the mapping below has them."""
        return self.below.keys()


def replaced(before: Mapping[str, T], fresh: Mapping[str, T | None]) -> Mapping[str, T]:
    """Return ``before`` with what is fresh in its place or behind the rest; None takes a value away.

    Values in place of others lie in a layer above, until there are more than the square root of all: so neither copying the
    layer nor making the mapping anew then costs much for each change.
    """
    below, above = (before.below, before.above) if isinstance(before, Layered) else (before, dict[str, T]())
    above = {**above, **{key: value for key, value in fresh.items() if value is not None}}
    gone = [key for key, value in fresh.items() if value is None and key in below]
    if not gone and len(above) ** 2 <= len(below) and above.keys() <= below.keys():
        return Layered(below, above)
    whole = {**below, **above}
    for key in gone:
        del whole[key]
    return whole
