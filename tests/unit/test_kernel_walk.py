"""The public walks: every operation's answer to every kind of value, in all forms; linked sets with prerequisites."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from struct import pack
from typing import Any

import pytest

from flagcore.bucketing import choose, position, seed
from flagcore.compiler import layout
from flagcore.compiler.layout import NONE, LinkKind, NodeFlag, Op, ViewKind
from flagcore.compiler.tables import build_table
from flagcore.compiler.value_sets import build_value_set
from tests.support.kernel_library import Linked, NotSoundError, Program
from tests.support.program_builder import (
    Builder,
    Reference,
    address,
    affixes,
    automaton,
    leaf,
    number,
    requiring,
    samples,
    version,
)

FORMS = ("local", "wide", "filled", "resume")
ANY = ["x", "", 5, -1, 2.5, 0.0, True, False, None, [], ["x"], datetime(1970, 1, 1, tzinfo=UTC), b"x", object()]
UNKNOWN = None


def outcome(program: Program, context: Mapping[str, object], now: int = 0) -> tuple[int, int, int]:
    """Return leaf, outcome and variant, which all forms of the walk agree on."""
    results = {form: program.walk(context, now, form) for form in FORMS}
    found = {(result.leaf, result.outcome, result.variant) for result in results.values()}
    assert len(found) == 1, results
    return found.pop()


# --- one operation ----------------------------------------------------------------------------------------------------


class Test:
    """One node whose three exits are three leaves."""

    __test__ = False

    def __init__(self, op: int, *, kind: int = 0, **fields: Any) -> None:
        builder = Builder()
        slot = builder.slot("x", kind=kind)
        for variant in range(3):
            builder.variant_leaf(variant)
        self.sets = {"vip": build_value_set(["x", 5])}
        builder.link(LinkKind.SET, "vip")
        builder.link(LinkKind.SET, "absent")
        exits = (leaf(1), leaf(0), leaf(2))
        text = fields.pop("text", None)
        if text is not None:
            builder.text_node(op, slot, exits, text, **fields)
        else:
            view = fields.pop("view", None)
            if view is not None:
                builder.view(view[0], slot, view[1], view[2])
            builder.node(op, slot, exits, **fields)
        self.program = Program(builder.finish(), self.sets)

    def __call__(self, *value: object, now: int = 0) -> bool | None:
        """Return the truth for a value; for none: missing."""
        found, _, _ = outcome(self.program, {"x": value[0]} if value else {}, now)
        return (False, True, UNKNOWN)[found]


def unknown_for(test: Test, *kinds: type) -> None:
    """Prove the test unknown for a missing attribute and for every value of no kind in ``kinds``."""
    assert test() is UNKNOWN
    for value in ANY:
        if type(value) not in kinds:
            assert test(value) is UNKNOWN, value


def test_has():
    """Present is what is not missing and not null, whatever it is."""
    test = Test(Op.HAS)
    assert test() is test(None) is False
    assert all(test(value) is True for value in ANY if value is not None)


def test_boolean():
    """A boolean is its own answer; 1 and "true" are none."""
    test = Test(Op.BOOLEAN)
    assert (test(True), test(False), test(1), test("true")) == (True, False, UNKNOWN, UNKNOWN)
    unknown_for(test, bool)


@pytest.mark.parametrize(
    "text", ["", "x", "DE", "12345678", "123456789", "exactly sixteen!", "a much longer text than a word, ß"]
)
def test_texts(text: str):
    """A text equals itself, with folding in any ASCII case, and nothing else; other kinds are unknown."""
    test, folded = Test(Op.TEXT, text=text.encode()), Test(Op.TEXT, text=text.encode().lower(), flags=NodeFlag.FOLD)
    assert test(text) is True
    assert folded(text) is folded(text.upper().replace("SS", "ß")) is True
    for other in (text + "x", "x" + text, text[:-1] if text else "y", text[:-1] + "\x00" if text else "z"):
        assert test(other) is folded(other) is False
    unknown_for(test, str)
    unknown_for(folded, str)


@pytest.mark.parametrize("part", ["", "x", "pre", "more than eight bytes"])
def test_prefixes_and_suffixes(part: str):
    """Every text begins and ends with the empty text and with itself."""
    prefix, suffix = Test(Op.PREFIX, text=part.encode()), Test(Op.SUFFIX, text=part.encode())
    folded = Test(Op.SUFFIX, text=part.encode(), flags=NodeFlag.FOLD)
    assert prefix(part) is suffix(part) is prefix(part + "tail") is suffix("head" + part) is True
    assert folded("head" + part.upper()) is True
    if part:
        assert prefix("-" + part) is suffix(part + "-") is prefix(part[:-1]) is suffix(part[1:]) is False
    unknown_for(prefix, str)
    unknown_for(suffix, str)


@pytest.mark.parametrize("flags", range(1, 8))
@pytest.mark.parametrize("constant", [0, -5, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_numbers(flags: int, constant: int):
    """Numbers compare exactly with an integer, by any of the three orders; NaN and huge integers are unknown."""
    test = Test(Op.NUMBER, flags=flags, immediate=constant & (1 << 64) - 1)
    for value in (
        constant,
        constant + 1,
        constant - 1,
        float(constant),
        constant + 0.5,
        0.0,
        -0.0,
        math.inf,
        -math.inf,
        2.0**63,
    ):
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            assert test(value) is UNKNOWN
            continue
        order = (value > constant) - (value < constant)
        assert test(value) is bool(flags >> (order + 1) & 1), value
    assert test(math.nan) is UNKNOWN
    unknown_for(test, int, float)


def test_doubles():
    """Numbers compare exactly with a double."""
    test = Test(Op.NUMBER, flags=NodeFlag.LT | NodeFlag.DOUBLE, immediate=int.from_bytes(pack("<d", 2.5), "little"))
    assert [test(value) for value in (2, 3, 2.5, 2.4999, -(2**63), math.inf)] == [True, False, False, True, True, False]
    assert test(math.nan) is UNKNOWN


def test_membership():
    """In a set: unknown for kinds that do not occur; an absent linked set holds nothing."""
    inline = build_value_set(["DE", "a text longer than an entry", 5, 2.5], ["FoLd"])
    test = Test(Op.IN, pool=Reference(inline))
    for value in ("DE", "a text longer than an entry", 5, 5.0, 2.5, "FOLD", "fold"):
        assert test(value) is True, value
    for value in ("de", "", 6, 2.25, math.inf, "a text longer than an entrx"):
        assert test(value) is False, value
    assert test(True) is test(math.nan) is test() is test(["DE"]) is UNKNOWN
    linked, absent = (Test(Op.IN, flags=NodeFlag.LINK, length=link) for link in (0, 1))
    assert (linked("x"), linked("y"), linked(True)) == (True, False, UNKNOWN)
    assert (absent("x"), absent(5), absent(None), absent([])) == (False, False, UNKNOWN, UNKNOWN)


def test_list_membership():
    """A list contains a member, whatever else it holds; what is no list is unknown."""
    test = Test(Op.CONTAINS, pool=Reference(build_value_set(["DE", 5, True], ["FoLd"])))
    assert test([None, math.nan, ["DE"], object(), "fold"]) is test((5.0,)) is test({True}) is True
    assert test([]) is test([None, math.nan, ["DE"], "x", 2**70]) is False
    unknown_for(test, list)
    absent = Test(Op.CONTAINS, flags=NodeFlag.LINK, length=1)
    assert (absent(["x"]), absent("x")) == (False, UNKNOWN)


def test_versions():
    """Versions compare by precedence; the text of a value is read as the readable parser reads it."""
    test = Test(Op.VERSION, flags=NodeFlag.LT | NodeFlag.EQ, pool=Reference((version(2, 3, 0, "rc.1"),)))
    assert [test(text) for text in ("2.3.0-rc.1", "2.3.0-rc.0", "2.2.9", "v2")] == [True] * 4
    assert [test(text) for text in ("2.3.0", "2.3.0-rc.1.1", "2.3.0-rc.2", "10.0")] == [False] * 4
    assert [test(text) for text in ("", "x", "2.3.0-01", "2026-01-01")] == [UNKNOWN] * 4
    unknown_for(test)


def test_times():
    """Texts and aware datetimes compare by microseconds; `now` is handed in."""
    test, now = (
        Test(Op.TIME, flags=NodeFlag.LT, immediate=1_000_000),
        Test(Op.TIME, kind=1, flags=NodeFlag.LT, immediate=1_000_000),
    )
    assert test("1970-01-01T00:00:00.999999Z") is test(datetime(1970, 1, 1, tzinfo=UTC)) is True
    assert test("1970-01-01T00:00:01Z") is test("1970-01-01T01:00:00Z") is False
    assert test("1970-01-01") is test(datetime(1970, 1, 1)) is UNKNOWN  # noqa: DTZ001
    unknown_for(test, datetime)
    assert now(now=999_999) is True
    assert now("1970-01-01T00:00:00Z", now=1_000_000) is False


def test_addresses():
    """An address is inside one of the ranges, its ends included; no address is unknown."""
    edges = [(4, 10), (4, 20), (4, 30), (4, 30), (6, 1 << 64), (6, 1 << 65)]
    test = Test(Op.ADDRESS, pool=Reference(tuple(address(*edge) for edge in edges)), length=3)
    assert [test(f"0.0.0.{last}") for last in (9, 10, 15, 20, 21, 29, 30, 31)] == [
        False,
        True,
        True,
        True,
        False,
        False,
        True,
        False,
    ]
    assert test("0:0:0:1::") is test("0:0:0:2::") is test("::ffff:0.0.0.30") is True
    assert test("0:0:0:2::1") is test("::1") is test("::") is False
    assert test("0.0.0.010") is test("x") is test("10.0.0.0/8") is UNKNOWN
    unknown_for(test)


def test_patterns():
    """A mask tells which of an automaton's tests is asked for."""
    view = (ViewKind.AUTOMATON, 0, Reference(automaton(b"abc", b"xyz")))
    first, second, both = (Test(Op.MATCH, view=view, immediate=mask, length=0) for mask in (1, 2, 3))
    assert (first("--abc--"), second("--abc--"), both("--abc--")) == (True, False, True)
    assert (first("XYZ"), second("XYZ"), both("XYZ")) == (False, True, True)
    assert both("") is both("ab") is False
    unknown_for(both, str)


