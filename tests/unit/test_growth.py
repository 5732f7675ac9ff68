"""How cost grows with rules: the counts of docs/design/compiler.md section 6 that no change may lose."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from benchmarks.growth import DESIGN, SIZES, measure
from benchmarks.walkers.program_walker import Walker
from benchmarks.workloads.growth import FAMILIES, FLAG, contexts, rule_set
from flagcore.compiler import Options, compile_flag_set
from flagcore.compiler.layout import Op
from flagcore.compiler.reader import ProgramReader
from flagcore.engine import Engine
from flagcore.model import build_flag_set, loads
from flagcore.model.flagset import FlagSet
from flagcore.reference import Twin

_ABOVE_DESIGN = {"boxes": 1.4}  # at 100 rules a second switch costs less than the block that the design counts


def _program(family: str, rules: int, **options: int) -> ProgramReader:
    flag_set = loads(json.dumps(rule_set(family, rules)), "json").flag_set
    compiled = compile_flag_set(flag_set, debug=False, options=Options(**options))  # type: ignore[arg-type]
    return ProgramReader(compiled.snapshot.programs[FLAG])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_hundred_rules_cost_what_the_design_says(family: str) -> None:
    """Mean tests of an evaluation at 100 rules, and the size of the graph, keep to the design's figures."""
    grown = measure(family, 100, 60)
    allowed = dict(zip(SIZES, DESIGN[family], strict=True))[100] * _ABOVE_DESIGN.get(family, 1.1)
    assert grown.tests <= allowed + 0.1
    assert grown.entries_per_weight <= 4 * Options().credit_factor + 4


@pytest.mark.parametrize(
    ("family", "rules", "op"), [("six", 100, Op.BLOCK), ("narrow", 200, Op.FORK), ("tags", 20, Op.MULTI)]
)
def test_hostile_sets_use_every_kind_of_node(family: str, rules: int, op: Op) -> None:
    """Rules that overlap in many attributes are met by masks or partitioned; contained constants are keys."""
    assert op in {node.op for node in _program(family, rules).nodes}


@pytest.mark.parametrize("family", FAMILIES)
def test_large_sets_answer_as_the_twin(family: str) -> None:
    """The engine walks 150 rules of each family to the twin's variant and rule."""
    flag_set = loads(json.dumps(rule_set(family, 150)), "json").flag_set
    engine = Engine()
    engine.load(compile_flag_set(flag_set, debug=False).snapshot)
    twin = Twin(flag_set)
    for context, _ in zip(contexts(family, 150), range(40), strict=False):
        details = engine.get_boolean_details(FLAG, False, context)
        expected = twin.evaluate(FLAG, False, context, at=0)
        assert (details.variant, details.flag_metadata.get("flagcore.rule")) == (expected.variant, expected.rule)


@pytest.mark.parametrize("family", ["equal", "exceptions", "boxes"])
def test_few_rules_are_not_met_by_masks(family: str) -> None:
    """Ten rules that a switch or a chain can tell apart stay on the straight walk: the longer one costs more than it saves."""
    assert {Op.FORK, Op.BLOCK, Op.MULTI}.isdisjoint(node.op for node in _program(family, 10).nodes)
    assert Op.BLOCK in {node.op for node in _program(family, 10, forked_cost=0).nodes}


def _containing(count: int, constant: Callable[[int], str]) -> FlagSet:
    """Rules ``tags contains ...``, every other one with a test beside it."""
    conditions = [f"tags contains {constant(n)}" + (' and plan == "pro"' if n % 2 else "") for n in range(count)]
    rules = [{"id": f"r{n}", "when": when, "serve": "on"} for n, when in enumerate(conditions)]
    flags = {FLAG: {"type": "boolean", "default": "off", "rules": rules}}
    return build_flag_set({"schema": "flagcore/v1", "flags": flags}).flag_set


@pytest.mark.parametrize(
    "constant",
    [
        lambda n: f'"t{n}"',
        lambda n: f'i"T{n}"',
        lambda n: f'{"i" if n % 2 else ""}"t{n}"',
        lambda n: "[" + ", ".join(f'"t{n}-{m}"' for m in range(20)) + "]",
        lambda n: "[" + ", ".join(f'i"T{n}-{m}"' for m in range(40)) + "]",
    ],
    ids=["plain", "case ignored", "both", "20 constants", "40 constants, case ignored"],
)
def test_contained_constants_are_looked_up(constant: Callable[[int], str]) -> None:
    """Some 200 rules that a list must contain a constant for: a handful of steps, however the constants are written."""
    flag_set = _containing(200, constant)
    snapshot = compile_flag_set(flag_set, debug=False).snapshot
    twin = Twin(flag_set)
    for tags in ([], ["t1", "t7"], ["t150-3", "T9"], ["T199-39", "t0-0", "x"], ["t" * 300]):
        context = {"tags": tags, "plan": "free"}
        ending = Walker(snapshot.programs, snapshot.value_sets, context, 0).evaluate(FLAG)
        assert ending.leaf.rule == twin.evaluate(FLAG, False, context, at=0).rule
        assert ending.steps <= 8
