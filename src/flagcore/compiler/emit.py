"""Operations and leaves to the bytes of a program (kernel.h). The same input gives the same bytes.

Operations come children first and are numbered backwards, so that every exit points forward.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from struct import pack
from typing import NamedTuple

from flagcore.bucketing import seed, variant_identity
from flagcore.compiler.bounds import walk_bounds
from flagcore.compiler.encode import encode_column, encode_json, encode_ranges, encode_version, encode_view, word_bits
from flagcore.compiler.layout import (
    BLOCK,
    BRANCH,
    CONTESTANT,
    FORMAT,
    HASH_XXH64,
    HEADER,
    HEADER_SIZE,
    LEAF,
    LEAF_BIT,
    LINK,
    MAGIC,
    MULTI,
    NO_MEMO,
    NODE,
    NONE,
    PROVED_STEPS,
    RULE,
    RULE_REQUIRES,
    SLOT,
    TABLE_LEAF,
    VARIANT,
    VIEW,
    LeafKind,
    LinkKind,
    NodeFlag,
    Op,
    ProgramFlag,
    SlotKind,
    SplitFlag,
    ValueType,
    ViewKind,
)
from flagcore.compiler.memos import MemoKey, MemoTable, memo_words
from flagcore.compiler.operations import (
    ClassTest,
    Content,
    Forked,
    Gate,
    InlineSet,
    LinkedSet,
    Masked,
    Match,
    MultiElements,
    MultiMatches,
    Operation,
    Ranges,
    Required,
    Selection,
    Switch,
    Text,
    VersionConstant,
    Visit,
    is_node,
)
from flagcore.compiler.plan import Leaf, Race
from flagcore.compiler.pool import Pool, align8
from flagcore.compiler.refusal import Refusal
from flagcore.compiler.tables import build_table
from flagcore.compiler.views import NOW, SetView, TextView, View
from flagcore.model.tree import Path, flat_key
from flagcore.terms import FlagType

__all__ = ["Header", "emit_program", "final_exit"]

_VALUE_TYPES = {
    FlagType.BOOLEAN: ValueType.BOOLEAN,
    FlagType.STRING: ValueType.STRING,
    FlagType.INTEGER: ValueType.INTEGER,
    FlagType.FLOAT: ValueType.FLOAT,
    FlagType.OBJECT: ValueType.OBJECT,
}
_ON_OFF = ("off", "on")


class Header(NamedTuple):
    """What a program says about its flag beside the graph."""

    key: str
    type: FlagType
    variants: Mapping[str, object]
    rules: Sequence[str]  # ids in the author's order
    metadata: Mapping[str, object]


def emit_program(header: Header, leaves: Sequence[Leaf], selection: Selection, views: Sequence[View]) -> bytes:
    """Return the program; raises Refusal for names that do not fit together."""
    return _Emitter(header, leaves, selection, views).emit()


def final_exit(selection: Selection, exit_: int) -> int:
    """Return an exit of a selection, all of whose leaves are reached, as the kernel reads it."""
    return len(selection.operations) - 1 - exit_ if is_node(exit_) else exit_


class _ViewRecord(NamedTuple):
    """A view of the program: one with a table, or an automaton."""

    path: Path
    memo_key: MemoKey
    view: View | None
    automaton: bytes | None


class _Emitter:
    def __init__(self, header: Header, leaves: Sequence[Leaf], selection: Selection, views: Sequence[View]) -> None:
        self._header = header
        self._all_views = views
        self._selection = selection
        self._operations = selection.operations[::-1]
        self._last = len(selection.operations) - 1
        self._leaf_numbers = _reached_leaves(selection)
        self._leaves = [leaves[number] for number in self._leaf_numbers]
        self._leaf_index = {number: index for index, number in enumerate(self._leaf_numbers)}
        self._variants = sorted(header.variants, key=lambda name: name.encode())
        self._variant_index = {name: index for index, name in enumerate(self._variants)}
        self._slots: dict[Path, int] = {}
        self._views: dict[MemoKey, tuple[int, _ViewRecord]] = {}
        self._links: dict[tuple[LinkKind, str], int] = {}
        self._memos: MemoTable = {}
        self._lookups = _lookup_views(selection.operations, views)
        self._pool = Pool(0)
        self._forked = False

    def emit(self) -> bytes:
        bounds = walk_bounds(self._selection.operations)
        self._memos = memo_words(self._selection.operations, _memo_keys, self._leaf_memo_keys())
        self._lookups = {view for view in self._lookups if _view_key(view) not in self._memos}
        self._number_parts()
        offsets = self._offsets()
        self._pool = Pool(offsets["pool"])
        parts = {
            "nodes": b"".join(self._node(operation) for operation in self._operations),
            "leaves": b"".join(self._leaf_records()),
            "slots": b"".join(self._slot(path) for path in self._slots),
            "views": b"".join(self._view(record) for _, record in self._views.values()),
            "variants": b"".join(self._variant(name) for name in self._variants),
            "rules": b"".join(RULE.pack(*self._pool.text(rule.encode())) for rule in self._header.rules),
            "links": b"".join(LINK.pack(kind, *self._pool.text(name.encode()), 0) for kind, name in self._links),
        }
        key = self._pool.text(self._header.key.encode())
        metadata = self._pool.text(encode_json(self._header.metadata))
        self._forked = any(operation.visits_all for operation in self._operations)
        table = 0
        if self._forked or len(bounds) > PROVED_STEPS:
            table = self._pool.add(pack(f"<{len(bounds)}I", *(bound.word for bound in reversed(bounds))), 4)
        entries = self._selection.entries[:1] if table else self._selection.entries
        steps = max((bounds[entry].steps for entry in entries if is_node(entry)), default=0)
        body = b"".join(parts.values()) + self._pool.finish()
        return self._pack_header(HEADER_SIZE + len(body), offsets, (key, metadata), steps, table) + body

    # -- numbering

    def _number_parts(self) -> None:
        """Give slots, views and links their numbers, in the order in which nodes and leaves first use them."""
        for operation in self._operations:
            if operation.path is not None:
                self._slots.setdefault(operation.path, len(self._slots))
            self._number_content(operation)
        for leaf in self._leaves:
            if leaf.race is not None:
                self._slots.setdefault(leaf.race.path, len(self._slots))
            if leaf.requirement is not None:
                self._link(LinkKind.PROGRAM, leaf.requirement)

    def _number_content(self, operation: Operation) -> None:
        match operation.content:
            case Required(flag, _):
                self._link(LinkKind.PROGRAM, flag)
            case LinkedSet(name):
                self._link(LinkKind.SET, name)
            case Switch(view) | ClassTest(view) if view not in self._lookups:
                self._number_view(view)
            case Masked(columns):
                for column in columns:
                    self._number_view(column.view)
            case Match(automaton) | MultiMatches(automaton):
                self._number_automaton(automaton)

    def _number_view(self, number: int) -> None:
        key, view = _view_key(number), self._all_views[number]
        if key not in self._views:
            self._slots.setdefault(view.path, len(self._slots))
            self._views[key] = (len(self._views), _ViewRecord(view.path, key, view, None))
            if isinstance(view, SetView):
                self._link(LinkKind.SET, view.name)

    def _number_automaton(self, number: int) -> None:
        key, automaton = _automaton_key(number), self._selection.automata[number]
        if key not in self._views:
            self._views[key] = (len(self._views), _ViewRecord(automaton.path, key, None, automaton.data))

    def _link(self, kind: LinkKind, name: str) -> int:
        return self._links.setdefault((kind, name), len(self._links))

    def _offsets(self) -> dict[str, int]:
        sizes = {
            "nodes": NODE.size * len(self._operations),
            "leaves": LEAF.size * len(self._leaves),
            "slots": SLOT.size * len(self._slots),
            "views": VIEW.size * len(self._views),
            "variants": VARIANT.size * len(self._variants),
            "rules": RULE.size * len(self._header.rules),
            "links": LINK.size * len(self._links),
        }
        offsets: dict[str, int] = {}
        at = HEADER_SIZE
        for part, size in sizes.items():
            offsets[part] = at
            at = align8(at + size)
        return {**offsets, "pool": at}

    def _pack_header(
        self, size: int, offsets: Mapping[str, int], texts: Iterable[tuple[int, int]], steps: int, bounds: int
    ) -> bytes:
        entry = self._exit(self._selection.entries[0])
        return HEADER.pack(
            *(MAGIC, FORMAT, FORMAT, size),
            *(HASH_XXH64, _VALUE_TYPES[self._header.type], ProgramFlag.FORKED if self._forked else 0),
            *(entry, steps, len(self._operations)),
            *(offsets["leaves"], len(self._leaves)),
            *(offsets["slots"], len(self._slots)),
            *(offsets["views"], len(self._views)),
            *(offsets["variants"], len(self._variants)),
            *(offsets["rules"], len(self._header.rules)),
            *(offsets["links"], len(self._links)),
            *(len(self._memos), sum(_outcomes(leaf) for leaf in self._leaves)),
            *(number for text in texts for number in text),
            *(offsets["pool"], bounds, 0),
        )

    def _exit(self, exit_: int) -> int:
        """Return the exit as the kernel reads it."""
        if is_node(exit_):
            return self._last - exit_
        return NONE if exit_ == NONE else LEAF_BIT | self._leaf_index[exit_ ^ LEAF_BIT]

    # -- nodes

    def _node(self, operation: Operation) -> bytes:
        content, slot = operation.content, 0 if operation.path is None else self._slots[operation.path]
        if isinstance(content, Switch):
            if content.view in self._lookups:
                return self._lookup(operation, content)
            flags = operation.flags | (NodeFlag.DENSE if content.dense else 0)
            place = self._pool.add(self._switch(content), 8), self._views[_view_key(content.view)][0]
            return NODE.pack(operation.op, flags, slot, LEAF_BIT, LEAF_BIT, LEAF_BIT, 0, *place)
        fields = self._several(content) if operation.visits_all else self._content(operation)
        return NODE.pack(operation.op, operation.flags, slot, *self._exits(operation), *fields)

    def _exits(self, operation: Operation) -> tuple[int, int, int]:
        """Return on_true, on_false and on_unknown, those that the kernel does not read as a leaf."""
        on_false = self._exit(operation.on_false) if operation.op is not Op.FORK else LEAF_BIT
        if operation.visits_all:
            return LEAF_BIT, on_false, LEAF_BIT
        return self._exit(operation.on_true), on_false, self._exit(operation.on_unknown)

    def _lookup(self, operation: Operation, switch: Switch) -> bytes:
        """Return a switch on texts with the exits in the table itself: no class, no array of exits to load from."""
        view = self._all_views[switch.view]
        assert isinstance(view, TextView)
        assert operation.path is not None
        missing, wrong, other, *exits = self._exits_by_class(switch)
        values = {
            text: exit_ >> 8 & TABLE_LEAF | exit_ & TABLE_LEAF - 1
            for text, exit_ in zip(view.constants, exits, strict=True)
            if exit_ != other
        }
        pool = self._pool.add(build_table(values, fold=view.fold), 8)
        flags = NodeFlag.FOLD if view.fold else 0
        return NODE.pack(Op.LOOKUP, flags, self._slots[operation.path], wrong, other, missing, 0, pool, 0)

    def _content(self, operation: Operation) -> tuple[int, int, int]:
        """Return a node's immediate, pool and length."""
        match operation.content:
            case ClassTest(view, classes):
                blob = pack(f"<{1 + len(classes)}I", len(classes) // 2, *classes)
                return 0, self._pool.add(blob, 8), self._views[_view_key(view)][0]
            case None:
                return word_bits(operation.immediate), 0, 0
            case Text(text):
                return (int.from_bytes(text, "little") if len(text) <= 8 else 0, *self._pool.text(text))
            case InlineSet(blob):
                return 0, self._pool.add(blob, 8), 0
            case LinkedSet(name):
                return 0, 0, self._link(LinkKind.SET, name)
            case VersionConstant(key):
                return 0, self._pool.add(encode_version(key, self._pool), 8), 0
            case Ranges(ranges):
                return 0, self._pool.add(encode_ranges(ranges), 8), len(ranges)
            case Match(automaton, mask):
                return mask, 0, self._views[_automaton_key(automaton)][0]
            case Gate(salt, threshold):
                assert operation.path is not None
                return seed(salt), threshold, self._memos.get(_hash_key(operation.path, salt), NO_MEMO)
            case Required(flag, identities):
                link = self._link(LinkKind.PROGRAM, flag)
                return link, self._pool.add(pack(f"<{len(identities)}Q", *identities), 8), len(identities)
        raise AssertionError(f"no content of one test: {operation.content}")

    def _several(self, content: Content | None) -> tuple[int, int, int]:
        """The same of FORK, BLOCK and MULTI."""
        match content:
            case Forked(branches):
                return 0, self._pool.add(pack("<I", len(branches)) + self._branches(branches), 4), 0
            case Masked():
                return 0, self._pool.add(self._block(content), 8), 0
            case MultiElements(fold, texts, branches, first):
                table = self._pool.add(build_table(dict(texts), fold=fold), 8)
                return 0, self._multi(table, branches, first), 0
            case MultiMatches(automaton, mask, branches, first):
                return mask, self._multi(0, branches, first), self._views[_automaton_key(automaton)][0]
        raise AssertionError(f"no content of several branches: {content}")

    def _branches(self, branches: Sequence[Visit]) -> bytes:
        return b"".join(BRANCH.pack(self._leaf_index[first], self._exit(exit_)) for first, exit_ in branches)

    def _multi(self, table: int, branches: Sequence[Visit], rest_first: int) -> int:
        place = self._pool.add(self._branches(branches), 4)
        return self._pool.add(MULTI.pack(table, len(branches), place, self._leaf_index.get(rest_first, 0)), 4)

    def _block(self, block: Masked) -> bytes:
        columns = [
            encode_column(column, self._all_views[column.view], self._views[_view_key(column.view)][0], self._pool)
            for column in block.columns
        ]
        rows = pack(f"<{len(block.rows)}I", *(self._exit(row) for row in block.rows))
        places = (self._pool.add(b"".join(columns), 4), self._pool.add(rows, 4))
        return BLOCK.pack(len(columns), len(block.rows), *places)

    def _switch(self, switch: Switch) -> bytes:
        if switch.dense:
            dense = self._exits_by_class(switch)
            return pack(f"<{len(dense)}I", *dense)
        exits = [self._exit(exit_) for exit_ in switch.exits]
        return pack(f"<{1 + len(switch.cuts) + len(exits)}I", len(switch.cuts), *switch.cuts, *exits)

    def _exits_by_class(self, switch: Switch) -> list[int]:
        edges = (0, *switch.cuts, self._all_views[switch.view].classes)
        exits = map(self._exit, switch.exits)
        return [exit_ for exit_, low, high in zip(exits, edges, edges[1:], strict=False) for _ in range(low, high)]

    # -- leaves

    def _leaf_memo_keys(self) -> list[MemoKey | None]:
        """The hash that each leaf of the plan needs, by its number there; leaves not reached need none."""
        keys: list[MemoKey | None] = [None] * (max(self._leaf_numbers, default=0) + 1)
        for number, leaf in zip(self._leaf_numbers, self._leaves, strict=True):
            keys[number] = None if leaf.race is None else _hash_key(leaf.race.path, leaf.race.salt)
        return keys

    def _leaf_records(self) -> list[bytes]:
        records: list[bytes] = []
        outcome = 0
        for leaf in self._leaves:
            records.append(self._leaf(leaf, outcome))
            outcome += _outcomes(leaf)
        return records

    def _leaf(self, leaf: Leaf, outcome: int) -> bytes:
        rule = NONE if leaf.rule is None else leaf.rule
        if leaf.requirement is not None:
            rule = RULE_REQUIRES | self._link(LinkKind.PROGRAM, leaf.requirement)
        if leaf.race is not None:
            return self._split(leaf, leaf.race, rule, outcome)
        if leaf.variant is None:
            return LEAF.pack(LeafKind.CALLER, leaf.reason, 0, 0, rule, NONE, 0, 0, outcome, 0, NO_MEMO)
        variant = self._find_variant(leaf.variant)
        return LEAF.pack(LeafKind.VARIANT, leaf.reason, 0, 0, rule, variant, 0, 0, outcome, 0, NO_MEMO)

    def _split(self, leaf: Leaf, race: Race, rule: int, outcome: int) -> bytes:
        names = tuple(name for name, _ in race.weights)
        contestants = b"".join(
            CONTESTANT.pack(self._find_variant(name), weight, variant_identity(name)) for name, weight in race.weights
        )
        flags = SplitFlag.ON_OFF if names == _ON_OFF else 0
        flags |= SplitFlag.BASE_PERCENT if race.base == "percent" else 0
        memo = self._memos.get(_hash_key(race.path, race.salt), NO_MEMO)
        return LEAF.pack(
            *(LeafKind.SPLIT, leaf.reason, flags, 0, rule),
            *(self._pool.add(contestants, 8), len(names), seed(race.salt)),
            *(outcome, self._slots[race.path], memo),
        )

    def _find_variant(self, name: str) -> int:
        index = self._variant_index.get(name)
        if index is None:
            raise Refusal("unknown-variant", f"there is no variant {name!r}")
        return index

    # -- slots, variants

    def _slot(self, path: Path) -> bytes:
        flat = self._pool.text(flat_key(path).encode())
        kind = SlotKind.TIME if path == NOW else SlotKind.ATTRIBUTE
        lengths = pack(f"<{len(path)}I", *(len(name.encode()) for name in path))
        parts = self._pool.add(lengths, 4) if len(path) > 1 else 0
        return SLOT.pack(*flat, parts, len(path), kind)

    def _variant(self, name: str) -> bytes:
        value = self._header.variants[name]
        content, scalar = b"", 0
        match self._header.type:
            case FlagType.STRING:
                content = str(value).encode()
            case FlagType.OBJECT:
                content = encode_json(value)
            case FlagType.FLOAT:
                scalar = word_bits(float(value))  # type: ignore[arg-type]
            case _:
                scalar = word_bits(int(value))  # type: ignore[call-overload]
        return VARIANT.pack(*self._pool.text(name.encode()), *self._pool.text(content), scalar, variant_identity(name))

    # -- views

    def _view(self, record: _ViewRecord) -> bytes:
        memo = self._memos.get(record.memo_key, NO_MEMO)
        slot = self._slots[record.path]
        if record.automaton is not None:
            data = self._pool.add(record.automaton, 8)
            return VIEW.pack(ViewKind.AUTOMATON, 0, slot, 0, data, 0, NONE, memo, 0, 0)
        view = record.view
        assert view is not None
        table = encode_view(view, self._pool)
        data = 0 if table.data is None else self._pool.add(table.data, 8)
        link = self._link(LinkKind.SET, view.name) if isinstance(view, SetView) else NONE
        return VIEW.pack(table.kind, table.flags, slot, view.classes, data, table.constants, link, memo, 0, 0)


def _memo_keys(operation: Operation) -> tuple[MemoKey, ...]:
    """Return what the operation computes that others may need again."""
    match operation.content:
        case Switch(view) | ClassTest(view):
            return (_view_key(view),)
        case Masked(columns):
            return tuple(_view_key(column.view) for column in columns)
        case Match(automaton) | MultiMatches(automaton):
            return (_automaton_key(automaton),)
        case Gate(salt, _):
            assert operation.path is not None
            return (_hash_key(operation.path, salt),)
    return ()


def _view_key(view: int) -> MemoKey:
    return ("view", view)


def _automaton_key(automaton: int) -> MemoKey:
    return ("automaton", automaton)


def _lookup_views(operations: Sequence[Operation], views: Sequence[View]) -> set[int]:
    """Return the views on texts that one switch alone asks; one that a walk may come to twice keeps its class instead."""
    users = Counter(key for operation in operations for key in _memo_keys(operation))
    switched = {operation.content.view for operation in operations if isinstance(operation.content, Switch)}
    return {view for view in switched if users[_view_key(view)] == 1 and isinstance(views[view], TextView)}


def _hash_key(path: Path, salt: str) -> MemoKey:
    return ("hash", path, salt)


def _reached_leaves(selection: Selection) -> list[int]:
    exits = {exit_ for operation in selection.operations for exit_ in operation.exits}.union(selection.entries)
    return sorted(exit_ ^ LEAF_BIT for exit_ in exits if not is_node(exit_) and exit_ != NONE)


def _outcomes(leaf: Leaf) -> int:
    """A split ends in one of its variants, or without a subject."""
    return 1 if leaf.race is None else len(leaf.race.weights) + 1
