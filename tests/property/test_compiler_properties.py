"""What compiled programs hold for every flag (docs/design/compiler.md section 7), judged by walking their bytes in Python."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.walkers.graph_walker import count_entries
from benchmarks.walkers.program_walker import Walker
from flagcore.compiler import Options, compile_flag_set
from flagcore.compiler.graph import build_graph
from flagcore.compiler.plan import LeafReason, plan_flag
from flagcore.compiler.reader import ProgramReader
from flagcore.compiler.rows import normalise, source_weight
from flagcore.compiler.value_objects import ValueObjects
from flagcore.model import parse_expression
from flagcore.model.flagset import Condition, FlagSet, Rule
from flagcore.model.tree import Constant
from flagcore.reference import Twin
from flagcore.snapshot.codec import decode_debug
from flagcore.snapshot.objects import Snapshot
from tests.profiles import cases
from tests.support.authored import FLAG, boolean_flag, contexts, expressions, flag_sets, moments
from tests.support.kernel_library import status_text, verify, verify_set

_credits = st.sampled_from([0, 1, 4, 50])
_small_sets = st.sampled_from(  # so that every kind of node occurs on a few rows
    [
        {"small": 0, "least_block": 0, "multi_constants": 1, "forked_cost": 0},
        {"small": 2, "group_rows": 2, "block_rows": 3, "multi_constants": 2},
        {"small": 0, "group_rows": 1, "block_rows": 1, "multi_constants": 2},
        {"least_block": 0, "block_rows": 2, "max_depth": 2, "forked_cost": 0},
        {"max_depth": 0},
        {},
    ]
)
_several_contexts = st.lists(contexts(), min_size=1, max_size=8)
Context = dict[str, object]
Answer = tuple[str | None, str, str | None]


def _compile(flag_set: FlagSet, **options: int) -> Snapshot:
    """Compile, and have the kernel prove every program and value set sound."""
    snapshot = compile_flag_set(flag_set, debug=False, options=Options(check=True, **options)).snapshot  # type: ignore[arg-type]
    assert [status_text(verify(program)) for program in snapshot.programs.values() if verify(program)] == []
    assert [status_text(verify_set(blob)) for blob in snapshot.value_sets.values() if verify_set(blob)] == []
    return snapshot


def _answer(snapshot: Snapshot, context: Context, moment: int) -> Answer:
    ending = Walker(snapshot.programs, snapshot.value_sets, context, moment).evaluate(FLAG)
    if ending.leaf.weights and ending.variant is None:
        return None, "ERROR", ending.leaf.rule
    return ending.variant, LeafReason(ending.leaf.reason).name, ending.leaf.rule


def _expected(flag_set: FlagSet, context: Context, moment: int) -> Answer:
    resolution = Twin(flag_set).evaluate(FLAG, "caller's", context, at=moment)
    return resolution.variant, resolution.reason.value, resolution.rule


@settings(max_examples=cases(80))
@given(flag_sets(most_rules=12), _several_contexts, moments(), _credits, st.sampled_from([0, 3]), _small_sets)
def test_programs_answer_as_the_twin(
    flag_set: FlagSet, given_contexts: list[Context], moment: int, credit: int, direct: int, more: dict[str, int]
) -> None:
    """A compiled flag gives the twin's variant, reason and rule, whatever the credit, the nodes and the use of tables."""
    snapshot = _compile(flag_set, credit_factor=credit, direct_tests=direct, **more)
    for context in given_contexts:
        assert _answer(snapshot, context, moment) == _expected(flag_set, context, moment)


