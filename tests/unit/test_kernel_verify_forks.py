"""What fc_verify proves of forked programs: each kind of damage to forks, blocks, keyed branches and bounds has its reason."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from struct import pack
from typing import Any

import pytest

from flagcore.compiler import layout
from flagcore.compiler.layout import (
    BLOCK_ROWS,
    FORK_DEPTH,
    LEAF_BIT,
    NONE,
    ColumnKind,
    NodeFlag,
    Op,
    ProgramFlag,
    ViewKind,
)
from flagcore.compiler.tables import build_table
from tests.support.kernel_library import Program, status_text, verify
from tests.support.program_builder import Builder, Column, Record, Reference, automaton, leaf, number

BRANCH, BLOCK, NODE, EXIT, STEPS = "the branches", "the columns or rows", "a node", "an exit", "a walk may take"
ROW = NodeFlag.ROW


def reason(builder: Builder) -> str:
    """Return what is wrong with the program, in words."""
    return status_text(verify(builder.finish()))


def started() -> Builder:
    """Return a builder with two attributes, a view of each kind that matters here, and three leaves."""
    builder = Builder(flags=ProgramFlag.FORKED)
    builder.slot("x")
    builder.slot("y")
    for variant in range(3):
        builder.variant_leaf(variant)
    builder.view(ViewKind.NUMBER, 0, 7, Reference((number(0), number(1))), count=2)
    builder.view(ViewKind.AUTOMATON, 0, 0, Reference(automaton(b"a", b"b", b"c")))
    builder.view(ViewKind.TEXT, 1, 303, Reference(build_table({b"%d" % at: 3 + at for at in range(300)})), count=300)
    builder.view(ViewKind.TEXT, 1, 255, Reference(build_table({b"%d" % at: 3 + at for at in range(252)})), count=252)
    builder.view(ViewKind.TEXT, 1, 256, Reference(build_table({b"%d" % at: 3 + at for at in range(253)})), count=253)
    return builder


# --- the header ---------------------------------------------------------------------------------------------------------


def test_only_forked_programs_fork():
    """Nodes of several answers, rows, and FC_NONE as an exit are refused without the flag of the header."""

    def plain(op: int, exit_: int, **fields: Any) -> str:
        builder = started()
        builder.flags = 0
        builder.node(op, 0, (exit_, leaf(0), leaf(0)), **fields)
        return reason(builder)

    assert plain(Op.HAS, leaf(0)) == "sound"
    assert plain(Op.HAS, NONE).startswith(EXIT)
    assert plain(Op.HAS, leaf(0), flags=ROW).startswith(NODE)
    for op in (Op.FORK, Op.BLOCK, Op.MULTI):
        assert plain(op, leaf(0), pool=Reference(bytes(16))).startswith(NODE)


def test_the_entry_is_never_none():
    """A walk starts at a node or at a leaf, and a forked program has a leaf to end with."""
    builder = started()
    builder.node(Op.HAS, 0, (NONE,) * 3)
    assert reason(builder) == "sound"
    builder.entry = NONE
    assert reason(builder).startswith(EXIT)
    without = Builder(flags=ProgramFlag.FORKED)
    without.node(Op.HAS, without.slot("x"), (NONE,) * 3)
    assert reason(without).startswith(EXIT)
    without.outcomes, without.leaves = 0, []
    without.variant_leaf(0)
    assert reason(without) == "sound"


# --- FORK -----------------------------------------------------------------------------------------------------------------


def forking(*numbers: int, slot: int = 0, flags: int = 0, exits: Sequence[int] = (leaf(0),) * 3) -> str:
    """Return what is wrong with a fork whose pool is these numbers; node 1 looks at x."""
    builder = started()
    pairs = list(numbers[1:])
    builder.branching[0] = [exit_ for exit_ in pairs[1::2] if exit_ in (1, NONE) or exit_ & LEAF_BIT]
    packed = Reference(pack(f"<{len(numbers)}I", *numbers), 4)
    builder.node(Op.FORK, slot, tuple(exits), flags=flags, pool=packed)  # type: ignore[arg-type]
    builder.node(Op.HAS, 0, (leaf(0), NONE, NONE))
    builder.bounds = [3 << 8 | 1, 1 << 8]
    return reason(builder)


def test_forks():
    """Branches name leaves that there are, in an order that never descends, and exits that lead forward."""
    assert forking(0) == forking(2, 0, 1, 0, leaf(2)) == forking(3, 0, NONE, 1, 1, 2, 1) == "sound"
    for numbers in [(1, 3, 1), (1, NONE, 1), (2, 1, 1, 0, leaf(0)), (NONE, 0, 1), (1 << 29, 0, 1)]:
        assert forking(*numbers).startswith(BRANCH), numbers
    for exit_ in (0, 2, leaf(3), NONE - 1):
        assert forking(1, 0, exit_).startswith(EXIT), exit_
    assert forking(0, slot=1).startswith(NODE)
    for flag in NodeFlag:
        assert forking(0, flags=flag).startswith(NODE)
    assert forking(0, exits=(leaf(0), 0, leaf(0))).startswith(EXIT)


@pytest.mark.parametrize("pool", [1, 2, 1 << 20, NONE - 3])
@pytest.mark.parametrize(("op", "text"), [(Op.FORK, BRANCH), (Op.BLOCK, BLOCK), (Op.MULTI, BRANCH)])
def test_what_stands_in_the_pool_lies_inside(op: int, text: str, pool: int):
    """Offsets that are not aligned or lie beyond the end are refused before they are read."""
    builder = started()
    builder.node(op, 0, (leaf(0),) * 3, pool=pool)
    assert reason(builder).startswith(text)


# --- BLOCK ----------------------------------------------------------------------------------------------------------------


def blocking(
    columns: Sequence[Column | Record] = (), rows: Sequence[int] = (NONE,), on_false: int = NONE, **changes: object
) -> str:
    """Return what is wrong with a block; node 1 is a row's, node 2 is none's; ``changes`` replaces fields of FcBlock."""
    builder = started()
    records = Reference(tuple(c.record() if isinstance(c, Column) else c for c in columns), 4)
    fields: dict[str, object] = {
        "column_count": len(columns),
        "row_count": len(rows),
        "columns_at": records,
        "rows_at": Reference(pack(f"<{len(rows)}I", *rows), 4),
    }
    slot, flags = changes.pop("slot", 0), changes.pop("flags", 0)
    block = Record(layout.BLOCK, tuple((fields | changes).values()))
    builder.nodes.append(
        Record(layout.NODE, (Op.BLOCK, flags, slot, leaf(0), on_false, leaf(0), 0, Reference((block,)), 0))
    )
    builder.node(Op.HAS, 0, (leaf(0), NONE, NONE), flags=ROW)
    builder.node(Op.HAS, 0, (leaf(0), NONE, NONE))
    builder.bounds = [200 << 8, 1 << 8, 1 << 8]
    return reason(builder)


def test_blocks():
    """A block has 1 to 64 rows, and columns and rows that stand inside the program."""
    assert blocking() == blocking(rows=[leaf(1)] * BLOCK_ROWS) == blocking(rows=(1, NONE), on_false=2) == "sound"
    wrong: dict[str, tuple[int, ...]] = {
        "row_count": (0, BLOCK_ROWS + 1, NONE),
        "column_count": (NONE, 1 << 27),
        "columns_at": (NONE, 1 << 20),
        "rows_at": (NONE, 1 << 20, 114),
    }
    for name, value in ((name, value) for name, values in wrong.items() for value in values):
        assert blocking(**{name: value}).startswith(BLOCK), (name, value)
    assert blocking([Column(0, (1,), cuts=())], columns_at=114).startswith(BLOCK)
    assert blocking(on_false=0).startswith(EXIT)
    assert blocking(slot=1).startswith(NODE)
    for flag in NodeFlag:
        assert blocking(flags=flag).startswith(NODE)


def test_rows():
    """A row begins with a leaf, with nothing, or with a node of rows that comes later."""
    assert blocking(rows=(NONE, leaf(2), 1)) == "sound"
    for exit_ in (0, 3, leaf(3)):
        assert blocking(rows=(NONE, exit_)).startswith(EXIT), exit_
        assert blocking(rows=(exit_, NONE)).startswith(EXIT), exit_
    assert blocking(rows=(1, 2)).startswith(BLOCK)
    assert blocking(rows=(2, 1)).startswith(BLOCK)


def raw(view: int = 0, kind: int = 1, place: object = 112, masks: object = 112, count: int = 1) -> Record:
    """Return an FcColumn field by field; the defaults are sound."""
    return Record(layout.COLUMN, (view, kind, place, masks, count))


def test_columns():
    """A column has a view with classes, and masks and a map that stand inside the program and fit each other."""
    assert blocking([raw()]) == blocking([raw(view=2)]) == blocking([raw(view=3)]) == "sound"
    byte_map = Reference(bytes((0, 1, 2, 3, 2, 1, 0)), 1)
    masks = Reference(bytes(32))
    assert blocking([raw(kind=ColumnKind.BYTES, place=byte_map, masks=masks, count=4)]) == "sound"
    damaged = [
        raw(view=1),
        raw(view=5),
        raw(view=65535),
        raw(kind=2),
        raw(count=0),
        raw(masks=116),
        raw(masks=NONE - 7),
        raw(count=1 << 30),
        raw(place=114, count=2),
        raw(place=NONE - 3, count=2),
        raw(kind=ColumnKind.BYTES, place=byte_map, masks=masks, count=3),
        raw(kind=ColumnKind.BYTES, place=Reference(bytes((4, 0, 0, 0, 0, 0, 0)), 1), masks=masks, count=4),
        raw(kind=ColumnKind.BYTES, place=NONE - 3),
    ]
    for column in damaged:
        assert blocking([column]).startswith(BLOCK), column
        assert blocking([raw(), column]).startswith(BLOCK), column
        assert blocking([column, raw()]).startswith(BLOCK), column


def test_maps_of_bytes_are_for_few_classes():
    """Views of more than 255 classes need cuts."""
    for view, classes, text in [(3, 255, "sound"), (4, 256, BLOCK), (2, 303, BLOCK)]:
        column = Column(view, (1,), bytes(classes))
        assert blocking([column]).startswith(text)


def test_cuts_of_columns():
    """Cuts strictly ascend and stay at or below the number of classes."""
    for cuts, text in [
        ((), "sound"),
        ((0,), "sound"),
        ((1, 2, 7), "sound"),
        ((8,), BLOCK),
        ((2, 2), BLOCK),
        ((3, 2), BLOCK),
    ]:
        assert blocking([Column(0, [1] * (len(cuts) + 1), cuts=cuts)]).startswith(text), cuts


def test_nodes_of_rows_stay_among_themselves():
    """A test of a row leads to such tests, to leaves, or nowhere; switches, prerequisites and blocks are in no row."""

    def row(exits: tuple[int, int, int], op: int = Op.HAS, **fields: Any) -> str:
        builder = started()
        builder.node(op, 0, exits, flags=ROW, **fields)
        builder.node(Op.HAS, 0, (leaf(0), leaf(1), NONE), flags=ROW)
        builder.node(Op.HAS, 0, (NONE, NONE, NONE))
        builder.bounds = [3 << 8 | 1, 1 << 8, 1 << 8]
        return reason(builder)

    assert row((1, NONE, leaf(0))) == "sound"
    for place in range(3):
        exits = [NONE] * 3
        exits[place] = 2
        assert row(tuple(exits)).startswith(NODE)  # type: ignore[arg-type]
    empty = Reference(bytes(16))
    for op in (Op.SWITCH, Op.REQUIRES, Op.FORK, Op.BLOCK, Op.MULTI):
        assert row((NONE,) * 3, op, pool=empty).startswith(NODE)
    assert row((1, 1, 1), Op.BUCKETABLE) == row((1, 1, 1), Op.NUMBER) == row((1, 1, 1), Op.MATCH, length=1) == "sound"


# --- MULTI ----------------------------------------------------------------------------------------------------------------

TABLE = build_table({b"a": 0, b"b": 1})


def keyed(
    branches: Sequence[tuple[int, int]] = ((0, 1), (2, NONE)),
    *,
    bits: int | None = None,
    slot: int = 0,
    flags: int = 0,
    length: int = 0,
    on_false: int = 1,
    **changes: object,
) -> str:
    """Return what is wrong with a MULTI node, by a table or by bits; ``changes`` replaces fields of FcMulti."""
    builder = started()
    packed = b"".join(layout.BRANCH.pack(*branch) for branch in branches)
    fields: dict[str, object] = {
        "table": Reference(TABLE) if bits is None else 0,
        "n": len(branches),
        "branches_at": Reference(packed, 4),
        "rest_first": 1,
    }
    multi = Record(layout.MULTI, tuple((fields | changes).values()))
    flags |= 0 if bits is None else NodeFlag.LINK
    exits = (leaf(0), on_false, leaf(0))
    builder.node(Op.MULTI, slot, exits, flags=flags, immediate=bits or 0, pool=Reference((multi,), 4), length=length)
    builder.node(Op.HAS, 0, (leaf(0), NONE, NONE))
    builder.bounds = [9 << 8 | 1, 1 << 8]
    return reason(builder)


def test_keyed_branches():
    """Branches are as those of a fork, in any order; the rest names a leaf that there is."""
    assert keyed() == keyed([(2, NONE), (0, leaf(1))]) == keyed(slot=1) == keyed(on_false=NONE) == "sound"
    for branches in ([(3, 1), (0, 1)], [(0, 1), (NONE, 1)]):
        assert keyed(branches).startswith(BRANCH)
    for exit_ in (0, 2, leaf(3)):
        assert keyed([(0, 1), (0, exit_)]).startswith(EXIT)
    for changes in (
        {"rest_first": 3},
        {"n": 0},
        {"n": NONE},
        {"n": 1 << 29},
        {"branches_at": 114},
        {"branches_at": NONE - 3},
    ):
        assert keyed(**changes).startswith(BRANCH), changes
    assert keyed(on_false=0).startswith(EXIT)
    assert keyed(slot=2).startswith(NODE)
    for flag in set(NodeFlag) - {NodeFlag.LINK, NodeFlag.FOLD}:
        assert keyed(flags=flag).startswith(NODE)


def test_tables_of_branches():
    """Each text leads to a branch that there is, and case is ignored by table and node alike."""
    folded = Reference(build_table({b"a": 0, b"b": 1}, fold=True))
    many = build_table({b"key %d" % at: at % 2 for at in range(30)})
    assert keyed(flags=NodeFlag.FOLD, table=folded) == keyed(table=Reference(many)) == "sound"
    damaged = [
        keyed(table=folded),
        keyed(flags=NodeFlag.FOLD),
        keyed([(0, 1)]),
        keyed(table=Reference(build_table({b"a": 2}))),
        keyed(table=0),
        keyed(table=NONE - 7),
        keyed(table=116),
    ]
    assert {text[:12] for text in damaged} == {"a text table"}


def test_bits_of_branches():
    """By an automaton of the node's own attribute there are as many branches as bits, and no table."""
    assert keyed(bits=0b101, length=1) == keyed([(0, 1)], bits=1 << 63, length=1) == "sound"
    for bits in (0, 1, 0b111, (1 << 64) - 1):
        assert keyed(bits=bits, length=1).startswith(BRANCH), bits
    assert keyed(bits=0b11, length=1, table=Reference(TABLE)).startswith(BRANCH)
    assert keyed(bits=0b11, length=1, flags=NodeFlag.FOLD).startswith(NODE)
    for length in (0, 2, 5, NONE):
        assert keyed(bits=0b11, length=length).startswith(NODE)
    assert keyed(bits=0b11, length=1, slot=1).startswith(NODE)


