"""Instruction selection: branches of the graph to the kernel's operations.

A branch goes straight to the value (a comparison, a membership) where a few such tests tell its children apart; a view
that some branch cannot do without a table gets one, and then all branches on it step by class. Operations are made
children first; an exit is a leaf or the number of an operation made before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from flagcore.compiler.automata import Automata, Automaton, build_automata_of
from flagcore.compiler.graph import Built
from flagcore.compiler.intervals import Classes
from flagcore.compiler.layout import LEAF_BIT, NodeFlag, Op
from flagcore.compiler.nodes import Branch
from flagcore.compiler.options import Options
from flagcore.compiler.plan import Prerequisite
from flagcore.compiler.simplify import Graph
from flagcore.compiler.value_sets import build_value_set
from flagcore.compiler.views import (
    AddressCut,
    AddressView,
    AffixView,
    BooleanView,
    BucketableView,
    GateView,
    ListView,
    MatchView,
    NumberView,
    OrderedView,
    PresenceView,
    SetView,
    TextView,
    TimeView,
    VersionKey,
    VersionView,
    View,
)
from flagcore.model.tree import Path

__all__ = [
    "ClassTest",
    "Content",
    "Gate",
    "InlineSet",
    "LinkedSet",
    "Match",
    "Operation",
    "Ranges",
    "Required",
    "Selection",
    "Selector",
    "Switch",
    "Text",
    "VersionConstant",
    "linked_sets",
    "select",
]

Exit = int
_ANY_ORDER = NodeFlag.LT | NodeFlag.EQ | NodeFlag.GT
_EVERY_ADDRESS: tuple[tuple[AddressCut, AddressCut], ...] = (((4, 0), (6, 0)), ((6, 0), (7, 0)))
_DENSE_CLASSES = 256  # up to here a switch is a plain array of exits


class Text(NamedTuple):
    """A constant of TEXT, PREFIX and SUFFIX, as authored (lower case when folded)."""

    text: bytes


class InlineSet(NamedTuple):
    """A value set inside the program."""

    blob: bytes


class LinkedSet(NamedTuple):
    """A value-set object."""

    name: str


class VersionConstant(NamedTuple):
    """A version to compare with."""

    key: VersionKey


class Ranges(NamedTuple):
    """Half-open ranges of addresses, none of which spans two families."""

    ranges: tuple[tuple[AddressCut, AddressCut], ...]


class Match(NamedTuple):
    """Some bit of ``mask`` is set by the automaton of that index in the selection."""

    automaton: int
    mask: int


class Gate(NamedTuple):
    """bucket(hash of the subject under ``salt``) < threshold."""

    salt: str
    threshold: int


class Required(NamedTuple):
    """The other flag's key and the identities that meet the requirement."""

    flag: str
    identities: tuple[int, ...]


class ClassTest(NamedTuple):
    """The class of a view with a table lies in ``classes``."""

    view: int
    classes: Classes


class Switch(NamedTuple):
    """Exit i for classes of the view in ``[cuts[i-1], cuts[i])``."""

    view: int
    cuts: tuple[int, ...]
    exits: tuple[Exit, ...]
    dense: bool


Content = Text | InlineSet | LinkedSet | VersionConstant | Ranges | Match | Gate | Required | ClassTest | Switch


class Operation(msgspec.Struct, frozen=True):
    """One node to be: what it does, where it goes."""

    op: Op
    path: Path | None  # None: it looks at no attribute of its own
    on_true: Exit
    on_false: Exit
    on_unknown: Exit
    flags: int = 0
    immediate: int | float = 0
    content: Content | None = None

    @property
    def exits(self) -> tuple[Exit, ...]:
        """All exits, repeated ones too."""
        if isinstance(self.content, Switch):
            return self.content.exits
        return (self.on_true, self.on_false, self.on_unknown)


class Selection(NamedTuple):
    """Operations, children before parents, and the exits that walks begin with; the first is the program's entry."""

    operations: tuple[Operation, ...]
    entries: tuple[Exit, ...]
    automata: tuple[Automaton, ...]


class Piece(NamedTuple):
    """An interval of value classes (2 and up) with one exit; neighbours differ."""

    low: int
    high: int
    exit: Exit

    @property
    def is_point(self) -> bool:
        """In an ordered view: exactly the values equal to one constant."""
        return self.high == self.low + 1 and self.low % 2 == 1


