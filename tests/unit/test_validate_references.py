"""Checks between flags, segments, attributes and tests (flag-format.md sections 4 and 5)."""

from __future__ import annotations

import pytest

from flagcore.errors import Severity
from flagcore.model import FlagSet, Limits, validate
from flagcore.model.checks.cycles import find_cycles
from flagcore.model.flagset import Condition, Flag, Requirement, Rule, Segment
from flagcore.model.tree import All, Any, Expression, Has, InSegment, Literal, Not
from flagcore.model.tree import Test as AttributeTest
from flagcore.terms import FlagType, Operator
from tests.support.flag_texts import flag, problems


def codes(text: str) -> list[tuple[str, str]]:
    """Code and path of every problem."""
    return [(problem.code, problem.path) for problem in problems(text)]


def requiring(edges: dict[str, list[str]]) -> str:
    """Flags that require each other."""
    lines = [
        f"  {key}: {{type: boolean, default: off, requires: [{', '.join(f'{{flag: {name}, is: on}}' for name in targets)}]}}"
        for key, targets in edges.items()
    ]
    return "flags:\n" + "\n".join(lines)


def naming(edges: dict[str, list[str]]) -> str:
    """Segments that name each other."""
    lines = []
    for name, others in edges.items():
        parts = [f'segment("{other}")' for other in others] + ["x == 1"]
        lines.append(f"  {name}: {{when: '{' or '.join(parts)}'}}")
    return "segments:\n" + "\n".join(lines)


# -- requires --


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("{flag: other, is: a}", []),
        ("{flag: other, is: [a, b], otherwise: on}", []),
        ("{flag: othr, is: a}", [("unknown-flag", "flag")]),
        ("{flag: other, is: on}", [("unknown-variant", "is")]),
        ("{flag: other, is: [a, on, off]}", [("unknown-variant", "is"), ("unknown-variant", "is")]),
        ("{flag: other, is: []}", [("empty-list", "is")]),
        ("{flag: other, is: true}", [("wrong-type", "is")]),
        ("{flag: other, is: [true]}", [("wrong-type", "is[0]")]),
        ("{flag: other, is: a, otherwise: maybe}", [("unknown-variant", "otherwise")]),
        ("{flag: other}", [("missing-key", "is")]),
        ("{is: a}", [("missing-key", "flag")]),
        ("{flag: 5, is: a}", [("wrong-type", "flag")]),
        ("{flag: other, is: a, else: off}", [("unknown-key", "else")]),
        ("other", [("wrong-type", "")]),
    ],
)
def test_requirements(requirement: str, expected: list[tuple[str, str]]):
    """A requirement names a flag of the set, variants of that flag, and otherwise a variant of its own."""
    other = "  other: {type: string, variants: {a: x, b: y}, default: a}\n"
    found = codes(flag(f"requires: [{requirement}]") + other)
    assert found == [(code, f"flags.f.requires[0].{path}".rstrip(".")) for code, path in expected]