# --- bounds ---------------------------------------------------------------------------------------------------------------


def bounded(builder: Builder, **changes: int) -> str:
    """Return what is wrong with a program some words of whose bound table are others: word 0 is ``word0``."""
    words = list(builder.bound_words())
    for name, word in changes.items():
        words[int(name.removeprefix("word"))] = word
    builder.bounds = words
    return reason(builder)


def tree(count: int = 3) -> Builder:
    """Return forks and blocks whose least bounds are steps 12, 3, 5, 2, 1 with forks 2, 1, 0, 0, 0."""
    builder = started()
    builder.fork((0, 1), (0, 2), (0, 2))
    builder.multi(0, {b"a": 0, b"b": 1}, [(0, 4), (0, leaf(0))], (0, 4))
    builder.block([Column(0, (1,), cuts=()), Column(2, (1,), cuts=())], (NONE, 4, leaf(0)), 3)
    builder.node(Op.HAS, 0, (4, NONE, leaf(0)))
    builder.node(Op.HAS, 0, (NONE, NONE, leaf(0)), flags=ROW)
    return builder


def test_bounds():
    """Each word is at least what the nodes behind it add up to, for each kind of node; more is accepted."""
    least = [(16, 2), (3, 1), (6, 0), (2, 0), (1, 0)]
    words = tree().bound_words()
    assert [(word >> 8, word & 255) for word in words] == least
    assert bounded(tree()) == "sound"
    for at, (steps, forks) in enumerate(least):
        assert bounded(tree(), **{f"word{at}": (steps - 1) << 8 | forks}).startswith(STEPS), at
        if forks:
            assert bounded(tree(), **{f"word{at}": steps << 8 | forks - 1}).startswith(STEPS), at
    assert bounded(tree(), word0=1000 << 8 | FORK_DEPTH) == "sound"
    assert bounded(tree(), word0=(1 << 24) - 1 << 8 | 3) == "sound"
    assert bounded(tree(), word0=1000 << 8 | FORK_DEPTH + 1).startswith(STEPS)


