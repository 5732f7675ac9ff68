"""Programs put together by hand, record by record, for tests of the kernel.

Sound ones with every operation and every kind of view, and unsound ones by changing a field. The compiler takes no part
but for tables, sets and automata.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import Struct, pack
from typing import NamedTuple

from flagcore.bucketing import seed, variant_identity
from flagcore.compiler import layout
from flagcore.compiler.layout import (
    LEAF_BIT,
    NO_MEMO,
    NONE,
    ColumnKind,
    LeafKind,
    LinkKind,
    NodeFlag,
    Op,
    SplitFlag,
    ViewKind,
)
from flagcore.compiler.patterns import Needle, build_automata
from flagcore.compiler.tables import build_table
from flagcore.compiler.value_sets import build_value_set

__all__ = ["Builder", "Column", "Record", "Reference", "Text", "leaf", "samples", "sound_sets"]

Branch = tuple[int, int]  # first, exit


class Text(NamedTuple):
    """An FcText: two fields, offset and length."""

    content: bytes


class Reference(NamedTuple):
    """The offset of something in the pool: bytes, or records one after the other."""

    content: bytes | tuple[Record, ...]
    alignment: int = 8


class Record(NamedTuple):
    """A struct and its fields; offsets are filled in when the program is finished."""

    layout: Struct
    fields: tuple[object, ...]


class Column(NamedTuple):
    """An FcColumn: a view, the masks of its local indices, and either a local index for each class or cuts."""

    view: int
    masks: Sequence[int]
    indices: bytes | None = None
    cuts: Sequence[int] = ()

    def record(self) -> Record:
        """Return it packed."""
        kind = ColumnKind.CUTS if self.indices is None else ColumnKind.BYTES
        place = (
            Reference(pack(f"<{len(self.cuts)}I", *self.cuts), 4)
            if self.indices is None
            else Reference(self.indices, 1)
        )
        masks = Reference(pack(f"<{len(self.masks)}Q", *self.masks))
        return Record(layout.COLUMN, (self.view, kind, place, masks, len(self.masks)))


class _Pool:
    def __init__(self, base: int) -> None:
        self.base = base
        self.content = bytearray()

    def place(self, content: bytes, alignment: int) -> int:
        self.content += bytes(-len(self.content) % alignment)
        at = self.base + len(self.content)
        self.content += content
        return at

    def pack(self, record: Record) -> bytes:
        values: list[object] = []
        for item in record.fields:
            if isinstance(item, Text):
                values += [self.place(item.content, 1), len(item.content)]
            elif isinstance(item, Reference):
                values.append(self.refer(item))
            else:
                values.append(item)
        return record.layout.pack(*values)

    def refer(self, reference: Reference) -> int:
        if isinstance(reference.content, bytes):
            return self.place(reference.content, reference.alignment)
        packed = b"".join([self.pack(record) for record in reference.content])
        return self.place(packed, reference.alignment)


def leaf(index: int) -> int:
    """Return the exit to a leaf."""
    return LEAF_BIT | index


@dataclass
class Builder:
    """Collects the parts of one program; ``finish`` returns its bytes."""

    key: str = "sample"
    value_type: int = layout.ValueType.STRING
    variants: Sequence[str] = ("a", "b", "off", "on")
    rules: Sequence[str] = ("first", "second")
    nodes: list[Record] = field(default_factory=list)
    leaves: list[Record] = field(default_factory=list)
    slots: list[Record] = field(default_factory=list)
    views: list[Record] = field(default_factory=list)
    links: list[Record] = field(default_factory=list)
    memo_count: int = 0
    entry: int | None = None
    outcomes: int = 0
    flags: int = 0
    branching: dict[int, Sequence[int]] = field(default_factory=dict)  # exits that stand in the pool, by node
    columns: dict[int, int] = field(default_factory=dict)  # of blocks, by node
    bounds: Sequence[int] | None = None  # words of the bound table; forked and large programs: computed

    def slot(self, *path: str, kind: int = 0) -> int:
        """Add an attribute."""
        lengths = pack(f"<{len(path)}I", *(len(name.encode()) for name in path))
        parts = Reference(lengths, 4) if len(path) > 1 else 0
        self.slots.append(Record(layout.SLOT, (Text(".".join(path).encode()), parts, len(path), kind)))
        return len(self.slots) - 1

    def link(self, kind: int, name: str) -> int:
        """Add a name of another object."""
        self.links.append(Record(layout.LINK, (kind, Text(name.encode()), 0)))
        return len(self.links) - 1

    def view(
        self,
        kind: int,
        slot: int,
        classes: int,
        data: Reference | int = 0,
        *,
        count: int = 0,
        flags: int = 0,
        link: int = NONE,
        memo: int = NO_MEMO,
    ) -> int:
        """Add a view."""
        self.views.append(Record(layout.VIEW, (kind, flags, slot, classes, data, count, link, memo, 0, 0)))
        return len(self.views) - 1

    def node(
        self,
        op: int,
        slot: int,
        exits: tuple[int, int, int],
        *,
        flags: int = 0,
        immediate: int = 0,
        pool: Reference | int = 0,
        length: int = 0,
    ) -> int:
        """Add a node; exits are true, false, unknown."""
        self.nodes.append(Record(layout.NODE, (op, flags, slot, *exits, immediate, pool, length)))
        return len(self.nodes) - 1

    def text_node(self, op: int, slot: int, exits: tuple[int, int, int], text: bytes, *, flags: int = 0) -> int:
        """Add a node that compares with a text."""
        short = int.from_bytes(text, "little") if op == Op.TEXT and len(text) <= 8 else 0
        self.nodes.append(Record(layout.NODE, (op, flags, slot, *exits, short, Text(text))))
        return len(self.nodes) - 1

    def switch(self, view: int, cuts: Sequence[int], exits: Sequence[int], *, flags: int = 0) -> int:
        """Add a switch with cuts."""
        slot = self.views[view].fields[2]
        assert isinstance(slot, int)
        self.branching[len(self.nodes)] = exits
        packed = Reference(pack(f"<{1 + len(cuts) + len(exits)}I", len(cuts), *cuts, *exits), 4)
        return self.node(Op.SWITCH, slot, (leaf(0),) * 3, flags=flags, pool=packed, length=view)

    def fork(self, *branches: Branch) -> int:
        """Add a fork."""
        self.flags = layout.ProgramFlag.FORKED
        self.branching[len(self.nodes)] = [exit_ for _, exit_ in branches]
        packed = pack("<I", len(branches)) + b"".join(layout.BRANCH.pack(*branch) for branch in branches)
        return self.node(Op.FORK, 0, (leaf(0),) * 3, pool=Reference(packed, 4))

    def block(self, columns: Sequence[Column], rows: Sequence[int], on_false: int) -> int:
        """Add a block."""
        self.flags = layout.ProgramFlag.FORKED
        self.branching[len(self.nodes)], self.columns[len(self.nodes)] = rows, len(columns)
        records = Reference(tuple(column.record() for column in columns), 4)
        packed = Reference(pack(f"<{len(rows)}I", *rows), 4)
        record = Record(layout.BLOCK, (len(columns), len(rows), records, packed))
        return self.node(Op.BLOCK, 0, (leaf(0), on_false, leaf(0)), pool=Reference((record,)))

    def multi(
        self,
        slot: int,
        keys: dict[bytes, int] | int,
        branches: Sequence[Branch],
        rest: Branch,
        *,
        view: int = 0,
        flags: int = 0,
    ) -> int:
        """Add a node of keyed branches: by texts of a list, or by the bits ``keys`` of an automaton view."""
        self.flags = layout.ProgramFlag.FORKED
        self.branching[len(self.nodes)] = [exit_ for _, exit_ in branches]
        by_bits = isinstance(keys, int)
        table = 0 if isinstance(keys, int) else Reference(build_table(keys, fold=bool(flags & NodeFlag.FOLD)))
        packed = Reference(b"".join(layout.BRANCH.pack(*branch) for branch in branches), 4)
        record = Record(layout.MULTI, (table, len(branches), packed, rest[0]))
        exits = (leaf(0), rest[1], leaf(0))
        asked, flags = (keys, flags | NodeFlag.LINK) if isinstance(keys, int) else (0, flags)
        length = view if by_bits else 0
        return self.node(
            Op.MULTI, slot, exits, flags=flags, immediate=asked, pool=Reference((record,), 4), length=length
        )

    def variant_leaf(self, variant: int, reason: int = 2, rule: int = NONE) -> int:
        """Add a leaf with one outcome."""
        self.leaves.append(
            Record(layout.LEAF, (LeafKind.VARIANT, reason, 0, 0, rule, variant, 0, 0, self.outcomes, 0, NO_MEMO))
        )
        self.outcomes += 1
        return len(self.leaves) - 1

    def caller_leaf(self, reason: int = 5, rule: int = NONE) -> int:
        """Add a leaf that hands the caller's default value back."""
        self.leaves.append(
            Record(layout.LEAF, (LeafKind.CALLER, reason, 0, 0, rule, NONE, 0, 0, self.outcomes, 0, NO_MEMO))
        )
        self.outcomes += 1
        return len(self.leaves) - 1

    def split_leaf(
        self, weights: dict[str, int], slot: int, *, salt: str = "salt", flags: int = 0, memo: int = NO_MEMO
    ) -> int:
        """Add a leaf that is decided by a race."""
        ordered = sorted(weights, key=str.encode)
        entries = tuple(
            Record(layout.CONTESTANT, (self.variants.index(name), weights[name], variant_identity(name)))
            for name in ordered
        )
        packed = (
            LeafKind.SPLIT,
            3,
            flags,
            0,
            NONE,
            Reference(entries),
            len(weights),
            seed(salt),
            self.outcomes,
            slot,
            memo,
        )
        self.leaves.append(Record(layout.LEAF, packed))
        self.outcomes += len(weights) + 1
        return len(self.leaves) - 1

    def _variant(self, index: int, name: str) -> Record:
        value = Text(name.upper().encode()) if self.value_type == layout.ValueType.STRING else Text(b"")
        scalar = 0 if self.value_type == layout.ValueType.STRING else index % 2
        return Record(layout.VARIANT, (Text(name.encode()), value, scalar, variant_identity(name)))

    def finish(self) -> bytes:
        """Return the program."""
        parts = {
            "nodes": self.nodes,
            "leaves": self.leaves,
            "slots": self.slots,
            "views": self.views,
            "variants": [self._variant(index, name) for index, name in enumerate(self.variants)],
            "rules": [Record(layout.RULE, (Text(name.encode()),)) for name in self.rules],
            "links": self.links,
        }
        offsets, at = {}, layout.HEADER_SIZE
        for name, records in parts.items():
            offsets[name] = at
            at += sum(record.layout.size for record in records) + 7 & ~7
        pool = _Pool(at)
        body = b"".join(_padded(b"".join([pool.pack(record) for record in records])) for records in parts.values())
        bounds = self.bound_words()
        bound_offset = pool.place(pack(f"<{len(bounds)}I", *bounds), 4) if bounds else 0
        key, metadata = Text(self.key.encode()), Text(b'{"team":"a"}')
        tail = [(pool.place(text.content, 1), len(text.content)) for text in (key, metadata)]
        body += _padded(bytes(pool.content))
        return self._header(offsets, at, len(body), tail, bound_offset) + body

    def bound_words(self) -> Sequence[int]:
        """Return the bound table: as given, or the least that holds; small programs without forks have none."""
        needed = self.flags & layout.ProgramFlag.FORKED or len(self.nodes) > layout.PROVED_STEPS
        if self.bounds is not None or not needed:
            return self.bounds or ()
        words = [0] * len(self.nodes)
        for at in reversed(range(len(words))):
            steps, forks = self._bound(at, words)
            words[at] = steps << 8 | forks
        return words

    def _bound(self, at: int, words: list[int]) -> tuple[int, int]:
        op, _, _, on_true, on_false, on_unknown, *_ = self.nodes[at].fields
        plain = [exit_ for exit_ in (on_true, on_false, on_unknown) if isinstance(exit_, int)]
        several = op in (Op.FORK, Op.MULTI, Op.BLOCK)
        exits = list(self.branching.get(at, plain))
        if op in (Op.BLOCK, Op.MULTI):
            exits.append(plain[1])
        behind = [(words[exit_] >> 8, words[exit_] & 255) for exit_ in exits if not exit_ & LEAF_BIT] or [(0, 0)]
        steps = (sum if several else max)(steps for steps, _ in behind)
        forks = max(forks for _, forks in behind)
        return 1 + self.columns.get(at, 0) + steps, forks + (op in (Op.FORK, Op.MULTI))

    def _header(
        self, offsets: dict[str, int], pool: int, body: int, texts: list[tuple[int, int]], bound_offset: int
    ) -> bytes:
        counts = [len(part) for part in (self.leaves, self.slots, self.views, self.variants, self.rules, self.links)]
        parts = zip(("leaves", "slots", "views", "variants", "rules", "links"), counts, strict=True)
        places = [number for name, count in parts for number in (offsets[name], count)]
        entry = self.entry if self.entry is not None else (0 if self.nodes else leaf(0))
        steps = len(self.nodes)
        if bound_offset:
            steps = 0 if entry & LEAF_BIT else self.bound_words()[entry] >> 8
        return layout.HEADER.pack(
            *(
                layout.MAGIC,
                layout.FORMAT,
                layout.FORMAT,
                layout.HEADER_SIZE + body,
                layout.HASH_XXH64,
                self.value_type,
                self.flags,
            ),
            *(entry, steps, len(self.nodes), *places, self.memo_count, self.outcomes),
            *(number for text in texts for number in text),
            *(pool, bound_offset, 0),
        )


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 8)


