"""Checks of flags and rules (flag-format.md sections 1 and 4, compiler.md section 5)."""

from __future__ import annotations

import pytest

from flagcore.errors import Severity
from flagcore.model import Limits, validate
from flagcore.model.flagset import Flag, FlagSet, Rule
from flagcore.terms import FlagType
from tests.support.flag_texts import flag, problems


def codes(text: str, limits: Limits | None = None) -> list[tuple[str, str]]:
    """Code and path, below the flag ``f``, of every problem."""
    return [
        (problem.code, problem.path.removeprefix("flags.f").removeprefix("."))
        for problem in problems(text, limits=limits)
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("type: string\nvariants: {a: x}\ndefault: a", []),
        ("type: string\nvariants: {a: 1}\ndefault: a", [("wrong-type", "variants.a")]),
        ("type: string\nvariants: {a: null}\ndefault: a", [("wrong-type", "variants.a")]),
        ("type: integer\nvariants: {a: 1, b: -9223372036854775808}\ndefault: a", []),
        ("type: integer\nvariants: {a: 1.0}\ndefault: a", [("wrong-type", "variants.a")]),
        ("type: integer\nvariants: {a: true}\ndefault: a", [("wrong-type", "variants.a")]),
        ("type: integer\nvariants: {a: 9223372036854775808}\ndefault: a", [("bad-number", "variants.a")]),
        ("type: float\nvariants: {a: 1, b: 1.5}\ndefault: a", []),
        ("type: float\nvariants: {a: .inf, b: .nan}\ndefault: a", [("bad-number", "variants.a"), ("bad-number", "variants.b")]),
        ("type: float\nvariants: {a: true}\ndefault: a", [("wrong-type", "variants.a")]),
        ("type: float\nvariants: {a: 9223372036854775808}\ndefault: a", [("bad-number", "variants.a")]),
        ("type: boolean\nvariants: {yes: true, no: false}\ndefault: no", []),
        ("type: boolean\nvariants: {a: 1, b: 'true'}\ndefault: a", [("wrong-type", "variants.a"), ("wrong-type", "variants.b")]),
        ("type: object\nvariants: {a: {x: [1, null, {y: z}]}, b: []}\ndefault: a", []),
        ("type: object\nvariants: {a: text, b: 1, c: null}\ndefault: a", [("wrong-type", f"variants.{name}") for name in "abc"]),
        ("type: object\nvariants: {a: {x: [.inf]}, b: [9223372036854775808]}\ndefault: a",
         [("bad-number", "variants.a.x[0]"), ("bad-number", "variants.b[0]")]),
        ("type: string\ndefault: a", [("missing-key", "variants")]),
        ("type: string\nvariants: {}\ndefault: a", [("no-variants", "variants")]),
        ("type: string\nvariants: []\ndefault: a", [("wrong-type", "variants")]),
        ("variants: {a b: true}\ndefault: a b", [("bad-name", "variants['a b']")]),
        ("default: maybe", [("unknown-variant", "default")]),
        ("default: true", [("wrong-type", "default")]),
        ("default: null", [("wrong-type", "default")]),
        ("default: {on: 1, maybe: 1}", [("unknown-variant", "default.maybe")]),
        ("off_variant: maybe", [("unknown-variant", "off_variant")]),
        ("enabled: no", [("wrong-type", "enabled")]),
        ("purpose: killswitch", [("bad-value", "purpose")]),
        ("type: bool", [("bad-value", "type")]),
        ("expires: 2027-03-01", []),
        ("expires: 2027-02-29", [("bad-date", "expires")]),
        ("expires: 01.03.2027", [("bad-date", "expires")]),
        ("expires: 2027-W01-1", [("bad-date", "expires")]),
        ("metadata: {a: x, b: 1, c: 1.5, d: true}", []),
        ("metadata: {a: null, b: [1], c: {}}", [("wrong-type", f"metadata.{name}") for name in "abc"]),
        ("metadata: {a: .nan, b: 9223372036854775808}", [("bad-number", "metadata.a"), ("bad-number", "metadata.b")]),
        ("metadata: {flagcore.rule: x}", [("bad-name", "metadata.flagcore.rule")]),
        ("tags: [a, 1]\nlinks: x\nowner: 1\ndescription: [x]",
         [("wrong-type", "tags[1]"), ("wrong-type", "links"), ("wrong-type", "owner"), ("wrong-type", "description")]),
        ("bucket_by: 1", [("wrong-type", "bucket_by")]),
        ("bucket_by: tenant id", [("bad-path", "bucket_by")]),
        ("bucket_by: tenant.id\nsalt: ''", []),
        ("defualt: off", [("unknown-key", "defualt")]),
    ],
)  # fmt: skip
def test_flag(body: str, expected: list[tuple[str, str]]):
    """Keys of a flag: types, names, values, references."""
    assert codes(flag(body)) == expected


