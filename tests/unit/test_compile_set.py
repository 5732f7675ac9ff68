"""Whole sets: what is compiled again, what is refused, what 10,000 rules and hostile sets come to."""

from __future__ import annotations

import gc

import msgspec
import pytest

from benchmarks.walkers.program_walker import Walker
from flagcore.compiler import Compiled, Options, compile_flag, compile_flag_set, flag_compiler
from flagcore.errors import FlagSetError
from flagcore.model import build_flag_set, parse_expression
from flagcore.model.flagset import Condition, Flag, FlagSet, Requirement, Rule, Segment
from flagcore.snapshot.codec import decode_debug
from flagcore.terms import FlagType
from tests.support.authored import boolean_flag
from tests.support.kernel_library import Linked, verify, verify_set


def _flag(key: str, when: str, **more: object) -> Flag:
    return boolean_flag(Rule(id="r", when=Condition(parse_expression(when), when), serve="on"), key=key, **more)


def _segment(name: str, when: str) -> Segment:
    return Segment(name=name, when=Condition(parse_expression(when), when))


def _values(name: str, *values: object) -> Segment:
    return Segment(name=name, attribute=("id",), values=values)  # type: ignore[arg-type]


def _set(*flags: Flag, segments: tuple[Segment, ...] = ()) -> FlagSet:
    return FlagSet(flags={flag.key: flag for flag in flags}, segments={segment.name: segment for segment in segments})


_BIG = tuple(f"v{n}" for n in range(100))
_BASE = _set(
    _flag("plain", 'x == "a"'),
    _flag("direct", 'segment("inner")'),
    _flag("nested", 'not segment("outer")'),
    _flag("big", 'segment("values")'),
    segments=(_segment("inner", 'x == "a"'), _segment("outer", 'segment("inner") or y > 1'), _values("values", *_BIG)),
)


def _again(changed: FlagSet, previous: Compiled) -> Compiled:
    again = compile_flag_set(changed, previous=previous, revision=2)
    fresh = compile_flag_set(changed, revision=2)
    assert again.snapshot == fresh.snapshot
    assert list(again.snapshot.programs) == list(fresh.snapshot.programs)
    return again


def _with_segment(flag_set: FlagSet, segment: Segment) -> FlagSet:
    return msgspec.structs.replace(flag_set, segments={**flag_set.segments, segment.name: segment})


def _with_flag(flag_set: FlagSet, flag: Flag) -> FlagSet:
    return msgspec.structs.replace(flag_set, flags={**flag_set.flags, flag.key: flag})


# --- incremental --------------------------------------------------------------------------------------------------------


def test_nothing_changed_nothing_compiled() -> None:
    """The same set again, also read anew from its source, takes every program over."""
    first = compile_flag_set(_BASE)
    assert first.recompiled == frozenset(_BASE.flags)
    read_anew = msgspec.msgpack.decode(msgspec.msgpack.encode(_BASE.flags["plain"].metadata))
    assert read_anew == {}
    assert _again(_BASE, first).recompiled == frozenset()
    copied = _with_flag(_BASE, _flag("plain", 'x == "a"'))
    assert _again(copied, first).recompiled == frozenset()


@pytest.mark.parametrize(
    ("segment", "recompiled"),
    [
        (_segment("inner", 'x == "b"'), {"direct", "nested"}),
        (_segment("outer", "y > 2"), {"nested"}),
        (_values("values", *_BIG, "more"), {"big"}),
        (_values("values", "one"), {"big"}),
        (_segment("unused", "y > 2"), set()),
    ],
)
def test_a_changed_segment_recompiles_who_names_it(segment: Segment, recompiled: set[str]) -> None:
    """Directly or through another segment; all other programs keep their bytes."""
    first = compile_flag_set(_BASE)
    again = _again(_with_segment(_BASE, segment), first)
    assert again.recompiled == recompiled
    for key in set(_BASE.flags) - recompiled:
        assert again.snapshot.programs[key] is first.snapshot.programs[key]


def test_changed_added_and_removed_flags() -> None:
    """Only what changed is compiled; what is gone leaves the snapshot with its value sets."""
    first = compile_flag_set(_BASE)
    assert _again(_with_flag(_BASE, _flag("plain", 'x == "b"')), first).recompiled == {"plain"}
    assert _again(_with_flag(_BASE, _flag("a-new-one", 'x == "b"')), first).recompiled == {"a-new-one"}
    fewer = msgspec.structs.replace(_BASE, flags={k: f for k, f in _BASE.flags.items() if k != "big"})
    again = _again(fewer, first)
    assert again.recompiled == frozenset()
    assert again.snapshot.value_sets == {}
    assert "big" not in again.snapshot.debug


