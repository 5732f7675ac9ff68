"""The automata of a flag: all patterns and needles that it looks for in one attribute, in as few as the limits allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from flagcore.compiler.refusal import Refusal
from flagcore.compiler.views import MatchView
from flagcore.model.tree import Path, flat_key

if TYPE_CHECKING:
    from flagcore.compiler.patterns import Needle, PatternTest

__all__ = ["Automata", "Automaton", "build_automata_of"]

SHOWN = 60  # characters of a pattern in a message


class Automaton(NamedTuple):
    """One FcAutomaton and the attribute that it reads."""

    path: Path
    data: bytes


class Automata:
    """Built automata, and for each match view the (automaton, mask) pairs any of which makes it true."""

    def __init__(self) -> None:
        self.built: tuple[Automaton, ...] = ()
        self.places: dict[int, list[tuple[int, int]]] = {}


def build_automata_of(views: Sequence[MatchView], states: int) -> Automata:
    """Return the automata for ``views``, attribute by attribute; raises Refusal when one test alone is too large."""
    by_path: dict[Path, list[MatchView]] = {}
    for view in views:
        by_path.setdefault(view.path, []).append(view)
    automata = Automata()
    for path, alike in by_path.items():
        _build(automata, path, alike, states)
    return automata


def _build(automata: Automata, path: Path, views: Sequence[MatchView], states: int) -> None:
    # Imported where the first pattern is met: most sets have none, and a command that asks for one flag waits for it.
    from flagcore.compiler.patterns import AutomatonLimits, AutomatonTooLarge, Needle, PatternTest, build_automata

    tests: list[Needle | PatternTest] = []
    for view in views:
        tests += [Needle(text, fold, view.number) for text, fold in view.needles]
        if view.pattern is not None:
            tests.append(PatternTest(view.pattern, view.number))
    try:
        blobs = build_automata(tests, AutomatonLimits(states=states))
    except AutomatonTooLarge as error:
        raise _refusal(path, tests[error.index], views, error.reason) from error
    for blob in blobs:
        index = len(automata.built)
        automata.built += (Automaton(path, blob.data),)
        for position, number in enumerate(blob.bits):
            automata.places.setdefault(number, []).append((index, 1 << position))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def _refusal(path: Path, test: Needle | PatternTest, views: Sequence[MatchView], reason: str) -> Refusal:
    text = next((view.text for view in views if view.number == test.bit and view.text), "")
    named = f"the pattern {_cut(text)!r}" if text else "a text to look for"
    return Refusal(
        "automaton-too-large",
        f"{named} on {flat_key(path)!r} cannot be compiled: {reason}",
        hint="make the pattern simpler or its repeat counts smaller",
        pattern=text,
    )