@pytest.mark.parametrize(
    ("edges", "cycles"),
    [
        ({"a": ["b"], "b": []}, []),
        ({"a": ["a"]}, ["a -> a"]),
        ({"a": ["b"], "b": ["a"]}, ["a -> b -> a"]),
        ({"x": ["a"], "a": ["b"], "b": ["c"], "c": ["a"]}, ["a -> b -> c -> a"]),
        ({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}, []),
        ({"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]}, ["a -> b -> a", "c -> d -> c"]),
    ],
)
def test_cycles(edges: dict[str, list[str]], cycles: list[str]):
    """Cycles among requirements and among segments are errors that show the cycle; a diamond is none."""
    for text in (requiring(edges), naming(edges)):
        found = problems(text)
        assert [problem.code for problem in found] == ["cycle"] * len(cycles)
        assert [problem.message.partition(": ")[2] for problem in found] == cycles


def test_long_cycle():
    """A cycle of thousands is shown by its ends, without recursion."""
    edges = {f"f{number}": [f"f{(number + 1) % 3_000}"] for number in range(3_000)}
    (problem,) = problems(requiring(edges))
    assert problem.code == "cycle"
    assert len(problem.message) < 300


def test_find_cycles_in_a_dense_graph():
    """Every edge that leads back is found once: the search is linear, not one of all paths."""
    nodes = [str(number) for number in range(40)]
    edges = {name: [other for other in nodes if other != name] for name in nodes}
    assert len(list(find_cycles(edges))) == 40 * 39 // 2


def test_chain_of_requirements():
    """A chain of 64 requirements is fine, a longer one is an error where it begins to be too long, named once."""
    edges = {f"f{number}": [f"f{number + 1}"] for number in range(64)} | {"f64": []}
    assert codes(requiring(edges)) == []
    edges = {f"f{number}": [f"f{number + 1}"] for number in range(80)} | {"f80": []}
    assert codes(requiring(edges)) == [("chain-too-long", "flags.f15.requires")]


# -- segments --


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("{when: has(x)}", []),
        ("{attribute: x, values: [a, 1, 1.5, true]}", []),
        ("{}", [("bad-segment", "")]),
        ("{description: x}", [("bad-segment", "")]),
        ("{attribute: x}", [("bad-segment", "")]),
        ("{values: [a]}", [("bad-segment", "")]),
        ("{when: has(x), attribute: x}", [("bad-segment", "")]),
        ("{when: has(x), values: [a]}", [("bad-segment", "")]),
        ("{attribute: x, values: [a], values_file: x.txt}", [("bad-segment", "")]),
        ("{attribute: x, values: a}", [("wrong-type", "values")]),
        ("{attribute: x, values: [null, [a], {a: b}]}", [("wrong-type", f"values[{index}]") for index in range(3)]),
        ("{attribute: x, values: [.nan, 9223372036854775808]}", [("bad-number", "values[0]"), ("bad-number", "values[1]")]),
        ("{attribute: x, values: []}", [("empty-segment", "values")]),
        ("{attribute: a b, values: [a]}", [("bad-path", "attribute")]),
        ("{when: 'x = 1'}", [("syntax", "when")]),
        ("{when: segment(\"t\")}", [("unknown-segment", "when")]),
        ("{wen: has(x)}", [("unknown-key", "wen"), ("bad-segment", "")]),
        ("has(x)", [("wrong-type", "")]),
    ],
)  # fmt: skip
def test_segments(segment: str, expected: list[tuple[str, str]]):
    """A segment is a condition or a value set, and its values can be compared."""
    found = codes(f"segments: {{s: {segment}}}")
    assert sorted(found) == sorted((code, f"segments.s.{path}".rstrip(".")) for code, path in expected)


def test_unknown_segment_in_a_rule():
    """An unknown segment is an error with the name that was meant, also deep in a condition."""
    text = "segments: {internal: {when: has(x)}}\n" + flag(
        "rules: [{id: r, when: 'not (has(y) and segment(\"intrnal\"))', serve: on}]"
    )
    (problem,) = problems(text)
    assert (problem.code, problem.path) == ("unknown-segment", "flags.f.rules[0].when")
    assert problem.hint == 'did you mean "internal"?'
    assert problem.excerpt is not None
    assert problem.excerpt.endswith("\n" + " " * len('not (has(y) and segment("') + "^")
    assert problem.line is not None
    assert problem.column is not None
    line = ("schema: flagcore/v1\n" + text).split("\n")[problem.line - 1]
    assert line[problem.column - 1 :].startswith("intrnal")


def test_depth_through_segments():
    """The nesting of conditions counts their segments: 64 levels in all, blamed once where it becomes too much."""
    edges = {f"s{number}": [f"s{number + 1}"] for number in range(33)} | {"s33": []}
    assert codes(naming(edges)) == [("too-deep", "segments.s0.when")]
    del edges["s0"]
    assert codes(naming(edges)) == []
    text = naming(edges) + "\n" + flag("rules: [{id: r, when: 'has(x) and (has(y) or segment(\"s1\"))', serve: on}]")
    assert codes(text) == [("too-deep", "flags.f.rules[0].when")]


# -- attributes --


def declared(kind: str, when: str) -> str:
    """A segment with the condition, where the attribute ``a`` is declared."""
    return f"attributes: {{a: {kind}}}\nsegments: {{s: {{when: '{when}'}}}}\n"


