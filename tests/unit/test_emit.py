"""Programs byte by byte: what the header, leaves, tables and nodes of compiled flags say."""

from __future__ import annotations

import struct

import pytest

from benchmarks.walkers.program_walker import Walker
from flagcore.bucketing import seed, variant_identity
from flagcore.compiler import Options, compile_flag
from flagcore.compiler.emit import Header, emit_program
from flagcore.compiler.graph import Built
from flagcore.compiler.layout import HEADER_SIZE, LEAF_BIT, NO_MEMO, LeafKind, Op, SplitFlag, ViewKind
from flagcore.compiler.plan import Leaf, LeafReason
from flagcore.compiler.reader import ProgramReader, to_double
from flagcore.compiler.select import select
from flagcore.compiler.simplify import Graph
from flagcore.compiler.views import TextView, View
from flagcore.model import parse_expression
from flagcore.model.flagset import Condition, Flag, FlagSet, RampStep, Requirement, Rule, Segment
from flagcore.terms import FlagType
from tests.support.authored import FLAG, TIMES, boolean_flag
from tests.support.kernel_library import status_text, verify


def _rule(when: str | None, name: str = "r", **more: object) -> Rule:
    served = {} if "split" in more else {"serve": "on"}
    condition = None if when is None else Condition(parse_expression(when), when)
    return Rule(id=name, when=condition, **{**served, **more})  # type: ignore[arg-type]


def _compile(flag: Flag, segments: dict[str, Segment] | None = None, options: Options | None = None) -> ProgramReader:
    compiled = compile_flag(FlagSet(flags={flag.key: flag}, segments=segments or {}), flag.key, options)
    assert status_text(verify(compiled.program)) == status_text(0)
    return ProgramReader(compiled.program)


def _ops(*rules: Rule, **more: object) -> list[Op]:
    return [node.op for node in _compile(boolean_flag(*rules, **more)).nodes]


# --- tiny flags stay tiny ---------------------------------------------------------------------------------------------


def test_a_static_flag_is_a_leaf() -> None:
    """No nodes, no slots, no views: the entry is the leaf."""
    program = _compile(boolean_flag())
    assert (program.entry, program.step_bound, program.nodes, program.slots, program.views) == (LEAF_BIT, 0, [], [], [])
    assert program.leaves[0].reason == LeafReason.STATIC
    assert len(program.data) <= HEADER_SIZE + 32 + 2 * 32 + 16


@pytest.mark.parametrize(
    ("when", "ops"),
    [
        ('country == "DE"', [Op.TEXT]),
        ('country != "DE"', [Op.TEXT]),
        ('country == i"de"', [Op.TEXT]),
        ('country in ["DE", "AT"]', [Op.IN]),
        ("n in [1, 2, 3]", [Op.IN]),
        ("n >= 3", [Op.NUMBER]),
        ("n == 1.5", [Op.NUMBER]),
        ("n > 1 and n < 5", [Op.NUMBER, Op.NUMBER]),
        ('v >= v"2.3.0"', [Op.VERSION]),
        ('now >= t"2026-01-01T00:00:00Z"', [Op.TIME]),
        ('ip in cidr"10.0.0.0/8"', [Op.ADDRESS]),
        ('path starts_with "/a"', [Op.PREFIX]),
        ('path ends_with i".HTML"', [Op.SUFFIX]),
        ("flag == true", [Op.BOOLEAN]),
        ("has(x)", [Op.HAS]),
        ("not has(x)", [Op.HAS]),
        ('email matches "a+"', [Op.MATCH]),
        ("tags contains 1", [Op.CONTAINS]),
        ('x starts_with ""', [Op.PREFIX]),
        ("true", []),
        ("false", []),
    ],
)
def test_a_single_test_is_a_single_node(when: str, ops: list[Op]) -> None:
    """One test goes straight to the value, without table and memo."""
    program = _compile(boolean_flag(_rule(when)))
    assert [node.op for node in program.nodes] == ops
    assert program.memo_count == 0
    assert all(view.kind is ViewKind.AUTOMATON for view in program.views)


def test_unknown_takes_the_way_of_its_literal() -> None:
    """``not in`` leaves by no: the wrong type and a missing value do not match; ``not has`` parts missing from present."""
    node = _compile(boolean_flag(_rule('not (x == "a")'))).nodes[0]
    assert node.on_unknown == node.on_true != node.on_false
    assert _ops(_rule('not has(x) or x == "a"')) == [Op.HAS, Op.TEXT]


