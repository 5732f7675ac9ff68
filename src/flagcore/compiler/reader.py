"""A verified program's bytes back to records, for listings. It trusts offsets: give it only what the kernel verified."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from struct import Struct, unpack, unpack_from
from typing import NamedTuple

from flagcore.compiler.layout import (
    ADDRESS,
    AFFIX,
    BLOCK,
    BRANCH,
    COLUMN,
    CONTESTANT,
    HEADER,
    HEADER_SIZE,
    LEAF,
    LINK,
    MULTI,
    NODE,
    NONE,
    NUMBER,
    RULE,
    RULE_REQUIRES,
    SLOT,
    TABLE_LEAF,
    VARIANT,
    VERSION,
    VIEW,
    ColumnKind,
    LeafKind,
    LinkKind,
    NodeFlag,
    Op,
    ProgramFlag,
    ValueType,
    ViewFlag,
    ViewKind,
)

__all__ = [
    "BlockRecord",
    "BranchRecord",
    "ColumnRecord",
    "LeafRecord",
    "MultiRecord",
    "NodeRecord",
    "ProgramReader",
    "SetValues",
    "VariantRecord",
    "ViewRecord",
    "signed",
    "to_double",
]

_SET = Struct("<IHH10I")
_TABLE = Struct("<8I")
_ENTRY = Struct("<4I")
_LONG_KEY = 255


class NodeRecord(NamedTuple):
    """An FcNode."""

    op: Op
    flags: NodeFlag
    slot: int
    on_true: int
    on_false: int
    on_unknown: int
    immediate: int
    pool: int
    length: int


class BranchRecord(NamedTuple):
    """An FcBranch."""

    first: int  # the smallest leaf that it can reach
    exit: int


class ColumnRecord(NamedTuple):
    """An FcColumn."""

    view: int
    kind: ColumnKind
    masks: list[tuple[int, int, int]]  # (low, high, rows that these classes leave), neighbours with one mask joined


class BlockRecord(NamedTuple):
    """An FcBlock."""

    columns: list[ColumnRecord]
    rows: tuple[int, ...]  # exits


class MultiRecord(NamedTuple):
    """An FcMulti: branches by texts of a list, or by the bits of an automaton's mask."""

    branches: list[BranchRecord]
    texts: dict[str, int]  # -> branch
    bits: dict[int, int]  # -> branch
    rest_first: int


class LeafRecord(NamedTuple):
    """An FcLeaf with its names resolved."""

    kind: LeafKind
    reason: int
    flags: int
    rule: str | None  # id, "requires:<flag>", or None
    variant: str | None
    weights: dict[str, int]  # of a split
    seed: int
    outcome: int
    slot: int
    memo: int


class ViewRecord(NamedTuple):
    """An FcView."""

    kind: ViewKind
    flags: ViewFlag
    slot: int
    classes: int
    data: int
    constants: int
    link: int
    memo: int


class VariantRecord(NamedTuple):
    """A variant: text or JSON bytes, or the scalar's 64 bits."""

    name: str
    content: bytes
    scalar: int


class SetValues(NamedTuple):
    """The members of a value set."""

    texts: list[str]
    folded: list[str]
    numbers: list[int | float]
    booleans: list[bool]


