"""How a flag comes to its answer: rule by rule, test by test, down to the bucket number.

Walks the debug information in the author's words (DebugFlag). Each test is run by the kernel itself, on its probe
program; Kleene's logic puts them together as flag-format.md section 2 says. The answer on top is the evaluation's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from flagcore.errors import MalformedProgramError, SnapshotError
from flagcore.evaluator._program import EvaluationDetails, Evaluator, bucket_of, mixed, text_identity, waiting_time
from flagcore.evaluator.explain_text import print_explanation, shown
from flagcore.snapshot.codec import decode_debug
from flagcore.snapshot.objects import DebugFlag, DebugGate, DebugRule

__all__ = ["Condition", "Explanation", "GateStep", "RequirementStep", "RuleStep", "ShareStep", "explain"]

BUCKETS = 1_000_000
RULE = "flagcore.rule"
OVERRIDE = "flagcore.override"
MATCHED, NOT_MATCHED, NOT_REACHED = "matched", "not matched", "not reached"


class Condition(msgspec.Struct, frozen=True):
    """A condition, or a part of one, and what it says of the context: true, false, or unknown (None)."""

    kind: str  # all, any, not, segment, test, constant
    truth: bool | None
    text: str | None = None  # test: the author's; segment: its name
    attribute: str | None = None  # of a test
    value: str | None = None  # what was found there; None: nothing
    parts: tuple[Condition, ...] = ()  # of a segment: where the explanation comes to it first


class GateStep(msgspec.Struct, frozen=True):
    """A percentage gate at the moment of the evaluation. Bucket and threshold count 0 to 1,000,000."""

    attribute: str
    salt: str
    threshold: int
    bucket: int | None  # None: the subject is missing or cannot be bucketed
    inside: bool
    ramp: bool = False

    @property
    def position_percent(self) -> float | None:
        """The subject's position, in percent."""
        return None if self.bucket is None else self.bucket / 10_000

    @property
    def boundary_percent(self) -> float:
        """Who lies below is inside, in percent."""
        return self.threshold / 10_000


class ShareStep(msgspec.Struct, frozen=True):
    """One variant of a split, in parts per million: this subject gets it when ``has`` exceeds ``needs`` (bucketing.md 2.9)."""

    variant: str
    has: int
    needs: int
    wins: bool


class RuleStep(msgspec.Struct, frozen=True):
    """A rule, or the default (``id`` empty), on the way to the answer."""

    id: str
    status: str  # matched, not matched, not reached
    text: str | None = None  # the author's condition
    condition: Condition | None = None
    window: Condition | None = None
    gate: GateStep | None = None
    serve: str | None = None
    split: tuple[ShareStep, ...] = ()
    subject: str | None = None  # attribute that a split buckets by
    stopped_by: str | None = None  # what kept the rule from matching, in a sentence


class RequirementStep(msgspec.Struct, frozen=True):
    """A prerequisite: what the other flag yields, and whether that is accepted."""

    flag: str
    accepted: tuple[str, ...]
    variant: str | None
    met: bool
    reached: bool


class Explanation(msgspec.Struct, frozen=True):
    """The way to an answer. ``str()`` prints it, ``to_dict()`` gives plain data."""

    flag_key: str
    value: Any  # None where the caller's default value is served
    variant: str | None
    reason: str
    rule: str | None
    error_code: str | None
    error_message: str | None
    at: int  # microseconds since 1970 UTC
    revision: int
    metadata: dict[str, Any]
    requirements: tuple[RequirementStep, ...] = ()
    rules: tuple[RuleStep, ...] = ()
    default: RuleStep | None = None
    note: str | None = None  # why there are no steps

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain data, for JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def __str__(self) -> str:
        return print_explanation(self)


def explain(engine: Evaluator, flag_key: str, context: object, at: int | None) -> Explanation:
    """Explain an evaluation, without counting it as one. Never raises for what a context or a snapshot holds."""
    moment = engine._moment() if at is None else at
    details = engine._peek(flag_key, None, context, moment)
    found = _Steps(engine, details, context, moment).find()
    return Explanation(
        flag_key=flag_key,
        value=details.value,
        variant=details.variant,
        reason=str(details.reason),
        rule=details.flag_metadata.get(RULE),
        error_code=None if details.error_code is None else str(details.error_code),
        error_message=details.error_message,
        at=moment,
        revision=engine._current.revision,
        metadata=dict(details.flag_metadata),
        **found,
    )


