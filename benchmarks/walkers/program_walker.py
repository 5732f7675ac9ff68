"""Programs walked as kernel.h describes their nodes, in plain Python: the judge of what the compiler emits.

Values are Python's: None is missing or null. Slow and simple; nothing of the kernel or the compiler's graph is used. Steps are counted as
kernel.h bounds them: nodes, and the columns of blocks that are looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from benchmarks.walkers.automaton_runner import run_automaton
from benchmarks.walkers.table_reader import look_up, member
from flagcore.bucketing import bucket, choose, subject_bytes, variant_identity, xxh64
from flagcore.compiler.layout import FORK_DEPTH, LEAF_BIT, NO_MEMO, NONE, LeafKind, LinkKind, NodeFlag, Op, ViewKind
from flagcore.compiler.reader import BranchRecord, LeafRecord, NodeRecord, ProgramReader, signed, to_double
from flagcore.model.literals import parse_address, parse_time, parse_version, precedence

__all__ = ["Ending", "Walker"]

Path = tuple[str, ...]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INT64 = range(-(1 << 63), 1 << 63)


class Ending(NamedTuple):
    """How a walk ended."""

    leaf: LeafRecord
    variant: str | None
    steps: int
    nodes: tuple[int, ...]  # in the order of the walk


@dataclass
class _Trail:
    """What one walk has looked at."""

    nodes: list[int] = field(default_factory=list)
    views: list[int] = field(default_factory=list)  # of columns
    best: int = NONE  # the smallest leaf's exit so far


@dataclass
class Walker:
    """Walks the programs of one snapshot for one context at one moment."""

    programs: Mapping[str, bytes]
    value_sets: Mapping[str, bytes]
    context: Mapping[str, object]
    moment: int = 0
    outcomes: dict[str, str | None] = field(default_factory=dict)

    def evaluate(self, key: str) -> Ending:
        """Walk the program of a flag."""
        return self.walk(ProgramReader(self.programs[key]))

    def walk(self, program: ProgramReader, entry: int | None = None) -> Ending:
        """Walk from ``entry``, the program's own by default."""
        trail = _Trail()
        self._visit(program, program.entry if entry is None else entry, trail, 0)
        at = trail.best if trail.best != NONE else LEAF_BIT | (len(program.leaves) - 1)
        steps = len(trail.nodes) + len(trail.views)
        assert steps <= program.step_bound
        leaf = program.leaves[at ^ LEAF_BIT]
        _check_memos(program, trail, leaf)
        return Ending(leaf, self._variant(program, leaf), steps, tuple(trail.nodes))

    def _visit(self, program: ProgramReader, at: int, trail: _Trail, depth: int) -> int:
        """Walk from an exit to its end; return the smallest leaf met on the way, or NONE."""
        assert depth <= FORK_DEPTH
        while not at & LEAF_BIT:
            node, own = program.nodes[at], at
            trail.nodes.append(own)
            if node.op in (Op.FORK, Op.MULTI):
                return self._visit_branches(program, node, trail, depth + 1)
            at = self._block(program, node, trail) if node.op is Op.BLOCK else self._step(program, node)
            assert at > own, "exits point forward"
        trail.best = min(trail.best, at)
        return at

    def _visit_branches(self, program: ProgramReader, node: NodeRecord, trail: _Trail, depth: int) -> int:
        smallest = NONE
        for branch in self._branches(program, node):
            if LEAF_BIT | branch.first < trail.best:
                found = self._visit(program, branch.exit, trail, depth)
                assert found >= LEAF_BIT | branch.first, "`first` is the smallest leaf of the branch"
                smallest = min(smallest, found)
        return smallest

    def _branches(self, program: ProgramReader, node: NodeRecord) -> list[BranchRecord]:
        """The branches that a value leads to, in the order of their numbers."""
        if node.op is Op.FORK:
            branches = program.branches(node)
            assert branches == sorted(branches, key=lambda branch: branch.first)
            return branches
        multi, value = program.multi(node), self._value(program, node.slot)
        numbers: set[int] = set()
        if node.flags & NodeFlag.LINK:
            mask = _mask(program, node.length, text) if (text := _text(value)) is not None else 0
            numbers = {number for bit, number in multi.bits.items() if mask >> bit & 1}
        elif isinstance(value, list | tuple | set | frozenset):
            texts = [text for element in value if (text := _text(element)) is not None]
            folded = [text.lower() if node.flags & NodeFlag.FOLD else text for text in texts]
            numbers = {multi.texts[key] for text in folded if (key := text.decode()) in multi.texts}
        return [*(multi.branches[number] for number in sorted(numbers)), BranchRecord(multi.rest_first, node.on_false)]

    def _block(self, program: ProgramReader, node: NodeRecord, trail: _Trail) -> int:
        """The leaf of the first row that holds, or on_false."""
        block = program.block(node)
        rows = (1 << len(block.rows)) - 1
        for column in block.columns:
            if rows:
                trail.views.append(column.view)
                number = self.view_class(program, column.view)
                rows &= next(mask for low, high, mask in column.masks if low <= number < high)
        for row, at in enumerate(block.rows):
            while rows >> row & 1 and not at & LEAF_BIT:
                assert program.nodes[at].flags & NodeFlag.ROW
                trail.nodes.append(at)
                at = self._step(program, program.nodes[at])
            if rows >> row & 1 and at != NONE:
                return at
        return node.on_false

    def _variant(self, program: ProgramReader, leaf: LeafRecord) -> str | None:
        if leaf.kind is not LeafKind.SPLIT:
            return leaf.variant
        subject = subject_bytes(self._value(program, leaf.slot))
        if subject is None:
            return None
        base = "percent" if leaf.flags & 1 else "split"
        return choose(xxh64(subject, leaf.seed), leaf.weights, base)

    def _step(self, program: ProgramReader, node: NodeRecord) -> int:
        if node.op is Op.SWITCH:
            number = self.view_class(program, node.length)
            return next(exit_ for low, high, exit_ in program.switch_exits(node) if low <= number < high)
        if node.op is Op.LOOKUP:
            return self._look_up(program, node)
        answer = self._answer(program, node)
        return {True: node.on_true, False: node.on_false, None: node.on_unknown}[answer]

    def _look_up(self, program: ProgramReader, node: NodeRecord) -> int:
        value = self._value(program, node.slot)
        text = _text(value)
        if text is None:
            return node.on_unknown if value is None else node.on_true
        probe = text.lower() if node.flags & NodeFlag.FOLD else text
        exits = {text.encode(): exit_ for exit_, texts in program.lookup_exits(node).items() for text in texts}
        return exits.get(probe, node.on_false)

    def _value(self, program: ProgramReader, slot: int) -> object:
        path = program.slots[slot]
        if path == ("now",):
            return _EPOCH + timedelta(microseconds=self.moment)
        flat = ".".join(path)
        if flat in self.context:
            return self.context[flat]
        found: object = self.context
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def _answer(self, program: ProgramReader, node: NodeRecord) -> bool | None:
        if node.op is Op.REQUIRES:
            kind, flag = program.links[node.immediate]
            assert kind is LinkKind.PROGRAM
            variant = self.evaluate(flag).variant if flag in self.programs else None
            return variant is not None and variant_identity(variant) in program.identities(node)
        if node.op is Op.CLASS:
            number = self.view_class(program, node.length)
            return any(low <= number < high for low, high in program.class_runs(node))
        value = self._value(program, node.slot)
        if node.op is Op.HAS:
            return value is not None
        if node.op is Op.BUCKETABLE:
            return subject_bytes(value) is not None
        return None if value is None else _compare(self, program, node, value)

    def set_blob(self, program: ProgramReader, node: NodeRecord) -> bytes:
        """The value set of IN and CONTAINS."""
        if node.flags & NodeFlag.LINK:
            return self.value_sets[program.links[node.length][1]]
        return _inline_set(program, node.pool)

    def view_class(self, program: ProgramReader, number: int) -> int:
        """The class of a view with a table."""
        view = program.views[number]
        value = self._value(program, view.slot)
        return 0 if value is None else _classify(self, program, number, value)