def test_bounds_of_switches():
    """The most of a switch's exits counts, dense or by cuts."""
    for dense in (False, True):
        builder = started()
        exits = [NONE, 1, 2, NONE, NONE, NONE, NONE]
        pool = exits if dense else [2, 1, 2, *exits[:3]]
        builder.branching[0] = exits
        packed = Reference(pack(f"<{len(pool)}I", *pool), 4)
        builder.node(Op.SWITCH, 0, (leaf(0),) * 3, flags=NodeFlag.DENSE if dense else 0, pool=packed, length=0)
        builder.node(Op.HAS, 0, (2, NONE, NONE))
        builder.fork((0, NONE))
        assert [(word >> 8, word & 255) for word in builder.bound_words()] == [(3, 1), (2, 1), (1, 1)]
        assert bounded(builder) == "sound"
        builder.bounds = [2 << 8 | 1, 2 << 8 | 1, 1 << 8 | 1]
        assert reason(builder).startswith(STEPS)
        builder.bounds = [3 << 8, 2 << 8 | 1, 1 << 8 | 1]
        assert reason(builder).startswith(STEPS)


def test_bounds_of_what_comes_first():
    """The first row of a block, the first exit of a switch and the rest of keyed branches count as the others do."""
    rows = started()
    rows.block([], (1, NONE), NONE)
    rows.node(Op.HAS, 0, (NONE,) * 3, flags=ROW)
    switch = started()
    switch.switch(0, (3,), (1, NONE))
    switch.node(Op.HAS, 0, (NONE,) * 3)
    rest = started()
    rest.multi(0, {b"a": 0}, [(0, NONE)], (0, 1))
    rest.fork((0, NONE))
    for builder, (steps, forks) in ((rows, (2, 0)), (switch, (2, 0)), (rest, (2, 2))):
        words = builder.bound_words()
        assert (words[0] >> 8, words[0] & 255) == (steps, forks)
        assert bounded(builder) == "sound"
        assert bounded(builder, word0=(steps - 1) << 8 | forks).startswith(STEPS)
        if forks:
            assert bounded(builder, word0=steps << 8 | forks - 1).startswith(STEPS)