def test_short_texts_stand_in_the_node() -> None:
    """Up to eight bytes are zero padded in the immediate; longer ones only in the pool."""
    short, long = (_compile(boolean_flag(_rule(f'x == "{text}"'))) for text in ("ab", "123456789"))
    assert short.nodes[0].immediate == int.from_bytes(b"ab", "little")
    assert (long.nodes[0].immediate, long.text(long.nodes[0])) == (0, "123456789")


# --- reasons, gates, splits -------------------------------------------------------------------------------------------


def _reasons(*rules: Rule, **more: object) -> list[tuple[str | None, str]]:
    program = _compile(boolean_flag(*rules, **more))
    return [(leaf.rule, LeafReason(leaf.reason).name) for leaf in program.leaves]


def test_a_gate_below_a_hundred_is_a_split() -> None:
    """Reason SPLIT where a percentage took part; 0 never matches and 100 hashes nothing."""
    assert _reasons(_rule(None, percent=25)) == [("r", "SPLIT"), (None, "DEFAULT")]
    assert _reasons(_rule(None, percent=100)) == [("r", "TARGETING_MATCH")]
    assert _reasons(_rule(None, percent=0)) == [(None, "DEFAULT")]
    assert _ops(_rule(None, percent=100)) == []
    node = _compile(boolean_flag(_rule(None, percent=0.0001))).nodes[0]
    assert (node.op, node.pool, node.immediate) == (Op.GATE, 1, seed(FLAG))
    assert node.length & 0xFFFF == NO_MEMO


def test_a_ramp_has_a_leaf_for_each_reason() -> None:
    """SPLIT while the step's percentage is below 100, TARGETING_MATCH from the step of 100 on."""
    ramp = (RampStep(TIMES[0], 1), RampStep(TIMES[1], 5), RampStep(TIMES[2], 100))
    rule = _rule(None, ramp=ramp)
    assert _reasons(rule) == [("r", "TARGETING_MATCH"), ("r", "SPLIT"), (None, "DEFAULT")]
    program = _compile(boolean_flag(rule))
    gates = [node for node in program.nodes if node.op is Op.GATE]
    assert {gate.pool for gate in gates} == {10_000, 50_000}
    assert len({gate.immediate for gate in gates}) == 1


def test_the_steps_of_a_ramp_are_told_apart_once() -> None:
    """One look at the time, one gate: however many steps a ramp has, and also beside a window that the ramp implies."""
    ramp = tuple(RampStep(f"2026-0{month}-01T00:00:00Z", month) for month in range(1, 8))
    program = _compile(boolean_flag(_rule(None, ramp=ramp, between=("2026-01-01T00:00:00Z", None))))
    assert [node.op for node in program.nodes] == [Op.SWITCH, *[Op.GATE] * 7]
    assert program.step_bound == 2
    assert program.memo_count == 0


def test_a_split_needs_a_subject() -> None:
    """Two or more positive weights ask for a subject first, unless a gate did; one weight is that variant."""
    assert _ops(_rule(None, split={"on": 1, "off": 1})) == [Op.BUCKETABLE]
    assert _ops(_rule(None, split={"on": 1, "off": 1}, percent=50)) == [Op.GATE]
    assert _reasons(_rule(None, split={"on": 3, "off": 0})) == [("r", "TARGETING_MATCH")]


def test_contestants_are_sorted_and_reduced() -> None:
    """Sorted by name in UTF-8 order, weights reduced, zeros dropped, on/off marked, one more outcome than contestants."""
    rule = _rule(None, split={"on": 0.5, "off": 1.5}, base="percent", salt="s", bucket_by=("tenant",))
    program = _compile(boolean_flag(rule))
    leaf = program.leaves[0]
    assert list(leaf.weights.items()) == [("off", 3), ("on", 1)]
    assert leaf.flags == SplitFlag.ON_OFF | SplitFlag.BASE_PERCENT
    assert (leaf.kind, leaf.seed, program.slots[leaf.slot]) == (LeafKind.SPLIT, seed("s"), ("tenant",))
    assert [found.outcome for found in program.leaves] == [0, 3]
    assert program.outcome_count == 4


