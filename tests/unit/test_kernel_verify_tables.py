"""What fc_verify proves of text tables, value sets, automata and the constants of views, put together byte by byte.

Each damaged object is wrong in one way only, so that no other check refuses it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import count
from struct import pack

import pytest

from flagcore.bucketing import variant_identity
from flagcore.compiler import layout
from flagcore.compiler.hashing import hash_keys
from flagcore.compiler.layout import NO_MEMO, NONE, LinkKind, NodeFlag, Op, ProgramFlag, ViewKind
from flagcore.compiler.tables import build_table
from flagcore.compiler.value_sets import build_value_set
from tests.support.kernel_library import status_text, verify_set
from tests.support.program_builder import Builder, Record, Reference, Text, affixes, leaf, version
from tests.support.refusals import patched, reason, tabled, viewed

TABLE, SET, AUTOMATON, CONSTANT, COSTLY = "a text table", "a value set", "an automaton", "a constant", "tables are"
LINEAR = 2  # FC_TABLE_LINEAR
HEAD, SET_HEAD = 32, 48  # bytes before a table's entries, and before what a set holds


def started(**fields: int) -> Builder:
    """Return a builder with an attribute and a leaf."""
    builder = Builder(**fields)  # type: ignore[arg-type]
    builder.slot("x")
    builder.variant_leaf(0)
    return builder


# --- text tables ------------------------------------------------------------------------------------------------------


def home(key: bytes, capacity: int) -> int:
    """Return where a probe for the key begins."""
    return ((hash_keys([key])[0] >> 32) * capacity) >> 32


def keys_at(place: int, capacity: int, size: int = 6) -> list[bytes]:
    """Return four keys of so many bytes whose probes begin at the same entry."""
    found: list[bytes] = []
    for at in count():
        key = b"%0*d" % (size, at)
        if home(key, capacity) == place:
            found.append(key)
        if len(found) == 4:
            return found
    raise AssertionError


def inline(key: bytes, kind: int | None = None) -> bytes:
    """Return the entry of a key of up to 12 bytes, with value 3."""
    return pack("<I12s", 3 << 8 | (1 + len(key) if kind is None else kind), key)


def apart(key: bytes, offset: int) -> bytes:
    """Return the entry of a key that stands at an offset of the table, with value 3."""
    return pack("<4I", 3 << 8 | 255, offset, len(key), hash_keys([key])[0] >> 24 & NONE)


EMPTY = bytes(16)


def table(entries: Sequence[bytes], tail: bytes = b"", keys: int | None = None, **header: int) -> bytes:
    """Return a table of these entries, followed by ``tail``; ``header`` replaces fields of FcTable."""
    used = sum(entry != EMPTY for entry in entries) if keys is None else keys
    size = HEAD + 16 * len(entries) + len(tail)
    fields = {"size": size, "count": used, "capacity": len(entries), "flags": 0, "least": 0, "most": 99} | header
    return pack("<8I", *fields.values(), 0, 0) + b"".join(entries) + tail


def hashed(key: bytes, entry: bytes, tail: bytes = b"") -> bytes:
    """Return a table of two entries, one of them this key's, where a probe begins."""
    return table([entry, EMPTY] if home(key, 2) == 0 else [EMPTY, entry], tail)


@pytest.mark.parametrize("size", [0, 1, 8, 11, 12, 13, 40])
def test_keys_of_every_length(size: int):
    """Keys of up to 12 bytes stand in their entries, longer ones behind them, at any byte."""
    key = b"k" * size
    entry, tail = (inline(key), b"") if size <= 12 else (apart(key, HEAD + 33), b"-" + key)
    assert tabled(hashed(key, entry, tail), 4) == "sound"
    if size <= 12:
        assert tabled(table([entry], flags=LINEAR, most=12), 4) == "sound"
    if size > 1:
        many = build_table({b"%0*d" % (size, at): 3 for at in range(20)})
        assert tabled(many, 4) == "sound"


def test_short_keys_stand_in_their_entries():
    """A key of 12 bytes behind the entries, or of 13 inside one, is refused though a probe would find it."""
    short, long = b"k" * 12, b"k" * 12 + b"\0"
    assert tabled(hashed(short, apart(short, HEAD + 32), short), 4).startswith(TABLE)
    place = home(long, 2)
    entries = [inline(short, 14), EMPTY] if place == 0 else [EMPTY, inline(short, 14)]
    assert tabled(table(entries, tail=bytes(8)), 4).startswith(TABLE)
    assert tabled(table([inline(b"", 14)], flags=LINEAR, most=12), 4).startswith(TABLE)