def test_bounds_of_lookups():
    """A lookup takes a step and opens no fork; the most of its exits counts."""
    builder = started()
    table = build_table({b"a": 1, b"b": layout.TABLE_LEAF})
    builder.branching[0] = [1, leaf(0)]
    builder.node(Op.LOOKUP, 0, (leaf(0),) * 3, pool=Reference(table))
    builder.node(Op.HAS, 0, (NONE,) * 3)
    assert bounded(builder, word0=2 << 8, word1=1 << 8) == "sound"
    assert bounded(builder, word0=1 << 8, word1=1 << 8).startswith(STEPS)


def test_the_step_bound_is_that_of_the_entry():
    """The header's step bound is the entry's word, neither less nor more."""
    program = tree().finish()
    at = struct.calcsize("<IHHIBBHI")
    assert struct.unpack_from("<I", program, at) == (16,)
    for steps in (0, 15, 17, NONE):
        damaged = program[:at] + pack("<I", steps) + program[at + 4 :]
        assert status_text(verify(damaged)).startswith(STEPS)
    builder = tree()
    builder.entry = leaf(1)
    assert reason(builder) == "sound"
    builder.entry = 3
    assert reason(builder) == "sound"


def test_the_bound_table_stands_inside():
    """A forked program has a table; one that is not aligned, or reaches beyond the end, is refused."""
    program = tree().finish()
    at = layout.HEADER_SIZE - 8
    for offset in (0, 1, 2, len(program) - 16, len(program), NONE - 3):
        damaged = program[:at] + pack("<I", offset) + program[at + 4 :]
        assert status_text(verify(damaged)).startswith(STEPS), offset