def _check_memos(program: ProgramReader, trail: _Trail, leaf: LeafRecord) -> None:
    """Assert that nothing dear is computed twice: what several nodes of one walk need has a memo word."""
    needed: list[tuple[object, int]] = [(("view", view), program.views[view].memo) for view in trail.views]
    for node in (program.nodes[index] for index in trail.nodes):
        by_view = node.op in (Op.SWITCH, Op.CLASS, Op.MATCH) or (node.op is Op.MULTI and node.flags & NodeFlag.LINK)
        if by_view:
            needed.append((("view", node.length), program.views[node.length].memo))
        elif node.op is Op.GATE:
            needed.append((("hash", node.slot, node.immediate), node.length & 0xFFFF))
    if leaf.kind is LeafKind.SPLIT:
        needed.append((("hash", leaf.slot, leaf.seed), leaf.memo))
    words = dict(needed)
    for what, word in needed:
        assert words[what] == word, "one word for one thing"
        assert word < program.memo_count or word == NO_MEMO
        assert word != NO_MEMO or sum(other == what for other, _ in needed) == 1
    used = [word for word in words.values() if word != NO_MEMO]
    assert len(used) == len(set(used)), "one thing for one word"


def _inline_set(program: ProgramReader, offset: int) -> bytes:
    (size,) = struct.unpack_from("<I", program.data, offset + 8)
    return program.data[offset : offset + size]