def test_gates():
    """A gate asks for the bucket under its salt; what is not bucketable is unknown; 0 is nobody, 1,000,000 everybody."""
    gate, nobody, everybody = (
        Test(Op.GATE, immediate=seed("salt"), pool=threshold, length=layout.NO_MEMO)
        for threshold in (300_000, 0, 1_000_000)
    )
    for value, text in [("u-1", b"u-1"), (42, b"42"), (42.0, b"42"), (b"raw", b"raw"), (2**70, str(2**70).encode())] + [
        (f"user-{at}", f"user-{at}".encode()) for at in range(50)
    ]:
        inside = (position("salt", text) >> 32) * 1_000_000 >> 32 < 300_000
        assert gate(value) is inside
        assert (nobody(value), everybody(value)) == (False, True)
    for value in ("", 1.5, True, None, [], b"", math.nan, object()):
        assert gate(value) is nobody(value) is everybody(value) is UNKNOWN
    bucketable = Test(Op.BUCKETABLE)
    assert [bucketable(value) for value in ("u", 5, 5.0, b"x", 2**70)] == [True] * 5
    assert [bucketable(value) for value in ("", 1.5, True, None, [], b"")] == [False] * 6
    assert bucketable() is False


# --- views ------------------------------------------------------------------------------------------------------------