class _Steps:
    """Finds the steps of one explanation."""

    def __init__(self, engine: Evaluator, details: EvaluationDetails, context: object, moment: int) -> None:
        self._engine = engine
        self._details = details
        self._context = context
        self._moment = moment
        self._truths: dict[int, bool | None] = {}
        self._segments: dict[str, Condition] = {}  # as they are shown from the second time on

    def find(self) -> dict[str, Any]:
        key, details = self._details.flag_key, self._details
        if details.error_code is not None and details.variant is None and details.error_code != "TARGETING_KEY_MISSING":
            return {"note": "the flag was not evaluated"}
        if details.flag_metadata.get(OVERRIDE) is True:
            return {"note": "an override in this process decides"}
        if details.reason == "DISABLED":
            return {"note": "the flag is disabled"}
        encoded = self._engine._current.debug.get(key)
        if encoded is None:
            return {"note": "there is no debug information: the flags were compiled without it"}
        try:
            return self._walk(decode_debug(encoded))
        except (SnapshotError, MalformedProgramError, ValueError, TypeError, LookupError, RecursionError) as error:
            return {"note": f"the debug information cannot be used: {error}"}

    def _walk(self, debug: DebugFlag) -> dict[str, Any]:
        self._probes = self._engine._probes(self._details.flag_key, debug.probes, self._context, self._moment)
        self._tests, self._bodies = debug.tests, debug.segments
        requirements = tuple(self._requirements(debug.requires))
        reached = all(step.met for step in requirements)
        rules = []
        for rule in debug.rules:
            step = self._rule(rule) if reached else _not_reached(rule)
            reached = reached and step.status != MATCHED
            rules.append(step)
        default = self._rule(debug.default) if reached else _not_reached(debug.default)
        return {"requirements": requirements, "rules": tuple(rules), "default": default}

    def _requirements(self, requires: Sequence[tuple[str, tuple[str, ...], str | None]]) -> Iterator[RequirementStep]:
        reached = True
        for flag, accepted, _ in requires:
            variant = self._engine._peek(flag, None, self._context, self._moment).variant if reached else None
            met = reached and variant in accepted
            yield RequirementStep(flag, accepted, variant, met, reached)
            reached = met

    # -- one rule

    def _rule(self, rule: DebugRule) -> RuleStep:
        condition = None if rule.tree is None else self._condition(rule.tree)
        window = None if rule.window is None else self._condition(rule.window)
        gate = None if rule.gate is None else self._gate(rule.gate)
        split = () if rule.split is None else self._split(rule)
        stopped_by = (
            _why_not(condition, "its condition")
            or _why_not(window, "its window")
            or _why_outside(gate)
            or (_why_no_subject(rule) if rule.split and not split else None)
        )
        return RuleStep(
            id=rule.id,
            status=NOT_MATCHED if stopped_by else MATCHED,
            text=rule.text,
            condition=condition,
            window=window,
            gate=gate,
            serve=rule.serve,
            split=split,
            subject=".".join(rule.split_path) or None,
            stopped_by=stopped_by,
        )

    def _gate(self, gate: DebugGate) -> GateStep:
        begun = [threshold for start, threshold in gate.steps if start is None or start <= self._moment]
        threshold = begun[-1] if begun else 0
        position = self._probes.position(gate.path, gate.salt)
        bucket = None if position is None else bucket_of(position)
        inside = threshold >= BUCKETS or (bucket is not None and bucket < threshold)
        ramp = any(start is not None for start, _ in gate.steps)
        return GateStep(".".join(gate.path), gate.salt, threshold, bucket, inside, ramp)

    def _split(self, rule: DebugRule) -> tuple[ShareStep, ...]:
        """Return the shares; none when the split needs a subject and there is none."""
        weights = dict(rule.split or {})
        if len(weights) == 1:
            return tuple(ShareStep(name, BUCKETS, 0, True) for name in weights)
        position = self._probes.position(rule.split_path, rule.split_salt)
        if position is None:
            return ()
        total = sum(weights.values())
        needs = needed_shares(position, weights, rule.base)
        winner = _winner(position, weights, rule.base)
        return tuple(
            ShareStep(name, BUCKETS * weight // total, needs[name], name == winner) for name, weight in weights.items()
        )

    # -- conditions

    def _condition(self, tree: list[Any]) -> Condition:
        kind = tree[0]
        if kind == "probe":
            return self._test(tree[1])
        if kind == "constant":
            return Condition("constant", bool(tree[1]), text="true" if tree[1] else "false")
        if kind == "not":
            part = self._condition(tree[1])
            return Condition("not", None if part.truth is None else not part.truth, parts=(part,))
        if kind == "segment":
            return self._segments.get(tree[1]) or self._segment(tree[1])
        if kind not in ("all", "any"):
            raise ValueError(f"unknown kind of condition: {kind!r}")
        parts = tuple(self._condition(part) for part in tree[1:])
        return Condition(kind, _joined(kind, [part.truth for part in parts]), parts=parts)

    def _segment(self, name: str) -> Condition:
        body = self._condition(self._bodies[name])
        self._segments[name] = Condition("segment", body.truth is True, text=name)
        return Condition("segment", body.truth is True, text=name, parts=(body,))

    def _test(self, index: int) -> Condition:
        test = self._tests[index]
        if index not in self._truths:
            self._truths[index] = self._probes.truth(test.entry)
        found, value = self._probes.look_up(test.path)
        return Condition(
            "test",
            self._truths[index],
            text=test.text,
            attribute=".".join(test.path),
            value=shown(value, is_time=test.path == ("now",)) if found else None,
        )


def _joined(kind: str, truths: list[bool | None]) -> bool | None:
    """Kleene's conjunction or disjunction."""
    decisive = kind == "any"
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


def _not_reached(rule: DebugRule) -> RuleStep:
    return RuleStep(id=rule.id, status=NOT_REACHED, text=rule.text, serve=rule.serve)


# --- why a rule did not match -------------------------------------------------------------------------------------------


def _why_not(condition: Condition | None, what: str) -> str | None:
    if condition is None or condition.truth is True:
        return None
    test = first_failing(condition)
    truth = "unknown" if condition.truth is None else "false"
    return f"{what} is {truth}" if test is None else f"{what} is {truth}: {_said(test)}"


def first_failing(condition: Condition) -> Condition | None:
    """Return the first test (or segment) that keeps a condition from being true, None when there is no single one."""
    if condition.kind == "all":
        return first_failing(next(part for part in condition.parts if part.truth is not True))
    if condition.kind == "any":
        return first_failing(condition.parts[0]) if len(condition.parts) == 1 else condition
    return condition


def _said(part: Condition) -> str:
    """Return one part of a condition and what it met, in a sentence."""
    if part.kind == "test":
        return f"{part.text} ({_found(part)})"
    if part.kind == "segment":
        return f'segment("{part.text}") does not hold'
    if part.kind == "not":
        inner = part.parts[0]
        return f"not ({inner.text}) ({_found(inner)})" if inner.kind == "test" else "what is negated is not false"
    return "no alternative holds" if part.kind == "any" else f"{part.text}"


def _found(test: Condition) -> str:
    return f"{test.attribute} is {test.value or 'missing'}"


def _why_outside(gate: GateStep | None) -> str | None:
    if gate is None or gate.inside:
        return None
    if gate.threshold == 0:
        return "its gate lets nobody in" + (" yet" if gate.ramp else "")
    if gate.bucket is None:
        return f"{gate.attribute} is missing, or cannot be bucketed"
    return f"{gate.attribute} lies at {gate.position_percent} %, outside the gate of {gate.boundary_percent:g} %"


def _why_no_subject(rule: DebugRule) -> str:
    return f"{'.'.join(rule.split_path)} is missing, or cannot be bucketed"


# --- splits (bucketing.md 2.5 to 2.9), by the kernel's own arithmetic ------------------------------------------------------


def _times(position: int, weights: dict[str, int], base: str) -> dict[str, int]:
    """Return E of each variant: the winner has the least E/w."""
    word = 2**64 - 1
    g = position if base == "percent" else mixed((position + 0x9E3779B97F4A7C15) & word)

    def run(name: str) -> int:
        return waiting_time(mixed(g ^ text_identity(name)))

    both, upper = run("on") + run("off"), g >> 32
    ends = {"on": both * upper, "off": both * (2**32 - upper)}
    return {name: ends[name] if name in ends else run(name) << 32 for name in weights}


def _winner(position: int, weights: dict[str, int], base: str) -> str:
    times = _times(position, weights, base)
    first, *others = sorted(weights, key=lambda name: name.encode())
    for name in others:
        if times[name] * weights[first] < times[first] * weights[name]:
            first = name
    return first


def needed_shares(position: int, weights: dict[str, int], base: str = "split") -> dict[str, int]:
    """Return, per variant, the share above which the subject at ``position`` gets it, in parts per million, cut."""
    times, total = _times(position, weights, base), sum(weights.values())
    shares = {}
    for name, weight in weights.items():
        rivals = [rival for rival in weights if rival != name]
        rival = rivals[0]
        for other in rivals[1:]:
            if times[other] * weights[rival] < times[rival] * weights[other]:
                rival = other
        own = times[name] * weights[rival]
        shares[name] = BUCKETS * own // (own + (total - weight) * times[rival])
    return shares