def rule(body: str, more: str = "") -> str:
    """A flag with the rule whose flow mapping has this body."""
    return flag("rules:\n- {id: r, " + body + "}\n" + more)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("serve: on", []),
        ("split: {on: 1, off: 2}", []),
        ("when: 'x == 1', percent: 0, serve: on", []),
        ("when: 'x == 1', percent: 100.0000, serve: on", []),
        ("percent: 0.0001, serve: on", []),
        ("percent: 33.3333, serve: on", []),
        ("percent: 1.0e-4, serve: on", []),
        ("", [("bad-rule", "")]),
        ("serve: on, split: {on: 1}", [("bad-rule", "")]),
        ("serve: maybe", [("unknown-variant", "serve")]),
        ("serve: true", [("wrong-type", "serve")]),
        ("split: {}", [("empty-split", "split")]),
        ("split: {on: 0, off: 0.0}", [("empty-split", "split")]),
        ("split: {on: -1, off: 1}", [("out-of-range", "split.on")]),
        ("split: {on: .nan, off: 1}", [("out-of-range", "split.on")]),
        ("split: {on: .inf, off: 1}", [("out-of-range", "split.on")]),
        ("split: {on: true, off: 1}", [("wrong-type", "split.on")]),
        ("split: {on: 5%, off: 1}", [("wrong-type", "split.on")]),
        ("split: {on: 1048576, off: 1}", []),
        ("split: {on: 1048577, off: 1}", [("out-of-range", "split")]),
        ("split: {on: 2097152, off: 2}", []),
        ("split: {on: 0.000001, off: 1}", []),
        ("split: {on: 0.0000001, off: 1}", [("out-of-range", "split")]),
        ("split: {on: 1.0e+300, off: 1.0e+300}", []),
        ("split: {on: 1.0e+300, off: 1}", [("out-of-range", "split")]),
        ("split: {on: 0.1, off: 0.2}", []),
        ("split: {on: 1, maybe: 1}", [("unknown-variant", "split.maybe")]),
        ("split: [on]", [("wrong-type", "split")]),
        ("percent: 100.00001, serve: on", [("out-of-range", "percent")]),
        ("percent: -1, serve: on", [("out-of-range", "percent")]),
        ("percent: 12.34567, serve: on", [("out-of-range", "percent")]),
        ("percent: .nan, serve: on", [("wrong-type", "percent")]),
        ("percent: 5%, serve: on", [("wrong-type", "percent")]),
        ("percent: true, serve: on", [("wrong-type", "percent")]),
        ("percent: 5, ramp: [{at: 2026-12-01T00:00:00Z, percent: 1}], serve: on", [("bad-rule", "ramp")]),
        ("ramp: [], serve: on", [("empty-list", "ramp")]),
        ("ramp: {}, serve: on", [("wrong-type", "ramp")]),
        ("ramp: [1], serve: on", [("wrong-type", "ramp[0]")]),
        ("ramp: [{at: 2026-12-01T00:00:00Z}], serve: on", [("missing-key", "ramp[0].percent")]),
        ("ramp: [{percent: 1}], serve: on", [("missing-key", "ramp[0].at")]),
        ("ramp: [{at: today, percent: 1}], serve: on", [("bad-time", "ramp[0].at")]),
        ("ramp: [{at: 2026-12-01T00:00:00Z, percent: 101}], serve: on", [("out-of-range", "ramp[0].percent")]),
        ("ramp: [{at: 2026-12-02T00:00:00Z, percent: 9}, {at: 2026-12-03T00:00:00Z, percent: 1}], serve: on", []),
        ("ramp: [{at: 2026-12-02T00:00:00Z, percent: 1}, {at: 2026-12-02T01:00:00+01:00, percent: 2}], serve: on",
         [("bad-ramp", "ramp[1].at")]),
        ("between: [null, null], serve: on", []),
        ("between: [2026-12-01T00:00:00Z, 2026-12-01T00:00:00.000001Z], serve: on", []),
        ("between: [2026-12-01T00:00:00Z, 2026-12-01T01:00:00+01:00], serve: on", [("bad-window", "between")]),
        ("between: [2026-12-01, null], serve: on", [("bad-time", "between[0]")]),
        ("between: [null], serve: on", [("wrong-type", "between")]),
        ("between: [null, 5], serve: on", [("wrong-type", "between[1]")]),
        ("between: null, serve: on", [("wrong-type", "between")]),
        ("base: percent, split: {on: 1, off: 1}", []),
        ("base: other, serve: on", [("bad-value", "base")]),
        ("when: 'x = 1', serve: on", [("syntax", "when")]),
        ("when: 5, serve: on", [("wrong-type", "when")]),
        ("when: null, serve: on", [("wrong-type", "when")]),
        ("when: {all: [{has: x}, {x: 1}]}, serve: on", [("unknown-key", "when.all[1].x")]),
        ("salt: 1, bucket_by: [x], serve: on", [("wrong-type", "salt"), ("wrong-type", "bucket_by")]),
        ("sreve: on, serve: on", [("unknown-key", "sreve")]),
    ],
)  # fmt: skip
def test_rule(body: str, expected: list[tuple[str, str]]):
    """Keys of a rule: shape, weights, percents, windows, ramps, conditions."""
    found = codes(rule(body))
    assert found == [(code, f"rules[0].{path}".rstrip(".")) for code, path in expected]


