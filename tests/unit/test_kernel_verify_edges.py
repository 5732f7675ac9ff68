"""What fc_verify proves at the edges: what ends exactly at the end is sound, and no part is shared so often that its proof gets long."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from struct import pack
from typing import Any

import pytest

from flagcore.bucketing import variant_identity
from flagcore.compiler import layout
from flagcore.compiler.layout import NO_MEMO, NONE, LinkKind, NodeFlag, Op, ProgramFlag, ViewKind
from flagcore.compiler.tables import build_table
from tests.support.program_builder import Builder, Record, Reference, Text, address, leaf, number
from tests.support.refusals import patched, reason

COSTLY = "tables are shared"
PLACES = {
    "step_bound": 20,
    "slot": 36,
    "view": 44,
    "variant": 52,
    "rule": 60,
    "link": 68,
}  # bytes of fields of the header


def started() -> Builder:
    """Return a builder with an attribute, a view of numbers, a link of each kind and two leaves."""
    builder = Builder()
    builder.slot("x")
    builder.link(LinkKind.PROGRAM, "other")
    builder.link(LinkKind.SET, "vip")
    builder.view(ViewKind.NUMBER, 0, 7, Reference((number(0), number(1))), count=2)
    builder.variant_leaf(0)
    builder.variant_leaf(1)
    return builder


# --- the ends ---------------------------------------------------------------------------------------------------------


def at_the_end(op: int, content: bytes, *, flags: int = 0, length: int = 0, forked: bool = False) -> str:
    """Return what is wrong with a program that ends with what its node names; once more with four or eight bytes fewer."""
    builder = started()
    builder.flags = ProgramFlag.FORKED if forked else 0
    builder.node(op, 0, (leaf(0),) * 3, flags=flags, length=length)
    builder.bounds = [9 << 8 | 1] if forked else None
    program = builder.finish()
    program += bytes(-(len(program) + len(content)) % 8)
    place = len(program)
    program = patched(program + content, layout.HEADER_SIZE + 24, pack("<I", place))
    return reason(patched(program, 8, pack("<I", len(program))))


ENDS = [
    (Op.CLASS, pack("<I", 0), {}),
    (Op.CLASS, pack("<3I", 1, 2, 3), {}),
    (Op.SWITCH, pack("<2I", 0, leaf(0)), {}),
    (Op.SWITCH, pack("<7I", *[leaf(0)] * 7), {"flags": NodeFlag.DENSE}),
    (Op.PREFIX, b"x", {"length": 1}),
    (Op.FORK, pack("<I", 0), {"forked": True}),
    (Op.FORK, pack("<3I", 1, 0, NONE), {"forked": True}),
    (Op.LOOKUP, build_table({b"a": layout.TABLE_LEAF}), {}),
]


@pytest.mark.parametrize(("op", "content", "fields"), ENDS)
def test_what_ends_with_the_program_is_sound(op: int, content: bytes, fields: dict[str, Any]):
    """A table may end where the program ends, and not a word later."""
    assert at_the_end(op, content, **fields) == "sound"
    if len(content) >= 4 and content[:4] != bytes(4):
        assert at_the_end(op, content[:-4], **fields) != "sound"


@pytest.mark.parametrize("part", ["slot", "view", "variant", "rule", "link"])
def test_parts_lie_inside(part: str):
    """Each part of the program is refused when it begins or ends beyond the last byte."""
    program = started().finish()
    size = {"slot": 16, "view": 32, "variant": 32, "rule": 8, "link": 16}[part]
    (count,) = struct.unpack_from("<I", program, PLACES[part] + 4)
    for offset in (len(program) + 8, NONE - 7, len(program) - count * size + 8):
        assert reason(patched(program, PLACES[part], pack("<I", offset))).startswith("a part")


def test_numbers_of_slots_and_views():
    """There are at most 65,535 attributes and as many views: nodes number them in 16 bits."""
    for part, record in (("slots", None), ("views", Record(layout.VIEW, (0, 0, 0, 3, 0, 0, NONE, NO_MEMO, 0, 0)))):
        builder = started()
        kept = record or Record(layout.SLOT, (112, 1, 0, 1, 0))
        records = getattr(builder, part)
        records += [kept] * (65535 - len(records))
        assert reason(builder.finish()) == "sound"
        records.append(kept)
        assert reason(builder.finish()).startswith("a part")


def test_texts_of_rules_and_links_lie_inside():
    """A rule's id or a link's name beyond the end is refused, the first as the last."""
    program = started().finish()
    for part, size, skip, text in (("rule", 8, 0, "a rule id"), ("link", 16, 4, "a link")):
        (offset,) = struct.unpack_from("<I", program, PLACES[part])
        for index in range(2):
            place = offset + size * index + skip
            for content in (pack("<2I", NONE, 1), pack("<2I", 112, NONE), pack("<2I", len(program), 1)):
                assert reason(patched(program, place, content)).startswith(text)
            assert reason(patched(program, place, pack("<2I", len(program) - 1, 1))) == "sound"


def test_the_largest_value_type_and_an_empty_pool():
    """Flags hold objects, too, and a program may have nothing in its pool."""
    builder = started()
    builder.value_type = layout.ValueType.OBJECT
    program = builder.finish()
    assert reason(program) == reason(patched(program, 100, pack("<I", len(program)))) == "sound"
    assert reason(patched(program, 100, pack("<I", len(program) + 1))).startswith("a field")


def test_every_view_is_proved():
    """A view that is not sound is refused, whatever comes behind it."""
    builder = started()
    builder.views[:0] = [Record(layout.VIEW, (ViewKind.PRESENCE, 0, 0, 4, 0, 0, NONE, NO_MEMO, 0, 0))]
    assert reason(builder.finish()).startswith("a view")


# --- splits -----------------------------------------------------------------------------------------------------------


def contested(names: Sequence[str], flags: int = 0, weight: int = 1) -> str:
    """Return what is wrong with a split among these variants, in this order; ``weight`` is the first one's."""
    builder = started()
    builder.variants = (*builder.variants, "A", "A!", "pro")
    numbers = [builder.variants.index(name) for name in names]
    entries = tuple(
        Record(layout.CONTESTANT, (at, 1 if index else weight, variant_identity(builder.variants[at])))
        for index, at in enumerate(numbers)
    )
    fields = (1, 3, flags, 0, NONE, Reference(entries), len(entries), 0, builder.outcomes, 0, NO_MEMO)
    builder.leaves.append(Record(layout.LEAF, fields))
    builder.outcomes += len(entries) + 1
    return reason(builder.finish())