# --- constants --------------------------------------------------------------------------------------------------------


def version(major: int, minor: int, patch: int, pre: str = "") -> Record:
    """Return an FcVersion of small numbers."""
    packed = major << 43 | minor << 22 | patch << 1 | (not pre)
    return Record(layout.VERSION, (major, minor, patch, Text(pre.encode()), packed))


def address(family: int, number: int) -> Record:
    """Return an FcAddress."""
    return Record(layout.ADDRESS, (number >> 64, number & (1 << 64) - 1, family, 0))


def number(value: float) -> Record:
    """Return an FcNumber."""
    if isinstance(value, float):
        return Record(layout.NUMBER, (struct.unpack("<Q", pack("<d", value))[0], 1, 0))
    return Record(layout.NUMBER, (value & (1 << 64) - 1, 0, 0))


def affixes(*texts: bytes) -> tuple[Record, ...]:
    """Return FcAffix records of ascending texts, with their parents."""
    parents = []
    for at, text in enumerate(texts):
        shorter = [before for before in range(at) if text.startswith(texts[before])]
        parents.append(max(shorter, key=lambda before: len(texts[before]), default=NONE))
    return tuple(Record(layout.AFFIX, (Text(text), parent, 0)) for text, parent in zip(texts, parents, strict=True))