FITS = {
    "string": ['a == "x"', 'a != i"x"', 'a in ["x", i"y"]', 'a contains "x"', 'a starts_with ["x"]', 'a matches "x"', 'a < v"1"',
               'a == v"1"', 'a >= t"2026-12-01T09:00:00Z"', 'a in cidr"::/0"', "has(a)"],
    "version": ['a >= v"1"', 'a in [v"1"]', 'a == "1"', 'a starts_with "1."'],
    "integer": ["a == 1", "a < 1.5", "a in [1, 2]", "a != 1.0"],
    "float": ["a == 1", "a >= 1.5"],
    "number": ["a == 1", "a <= 2"],
    "boolean": ["a == true", "a in [true, false]"],
    "time": ['a < t"2026-12-01T09:00:00Z"'],
    "[string]": ['a contains "x"', 'a contains [i"x"]', "has(a)"],
    "[integer]": ["a contains 1", "a contains [1, 2.5]"],
    "[boolean]": ["a contains true"],
    "object": ["has(a)", 'a.b == "x"', "a.b.c < 1"],
    "any": ["a == 1", 'a contains "x"', "a.b == true", 'a < v"1"'],
}  # fmt: skip
MISFITS = {
    "string": ["a == 1", "a < 1", "a == true", 'a in ["x", 1]', "a contains 1"],
    "version": ["a == 1", "a < 1", 'a < t"2026-12-01T09:00:00Z"'],
    "integer": [
        'a == "1"',
        "a == true",
        'a contains "1"',
        'a < v"1"',
        'a matches "1"',
        'a in cidr"::/0"',
        "a contains 1",
    ],
    "boolean": ["a == 1", "a < 1", 'a == "true"', "a contains true"],
    "time": ['a == "x"', "a < 1", 'a < v"1"', 'a starts_with "2026"'],
    "[string]": ['a == "x"', 'a in ["x"]', "a contains 1", 'a starts_with "x"', "a < 1"],
    "[integer]": ['a contains "1"', "a contains true"],
    "object": ['a == "x"', "a < 1"],
}


@pytest.mark.parametrize(("kind", "when"), [(kind, when) for kind, whens in FITS.items() for when in whens])
def test_operators_that_fit(kind: str, when: str):
    """Every operator of the table on an attribute declared with its kind."""
    assert codes(declared(f'"{kind}"', when)) == []


@pytest.mark.parametrize(("kind", "when"), [(kind, when) for kind, whens in MISFITS.items() for when in whens])
def test_operators_on_another_kind(kind: str, when: str):
    """An operator or constant that never applies to the declared kind is an error."""
    assert codes(declared(f'"{kind}"', when)) == [("wrong-kind", "segments.s.when")]


def test_undeclared_attributes():
    """When attributes are declared, others are errors wherever they stand, with the name that was meant."""
    text = (
        "attributes: {country: string, tenant: {id: x}, '`a b`.c': integer}\n"
        "segments: {s: {when: 'countri == \"DE\" or has(cuontry)'}, t: {attribute: conutry, values: [a]}}\n"
        + flag(
            "bucket_by: land\nrules: [{id: r, when: 'stadt == 1', bucket_by: ort, serve: on}]\n"
            "tests: [{given: {}, expect: {on: 1}, population: 9, by: dorf}]"
        )
    )  # fmt: skip
    found = problems(text)
    assert [(problem.code, problem.path) for problem in found] == [
        ("wrong-type", "attributes.tenant"),
        ("unknown-attribute", "segments.s.when"),
        ("unknown-attribute", "segments.s.when"),
        ("unknown-attribute", "segments.t.attribute"),
        ("unknown-attribute", "flags.f.bucket_by"),
        ("unknown-attribute", "flags.f.rules[0].when"),
        ("unknown-attribute", "flags.f.rules[0].bucket_by"),
        ("unknown-attribute", "flags.f.tests[0].by"),
    ]
    assert found[1].hint == 'did you mean "country"?'