@settings(max_examples=cases(40))
@given(expressions(("s0", "s1", "s2", "many")), flag_sets(most_rules=0), _several_contexts, moments())
def test_probes_answer_as_the_twin(
    condition: object, flag_set: FlagSet, given_contexts: list[Context], moment: int
) -> None:
    """Each probe of the debug information says true, false or unknown exactly where the twin says so of its test."""
    rule = Rule(id="r", when=Condition(condition), serve="on")  # type: ignore[arg-type]
    flag = msgspec.structs.replace(flag_set.flags[FLAG], rules=(rule,))
    compiled = compile_flag_set(msgspec.structs.replace(flag_set, flags={**flag_set.flags, FLAG: flag}))
    debug = decode_debug(compiled.snapshot.debug[FLAG])
    probes = ProgramReader(debug.probes)
    assert verify(debug.probes) == 0
    twin = Twin(flag_set)
    for context in given_contexts:
        walker = Walker({}, compiled.snapshot.value_sets, context, moment)
        truths = [probes.leaves.index(walker.walk(probes, test.entry).leaf) for test in debug.tests]
        answers = [{0: True, 1: False, 2: None}[number] for number in truths]
        found = _kleene(debug.rules[0].tree, answers, debug.segments)
        assert found is twin.test(condition, context, moment)  # type: ignore[arg-type]


def _kleene(tree: object, probes: list[bool | None], segments: dict[str, list[object]]) -> bool | None:
    kind, *rest = tree  # type: ignore[misc]
    if kind in ("probe", "constant"):
        return probes[rest[0]] if kind == "probe" else rest[0]
    if kind == "segment":
        return _kleene(segments[rest[0]], probes, segments) is True
    parts = [_kleene(part, probes, segments) for part in rest]
    if kind == "not":
        return None if parts[0] is None else not parts[0]
    decisive = kind == "any"
    return decisive if decisive in parts else None if None in parts else not decisive


@settings(max_examples=cases(40))
@given(flag_sets(), st.randoms(use_true_random=False))
def test_bytes_do_not_depend_on_the_order_of_mappings(flag_set: FlagSet, shuffle: random.Random) -> None:
    """Flags, segments, variants, weights and metadata in another order give the same bytes, debug information too."""
    before = compile_flag_set(flag_set).snapshot
    shuffled = msgspec.structs.replace(
        flag_set,
        flags={
            key: msgspec.structs.replace(
                flag,
                variants=_shuffled(flag.variants, shuffle),
                default=flag.default if isinstance(flag.default, str) else _shuffled(flag.default, shuffle),
                rules=tuple(
                    msgspec.structs.replace(rule, split=rule.split and _shuffled(rule.split, shuffle))
                    for rule in flag.rules
                ),
            )
            for key, flag in _shuffled(flag_set.flags, shuffle).items()
        },
        segments=_shuffled(flag_set.segments, shuffle),
    )
    assert compile_flag_set(shuffled).snapshot == before
    assert list(compile_flag_set(shuffled).snapshot.programs) == list(before.programs)


def _shuffled(mapping: dict[str, object], shuffle: random.Random) -> dict[str, object]:
    items = list(mapping.items())
    shuffle.shuffle(items)
    return dict(items)


@settings(max_examples=cases(20))
@given(flag_sets(most_rules=20), _credits, _small_sets)
def test_size_keeps_to_the_credit(flag_set: FlagSet, credit: int, more: dict[str, int]) -> None:
    """A graph has at most (4K + 4) W entries, with W the weight of the source."""
    options = Options(credit_factor=credit, check=True, **more)  # type: ignore[arg-type]
    plan = plan_flag(flag_set.flags[FLAG], flag_set.segments, ValueObjects(), options)
    built = build_graph(plan, options)
    weight = source_weight(plan.formulas, normalise(plan.formulas, plan.rows))
    assert count_entries(built.graph, built.root) <= (4 * credit + 4) * weight


@settings(max_examples=cases(40))
@given(flag_sets(), expressions(), _several_contexts, moments())
def test_an_appended_rule_changes_only_who_matched_nothing(
    flag_set: FlagSet, condition: object, given_contexts: list[Context], moment: int
) -> None:
    """Contexts that some rule matched get the same answer after a rule is appended."""
    flag = flag_set.flags[FLAG]
    more = Rule(id="last", when=Condition(condition), serve="third")  # type: ignore[arg-type]
    longer = msgspec.structs.replace(flag, rules=(*flag.rules, more))
    before, after = (
        _compile(flag_set),
        _compile(msgspec.structs.replace(flag_set, flags={**flag_set.flags, FLAG: longer})),
    )
    for context in given_contexts:
        answer = _answer(before, context, moment)
        if answer[2] is not None:
            assert _answer(after, context, moment) == answer