def automaton(*needles: bytes) -> bytes:
    """Return an FcAutomaton that looks for each of the texts."""
    (blob,) = build_automata([Needle(text, at % 2 == 1, at) for at, text in enumerate(needles)])
    return blob.data


TEXTS = [b"DE", b"AT", b"CH", b"a somewhat longer text", b"another text that is longer than an entry"]
MANY = [f"key-{number}".encode() for number in range(20)]


# --- sound programs ---------------------------------------------------------------------------------------------------


def static() -> Builder:
    """One leaf, no node."""
    builder = Builder("static", layout.ValueType.BOOLEAN, ("off", "on"), ())
    builder.variant_leaf(1, 0)
    return builder


def split() -> Builder:
    """A split as the whole program, with a memo word that nothing shares."""
    builder = Builder("split", memo_count=1)
    builder.split_leaf({"off": 3, "on": 1}, builder.slot("targetingKey"), flags=SplitFlag.ON_OFF, memo=0)
    return builder


def operations() -> Builder:
    """Every operation that looks at a value itself, each leading on to the next."""
    builder = Builder("operations", memo_count=2)
    text, nested, now = builder.slot("country"), builder.slot("user", "id"), builder.slot("now", kind=1)
    builder.variant_leaf(0, rule=0)
    builder.split_leaf({"a": 1, "b": 2, "on": 3}, nested, memo=0)
    builder.caller_leaf()
    values = build_value_set(["DE", 5, 2.5, True, "a somewhat longer text"], ["FoLd", "and a long FOLDED text"])
    linked = builder.link(LinkKind.SET, "segment:vip")
    order = NodeFlag.LT | NodeFlag.EQ
    needles = builder.view(ViewKind.AUTOMATON, text, 0, Reference(automaton(b"abc", b"xyz")), memo=1)
    v4, v6 = (address(4, 0x0A000000), address(4, 0x0AFFFFFF)), (address(6, 1 << 64), address(6, (1 << 65) - 1))

    def exits() -> tuple[int, int, int]:
        following = len(builder.nodes) + 1
        return leaf(following % 2), following, following

    builder.node(Op.HAS, text, (1, leaf(2), leaf(2)))
    builder.node(Op.BOOLEAN, text, exits())
    builder.text_node(Op.TEXT, text, exits(), b"DE")
    builder.text_node(Op.TEXT, text, exits(), b"a text of more than eight bytes")
    builder.text_node(Op.TEXT, text, exits(), b"de", flags=NodeFlag.FOLD)
    builder.text_node(Op.TEXT, text, exits(), b"folded and long", flags=NodeFlag.FOLD)
    builder.node(Op.IN, text, exits(), pool=Reference(values))
    builder.node(Op.IN, text, exits(), flags=NodeFlag.LINK, length=linked)
    builder.node(Op.NUMBER, text, exits(), flags=order, immediate=7)
    builder.node(Op.NUMBER, text, exits(), flags=NodeFlag.GT | NodeFlag.DOUBLE, immediate=0x4004000000000000)
    builder.node(Op.VERSION, text, exits(), flags=order, pool=Reference((version(2, 3, 0, "rc.1"),)))
    builder.node(Op.TIME, now, exits(), flags=NodeFlag.LT, immediate=1_000_000)
    builder.node(Op.TIME, text, exits(), flags=NodeFlag.EQ, immediate=0)
    builder.node(Op.ADDRESS, text, exits(), pool=Reference((*v4, *v6)), length=2)
    builder.text_node(Op.PREFIX, text, exits(), b"pre")
    builder.text_node(Op.SUFFIX, text, exits(), b"fix", flags=NodeFlag.FOLD)
    builder.node(Op.MATCH, text, exits(), immediate=1, length=needles)
    builder.node(Op.MATCH, text, exits(), immediate=2, length=needles)
    builder.node(Op.CONTAINS, text, exits(), pool=Reference(values))
    builder.node(Op.CONTAINS, text, exits(), flags=NodeFlag.LINK, length=linked)
    builder.node(Op.GATE, nested, exits(), immediate=seed("salt"), pool=250_000, length=0)
    builder.node(Op.GATE, nested, exits(), immediate=seed("other"), pool=250_000, length=NO_MEMO)
    builder.node(Op.BUCKETABLE, nested, (leaf(1), leaf(2), leaf(2)))
    return builder