class Ways(NamedTuple):
    """Where a branch goes: missing, wrong type, and values."""

    missing: Exit
    wrong_type: Exit
    values: tuple[Piece, ...]

    @property
    def default(self) -> Exit:
        """The exit of class 2: for most kinds, of values that no constant names."""
        return self.values[0].exit

    @property
    def others(self) -> dict[Exit, list[Piece]]:
        """The pieces that do not go to the default, by exit."""
        found: dict[Exit, list[Piece]] = {}
        for piece in self.values:
            if piece.exit != self.default:
                found.setdefault(piece.exit, []).append(piece)
        return found


def select(built: Built, views: Sequence[View], prerequisites: Sequence[Prerequisite], options: Options) -> Selection:
    """Return the operations of a graph, prerequisites in front."""
    selector = Selector(views, options)
    (entry,) = selector.select_graph(built.graph, (built.root,))
    for prerequisite in reversed(prerequisites):
        entry = selector.add_requirement(prerequisite, entry)
    return Selection(tuple(selector.operations), (entry,), selector.automata.built)


def linked_sets(selection: Selection, views: Sequence[View]) -> tuple[str, ...]:
    """Return the names of the value-set objects that a selection asks, sorted."""
    names: set[str] = set()
    for operation in selection.operations:
        match operation.content:
            case LinkedSet(name):
                names.add(name)
            case Switch(number) | ClassTest(number):
                view = views[number]
                names |= {view.name} if isinstance(view, SetView) else set()
    return tuple(sorted(names))


