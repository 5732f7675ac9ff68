"""A program in words a person can read (``flagcore inspect``): from its bytes, with the author's words when there are any."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypedDict

from flagcore.compiler.constants_text import (
    address_range_text,
    class_text,
    order_text,
    set_text,
    texts_text,
    time_text,
)
from flagcore.compiler.layout import LEAF_BIT, NONE, LeafKind, LinkKind, NodeFlag, Op, SplitFlag, ValueType
from flagcore.compiler.plan import LeafReason
from flagcore.compiler.reader import (
    BlockRecord,
    LeafRecord,
    NodeRecord,
    ProgramReader,
    VariantRecord,
    signed,
    to_double,
)
from flagcore.model.expression_print import print_path
from flagcore.snapshot.codec import decode_debug

__all__ = ["Listing", "listing", "listing_data"]

_BUCKETS_PER_PERCENT = 10_000
_MANY = frozenset({Op.SWITCH, Op.LOOKUP, Op.FORK, Op.BLOCK, Op.MULTI})  # an exit a line


class ViewListing(TypedDict):
    """A view with a table or an automaton."""

    number: int
    attribute: str
    kind: str
    classes: int
    constants: int
    memo: int | None


class NodeListing(TypedDict):
    """A node: its question and where each answer leads."""

    number: int
    op: str
    test: str
    exits: list[tuple[str, str]]  # (answer, target)


class LeafListing(TypedDict):
    """A way to end."""

    number: int
    reason: str
    rule: str | None
    serves: str
    outcome: int


class RuleListing(TypedDict):
    """A rule, with the author's text of its condition when known."""

    id: str
    text: str | None


class Listing(TypedDict):
    """A program as plain data."""

    flag: str
    type: str
    bytes: int
    step_bound: int
    memo_words: int
    entry: str
    metadata: dict[str, object]
    variants: dict[str, object]
    rules: list[RuleListing]
    links: list[dict[str, str]]
    views: list[ViewListing]
    nodes: list[NodeListing]
    leaves: list[LeafListing]


def listing(program: bytes, debug: bytes | None = None) -> str:
    """Return the listing of a verified program; ``debug`` (an encoded DebugFlag) adds each rule's own text."""
    data = listing_data(program, debug)
    lines = [f"{data['flag']} ({data['type']}), {data['bytes']:,} bytes, at most {data['step_bound']} steps"]
    lines += _section("variants", [f"{name} = {json.dumps(value)}" for name, value in data["variants"].items()])
    lines += _section("rules", [f"{rule['id']}: {rule['text'] or ''}".rstrip(": ") for rule in data["rules"]])
    lines += _section("links", [f"{link['kind']} {link['name']}" for link in data["links"]])
    lines += _section("views", [_view_line(view) for view in data["views"]])
    nodes = [line for node in data["nodes"] for line in _node_lines(node)]
    lines += _section("nodes", nodes or [f"none: straight to {data['entry']}"])
    lines += _section("leaves", [_leaf_line(leaf) for leaf in data["leaves"]])
    return "\n".join(lines) + "\n"


def listing_data(program: bytes, debug: bytes | None = None) -> Listing:
    """Return the listing as plain data, fit for JSON."""
    return _Lister(ProgramReader(program), debug).data()


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"  {title}", *(f"    {line}" for line in lines)] if lines else []


def _view_line(view: ViewListing) -> str:
    memo = "" if view["memo"] is None else f", memo {view['memo']}"
    return f"{view['number']}: {view['attribute']} as {view['kind']}, {view['constants']} constants{memo}"


def _node_lines(node: NodeListing) -> list[str]:
    head = f"{node['number']:>4}  {node['test']}"
    if Op[node["op"].upper()] not in _MANY:
        return [f"{head}  " + "  ".join(f"{answer} -> {target}" for answer, target in node["exits"])]
    return [head, *(f"        {answer} -> {target}" for answer, target in node["exits"])]


def _leaf_line(leaf: LeafListing) -> str:
    who = "default" if leaf["rule"] is None else f"rule {leaf['rule']}"
    return f"{leaf['number']:>4}  {who}: {leaf['serves']} ({leaf['reason']})"