def test_an_entry_without_a_key():
    """A value without a key is no entry: its length would wrap around."""
    nothing = pack("<I12s", 3 << 8, b"")
    assert tabled(table([nothing, EMPTY], most=NONE), 4).startswith(TABLE)
    assert tabled(table([nothing], flags=LINEAR, most=12), 4).startswith(TABLE)


def test_long_keys_stand_inside_the_table():
    """A long key behind the table's last byte is refused, though the program holds it."""
    key = b"a key of many bytes"
    inside = hashed(key, apart(key, HEAD + 32), key)
    assert tabled(inside, 4) == "sound"
    for size in (HEAD + 32, len(inside) - 1):
        assert tabled(patched(inside, 0, pack("<I", size)), 4).startswith(TABLE)


def test_a_probe_reaches_each_key():
    """An entry stands at its home or behind a run of others that begins there: not one place further."""
    first, second, third, _ = keys_at(0, 4)
    assert tabled(table([inline(first), inline(second), inline(third), EMPTY]), 4) == "sound"
    assert tabled(table([EMPTY, inline(first), EMPTY, EMPTY]), 4).startswith(TABLE)
    (last, *_) = keys_at(3, 4)
    assert tabled(table([inline(last), EMPTY, EMPTY, EMPTY]), 4).startswith(TABLE)
    assert tabled(table([inline(first), inline(last), EMPTY, EMPTY]), 4).startswith(TABLE)
    wrapped = [inline(keys_at(3, 4)[1]), inline(second), EMPTY, inline(last)]
    assert tabled(table(wrapped), 4) == "sound"


def test_numbers_of_keys():
    """As many entries are taken as the table says, at least a quarter and one are not, and in a row all of them are."""
    assert tabled(table([], flags=LINEAR, least=5, most=4), 4).startswith(TABLE)
    first, second, third, fourth = map(inline, keys_at(0, 4))
    assert tabled(table([first, second, third, EMPTY], keys=2), 4).startswith(TABLE)
    assert tabled(table([first, second, third, fourth], keys=3), 4).startswith(TABLE)
    assert tabled(table([first, second, third, fourth]), 4).startswith(TABLE)
    five = [*map(inline, keys_at(0, 5)), EMPTY]
    assert tabled(table(five), 4).startswith(TABLE)
    assert tabled(table([]), 4).startswith(TABLE)
    assert tabled(table([], flags=LINEAR, most=12), 4) == "sound"
    row = [inline(b"a"), inline(b"b")]
    assert tabled(table(row, flags=LINEAR, most=12), 4) == "sound"
    assert tabled(table(row, keys=1, flags=LINEAR, most=12), 4).startswith(TABLE)
    assert tabled(table(row, flags=LINEAR, most=13), 4).startswith(TABLE)


def test_a_long_key_that_many_entries_share():
    """Entries that all name one key of ten thousand bytes are not hashed one by one."""
    key, capacity = b"k" * 10_000, 1500
    place = home(key, capacity)
    entries = [EMPTY] * capacity
    for at in range(1000):
        entries[(place + at) % capacity] = apart(key, HEAD + 16 * capacity)
    assert tabled(table(entries, key, most=len(key)), 4).startswith(COSTLY)


# --- value sets -------------------------------------------------------------------------------------------------------


def inlined(content: bytes) -> str:
    """Return what is wrong with a program of one node that looks into this set, with more of the program behind it."""
    builder = started()
    builder.node(Op.IN, 0, (leaf(0),) * 3, pool=Reference(content))
    return reason(builder.finish())


def value_set(tail: bytes, **fields: int) -> bytes:
    """Return a set whose fields are zero but for these, followed by ``tail``."""
    names = "kinds table folded integers integer_count doubles double_count booleans reserved".split()
    numbers = (fields.get(name, 0) for name in names)
    size = fields.get("size", SET_HEAD + len(tail))
    return pack("<4sHH10I", b"FCST", layout.FORMAT, layout.FORMAT, size, *numbers) + tail


