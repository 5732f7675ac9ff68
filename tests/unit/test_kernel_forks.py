"""FORK, BLOCK and MULTI: what each answers in all forms of the walk, against the readable walker; each thing looked at once."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from random import Random
from struct import pack

import pytest

from benchmarks.walkers.program_walker import Walker
from flagcore.bucketing import variant_identity
from flagcore.compiler.layout import BLOCK_ROWS, FORK_DEPTH, NO_MEMO, NONE, LeafKind, LinkKind, NodeFlag, Op, ViewKind
from flagcore.compiler.reader import ProgramReader
from tests.support.kernel_library import FETCH, FcResult, FcValue, Linked, Program, as_value, kernel
from tests.support.program_builder import Builder, Column, Reference, automaton, forked, leaf, number, requiring
from tests.support.random_forks import random_context, random_forks

FORMS = ("local", "wide", "filled", "resume")


def answer(program: Program, context: Mapping[str, object], now: int = 0) -> int:
    """Return the leaf, which all forms of the walk agree on."""
    results = {form: program.walk(context, now, form) for form in FORMS}
    found = {(result.leaf, result.outcome, result.variant) for result in results.values()}
    assert len(found) == 1, results
    return results["local"].leaf


def with_leaves(count: int, *slots: str) -> Builder:
    """Return a builder with attributes and as many leaves, the last of which is the default."""
    builder = Builder(variants=[f"v{at:03}" for at in range(count)])
    for name in slots:
        builder.slot(name)
    for variant in range(count):
        builder.variant_leaf(variant)
    return builder


# --- against the readable walker --------------------------------------------------------------------------------------


def compare(data: bytes, contexts: list[dict[str, object]], *others: bytes) -> set[str | None]:
    """Prove kernel and walker to agree, and the other programs with them; return the variants that were met."""
    programs = [Program(each) for each in (data, *others)]
    met: set[str | None] = set()
    for context in contexts:
        ending = Walker({"program": data}, {}, context).evaluate("program")
        for program in programs:
            result = program.walk(context)
            variant = None if result.variant == NONE else ProgramReader(data).variants[result.variant].name
            assert variant == ending.variant
            if ending.leaf.kind is not LeafKind.SPLIT:
                assert result.outcome == ending.leaf.outcome
            assert answer(program, context) == result.leaf
        met.add(ending.variant)
    return met


def test_a_program_with_everything():
    """The hand-made program answers as the readable walker does for values that lead to most of its leaves."""
    texts = ["DE", "AT", "CH", "x", "a", "key-1 long", "on", "xa", "long a", 5, 6, True, None]
    lists = [
        ["key-3"],
        ["key-18", "key-0"],
        [f"key-{at}" for at in range(20)],
        ["On"],
        ["A TEXT OF MORE THAN A WORD"],
        [],
    ]
    plans = [None, "on", "off", "u-1", "u-2", True]
    contexts: list[dict[str, object]] = [{"country": at, "plan": plan} for at in [*texts, *lists] for plan in plans]
    assert len(compare(forked().finish(), contexts)) >= 12


@pytest.mark.parametrize("part", range(8))
def test_programs_at_random(part: int):
    """Random graphs of all nodes answer as the readable walker does, with memo words and without, within their step bound."""
    for number_ in range(part, 240, 8):
        choices = Random(number_)
        contexts = [random_context(choices) for _ in range(6)]
        compare(random_forks(number_).finish(), contexts, random_forks(number_, memos=False).finish())


# --- FORK -------------------------------------------------------------------------------------------------------------


def test_the_smallest_leaf_of_all_branches_wins():
    """Whatever the order in which branches find their leaves; branches without a row count for nothing; nothing at all: the last leaf."""
    for exits, expected in [
        ((3, NONE, 1), 1),
        ((NONE, NONE, 4), 4),
        ((NONE, NONE, NONE), 5),
        ((2, 0, 1), 0),
        ((), 5),
    ]:
        builder = with_leaves(6, "x")
        builder.fork(*((0, exit_ if exit_ == NONE else leaf(exit_)) for exit_ in exits))
        assert answer(Program(builder.finish()), {}) == expected


def test_branches_that_cannot_win_are_not_visited():
    """A branch whose first leaf is no better than the best asks for nothing, and neither does any behind it."""
    builder = with_leaves(6, "a", "b", "c")
    builder.fork((0, 1), (2, 2), (3, 3))
    builder.node(Op.HAS, 0, (leaf(2), NONE, NONE))
    builder.node(Op.HAS, 1, (leaf(3), NONE, NONE))
    builder.node(Op.HAS, 2, (leaf(3), NONE, NONE))
    program = Program(builder.finish())
    for context, asked in [({"a": 1}, [0]), ({"b": 1}, [0, 1]), ({}, [0, 1, 2])]:
        slots: list[int] = []
        result = fetched(program, context, slots)
        assert slots == asked
        assert result.leaf == answer(program, context)


def fetched(program: Program, context: Mapping[str, object], slots: list[int]) -> FcResult:
    """Walk, and note which slots are fetched, in order."""
    kept = []

    def fetch(_: int, slot: int, out: int) -> None:
        slots.append(slot)
        kept.append(program.value(context, slot, 0))
        ctypes.memmove(out, ctypes.byref(kept[-1]), ctypes.sizeof(FcValue))

    frame = program.frame()
    result: FcResult = kernel().fc_walk_local(ctypes.byref(program.record), ctypes.byref(frame), FETCH(fetch), None)
    return result


def test_forks_as_deep_as_they_may_be():
    """Sixty-four forks inside one another are walked, each branch of each."""
    builder = with_leaves(FORK_DEPTH + 2, "x")
    for at in range(FORK_DEPTH):
        builder.fork((0, at + 1), (at + 1, leaf(at + 1)))
    builder.node(Op.HAS, 0, (leaf(0), NONE, NONE))
    program = Program(builder.finish())
    assert (answer(program, {"x": 1}), answer(program, {})) == (0, 1)


def test_the_default_may_be_a_split():
    """A walk without a leaf ends with the last one, whatever its kind; its subject is fetched then."""
    builder = with_leaves(2, "x")
    builder.split_leaf({"v000": 1, "v001": 1}, builder.slot("subject"))
    builder.fork((0, NONE))
    program = Program(builder.finish())
    assert answer(program, {"subject": "u-1"}) == answer(program, {}) == 2
    assert {program.walk({"subject": f"u-{at}"}).variant for at in range(20)} == {0, 1}


def test_forks_behind_prerequisites():
    """A forked program may have prerequisites, and be one; by itself they count as not met."""
    builder = Builder("top", 0, ("off", "on"), ())
    slot, link = builder.slot("x"), builder.link(LinkKind.PROGRAM, "base")
    builder.variant_leaf(0)
    builder.variant_leaf(1)
    builder.caller_leaf()
    met = Reference(pack("<Q", variant_identity("on")))
    builder.node(Op.REQUIRES, 0, (1, leaf(0), leaf(0)), immediate=link, pool=met, length=1)
    builder.fork((1, 2))
    builder.node(Op.HAS, slot, (leaf(1), NONE, NONE))
    data = builder.finish()
    assert answer(Program(data), {"x": 1}) == 0
    above = requiring("above", "top")
    linked = Linked([above, data, requiring("base")])
    assert [linked.walk(key, {"x": 1}).variant for key in ("above", "top")] == [1, 1]
    assert [linked.walk(key, {}).variant for key in ("above", "top")] == [NONE, NONE]
    assert [result.variant for result in linked.walk_all({"x": 1})] == [1, 1, 1]


# --- BLOCK ------------------------------------------------------------------------------------------------------------


def blocked(rows: int, *, memo: int = NO_MEMO) -> Builder:
    """Return a builder with a view of numbers on x (classes 2.. of 0, 1) and leaves for rows, on_false and the default."""
    builder = with_leaves(rows + 2, "x", "y")
    builder.memo_count = 1 if memo != NO_MEMO else 0
    builder.view(ViewKind.NUMBER, 0, 7, Reference((number(0), number(1))), count=2, memo=memo)
    builder.view(ViewKind.PRESENCE, 1, 3)
    return builder


@pytest.mark.parametrize("rows", [1, 2, 63, BLOCK_ROWS])
def test_the_first_row_that_masks_leave(rows: int):
    """Each class leaves its mask's rows; bits beyond the rows mean nothing; none left: on_false."""
    builder = blocked(rows)
    last = 1 << rows - 1
    masks = [0, last, (1 << 64) - 1, 0, ~((1 << rows) - 1) & (1 << 64) - 1, 1, last | 1]
    builder.block([Column(0, masks, bytes(range(7)))], [leaf(row) for row in range(rows)], leaf(rows))
    program = Program(builder.finish())
    values = [None, "x", -1, 0, 0.5, 1, 2]
    found = [answer(program, {"x": value}) for value in values]
    assert found == [rows, rows - 1, 0, rows, rows, 0, 0]


