"""What fc_verify and fc_verify_set prove: sound objects are accepted, and each kind of damage is refused for its reason."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from struct import pack
from typing import Any

import pytest

from flagcore.bucketing import seed, variant_identity
from flagcore.compiler import layout
from flagcore.compiler.layout import NO_MEMO, NONE, TABLE_LEAF, LinkKind, NodeFlag, Op, ViewKind
from flagcore.compiler.tables import build_table
from flagcore.compiler.value_sets import build_value_set
from tests.support.kernel_library import NotSoundError, Program, aligned, kernel, status_text, verify, verify_set
from tests.support.program_builder import (
    Builder,
    Record,
    Reference,
    Text,
    address,
    affixes,
    automaton,
    leaf,
    number,
    samples,
    sound_sets,
    version,
)
from tests.support.refusals import reason, tabled, viewed

SOUND = samples()
HEADER = (
    "magic format min_reader size hash_id value_type flags entry step_bound node_count leaf_offset leaf_count slot_offset "
    "slot_count view_offset view_count variant_offset variant_count rule_offset rule_count link_offset link_count memo_count "
    "outcome_count key key_length metadata metadata_length pool_offset bound_offset reserved"
).split()


def with_header(program: bytes, **changes: int) -> bytes:
    """Return the program with fields of its header changed."""
    fields = dict(zip(HEADER, layout.HEADER.unpack_from(program), strict=True)) | changes
    return layout.HEADER.pack(*fields.values()) + program[layout.HEADER_SIZE :]


def with_field(builder: Builder, part: str, index: int, place: int, value: object) -> bytes:
    """Return the finished program with one field of one record replaced."""
    records = getattr(builder, part)
    fields = list(records[index].fields)
    fields[place] = value
    records[index] = Record(records[index].layout, tuple(fields))
    return builder.finish()


# --- sound ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", SOUND)
def test_sound_programs_are_accepted(key: str):
    """Hand-made programs with every operation, view and leaf are sound."""
    assert reason(SOUND[key]) == "sound"


@pytest.mark.parametrize("name", sound_sets())
def test_sound_sets_are_accepted(name: str):
    """Value sets of every form are sound."""
    assert status_text(verify_set(sound_sets()[name])) == "sound"


def test_every_prefix_is_refused():
    """A program or set cut short at any byte is refused, and so is one with bytes behind it."""
    for data in SOUND.values():
        assert all(verify(data[:size]) for size in range(len(data)))
        assert verify(data + bytes(8))
    for data in sound_sets().values():
        assert all(verify_set(data[:size]) for size in range(len(data)))
        assert verify_set(data + bytes(8))


def test_the_start_must_be_aligned():
    """Bytes that do not begin at a multiple of eight are refused before they are read."""
    program = SOUND["static"]
    words = aligned(b"\0" + program)
    start = ctypes.addressof(words)
    assert status_text(kernel().fc_verify(start + 1, len(program))).startswith("the bytes do not stand")
    assert status_text(kernel().fc_verify_set(start + 4, 48)).startswith("the bytes do not stand")


def test_every_status_has_a_text():
    """Each status has words of its own, and an unknown one says so."""
    texts = [status_text(status) for status in range(33)]
    assert len(set(texts)) == 33
    assert status_text(33) == status_text(1 << 31) == "unknown status"


# --- header and parts -------------------------------------------------------------------------------------------------

HEADERS = [
    ({"magic": 1}, "no program"),
    ({"format": 2}, "of a format"),
    ({"min_reader": 2}, "of a format"),
    ({"size": 8}, "the size"),
    ({"hash_id": 2}, "a field of the header"),
    ({"value_type": 5}, "a field of the header"),
    ({"flags": 2}, "a field of the header"),
    ({"flags": 1}, "a walk may take"),
    ({"reserved": 1}, "a field of the header"),
    ({"bound_offset": 1}, "a walk may take"),
    ({"bound_offset": NONE - 3}, "a walk may take"),
    ({"pool_offset": 1 << 30}, "a field of the header"),
    ({"memo_count": NO_MEMO}, "a field of the header"),
    ({"metadata_length": 1 << 31}, "a field of the header"),
    ({"node_count": 1 << 27}, "a part"),
    ({"leaf_offset": 4}, "a part"),
    ({"leaf_count": 1 << 30}, "a part"),
    ({"slot_count": 65536}, "a part"),
    ({"view_count": 65536}, "a part"),
    ({"variant_offset": NONE}, "a part"),
    ({"rule_count": NONE}, "a part"),
    ({"link_offset": 2}, "a part"),
    ({"key_length": 0}, "the flag key"),
    ({"key": NONE}, "the flag key"),
    ({"entry": 1000}, "an exit"),
    ({"entry": leaf(1000)}, "an exit"),
    ({"entry": leaf(3)}, "an exit"),
    ({"entry": 23}, "an exit"),
    ({"entry": NONE}, "an exit"),
    ({"outcome_count": 5}, "outcomes"),
    ({"outcome_count": NONE}, "outcomes"),
    ({"memo_count": 0}, "the contestants"),
    ({"step_bound": 22}, "a walk may take"),
    ({"step_bound": 24}, "a walk may take"),
]


@pytest.mark.parametrize(("changes", "text"), HEADERS, ids=lambda part: str(part))
def test_headers(changes: dict[str, int], text: str):
    """Each field of the header is proved."""
    assert reason(with_header(SOUND["operations"], **changes)).startswith(text)


# --- records ----------------------------------------------------------------------------------------------------------


def small() -> Builder:
    """A rule, a split, one attribute of two names, a link of each kind."""
    builder = Builder(memo_count=2)
    slot = builder.slot("user", "id")
    builder.link(LinkKind.PROGRAM, "other")
    builder.link(LinkKind.SET, "segment:vip")
    builder.variant_leaf(0, rule=1)
    builder.split_leaf({"a": 1, "b": 2}, slot, memo=1)
    builder.split_leaf({"off": 1, "on": 2}, slot, flags=2)
    builder.text_node(Op.TEXT, slot, (1, leaf(0), leaf(1)), b"DE")
    builder.node(Op.HAS, slot, (leaf(1), leaf(2), leaf(2)))
    return builder


RECORDS = [
    ("slots", 0, 0, Text(b"user-id-and-more"), "an attribute"),
    ("slots", 0, 1, Reference(pack("<2I", 4, 3), 4), "an attribute"),
    ("slots", 0, 1, Reference(pack("<2I", 0xFFFFFFFF, 8), 4), "an attribute"),
    ("slots", 0, 1, 2, "an attribute"),
    ("slots", 0, 2, 0, "an attribute"),
    ("slots", 0, 2, 65535, "an attribute"),
    ("slots", 0, 3, 2, "an attribute"),
    ("links", 0, 0, 2, "a link"),
    ("links", 0, 2, 1, "a link"),
    ("leaves", 0, 0, 3, "a leaf"),
    ("leaves", 0, 1, 6, "a leaf"),
    ("leaves", 0, 2, 1, "a leaf"),
    ("leaves", 0, 3, 1, "a leaf"),
    ("leaves", 0, 4, 2, "a leaf"),
    ("leaves", 0, 4, layout.RULE_REQUIRES | 1, "a leaf"),
    ("leaves", 0, 4, layout.RULE_REQUIRES | 2, "a leaf"),
    ("leaves", 0, 5, 4, "a leaf"),
    ("leaves", 0, 5, NONE, "a leaf"),
    ("leaves", 0, 10, 0, "a leaf"),
    ("leaves", 0, 8, 1, "outcomes"),
    ("leaves", 1, 8, 2, "outcomes"),
    ("leaves", 1, 2, 4, "a leaf"),
    ("leaves", 1, 2, 2, "the contestants"),
    ("leaves", 1, 5, 4, "the contestants"),
    ("leaves", 1, 5, NONE - 7, "the contestants"),
    ("leaves", 1, 6, 1, "the contestants"),
    ("leaves", 1, 6, NONE, "the contestants"),
    ("leaves", 1, 9, 1, "the contestants"),
    ("leaves", 1, 10, 2, "the contestants"),
    ("nodes", 0, 0, 17, "a node"),
    ("nodes", 0, 0, 21, "a node"),
    ("nodes", 0, 0, 255, "a node"),
    ("nodes", 0, 1, NodeFlag.LT, "a node"),
    ("nodes", 0, 2, 1, "a node"),
    ("nodes", 0, 3, 0, "an exit"),
    ("nodes", 0, 4, 2, "an exit"),
    ("nodes", 0, 5, leaf(3), "an exit"),
    ("nodes", 1, 3, 0, "an exit"),
    ("nodes", 1, 3, 1, "an exit"),
    ("nodes", 0, 6, 5, "a constant"),
    ("nodes", 0, 7, Text(b"DX"), "a constant"),
]


@pytest.mark.parametrize(("part", "index", "place", "value", "text"), RECORDS)
def test_records(part: str, index: int, place: int, value: object, text: str):
    """Each field of slots, links, leaves and nodes is proved."""
    assert reason(small().finish()) == "sound"
    assert reason(with_field(small(), part, index, place, value)).startswith(text)


def contest(*entries: tuple[int, int, int], flags: int = 0) -> str:
    """Return what is wrong with a split of these contestants: variant, weight, identity."""
    builder = Builder()
    slot = builder.slot("targetingKey")
    records = tuple(Record(layout.CONTESTANT, entry) for entry in entries)
    fields = (1, 3, flags, 0, NONE, Reference(records), len(entries), 0, 0, slot, NO_MEMO)
    builder.leaves.append(Record(layout.LEAF, fields))
    builder.outcomes = len(entries) + 1
    return reason(builder.finish())


def test_contestants():
    """Contestants are variants with their identities, weights in range, names ascending; the fast path is off, on."""
    a, b, off, on = ((at, 1, variant_identity(name)) for at, name in enumerate(("a", "b", "off", "on")))
    assert contest(a, b, off, on) == contest(off, on, flags=2) == contest(a, b, flags=1) == "sound"
    damaged = [
        contest(b, a),
        contest(a, a),
        contest(a, (4, 1, 5)),
        contest(a, (1, 0, b[2])),
        contest(a, (1, (1 << 20) + 1, b[2])),
        contest(a, (1, 1, b[2] + 1)),
        contest(a, b, flags=2),
        contest(a, off, on, flags=2),
        contest(b, on, flags=2),
    ]
    assert {text[:15] for text in damaged} == {"the contestants"}


def test_variants():
    """A variant has the identity of its name and a value of the flag's type."""
    program = SOUND["static"]
    at = dict(zip(HEADER, layout.HEADER.unpack_from(program), strict=True))["variant_offset"]
    for place, content in ((24, pack("<Q", 7)), (16, pack("<Q", 2)), (0, pack("<I", NONE)), (12, pack("<I", NONE))):
        damaged = program[: at + place] + content + program[at + place + len(content) :]
        assert reason(damaged).startswith("a variant")
    infinite = with_header(SOUND["static"], value_type=layout.ValueType.FLOAT)
    infinite = infinite[: at + 16] + pack("<d", float("inf")) + infinite[at + 24 :]
    assert reason(infinite).startswith("a variant")