def test_order_of_names():
    """A name comes before those that it begins, whatever stands behind it in the program."""
    assert contested(["A", "A!"]) == "sound"
    assert contested(["A!", "A"]).startswith("the contestants")


def test_splits_between_off_and_on():
    """The short way is for exactly off and on, with weights that are sound; both flags may stand together."""
    assert contested(["off", "on"], flags=2) == contested(["off", "on"], flags=3) == "sound"
    for names in (["off", "pro"], ["on", "pro"], ["off", "on", "pro"]):
        assert contested(names, flags=2).startswith("the contestants"), names
    assert contested(["off", "on"], flags=2, weight=0).startswith("the contestants")


def test_contestants_are_variants():
    """A contestant behind the last variant is refused, though its identity agrees with the bytes that stand there."""
    builder = started()
    builder.split_leaf({"a": 1, "b": 1}, 0)
    program = builder.finish()
    assert reason(program) == "sound"
    offset, number_of_variants = struct.unpack_from("<2I", program, 52)
    (leaves,) = struct.unpack_from("<I", program, 28)
    (second,) = struct.unpack_from("<I", program, leaves + 2 * 32 + 8)
    behind = program[offset + 32 * number_of_variants + 24 :][:8]
    damaged = patched(program, second + 16, pack("<2I", number_of_variants, 1) + behind)
    assert reason(damaged).startswith("the contestants")


# --- constants --------------------------------------------------------------------------------------------------------


def single(op: int, **fields: Any) -> str:
    """Return what is wrong with a program of one node."""
    builder = started()
    builder.node(op, 0, (leaf(0),) * 3, **fields)
    return reason(builder.finish())


def test_texts_that_ignore_case_are_lower():
    """A folded constant of any length has no capital letter, wherever it would stand."""
    for op in (Op.TEXT, Op.PREFIX, Op.SUFFIX):
        for text in (b"Ab", b"abZ", b"a text of more than eight byteS"):
            for flags, expected in ((0, "sound"), (NodeFlag.FOLD, "a constant")):
                builder = started()
                builder.text_node(op, 0, (leaf(0),) * 3, text, flags=flags)
                assert reason(builder.finish()).startswith(expected)