def test_one_hash_serves_gate_and_split() -> None:
    """Gates and splits of one attribute and salt share a memo word; a single use has none."""
    shared = _compile(boolean_flag(_rule(None, percent=50), default={"on": 1, "off": 2}))
    assert shared.memo_count == 1
    assert (shared.nodes[0].length & 0xFFFF, shared.leaves[1].memo) == (0, 0)
    other = _compile(boolean_flag(_rule(None, percent=50, salt="other"), default={"on": 1, "off": 2}))
    assert other.memo_count == 0
    assert other.leaves[1].memo == NO_MEMO


def test_a_default_split_is_a_leaf_without_nodes() -> None:
    """The kernel finds out by itself that there is no subject."""
    program = _compile(boolean_flag(default={"on": 1, "off": 2}))
    assert (program.nodes, program.leaves[0].kind, program.leaves[0].reason) == ([], LeafKind.SPLIT, LeafReason.SPLIT)


def test_a_disabled_flag_is_one_leaf() -> None:
    """Off for everybody: no nodes, whatever the rules; without off_variant the caller's default value."""
    program = _compile(boolean_flag(_rule('x == "a"'), enabled=False, off_variant="off"))
    assert (program.nodes, program.leaves[0].variant) == ([], "off")
    assert program.leaves[0].reason == LeafReason.DISABLED
    bare = _compile(boolean_flag(enabled=False))
    assert bare.leaves[0].kind is LeafKind.CALLER


def test_prerequisites_come_first() -> None:
    """REQUIRES nodes in the author's order, each unmet one to its own leaf; identities of the accepted variants."""
    requires = (Requirement("a", ("x", "y"), "on"), Requirement("b", ("x",)))
    program = _compile(boolean_flag(_rule('x == "a"'), requires=requires))
    assert [node.op for node in program.nodes] == [Op.REQUIRES, Op.REQUIRES, Op.TEXT]
    assert [node.on_true for node in program.nodes[:2]] == [1, 2]
    assert set(program.identities(program.nodes[0])) == {variant_identity("x"), variant_identity("y")}
    found = [(leaf.rule, leaf.kind, leaf.variant) for leaf in program.leaves[:2]]
    assert found == [("requires:a", LeafKind.VARIANT, "on"), ("requires:b", LeafKind.CALLER, None)]


def test_a_flag_with_prerequisites_only_is_not_static() -> None:
    """STATIC needs neither rules nor requirements."""
    assert _reasons(requires=(Requirement("a", ("x",)),))[-1] == (None, "DEFAULT")


# --- values, names ----------------------------------------------------------------------------------------------------


def _variants(kind: FlagType, **values: object) -> ProgramReader:
    return _compile(Flag(key="k", type=kind, variants=values, default=next(iter(values))))


def test_values_of_every_type() -> None:
    """Scalars as 64 bits, floats always doubles, strings and JSON in UTF-8, names sorted by bytes."""
    integers = _variants(FlagType.INTEGER, low=-(2**63), high=2**63 - 1)
    assert [(v.name, v.scalar) for v in integers.variants] == [("high", 2**63 - 1), ("low", 2**63)]
    floats = _variants(FlagType.FLOAT, a=1, b=-0.5)
    assert [to_double(v.scalar) for v in floats.variants] == [1.0, -0.5]
    assert _variants(FlagType.STRING, a="größe").variants[0].content == "größe".encode()
    objects = _variants(FlagType.OBJECT, a={"b": [1, None, "ü"], "a": 1.5})
    assert objects.variants[0].content == '{"a":1.5,"b":[1,null,"ü"]}'.encode()
    booleans = _compile(boolean_flag())
    assert [(v.name, v.scalar) for v in booleans.variants] == [("off", 0), ("on", 1)]


def test_metadata_and_key() -> None:
    """The flag's metadata as JSON with sorted keys; its key."""
    program = _compile(boolean_flag(metadata={"b": 1, "a": "ü"}))
    assert (program.key, program.metadata) == (FLAG, '{"a":"ü","b":1}'.encode())


def test_nested_paths_keep_their_names() -> None:
    """A path of two names and a flat name with a dot are two slots with one flat key."""
    program = _compile(boolean_flag(_rule('a.b == "x" or `a.b` == "y"')))
    assert sorted(program.slots) == [("a", "b"), ("a.b",)]