def test_numbers_of_sets_strictly_ascend():
    """Integers and doubles strictly ascend from the first pair to the last."""
    for kind, place, wrong in [
        ("q", "integer", [(2, 1), (1, 1), (1, 2, 2), (1, 3, 2)]),
        ("d", "double", [(1.5, 0.5), (0.5, 0.5), (0.5, 1.5, 1.5)]),
    ]:
        for numbers, text in [(sorted({*each}), "sound") for each in wrong] + [(each, SET) for each in wrong]:
            fields = {"kinds": 2, f"{place}s": 48, f"{place}_count": len(numbers)}
            content = value_set(pack(f"<{len(numbers)}{kind}", *numbers), **fields)
            assert status_text(verify_set(content)).startswith(text), numbers


def test_numbers_of_sets_stand_inside():
    """Numbers that go on behind the set's end, in the same program and in order, are refused; what follows is not looked at."""
    for kind, place, numbers in [
        ("q", "integers", tuple(range(9))),
        ("d", "doubles", tuple(0.5 + at for at in range(9))),
    ]:
        tail = pack(f"<9{kind}", *numbers)
        fields = {"kinds": 2, place: 48, place.replace("s", "_count"): 9}
        assert inlined(value_set(tail, **fields)) == "sound"
        assert inlined(value_set(tail, **fields, size=48 + 64)).startswith(SET)
        eight = {**fields, place.replace("s", "_count"): 8}
        assert inlined(value_set(patched(tail, 64, bytes(8)), **eight, size=48 + 64)) == "sound"


def test_kinds_of_sets():
    """Each kind is one that occurs: texts that ignore case alone, doubles alone, both booleans."""
    folded = build_table([b"abc"], fold=True)
    assert status_text(verify_set(value_set(folded, kinds=1, folded=48))) == "sound"
    assert status_text(verify_set(value_set(pack("<d", 0.5), kinds=2, doubles=48, double_count=1))) == "sound"
    for booleans, text in [(1, "sound"), (2, "sound"), (3, "sound"), (4, SET), (5, SET)]:
        assert status_text(verify_set(value_set(b"", kinds=4, booleans=booleans))).startswith(text)


def test_texts_of_sets_have_no_values():
    """A set's table leads its texts nowhere."""
    for content, text in [(build_table([b"a"]), "sound"), (build_table({b"a": 1}), TABLE)]:
        assert status_text(verify_set(value_set(content, kinds=1, table=48))).startswith(text)


def test_sets_inside_programs():
    """A set inside a program is at least a header long, stands at a multiple of eight, and may end with the program."""
    assert inlined(value_set(b"")) == "sound"
    assert inlined(value_set(b"", size=40)).startswith("the size")
    builder = started()
    builder.node(Op.IN, 0, (leaf(0),) * 3)
    program, content = builder.finish(), build_value_set(["a", 1, 0.5])
    whole = patched(program + content, 8, pack("<I", len(program) + len(content)))
    pool = layout.HEADER_SIZE + 24
    assert reason(patched(whole, pool, pack("<I", len(program)))) == "sound"
    for place in (len(program) + 4, len(whole) - 40, len(whole), NONE - 7):
        assert reason(patched(whole, pool, pack("<I", place))).startswith(SET)


# --- automata ---------------------------------------------------------------------------------------------------------


def automaton(
    states: int = 1,
    classes: int = 2,
    *,
    masks_of: Sequence[int] = (),
    moves: Sequence[int] | None = None,
    byte_classes: bytes = bytes(256),
    gap: bytes = b"",
    **header: int,
) -> bytes:
    """Return an automaton that stays where it is, unless told other; ``header`` replaces fields of FcAutomaton."""
    masks = masks_of or [0] * states
    packed = pack(f"<{states * classes}H", *(moves or [0] * (states * classes)))
    transitions = 40 + len(byte_classes + gap)
    packed += bytes(-(transitions + len(packed)) % 8)
    fields = {"size": 0, "states": states, "classes": classes, "start": 0, "transitions": transitions}
    fields |= {"masks": transitions + len(packed), "all": 0}
    for mask in masks:
        fields["all"] |= mask
    fields["size"] = fields["masks"] + 8 * len(masks)
    body = byte_classes + gap + packed + pack(f"<{len(masks)}Q", *masks)
    return pack("<6I2Q", *(fields | header).values(), 0) + body


def looked(content: bytes | int) -> str:
    """Return what is wrong with a view that runs this automaton."""
    return viewed(ViewKind.AUTOMATON, 0, content if isinstance(content, int) else Reference(content))