def ranges(*edges: tuple[int, int]) -> str:
    """Return what is wrong with ranges of addresses."""
    return single(Op.ADDRESS, pool=Reference(tuple(address(*edge) for edge in edges)), length=len(edges) // 2)


def test_order_of_ranges():
    """Each range begins behind the end of the one before it, in every part of the order: family, high half, low half."""
    high = 1 << 64
    assert ranges((6, 1), (6, 2 * high), (6, 2 * high + 1), (6, 3 * high)) == "sound"
    assert ranges((6, 5), (6, 9), (6, high), (6, high + 1)) == "sound"
    damaged = [
        ranges((6, 1), (6, 2), (4, 5), (4, 6)),
        ranges((6, 1), (6, 5 * high), (6, 3 * high), (6, 6 * high)),
        ranges((6, high), (6, high + 5), (6, high + 5), (6, high + 9)),
        ranges((6, high + 5), (6, high + 1)),
        ranges((4, 1), (4, 9), (4, 5), (4, 6)),
        ranges((4, 1), (4, (1 << 32) + 5)),
    ]
    assert {text[:10] for text in damaged} == {"a constant"}


def test_identities_of_prerequisites():
    """Identities stand inside the program; 2 is the least that a variant can have."""
    assert single(Op.REQUIRES, pool=Reference(pack("<Q", 2)), length=1) == "sound"
    assert single(Op.REQUIRES, pool=Reference(pack("<2Q", 2, 1)), length=1) == "sound"
    for pool, length in ((NONE - 7, 1), (112, NONE), (116, 1)):
        assert single(Op.REQUIRES, pool=pool, length=length).startswith("a prerequisite")


def test_a_prerequisite_is_a_link_that_there_is():
    """What stands behind the last link is no link, whatever it looks like."""
    builder = Builder()
    builder.slot("\0\0\0\0 the first text of the pool")
    builder.caller_leaf(rule=layout.RULE_REQUIRES)
    program = builder.finish()
    links, number_of_links = struct.unpack_from("<2I", program, 68)
    assert (program[links], number_of_links) == (LinkKind.PROGRAM, 0)
    assert reason(program).startswith("a leaf")


def test_short_texts_and_numbers_in_their_nodes():
    """Eight bytes stand in the node, too; an integer may have the bits of a double that is not finite."""
    builder = started()
    builder.text_node(Op.TEXT, 0, (leaf(0),) * 3, b"12345678")
    assert reason(builder.finish()) == "sound"
    kept = builder.nodes[0].fields
    builder.nodes[0] = Record(layout.NODE, (*kept[:6], 7, *kept[7:]))
    assert reason(builder.finish()).startswith("a constant")
    assert single(Op.NUMBER, immediate=0x7FF0000000000000) == "sound"
    assert single(Op.NUMBER, immediate=0x7FF0000000000000, flags=NodeFlag.DOUBLE).startswith("a constant")


def test_the_largest_weight():
    """A weight may be 2**20."""
    builder = started()
    builder.split_leaf({"a": 1 << 20, "b": 1}, 0)
    assert reason(builder.finish()) == "sound"


def test_the_step_bound_of_few_nodes():
    """Up to 1,024 nodes the bound is between the longest walk and the number of nodes."""
    for count in (3, 1024):
        builder = started()
        for _ in range(count):
            builder.node(Op.HAS, 0, (leaf(0),) * 3)
        program = builder.finish()
        for bound, expected in (
            (0, "a walk may"),
            (1, "sound"),
            (2, "sound"),
            (count, "sound"),
            (count + 1, "a walk may"),
        ):
            assert reason(patched(program, PLACES["step_bound"], pack("<I", bound))).startswith(expected)


# --- cost -------------------------------------------------------------------------------------------------------------


def shared_by_nodes(op: int, content: bytes, length: int, count: int, *, flags: int = 0) -> str:
    """Return what is wrong with a program of many nodes that name the same bytes; one alone is sound."""
    builder = started()
    builder.node(op, 0, (leaf(0),) * 3, pool=Reference(content), length=length, flags=flags)
    sound = builder.finish()
    assert reason(sound) == "sound"
    place = struct.unpack_from("<I", sound, layout.HEADER_SIZE + 24)[0] + layout.NODE.size * (count - 1)
    node = Record(layout.NODE, (op, flags, 0, leaf(0), leaf(0), leaf(0), 0, place, length))
    builder.nodes += [node] * (count - 1)
    return reason(builder.finish())


SHARED: Sequence[tuple[int, bytes, int, int]] = [
    (Op.PREFIX, bytes(100_000), 100_000, NodeFlag.FOLD),
    (Op.ADDRESS, b"".join(pack("<QQII", 0, at // 2, 4, 0) for at in range(20_000)), 10_000, 0),
    (Op.REQUIRES, pack("<Q", variant_identity("on")) * 20_000, 20_000, 0),
    (Op.SWITCH, pack("<I", 0) + pack("<I", leaf(0)), 0, 0),
]


@pytest.mark.parametrize(("op", "content", "length", "flags"), SHARED[:3])
def test_constants_that_nodes_share(op: int, content: bytes, length: int, flags: int):
    """Texts, ranges and identities that thousands of nodes share are not read thousands of times."""
    assert shared_by_nodes(op, content, length, 4000, flags=flags).startswith(COSTLY)


def test_classes_that_nodes_share():
    """Intervals, cuts, dense exits and tables of exits that thousands of nodes share are not read thousands of times."""
    classes = 20_003
    view = Record(
        layout.VIEW,
        (ViewKind.TIME, 0, 0, classes, Reference(pack("<10000q", *range(10_000))), 10_000, NONE, NO_MEMO, 0, 0),
    )
    contents = [
        (Op.CLASS, pack("<20001I", 10_000, *range(20_000)), 0),
        (Op.SWITCH, pack("<20000I", 9_999, *range(9_999), *[leaf(0)] * 10_000), 0),
        (Op.SWITCH, pack(f"<{classes}I", *[leaf(0)] * classes), NodeFlag.DENSE),
    ]
    for op, content, flags in contents:
        builder = started()
        builder.views.append(view)
        builder.node(op, 0, (leaf(0),) * 3, pool=Reference(content), length=1, flags=flags)
        sound = builder.finish()
        assert reason(sound) == "sound"
        count = 4000
        place = struct.unpack_from("<I", sound, layout.HEADER_SIZE + 24)[0] + layout.NODE.size * (count - 1)
        node = Record(layout.NODE, (op, flags, 0, leaf(0), leaf(0), leaf(0), 0, place, 1))
        builder.nodes += [node] * (count - 1)
        assert reason(builder.finish()).startswith(COSTLY), op


def test_names_that_records_share():
    """Names of variants, and lengths of the parts of names, that thousands of records share are not read thousands of times."""
    builder = started()
    builder.slots.append(Record(layout.SLOT, (Text(bytes(65533)), Reference(bytes(4 * 65534), 4), 65534, 0)))
    sound = builder.finish()
    assert reason(sound) == "sound"
    (offset,) = struct.unpack_from("<I", sound, PLACES["slot"])
    flat, length, parts = struct.unpack_from("<3I", sound, offset + 16)
    count, size = 5000, layout.SLOT.size
    shift = size * (count - 1)
    shared = Record(layout.SLOT, (flat + shift, length, parts + shift, 65534, 0))
    builder.slots += [shared] * (count - 1)
    assert reason(builder.finish()).startswith(COSTLY)


@pytest.mark.parametrize(
    ("names", "count"),
    [([f"v{at:05}" for at in range(2000)], 400), (["a" * 50_000, "b" * 50_000], 1000)],
    ids=["many", "long"],
)
def test_contestants_that_leaves_share(names: list[str], count: int):
    """Neither the contestants of a split that leaves share, nor their names, are read for each of them."""
    builder = Builder(variants=names)
    builder.slot("x")
    entries = tuple(
        Record(layout.CONTESTANT, (at, 1, variant_identity(name))) for at, name in enumerate(builder.variants)
    )
    each = len(entries) + 1
    builder.leaves.append(Record(layout.LEAF, (1, 3, 0, 0, NONE, Reference(entries), len(entries), 0, 0, 0, NO_MEMO)))
    builder.outcomes = each
    sound = builder.finish()
    assert reason(sound) == "sound"
    place = struct.unpack_from("<I", sound, layout.HEADER_SIZE + 8)[0] + layout.LEAF.size * (count - 1)
    for at in range(1, count):
        builder.leaves.append(Record(layout.LEAF, (1, 3, 0, 0, NONE, place, len(entries), 0, at * each, 0, NO_MEMO)))
    builder.outcomes = count * each
    assert reason(builder.finish()).startswith(COSTLY)