def test_columns_of_both_kinds_are_anded():
    """A byte a class and cuts say the same, and a row has to pass each column."""
    for first, second in [
        (Column(0, (0b011, 0b110), cuts=(4,)), Column(1, (0b001, 0b010), bytes((0, 0, 1)))),
        (Column(0, (0b110, 0b011), bytes((1, 1, 1, 1, 0, 0, 0))), Column(1, (0b001, 0b010), cuts=(2,))),
        (Column(1, (0b001, 0b010), cuts=(1,)), Column(0, (0, 0b011, 0b110, 0), cuts=(0, 4, 7))),
    ]:
        builder = blocked(3)
        builder.block([first, second], (leaf(0), leaf(1), leaf(2)), leaf(3))
        program = Program(builder.finish())
        answers = [answer(program, context) for context in ({"x": 0}, {"x": 0, "y": 1}, {"x": 1, "y": 1}, {"x": 1})]
        assert answers == [0, 1, 1, 3]


def test_columns_stop_at_the_last_row():
    """When no row is left, later columns are not looked at and their attributes not fetched."""
    builder = blocked(1)
    builder.block([Column(0, (1, 0), cuts=(2,)), Column(1, (1,), cuts=())], (leaf(0),), leaf(1))
    program = Program(builder.finish())
    for value, asked in ((5, [0]), (None, [0, 1])):
        slots: list[int] = []
        fetched(program, {"x": value}, slots)
        assert slots == asked


