"""Subset construction: the deterministic automaton of an ``Nfa``, built state by state from the start.

A state is the set of places where the search may stand. Assertions that look back (begin of text or line) are decided
when a state is entered; those that look ahead (end of text or line, word boundaries) wait in the state, which then
remembers what kind of byte came before, and are decided by the next symbol: their match is reported one state later. The
end of the text is a symbol of its own. Once every test has matched nothing is tracked any more.
"""

from __future__ import annotations

from typing import NamedTuple

from flagcore.compiler.nfa import Jump, Match, Nfa, Require, Take, TooManyStatesError
from flagcore.compiler.symbols import Kind, Symbols, union

__all__ = ["DEAD", "Dfa", "determinise"]

DEAD = 0  # this state leads to itself only and reports nothing


class Dfa(NamedTuple):
    """``rows[state][class]`` is the next state; the last class is the end of the text. State 0 is ``DEAD``."""

    byte_class: bytes  # 256 bytes
    rows: list[list[int]]
    masks: list[int]  # reported on entering a state
    start: int


class _Places(NamedTuple):
    """Where a search may stand without reading on, and what has matched there."""

    states: frozenset[int]  # Take, and Require that must see the next symbol
    mask: int
    waiting: bool  # some Require is among the states


_StateKey = tuple[frozenset[int], Kind | None, int]  # places, byte before when one is waiting, mask


def determinise(nfa: Nfa, states: int, work: int) -> Dfa:
    """Return the automaton of ``nfa`` (after ``search``), not minimal.

    ``states`` and ``work`` are limits; a unit of work is about 0.2 us.

    Raises:
        TooManyStatesError: a limit was reached.
    """
    return _Determiniser(nfa, states, work).run()


class _Determiniser:
    def __init__(self, nfa: Nfa, states: int, work: int) -> None:
        self.nfa = nfa.states
        self.limit = states
        self.work = work
        self.everything = union(state.mask for state in nfa.states if isinstance(state, Match))
        self.symbols = Symbols(nfa)
        takes = {place: state for place, state in enumerate(nfa.states) if isinstance(state, Take)}
        self.reads = {place: self.symbols.classes(state.bytes) for place, state in takes.items()}
        self.follows = {place: state.target for place, state in takes.items()}
        self.closures: dict[tuple[int, Kind, Kind | None], _Places] = {}
        self.entered: dict[tuple[frozenset[int], Kind], _Places] = {}
        self.numbers: dict[_StateKey, int] = {(frozenset(), None, 0): DEAD}
        self.keys: list[_StateKey] = list(self.numbers)
        self.start_state = nfa.start

    def run(self) -> Dfa:
        """Number states as they are met, and expand each once."""
        start = self._number(self._enter(frozenset([self.start_state]), Kind.EDGE), Kind.EDGE, 0)
        rows: list[list[int]] = []
        while len(rows) < len(self.keys):
            rows.append(self._expand(self.keys[len(rows)]))
        return Dfa(self.symbols.byte_class, rows, [mask for _, _, mask in self.keys], start)

    def _spend(self, amount: int) -> None:
        self.work -= amount
        if self.work < 0:
            raise TooManyStatesError("it takes too long to make deterministic")

    def _number(self, places: _Places, before: Kind, mask: int) -> int:
        """Return the number of the state for these places, a new one when it was not met before."""
        mask |= places.mask
        if mask == self.everything:
            key: _StateKey = (frozenset(), None, mask)
        else:
            key = (places.states, before if places.waiting else None, mask)
        number = self.numbers.get(key)
        if number is None:
            number = self.numbers[key] = len(self.keys)
            self.keys.append(key)
            if number > self.limit:
                raise TooManyStatesError(f"it needs more than {self.limit:,} states")
        return number

    def _expand(self, key: _StateKey) -> list[int]:
        """Return the next state for each class."""
        places, before, _ = key
        row = [DEAD] * self.symbols.count
        for kind, classes in self.symbols.by_kind.items():
            takes, mask = (places, 0) if before is None else self._decide(places, before, kind)
            for part, moved in self._parts(takes, classes):
                number = self._number(self._enter(moved, kind), kind, mask)
                if number != DEAD:
                    for symbol in self.symbols.members(part):
                        row[symbol] = number
        self._spend(len(row) + len(places))
        return row

    def _decide(self, places: frozenset[int], before: Kind, after: Kind) -> tuple[frozenset[int], int]:
        """Return, with a symbol of kind ``after`` to come, the places that read it, and what matches before it."""
        decided = [self._closure(place, before, after) for place in places]
        self._spend(sum(len(found.states) for found in decided))
        return frozenset().union(*(found.states for found in decided)), union(found.mask for found in decided)

    def _parts(self, takes: frozenset[int], classes: int) -> list[tuple[int, frozenset[int]]]:
        """Split a set of classes into those that lead to the same places."""
        targets: dict[int, set[int]] = {}
        for place in takes:
            targets.setdefault(self.reads[place], set()).add(self.follows[place])
        parts: list[tuple[int, frozenset[int]]] = [(classes, frozenset())]
        for read, reached in targets.items():
            for index in range(len(parts)):
                part, moved = parts[index]
                inside = part & read
                if inside == part:
                    parts[index] = part, moved | reached
                elif inside:
                    parts[index] = inside, moved | reached
                    parts.append((part ^ inside, moved))
        return parts

    def _enter(self, moved: frozenset[int], before: Kind) -> _Places:
        """Return where the search stands after reading a symbol of kind ``before``."""
        known = self.entered.get((moved, before))
        if known is None:
            found = [self._closure(state, before, None) for state in moved]
            self._spend(sum(len(places.states) for places in found))
            states = frozenset().union(*(places.states for places in found))
            known = _Places(states, union(places.mask for places in found), any(places.waiting for places in found))
            self.entered[moved, before] = known
        return known

    def _closure(self, state: int, before: Kind, after: Kind | None) -> _Places:
        """Follow all that reads nothing; without ``after`` what looks ahead waits."""
        known = self.closures.get((state, before, after))
        if known is None:
            known = self.closures[state, before, after] = self._follow(state, before, after)
        return known

    def _follow(self, start: int, before: Kind, after: Kind | None) -> _Places:
        seen, stack = {start}, [start]
        states, mask, waiting = [], 0, False
        while stack:
            number = stack.pop()
            state = self.nfa[number]
            following: tuple[int, ...] = ()
            match state:
                case Take():
                    states.append(number)
                case Match():
                    mask |= state.mask
                case Jump():
                    following = state.targets
                case Require():
                    holds = _holds(state.kind, before, after)
                    following = (state.target,) if holds else ()
                    if holds is None:
                        states.append(number)
                        waiting = True
            stack.extend(other for other in following if other not in seen)
            seen.update(following)
        self._spend(2 * len(seen))
        return _Places(frozenset(states), mask, waiting)


def _holds(kind: str, before: Kind, after: Kind | None) -> bool | None:
    """Decide an assertion between two neighbours; None: that takes the one behind, which is not known yet."""
    if kind == "begin":
        return before is Kind.EDGE
    if kind == "line_begin":
        return before in (Kind.EDGE, Kind.NEWLINE)
    if after is None:
        return None
    if kind == "end":
        return after is Kind.EDGE
    if kind == "line_end":
        return after in (Kind.EDGE, Kind.NEWLINE)
    boundary = (before is Kind.WORD) != (after is Kind.WORD)
    return boundary == (kind == "word")
