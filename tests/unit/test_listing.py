"""Listings: a program read back in words."""

from __future__ import annotations

import json

import pytest

from flagcore.bucketing import seed
from flagcore.compiler import Options, compile_flag
from flagcore.compiler.layout import LEAF_BIT, ColumnKind, ProgramFlag
from flagcore.compiler.listing import listing, listing_data
from flagcore.compiler.reader import ProgramReader
from flagcore.model import parse_expression
from flagcore.model.flagset import Condition, Flag, FlagSet, Requirement, Rule, Segment
from flagcore.terms import FlagType
from tests.support.authored import boolean_flag
from tests.support.program_builder import forked, samples


def _compile(flag: Flag, credit: int = 4) -> tuple[bytes, bytes]:
    segment = Segment(name="many", attribute=("id",), values=tuple(f"v{n}" for n in range(100)))
    flag_set = FlagSet(flags={flag.key: flag}, segments={"many": segment})
    compiled = compile_flag(flag_set, flag.key, Options(credit_factor=credit))
    return compiled.program, compiled.debug


def _rule(when: str, name: str = "r", **more: object) -> Rule:
    return Rule(id=name, when=Condition(parse_expression(when), when), **{"serve": "on", **more})  # type: ignore[arg-type]


def _tests(when: str) -> list[str]:
    program, _ = _compile(boolean_flag(_rule(when)))
    return [node["test"] for node in listing_data(program)["nodes"]]


@pytest.mark.parametrize(
    ("when", "tests"),
    [
        ('country == "DE"', ['country == "DE"']),
        ('country == i"DE"', ['country == i"de"']),
        ('country in ["DE", "AT"]', ['country in ["AT", "DE"]']),
        ('country in [i"DE", i"AT"]', ['country in [i"at", i"de"]']),
        ("n in [1, 1.5]", ["n in [1, 1.5]"]),
        ("n >= 3", ["n < 3"]),
        ("n == 1e19", ["n == 1e+19"]),
        ('v < v"2.3.0-rc.1"', ['v < v"2.3.0-rc.1"']),
        ('now >= t"2026-01-01T00:00:00Z"', ['now < t"2026-01-01T00:00:00Z"']),
        ('ip in [cidr"10.0.0.0/8", cidr"2001:db8::1"]', ["ip in 10.0.0.0/8, 2001:db8::1"]),
        ('p starts_with "/a"', ['p starts_with "/a"']),
        ('p ends_with i".HTML"', ['p ends_with i".html"']),
        ('email matches "a"', ["email matches test 0 of the automaton of view 0"]),
        ("tags contains [1, true]", ["tags (a list) contains [1, true]"]),
        ("`a.b`.c == true", ["`a.b`.c == true"]),
        ("has(x)", ["has(x)"]),
        ('segment("many")', ["id in set segment:many"]),
    ],
)
def test_each_test_reads_as_authored(when: str, tests: list[str]) -> None:
    """Questions of nodes are in the author's words, or say the same the other way round."""
    assert _tests(when) == tests


def test_a_listing() -> None:
    """The whole of a small flag."""
    flag = boolean_flag(
        _rule('country == "DE"', "german"),
        _rule("true", "some", percent=12.5, split={"on": 1, "off": 3}, serve=None),
        key="checkout.new",
        requires=(Requirement("gateway", ("on",)),),
        off_variant="off",
    )
    program, debug = _compile(flag)
    text = listing(program, debug)
    assert text.splitlines() == [
        f"checkout.new (boolean), {len(program)} bytes, at most 3 steps",
        "  variants",
        "    off = false",
        "    on = true",
        "  rules",
        '    german: country == "DE"',
        "    some: true",
        "  links",
        "    flag gateway",
        "  nodes",
        "       0  requires gateway to be one of 1 variants  yes -> 1  else -> leaf 0 (off)",
        '       1  country == "DE"  yes -> leaf 1 (on)  else -> 2',
        f"       2  targetingKey inside 12.5 % (seed {seed('checkout.new'):016x})  yes -> leaf 2 (split)  else -> leaf 3 (off)",
        "  leaves",
        "       0  rule requires:gateway: off (TARGETING_MATCH)",
        "       1  rule german: on (TARGETING_MATCH)",
        "       2  rule some: split off 3, on 1 by targetingKey (SPLIT)",
        "       3  default: off (DEFAULT)",
    ]
    assert 'country == "DE"' in listing(program)


def test_a_static_flag() -> None:
    """Without nodes the listing says where the entry leads."""
    assert "none: straight to leaf 0 (off)" in listing(_compile(boolean_flag())[0])