def view_data(builder: Builder, text: int, now: int) -> list[int]:
    """Add a view of every kind that can be switched on; even ones share a memo word among their nodes."""
    short = build_table({key: 3 + at for at, key in enumerate(TEXTS)})
    many = build_table({key: 3 + at for at, key in enumerate(MANY)}, fold=True)
    linear = build_table({b"x": 3, b"yy": 4})
    numbers = tuple(map(number, (-5, 0, 2.5, 7, 1e300)))
    versions = (version(0, 0, 1), version(1, 0, 0, "alpha"), version(1, 0, 0, "alpha.1"), version(1, 0, 0))
    cuts = (address(4, 5), address(4, 1 << 31), address(6, 0), address(6, 1 << 100), address(7, 0))
    prefixes, folded = affixes(b"a", b"ab", b"abcd", b"ac", b"b"), affixes(b"abc", b"abd")
    vip = builder.link(LinkKind.SET, "segment:vip")
    return [
        builder.view(ViewKind.PRESENCE, text, 3),
        builder.view(ViewKind.BOOLEAN, text, 4),
        builder.view(ViewKind.TEXT, text, 3 + len(TEXTS), Reference(short), count=len(TEXTS), memo=0),
        builder.view(ViewKind.TEXT, text, 3 + len(MANY), Reference(many), count=len(MANY), flags=1),
        builder.view(ViewKind.TEXT, text, 5, Reference(linear), count=2, memo=1),
        builder.view(ViewKind.NUMBER, text, 13, Reference(numbers), count=5),
        builder.view(ViewKind.VERSION, text, 11, Reference(versions), count=4, memo=2),
        builder.view(ViewKind.TIME, now, 7, Reference(pack("<2q", -5, 1_000_000)), count=2),
        builder.view(ViewKind.TIME, text, 7, Reference(pack("<2q", 0, 1_000_000)), count=2, memo=3),
        builder.view(ViewKind.ADDRESS, text, 8, Reference(cuts), count=5),
        builder.view(ViewKind.PREFIX, text, 8, Reference(prefixes), count=5, memo=4),
        builder.view(ViewKind.SUFFIX, text, 5, Reference(folded), count=2, flags=1),
        builder.view(ViewKind.SET, text, 4, link=vip, memo=5),
        builder.view(ViewKind.SET, text, 4, Reference(build_value_set(["DE", 1]))),
    ]