def test_equal_texts_stand_once() -> None:
    """The pool holds a text once, however many nodes name it."""
    rules = [_rule(f'a{n} == "a-rather-long-constant"', f"r{n}") for n in range(5)]
    assert _compile(boolean_flag(*rules)).data.count(b"a-rather-long-constant") == 1


# --- views and tables -------------------------------------------------------------------------------------------------


def test_many_constants_become_a_switch() -> None:
    """A hundred rules on one attribute: one node, one table with the exits in it, no view."""
    program = _compile(boolean_flag(*(_rule(f'x == "v{n}"', f"r{n}") for n in range(100))))
    assert [node.op for node in program.nodes] == [Op.LOOKUP]
    assert program.views == []
    assert len(program.lookup_exits(program.nodes[0])) == 100
    assert program.step_bound == 1


@pytest.mark.parametrize("credit", [0, 1, 4, 50])
def test_an_attribute_has_one_table_of_texts(credit: int) -> None:
    """Texts stand once: in the lookup that alone asks for them, else in a view whose class all nodes step by."""
    found = set()
    for width in (1, 3, 9):
        rules = [_rule(f'y > {n % width} and x == "v{n}"', f"a{n}") for n in range(9)]
        rules += [_rule(f'z == {n % width} and x == "v{n}" and w == {n}', f"b{n}") for n in range(9)]
        program = _compile(boolean_flag(*rules), options=Options(credit_factor=credit))
        lookups = [node.slot for node in program.nodes if node.op is Op.LOOKUP]
        views = [view.slot for view in program.views if view.kind is ViewKind.TEXT]
        assert len(set(lookups + views)) == len(lookups) + len(views)
        found |= {Op.LOOKUP for _ in lookups} | {Op.SWITCH for _ in views}
    assert found


@pytest.mark.parametrize("forked", [False, True])
def test_texts_that_one_walk_may_ask_for_twice_keep_their_class(forked: bool) -> None:
    """A switch that two branches of a fork share is no lookup: its class is found once and remembered."""
    views: list[View] = [TextView(number, (name,), False) for number, name in enumerate("xyz")]
    for view in views:
        assert isinstance(view, TextView)
        view.add([b"v%d" % number for number in range(9)])
        view.freeze()
    graph = Graph(views)
    leaves = [graph.leaf(number) for number in range(10)]
    shared = graph.branch(0, range(3, 12), leaves)
    branches = [graph.test(1, (3, 4), shared, leaves[9]), graph.test(2, (3, 4), shared, leaves[8])]
    root = graph.fork([(0, branch) for branch in branches]) if forked else branches[0]
    selection = select(Built(graph, root), views, (), Options(direct_tests=1))
    rules = [f"r{number}" for number in range(10)]
    header = Header("f", FlagType.BOOLEAN, {"off": False, "on": True}, rules, {})
    found = [Leaf(LeafReason.TARGETING_MATCH, rule=number, variant="on") for number in range(10)]
    program = ProgramReader(emit_program(header, found, selection, views))
    assert status_text(verify(program.data)) == status_text(0)
    ops = [node.op for node in program.nodes]
    assert (ops.count(Op.LOOKUP), ops.count(Op.SWITCH)) == ((0, 1) if forked else (1, 0))
    assert [view.memo != NO_MEMO for view in program.views] == ([True] if forked else [])


def test_a_large_view_with_few_runs_is_a_class_test() -> None:
    """A view with many constants that one rule needs a table for serves a narrow test of another rule by runs."""
    spans = " or ".join(f"(x > {10 * n} and x < {10 * n + 5})" for n in range(200))
    rules = (_rule(f"y == 1 and ({spans})", "many"), _rule("z == 1 and x < 7", "few"))
    program = _compile(boolean_flag(*rules), options=Options(credit_factor=0))
    assert Op.CLASS in [node.op for node in program.nodes]
    assert program.views[0].kind is ViewKind.NUMBER
    for context, rule in (
        ({"y": 1, "x": 3}, "many"),
        ({"z": 1, "x": 3}, "few"),
        ({"z": 1, "x": 8}, None),
        ({"z": 1}, None),
    ):
        assert Walker({FLAG: program.data}, {}, context).evaluate(FLAG).leaf.rule == rule