class Classes:
    """A dense switch with a leaf for each class; with ``memo`` the class is asked for twice."""

    def __init__(
        self, kind: int, classes: int, data: Reference | int = 0, *, memo: bool = False, **fields: Any
    ) -> None:
        builder = Builder(variants=[f"v{at:02d}" for at in range(classes)], memo_count=int(memo))
        slot = builder.slot("x")
        builder.link(LinkKind.SET, "vip")
        for variant in range(classes):
            builder.variant_leaf(variant)
        builder.view(kind, slot, classes, data, memo=0 if memo else layout.NO_MEMO, **fields)
        unused = (leaf(0),) * 3
        everything = Reference(pack("<4I", 1, 1, 1, 1), 4)
        builder.node(Op.SWITCH, slot, unused, pool=everything, length=0)
        leaves = [leaf(at) for at in range(classes)]
        builder.node(
            Op.SWITCH, slot, unused, flags=NodeFlag.DENSE, pool=Reference(pack(f"<{classes}I", *leaves), 4), length=0
        )
        self.program = Program(builder.finish(), {"vip": build_value_set(["x", 5])})

    def __call__(self, *value: object) -> int:
        """Return the class of a value; for none: missing."""
        return outcome(self.program, {"x": value[0]} if value else {})[0]


def test_exits_of_texts():
    """A lookup leads by its table; other texts, other types and missing values have an exit each."""
    keys = [b"DE", b"", *(f"key-{at}".encode() for at in range(50)), b"a key of some length", b"A".ljust(300, b"z")]
    for fold in (False, True):
        builder = Builder(variants=[f"v{at:03d}" for at in range(len(keys) + 3)])
        slot = builder.slot("x")
        for variant in range(len(keys) + 3):
            builder.variant_leaf(variant)
        values = {key: layout.TABLE_LEAF | at + 3 for at, key in enumerate(keys)}
        table, flags = Reference(build_table(values, fold=fold)), layout.NodeFlag.FOLD if fold else 0
        builder.node(Op.LOOKUP, slot, (leaf(1), leaf(2), leaf(0)), flags=flags, pool=table)
        program = Program(builder.finish())
        found = [outcome(program, {"x": key.decode().upper() if fold else key.decode()})[0] for key in keys]
        assert found == list(range(3, len(keys) + 3))
        others = ("de" if not fold else "dé", "DE\0", "key-", "key-50", "a key of some lengths", "A".ljust(300, "y"))
        assert [outcome(program, {"x": text})[0] for text in others] == [2] * 6
        assert [outcome(program, {"x": value})[0] for value in (5, True, 1.5, [], b"DE")] == [1] * 5
        assert [outcome(program, context)[0] for context in ({}, {"x": None})] == [0, 0]


