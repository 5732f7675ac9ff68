"""Instruction selection: branches of the graph to the kernel's operations.

A branch goes straight to the value (a comparison, a membership) where a few such tests tell its children apart; a view
that some branch cannot do without a table gets one, and then all branches on it step by class. Operations are made
children first; an exit is a leaf or the number of an operation made before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from flagcore.compiler.automata import Automata, build_automata_of
from flagcore.compiler.graph import Built
from flagcore.compiler.layout import LEAF_BIT, NONE, NodeFlag, Op
from flagcore.compiler.nodes import NO_ROW, Block, Branch, Fork, ListMulti, Node, TextMulti
from flagcore.compiler.operations import (
    ClassTest,
    Content,
    Exit,
    Gate,
    InlineSet,
    LinkedSet,
    Masked,
    Match,
    Operation,
    Ranges,
    Required,
    Selection,
    Switch,
    Text,
    VersionConstant,
    is_node,
)
from flagcore.compiler.options import Options
from flagcore.compiler.plan import Prerequisite
from flagcore.compiler.select_forks import Forks
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

__all__ = ["Selector", "linked_sets", "select"]

_ANY_ORDER = NodeFlag.LT | NodeFlag.EQ | NodeFlag.GT
_EVERY_ADDRESS: tuple[tuple[AddressCut, AddressCut], ...] = (((4, 0), (6, 0)), ((6, 0), (7, 0)))
_DENSE_CLASSES = 256  # up to here a switch is a plain array of exits


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
                names |= _set_name(views[number])
            case Masked(columns):
                names = names.union(*(_set_name(views[column.view]) for column in columns))
    return tuple(sorted(names))


def _set_name(view: View) -> set[str]:
    return {view.name} if isinstance(view, SetView) else set()


class Selector:
    """Makes operations, equal ones once."""

    def __init__(self, views: Sequence[View], options: Options) -> None:
        self.operations: list[Operation] = []
        self._numbers: dict[Operation, int] = {}
        self.automata = Automata()
        self._views = views
        self._options = options
        self._smallest: list[int] = []  # leaf that each operation can reach
        self._row_tests: set[Exit] = set()

    def select_graph(self, graph: Graph, roots: Sequence[int]) -> tuple[Exit, ...]:
        """Select everything that can be reached from ``roots``; returns the exit of each."""
        reachable = graph.reachable(roots)
        tabled = self._tabled(graph, reachable)
        self.automata = build_automata_of(self._asked(graph, reachable), self._options.automaton_states)
        exits: dict[int, Exit] = {}
        for number in reachable:
            exits[number] = self._select(graph.node(number), exits, tabled)
        return tuple(exits[root] for root in roots)

    def add_requirement(self, prerequisite: Prerequisite, met: Exit) -> Exit:
        """Put a prerequisite in front."""
        unmet = LEAF_BIT | prerequisite.leaf
        content = Required(prerequisite.flag, prerequisite.identities)
        return self._add(Operation(Op.REQUIRES, None, met, unmet, unmet, content=content))

    def _select(self, node: Node, exits: Mapping[int, Exit], tabled: set[int]) -> Exit:
        match node:
            case Branch():
                branch = Branch(node.view, node.cuts, tuple([exits[child] for child in node.children]))
                return self._by_class(branch) if node.view in tabled else self.by_value(branch)
            case Fork():
                return self._forks().select_fork(node, exits)
            case Block():
                return self._forks().select_block(node, exits)
            case ListMulti():
                return self._forks().select_elements(node, exits)
            case TextMulti():
                return self._forks().select_matches(node, exits, self._views, self.automata)
            case leaf:
                return NONE if leaf == NO_ROW else LEAF_BIT | leaf

    def _forks(self) -> Forks:
        """Made when needed: one that is kept would hold this selector, and only a search for garbage would free both."""
        return Forks(self._add, self._smallest_of)

    def _tabled(self, graph: Graph, reachable: Sequence[int]) -> set[int]:
        """Views of columns, views that some branch cannot do without a class table, and value sets that several ask."""
        blocks = (node for node in map(graph.node, reachable) if isinstance(node, Block))
        tabled = {column.view for block in blocks for column in block.columns}
        asked: set[int] = set()
        for number in reachable:
            node = graph.node(number)
            if isinstance(node, Branch) and node.view not in tabled:
                view = self._views[node.view]
                again = node.view in asked and isinstance(view, SetView)
                if again or (view.switchable and self._needs_table(view, node)):
                    tabled.add(node.view)
                asked.add(node.view)
        return tabled

    def _needs_table(self, view: View, branch: Branch) -> bool:
        """More direct tests than a table is worth; a test tells one cut, but an affix may take several."""
        most = self._options.direct_tests
        if len(branch.cuts) <= most and not isinstance(view, AffixView):
            return False
        return _direct_count(view, self._ways(branch)) > most

    def _asked(self, graph: Graph, reachable: Sequence[int]) -> list[MatchView]:
        """The views of patterns and needles that some branch asks."""
        nodes = [graph.node(number) for number in reachable]
        asked = {node.view for node in nodes if isinstance(node, Branch)}
        asked.update(view for node in nodes if isinstance(node, TextMulti) for view, _ in node.views)
        return [view for view in self._views if view.number in asked and isinstance(view, MatchView)]

    def _ways(self, branch: Branch) -> Ways:
        view = self._views[branch.view]
        pieces: list[Piece] = []
        missing = wrong_type = branch.children[0]
        low = 0
        for high, child in zip((*branch.cuts, view.classes), branch.children, strict=True):
            if low == 1:
                wrong_type = child
            if high > 2:
                pieces.append(Piece(max(low, 2), high, child))
            low = high
        if view.is_now:
            missing = wrong_type = pieces[0].exit
        return Ways(missing, wrong_type, tuple(pieces))

    # -- by class

    def _by_class(self, branch: Branch) -> Exit:
        view = self._views[branch.view]
        distinct = dict.fromkeys(branch.children)
        dense = view.classes <= max(_DENSE_CLASSES, 2 * len(branch.cuts))
        if (len(distinct) > 2 or dense) and not self._is_row(distinct):
            content = Switch(branch.view, branch.cuts, branch.children, dense)
            return self._add(Operation(Op.SWITCH, view.path, LEAF_BIT, LEAF_BIT, LEAF_BIT, content=content))
        return self._class_tests(branch, list(distinct))

    def _class_tests(self, branch: Branch, distinct: Sequence[Exit]) -> Exit:
        """A test for each child but the first."""
        view = self._views[branch.view]
        after, *others = distinct
        edges = (0, *branch.cuts, view.classes)
        for child in others:
            parts = [part for part, found in zip(pairwise(edges), branch.children, strict=True) if found == child]
            test = ClassTest(branch.view, tuple(edge for part in parts for edge in part))
            after = self._add(Operation(Op.CLASS, view.path, child, after, after, content=test))
        return after

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
        if no == yes:
            return self._any_text(view.path, ways)
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
        return self._below(view, ways.values, ways.wrong_type)

    def _below(self, view: GateView, pieces: Sequence[Piece], unknown: Exit) -> Exit:
        """A balanced tree of thresholds."""
        if len(pieces) == 1:
            return pieces[0].exit
        middle = len(pieces) // 2
        gate = Gate(view.salt, view.constants[pieces[middle].low - 3])
        inside, outside = self._below(view, pieces[:middle], unknown), self._below(view, pieces[middle:], unknown)
        return self._add(Operation(Op.GATE, view.path, inside, outside, unknown, content=gate))

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
        exits = operation.exits
        is_row = self._is_row(exits) and not operation.visits_all
        if is_row:
            operation = msgspec.structs.replace(operation, flags=operation.flags | NodeFlag.ROW)
        number = self._numbers.get(operation)
        if number is None:
            number = self._numbers[operation] = len(self.operations)
            self.operations.append(operation)
            if is_row:
                self._row_tests.add(number)
            self._smallest.append(min([self._smallest_of(exit_) for exit_ in exits]))
        return number

    def _is_row(self, exits: Collection[Exit]) -> bool:
        """One of the exits is part of a block's row: NONE, or a test that may lead to it."""
        return NONE in exits or not self._row_tests.isdisjoint(exits)

    def _smallest_of(self, exit_: Exit) -> int:
        return self._smallest[exit_] if is_node(exit_) else exit_ ^ LEAF_BIT


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