def test_many_edits_in_a_row() -> None:
    """Each of many revisions made from the one before is what compiling it afresh gives, with its debug information in order."""
    flag_set = _set(*(_flag(f"f{n:02}", f"x == {n}") for n in reversed(range(20))))
    compiled = compile_flag_set(flag_set)
    for turn in range(12):
        key = f"f{(7 * turn) % 20:02}"
        flag_set = _with_flag(flag_set, _flag(key, f"y == {turn}"))
        compiled = _again(flag_set, compiled)
        assert compiled.recompiled == {key}
        assert list(compiled.snapshot.debug) == list(compiled.flags) == sorted(flag_set.flags)
        assert decode_debug(compiled.snapshot.debug[key]).rules[0].text == f"y == {turn}"


def test_flags_in_another_order_are_the_same_flags() -> None:
    """The order of a set is not looked at: nothing is compiled again, one flag in place of another is."""
    first = compile_flag_set(_BASE)
    turned = msgspec.structs.replace(_BASE, flags=dict(reversed(_BASE.flags.items())))
    assert _again(turned, first).recompiled == frozenset()
    renamed = {key: flag for key, flag in turned.flags.items() if key != "plain"} | {"z": _flag("z", 'x == "a"')}
    assert _again(msgspec.structs.replace(_BASE, flags=renamed), first).recompiled == {"z"}


def test_one_is_not_true_when_looking_for_changes() -> None:
    """``1``, ``1.0`` and ``true`` are equal in Python and different in a flag."""
    kinds = {"type": FlagType.OBJECT, "default": "v"}
    first = compile_flag_set(_set(boolean_flag(key="o", variants={"v": {"a": 1}}, **kinds)))
    for other in (True, 1.0):
        changed = _set(boolean_flag(key="o", variants={"v": {"a": other}}, **kinds))
        assert _again(changed, first).recompiled == {"o"}


def test_other_settings_compile_everything() -> None:
    """Programs made with other options or without debug information are not mixed in."""
    first = compile_flag_set(_BASE)
    assert compile_flag_set(_BASE, previous=first, options=Options(credit_factor=1)).recompiled == set(_BASE.flags)
    stripped = compile_flag_set(_BASE, previous=first, debug=False)
    assert (stripped.recompiled, stripped.snapshot.debug) == (set(_BASE.flags), {})
    assert stripped.snapshot.programs == first.snapshot.programs


def test_unchanged_flags_are_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stages run for the changed flag only."""
    first = compile_flag_set(_BASE)
    planned: list[str] = []
    plan = flag_compiler.plan_flag
    monkeypatch.setattr(flag_compiler, "plan_flag", lambda flag, *rest: planned.append(flag.key) or plan(flag, *rest))
    compile_flag_set(_with_flag(_BASE, _flag("plain", 'x == "b"')), previous=first)
    assert planned == ["plain"]


def test_a_flag_depends_on_names_only() -> None:
    """A prerequisite's content, and the order of the flags, change nothing in the programs that name it."""
    above = _flag("above", 'x == "a"', requires=(Requirement("below", ("on",)),))
    first = compile_flag_set(_set(above, _flag("below", 'y == "b"')))
    second = compile_flag_set(_set(_flag("below", "z > 3"), above))
    assert first.snapshot.programs["above"] == second.snapshot.programs["above"]
    alone = compile_flag(_set(above), "above")
    assert alone.program == first.snapshot.programs["above"]
    assert alone.debug == first.snapshot.debug["above"]


def test_epoch_revision_and_progress() -> None:
    """They are handed through; progress counts every flag once, up to the whole."""
    calls: list[tuple[int, int]] = []
    compiled = compile_flag_set(_BASE, epoch=7, revision=9, progress=lambda done, total: calls.append((done, total)))
    assert (compiled.snapshot.epoch, compiled.snapshot.revision) == (7, 9)
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    calls.clear()
    changed = _with_flag(_BASE, _flag("plain", 'x == "b"'))
    compile_flag_set(changed, previous=compiled, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(4, 4)]


def test_value_sets_are_shared() -> None:
    """Two flags with one long list, and two that name one big segment, share the objects."""
    listed = "x in [" + ", ".join(f'"t{n}"' for n in range(100)) + "]"
    flags = (
        _flag("a", listed),
        _flag("b", f"not ({listed})"),
        _flag("c", 'segment("values")'),
        _flag("d", 'segment("values")'),
    )
    snapshot = compile_flag_set(_set(*flags, segments=(_values("values", *_BIG),))).snapshot
    assert len(snapshot.value_sets) == 2
    assert all(verify_set(blob) == 0 for blob in snapshot.value_sets.values())
    linked = Linked(list(snapshot.programs.values()), snapshot.value_sets)
    assert linked.walk("a", {"x": "t99"}).leaf == 0
    assert linked.walk("c", {"id": "v99"}).leaf == 0
    assert linked.walk("c", {"id": "w"}).leaf == 1