def test_sizes_of_automata():
    """There are 1 to 65,535 states and 2 to 257 classes, and the start is a state."""
    assert looked(automaton()) == looked(automaton(65535)) == looked(automaton(2, 257)) == "sound"
    assert looked(automaton(3, start=2)) == "sound"
    for damaged in [
        automaton(65536),
        automaton(1, 1),
        automaton(1, 258),
        automaton(3, start=3),
        patched(automaton(), 4, bytes(4)),
    ]:
        assert looked(damaged).startswith(AUTOMATON)


def test_parts_of_automata_stand_inside():
    """Byte classes, transitions and masks that go on behind the automaton's end are refused; one may end with the program."""
    over_header = {"transitions": 40, "masks": 40}
    for size, text in [(296, "sound"), (295, AUTOMATON), (48, AUTOMATON)]:
        assert looked(automaton(size=size, **over_header)).startswith(text)
    whole = automaton(8, 2)
    for part, each in (("transitions", 2), ("masks", 8)):
        room = 8 * each * (2 if part == "transitions" else 1)
        assert looked(automaton(8, 2, **{part: len(whole) - room})) == "sound"
        for missing in (max(2, each), 8):
            assert looked(automaton(8, 2, **{part: len(whole) - room + missing})).startswith(AUTOMATON)
    for place in (NONE - 7, 4, 1 << 20):
        assert looked(place).startswith(AUTOMATON)
    builder = started()
    builder.view(ViewKind.AUTOMATON, 0, 0)
    program = builder.finish()
    (views,) = struct.unpack_from("<I", program, 44)
    ended = patched(program + whole, 8, pack("<I", len(program) + len(whole)))
    assert reason(patched(ended, views + 8, pack("<I", len(program)))) == "sound"


def test_the_last_byte_has_a_class_and_what_follows_is_none():
    """All 256 byte classes are proved, and none of the bytes behind them."""
    last = bytes(255) + b"\1"
    assert looked(automaton(byte_classes=last)).startswith(AUTOMATON)
    assert looked(automaton(1, 3, byte_classes=last)) == "sound"
    assert looked(automaton(gap=b"\xff" * 8)) == "sound"


def test_transitions_lead_to_states():
    """Every transition leads to a state, the last as the first behind the dead state's; what follows is not one."""
    assert looked(automaton(2, 2, moves=[0, 0, 1, 1], masks_of=[0, 6])) == "sound"
    for moves in ([0, 0, 2, 1], [0, 0, 1, 2], [1, 0, 1, 1], [0, 1, 1, 1]):
        assert looked(automaton(2, 2, moves=moves)).startswith(AUTOMATON)
    aligned = automaton(3, 3, moves=[0] * 9, masks_of=[0, 0, 0])
    place = 40 + 256 + 18
    assert looked(patched(aligned, place, pack("<H", NONE & 0xFFFF))) == "sound"


def test_the_union_of_masks():
    """``all`` is the union of the masks, and the dead state has none."""
    assert looked(automaton(2, masks_of=[0, 4])) == "sound"
    for damaged in (
        automaton(2, masks_of=[0, 4], all=5),
        automaton(2, masks_of=[0, 4], all=0),
        automaton(2, masks_of=[4, 4]),
    ):
        assert looked(damaged).startswith(AUTOMATON)


# --- constants of views and versions ----------------------------------------------------------------------------------


def test_a_view_names_a_set_that_there_is():
    """What stands behind the last link is no link, whatever it looks like."""
    builder = Builder()
    builder.slot("\1\0\0\0 the first text of the pool")
    builder.variant_leaf(0)
    builder.view(ViewKind.SET, 0, 4, link=0)
    program = builder.finish()
    links, number_of_links = struct.unpack_from("<2I", program, 68)
    assert (program[links], number_of_links) == (LinkKind.SET, 0)
    assert reason(program).startswith("a link")


def test_versions_stand_inside():
    """A version that is not aligned or goes beyond the end, or whose identifiers do, is refused."""

    def pooled(pool: Reference | int) -> str:
        builder = started()
        builder.node(Op.VERSION, 0, (leaf(0),) * 3, flags=NodeFlag.LT, pool=pool)
        return reason(builder.finish())

    for pool in (NONE - 7, 4, 1 << 20):
        assert pooled(pool).startswith(CONSTANT)
    for offset, length in ((NONE, 1), (112, NONE)):
        damaged = Record(struct.Struct("<3Q2IQ"), (1, 2, 3, offset, length, 1 << 43 | 2 << 22 | 3 << 1))
        assert pooled(Reference((damaged,))).startswith(CONSTANT)