class Selector:
    """Makes operations, equal ones once."""

    def __init__(self, views: Sequence[View], options: Options) -> None:
        self.operations: list[Operation] = []
        self._numbers: dict[Operation, int] = {}
        self.automata = Automata()
        self._views = views
        self._options = options

    def select_graph(self, graph: Graph, roots: Sequence[int]) -> tuple[Exit, ...]:
        """Select everything that can be reached from ``roots``; returns the exit of each."""
        reachable = graph.reachable(roots)
        tabled = self._tabled(graph, reachable)
        self.automata = build_automata_of(self._asked(graph, reachable), self._options.automaton_states)
        exits: dict[int, Exit] = {}
        for number in reachable:
            node = graph.node(number)
            if isinstance(node, Branch):
                branch = node._replace(children=tuple(exits[child] for child in node.children))
                exits[number] = self._by_class(branch) if node.view in tabled else self.by_value(branch)
            else:
                exits[number] = LEAF_BIT | node
        return tuple(exits[root] for root in roots)

    def add_requirement(self, prerequisite: Prerequisite, met: Exit) -> Exit:
        """Put a prerequisite in front."""
        unmet = LEAF_BIT | prerequisite.leaf
        content = Required(prerequisite.flag, prerequisite.identities)
        return self._add(Operation(Op.REQUIRES, None, met, unmet, unmet, content=content))

    def _tabled(self, graph: Graph, reachable: Sequence[int]) -> set[int]:
        """Views that some branch cannot do without a class table, and value sets that several branches ask."""
        tabled: set[int] = set()
        asked: set[int] = set()
        for number in reachable:
            node = graph.node(number)
            if isinstance(node, Branch) and node.view not in tabled:
                view = self._views[node.view]
                again = node.view in asked and isinstance(view, SetView)
                if again or (view.switchable and _direct_count(view, self._ways(node)) > self._options.direct_tests):
                    tabled.add(node.view)
                asked.add(node.view)
        return tabled

    def _asked(self, graph: Graph, reachable: Sequence[int]) -> list[MatchView]:
        """The views of patterns and needles that some branch asks."""
        nodes = [graph.node(number) for number in reachable]
        asked = {node.view for node in nodes if isinstance(node, Branch)}
        return [view for view in self._views if view.number in asked and isinstance(view, MatchView)]

    def _ways(self, branch: Branch) -> Ways:
        view = self._views[branch.view]
        exits: list[Exit] = []
        pieces: list[Piece] = []
        for (low, high), child in zip(pairwise((0, *branch.cuts, view.classes)), branch.children, strict=True):
            exits += [child] * (min(high, 2) - low)
            if high > 2:
                pieces.append(Piece(max(low, 2), high, child))
        if view.is_now:
            exits = [pieces[0].exit] * 2
        return Ways(exits[0], exits[1], tuple(pieces))

    # -- by class

    def _by_class(self, branch: Branch) -> Exit:
        view = self._views[branch.view]
        distinct = dict.fromkeys(branch.children)
        dense = view.classes <= max(_DENSE_CLASSES, 2 * len(branch.cuts))
        if len(distinct) > 2 or dense:
            content = Switch(branch.view, branch.cuts, branch.children, dense)
            return self._add(Operation(Op.SWITCH, view.path, LEAF_BIT, LEAF_BIT, LEAF_BIT, content=content))
        no, yes = distinct
        edges = (*branch.cuts, view.classes)[: len(branch.cuts) + len(branch.cuts) % 2]
        test = ClassTest(branch.view, edges)
        return self._add(Operation(Op.CLASS, view.path, yes, no, no, content=test))

    # -- by value

    def by_value(self, branch: Branch) -> Exit:
        """Return the exit that leads to direct tests of the attribute's value."""
        view = self._views[branch.view]
        ways = self._ways(branch)
        if len(ways.values) == 1 and ways.default == ways.wrong_type:
            rest = ways.default
        else:
            rest = _SELECT[type(view)](self, view, ways)
        if ways.missing == ways.wrong_type or isinstance(view, BucketableView):
            return rest
        return self._add(Operation(Op.HAS, view.path, rest, ways.missing, ways.missing))

    def select_presence(self, view: PresenceView, ways: Ways) -> Exit:
        return ways.wrong_type  # HAS itself tells class 0 from the others

    def select_boolean(self, view: BooleanView, ways: Ways) -> Exit:
        false, true = ways.values[0].exit, ways.values[-1].exit
        return self._add(Operation(Op.BOOLEAN, view.path, true, false, ways.wrong_type))

    def select_text(self, view: TextView, ways: Ways) -> Exit:
        after = ways.default
        for exit_, pieces in reversed(ways.others.items()):
            texts = [view.constants[number - 3] for piece in pieces for number in range(piece.low, piece.high)]
            after = self._text_members(view, texts, exit_, after, ways.wrong_type)
        return after if ways.others else self._any_text(view.path, ways)

    def select_number(self, view: NumberView, ways: Ways) -> Exit:
        if len(ways.values) > 1 and _by_points(ways):
            after = ways.default
            for exit_, pieces in reversed(ways.others.items()):
                numbers = [view.constants[(piece.low - 3) // 2] for piece in pieces]
                after = self._number_members(view, numbers, exit_, after, ways.wrong_type)
            return after
        return self._select_ordered(
            ways, lambda key, flags, *exits: self._compare_number(view, key, flags, *exits), view
        )

    def select_version(self, view: VersionView, ways: Ways) -> Exit:
        def compare(key: VersionKey, flags: int, yes: Exit, no: Exit, unknown: Exit) -> Exit:
            return self._add(Operation(Op.VERSION, view.path, yes, no, unknown, flags, content=VersionConstant(key)))

        return self._select_ordered(ways, compare, view)

    def select_time(self, view: TimeView, ways: Ways) -> Exit:
        def compare(key: int, flags: int, yes: Exit, no: Exit, unknown: Exit) -> Exit:
            return self._add(Operation(Op.TIME, view.path, yes, no, unknown, flags, key))

        return self._select_ordered(ways, compare, view)

    def select_address(self, view: AddressView, ways: Ways) -> Exit:
        after = ways.default
        for exit_, pieces in reversed(ways.others.items()):
            ranges = tuple(part for piece in pieces for part in _address_ranges(view, piece))
            after = self._address(view, ranges, exit_, after, ways.wrong_type)
        if not ways.others:
            return self._address(view, _EVERY_ADDRESS, ways.default, ways.default, ways.wrong_type)
        return after

    def select_affix(self, view: AffixView, ways: Ways) -> Exit:
        """Longer patterns first: the first that fits decides as the longest that fits does."""
        telling = _telling_patterns(view, ways)
        if not telling:
            return self._any_text(view.path, ways)
        after = ways.default
        for pattern, exit_ in sorted(telling, key=lambda item: (len(item[0]), item[0])):
            text = pattern[::-1] if view.suffix else pattern
            op = Op.SUFFIX if view.suffix else Op.PREFIX
            fold = NodeFlag.FOLD if view.fold else 0
            after = self._add(Operation(op, view.path, exit_, after, ways.wrong_type, fold, content=Text(text)))
        return after

    def select_set(self, view: SetView, ways: Ways) -> Exit:
        return self._question(Op.IN, view, ways, NodeFlag.LINK, LinkedSet(view.name))

    def select_match(self, view: MatchView, ways: Ways) -> Exit:
        """Needles may be spread over several automata: any of them may say yes."""
        no, yes = ways.values[0].exit, ways.values[-1].exit
        for automaton, mask in reversed(self.automata.places[view.number]):
            content = Match(automaton, mask)
            no = self._add(Operation(Op.MATCH, view.path, yes, no, ways.wrong_type, content=content))
        return no

    def select_list(self, view: ListView, ways: Ways) -> Exit:
        if view.name is not None:
            return self._question(Op.CONTAINS, view, ways, NodeFlag.LINK, LinkedSet(view.name))
        plain = [value for _, value, prefix in view.literals if prefix != "i"]
        folded = [value for _, value, prefix in view.literals if prefix == "i"]
        return self._question(Op.CONTAINS, view, ways, 0, InlineSet(build_value_set(plain, folded)))

    def select_gate(self, view: GateView, ways: Ways) -> Exit:
        def below(pieces: Sequence[Piece]) -> Exit:
            if len(pieces) == 1:
                return pieces[0].exit
            middle = len(pieces) // 2
            gate = Gate(view.salt, view.constants[pieces[middle].low - 3])
            inside, outside = below(pieces[:middle]), below(pieces[middle:])
            return self._add(Operation(Op.GATE, view.path, inside, outside, ways.wrong_type, content=gate))

        return below(ways.values)

    def select_bucketable(self, view: BucketableView, ways: Ways) -> Exit:
        no, yes = ways.values[0].exit, ways.values[-1].exit
        return self._add(Operation(Op.BUCKETABLE, view.path, yes, no, no))

    # -- single operations

    def _question(self, op: Op, view: View, ways: Ways, flags: int, content: Content) -> Exit:
        no, yes = ways.values[0].exit, ways.values[-1].exit
        return self._add(Operation(op, view.path, yes, no, ways.wrong_type, flags, content=content))

    def _any_text(self, path: Path, ways: Ways) -> Exit:
        """Every text starts with the empty one."""
        exit_ = ways.default
        return self._add(Operation(Op.PREFIX, path, exit_, exit_, ways.wrong_type, content=Text(b"")))

    def _text_members(self, view: TextView, texts: Sequence[bytes], yes: Exit, no: Exit, unknown: Exit) -> Exit:
        if len(texts) == 1:
            fold = NodeFlag.FOLD if view.fold else 0
            return self._add(Operation(Op.TEXT, view.path, yes, no, unknown, fold, content=Text(texts[0])))
        words = [text.decode() for text in texts]
        blob = build_value_set((), words) if view.fold else build_value_set(words)
        return self._add(Operation(Op.IN, view.path, yes, no, unknown, content=InlineSet(blob)))

    def _number_members(
        self, view: NumberView, numbers: Sequence[int | float], yes: Exit, no: Exit, unknown: Exit
    ) -> Exit:
        if len(numbers) == 1:
            return self._compare_number(view, numbers[0], NodeFlag.EQ, yes, no, unknown)
        content = InlineSet(build_value_set(numbers))
        return self._add(Operation(Op.IN, view.path, yes, no, unknown, content=content))

    def _compare_number(self, view: View, key: int | float, flags: int, yes: Exit, no: Exit, unknown: Exit) -> Exit:
        kind = NodeFlag.DOUBLE if isinstance(key, float) else 0
        return self._add(Operation(Op.NUMBER, view.path, yes, no, unknown, flags | kind, key))

    def _address(
        self,
        view: AddressView,
        ranges: tuple[tuple[AddressCut, AddressCut], ...],
        yes: Exit,
        no: Exit,
        unknown: Exit,
    ) -> Exit:
        return self._add(Operation(Op.ADDRESS, view.path, yes, no, unknown, content=Ranges(ranges)))

    def _select_ordered(self, ways: Ways, compare: Callable[..., Exit], view: OrderedView) -> Exit:  # type: ignore[type-arg]
        unknown = ways.default if view.is_now else ways.wrong_type
        if len(ways.values) == 1:
            return compare(view.constants[0], _ANY_ORDER, ways.default, ways.default, unknown)
        if _by_points(ways):
            after = ways.default
            for piece in reversed([piece for piece in ways.values if piece.exit != ways.default]):
                after = compare(view.constants[(piece.low - 3) // 2], NodeFlag.EQ, piece.exit, after, unknown)
            return after
        return self._bisect(ways.values, compare, view, unknown)

    def _bisect(self, pieces: Sequence[Piece], compare: Callable[..., Exit], view: OrderedView, unknown: Exit) -> Exit:  # type: ignore[type-arg]
        """A balanced tree of comparisons with the edges between pieces."""
        if len(pieces) == 1:
            return pieces[0].exit
        middle = len(pieces) // 2
        edge = pieces[middle].low
        key = view.constants[(edge - 3) // 2]
        flags = NodeFlag.LT if edge % 2 else NodeFlag.LT | NodeFlag.EQ
        below = self._bisect(pieces[:middle], compare, view, unknown)
        above = self._bisect(pieces[middle:], compare, view, unknown)
        return compare(key, flags, below, above, unknown)

    def _add(self, operation: Operation) -> Exit:
        number = self._numbers.get(operation)
        if number is None:
            number = self._numbers[operation] = len(self.operations)
            self.operations.append(operation)
        return number


_SELECT: dict[type[View], Callable[..., Exit]] = {
    PresenceView: Selector.select_presence,
    BooleanView: Selector.select_boolean,
    TextView: Selector.select_text,
    NumberView: Selector.select_number,
    VersionView: Selector.select_version,
    TimeView: Selector.select_time,
    AddressView: Selector.select_address,
    AffixView: Selector.select_affix,
    SetView: Selector.select_set,
    MatchView: Selector.select_match,
    ListView: Selector.select_list,
    GateView: Selector.select_gate,
    BucketableView: Selector.select_bucketable,
}


def _direct_count(view: View, ways: Ways) -> int:
    """Return how many operations on the value a branch takes."""
    if isinstance(view, AffixView):
        return len(_telling_patterns(view, ways))
    if isinstance(view, OrderedView) and len(ways.values) > 1:
        if not _by_points(ways):
            return len(ways.values) - 1
        return len(ways.others) if isinstance(view, NumberView) else sum(map(len, ways.others.values()))
    return len(ways.others)


def _by_points(ways: Ways) -> bool:
    """Only single constants do not go to the default."""
    return all(piece.is_point for pieces in ways.others.values() for piece in pieces)


def _address_ranges(view: AddressView, piece: Piece) -> list[tuple[AddressCut, AddressCut]]:
    """Return the piece's addresses, parted by family; never called for a piece that begins below the first cut."""
    low = view.constants[piece.low - 3]
    high = view.constants[piece.high - 3] if piece.high < view.classes else (7, 0)
    if low >= high or low >= (7, 0):
        return []
    if low < (6, 0) < high:  # pyright: ignore[reportOperatorIssue]
        return [(low, (6, 0)), ((6, 0), high)]
    return [(low, high)]


def _telling_patterns(view: AffixView, ways: Ways) -> list[tuple[bytes, Exit]]:
    """Return the patterns whose exit differs from that of the next shorter one that fits whenever they do."""
    telling: list[tuple[bytes, Exit]] = []
    above: list[tuple[bytes, Exit]] = []  # patterns that the current one extends
    for piece in ways.values:
        for number in range(max(piece.low, 3), piece.high):
            pattern = view.constants[number - 3]
            while above and not pattern.startswith(above[-1][0]):
                above.pop()
            if not above and piece.exit == ways.default:
                break  # nothing fits around the rest of this piece, which goes where it would go anyway
            if piece.exit != (above[-1][1] if above else ways.default):
                telling.append((pattern, piece.exit))
            above.append((pattern, piece.exit))
    return telling