@pytest.mark.parametrize("memo", [False, True])
def test_classes_of_values(memo: bool):
    """Every kind of view gives the classes of kernel.h: 0 missing or null, 1 the wrong type, 2.. values."""
    texts = Classes(ViewKind.TEXT, 5, Reference(build_table({b"DE": 3, b"AT": 4})), count=2, memo=memo)
    assert [texts(value) for value in (None, 5, "x", "DE", "AT", "de")] == [0, 1, 2, 3, 4, 2]
    many = {f"a key of some length {at}".encode(): 3 + at for at in range(20)}
    folded = Classes(ViewKind.TEXT, 23, Reference(build_table(many, fold=True)), count=20, flags=1, memo=memo)
    assert [folded(key.decode().upper()) for key in many] == list(range(3, 23))
    assert folded("a key of some length 20") == 2
    numbers = Classes(ViewKind.NUMBER, 9, Reference((number(1), number(2.5), number(7))), count=3, memo=memo)
    assert [numbers(value) for value in (0, 1.0, 2, 2.5, 3, 7, 8)] == list(range(2, 9))
    assert numbers(math.nan) == numbers("1") == numbers(True) == 1
    versions = Classes(ViewKind.VERSION, 7, Reference((version(1, 0, 0, "a"), version(1, 0, 0))), count=2, memo=memo)
    assert [versions(text) for text in ("0.9", "1.0.0-a", "1.0.0-a.1", "1.0", "1.0.1")] == [2, 3, 4, 5, 6]
    assert versions("x") == versions(1) == 1
    times = Classes(ViewKind.TIME, 5, Reference(pack("<q", 0)), count=1, memo=memo)
    assert [
        times(text) for text in ("1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.1Z", "x")
    ] == [2, 3, 4, 1]
    boolean, presence = Classes(ViewKind.BOOLEAN, 4, memo=memo), Classes(ViewKind.PRESENCE, 3, memo=memo)
    assert [boolean(value) for value in (None, 1, False, True)] == [0, 1, 2, 3]
    assert [presence(value) for value in (None, 1, False, object())] == [0, 2, 2, 2]
    vip = Classes(ViewKind.SET, 4, link=0, memo=memo)
    assert [vip(value) for value in (None, True, "y", "x", 5)] == [0, 1, 2, 3, 3]
    assert all(view() == 0 for view in (texts, folded, numbers, versions, times, boolean, presence, vip))