def test_every_version_of_a_view_is_proved():
    """The packed form of the first version counts as that of the last."""
    good, bad = version(1, 0, 0), Record(layout.VERSION, (2, 0, 0, Text(b""), 0))
    worse = Record(layout.VERSION, (0, 9, 9, Text(b""), 1))
    for records in ((good, bad), (worse, good), (bad,)):
        data = Reference(records)
        assert viewed(ViewKind.VERSION, 3 + 2 * len(records), data, count=len(records)).startswith(CONSTANT)


def test_times_of_views_stand_inside():
    """Times that go on behind the program's end are refused."""
    builder = started()
    builder.view(ViewKind.TIME, 0, 3 + 16, count=8)
    program = builder.finish()
    (views,) = struct.unpack_from("<I", program, 44)
    program = patched(program, views + 8, pack("<I", len(program)))
    for times, text in ((8, "sound"), (7, CONSTANT)):
        whole = program + pack(f"<{times}q", *range(times))
        assert reason(patched(whole, 8, pack("<I", len(whole)))).startswith(text)


def test_cut_points_are_addresses_or_the_end():
    """The one cut above every address is (7, 0, 0); a family is 4 or 6, and IPv4 has no high half."""

    def cut(family: int, high: int, low: int) -> str:
        return viewed(ViewKind.ADDRESS, 4, Reference((Record(layout.ADDRESS, (high, low, family, 0)),)), count=1)

    assert cut(7, 0, 0) == cut(4, 0, 5) == cut(6, 5, 5) == "sound"
    for wrong in ((7, 1, 0), (7, 0, 1), (5, 0, 0), (0, 0, 0), (8, 0, 0), (4, 1, 0), (4, 1, 5)):
        assert cut(*wrong).startswith(CONSTANT), wrong


def patterns(pool: bytes, *spans: tuple[int, int, int], flags: int = 0) -> str:
    """Return what is wrong with a prefix view whose texts are spans of these bytes: offset, length, parent."""
    builder = started()
    builder.view(
        ViewKind.PREFIX, 0, 3 + len(spans), Reference(bytes(16 * len(spans)) + pool), count=len(spans), flags=flags
    )
    program = builder.finish()
    (views,) = struct.unpack_from("<I", program, 44)
    (data,) = struct.unpack_from("<I", program, views + 8)
    texts = data + 16 * len(spans)
    records = b"".join(pack("<4I", texts + at, length, parent, 0) for at, length, parent in spans)
    return reason(patched(program, data, records))


def test_patterns_that_share_their_bytes():
    """Order and parents are those of the texts alone, wherever they stand and whatever follows them."""
    assert patterns(b"abc", (0, 1, NONE), (0, 2, 0), (0, 3, 1)) == "sound"
    assert patterns(b"abc", (0, 2, NONE), (0, 1, 0)).startswith(CONSTANT)
    assert patterns(b"abc", (0, 2, NONE), (0, 2, 0)).startswith(CONSTANT)
    assert patterns(b"azab", (0, 1, NONE), (2, 2, 0)) == "sound"
    assert patterns(b"ab", (0, 1, NONE), (1, 1, NONE)) == "sound"


def test_texts_of_patterns():
    """A pattern stands inside the program; capital letters are refused only where case is ignored."""
    for offset, length in ((1 << 20, 1), (0, NONE), (1 << 31, 1)):
        assert patterns(b"abc", (offset, length, NONE)).startswith(CONSTANT)
    for flags, text in ((0, "sound"), (1, CONSTANT)):
        assert viewed(ViewKind.PREFIX, 4, Reference(affixes(b"aB")), count=1, flags=flags).startswith(text)


def test_fields_of_views_that_nobody_reads():
    """What is kept for later formats is zero."""
    for pad, reserved, text in ((0, 0, "sound"), (1, 0, "a view"), (0, 1, "a view"), (0, 1 << 63, "a view")):
        builder = started()
        builder.views.append(Record(layout.VIEW, (ViewKind.PRESENCE, 0, 0, 3, 0, 0, NONE, NO_MEMO, pad, reserved)))
        assert reason(builder.finish()).startswith(text)


# --- cost -------------------------------------------------------------------------------------------------------------