def test_rows_are_asked_in_order():
    """What masks do not decide is tested row by row until a leaf; a row that comes to nothing gives way to the next."""
    builder = blocked(4)
    row = NodeFlag.ROW
    builder.block([], (1, NONE, 2, leaf(3)), leaf(4))
    builder.node(Op.BOOLEAN, 0, (3, NONE, NONE), flags=row)
    builder.node(Op.HAS, 0, (leaf(2), NONE, NONE), flags=row)
    builder.node(Op.HAS, 1, (leaf(0), leaf(1), NONE), flags=row)
    program = Program(builder.finish())
    contexts = ({"x": True, "y": 1}, {"x": True}, {"x": False}, {})
    assert [answer(program, context) for context in contexts] == [0, 1, 2, 3]


def test_a_block_may_lead_on():
    """Behind the last row on_false may be another block, a fork, or nothing."""
    builder = blocked(2)
    builder.block([Column(0, (0b00, 0b01), cuts=(3,))], (leaf(0), leaf(1)), 1)
    builder.block([Column(1, (0b00, 0b10), cuts=(2,))], (leaf(0), leaf(1)), 2)
    builder.fork((2, NONE), (2, 3))
    builder.node(Op.HAS, 0, (leaf(2), NONE, NONE))
    program = Program(builder.finish())
    contexts = ({"x": 1}, {"x": -1, "y": 1}, {"x": -1}, {})
    assert [answer(program, context) for context in contexts] == [0, 1, 2, 3]


# --- MULTI ------------------------------------------------------------------------------------------------------------