@dataclass(frozen=True)
class ProgramReader:
    """Reads one program."""

    data: bytes

    @cached_property
    def _header(self) -> tuple[int, ...]:
        fields: tuple[int, ...] = HEADER.unpack_from(self.data)
        return fields

    @property
    def key(self) -> str:
        """The flag key."""
        return self._text(self._header[24], self._header[25])

    @property
    def metadata(self) -> bytes:
        """The flag metadata, JSON."""
        return self._bytes(self._header[26], self._header[27])

    @property
    def value_type(self) -> ValueType:
        """Of the flag."""
        return ValueType(self._header[5])

    @property
    def entry(self) -> int:
        """Where walks begin."""
        return self._header[7]

    @property
    def step_bound(self) -> int:
        """No walk visits more nodes."""
        return self._header[8]

    @property
    def flags(self) -> ProgramFlag:
        """Of the header."""
        return ProgramFlag(self._header[6])

    @cached_property
    def bounds(self) -> list[tuple[int, int]]:
        """(steps, forks) of each node, where the program carries them."""
        offset = self._header[29]
        words = unpack_from(f"<{self._header[9]}I", self.data, offset) if offset else ()
        return [(word >> 8, word & 255) for word in words]

    @property
    def memo_count(self) -> int:
        """Memo words of an evaluation."""
        return self._header[22]

    @property
    def outcome_count(self) -> int:
        """Distinct results."""
        return self._header[23]

    @cached_property
    def nodes(self) -> list[NodeRecord]:
        """In walking order."""
        found = NODE.iter_unpack(self.data[HEADER_SIZE : HEADER_SIZE + NODE.size * self._header[9]])
        return [NodeRecord(Op(op), NodeFlag(flags), *rest) for op, flags, *rest in found]

    @cached_property
    def slots(self) -> list[tuple[str, ...]]:
        """Attribute paths."""
        return [self._path(*fields) for fields in self._part(SLOT, 12)]

    @cached_property
    def views(self) -> list[ViewRecord]:
        """Views with a table or an automaton."""
        return [ViewRecord(ViewKind(f[0]), ViewFlag(f[1]), *f[2:8]) for f in self._part(VIEW, 14)]

    @cached_property
    def variants(self) -> list[VariantRecord]:
        """Sorted by name."""
        found = self._part(VARIANT, 16)
        return [VariantRecord(self._text(f[0], f[1]), self._bytes(f[2], f[3]), f[4]) for f in found]

    @cached_property
    def rules(self) -> list[str]:
        """Rule ids in the author's order."""
        return [self._text(offset, length) for offset, length in self._part(RULE, 18)]

    @cached_property
    def links(self) -> list[tuple[LinkKind, str]]:
        """Other objects that the program names."""
        return [(LinkKind(kind), self._text(offset, length)) for kind, offset, length, _ in self._part(LINK, 20)]

    @cached_property
    def leaves(self) -> list[LeafRecord]:
        """How walks end."""
        return [self._leaf(fields) for fields in self._part(LEAF, 10)]

    # -- what nodes and views point to

    def text(self, node: NodeRecord) -> str:
        """The constant of TEXT, PREFIX and SUFFIX."""
        return self._text(node.pool, node.length)

    def set_values(self, offset: int) -> SetValues:
        """The members of an inline value set."""
        fields = _SET.unpack_from(self.data, offset)
        _, _, _, _, _, table, folded, integers, integer_count, doubles, double_count, booleans, _ = fields
        return SetValues(
            self._set_texts(offset, table),
            self._set_texts(offset, folded),
            [
                *unpack_from(f"<{integer_count}q", self.data, offset + integers),
                *unpack_from(f"<{double_count}d", self.data, offset + doubles),
            ],
            [value for value in (False, True) if booleans >> value & 1],
        )

    def table_keys(self, offset: int) -> Iterator[tuple[str, int]]:
        """The keys of an inline table, with their values (0 when it has none)."""
        _, _, capacity, *_ = _TABLE.unpack_from(self.data, offset)
        for place in range(capacity):
            meta, *words = _ENTRY.unpack_from(self.data, offset + _TABLE.size + _ENTRY.size * place)
            if meta & 0xFF:
                yield self._key(offset, meta & 0xFF, words), meta >> 8

    def numbers(self, view: ViewRecord) -> list[int | float]:
        """Constants of a NUMBER view."""
        found = NUMBER.iter_unpack(self._bytes(view.data, NUMBER.size * view.constants))
        return [to_double(bits) if is_double else signed(bits) for bits, is_double, _ in found]

    def times(self, view: ViewRecord) -> list[int]:
        """Constants of a TIME view."""
        return list(unpack_from(f"<{view.constants}q", self.data, view.data))

    def versions(self, offset: int, count: int) -> list[str]:
        """FcVersions as text."""
        found = VERSION.iter_unpack(self._bytes(offset, VERSION.size * count))
        return [
            f"{major}.{minor}.{patch}" + (f"-{self._text(pre, length)}" if length else "")
            for major, minor, patch, pre, length, _ in found
        ]

    def addresses(self, offset: int, count: int) -> list[tuple[int, int]]:
        """FcAddresses as (family, number)."""
        found = ADDRESS.iter_unpack(self._bytes(offset, ADDRESS.size * count))
        return [(family, high << 64 | low) for high, low, family, _ in found]

    def affixes(self, view: ViewRecord) -> list[str]:
        """Constants of a PREFIX or SUFFIX view as authored; bytes that reversing leaves invalid are replaced."""
        found = AFFIX.iter_unpack(self._bytes(view.data, AFFIX.size * view.constants))
        texts = [self._bytes(offset, length) for offset, length, _, _ in found]
        reverse = view.kind is ViewKind.SUFFIX
        return [(text[::-1] if reverse else text).decode(errors="replace") for text in texts]

    def class_runs(self, node: NodeRecord) -> list[tuple[int, int]]:
        """The intervals of a CLASS node."""
        (count,) = unpack_from("<I", self.data, node.pool)
        edges = unpack_from(f"<{2 * count}I", self.data, node.pool + 4)
        return list(zip(edges[::2], edges[1::2], strict=True))

    def switch_exits(self, node: NodeRecord) -> list[tuple[int, int, int]]:
        """(low, high, exit) of a SWITCH node, neighbours with one exit joined."""
        classes = self.views[node.length].classes
        if node.flags & NodeFlag.DENSE:
            exits = unpack_from(f"<{classes}I", self.data, node.pool)
            edges: tuple[int, ...] = tuple(range(classes + 1))
        else:
            (count,) = unpack_from("<I", self.data, node.pool)
            edges = (0, *unpack_from(f"<{count}I", self.data, node.pool + 4), classes)
            exits = unpack_from(f"<{count + 1}I", self.data, node.pool + 4 + 4 * count)
        return _joined(edges, exits)

    def branches(self, node: NodeRecord) -> list[BranchRecord]:
        """The branches of a FORK node."""
        (count,) = unpack_from("<I", self.data, node.pool)
        return self._branches(node.pool + 4, count)

    def multi(self, node: NodeRecord) -> MultiRecord:
        """What a MULTI node looks for."""
        table, count, offset, rest_first = MULTI.unpack_from(self.data, node.pool)
        branches = self._branches(offset, count)
        if not node.flags & NodeFlag.LINK:
            return MultiRecord(branches, dict(self.table_keys(table)), {}, rest_first)
        asked = (bit for bit in range(64) if node.immediate >> bit & 1)
        return MultiRecord(branches, {}, {bit: number for number, bit in enumerate(asked)}, rest_first)

    def block(self, node: NodeRecord) -> BlockRecord:
        """The columns and rows of a BLOCK node."""
        column_count, row_count, columns, rows = BLOCK.unpack_from(self.data, node.pool)
        packed = COLUMN.iter_unpack(self._bytes(columns, COLUMN.size * column_count))
        return BlockRecord([self._column(*fields) for fields in packed], unpack_from(f"<{row_count}I", self.data, rows))

    def lookup_exits(self, node: NodeRecord) -> dict[int, list[str]]:
        """The texts of a LOOKUP node by the exit that they take, sorted."""
        found: dict[int, list[str]] = {}
        for text, value in self.table_keys(node.pool):
            exit_ = (value & TABLE_LEAF) << 8 | value & TABLE_LEAF - 1
            found.setdefault(exit_, []).append(text)
        return {exit_: sorted(texts) for exit_, texts in sorted(found.items())}

    def identities(self, node: NodeRecord) -> tuple[int, ...]:
        """The identities that meet a REQUIRES node."""
        return unpack_from(f"<{node.length}Q", self.data, node.pool)

    # -- how

    def _part(self, record: Struct, field: int) -> list[tuple[int, ...]]:
        offset, count = self._header[field : field + 2]
        return list(record.iter_unpack(self.data[offset : offset + record.size * count]))

    def _bytes(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def _text(self, offset: int, length: int) -> str:
        return self._bytes(offset, length).decode()

    def _branches(self, offset: int, count: int) -> list[BranchRecord]:
        found = BRANCH.iter_unpack(self._bytes(offset, BRANCH.size * count))
        return [BranchRecord(first, exit_) for first, exit_ in found]

    def _column(self, view: int, kind: int, place: int, masks: int, count: int) -> ColumnRecord:
        classes = self.views[view].classes
        words = unpack_from(f"<{count}Q", self.data, masks)
        if kind == ColumnKind.BYTES:
            edges: tuple[int, ...] = tuple(range(classes + 1))
            words = tuple(words[index] for index in self._bytes(place, classes))
        else:
            edges = (0, *unpack_from(f"<{count - 1}I", self.data, place), classes)
        return ColumnRecord(view, ColumnKind(kind), _joined(edges, words))

    def _path(self, offset: int, length: int, parts: int, count: int, _kind: int) -> tuple[str, ...]:
        flat = self._bytes(offset, length)
        if count == 1:
            return (flat.decode(),)
        names: list[str] = []
        for size in unpack_from(f"<{count}I", self.data, parts):
            names.append(flat[:size].decode())
            flat = flat[size + 1 :]
        return tuple(names)

    def _leaf(self, fields: tuple[int, ...]) -> LeafRecord:
        kind, reason, flags, _, rule, variant, count, seed, outcome, slot, memo = fields
        weights: dict[str, int] = {}
        if kind == LeafKind.SPLIT:
            packed = self._bytes(variant, CONTESTANT.size * count)
            weights = {self.variants[index].name: weight for index, weight, _ in CONTESTANT.iter_unpack(packed)}
        name = self.variants[variant].name if kind == LeafKind.VARIANT else None
        return LeafRecord(LeafKind(kind), reason, flags, self._rule(rule), name, weights, seed, outcome, slot, memo)

    def _rule(self, rule: int) -> str | None:
        if rule == NONE:
            return None
        if rule & RULE_REQUIRES:
            return f"requires:{self.links[rule ^ RULE_REQUIRES][1]}"
        return self.rules[rule]

    def _set_texts(self, offset: int, table: int) -> list[str]:
        return sorted(text for text, _ in self.table_keys(offset + table)) if table else []

    def _key(self, table: int, kind: int, words: list[int]) -> str:
        if kind == _LONG_KEY:
            return self._text(table + words[0], words[1])
        packed = b"".join(word.to_bytes(4, "little") for word in words)
        return packed[: kind - 1].decode()


def _joined(edges: tuple[int, ...], items: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """(low, high, item) of classes between edges; neighbours with one item become one, empty ones are left out."""
    joined: list[tuple[int, int, int]] = []
    for low, high, item in zip(edges, edges[1:], items, strict=False):
        if low == high:
            continue
        if joined and joined[-1][2] == item:
            low = joined.pop()[0]
        joined.append((low, high, item))
    return joined


def signed(bits: int) -> int:
    """Return 64 unsigned bits as an int64."""
    return bits - (1 << 64) if bits >> 63 else bits


def to_double(bits: int) -> float:
    """Return 64 bits as a double."""
    (number,) = unpack("<d", bits.to_bytes(8, "little"))
    assert isinstance(number, float)
    return number