def _joined_runs(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Runs of classes, those that touch as one."""
    joined: list[tuple[int, int]] = []
    for low, high in runs:
        if joined and joined[-1][1] == low:
            low = joined.pop()[0]
        joined.append((low, high))
    return joined


class _Lister:
    def __init__(self, program: ProgramReader, debug: bytes | None) -> None:
        self._program = program
        self._debug = None if debug is None else decode_debug(debug)

    def data(self) -> Listing:
        program = self._program
        return Listing(
            flag=program.key,
            type=program.value_type.name.lower(),
            bytes=len(program.data),
            step_bound=program.step_bound,
            memo_words=program.memo_count,
            entry=self._target(program.entry),
            metadata=json.loads(program.metadata or b"{}"),
            variants={variant.name: self._value(variant) for variant in program.variants},
            rules=self._rules(),
            links=[
                {"kind": "flag" if kind is LinkKind.PROGRAM else "set", "name": name} for kind, name in program.links
            ],
            views=[self._view(number) for number in range(len(program.views))],
            nodes=[self._node(number, node) for number, node in enumerate(program.nodes)],
            leaves=[self._leaf(number, leaf) for number, leaf in enumerate(program.leaves)],
        )

    def _value(self, variant: VariantRecord) -> object:
        match self._program.value_type:
            case ValueType.STRING:
                return variant.content.decode()
            case ValueType.OBJECT:
                return json.loads(variant.content)
            case ValueType.BOOLEAN:
                return bool(variant.scalar)
            case ValueType.INTEGER:
                return signed(variant.scalar)
            case ValueType.FLOAT:
                return to_double(variant.scalar)

    def _rules(self) -> list[RuleListing]:
        texts = {rule.id: rule.text for rule in self._debug.rules} if self._debug else {}
        return [RuleListing(id=name, text=texts.get(name)) for name in self._program.rules]

    def _view(self, number: int) -> ViewListing:
        view = self._program.views[number]
        return ViewListing(
            number=number,
            attribute=print_path(self._program.slots[view.slot]),
            kind=view.kind.name.lower() + (" ignoring case" if view.flags else ""),
            classes=view.classes,
            constants=view.constants,
            memo=None if view.memo == 0xFFFF else view.memo,
        )

    def _leaf(self, number: int, leaf: LeafRecord) -> LeafListing:
        return LeafListing(
            number=number,
            reason=LeafReason(leaf.reason).name,
            rule=leaf.rule,
            serves=self._serves(leaf),
            outcome=leaf.outcome,
        )

    def _serves(self, leaf: LeafRecord) -> str:
        if leaf.kind is LeafKind.CALLER:
            return "the caller's default value"
        if leaf.kind is LeafKind.VARIANT:
            return leaf.variant or ""
        weights = ", ".join(f"{name} {weight}" for name, weight in leaf.weights.items())
        base = ", base percent" if leaf.flags & SplitFlag.BASE_PERCENT else ""
        return f"split {weights} by {print_path(self._program.slots[leaf.slot])}{base}"

    # -- nodes

    def _target(self, exit_: int) -> str:
        """A node's number, a leaf with what it serves, or that no row holds."""
        if exit_ == NONE:
            return "no row"
        if not exit_ & LEAF_BIT:
            return str(exit_)
        number = exit_ ^ LEAF_BIT
        leaf = self._program.leaves[number]
        served = {LeafKind.SPLIT: "split", LeafKind.CALLER: "caller's default"}.get(leaf.kind, leaf.variant)
        return f"leaf {number} ({served})"

    def _node(self, number: int, node: NodeRecord) -> NodeListing:
        exits = _EXITS.get(node.op, _Lister.exits)(self, node)
        return NodeListing(number=number, op=node.op.name.lower(), test=_TEXTS[node.op](self, node), exits=exits)

    def exits(self, node: NodeRecord) -> list[tuple[str, str]]:
        """Yes, no and unknown; the last two joined where they lead to the same place."""
        yes, no, unknown = map(self._target, (node.on_true, node.on_false, node.on_unknown))
        if no == unknown:
            return [("yes", yes), ("else", no)]
        if yes == unknown:
            return [("no", no), ("else", yes)]
        return [("yes", yes), ("no", no), ("unknown", unknown)]

    def switch_exits(self, node: NodeRecord) -> list[tuple[str, str]]:
        """Answers by target, in the order of classes."""
        answers: dict[int, list[str]] = {}
        view = self._program.views[node.length]
        for low, high, exit_ in self._program.switch_exits(node):
            answers.setdefault(exit_, []).append(class_text(self._program, view, low, high))
        return [(", ".join(texts), self._target(exit_)) for exit_, texts in answers.items()]

    def lookup_exits(self, node: NodeRecord) -> list[tuple[str, str]]:
        """Answers by target, what is no known text first."""
        texts = self._program.lookup_exits(node)
        answers = [("missing", node.on_unknown), ("wrong type", node.on_true), ("any other text", node.on_false)]
        answers += [(texts_text(members), exit_) for exit_, members in texts.items()]
        joined: dict[int, list[str]] = {}
        for answer, exit_ in answers:
            joined.setdefault(exit_, []).append(answer)
        return [(", ".join(answers), self._target(exit_)) for exit_, answers in joined.items()]

    def fork_exits(self, node: NodeRecord) -> list[tuple[str, str]]:
        """Every branch, and from which leaf on it has rows."""
        branches = self._program.branches(node)
        return [(f"from leaf {branch.first} on", self._target(branch.exit)) for branch in branches]

    def block_exits(self, node: NodeRecord) -> list[tuple[str, str]]:
        """Every row with the classes that leave it possible, then no row."""
        block = self._program.block(node)
        rows = [(self._row_text(block, row), self._target(exit_)) for row, exit_ in enumerate(block.rows)]
        return [*rows, ("none of them", self._target(node.on_false))]

    def _row_text(self, block: BlockRecord, row: int) -> str:
        texts = []
        for column in block.columns:
            view = self._program.views[column.view]
            runs = _joined_runs([(low, high) for low, high, rows in column.masks if rows >> row & 1])
            if runs != [(0, view.classes)]:
                classes = ", ".join(class_text(self._program, view, low, high) for low, high in runs)
                texts.append(f"{print_path(self._program.slots[view.slot])}: {classes or 'nothing'}")
        return " and ".join(texts) or "anything"

    def multi_exits(self, node: NodeRecord) -> list[tuple[str, str]]:
        """Every branch with the constants that lead to it, then the rows without one."""
        multi = self._program.multi(node)
        prefix = "i" if node.flags & NodeFlag.FOLD else ""
        words: list[list[str]] = [[] for _ in multi.branches]
        for key, number in sorted(multi.texts.items()):
            words[number].append(prefix + json.dumps(key, ensure_ascii=False))
        for bit, number in multi.bits.items():
            words[number].append(f"test {bit}")
        found = zip(words, multi.branches, strict=True)
        exits = [(", ".join(keys), self._target(branch.exit)) for keys, branch in found]
        return [*exits, ("and anyhow", self._target(node.on_false))]

    def _name(self, node: NodeRecord) -> str:
        return print_path(self._program.slots[node.slot])

    def text_has(self, node: NodeRecord) -> str:
        return f"has({self._name(node)})"

    def text_boolean(self, node: NodeRecord) -> str:
        return f"{self._name(node)} == true"

    def text_text(self, node: NodeRecord) -> str:
        return f"{self._name(node)} == {self._constant(node)}"

    def text_prefix(self, node: NodeRecord) -> str:
        return f"{self._name(node)} starts_with {self._constant(node)}"

    def text_suffix(self, node: NodeRecord) -> str:
        return f"{self._name(node)} ends_with {self._constant(node)}"

    def text_in(self, node: NodeRecord) -> str:
        return f"{self._name(node)} in {self._members(node)}"

    def text_contains(self, node: NodeRecord) -> str:
        return f"{self._name(node)} (a list) contains {self._members(node)}"

    def text_number(self, node: NodeRecord) -> str:
        number = to_double(node.immediate) if node.flags & NodeFlag.DOUBLE else signed(node.immediate)
        return f"{self._name(node)} {order_text(node.flags)} {number}"

    def text_version(self, node: NodeRecord) -> str:
        return f'{self._name(node)} {order_text(node.flags)} v"{self._program.versions(node.pool, 1)[0]}"'

    def text_time(self, node: NodeRecord) -> str:
        return f'{self._name(node)} {order_text(node.flags)} t"{time_text(signed(node.immediate))}"'

    def text_address(self, node: NodeRecord) -> str:
        edges = self._program.addresses(node.pool, 2 * node.length)
        ranges = [address_range_text(first, last) for first, last in zip(edges[::2], edges[1::2], strict=True)]
        return f"{self._name(node)} in {', '.join(ranges)}"

    def text_match(self, node: NodeRecord) -> str:
        bits = [str(bit) for bit in range(64) if node.immediate >> bit & 1]
        return f"{self._name(node)} matches test {', '.join(bits)} of the automaton of view {node.length}"

    def text_gate(self, node: NodeRecord) -> str:
        percent = node.pool / _BUCKETS_PER_PERCENT
        return f"{self._name(node)} inside {percent:g} % (seed {node.immediate:016x})"

    def text_bucketable(self, node: NodeRecord) -> str:
        return f"{self._name(node)} can be bucketed"

    def text_requires(self, node: NodeRecord) -> str:
        return f"requires {self._program.links[node.immediate][1]} to be one of {node.length} variants"

    def text_class(self, node: NodeRecord) -> str:
        view = self._program.views[node.length]
        runs = [class_text(self._program, view, low, high) for low, high in self._program.class_runs(node)]
        return f"view {node.length} ({self._name(node)}) is {', '.join(runs)}"

    def text_switch(self, node: NodeRecord) -> str:
        return f"switch on view {node.length} ({self._name(node)})"

    def text_lookup(self, node: NodeRecord) -> str:
        return f"look up {self._name(node)}" + (" ignoring case" if node.flags & NodeFlag.FOLD else "")

    def text_fork(self, node: NodeRecord) -> str:
        return f"the smallest leaf of {len(self._program.branches(node))} branches"

    def text_block(self, node: NodeRecord) -> str:
        block = self._program.block(node)
        views = ", ".join(str(column.view) for column in block.columns)
        return f"the first of {len(block.rows)} rows" + (f" by view {views}" if views else "")

    def text_multi(self, node: NodeRecord) -> str:
        if node.flags & NodeFlag.LINK:
            return f"{self._name(node)} contains, by the automaton of view {node.length}"
        return f"{self._name(node)} (a list) contains" + (" (ignoring case)" if node.flags & NodeFlag.FOLD else "")

    def _constant(self, node: NodeRecord) -> str:
        prefix = "i" if node.flags & NodeFlag.FOLD else ""
        return prefix + json.dumps(self._program.text(node), ensure_ascii=False)

    def _members(self, node: NodeRecord) -> str:
        if node.flags & NodeFlag.LINK:
            return f"set {self._program.links[node.length][1]}"
        return set_text(self._program.set_values(node.pool))


_TEXTS: dict[Op, Callable[[_Lister, NodeRecord], str]] = {
    Op.HAS: _Lister.text_has,
    Op.BOOLEAN: _Lister.text_boolean,
    Op.TEXT: _Lister.text_text,
    Op.IN: _Lister.text_in,
    Op.NUMBER: _Lister.text_number,
    Op.VERSION: _Lister.text_version,
    Op.TIME: _Lister.text_time,
    Op.ADDRESS: _Lister.text_address,
    Op.PREFIX: _Lister.text_prefix,
    Op.SUFFIX: _Lister.text_suffix,
    Op.MATCH: _Lister.text_match,
    Op.CONTAINS: _Lister.text_contains,
    Op.GATE: _Lister.text_gate,
    Op.BUCKETABLE: _Lister.text_bucketable,
    Op.REQUIRES: _Lister.text_requires,
    Op.CLASS: _Lister.text_class,
    Op.SWITCH: _Lister.text_switch,
    Op.LOOKUP: _Lister.text_lookup,
    Op.FORK: _Lister.text_fork,
    Op.BLOCK: _Lister.text_block,
    Op.MULTI: _Lister.text_multi,
}

_EXITS: dict[Op, Callable[[_Lister, NodeRecord], list[tuple[str, str]]]] = {
    Op.SWITCH: _Lister.switch_exits,
    Op.LOOKUP: _Lister.lookup_exits,
    Op.FORK: _Lister.fork_exits,
    Op.BLOCK: _Lister.block_exits,
    Op.MULTI: _Lister.multi_exits,
}