@settings(max_examples=cases(40))
@given(flag_sets(), expressions(), st.integers(0, 8), _several_contexts, moments())
def test_a_rule_behind_one_that_always_matches_changes_nothing(
    flag_set: FlagSet, condition: object, place: int, given_contexts: list[Context], moment: int
) -> None:
    """Deleting a shadowed rule changes no answer."""
    flag = flag_set.flags[FLAG]
    rules = (*flag.rules[:place], Rule(id="all", when=Condition(Constant(True)), serve="on"))
    shadowed = Rule(id="shadowed", when=Condition(condition), serve="off")  # type: ignore[arg-type]
    with_and_without = []
    for found in (rules, (*rules, shadowed)):
        changed = msgspec.structs.replace(flag, rules=found)
        with_and_without.append(_compile(msgspec.structs.replace(flag_set, flags={**flag_set.flags, FLAG: changed})))
    for context in given_contexts:
        first, second = (_answer(snapshot, context, moment) for snapshot in with_and_without)
        assert first == second


@settings(max_examples=cases(15))
@given(flag_sets(), flag_sets())
def test_recompiling_takes_over_what_did_not_change(before: FlagSet, after: FlagSet) -> None:
    """With an earlier result the bytes are those of a fresh compilation, and only what changed was compiled."""
    flags = {**after.flags, "other": msgspec.structs.replace(before.flags[FLAG], key="other", requires=())}
    second = msgspec.structs.replace(after, flags=flags, segments=before.segments)
    first = msgspec.structs.replace(before, flags={**before.flags, "other": flags["other"]})
    previous = compile_flag_set(first)
    again = compile_flag_set(second, previous=previous)
    assert again.snapshot == compile_flag_set(second).snapshot
    assert "other" not in again.recompiled


# --- contained constants ------------------------------------------------------------------------------------------------

_words = st.sampled_from(["a", "A", "b", "B", "ab", "aB", "ß", "c" * 14, "C" * 14])


@st.composite
def _contained(draw: st.DrawFn) -> Rule:
    """A rule ``tags contains ...`` of one constant or several, some of which ignore case, and perhaps another test."""
    constants = draw(st.lists(st.tuples(st.sampled_from(["", "i"]), _words), min_size=1, max_size=9))
    quoted = ", ".join(f'{prefix}"{word}"' for prefix, word in constants)
    text = f"tags contains [{quoted}]" if len(constants) > 1 else f"tags contains {quoted}"
    text += draw(st.sampled_from(["", ' and x == "1"', " and n > 3", ' and not (tags contains "b")']))
    return Rule(id="r", when=Condition(parse_expression(text), text), serve="on")


@settings(max_examples=cases(150))
@given(
    st.lists(_contained(), min_size=2, max_size=12),
    st.one_of(st.lists(st.one_of(_words, st.just(1), st.none()), max_size=4), _words, st.none()),
    st.sampled_from([{}, {"x": "1"}, {"n": 4}, {"x": "1", "n": 3}]),
    _credits,
)
def test_rows_by_contained_constants_answer_as_the_twin(
    rules: list[Rule], tags: object, more: Context, credit: int
) -> None:
    """Elements of lists and parts of texts, with and without case, one constant or many: the first rule that holds decides."""
    named = [msgspec.structs.replace(rule, id=f"r{number}") for number, rule in enumerate(rules)]
    flag_set = FlagSet(flags={FLAG: boolean_flag(*named)})
    snapshot = _compile(flag_set, credit_factor=credit, multi_constants=1, forked_cost=0)
    context: Context = {"tags": tags, **more}
    assert _answer(snapshot, context, 0) == _expected(flag_set, context, 0)