# --- constants --------------------------------------------------------------------------------------------------------


def single(op: int, **fields: Any) -> str:
    """Return what is wrong with a program of one node on one attribute; view 0 looks for texts, view 1 is a text view."""
    builder = Builder()
    slot = builder.slot("country")
    builder.slot("other")
    builder.link(LinkKind.PROGRAM, "other")
    builder.link(LinkKind.SET, "segment:vip")
    builder.variant_leaf(0)
    builder.view(ViewKind.AUTOMATON, slot, 0, Reference(automaton(b"abc")))
    builder.view(ViewKind.TEXT, slot, 4, Reference(build_table({b"a": 3})), count=1)
    builder.view(ViewKind.PRESENCE, 1, 3)
    builder.node(op, fields.pop("slot", slot), (leaf(0),) * 3, **fields)
    return reason(builder.finish())


def ranges(*edges: tuple[int, int]) -> str:
    """Return what is wrong with ranges of addresses, (family, number) each."""
    return single(Op.ADDRESS, pool=Reference(tuple(address(*edge) for edge in edges)), length=len(edges) // 2)


def test_ranges_of_addresses():
    """Ranges ascend, do not touch each other's addresses, and stay inside one family."""
    assert ranges((4, 1), (4, 5), (4, 6), (4, 6), (6, 0), (6, 1 << 127)) == ranges() == "sound"
    damaged = [
        ranges((4, 5), (4, 1)),
        ranges((4, 1), (4, 5), (4, 5), (4, 6)),
        ranges((6, 1), (6, 2), (4, 1), (4, 2)),
        ranges((4, 1), (6, 2)),
        ranges((6, 5 << 64), (6, 6 << 64), (6, 1 << 64), (6, 2 << 64)),
        ranges((4, 1), (4, 1 << 32)),
        ranges((5, 1), (5, 2)),
        ranges((7, 0), (7, 0)),
        ranges((6, 1 << 64), (6, 5)),
        single(Op.ADDRESS, pool=112, length=1 << 30),
    ]
    assert {text[:10] for text in damaged} == {"a constant"}


def test_versions():
    """A version constant has its own packed form and identifiers that are some."""
    assert single(Op.VERSION, flags=NodeFlag.LT, pool=Reference((version(1, 2, 3, "rc.1"),))) == "sound"
    huge = Record(layout.VERSION, (1 << 63, 0, 0, Text(b""), (1 << 64) - 1))
    assert single(Op.VERSION, pool=Reference((huge,))) == "sound"
    for pre in ("a..b", ".", "01", "a b", "18446744073709551616"):
        assert single(Op.VERSION, pool=Reference((version(1, 2, 3, pre),))).startswith("a constant")
    wrong = Record(layout.VERSION, (1, 2, 3, Text(b""), 0))
    assert single(Op.VERSION, pool=Reference((wrong,))).startswith("a constant")


def test_numbers_gates_and_requirements():
    """Constants inside nodes are proved: finite doubles, thresholds, memo words, links of the right kind, identities."""
    double = struct.unpack("<Q", pack("<d", float("nan")))[0]
    assert single(Op.NUMBER, flags=NodeFlag.DOUBLE, immediate=double).startswith("a constant")
    assert single(Op.GATE, pool=1_000_000, length=NO_MEMO) == "sound"
    assert single(Op.GATE, pool=1_000_001, length=NO_MEMO).startswith("a constant")
    assert single(Op.GATE, pool=5, length=0).startswith("a constant")
    assert single(Op.GATE, pool=5, length=0x1FFFF).startswith("a constant")
    identity = Reference(pack("<Q", variant_identity("on")))
    assert single(Op.REQUIRES, slot=0, immediate=0, pool=identity, length=1) == "sound"
    for immediate, pool in ((1, identity), (2, identity), (1 << 32, identity), (0, Reference(pack("<Q", 1)))):
        assert single(Op.REQUIRES, slot=0, immediate=immediate, pool=pool, length=1).startswith("a prerequisite")
    assert single(Op.REQUIRES, slot=1, immediate=0, pool=identity, length=1).startswith("a node")


def test_references_to_sets_and_views():
    """A node names a set that is one, and a view of its own attribute and of a kind that fits."""
    assert single(Op.IN, flags=NodeFlag.LINK, length=1) == single(Op.MATCH, length=0, immediate=1) == "sound"
    for length in (0, 2, NONE):
        assert single(Op.CONTAINS, flags=NodeFlag.LINK, length=length).startswith("a link")
    for length in (1, 2, 3, NONE):
        assert single(Op.MATCH, length=length).startswith("a node")
    intervals = Reference(pack("<3I", 1, 0, 2), 4)
    assert single(Op.CLASS, length=1, pool=intervals) == "sound"
    assert single(Op.CLASS, length=0, pool=intervals).startswith("a node")
    assert single(Op.CLASS, length=2, pool=intervals).startswith("a node")
    assert single(Op.CLASS, slot=1, length=2, pool=intervals) == "sound"
    assert single(Op.SWITCH, length=0, pool=Reference(pack("<2I", 0, leaf(0)), 4)).startswith("intervals")


def test_constants_lie_inside_the_program():
    """Texts, names and tables that reach beyond the program's end are refused before they are read."""
    for pool, length in ((NONE - 8, 5), (112, NONE), (1 << 20, 0)):
        assert single(Op.PREFIX, pool=pool, length=length).startswith("a constant")
    assert single(Op.SWITCH, length=NONE, flags=NodeFlag.DENSE, pool=112).startswith("intervals")
    for kind in (ViewKind.PREFIX, ViewKind.NUMBER, ViewKind.VERSION, ViewKind.TIME, ViewKind.ADDRESS):
        classes = 8 if kind in (ViewKind.PREFIX, ViewKind.ADDRESS) else 13
        assert viewed(kind, classes, NONE - 7, count=5).startswith("a constant"), kind
    for flat in ((NONE, 4), (0, NONE)):
        builder = small()
        builder.slots[0] = Record(layout.SLOT, (*flat, 0, 1, 0))
        assert reason(builder.finish()).startswith("an attribute")


def test_requires_come_first():
    """A prerequisite behind another node is refused: the walk would not look for it there."""
    builder = small()
    identity = Reference(pack("<Q", variant_identity("on")))
    builder.node(Op.REQUIRES, 0, (leaf(0),) * 3, immediate=0, pool=identity, length=1)
    assert reason(builder.finish()).startswith("a prerequisite")


def test_exits_in_tables():
    """Every value of a lookup's table is a leaf or a later node; the table folds case where the node says so."""

    def lookup(value: int, flags: int = 0, *, fold: bool = False) -> str:
        table = build_table({b"a": value, **{f"key-{n}".encode(): TABLE_LEAF for n in range(20)}}, fold=fold)
        return single(Op.LOOKUP, flags=flags, pool=Reference(table))

    assert lookup(TABLE_LEAF) == lookup(TABLE_LEAF, NodeFlag.FOLD, fold=True) == "sound"
    for value in (TABLE_LEAF | 1, 2 * TABLE_LEAF - 1, 0, 1, TABLE_LEAF - 1):
        assert lookup(value).startswith("a text table"), value
    assert lookup(TABLE_LEAF, fold=True).startswith("a text table")
    assert lookup(TABLE_LEAF, NodeFlag.FOLD).startswith("a text table")
    for pool in (NONE - 7, 4, 1 << 20):
        assert single(Op.LOOKUP, pool=pool).startswith("a text table")
    for op in (17, 18, 19):
        assert single(op).startswith("a node")


def test_the_longest_way_may_lead_through_a_table():
    """The exits of a lookup count when the longest walk is worked out."""
    builder = Builder()
    builder.slot("country")
    builder.variant_leaf(0)
    builder.node(Op.LOOKUP, 0, (leaf(0),) * 3, pool=Reference(build_table({b"a": 1, b"b": TABLE_LEAF})))
    builder.node(Op.HAS, 0, (leaf(0),) * 3)
    assert reason(with_header(builder.finish(), step_bound=2)) == "sound"
    assert reason(with_header(builder.finish(), step_bound=1)).startswith("a walk")


def test_intervals_and_cuts():
    """Intervals and cuts ascend inside the view's classes; every exit of a switch is one."""

    def intervals(*edges: int) -> str:
        return single(Op.CLASS, length=1, pool=Reference(pack(f"<{1 + len(edges)}I", len(edges) // 2, *edges), 4))

    def switch(*numbers: int) -> str:
        return single(Op.SWITCH, length=1, pool=Reference(pack(f"<{len(numbers)}I", *numbers), 4))

    assert intervals(0, 1, 3, 4) == intervals() == switch(1, 2, leaf(0), leaf(0)) == switch(0, leaf(0)) == "sound"
    damaged = [
        intervals(1, 0),
        intervals(0, 0),
        intervals(0, 5),
        intervals(2, 3, 3, 4),
        switch(2, 2, 2, *(leaf(0),) * 3),
    ]
    damaged += [
        switch(1, 5, leaf(0), leaf(0)),
        single(Op.CLASS, length=1, pool=2),
        single(Op.CLASS, length=1, pool=NONE - 3),
    ]
    damaged.append(single(Op.SWITCH, length=1, pool=Reference(pack("<I", NONE), 4)))
    assert {text[:9] for text in damaged} == {"intervals"}
    assert switch(1, 2, leaf(0), leaf(1)).startswith("an exit")
    assert switch(1, 2, leaf(0), 0).startswith("an exit")


# --- views ------------------------------------------------------------------------------------------------------------


def test_views():
    """Kind, flags, attribute, classes, memo word and link of a view are proved."""
    assert viewed(ViewKind.PRESENCE, 3) == viewed(ViewKind.SET, 4, link=1) == "sound"
    damaged = [
        viewed(11, 3),
        viewed(ViewKind.PRESENCE, 4),
        viewed(ViewKind.PRESENCE, 3, flags=1),
        viewed(ViewKind.PRESENCE, 3, slot=1),
        viewed(ViewKind.PRESENCE, 3, link=1),
        viewed(ViewKind.BOOLEAN, 3),
    ]
    assert {text[:6] for text in damaged} == {"a view"}
    assert viewed(ViewKind.PRESENCE, 3, memo=0).startswith("a memo word")
    assert viewed(ViewKind.SET, 4, link=0).startswith("a link")
    assert viewed(ViewKind.SET, 4, link=2).startswith("a link")


def test_ordered_constants():
    """Constants of ordered views strictly ascend in the order of values."""

    def numbers(*values: float) -> str:
        return viewed(ViewKind.NUMBER, 3 + 2 * len(values), Reference(tuple(map(number, values))), count=len(values))

    def versions(*texts: str) -> str:
        records = tuple(version(1, 0, 0, text) for text in texts)
        return viewed(ViewKind.VERSION, 3 + 2 * len(texts), Reference(records), count=len(texts))

    def times(*values: int) -> str:
        return viewed(
            ViewKind.TIME, 3 + 2 * len(values), Reference(pack(f"<{len(values)}q", *values)), count=len(values)
        )

    def cuts(*edges: tuple[int, int]) -> str:
        return viewed(
            ViewKind.ADDRESS, 3 + len(edges), Reference(tuple(address(*edge) for edge in edges)), count=len(edges)
        )

    assert numbers(-1e300, -5, -4.5, 2**53 + 1, 2**63 - 1, 1e19) == versions("a", "a.0", "b", "") == "sound"
    assert times(-(2**63), 0, 2**63 - 1) == cuts((4, 0), (4, 7), (6, 0), (7, 0)) == "sound"
    damaged = [numbers(2, 1), numbers(1, 1), numbers(1.0), numbers(0.5, float("nan")), numbers(float("inf"))]
    damaged += [versions("b", "a"), versions("", "a"), versions("a", "a"), times(1, 1), times(2, 1)]
    damaged += [cuts((6, 0), (4, 0)), cuts((4, 1), (4, 1)), cuts((7, 1)), cuts((7, 0), (7, 0)), cuts((4, 1 << 32))]
    assert {text[:10] for text in damaged} == {"a constant"}
    assert viewed(ViewKind.TIME, 3, count=NONE // 2).startswith("a view")
    neither = Record(layout.NUMBER, (1, 2, 0))
    assert viewed(ViewKind.NUMBER, 5, Reference((neither,)), count=1).startswith("a constant")


def test_affixes():
    """Patterns ascend, and each one's parent is the longest other that it begins with."""

    def prefixes(records: tuple[Record, ...], flags: int = 0) -> str:
        return viewed(ViewKind.PREFIX, 3 + len(records), Reference(records), count=len(records), flags=flags)

    def parents(*numbers: int) -> str:
        texts = [b"a", b"ab", b"abc", b"ac"][: len(numbers)]
        return prefixes(tuple(Record(layout.AFFIX, (Text(t), n, 0)) for t, n in zip(texts, numbers, strict=True)))

    assert prefixes(affixes(b"a", b"ab", b"b")) == parents(NONE, 0, 1, 0) == "sound"
    damaged = [prefixes(affixes(b"b", b"a")), prefixes(affixes(b"a", b"a")), prefixes(affixes(b"A"), flags=1)]
    damaged += [
        parents(0),
        parents(NONE, 1),
        parents(NONE, NONE),
        parents(NONE, 0, 0),
        parents(NONE, 0, 1, 1),
        parents(NONE, 0, 1, NONE),
    ]
    assert {text[:10] for text in damaged} == {"a constant"}


def test_memo_words_have_one_owner():
    """A word that two views, a view and a hash, or hashes under two salts share is refused: one would be taken for the other."""

    def shared(second: Callable[[Builder, int], object]) -> str:
        builder = Builder(memo_count=2000)
        slot = builder.slot("country")
        builder.variant_leaf(0)
        builder.view(ViewKind.PRESENCE, slot, 3, memo=1500)
        builder.node(Op.GATE, slot, (1, 1, 1), immediate=7, length=1501)
        second(builder, slot)
        if len(builder.nodes) == 1:
            builder.node(Op.HAS, slot, (leaf(0),) * 3)
        return reason(builder.finish())

    def gate(immediate: int, memo: int) -> Callable[[Builder, int], object]:
        return lambda builder, slot: builder.node(Op.GATE, slot, (leaf(0),) * 3, immediate=immediate, length=memo)

    assert shared(gate(7, 1501)) == shared(gate(8, 1502)) == shared(gate(8, NO_MEMO)) == "sound"
    damaged = [
        shared(gate(8, 1501)),
        shared(gate(7, 1500)),
        shared(lambda builder, slot: builder.view(ViewKind.PRESENCE, slot, 3, memo=1500)),
        shared(lambda builder, slot: builder.view(ViewKind.PRESENCE, slot, 3, memo=1501)),
        shared(lambda builder, slot: builder.split_leaf({"a": 1, "b": 1}, slot, memo=1500)),
        shared(lambda builder, slot: builder.split_leaf({"a": 1, "b": 1}, slot, memo=1501)),
    ]
    assert {text[:11] for text in damaged} == {"a memo word"}


def test_owners_of_memo_words():
    """A gate and a split share a word when attribute and salt are the same; words are told apart wherever they lie."""

    def sharing(seed_: int, slot: int, memo: int = 5) -> str:
        builder = Builder(memo_count=2049)
        builder.slot("x")
        builder.slot("y")
        builder.split_leaf({"a": 1, "b": 1}, 0, memo=5)
        builder.view(ViewKind.PRESENCE, 0, 3, memo=1024)
        builder.view(ViewKind.PRESENCE, 1, 3, memo=2048)
        builder.node(Op.GATE, slot, (leaf(0),) * 3, immediate=seed_, length=memo)
        return reason(builder.finish())

    same = seed("salt")
    assert sharing(same, 0) == sharing(same ^ 1, 1, 1023) == sharing(same ^ 1, 1, 1025) == "sound"
    for other in (sharing(same, 1), sharing(same ^ 1, 0), sharing(same, 0, 1024), sharing(same, 0, 2048)):
        assert other.startswith("a memo word")


# --- tables, sets, automata -------------------------------------------------------------------------------------------


def test_tables():
    """Every byte of a table that a probe depends on is proved: a damaged one is refused, or still finds its keys."""
    linear = build_table({b"a": 3, b"bc": 4})
    hashed = build_table({f"key {at}".encode(): 3 + at for at in range(9)} | {b"a text longer than an entry": 12})
    assert tabled(linear, 5) == tabled(hashed, 13) == "sound"
    assert tabled(linear, 4).startswith("a text table")
    assert tabled(hashed, 12).startswith("a text table")
    assert tabled(linear, 5, flags=1).startswith("a text table")
    assert tabled(build_table({b"a": 2}), 4).startswith("a text table")
    assert tabled(build_table([b"a"]), 4).startswith("a text table")
    header = struct.Struct("<8I")
    names = ("size", "count", "capacity", "flags", "min_length", "max_length", "reserved0", "reserved1")
    wrong = {"size": (31, NONE), "count": (9, NONE), "capacity": (10, NONE), "flags": (2, 4)}
    wrong |= {"min_length": (6,), "max_length": (5,), "reserved0": (1,), "reserved1": (1,)}
    for name, value in ((name, value) for name, values in wrong.items() for value in values):
        fields = dict(zip(names, header.unpack_from(hashed), strict=True)) | {name: value}
        assert tabled(header.pack(*fields.values()) + hashed[32:], 13).startswith("a text table"), (name, value)


def test_keys_of_tables():
    """A key is refused where no probe would find it (length, place, padding that is not zero), and where its value is no class."""
    table = bytearray(build_table({f"key {at}".encode(): 3 + at for at in range(9)}))
    used = next(at for at in range(32, 32 + 16 * 27, 16) if table[at])
    empty = next(at for at in range(32, 32 + 16 * 27, 16) if not table[at])
    for place in (0, 2, 3, *range(4, 16)):  # byte 1 is the value
        changed = bytearray(table)
        changed[used + place] ^= 1
        assert tabled(bytes(changed), 12).startswith("a text table"), place
    for value in (0, 2, 12, 255):
        changed = bytearray(table)
        changed[used + 1] = value
        assert tabled(bytes(changed), 12).startswith("a text table"), value
    long = bytearray(build_table({b"a text longer than an entry": 3}))
    only = next(at for at in (32, 48, 64) if long[at])
    for place in range(16):
        changed = bytearray(long)
        changed[only + place] ^= 1
        assert tabled(bytes(changed), 4).startswith("a text table"), place
    moved = bytearray(table)
    moved[empty : empty + 16], moved[used : used + 16] = table[used : used + 16], table[empty : empty + 16]
    assert tabled(bytes(moved), 12).startswith("a text table")
    folded = build_table({b"abc": 3}, fold=True)
    assert tabled(folded, 4, flags=1) == "sound"
    assert tabled(folded.replace(b"abc", b"aBc"), 4, flags=1).startswith("a text table")


def test_sets():
    """Kinds, order, and the rule that a double which equals an integer stands among those are proved."""
    whole = build_value_set([1, 2, 0.5, 1.5, True, "a"], ["b"])
    header = struct.Struct("<IHH10I")
    names = "magic format reader size kinds table folded integers integer_count doubles double_count booleans reserved".split()
    fields = dict(zip(names, header.unpack_from(whole), strict=True))

    def damage(**changes: int) -> str:
        return status_text(verify_set(header.pack(*(fields | changes).values()) + whole[48:]))

    assert damage() == "sound"
    assert damage(magic=1).startswith("no program")
    assert damage(format=2).startswith("of a format")
    assert damage(reader=2).startswith("of a format")
    descending = whole[: fields["doubles"]] + pack("<2d", 1.5, 0.5) + whole[fields["doubles"] + 16 :]
    assert status_text(verify_set(descending)).startswith("a value set")
    assert damage(size=40).startswith("the size")
    for changes in ({"kinds": 8}, {"kinds": 3}, {"booleans": 4}, {"booleans": 0}, {"reserved": 1}, {"integers": 4}):
        assert damage(**changes).startswith("a value set"), changes
    assert damage(integer_count=0, double_count=0).startswith("a value set")
    for place in ("integers", "doubles"):
        assert damage(**{place: len(whole)}).startswith("a value set")
    for double in (3.0, float("nan"), float("inf"), 2.0):
        changed = whole[: fields["doubles"]] + pack("<d", double) + whole[fields["doubles"] + 8 :]
        assert status_text(verify_set(changed)).startswith("a value set")
    assert damage(integer_count=NONE).startswith("tables are shared")
    larger = header.pack(*(fields | {"size": len(whole) + 4096}).values()) + whole[48:]
    assert viewed(ViewKind.SET, 4, Reference(larger)).startswith("a value set")
    assert damage(table=fields["folded"]).startswith("a text table")
    assert damage(folded=NONE - 7).startswith("a text table")


def test_automata():
    """Sizes, byte classes, transitions, the dead state and the union of masks are proved."""
    blob = automaton(b"abc", b"b")
    header = struct.Struct("<6I2Q")
    names = ("size", "states", "classes", "start", "transitions", "masks", "everything", "reserved")
    fields = dict(zip(names, header.unpack_from(blob), strict=True))

    def looked(data: bytes) -> str:
        return viewed(ViewKind.AUTOMATON, 0, Reference(data))

    def damage(**changes: int) -> str:
        return looked(header.pack(*(fields | changes).values()) + blob[40:])

    assert damage() == "sound"
    wrong = {
        "size": (8, NONE),
        "states": (0, 65536),
        "classes": (1, 258),
        "start": (99,),
        "transitions": (297, NONE - 1),
    }
    wrong |= {"masks": (4, NONE - 7), "everything": (1, 7)}
    for changes in ({name: value} for name, values in wrong.items() for value in values):
        assert damage(**changes).startswith("an automaton"), changes
    at, wide = fields["transitions"], 2 * fields["classes"]
    assert looked(blob[:40] + bytes([fields["classes"] - 1]) + blob[41:]).startswith("an automaton")
    assert looked(blob[:at] + b"\1" + blob[at + 1 :]).startswith("an automaton")
    assert looked(blob[: at + wide] + pack("<H", fields["states"]) + blob[at + wide + 2 :]).startswith("an automaton")
    assert looked(blob[: fields["masks"]] + b"\1" + blob[fields["masks"] + 1 :]).startswith("an automaton")


# --- cost -------------------------------------------------------------------------------------------------------------


def test_shared_tables_do_not_make_proof_quadratic():
    """Twenty thousand views on one big table are refused as too costly instead of being proved one by one."""
    table = build_table({f"key {at}".encode(): 3 + at for at in range(5000)})
    builder = Builder()
    slot = builder.slot("country")
    builder.variant_leaf(0)
    first = builder.view(ViewKind.TEXT, slot, 5003, Reference(table), count=5000)
    sound = builder.finish()
    assert reason(sound) == "sound"
    place = struct.unpack_from(
        "<I", sound, dict(zip(HEADER, layout.HEADER.unpack_from(sound), strict=True))["view_offset"] + 8
    )[0]
    shared = Record(layout.VIEW, (ViewKind.TEXT, 0, slot, 5003, place + 32 * 20_000, 5000, NONE, NO_MEMO, 0, 0))
    builder.views += [shared] * 20_000
    assert first == 0
    assert reason(builder.finish()).startswith("tables are shared")


def test_large_programs_carry_their_bounds():
    """Beyond 1,024 nodes verify cannot prove the step bound without memory: a program without a table of bounds is refused."""
    builder = Builder()
    slot = builder.slot("country")
    builder.variant_leaf(0)
    for at in range(1500):
        builder.node(Op.HAS, slot, (at + 1, leaf(0), leaf(0)) if at < 1499 else (leaf(0),) * 3)
    program = builder.finish()
    assert reason(program) == "sound"
    assert reason(with_header(program, step_bound=1499)).startswith("a walk may take")
    assert Program(program).walk({"country": "x"}).leaf == 0
    builder.bounds = ()
    assert reason(builder.finish()).startswith("a walk may take")


def test_a_program_that_is_not_sound_is_not_walked():
    """The tests' own host refuses bytes that verify refuses."""
    with pytest.raises(NotSoundError, match="the size"):
        Program(SOUND["static"] + b"\0" * 8)