def classes() -> Builder:
    """A dense switch, a switch with cuts and a test of classes for a view of every kind."""
    builder = Builder("classes", memo_count=6)
    text, now = builder.slot("country"), builder.slot("now", kind=1)
    builder.variant_leaf(0)
    builder.variant_leaf(1)
    unused = (leaf(0), leaf(0), leaf(0))
    for view in view_data(builder, text, now):
        slot, count = builder.views[view].fields[2], builder.views[view].fields[3]
        assert isinstance(slot, int)
        assert isinstance(count, int)
        at = len(builder.nodes)
        dense = pack(f"<{count}I", *[at + 1] * (count - 1), leaf(0))
        builder.node(Op.SWITCH, slot, unused, flags=NodeFlag.DENSE, pool=Reference(dense, 4), length=view)
        cuts = pack("<6I", 2, 1, count - 1, at + 2, at + 2, leaf(1))
        builder.node(Op.SWITCH, slot, unused, pool=Reference(cuts, 4), length=view)
        following = at + 3 if view < 13 else leaf(1)
        intervals = pack("<5I", 2, 0, 1, count - 1, count)
        builder.node(Op.CLASS, slot, (following, following, following), pool=Reference(intervals, 4), length=view)
    return builder


def requires() -> Builder:
    """Prerequisites in front, then a rule."""
    builder = Builder("requires")
    slot = builder.slot("country")
    other, third = builder.link(LinkKind.PROGRAM, "static"), builder.link(LinkKind.PROGRAM, "split")
    builder.variant_leaf(0)
    builder.caller_leaf(2, rule=layout.RULE_REQUIRES | other)
    builder.variant_leaf(3)
    on, both = pack("<Q", variant_identity("on")), pack("<2Q", variant_identity("on"), variant_identity("off"))
    builder.node(Op.REQUIRES, 0, (1, leaf(1), leaf(1)), immediate=other, pool=Reference(on), length=1)
    builder.node(Op.REQUIRES, 0, (2, leaf(1), leaf(1)), immediate=third, pool=Reference(both), length=2)
    builder.text_node(Op.TEXT, slot, (leaf(2), leaf(0), leaf(0)), b"DE")
    return builder


