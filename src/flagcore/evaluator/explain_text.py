"""Explanations as text for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flagcore.evaluator.explain import Condition, Explanation, GateStep, RequirementStep, RuleStep

__all__ = ["print_explanation", "shown"]

LONGEST = 60
WORDS = {True: "true", False: "false", None: "null"}
MARKS = {True: "true   ", False: "false  ", None: "unknown"}


def shown(value: object, *, is_time: bool = False) -> str:
    """Return a value as text of bounded length, in authors' words where they have one, whatever its ``repr`` does."""
    if value is None or value is True or value is False:
        return WORDS[value]
    if is_time and isinstance(value, int):
        return moment(value)
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a foreign repr may raise anything
        text = f"<{type(value).__name__}>"
    if isinstance(value, str) and text[:1] == "'" and '"' not in text:
        text = f'"{text[1:-1]}"'
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= LONGEST else text[: LONGEST - 4] + " ..."


def moment(microseconds: int) -> str:
    """Return a time as RFC 3339 text, or as a number when no calendar has it."""
    from datetime import UTC, datetime, timedelta

    try:
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        return f"{microseconds} us"
    return when.isoformat().replace("+00:00", "Z")


def print_explanation(explanation: Explanation) -> str:
    """Return the explanation in lines."""
    return "\n".join(_lines(explanation))


def _lines(explanation: Explanation) -> Iterator[str]:
    value = "the caller's default value" if explanation.variant is None else shown(explanation.value)
    yield f"{explanation.flag_key} = {value} ({', '.join(_decided(explanation))})"
    yield f"  evaluated as of {moment(explanation.at)}, revision {explanation.revision}"
    if explanation.error_message:
        yield f"  {explanation.error_message}"
    if explanation.note:
        yield f"  {explanation.note}"
    for requirement in explanation.requirements:
        yield f"  requires {_requirement(requirement)}"
    for rule in explanation.rules:
        yield from _rule(rule)
    if explanation.default is not None:
        yield from _rule(explanation.default)


def _decided(explanation: Explanation) -> Iterator[str]:
    """Yield what the value stands for, who decided, and the reason or error."""
    if explanation.variant:
        yield f"variant {explanation.variant}"
    if explanation.rule:
        yield f"by rule {explanation.rule}" if not explanation.rule.startswith("requires:") else explanation.rule
    elif explanation.default is not None and explanation.default.status == "matched":
        yield "by default"
    yield explanation.error_code or explanation.reason


def _requirement(step: RequirementStep) -> str:
    wanted = f"{step.flag} to be {' or '.join(step.accepted)}"
    if not step.reached:
        return f"{wanted}: not reached"
    found = f"is {step.variant}" if step.variant else "serves no variant"
    return f"{wanted}: it {found}, {'met' if step.met else 'NOT met'}"


def _rule(step: RuleStep) -> Iterator[str]:
    name = f"rule {step.id}" if step.id else "default"
    if step.status == "not reached":
        yield f"  {name}: not reached"
        return
    if not step.id and step.status == "matched":
        yield f"  {name}: {f'serves {step.serve}' if step.serve else 'splits'}, as no rule matched"
    elif step.status == "matched":
        yield f"  {name}: MATCHED, {f'serves {step.serve}' if step.serve else 'splits'}"
    else:
        yield f"  {name}: no, {step.stopped_by}"
    if step.text:
        yield f"      when {' '.join(step.text.split())}"
    if step.condition is not None:
        yield from _condition(step.condition, 6)
    if step.window is not None:
        yield from _condition(step.window, 6)
    if step.gate is not None:
        yield f"      gate {_gate(step.gate)}"
    for share in step.split:
        mark = "  <- wins" if share.wins else ""
        yield f"      {share.variant}: has {_percent(share.has)}, needs {_percent(share.needs)}{mark}"


def _condition(condition: Condition, indent: int) -> Iterator[str]:
    mark = f"{' ' * indent}{MARKS[condition.truth]} "
    if condition.kind == "test":
        found = "is missing" if condition.value is None else f"is {condition.value}"
        yield f"{mark}{condition.text}    ({condition.attribute} {found})"
        return
    if condition.kind in ("all", "any") and len(condition.parts) == 1:
        yield from _condition(condition.parts[0], indent)
        return
    again = "" if condition.parts else "    (see above)"
    words = {"all": "all of", "any": "any of", "not": "not", "segment": f'segment("{condition.text}"){again}'}
    yield mark + words.get(condition.kind, condition.text or condition.kind)
    for part in condition.parts:
        yield from _condition(part, indent + 4)


def _gate(gate: GateStep) -> str:
    kind = "ramp, " if gate.ramp else ""
    boundary = f"boundary {gate.boundary_percent:g} %"
    if gate.bucket is None:
        return f"{kind}{boundary}: {gate.attribute} is missing, or cannot be bucketed{', everybody is inside' * gate.inside}"
    return f"{kind}position {gate.position_percent:.4f} %, {boundary}: {'inside' if gate.inside else 'outside'}"


def _percent(parts: int) -> str:
    return f"{parts / 10_000:.4f}".rstrip("0").rstrip(".") + " %"