# --- refused ------------------------------------------------------------------------------------------------------------


def _problems(flag_set: FlagSet, **options: int) -> list[tuple[str, str]]:
    with pytest.raises(FlagSetError) as caught:
        compile_flag_set(flag_set, options=Options(**options))  # type: ignore[arg-type]
    return [(problem.code, problem.path) for problem in caught.value.problems]


def test_all_problems_are_reported() -> None:
    """What only building can tell is collected over all flags, each with its path."""
    flag_set = _set(
        _flag("a", 'segment("nowhere")'),
        _flag("b", 'x == "fine"'),
        boolean_flag(Rule(id="r", serve="gone"), key="c"),
        boolean_flag(Rule(id="q", serve="on"), Rule(id="r", serve="on", percent=0.00001), key="d"),
        boolean_flag(key="e", default={"on": 0}),
    )
    assert _problems(flag_set) == [
        ("unknown-segment", "flags.a.rules[0]"),
        ("unknown-variant", "flags.c"),
        ("out-of-range", "flags.d.rules[1]"),
        ("out-of-range", "flags.e.default"),
    ]


def test_limits() -> None:
    """Too many tests, a program too large, an automaton too large: each with its code."""
    many = _set(
        boolean_flag(
            *(Rule(id=f"r{n}", when=Condition(parse_expression(f"x == {n}")), serve="on") for n in range(50)), key="f"
        )
    )
    assert _problems(many, literal_runs=49) == [("too-many-tests", "flags.f")]
    assert _problems(many, program_bytes=1000) == [("program-too-large", "flags.f")]
    pattern = _set(_flag("f", 'x matches "(a|b)*a(a|b){40}"'))
    assert _problems(pattern, automaton_states=50)[0][0] == "automaton-too-large"


def test_an_automaton_too_large_names_pattern_and_rule() -> None:
    """The problem says which pattern needs too much, of several, and in which rule it stands, also inside a segment."""
    document = {
        "schema": "flagcore/v1",
        "segments": {
            "odd": {"when": 'not (x matches "(a|b)*a(a|b){40}")'},
            "one": {"when": 'segment("odd") or has(y)'},
        },
        "flags": {
            "direct": {
                "type": "boolean",
                "default": "off",
                "rules": [
                    {"id": "well", "when": 'x matches "ab+"', "serve": "on"},
                    {"id": "dear", "when": 'has(x) and x matches "(a|b)*a(a|b){40}"', "serve": "on"},
                ],
            },
            "nested": {
                "type": "boolean",
                "default": "off",
                "rules": [{"id": "r", "when": 'segment("one") or x matches "b"', "serve": "on"}],
            },
        },
    }
    with pytest.raises(FlagSetError) as caught:
        compile_flag_set(build_flag_set(document).flag_set)
    found = {problem.path: problem.message for problem in caught.value.problems}
    assert list(found) == ["flags.direct.rules[1].when", "segments.odd.when"]
    assert all("the pattern '(a|b)*a(a|b){40}' on 'x' cannot be compiled" in message for message in found.values())
    assert found["flags.direct.rules[1].when"].startswith("rule 'dear': ")
    assert found["segments.odd.when"].startswith("rule 'r' of the flag 'nested': ")


def test_a_long_list_counts_as_one_test() -> None:
    """The constants of value sets are not counted against the limit of tests."""
    listed = "x in [" + ", ".join(f'"t{n}"' for n in range(300)) + "]"
    compile_flag_set(_set(_flag("f", listed)), options=Options(literal_runs=1))