def lookups() -> Builder:
    """Switches on texts with their exits in a table: short ones in a row, hashed ones, long ones, case ignored."""
    builder = Builder("lookups")
    slot = builder.slot("country")
    builder.variant_leaf(0)
    builder.variant_leaf(1)
    exits = (leaf(1), leaf(0), leaf(1))
    end = layout.TABLE_LEAF
    for keys, fold in (((b"x", b"yy"), False), (TEXTS, False), (MANY, True)):
        values = {key: end | at & 1 if at else len(builder.nodes) + 1 for at, key in enumerate(keys)}
        flags = NodeFlag.FOLD if fold else 0
        builder.node(Op.LOOKUP, slot, exits, flags=flags, pool=Reference(build_table(values, fold=fold)))
    builder.node(Op.HAS, slot, exits)
    return builder


def requiring(key: str, *others: str, met: str = "on") -> bytes:
    """Return a program that serves `on` when all others do, else the caller's default value."""
    builder = Builder(key, layout.ValueType.BOOLEAN, ("off", "on"), ())
    builder.variant_leaf(1)
    builder.caller_leaf(2)
    identity = Reference(pack("<Q", variant_identity(met)))
    for at, other in enumerate(others):
        link = builder.link(LinkKind.PROGRAM, other)
        following = leaf(0) if at == len(others) - 1 else at + 1
        builder.node(Op.REQUIRES, 0, (following, leaf(1), leaf(1)), immediate=link, pool=identity, length=1)
    return builder.finish()


