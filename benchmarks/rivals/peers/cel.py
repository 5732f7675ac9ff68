"""CEL, Google's expression language, in its Rust implementation for Python: each flag is a compiled expression."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.rivals.buckets import SCALE, bucket
from benchmarks.rivals.peer import Asked, Peer
from benchmarks.rivals.plain import VERSION_AT_LEAST, PlainFlag, PlainRule, PlainSet, Test

CHAIN = 20  # rules in one expression: the parser refuses a hundred nested alternatives


def document(flags: PlainSet) -> str:
    return json.dumps({flag.key: _expressions(flag, flags.segments) for flag in flags.flags})


def _expressions(flag: PlainFlag, sets: dict[str, list[str]]) -> list[str]:
    """Return expressions to be tried in turn; all but the last give null when none of their rules matches."""
    default = str(flag.default).lower()
    alternatives = [_alternative(rule, sets) for rule in flag.rules]
    chains = [alternatives[start : start + CHAIN] for start in range(0, len(alternatives), CHAIN)] or [[]]
    ends = ["null"] * (len(chains) - 1) + [default]
    return [" : ".join([*chain, end]) for chain, end in zip(chains, ends, strict=True)]


def _alternative(rule: PlainRule, sets: dict[str, list[str]]) -> str:
    condition = "true" if rule.test is None else _condition(rule.test, sets)
    inside = round(rule.percent * rule.share / 100 / 100 * SCALE)
    if inside in {0, SCALE}:
        return f"{condition} ? {str(inside > 0).lower()}"
    if rule.percent < 100:
        return f"{condition} && bucket < {inside} ? true"
    return f"{condition} ? bucket < {inside}"


def _condition(test: Test, sets: dict[str, list[str]]) -> str:
    if test.operator == "in_segment":
        return f"{test.attribute} in {json.dumps(sets[str(test.value)])}"
    if test.operator == VERSION_AT_LEAST:
        return f"{test.attribute} >= {str(test.value).partition('.')[0]}"
    text = json.dumps(test.value)
    calls = {"starts_with": f"{test.attribute}.startsWith({text})", "ends_with": f"{test.attribute}.endsWith({text})"}
    return calls.get(test.operator, f"{test.attribute} {test.operator} {text}")


def open_document(text: str) -> Asked:
    import cel

    read = json.loads(text)
    programs = {key: [cel.compile(part) for part in parts] for key, parts in read.items()}

    def first(parts: list[Any], context: object) -> object:
        for part in parts:
            answer = part.execute(context)
            if answer is not None:
                return answer
        return None

    names: dict[str, object] = {"programs": programs, "bucket": bucket, "first": first}
    if "bucket <" in text:
        given = '{**context, "bucket": bucket(key, context["targetingKey"])}'
        return Asked(f"programs[key][0].execute({given})", names, _context)
    if any(len(parts) > 1 for parts in programs.values()):
        return Asked("first(programs[key], context)", names, lambda context: cel.Context(_context(context)))
    return Asked("programs[key][0].execute(context)", names, lambda context: cel.Context(_context(context)))


def _context(context: dict[str, Any]) -> dict[str, Any]:
    if "app_version" not in context:
        return context
    return {**context, "app_version": int(context["app_version"].partition(".")[0])}


PEER = Peer(
    title="CEL",
    package="common-expression-language",
    document=document,
    open=open_document,
    what="Program.execute of an expression a flag; no flag engine: no hash, no versions",
    notes={
        "W3": "The caller adds a bucket (crc32) to a copy of the context, at each call.",
        "W4": "As W3; versions compare as major numbers.",
        "W5": "Five expressions of 20 rules each, tried in turn by the caller: the parser refuses longer ones.",
        "W6": "Fifty expressions, as W5.",
        "W8": "As W3; one call a flag.",
    },
)