def _text(value: object) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        return value.encode()
    except UnicodeEncodeError:
        return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return value if isinstance(value, float) or value in _INT64 else None


def _time(value: object) -> int | None:
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MICROSECOND if value.tzinfo else None
    return parse_time(value) if _text(value) is not None else None


def _version(value: object) -> tuple[object, ...] | None:
    version = parse_version(value) if isinstance(value, str) else None
    return None if version is None else precedence(version)


def _parsed(text: str) -> tuple[object, ...]:
    version = _version(text)
    assert version is not None
    return version


def _ordered(node: NodeRecord, value: object, constant: object) -> bool | None:
    if value is None:
        return None
    outcome = NodeFlag.LT if value < constant else NodeFlag.EQ if value == constant else NodeFlag.GT  # type: ignore[operator]
    return bool(node.flags & outcome)


def _member(blob: bytes, value: object) -> bool | None:
    text = value if _text(value) is not None else None
    plain = value if isinstance(value, bool) else text if isinstance(value, str) else _number(value)
    return None if plain is None else member(blob, plain)  # type: ignore[arg-type]


def _constant(program: ProgramReader, node: NodeRecord) -> bytes:
    constant = program.text(node).encode()
    assert not node.flags & NodeFlag.FOLD or constant == constant.lower()
    if node.op is Op.TEXT and len(constant) <= 8:
        assert node.immediate == int.from_bytes(constant, "little")
    return constant