def test_more_than_sixty_four_forks_are_refused():
    """A fork inside sixty-four others would overflow the walk's stack; bounds that wrap around do not hide it."""
    for depth, text in ((FORK_DEPTH, "sound"), (FORK_DEPTH + 1, STEPS), (300, STEPS)):
        builder = started()
        for at in range(depth):
            builder.fork((0, at + 1 if at < depth - 1 else NONE))
        words = [depth - at << 8 | min(depth - at, 255) for at in range(depth)]
        builder.bounds = words
        assert reason(builder).startswith(text)


def test_steps_that_no_word_holds_are_refused():
    """Branches of branches that add up to 2**24 steps are refused: no program makes a walk that long."""
    for levels, text in ((11, "sound"), (12, STEPS)):
        builder = started()
        for at in range(levels):
            builder.fork(*((0, at + 1) for _ in range(4)))
        builder.node(Op.HAS, 0, (NONE, NONE, NONE))
        steps = [1]
        for _ in range(levels):
            steps.append(min(1 + 4 * steps[-1], (1 << 24) - 1))
        builder.bounds = [each << 8 | levels - at for at, each in enumerate(reversed(steps))]
        assert reason(builder).startswith(text)


def test_plain_programs_may_carry_bounds():
    """A program without forks may carry a bound table, beyond 1,024 nodes too; then its step bound may be a small one."""
    for count in (3, 1500):
        builder = started()
        builder.flags = 0
        for at in range(count):
            builder.node(
                Op.HAS, 0, (leaf(0), leaf(1), leaf(2)) if at % 2 else (min(at + 1, count - 1), leaf(0), leaf(0))
            )
        if count % 2:
            builder.nodes[-1] = builder.nodes[1]
        builder.bounds = [1 << 8 if at % 2 or at == count - 1 else 2 << 8 for at in range(count)]
        program = builder.finish()
        assert status_text(verify(program)) == "sound"
        assert Program(program).walk({}).leaf == 0
        builder.bounds = [1 << 8] * count
        assert reason(builder).startswith(STEPS)