def listed(count: int, *, fold: bool = False, shared: int = 1) -> Program:
    """Return a program with a branch for each of some texts, in the order of their numbers, and a rest."""
    builder = with_leaves(count + 2, "x")
    keys = {f"k{at}".encode(): at // shared for at in range(count * shared)}
    branches = [(at, leaf(at)) for at in range(count)]
    builder.multi(0, keys, branches, (count, leaf(count)), flags=NodeFlag.FOLD if fold else 0)
    return Program(builder.finish())


@pytest.mark.parametrize("count", [1, 3, 200])
def test_lists_lead_to_the_branches_of_their_elements(count: int):
    """The smallest of all elements' leaves wins; elements that are unknown or no texts count for nothing; then the rest."""
    program = listed(count)
    last = count - 1
    assert answer(program, {"x": [f"k{last}"]}) == answer(program, {"x": ["?", 5, None, [f"k{0}"], f"k{last}"]}) == last
    assert answer(program, {"x": [f"k{at}" for at in reversed(range(count))]}) == 0
    assert answer(program, {"x": ["k0"] * 50}) == 0
    for value in ([], ["K0"], "k0", None, 5, [None, 1]):
        assert answer(program, {"x": value}) == count


def test_lists_that_ignore_case():
    """With a folded table an element counts in any ASCII case."""
    program = listed(3, fold=True, shared=2)
    assert answer(program, {"x": ["K5", "K3"]}) == 1
    assert answer(program, {"x": ["K6"]}) == 3


@pytest.mark.parametrize("known", [9, 10, 11, 35, 100])
def test_lists_of_many_known_elements(known: int):
    """However many branches a list leads to, each is visited once, in the order of their numbers."""
    builder = with_leaves(102, "x", *(f"y{at}" for at in range(100)))
    keys = {f"k{at}".encode(): at for at in range(100)}
    builder.multi(0, keys, [(at, 1 + at) for at in range(100)], (100, leaf(100)))
    for at in range(100):
        builder.node(Op.HAS, 1 + at, (leaf(at), NONE, NONE))
    program = Program(builder.finish())
    elements = [f"k{at}" for at in range(100 - known, 100)]
    elements += elements[::3]
    Random(1).shuffle(elements)
    slots: list[int] = []
    assert fetched(program, {"x": elements}, slots).leaf == 100
    assert slots == [0, *range(101 - known, 101)]
    slots.clear()
    assert fetched(program, {"x": elements, "y97": 1}, slots).leaf == 97
    assert slots == [0, *range(101 - known, 99)]
    assert answer(program, {"x": elements, "y97": 1}) == 97


def test_branches_need_not_ascend():
    """Numbers of branches in any order of their leaves give the same answer; those that cannot win are passed over."""
    builder = with_leaves(7, "x")
    builder.multi(0, {b"a": 0, b"b": 1, b"c": 2}, [(4, leaf(4)), (1, leaf(1)), (3, leaf(3))], (0, NONE))
    program = Program(builder.finish())
    for value, expected in [(["a", "b", "c"], 1), (["c", "a"], 3), (["a"], 4), ([], 6)]:
        assert answer(program, {"x": value}) == expected


def test_texts_lead_to_the_branches_of_what_they_contain():
    """Each bit of the automaton's mask that is asked for has a branch; the others' bits are passed over."""
    builder = with_leaves(5, "x")
    needles = [b"aa", b"bb", b"cc", b"dd"]
    builder.view(ViewKind.AUTOMATON, 0, 0, Reference(automaton(*needles)))
    builder.multi(0, 0b1101, [(0, leaf(0)), (1, leaf(1)), (2, leaf(2))], (3, leaf(3)), view=0)
    program = Program(builder.finish())
    found = [answer(program, {"x": text}) for text in ("aadd", "-cc-dd", "dd", "bb", "", "ddbbaa")]
    assert found == [0, 1, 2, 3, 3, 0]
    for value in (["aa"], 5, None):
        assert answer(program, {"x": value}) == 3


def test_sixty_four_bits():
    """A mask with every bit leads to every branch, more than are noted at a time."""
    builder = with_leaves(66, "x", "y")
    needles = [bytes((97 + at % 26, 97 + at // 26)) for at in range(64)]
    builder.view(ViewKind.AUTOMATON, 0, 0, Reference(automaton(*needles)))
    builder.multi(0, (1 << 64) - 1, [(at, leaf(at) if at > 50 else NONE) for at in range(64)], (64, leaf(64)), view=0)
    program = Program(builder.finish())
    assert answer(program, {"x": " ".join(needle.decode() for needle in needles)}) == 51
    assert answer(program, {"x": needles[63].decode().upper()}) == 63


# --- each thing once --------------------------------------------------------------------------------------------------


def twice(memo: int) -> Program:
    """Return a program that needs the class of x in two blocks, with a look at y in between."""
    builder = blocked(2, memo=memo)
    column = Column(0, (0b10, 0b01), cuts=(3,))
    builder.fork((0, 1), (0, 2))
    builder.block([column, Column(1, (0b00, 0b00), cuts=(2,))], (leaf(0), leaf(1)), NONE)
    builder.block([column], (leaf(0), leaf(1)), NONE)
    return Program(builder.finish())


@pytest.mark.parametrize(("memo", "expected"), [(0, 0), (NO_MEMO, 1)])
@pytest.mark.parametrize("form", ["fc_walk_local", "fc_walk"])
def test_a_view_with_a_memo_word_is_classified_once(memo: int, expected: int, form: str):
    """The class of x is kept: that x itself changes meanwhile, which a host must not do, is only seen without a memo word."""
    program = twice(memo)
    frame = program.frame()
    values = {0: as_value(1), 1: as_value(1)}

    def fetch(_: int, slot: int, out: int) -> None:
        ctypes.memmove(out, ctypes.byref(values[slot]), ctypes.sizeof(FcValue))
        if slot == 1:
            changed = as_value(-1)
            ctypes.memmove(frame.values, ctypes.byref(changed), ctypes.sizeof(FcValue))  # type: ignore[arg-type]

    result = getattr(kernel(), form)(ctypes.byref(program.record), ctypes.byref(frame), FETCH(fetch), None)
    assert result.leaf == expected


def test_a_resumed_walk_keeps_what_it_knows():
    """A forked walk starts anew for each value that it wants, and wants none twice; what has a memo word is not computed again."""
    program = twice(0)
    frame, at, result = program.frame(), ctypes.c_uint32(program.record.entry), FcResult()
    arguments = [ctypes.byref(part) for part in (program.record, at, frame, result)]
    wanted = []
    while (slot := kernel().fc_walk_resume(*arguments)) != NONE:
        wanted.append(slot)
        value = as_value(1)
        ctypes.memmove(frame.values + 32 * slot, ctypes.byref(value), 32)  # type: ignore[operator]
        frame.keep[1][0] |= 1 << slot  # type: ignore[attr-defined]
        if slot == 1:
            changed = as_value(-1)
            ctypes.memmove(frame.values, ctypes.byref(changed), 32)  # type: ignore[arg-type]
    assert wanted == [0, 1]
    assert result.leaf == 0