def test_rule_ids():
    """Ids are required, follow the pattern of names, and are unique in their flag."""
    rules = ["{serve: on, when: has(a)}", "{id: a b, serve: on, when: has(b)}", "{id: c, when: has(c), serve: on}"]
    text = flag(f"rules: [{', '.join(rules)}, {{id: c, serve: on}}, 5]")
    assert codes(text) == [
        ("missing-key", "rules[0].id"),
        ("bad-name", "rules[1].id"),
        ("duplicate-id", "rules[3].id"),
        ("wrong-type", "rules[4]"),
    ]


@pytest.mark.parametrize(
    ("key", "is_name"),
    [("a", True), ("A9._-", True), ("0", True), ("x" * 255, True), ("x" * 256, False), (".a", False), ("-a", False), ("_a", False),
     ("a b", False),     ("ä", False), ("a/b", False), ("", False)],
)  # fmt: skip
def test_flag_keys(key: str, is_name: bool):
    """Flag keys: 1 to 255 ASCII letters, digits, dots, dashes, underscores, the first a letter or digit."""
    found = validate(FlagSet(flags={key: Flag(key=key, type=FlagType.BOOLEAN, variants={"on": True}, default="on")}))
    assert [problem.code for problem in found] == ([] if is_name else ["bad-name"])


@pytest.mark.parametrize(("name", "is_name"), [("x" * 64, True), ("x" * 65, False), ("a\n", False), ("9", True)])
def test_short_names(name: str, is_name: bool):
    """Variants and rule ids: the same with at most 64 characters."""
    found = validate(
        FlagSet(
            flags={
                "f": Flag(
                    key="f",
                    type=FlagType.BOOLEAN,
                    variants={name: True},
                    default=name,
                    rules=(Rule(id=name, serve=name),),
                )
            }
        )
    )
    assert [problem.code for problem in found] == ([] if is_name else ["bad-name", "bad-name"])


# -- warnings --

UNREACHABLE = "- {id: z, when: 'x == 1', serve: off}"


@pytest.mark.parametrize(
    ("body", "is_unreachable"),
    [
        ("serve: on", True),
        ("when: 'true', serve: on", True),
        ("when: 'has(now) or x == 1', serve: on", True),
        ("when: 'not (false and x == 1)', serve: on", True),
        ("percent: 100, serve: on", True),
        ("between: [null, null], serve: on", True),
        ("split: {on: 1, off: 0}", True),
        ("split: {on: 1, off: 1}", False),
        ("percent: 99.9999, serve: on", False),
        ("between: [2026-12-01T00:00:00Z, null], serve: on", False),
        ("ramp: [{at: 2026-12-01T00:00:00Z, percent: 100}], serve: on", False),
        ("when: has(x), serve: on", False),
        ("when: 'x == 1 or not x == 1', serve: on", False),
    ],
)
def test_rule_after_one_that_always_matches(body: str, is_unreachable: bool):
    """A rule after one that matches every context is unreachable: a warning at that rule. A split of two needs a subject."""
    found = problems(rule(body, UNREACHABLE))
    assert [(problem.code, problem.path, problem.severity) for problem in found] == (
        [("unreachable-rule", "flags.f.rules[1]", Severity.WARNING)] if is_unreachable else []
    )


def test_shadowed_rule():
    """The same condition again, after a rule without gate and window, is a warning; after a gate it is not."""
    assert [code for code, _ in codes(rule("when: 'x == 1', serve: on", UNREACHABLE))] == ["shadowed-rule"]
    assert codes(rule("when: 'x == 1', percent: 5, serve: on", UNREACHABLE)) == []


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("false", ["dead-condition"]),
        ("x == 1 and not true", ["dead-condition"]),
        ("not has(now)", ["dead-condition"]),
        ('x == "a" and y == 1 and x == "b"', ["dead-condition"]),
        ('x in ["a", "b"] and x in ["c"]', ["dead-condition"]),
        ('x in ["a", "b"] and x in ["b"]', []),
        ('x == "a" or x == "b"', []),
        ('x == "a" and x == i"A"', []),
        ('x contains ""', ["empty-needle"]),
        ('x starts_with ["a", ""]', ["empty-needle"]),
        ('x ends_with i""', ["empty-needle"]),
        ('x in ["a", "a", "b"]', ["duplicate-constant"]),
        ("x in [1, 1.0, true]", []),
        ('x in ["a", i"a"]', []),
    ],
)
def test_suspicious_conditions(when: str, expected: list[str]):
    """Conditions that are never true, empty needles and constants named twice are warnings."""
    found = problems(flag(f"rules:\n- id: r\n  serve: on\n  when: '{when}'"))
    assert [problem.code for problem in found] == expected
    assert all(problem.severity is Severity.WARNING for problem in found)