@pytest.mark.parametrize(
    ("conditions", "answers"),
    [
        ([f'x == "v{n}"' for n in range(5)], ['"v3"', "missing, wrong type, any other text"]),
        ([f"x == {n}" for n in range(0, 50, 10)], ["= 30", "> 10 and < 20"]),
        ([f'x == v"{n}.0"' for n in range(5)], ["= 3.0.0"]),
        ([f'x starts_with "/{n}"' for n in range(5)], ['"/3"']),
        ([f'x ends_with "{n}0"' for n in range(5)], ['"30"']),
        ([f'x in cidr"10.{n}.0.0/16"' for n in range(5)], ["from 10.3.0.0 and below 10.4.0.0"]),
        (
            [f't >= t"202{n}-01-01T00:00:00Z"' for n in range(5, 0, -1)],
            [">= 2023-01-01T00:00:00Z and < 2024-01-01T00:00:00Z"],
        ),
    ],
)
def test_switches_name_their_classes(conditions: list[str], answers: list[str]) -> None:
    """Each exit of a switch names its values, for every kind of view."""
    program, _ = _compile(boolean_flag(*(_rule(text, f"r{n}") for n, text in enumerate(conditions))))
    (node,) = listing_data(program)["nodes"]
    assert node["op"] == ("lookup" if "v3" in conditions[3] else "switch")
    found = " | ".join(answer for answer, _ in node["exits"])
    assert all(answer in found for answer in answers)
    assert listing(program)


def test_data_is_json() -> None:
    """Every value type, and every kind of node, goes into JSON."""
    values = {
        FlagType.STRING: {"v": "ü"},
        FlagType.INTEGER: {"v": -1},
        FlagType.FLOAT: {"v": 0.5},
        FlagType.OBJECT: {"v": {"a": [1]}},
    }
    for kind, variants in values.items():
        program, debug = _compile(Flag(key="f", type=kind, variants=variants, default="v", metadata={"a": 1}))
        data = json.loads(json.dumps(listing_data(program, debug)))
        assert data["variants"] == variants
        assert (data["type"], data["metadata"]) == (kind.value, {"a": 1})


def test_views_and_memos_are_listed() -> None:
    """Tables with their attribute, kind, constants and memo word."""
    spans = " or ".join(f"(x > {10 * n} and x < {10 * n + 5})" for n in range(200))
    flag = boolean_flag(
        _rule(f"y == 1 and ({spans})", "a"), _rule(f"z == 1 and not ({spans})", "b"), _rule("w == 1 and x < 7", "c")
    )
    program, debug = _compile(flag, credit=0)
    (view,) = listing_data(program, debug)["views"]
    assert (view["attribute"], view["kind"], view["constants"], view["memo"]) == ("x", "number", 401, 0)
    text = listing(program, debug)
    assert "0: x as number, 401 constants, memo 0" in text
    assert "view 0 (x) is" in text


def test_forks_blocks_and_keyed_branches_are_listed() -> None:
    """Branches with the leaves that they can reach, rows with the values that leave them possible, constants with their branches."""
    text = listing(forked().finish())
    lines = [line.strip() for line in text.splitlines()]
    for expected in (
        "0  the smallest leaf of 5 branches",
        "from leaf 0 on -> 1",
        "from leaf 17 on -> no row",
        "4  the first of 5 rows by view 1, 0, 3",
        'plan: any value and country: "DE", "AT", "CH", "a somewhat longer text" and now: <= 1970-01-01T00:00:00Z -> leaf 3 (v03)',
        "none of them -> 9",
        "anything -> 19",
        "10  country (a list) contains",
        '"DE", "key-0", "key-12" -> 11',
        "and anyhow -> 15",
        "15  country (a list) contains (ignoring case)",
        "16  country contains, by the automaton of view 4",
        "test 3 -> leaf 18 (v18)",
        "6  view 2 (country) is <= 5  yes -> 7  else -> no row",
    ):
        assert expected in lines, expected
    assert json.loads(json.dumps(listing_data(forked().finish())))["step_bound"] == 27


def test_the_reader_reads_what_was_put_in() -> None:
    """Branches, columns of both kinds, keys and bounds come back as they were given; columns as runs of classes."""
    program = ProgramReader(forked().finish())
    assert program.flags is ProgramFlag.FORKED
    assert program.bounds[0] == (program.step_bound, 3)
    assert program.bounds[-1] == (1, 0)
    fork, block, by_list, by_text = (program.nodes[at] for at in (0, 4, 10, 16))
    assert program.branches(fork)[1] == (2, 2)
    columns, rows = program.block(block)
    assert rows == (5, 6, 5, LEAF_BIT | 3, LEAF_BIT | 2)
    assert columns[0] == (1, ColumnKind.BYTES, [(0, 2, 0b00011), (2, 3, 31), (3, 4, 0b11101), (4, 5, 31)])
    assert columns[1] == (0, ColumnKind.CUTS, [(0, 3, 0b10101), (3, 7, 0b01111), (7, 8, 0)])
    multi = program.multi(by_list)
    assert (len(multi.branches), multi.texts["key-13"], multi.bits, multi.rest_first) == (12, 1, {}, 13)
    assert program.multi(by_text).bits == {0: 0, 2: 1, 3: 2}
    assert ProgramReader(samples()["static"]).bounds == []