def test_a_view_asked_twice_on_a_walk_has_a_memo() -> None:
    """Two nodes of one walk that need the class share a word."""
    spans = " or ".join(f"(x > {10 * n} and x < {10 * n + 5})" for n in range(20))
    rules = (_rule(f"y == 1 and ({spans})", "a"), _rule(f"z == 1 and not ({spans})", "b"))
    program = _compile(boolean_flag(*rules), options=Options(credit_factor=0))
    assert (program.memo_count, program.views[0].memo) == (1, 0)


def test_patterns_of_one_attribute_share_an_automaton() -> None:
    """Three patterns on one attribute are one automaton, run once on a walk."""
    rules = [_rule(f'email matches "^{letter}+@" and y == {n}', f"r{n}") for n, letter in enumerate("abc")]
    program = _compile(boolean_flag(*rules), options=Options(credit_factor=0))
    assert [view.kind for view in program.views] == [ViewKind.AUTOMATON]
    assert program.views[0].memo == 0
    assert len({node.immediate for node in program.nodes if node.op is Op.MATCH}) == 3


def test_more_needles_than_a_mask_holds() -> None:
    """A hundred needles in a hundred rules need more than one automaton; each rule finds its own."""
    rules = [_rule(f'x contains "needle-{n:03}"', f"r{n}") for n in range(100)]
    program = _compile(boolean_flag(*rules))
    assert len(program.views) > 1
    for n in (0, 63, 64, 99):
        assert Walker({FLAG: program.data}, {}, {"x": f"a needle-{n:03}!"}).evaluate(FLAG).leaf.rule == f"r{n}"


@pytest.mark.parametrize("kind", ["in", "contains"])
def test_long_lists_are_objects_of_their_own(kind: str) -> None:
    """More than 64 strings are linked by name; the name is the content's."""
    names = []
    for order in (1, -1):
        texts = ", ".join(f'"t{n}"' for n in range(70)[::order])
        flag = boolean_flag(_rule(f"x {kind} [{texts}]"))
        compiled = compile_flag(FlagSet(flags={FLAG: flag}), FLAG)
        assert verify(compiled.program) == 0
        names.append(list(compiled.value_sets))
        context = {"x": "t69" if kind == "in" else ["t69"]}
        assert Walker({FLAG: compiled.program}, compiled.value_sets, context).evaluate(FLAG).leaf.rule == "r"
    assert names[0] == names[1]
    assert names[0][0].startswith("list:")
    assert len(names[0][0]) == len("list:") + 32


def test_value_segments_are_inlined_up_to_64() -> None:
    """A small value segment stands in the program, a big one is linked by its name."""
    for count, linked in ((64, []), (65, ["segment:s"])):
        segment = Segment(name="s", attribute=("x",), values=tuple(f"v{n}" for n in range(count)))
        flag = boolean_flag(_rule('segment("s")'))
        compiled = compile_flag(FlagSet(flags={FLAG: flag}, segments={"s": segment}), FLAG)
        assert list(compiled.value_sets) == linked
        assert verify(compiled.program) == 0


def test_exits_point_forward() -> None:
    """Every exit of every node is a leaf or a later node."""
    rules = [_rule(f'(a == "{n}" or b > {n}) and c == "x"', f"r{n}") for n in range(40)]
    program = _compile(boolean_flag(*rules))
    for number, node in enumerate(program.nodes):
        if node.op is Op.SWITCH:
            exits = [exit_ for _, _, exit_ in program.switch_exits(node)]
        elif node.op is Op.LOOKUP:
            exits = [*program.lookup_exits(node), node.on_true, node.on_false, node.on_unknown]
        else:
            exits = [node.on_true, node.on_false, node.on_unknown]
        assert all(exit_ & LEAF_BIT or exit_ > number for exit_ in exits)


def test_the_header_is_as_drawn() -> None:
    """Magic, format, size and hash stand where kernel.h says."""
    data = _compile(boolean_flag(_rule('x == "a"'))).data
    magic, fmt, reader, size, hash_id, kind = struct.unpack_from("<IHHIBB", data)
    assert (magic, fmt, reader, size, hash_id, kind) == (0x47504346, 1, 1, len(data), 1, 0)
    assert len(data) % 8 == 0
