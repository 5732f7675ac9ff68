"""Mappings that differ from another in few entries."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from flagcore.snapshot.layered import Layered, replaced


def test_each_change_gives_another_mapping() -> None:
    """Whatever is replaced, added or taken away in a row, every mapping stays what a dict would be, in the same order."""
    plain: dict[str, int] = {f"k{n}": n for n in range(50)}
    layered: Mapping[str, int] = plain
    known: list[tuple[Mapping[str, int], dict[str, int]]] = []
    for turn in range(40):
        fresh: dict[str, int | None] = {f"k{(turn * 7) % 50}": -turn}
        if turn % 9 == 5:
            fresh[f"k{turn}"] = None
        if turn % 11 == 3:
            fresh |= {f"n{turn}": turn, "nobody": None}
        plain = plain | {key: value for key, value in fresh.items() if value is not None}
        plain = {key: value for key, value in plain.items() if fresh.get(key, 0) is not None}
        layered = replaced(layered, fresh)
        known.append((layered, plain))
    for mapping, expected in known:
        assert dict(mapping) == expected
        assert list(mapping) == list(expected)
        assert (len(mapping), mapping.keys()) == (len(expected), expected.keys())
    assert any(isinstance(mapping, Layered) for mapping, _ in known)
    assert any(isinstance(mapping, dict) for mapping, _ in known)


def test_what_is_not_there() -> None:
    """Keys of neither layer are unknown."""
    layered = replaced({"a": 1, "b": 2}, {"a": 3})
    assert isinstance(layered, Layered)
    assert (layered.get("a"), layered.get("c"), "c" in layered) == (3, None, False)
    with pytest.raises(KeyError):
        layered["c"]