def test_classes_of_long_affixes():
    """Patterns and texts that share any number of bytes, zeros among them, around the eight that are compared at once."""
    source, letters = Random(5), (b"\x00", b"A", b"a", b"z")
    stems = [b"".join(source.choices(letters, k=source.randrange(22))) for _ in range(8)]
    ends = [b"".join(source.choices(letters, k=source.randrange(10))) for _ in range(40)]
    patterns = sorted({source.choice(stems) + end for end in ends} - {b""})
    classes, count = 3 + len(patterns), len(patterns)
    prefixes, suffixes = (
        Classes(kind, classes, Reference(affixes(*patterns)), count=count)
        for kind in (ViewKind.PREFIX, ViewKind.SUFFIX)
    )
    for _ in range(1500):
        text = source.choice([*stems, *patterns]) + source.choice(ends)[: source.randrange(10)]
        fitting = [at for at, pattern in enumerate(patterns) if text.startswith(pattern)]
        wanted = 3 + max(fitting, key=lambda at: len(patterns[at])) if fitting else 2
        assert prefixes(text.decode()) == wanted, text
        assert suffixes(text[::-1].decode()) == wanted, text


def test_classes_of_addresses():
    """The class of an address is 2 and the number of cuts at or below it."""
    cuts = tuple(address(*edge) for edge in ((4, 10), (4, 20), (6, 0), (6, 1 << 64), (7, 0)))
    view = Classes(ViewKind.ADDRESS, 8, Reference(cuts), count=5)
    texts = ("0.0.0.9", "0.0.0.10", "0.0.0.19", "255.255.255.255", "::", "0:0:0:1::", "ffff::", "::ffff:0.0.0.10", "x")
    assert [view(text) for text in texts] == [2, 3, 3, 4, 5, 6, 6, 3, 1]


@pytest.mark.parametrize("fold", [0, 1])
def test_classes_of_affixes(fold: int):
    """The class of a text is that of the longest pattern that begins it, or, read backwards, ends it."""
    patterns = (b"a", b"ab", b"abcd", b"abcf", b"ac", b"b", b"ba")
    prefixes = Classes(ViewKind.PREFIX, 10, Reference(affixes(*patterns)), count=7, flags=fold)
    suffixes = Classes(ViewKind.SUFFIX, 10, Reference(affixes(*patterns)), count=7, flags=fold)
    for text in (
        "",
        "a",
        "ab",
        "abc",
        "abcd",
        "abcde",
        "abce",
        "abcf",
        "abz",
        "aa",
        "ac",
        "az",
        "b",
        "ba",
        "bb",
        "c",
        "ä",
        "\x00",
    ):
        fitting = [at for at, pattern in enumerate(patterns) if text.encode().startswith(pattern)]
        wanted = 3 + max(fitting, key=lambda at: len(patterns[at])) if fitting else 2
        assert prefixes(text) == wanted, text
        if text != "ä":
            assert suffixes(text[::-1]) == wanted, text
        if fold:
            assert prefixes(text.upper()) == wanted or not text.isascii()
    assert prefixes(5) == suffixes([]) == 1