def copied(builder: Builder, part: str, field: int, times: int) -> str:
    """Return what is wrong with a program whose last node, view or variant stands there many times; once it is sound.

    ``field`` is that of its offset, which is moved with what the copies take.
    """
    sound = builder.finish()
    assert reason(sound) == "sound"
    records = getattr(builder, part)
    kept = records[-1]
    at = {"nodes": layout.HEADER_SIZE, "views": struct.unpack_from("<I", sound, 44)[0]}[part]
    place = kept.layout.unpack_from(sound, at + kept.layout.size * (len(records) - 1))[field]
    moved = (*kept.fields[:field], place + kept.layout.size * times, *kept.fields[field + 1 :])
    records += [Record(kept.layout, moved)] * times
    builder.bounds = [*(builder.bounds or ())] * (times + 1) or None
    return reason(builder.finish())


def test_sets_that_nodes_share():
    """The table of a set inside the program, which thousands of nodes ask, is not proved thousands of times, however empty."""
    full = build_value_set([f"key {at}" for at in range(5000)])
    key, capacity = b"abcdef", 20_000
    entries = [EMPTY] * capacity
    entries[home(key, capacity)] = pack("<I12s", 1 + len(key), key)
    for content in (full, value_set(table(entries), kinds=1, table=SET_HEAD)):
        builder = started()
        builder.node(Op.IN, 0, (leaf(0),) * 3, pool=Reference(content))
        assert copied(builder, "nodes", 7, 4000).startswith(COSTLY)


def test_constants_that_views_share():
    """Numbers and automata that thousands of views share are not proved thousands of times."""
    for kind, content, size in [
        (ViewKind.TIME, pack("<5000q", *range(5000)), 5000),
        (ViewKind.AUTOMATON, automaton(8000, 2), 0),
    ]:
        builder = started()
        builder.view(kind, 0, 3 + 2 * size if size else 0, Reference(content), count=size)
        assert copied(builder, "views", 4, 20_000).startswith(COSTLY)


def test_identifiers_that_versions_share():
    """Pre-release identifiers of fifty thousand bytes that two hundred versions share are not read for each."""
    count, size = 200, 50_000
    builder = started()
    builder.view(ViewKind.VERSION, 0, 3 + 2 * count, Reference(bytes(40 * count) + b"a" * size), count=count)
    program = builder.finish()
    (views,) = struct.unpack_from("<I", program, 44)
    (data,) = struct.unpack_from("<I", program, views + 8)
    for length, text in ((1, "sound"), (size, COSTLY)):
        records = [pack("<3Q2IQ", at, 0, 0, data + 40 * count, length, at << 43) for at in range(count)]
        assert reason(patched(program, data, b"".join(records))).startswith(text)


def test_bytes_that_patterns_share():
    """Three thousand patterns, each a byte longer than the one before in the same bytes, are not compared in full."""
    spans = [(0, size, size - 2 if size > 1 else NONE) for size in range(1, 3001)]
    assert patterns(b"a" * 3000, *spans[:100]) == "sound"
    assert patterns(b"a" * 3000, *spans).startswith(COSTLY)


def test_names_that_variants_share():
    """A name of fifty thousand bytes that a thousand variants share is not hashed for each."""
    size, count = 50_000, 1000
    builder = started()
    builder.variants = ["v" * size, *["x"] * count]
    program = builder.finish()
    assert reason(program) == "sound"
    (variants,) = struct.unpack_from("<I", program, 52)
    name, identity = program[variants : variants + 8], pack("<Q", variant_identity("v" * size))
    for at in range(1, count + 1):
        place = variants + 32 * at
        program = patched(patched(program, place, name), place + 24, identity)
    assert reason(program).startswith(COSTLY)


def test_columns_that_blocks_share():
    """Neither the columns that blocks share, nor the bytes of a map that columns share, are read for each."""
    one = Reference(bytes(8))
    maps = Record(layout.COLUMN, (0, layout.ColumnKind.BYTES, Reference(bytes(255), 1), one, 1))
    plain = Record(layout.COLUMN, (0, layout.ColumnKind.CUTS, Reference(b"", 4), one, 1))
    for column, columns, times in ((maps, 100, 600), (plain, 5000, 2000)):
        builder = started(flags=ProgramFlag.FORKED)
        keys = build_table({b"%d" % at: 3 + at for at in range(252)})
        builder.view(ViewKind.TEXT, 0, 255, Reference(keys), count=252)
        rows = Reference(pack("<I", NONE), 4)
        block = Record(layout.BLOCK, (columns, 1, Reference((column,) * columns, 4), rows))
        builder.node(Op.BLOCK, 0, (leaf(0),) * 3, pool=Reference((block,)))
        builder.bounds = [columns + 1 << 8]
        assert copied(builder, "nodes", 7, times).startswith(COSTLY)
