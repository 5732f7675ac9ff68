"""Rules: their shape, windows and ramps, and what of them can never be reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from flagcore.model.checks.conditions import constant_truth
from flagcore.model.checks.finding import error, shown, warning
from flagcore.model.checks.splits import check_percent, single_winner
from flagcore.model.checks.values import check_salt
from flagcore.model.flagset import Flag, RampStep, Rule
from flagcore.model.literals import parse_time
from flagcore.model.problems import DocumentPath, Finding
from flagcore.model.tree import All, Expression, Literal, Path, Test
from flagcore.terms import Operator

__all__ = ["check_rules", "check_rules_together"]

_BASES = ("split", "percent")
_MAX_GATES = 64
_TIME_HINT = "such as 2026-12-01T09:00:00Z or 2026-12-01T09:00:00+01:00"


def check_rules(flag: Flag) -> Iterator[Finding]:
    """Every rule of a flag by itself."""
    for index, rule in enumerate(flag.rules):
        path: DocumentPath = ("flags", flag.key, "rules", index)
        if not _is_shaped(rule):
            yield from _check_shape(rule, path)
        if rule.between is not None:
            yield from _check_between(rule.between, (*path, "between"))
        if rule.percent is not None:
            yield from check_percent(rule.percent, (*path, "percent"))
        if rule.ramp is not None:
            yield from _check_ramp(rule.ramp, (*path, "ramp"))
        if rule.salt is not None:
            yield from check_salt(rule.salt, (*path, "salt"))


def _is_shaped(rule: Rule) -> bool:
    """True when ``_check_shape`` finds nothing: most rules."""
    return (
        (rule.serve is None) != (rule.split is None)
        and (rule.percent is None or rule.ramp is None)
        and rule.base in _BASES
    )


def _check_shape(rule: Rule, path: DocumentPath) -> Iterator[Finding]:
    if (rule.serve is None) == (rule.split is None):
        hint = "serve: one variant for all, split: variant -> weight"
        yield error("bad-rule", "a rule has exactly one of `serve` and `split`", path, hint)
    if rule.percent is not None and rule.ramp is not None:
        yield error("bad-rule", "a rule has `percent` or `ramp`, not both", (*path, "ramp"), at_key=True)
    if rule.base not in _BASES:
        yield error(
            "bad-value", f"{shown(rule.base)} is not a base", (*path, "base"), "the bases are split and percent"
        )


def _check_between(between: tuple[str | None, str | None], path: DocumentPath) -> Iterator[Finding]:
    times = []
    for index, text in enumerate(between):
        time = parse_time(text) if text is not None else None
        if text is not None and time is None:
            yield _no_time(text, (*path, index))
        times.append(time)
    start, end = times
    if start is not None and end is not None and start >= end:
        yield error(
            "bad-window", "the window ends before it begins", path, "between is [from, until), until not included"
        )


def _no_time(text: str, path: DocumentPath) -> Finding:
    return error("bad-time", f"{shown(text)} is not a time with offset", path, _TIME_HINT)


def _check_ramp(ramp: tuple[RampStep, ...], path: DocumentPath) -> Iterator[Finding]:
    if not ramp:
        yield error("empty-list", "a ramp has at least one step", path)
    last: int | None = None
    for index, step in enumerate(ramp):
        yield from check_percent(step.percent, (*path, index, "percent"))
        time = parse_time(step.at)
        if time is None:
            yield _no_time(step.at, (*path, index, "at"))
            continue
        if last is not None and time <= last:
            yield error("bad-ramp", "the times of a ramp rise from step to step", (*path, index, "at"))
        last = time


# -- rules together --


def check_rules_together(flag: Flag) -> Iterator[Finding]:
    """Warn of rules that nobody reaches, of very many gates, and of variants that nothing serves."""
    yield from _check_order(flag)
    yield from _check_gates(flag)
    yield from _check_unused(flag)


def _always_matches(rule: Rule) -> bool:
    return _is_open(rule) and (rule.when is None or constant_truth(rule.when.tree) is True)


def _is_open(rule: Rule) -> bool:
    """True when nothing but its condition can keep anybody out of the rule."""
    if rule.between is not None and rule.between != (None, None):
        return False
    gate_open = rule.ramp is None and rule.percent in (None, 100)  # beyond 100 is an error, and nothing follows from it
    return gate_open and (rule.serve is not None or (rule.split is not None and single_winner(rule.split)))


def _check_order(flag: Flag) -> Iterator[Finding]:
    """Rules after one that always matches, and rules with the condition of an earlier one that has no gate and no window."""
    compared = sum(rule.when is not None for rule in flag.rules) > 1
    decided: dict[Expression, int] = {}
    for index, rule in enumerate(flag.rules):
        path = ("flags", flag.key, "rules", index)
        tree = rule.when.tree if compared and rule.when is not None else None
        if tree is not None and tree in decided:
            earlier = flag.rules[decided[tree]].id
            yield warning("shadowed-rule", f"the rule {shown(earlier)} before it has the same condition", path)
        elif tree is not None and _is_open(rule):
            decided[tree] = index
        if _always_matches(rule):
            for later in range(index + 1, len(flag.rules)):
                message = f"no one reaches this rule: {shown(rule.id)} before it always matches"
                yield warning("unreachable-rule", message, ("flags", flag.key, "rules", later))
            return


def _check_gates(flag: Flag) -> Iterator[Finding]:
    """Warn of more than 64 gates that one context may have to pass; rules that pin one attribute to different texts exclude each other."""
    if len(flag.rules) <= _MAX_GATES:
        return
    gated = [
        rule for rule in flag.rules if rule.ramp is not None or (rule.percent is not None and 0 < rule.percent < 100)
    ]
    if len(gated) <= _MAX_GATES:
        return
    pinned: dict[Path, Counter[Literal]] = {}
    for rule in gated:
        for path, constant in _pins(rule.when.tree).items() if rule.when is not None else ():
            pinned.setdefault(path, Counter())[constant] += 1
    together = min([len(gated), *(len(gated) - counts.total() + max(counts.values()) for counts in pinned.values())])
    if together > _MAX_GATES:
        message = f"one context may have to pass {together:,} gates"
        yield warning(
            "many-gates", message, ("flags", flag.key, "rules"), "a split assigns several variants at once", at_key=True
        )


def _pins(tree: Expression) -> dict[Path, Literal]:
    """Return the attributes that the condition wants to equal one constant each."""
    parts = tree.parts if isinstance(tree, All) else (tree,)
    return {
        part.path: part.literals[0]
        for part in parts
        if isinstance(part, Test) and part.operator in (Operator.EQUALS, Operator.IN) and len(part.literals) == 1
    }


def _check_unused(flag: Flag) -> Iterator[Finding]:
    """Variants that nothing serves, of flags that have rules, unless a misspelt name hides who does."""
    if not flag.rules or flag.variants == {"on": True, "off": False}:
        return
    served: set[str | None] = set(flag.default) if isinstance(flag.default, dict) else {flag.default}
    served |= {flag.off_variant, *(requirement.otherwise for requirement in flag.requires)}
    for rule in flag.rules:
        served |= {rule.serve, *(rule.split or ())}
    if not served <= {None, *flag.variants}:  # an error, whose variant may be the one that seems unused
        return
    for name in flag.variants:
        if name not in served:
            yield warning(
                "unused-variant",
                f"nothing serves the variant {shown(name)}",
                ("flags", flag.key, "variants", name),
                at_key=True,
            )