def test_tests_of_classes():
    """A class test is true inside any of its intervals and false between them."""
    for intervals in ((), (2, 3), (0, 1, 3, 5), (0, 9), (2, 3, 4, 5, 6, 7)):
        view = (ViewKind.NUMBER, 9, Reference((number(1), number(2), number(3))))
        builder = Builder()
        slot = builder.slot("x")
        builder.variant_leaf(0)
        builder.variant_leaf(1)
        builder.view(view[0], slot, 9, view[2], count=3)
        packed = Reference(pack(f"<{1 + len(intervals)}I", len(intervals) // 2, *intervals), 4)
        builder.node(Op.CLASS, slot, (leaf(1), leaf(0), leaf(0)), pool=packed, length=0)
        program = Program(builder.finish())
        values = [None, "x", 0, 1, 1.5, 2, 2.5, 3, 4]
        for number_of, value in enumerate(values):
            inside = any(low <= number_of < high for low, high in zip(intervals[::2], intervals[1::2], strict=True))
            assert outcome(program, {"x": value})[0] == int(inside)


# --- leaves -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [{"off": 3, "on": 1}, {"a": 1, "b": 2, "c": 3}, {"a": 1, "off": 2, "on": 3}])
@pytest.mark.parametrize("base", ["split", "percent"])
def test_splits(weights: dict[str, int], base: str):
    """A split's outcomes are its contestants in order, then "not bucketable", which has no variant."""
    builder = Builder(variants=sorted({"z", *weights}))
    slot = builder.slot("x")
    builder.variant_leaf(0)
    flags = (2 if set(weights) == {"on", "off"} else 0) | (1 if base == "percent" else 0)
    builder.split_leaf(weights, slot, salt="salt", flags=flags)
    builder.entry = leaf(1)
    program = Program(builder.finish())
    for at in range(200):
        winner = choose(position("salt", b"%d" % at), weights, base)
        place = sorted(weights).index(winner)
        assert outcome(program, {"x": at}) == (1, 1 + place, builder.variants.index(winner))
    for value in ("", True, None, 1.5):
        assert outcome(program, {"x": value}) == (1, 1 + len(weights), NONE)


def test_gates_and_splits_share_a_hash():
    """With a memo word the hash is computed once for gate and split; the answers are those without it."""
    programs = []
    for memo in (0, layout.NO_MEMO):
        builder = Builder(memo_count=1 if memo == 0 else 0)
        slot = builder.slot("x")
        builder.caller_leaf()
        builder.split_leaf({"a": 1, "b": 1}, slot, memo=memo)
        builder.node(Op.GATE, slot, (leaf(1), 1, leaf(0)), immediate=seed("salt"), pool=200_000, length=memo)
        builder.node(Op.GATE, slot, (leaf(0), leaf(1), leaf(0)), immediate=seed("salt"), pool=600_000, length=memo)
        programs.append(Program(builder.finish()))
    answers = {outcome(programs[0], {"x": at}) for at in range(100)}
    assert len(answers) == 3
    for value in [*range(100), "", None, True]:
        assert outcome(programs[0], {"x": value}) == outcome(programs[1], {"x": value})


# --- linked sets ------------------------------------------------------------------------------------------------------


def test_prerequisites():
    """A prerequisite is met when that flag yields a named variant; an absent one and a caller's default value never are."""
    linked = Linked(
        [
            requiring("base"),
            requiring("top", "middle", "base"),
            requiring("middle", "base"),
            requiring("lost", "absent"),
        ]
    )
    assert linked.walk("top", {}).variant == linked.walk("base", {}).variant == 1
    assert linked.walk("lost", {}).variant == NONE
    refused = Linked([requiring("base"), requiring("middle", "base", met="off"), requiring("top", "base", "middle")])
    assert [refused.walk(key, {}).variant for key in ("base", "middle", "top")] == [1, NONE, NONE]


def test_chains_of_prerequisites():
    """Sixty-four prerequisites in a row are walked; sixty-five are refused when linking, in whatever order they come."""
    chain = [requiring("f0"), *(requiring(f"f{at}", f"f{at - 1}") for at in range(1, 66))]
    for programs in (chain[:65], chain[64::-1]):
        assert Linked(programs).walk("f64", {}).variant == 1
    for programs in (chain, chain[::-1], [*chain[:30], *chain[:29:-1]]):
        with pytest.raises(NotSoundError, match="too long"):
            Linked(programs)


def test_cycles_are_refused():
    """Programs that require each other, or themselves, are not linked."""
    for programs in (
        [requiring("a", "a")],
        [requiring("a", "b"), requiring("b", "a")],
        [requiring("z"), requiring("a", "z", "b"), requiring("b", "c"), requiring("c", "z", "a")],
    ):
        with pytest.raises(NotSoundError, match="cycle"):
            Linked(programs)


def test_many_paths_to_one_prerequisite():
    """Each flag of a lattice requires both of the level below: every one is walked once, not once a path."""
    pairs = [(f"l{level}{side}", f"l{level - 1}a", f"l{level - 1}b") for level in range(1, 60) for side in "ab"]
    linked = Linked([requiring("l0a"), requiring("l0b"), *(requiring(*names) for names in pairs)])
    assert linked.walk("l59a", {}).variant == 1
    assert {result.variant for result in linked.walk_all({})} == {1}


def test_names_are_unique():
    """Two programs, or two sets, of one name are refused."""
    with pytest.raises(NotSoundError, match="one name"):
        Linked([requiring("a"), requiring("b"), requiring("a")])


def test_slots_are_unified_by_their_names():
    """One attribute of many programs has one slot; the same flat key parted otherwise is another one; `now` is slot 0."""
    programs = []
    for key, path in (("a", ("user", "id")), ("b", ("user.id",)), ("c", ("user", "id")), ("d", ("country",))):
        builder = Builder(key)
        slot, _ = builder.slot(*path), builder.slot("now", kind=1)
        builder.variant_leaf(0)
        builder.node(Op.HAS, slot, (leaf(0),) * 3)
        programs.append(builder.finish())
    assert Linked(programs).slot_names() == [("user.id", 0, (4, 2)), ("user.id", 0, (7,)), ("country", 0, (7,))]


def test_find():
    """Flags are found by key among many; other keys are not."""
    keys = [f"flag-{at}" for at in range(500)]
    linked = Linked([requiring(key) for key in keys])
    assert linked.count == 500
    assert len({linked.find(key) for key in keys}) == 500
    assert linked.find("flag-500") is linked.find("") is None
    assert Linked([]).find("x") is None


def test_walk_all_agrees_with_single_walks():
    """Walking everything for one frame gives what each flag gives by itself."""
    programs = list(samples().values())
    for context in ({}, {"country": "DE", "targetingKey": "u-1"}, {"country": "key-7", "user.id": 5}):
        linked = Linked(programs, {"segment:vip": build_value_set(["DE"])})
        together = linked.walk_all(context, now=5)
        for key, result in zip(samples(), together, strict=True):
            alone = linked.walk(key, context, now=5)
            assert (alone.leaf, alone.outcome, alone.variant) == (result.leaf, result.outcome, result.variant)