def test_unused_variant():
    """A variant that nothing serves is a warning, for flags that have rules."""
    body = "type: string\nvariants: {a: x, b: y, c: z, d: w}\ndefault: {a: 1}\noff_variant: b\n"
    assert codes(flag(body)) == []
    assert codes(flag(body + "rules: [{id: r, when: has(x), split: {c: 1}}]")) == [("unused-variant", "variants.d")]


def gates(count: int, when: str) -> str:
    """A flag with so many gated rules."""
    rules = "".join(
        f"- {{id: r{number}, when: '{when.format(number)}', percent: 50, serve: on}}\n" for number in range(count)
    )
    return flag("rules:\n" + rules)


def test_many_gates():
    """More than 64 gates that one context may meet are a warning; rules for different values of one attribute exclude each other."""
    assert codes(gates(64, "has(a{})")) == []
    assert codes(gates(65, "has(a{})")) == [("many-gates", "rules")]
    assert codes(gates(200, 'country == "c{}"')) == []


def test_limits():
    """Numbers of flags, rules and segment values, and depth, are limits that can be set."""
    limits = Limits(flags=1, rules_per_flag=1, segment_values=2, depth=2)
    text = (
        "segments: {s: {attribute: x, values: [a, b]}, t: {attribute: x, values: [c]}}\n"
        + rule("when: has(x), serve: on", "- {id: z, when: 'not (x == 1 and not (y == 1 or z == 1))', serve: on}")
        + "  g: {type: object, default: a, variants: {a: [[[1]]]}}\n"
    )
    found = [(problem.code, problem.path) for problem in problems(text, limits=limits)]
    assert sorted(found) == [
        ("too-deep", "flags.f.rules[1].when"),
        ("too-deep", "flags.g.variants.a"),
        ("too-many", "flags"),
        ("too-many", "flags.f.rules"),
        ("too-many", "segments"),
    ]


def test_every_problem_at_once():
    """Faults of different kinds in one document are reported together, in the order of its lines."""
    text = flag(
        "rules:\n- {id: a, when: 'x = 1', serve: onn, percent: 101, sreve: on}\n- {serve: on}\nowner: 5\nexpires: never"
    )
    assert [(problem.line, problem.code) for problem in problems(text)] == [
        (7, "syntax"),
        (7, "unknown-variant"),
        (7, "out-of-range"),
        (7, "unknown-key"),
        (8, "missing-key"),
        (9, "wrong-type"),
        (10, "bad-date"),
    ]


def test_faults_do_not_cause_faults():
    """A value that cannot be read is one problem: nothing that follows from it is reported."""
    assert codes(flag("type: bool\nvariants: {a: 1}\ndefault: a")) == [("bad-value", "type")]
    assert codes(flag("variants: 5\ndefault: a\nrules: [{id: r, serve: b}]")) == [("wrong-type", "variants")]
    assert codes(flag("rules: [{id: r, when: 5, serve: 5}]")) == [
        ("wrong-type", "rules[0].when"),
        ("wrong-type", "rules[0].serve"),
    ]
    assert codes("flags: {f: 5, g: {type: boolean, default: off, requires: [{flag: f, is: on}]}}") == [
        ("wrong-type", "")
    ]


def test_warnings_that_only_follow_from_an_error():
    """A percent out of range makes no rule that always matches; a misspelt variant hides who serves, so that none is called unused."""
    body = "type: string\nvariants: {c: x, d: y}\ndefault: c\n"
    assert codes(flag(body + "rules: [{id: r, percent: 120, serve: c}, {id: s, serve: d}]")) == [
        ("out-of-range", "rules[0].percent")
    ]
    misspelt = flag(body + "rules: [{id: r, when: has(x), serve: dd}]")
    assert codes(misspelt) == [("unknown-variant", "rules[0].serve")]


def test_booleans_as_names_of_variants():
    """YAML reads true as a boolean: the hint says to quote it, or to write what is a text anyway."""
    found = problems(flag("type: string\nvariants: {true: x, off: y}\ndefault: off"))
    assert [(problem.code, problem.hint) for problem in found] == [
        ("bad-key", 'write "true" in quotes, or on and off, which are texts')
    ]