def test_names_with_one_identity_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two variants that hash alike could not be told apart in a split; 0 and 1 are reserved."""
    for identities in ({"on": 5, "off": 5}, {"on": 5, "off": 1}):
        monkeypatch.setattr(flag_compiler, "variant_identity", identities.__getitem__)
        assert _problems(_set(boolean_flag(key="f"))) == [("identity-clash", "flags.f.variants")]


def test_values_that_no_program_can_hold() -> None:
    """Lone surrogates and integers beyond 64 bits in values are refused, not crashed over."""
    for kind, value in (
        (FlagType.STRING, "\ud800"),
        (FlagType.OBJECT, {"a": float("nan")}),
        (FlagType.OBJECT, {"a": object()}),
    ):
        flag = Flag(key="f", type=kind, variants={"v": value}, default="v")
        assert _problems(_set(flag)) == [("bad-value", "flags.f")]


# --- size ---------------------------------------------------------------------------------------------------------------


def _expect_rule(program: bytes, context: dict[str, object], rule: str | None) -> int:
    """Check which rule decides; returns the nodes visited."""
    ending = Walker({"f": program}, {}, context).evaluate("f")
    assert ending.leaf.rule == rule
    return ending.steps


def test_ten_thousand_rules() -> None:
    """A flag of 10,000 rules over several attributes compiles, is sound, and answers as its rules say."""
    rules = tuple(
        Rule(
            id=f"r{n}", when=Condition(parse_expression(f'tenant == "t{n % 5000}" and plan == "p{n % 7}"')), serve="on"
        )
        for n in range(10_000)
    )
    compiled = compile_flag(_set(boolean_flag(*rules, key="f")), "f")
    assert verify(compiled.program) == 0
    assert _expect_rule(compiled.program, {"tenant": "t4321", "plan": f"p{4321 % 7}"}, "r4321") <= 3
    assert _expect_rule(compiled.program, {"tenant": "t1", "plan": f"p{5001 % 7}"}, "r5001") <= 3
    assert _expect_rule(compiled.program, {"tenant": "t1", "plan": "p5"}, None) <= 3


def test_ten_thousand_rules_on_as_many_attributes() -> None:
    """Rules that share nothing are a chain of 10,000 tests, built without recursion."""
    rules = tuple(
        Rule(id=f"r{n}", when=Condition(parse_expression(f"a{n} == 1 or has(a{n}.b)")), serve="on")
        for n in range(10_000)
    )
    compiled = compile_flag(_set(boolean_flag(*rules, key="f")), "f")
    assert verify(compiled.program) == 0
    _expect_rule(compiled.program, {"a9999": 1}, "r9999")
    _expect_rule(compiled.program, {"a5000": {"b": 1}}, "r5000")


def test_one_rule_of_thousands_of_tests() -> None:
    """A single condition of 4,500 ors over three attributes merges into three literals."""
    parts = " or ".join(f'x == "v{n}" or y == {n} or z ends_with "-{n}"' for n in range(1_500))
    compiled = compile_flag(_set(_flag("f", parts)), "f")
    assert verify(compiled.program) == 0
    for context in ({"x": "v1499"}, {"y": 17}, {"z": "a-1234"}):
        _expect_rule(compiled.program, context, "r")
    _expect_rule(compiled.program, {"x": "w", "y": -1, "z": "1234"}, None)


def test_a_rule_of_thousands_of_alternatives() -> None:
    """Alternatives are met part by part beside other rules: a few steps, not one for each of them."""
    either = " or ".join(f'(x == "v{n}" and y == {n})' for n in range(2_000))
    rules = (either, 'x == "v3"', "y == 4")
    flag = boolean_flag(
        *(Rule(id=f"r{n}", when=Condition(parse_expression(text)), serve="on") for n, text in enumerate(rules)), key="f"
    )
    compiled = compile_flag(_set(flag), "f")
    assert verify(compiled.program) == 0
    assert _expect_rule(compiled.program, {"x": "v1999", "y": 1999}, "r0") <= 4
    assert _expect_rule(compiled.program, {"x": "v3", "y": 7}, "r1") <= 4
    assert _expect_rule(compiled.program, {"x": "v9", "y": 4}, "r2") <= 4


def test_a_segment_of_many_values() -> None:
    """A hundred thousand values stand in an object of their own; the program stays tiny."""
    segment = _values("s", *(f"tenant-{n}" for n in range(100_000)))
    compiled = compile_flag(_set(_flag("f", 'segment("s")'), segments=(segment,)), "f")
    assert len(compiled.program) < 400
    assert verify_set(compiled.value_sets["segment:s"]) == 0
    debug = decode_debug(compiled.debug)
    assert debug.tests[0].text == "id in segment 's' of 100000 values"


def test_every_program_of_a_set_links() -> None:
    """Programs and probe programs of a set are sound, and the set links as one."""
    compiled = compile_flag_set(_BASE)
    for data in [
        *compiled.snapshot.programs.values(),
        *(decode_debug(d).probes for d in compiled.snapshot.debug.values()),
    ]:
        assert verify(data) == 0
    linked = Linked(list(compiled.snapshot.programs.values()), compiled.snapshot.value_sets)
    assert linked.count == 4


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_left_as_it_was(was_on: bool) -> None:
    """The search for garbage pauses while flags are compiled, and is afterwards what it was, also when a flag is refused."""
    before = gc.isenabled()
    try:
        (gc.enable if was_on else gc.disable)()
        compile_flag_set(_BASE)
        assert gc.isenabled() is was_on
        with pytest.raises(FlagSetError):
            compile_flag_set(_BASE, options=Options(literal_runs=0))
        assert gc.isenabled() is was_on
    finally:
        (gc.enable if before else gc.disable)()