# --- cost -----------------------------------------------------------------------------------------------------------------


def test_what_nodes_share_is_not_proved_again_and_again():
    """Thousands of nodes on one big list, map or table are refused as too costly instead of being proved one by one."""

    def shared(op: int, pool: Reference, count: int) -> str:
        builder = started()
        builder.node(op, 0, (leaf(0),) * 3, pool=pool)
        builder.bounds = [(1 << 24) - 1 << 8 | 1]
        sound = builder.finish()
        assert status_text(verify(sound)) == "sound"
        place = struct.unpack_from("<I", sound, layout.HEADER_SIZE + 24)[0] + layout.NODE.size * (count - 1)
        builder.nodes += [Record(layout.NODE, (op, 0, 0, leaf(0), leaf(0), leaf(0), 0, place, 0))] * (count - 1)
        builder.bounds = [*builder.bounds] * count
        return reason(builder)

    many = 20_000
    branches = pack("<2I", 0, NONE) * many
    fork = Reference(pack("<I", many) + branches, 4)
    keys = build_table({b"key %d" % at: 0 for at in range(many)})
    by_branches = Record(layout.MULTI, (Reference(TABLE), many, Reference(branches, 4), 0))
    by_table = Record(layout.MULTI, (Reference(keys), 1, Reference(branches[:8], 4), 0))
    cuts = Reference(pack("<300I", *range(300)), 4)
    by_cuts = Record(layout.COLUMN, (2, ColumnKind.CUTS, cuts, Reference(bytes(8 * 301)), 301))
    by_bytes = Record(layout.COLUMN, (3, ColumnKind.BYTES, Reference(bytes(255), 1), Reference(bytes(8)), 1))
    assert shared(Op.FORK, fork, 5000).startswith("tables are shared")
    assert shared(Op.MULTI, Reference((by_branches,), 4), 5000).startswith("tables are shared")
    assert shared(Op.MULTI, Reference((by_table,), 4), 5000).startswith("tables are shared")
    for column in (by_cuts, by_bytes):
        columns = Reference((column,) * 500, 4)
        block = Record(layout.BLOCK, (500, 1, columns, Reference(pack("<I", NONE), 4)))
        assert shared(Op.BLOCK, Reference((block,)), 4000).startswith("tables are shared")