def test_without_declarations_everything_goes():
    """A set that declares no attributes may use any."""
    assert codes("segments: {s: {when: 'x == 1'}, t: {attribute: y, values: [a]}}") == []


def test_attributes_known_by_themselves():
    """`targetingKey` and `now` need no declaration; a flat key and a nested path of the same names are one attribute."""
    when = 'targetingKey == "a" and now > t"2026-12-01T09:00:00Z" and has(`app.version`) and app.version > v"1"'
    assert codes(f"attributes: {{app.version: version}}\nsegments:\n  s:\n    when: '{when}'\n") == []
    assert codes("attributes: {x: string}\n" + flag("default: {on: 1, off: 1}")) == []


def test_declarations():
    """Kinds that do not exist and paths that are none are errors."""
    text = "attributes: {a: strng, b: [string, integer], c: [[string]], d: 5, e f: string, g: '[text]', h: [integer]}"
    assert codes(text) == [
        ("bad-value", "attributes.a"),
        ("wrong-type", "attributes.b"),
        ("wrong-type", "attributes.c"),
        ("wrong-type", "attributes.d"),
        ("bad-path", "attributes['e f']"),
        ("bad-value", "attributes.g"),
    ]


def test_attributes_nobody_can_be_bucketed_by():
    """Bucketing by an attribute declared boolean, time, list or mapping is a warning."""
    for kind in ("boolean", "time", "[string]", "object"):
        (problem,) = problems(f"attributes: {{a: '{kind}'}}\n" + flag("bucket_by: a"))
        assert (problem.code, problem.severity) == ("not-bucketable", Severity.WARNING)


def test_values_of_a_declared_attribute():
    """A segment none of whose values has the declared kind is an error; one of mixed kinds is not."""
    text = "attributes: {{a: integer}}\nsegments: {{s: {{attribute: a, values: [x, {}]}}}}"
    assert codes(text.format("y")) == [("wrong-kind", "segments.s.attribute")]
    assert codes(text.format("1")) == []


# -- tests beside the rules --


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (
            "{given: {targetingKey: a, n: 1}, at: 2026-12-09T00:00:00Z, expect: on, rule: r, reason: TARGETING_MATCH}",
            [],
        ),
        ("{given: {}, expect: {on: 5%, off: 95%}, population: 100, by: tenant.id, tolerance: 0.6%}", []),
        ("{given: {}, expect: {on: 33.3, off: 66.7 %}, population: 100, tolerance: 1}", []),
        ("{expect: on, rule: requires:g}", []),
        ("{given: {}}", [("missing-key", "expect")]),
        ("{given: [], expect: on}", [("wrong-type", "given")]),
        ("{expect: maybe}", [("unknown-variant", "expect")]),
        ("{expect: true}", [("wrong-type", "expect")]),
        ("{expect: {on: 5%, maybe: 1}, population: 9}", [("unknown-variant", "expect.maybe")]),
        ("{expect: {on: 5%}}", [("bad-test", "")]),
        ("{expect: {}, population: 9}", [("empty-list", "expect")]),
        ("{expect: {on: 60, off: 60}, population: 9}", [("out-of-range", "expect")]),
        ("{expect: {on: 101}, population: 9}", [("out-of-range", "expect"), ("out-of-range", "expect.on")]),
        ("{expect: {on: many}, population: 9}", [("wrong-type", "expect.on")]),
        ("{expect: on, population: 0}", [("out-of-range", "population")]),
        ("{expect: on, population: 10000001}", [("out-of-range", "population")]),
        ("{expect: on, population: 1.5}", [("wrong-type", "population")]),
        ("{expect: on, by: x, tolerance: 1%}", [("bad-test", "by"), ("bad-test", "tolerance")]),
        ("{expect: {on: 5%}, population: 9, tolerance: 101}", [("out-of-range", "tolerance")]),
        ("{expect: {on: 5%}, population: 9, rule: r}", [("bad-test", "rule")]),
        ("{expect: on, at: today}", [("bad-time", "at")]),
        ("{expect: on, rule: launch}", [("unknown-rule", "rule")]),
        ("{expect: on, reason: MATCH}", [("bad-value", "reason")]),
        ("{expect: on, gvien: {}}", [("unknown-key", "gvien")]),
        ("on", [("wrong-type", "")]),
    ],
)
def test_tests(test: str, expected: list[tuple[str, str]]):
    """Tests name variants, rules and reasons that exist, real times, and shares of a population."""
    body = f"rules: [{{id: r, when: has(x), serve: on}}]\nrequires: [{{flag: g, is: on}}]\ntests: [{test}]"
    found = codes(flag(body) + "  g: {type: boolean, default: off}\n")
    assert found == [(code, f"flags.f.tests[0].{path}".rstrip(".")) for code, path in expected]


