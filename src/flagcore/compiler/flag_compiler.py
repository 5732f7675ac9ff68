"""One flag through all stages: plan, graph, selection, emission, debug information."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from flagcore.bucketing import variant_identity
from flagcore.compiler.debug import describe_flag
from flagcore.compiler.debug_when_asked import asked_sets
from flagcore.compiler.emit import Header, emit_program
from flagcore.compiler.graph import build_graph
from flagcore.compiler.options import Debug, Options
from flagcore.compiler.plan import Plan, plan_flag
from flagcore.compiler.refusal import Refusal
from flagcore.compiler.rows import source_weight
from flagcore.compiler.select import linked_sets, select
from flagcore.compiler.value_objects import ValueObjects
from flagcore.model.flagset import Condition, Flag, Segment
from flagcore.model.tree import All, Any, InSegment, Not, Test
from flagcore.terms import Operator

__all__ = ["FlagProgram", "compile_one"]


class FlagProgram(msgspec.Struct, frozen=True):
    """A compiled flag and what it names."""

    program: bytes
    sets: tuple[str, ...]  # value-set objects, sorted
    segments: frozenset[str]  # named directly or by another
    debug: bytes | None


def compile_one(
    flag: Flag, segments: Mapping[str, Segment], objects: ValueObjects, options: Options, *, debug: Debug
) -> FlagProgram:
    """Compile ``flag``; value-set objects that it needs are built into ``objects``. Raises Refusal."""
    _check_identities(flag)
    plan = plan_flag(flag, segments, objects, options)
    _check_limits(plan, options)
    built = build_graph(plan, options)
    try:
        selection = select(built, plan.views, plan.prerequisites, options)
    except Refusal as refusal:
        _find_place(refusal, flag, segments)
        raise
    header = Header(flag.key, flag.type, flag.variants, [rule.id for rule in flag.rules], flag.metadata)
    try:
        program = emit_program(header, plan.leaves, selection, plan.views)
    except (ValueError, TypeError, OverflowError) as error:
        raise Refusal("bad-value", f"a name or value cannot be written into a program: {error}") from error
    if len(program) > options.program_bytes:
        size, most = len(program), options.program_bytes
        raise Refusal("program-too-large", f"the program takes {size:,} bytes; at most {most:,} are allowed")
    information = None
    sets = linked_sets(selection, plan.views)
    if debug == "when asked":
        sets = tuple(sorted(asked_sets(plan.views).union(sets)))
    elif debug:
        information, probed = describe_flag(flag, segments, objects, options)
        sets = tuple(sorted({*sets, *probed}))
    return FlagProgram(program, sets, plan.segments, information)


def _check_identities(flag: Flag) -> None:
    """Two names with one identity could not be told apart in a split (bucketing.md 2.6)."""
    seen: dict[int, str] = {}
    for name in flag.variants:
        identity = variant_identity(name)
        if identity < 2 or identity in seen:
            other = seen.get(identity, "a reserved number")
            raise Refusal(
                "identity-clash", f"the variant {name!r} hashes like {other!r}: rename it", place=("variants",)
            )
        seen[identity] = name


def _check_limits(plan: Plan, options: Options) -> None:
    weight = source_weight(plan.formulas, plan.rows)
    if weight - len(plan.rows) > options.literal_runs:
        raise Refusal(
            "too-many-tests",
            f"the conditions come to {weight - len(plan.rows):,} tests with their segments in place; "
            f"at most {options.literal_runs:,} are allowed",
            hint="put long lists into segments of values",
        )


def _find_place(refusal: Refusal, flag: Flag, segments: Mapping[str, Segment]) -> None:
    """Say in which rule or segment the pattern stands that is to blame."""
    pattern = refusal.pattern or ""
    for index, rule in enumerate(flag.rules) if pattern else ():
        if rule.when is None or (found := _find_pattern(rule.when, pattern, segments)) is None:
            continue
        refusal.segment, condition = found
        refusal.place = ("rules", index, "when")
        refusal.offset = _offset_of(pattern, condition)
        named = f"rule {rule.id!r}" if refusal.segment is None else f"rule {rule.id!r} of the flag {flag.key!r}"
        refusal.message = f"{named}: {refusal.message}"
        return


def _find_pattern(
    condition: Condition, pattern: str, segments: Mapping[str, Segment]
) -> tuple[str | None, Condition] | None:
    """Return the condition that holds this pattern, the given one or that of a segment, and the segment's name."""
    waiting: list[tuple[str | None, Condition]] = [(None, condition)]
    seen: set[str] = set()
    for owner, when in waiting:
        parts = [when.tree]
        for part in parts:
            match part:
                case All(more) | Any(more):
                    parts += more
                case Not(inner):
                    parts.append(inner)
                case InSegment(name) if name not in seen and (body := segments[name].when) is not None:
                    seen.add(name)
                    waiting.append((name, body))
                case Test(operator=Operator.MATCHES, literals=(literal,)) if literal.value == pattern:
                    return owner, when
    return None


def _offset_of(pattern: str, condition: Condition) -> int | None:
    """Return where the pattern's quotation mark stands in the author's text, None when it is written in another way there."""
    found = -1 if condition.text is None else condition.text.find(pattern)
    return found - 1 if found > 0 else None
