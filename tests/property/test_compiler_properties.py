"""What compiled programs hold for every flag (specs/compiler.md section 7), judged by walking their bytes in Python."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.compiler import Options, compile_flag_set
from flagcore.compiler.plan import LeafReason
from flagcore.model.flagset import FlagSet
from flagcore.reference import Twin
from tests.profiles import cases
from tests.support.authored import FLAG, contexts, flag_sets, moments
from tests.support.program_walker import Walker


def _answer(flag_set: FlagSet, context: dict[str, object], moment: int, options: Options) -> tuple[object, ...]:
    snapshot = compile_flag_set(flag_set, debug=False, options=options).snapshot
    ending = Walker(snapshot.programs, snapshot.value_sets, context, moment).evaluate(FLAG)
    missing = ending.leaf.weights and ending.variant is None
    reason = "ERROR" if missing else LeafReason(ending.leaf.reason).name
    return ending.variant, reason, None if missing else ending.leaf.rule


def _expected(flag_set: FlagSet, context: dict[str, object], moment: int) -> tuple[object, ...]:
    resolution = Twin(flag_set).evaluate(FLAG, "caller's", context, at=moment)
    return resolution.variant, resolution.reason.value, resolution.rule


@settings(max_examples=cases(400))
@given(
    flag_sets(),
    st.lists(contexts(), min_size=1, max_size=6),
    moments(),
    st.sampled_from([0, 1, 4, 50]),
    st.sampled_from([0, 3]),
)
def test_programs_answer_as_the_twin(
    flag_set: FlagSet, given_contexts: list[dict[str, object]], moment: int, credit: int, direct: int
) -> None:
    """A compiled flag gives the twin's variant, reason and rule, whatever the credit and the use of tables."""
    options = Options(credit_factor=credit, direct_tests=direct)
    for context in given_contexts:
        assert _answer(flag_set, context, moment, options) == _expected(flag_set, context, moment)