def forked() -> Builder:
    """Forks inside of forks, blocks with columns of both kinds, lists and texts that lead to keyed branches."""
    builder = Builder("forked", memo_count=4, variants=[f"v{at:02}" for at in range(24)])
    text, plan, now = builder.slot("country"), builder.slot("plan"), builder.slot("now", kind=1)
    for variant in range(21):
        builder.variant_leaf(variant)
    builder.split_leaf({"v20": 1, "v21": 3}, plan, memo=3)
    builder.variant_leaf(23, reason=1)
    countries = {key: 3 + at for at, key in enumerate(TEXTS)}
    by_country = builder.view(ViewKind.TEXT, text, 8, Reference(build_table(countries)), count=5, memo=0)
    by_plan = builder.view(ViewKind.TEXT, plan, 5, Reference(build_table({b"on": 3, b"off": 4})), count=2)
    numbers = Reference(tuple(map(number, (0, 5, 7))))
    by_number = builder.view(ViewKind.NUMBER, text, 9, numbers, count=3, memo=1)
    by_time = builder.view(ViewKind.TIME, now, 5, Reference(pack("<q", 0)), count=1)
    needles = builder.view(ViewKind.AUTOMATON, text, 0, Reference(automaton(b"a", b"long", b"x", b"key")), memo=2)
    row = NodeFlag.ROW
    every = (1 << 5) - 1
    builder.fork((0, 1), (2, 2), (7, 10), (17, NONE), (18, 16))  # 0
    builder.switch(by_country, (3, 5), (NONE, leaf(0), 3))  # 1
    builder.fork((2, 4), (3, 9), (4, NONE))  # 2
    builder.text_node(Op.TEXT, plan, (leaf(1), NONE, NONE), b"off")  # 3
    columns = [
        Column(by_plan, (0b00011, 0b11101, every), bytes((0, 0, 2, 1, 2))),
        Column(by_country, (0b10101, 0b01111, 0), cuts=(3, 7)),
        Column(by_time, (every, 0), cuts=(4,)),
    ]
    builder.block(columns, (5, 6, 5, leaf(3), leaf(2)), 9)  # 4
    builder.node(Op.GATE, plan, (leaf(5), 8, NONE), flags=row, immediate=seed("salt"), pool=500_000, length=3)  # 5
    builder.node(
        Op.CLASS, text, (7, NONE, NONE), flags=row, pool=Reference(pack("<3I", 1, 2, 6), 4), length=by_number
    )  # 6
    builder.node(Op.BOOLEAN, text, (leaf(3), leaf(4), NONE), flags=row)  # 7
    builder.node(Op.MATCH, text, (leaf(6), NONE, NONE), flags=row, immediate=1, length=needles)  # 8
    builder.block([], (NONE, 19), NONE)  # 9
    keys = {f"key-{at}".encode(): at % 12 for at in range(20)} | {b"DE": 0}
    branches = [(7 + at // 2, leaf(7 + at // 2) if at % 3 else 11 + at // 3) for at in range(12)]
    builder.multi(text, keys, branches, (13, 15))  # 10
    for at in range(4):  # 11 to 14
        builder.node(Op.BOOLEAN, plan, (leaf(7 + 3 * at // 2), NONE, NONE))
    folded = [(13, leaf(14)), (13, leaf(13))]
    builder.multi(
        text, {b"on": 1, b"off": 0, b"a text of more than a word": 0}, folded, (17, NONE), flags=NodeFlag.FOLD
    )
    bits = [(18, NONE), (19, leaf(19)), (18, leaf(18))]
    builder.multi(text, 0b1101, bits, (20, 17), view=needles)  # 16
    builder.fork((20, 18), (21, leaf(21)))  # 17
    builder.node(Op.HAS, text, (leaf(20), NONE, NONE))  # 18
    builder.node(Op.BOOLEAN, text, (leaf(9), NONE, NONE), flags=row)  # 19
    return builder


def samples() -> dict[str, bytes]:
    """Return sound programs by key; together they hold every operation, kind of view and kind of leaf."""
    return {
        builder.key: builder.finish()
        for builder in (static(), split(), operations(), classes(), lookups(), requires(), forked())
    }


def sound_sets() -> dict[str, bytes]:
    """Return value sets: linear, hashed, folded, with long keys, numbers, booleans, and nothing."""
    return {
        "empty": build_value_set([]),
        "short": build_value_set(["a", "b"]),
        "mixed": build_value_set([*range(-3, 3), 0.5, 1e300, True, *(text.decode() for text in TEXTS)], ["FoLd"]),
        "many": build_value_set([text.decode() for text in MANY] + ["x" * 100, "y" * 13]),
    }