# -- sets that programs build --


def built(when: Expression) -> FlagSet:
    """A set with one flag whose rule has the condition."""
    rule = Rule(id="r", when=Condition(when), serve="on")
    return FlagSet(
        flags={
            "f": Flag(key="f", type=FlagType.BOOLEAN, variants={"on": True, "off": False}, default="off", rules=(rule,))
        }
    )


@pytest.mark.parametrize(
    ("when", "code"),
    [
        (AttributeTest(("a",), Operator.EQUALS, Literal(1)), None),
        (AttributeTest(("a",), Operator.LESS, Literal("x")), "bad-operator"),
        (AttributeTest(("a",), Operator.IN, ()), "empty-list"),
        (AttributeTest(("a",), Operator.EQUALS, Literal("x", "w")), "bad-prefix"),
        (AttributeTest(("a",), Operator.EQUALS, Literal(1, "v")), "bad-constant"),
        (AttributeTest(("a",), Operator.EQUALS, Literal(None)), "bad-constant"),  # type: ignore[arg-type]
        (AttributeTest(("a",), Operator.EQUALS, Literal("\ud800")), "bad-text"),
        (AttributeTest(("a",), Operator.MATCHES, Literal("(")), "bad-pattern"),
        (AttributeTest((), Operator.EQUALS, Literal(1)), "bad-path"),
        (Has(("",)), "bad-path"),
        (All(()), "empty-list"),
        (Any((Has(("a",)), All(()))), "empty-list"),
        (InSegment("nothing"), "unknown-segment"),
    ],
)
def test_conditions_that_programs_build(when: Expression, code: str | None):
    """Trees that no parser has seen are checked like texts."""
    assert [problem.code for problem in validate(built(when))] == ([] if code is None else [code])


def test_deep_conditions_that_programs_build():
    """A tree of any depth is a problem, never a RecursionError."""
    deep: Expression = Has(("a",))
    for _ in range(1_000_000):
        deep = Not(deep)
    assert [problem.code for problem in validate(built(deep))] == ["too-deep"]


def test_sets_that_programs_build():
    """The other checks see such sets too."""
    flags = {
        "a": Flag(key="a", type=FlagType.STRING, variants={"x": 1}, default="y", requires=(Requirement("b", ("on",)),)),
        "c": Flag(key="c", type=FlagType.OBJECT, variants={"x": {"k": {1, 2}}, "y": {1: 2}}, default={"x": True}),
    }
    segments = {"s": Segment(name="s"), "t": Segment(name="t", attribute=("x",), values=("\ud800", float("inf")))}
    found = validate(FlagSet(flags=flags, segments=segments))
    assert sorted(problem.code for problem in found) == sorted(
        [
            "wrong-type",
            "unknown-variant",
            "unknown-flag",
            "wrong-type",
            "bad-key",
            "out-of-range",
            "bad-segment",
            "bad-text",
            "bad-number",
        ]
    )


def test_errors_beyond_the_limit():
    """Warnings never push errors aside, and too many of either are counted."""
    warned = built(Has(("a",)))
    rules = tuple(Rule(id=f"r{number}", serve="on") for number in range(10))
    broken = Flag(key="f", type=FlagType.BOOLEAN, variants={"on": True}, default="off", rules=rules)
    found = validate(FlagSet(flags={**warned.flags, "f": broken}), Limits(problems=3))
    assert [problem.code for problem in found] == ["unknown-variant", *["unreachable-rule"] * 3, "too-many-problems"]
    assert [problem.severity for problem in found][-1] is Severity.WARNING