def _compare(walker: Walker, program: ProgramReader, node: NodeRecord, value: object) -> bool | None:
    text = _text(value)
    text = text.lower() if node.flags & NodeFlag.FOLD and text is not None else text
    match node.op:
        case Op.BOOLEAN:
            return value if isinstance(value, bool) else None
        case Op.TEXT | Op.PREFIX | Op.SUFFIX:
            constant = _constant(program, node)
            how = {Op.TEXT: bytes.__eq__, Op.PREFIX: bytes.startswith, Op.SUFFIX: bytes.endswith}[node.op]
            return None if text is None else bool(how(text, constant))
        case Op.IN:
            return _member(walker.set_blob(program, node), value)
        case Op.CONTAINS:
            if not isinstance(value, list | tuple | set | frozenset):
                return None
            return any(_member(walker.set_blob(program, node), element) is True for element in value)
        case Op.NUMBER:
            double = node.flags & NodeFlag.DOUBLE
            return _ordered(node, _number(value), to_double(node.immediate) if double else signed(node.immediate))
        case Op.VERSION:
            return _ordered(node, _version(value), _parsed(program.versions(node.pool, 1)[0]))
        case Op.TIME:
            return _ordered(node, _time(value), signed(node.immediate))
        case Op.ADDRESS:
            address = parse_address(value) if text is not None else None  # type: ignore[arg-type]
            edges = program.addresses(node.pool, 2 * node.length)
            assert edges == sorted(edges)
            pairs = zip(edges[::2], edges[1::2], strict=True)
            return None if address is None else any(first <= address <= last for first, last in pairs)
        case Op.MATCH:
            return None if text is None else bool(_mask(program, node.length, text) & node.immediate)
        case Op.GATE:
            subject = subject_bytes(value)
            return None if subject is None else bucket(xxh64(subject, node.immediate)) < node.pool
    raise AssertionError(node.op)


def _mask(program: ProgramReader, number: int, text: bytes) -> int:
    view = program.views[number]
    assert view.kind is ViewKind.AUTOMATON
    (size,) = struct.unpack_from("<I", program.data, view.data)
    return run_automaton(program.data[view.data : view.data + size], text)


def _position(constants: list[object], value: object) -> int:
    """The class of a value among ascending constants: gap, point, gap, ..."""
    if value is None:
        return 1
    for index, constant in enumerate(constants):
        if value == constant:
            return 3 + 2 * index
        if value < constant:  # type: ignore[operator]
            return 2 + 2 * index
    return 2 + 2 * len(constants)


def _classify(walker: Walker, program: ProgramReader, number: int, value: object) -> int:
    view = program.views[number]
    text = _text(value)
    text = text.lower() if text is not None and view.flags else text
    match view.kind:
        case ViewKind.PRESENCE:
            return 2
        case ViewKind.BOOLEAN:
            return (3 if value else 2) if isinstance(value, bool) else 1
        case ViewKind.TEXT:
            return 1 if text is None else look_up(program.data[view.data :], text) or 2
        case ViewKind.NUMBER:
            return _position(list(program.numbers(view)), _number(value))
        case ViewKind.VERSION:
            texts = program.versions(view.data, view.constants)
            return _position([_parsed(text) for text in texts], _version(value))
        case ViewKind.TIME:
            return _position(list(program.times(view)), _time(value))
        case ViewKind.ADDRESS:
            address = parse_address(str(value)) if text is not None else None
            cuts = program.addresses(view.data, view.constants)
            assert cuts == sorted(set(cuts))
            return 1 if address is None else 2 + sum(cut <= address for cut in cuts)
        case ViewKind.PREFIX | ViewKind.SUFFIX:
            return 1 if text is None else _affix_class(program, number, text)
        case ViewKind.SET:
            blob = walker.value_sets[program.links[view.link][1]]
            found = _member(blob, value)
            return 1 if found is None else 3 if found else 2
    raise AssertionError(view.kind)


def _affix_class(program: ProgramReader, number: int, text: bytes) -> int:
    view = program.views[number]
    text = text[::-1] if view.kind is ViewKind.SUFFIX else text
    records = struct.iter_unpack("<IIII", program.data[view.data : view.data + 16 * view.constants])
    constants = [(program.data[offset : offset + length], parent) for offset, length, parent, _ in records]
    assert [constant for constant, _ in constants] == sorted({constant for constant, _ in constants})
    for index, (constant, parent) in enumerate(constants):
        shorter = [i for i, (other, _) in enumerate(constants[:index]) if constant.startswith(other)]
        assert parent == (max(shorter, default=0xFFFFFFFF) if shorter else 0xFFFFFFFF)
    fits = [index for index, (constant, _) in enumerate(constants) if text.startswith(constant)]
    return 3 + max(fits, key=lambda index: len(constants[index][0])) if fits else 2
