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
from flagcore.compiler.layout import LEAF_BIT, NO_MEMO, NONE, LeafKind, LinkKind, NodeFlag, Op, SplitFlag, ViewKind
from flagcore.compiler.patterns import Needle, build_automata
from flagcore.compiler.tables import build_table
from flagcore.compiler.value_sets import build_value_set

__all__ = ["Builder", "Record", "Reference", "Text", "leaf", "samples", "sound_sets"]


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
        key, metadata = Text(self.key.encode()), Text(b'{"team":"a"}')
        tail = [(pool.place(text.content, 1), len(text.content)) for text in (key, metadata)]
        body += _padded(bytes(pool.content))
        return self._header(offsets, at, len(body), tail) + body

    def _header(self, offsets: dict[str, int], pool: int, body: int, texts: list[tuple[int, int]]) -> bytes:
        counts = [len(part) for part in (self.leaves, self.slots, self.views, self.variants, self.rules, self.links)]
        parts = zip(("leaves", "slots", "views", "variants", "rules", "links"), counts, strict=True)
        places = [number for name, count in parts for number in (offsets[name], count)]
        entry = self.entry if self.entry is not None else (0 if self.nodes else leaf(0))
        return layout.HEADER.pack(
            *(
                layout.MAGIC,
                layout.FORMAT,
                layout.FORMAT,
                layout.HEADER_SIZE + body,
                layout.HASH_XXH64,
                self.value_type,
                0,
            ),
            *(entry, len(self.nodes), len(self.nodes), *places, self.memo_count, self.outcomes),
            *(number for text in texts for number in text),
            *(pool, 0, 0),
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


def samples() -> dict[str, bytes]:
    """Return sound programs by key; together they hold every operation, kind of view and kind of leaf."""
    return {
        builder.key: builder.finish() for builder in (static(), split(), operations(), classes(), lookups(), requires())
    }


def sound_sets() -> dict[str, bytes]:
    """Return value sets: linear, hashed, folded, with long keys, numbers, booleans, and nothing."""
    return {
        "empty": build_value_set([]),
        "short": build_value_set(["a", "b"]),
        "mixed": build_value_set([*range(-3, 3), 0.5, 1e300, True, *(text.decode() for text in TEXTS)], ["FoLd"]),
        "many": build_value_set([text.decode() for text in MANY] + ["x" * 100, "y" * 13]),
    }
