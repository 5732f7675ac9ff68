"""Conditions: what the operator table says, and what is probably not meant."""

from __future__ import annotations

from collections.abc import Iterator

from flagcore.model.checks.finding import error, warning
from flagcore.model.expression_print import print_literal, print_path
from flagcore.model.flagset import Condition, FlagSet
from flagcore.model.normal import MAX_DEPTH, depth, walk
from flagcore.model.operators import NOW, is_text, test_faults
from flagcore.model.problems import DocumentPath, Finding
from flagcore.model.scope import Scope
from flagcore.model.tree import All, Any, Constant, Expression, Has, InSegment, Literal, Not, Test
from flagcore.terms import Operator

__all__ = ["check_conditions", "check_depths", "conditions_of", "constant_truth", "may_name_segments"]

_NEEDLES = frozenset({Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH})
_PINS = (Operator.EQUALS, Operator.IN)
_SHOWN_DUPLICATES = 5


def conditions_of(flag_set: FlagSet) -> Iterator[tuple[Condition, DocumentPath]]:
    """Yield every condition of the set with its path: segments first, then rules."""
    for name, segment in flag_set.segments.items():
        if segment.when is not None:
            yield segment.when, ("segments", name, "when")
    for key, flag in flag_set.flags.items():
        for index, rule in enumerate(flag.rules):
            if rule.when is not None:
                yield rule.when, ("flags", key, "rules", index, "when")


def may_name_segments(scope: Scope, condition: Condition) -> bool:
    """False for most conditions that name no segment: a look at the text is cheaper than a walk through the tree."""
    return not scope.is_parsed or condition.text is None or "segment" in condition.text


def check_depths(scope: Scope) -> Iterator[Finding]:
    """Trees that programs have built may have any depth; parsers build none that is too deep."""
    limit = scope.limits.depth
    for condition, path in () if scope.is_parsed else conditions_of(scope.flag_set):
        if depth(condition.tree) > limit:
            yield error("too-deep", f"the condition is nested deeper than {limit}", path)


def check_conditions(scope: Scope) -> Iterator[Finding]:
    """Trees that programs have built are checked whole; what parsers made is right already."""
    if not scope.is_parsed:
        for condition, path in conditions_of(scope.flag_set):
            yield from _check_tree(condition.tree, path)
    known: dict[str, list[Finding]] = {}
    for condition, path in conditions_of(scope.flag_set) if scope.warnings else ():
        text = condition.text
        if text is None or text not in known:
            found = list(_suspicions(condition.tree, ()))
            if text is not None:
                known[text] = found
        else:
            found = known[text]
        for finding in found:
            yield warning(finding.code, finding.message, path, finding.hint)


def _check_tree(tree: Expression, path: DocumentPath) -> Iterator[Finding]:
    for node in walk(tree):
        if isinstance(node, (All, Any)) and not node.parts:
            yield error("empty-list", "All and Any have at least one part", path)
        if isinstance(node, (Test, Has)) and not (node.path and all(name and is_text(name) for name in node.path)):
            yield error("bad-path", "an attribute path has at least one name, none of them empty", path)
        if isinstance(node, Test):
            for fault in test_faults(node):
                yield error(fault.code, fault.message, path, fault.hint)


# -- what is probably not meant --


def _suspicions(tree: Expression, path: DocumentPath) -> Iterator[Finding]:
    if constant_truth(tree) is False:
        yield warning("dead-condition", "the condition is never true", path)
    for node in walk(tree):
        if isinstance(node, Test):
            if node.operator in _NEEDLES or isinstance(node.constant, tuple):
                yield from _test_suspicions(node, path)
        elif isinstance(node, All) and (clash := _clash(node)) is not None:
            yield warning(
                "dead-condition", f"{clash} cannot have two values at once", path, "join the two tests by `or`"
            )


def _test_suspicions(test: Test, path: DocumentPath) -> Iterator[Finding]:
    if test.operator in _NEEDLES and any(literal.value == "" for literal in test.literals):
        message = f"every text {_says(test.operator)} the empty text"
        yield warning("empty-needle", message, path, f"to ask for any value write has({print_path(test.path)})")
    if not isinstance(test.constant, tuple):
        return
    twice = _duplicates(test.constant)
    if twice:
        listed = ", ".join(map(_print, twice[:_SHOWN_DUPLICATES])) + (", ..." if len(twice) > _SHOWN_DUPLICATES else "")
        yield warning("duplicate-constant", f"the list names {listed} more than once", path)


def _print(literal: Literal) -> str:
    try:
        return print_literal(literal)
    except ValueError:
        return repr(literal.value)


def _says(operator: Operator) -> str:
    return {Operator.CONTAINS: "contains", Operator.STARTS_WITH: "starts with"}.get(operator, "ends with")


def _duplicates(constants: tuple[Literal, ...]) -> list[Literal]:
    if len(set(constants)) == len(constants):
        return []
    seen: set[Literal] = set()
    twice: list[Literal] = []
    for literal in constants:
        if literal in seen:
            twice.append(literal)
        seen.add(literal)
    return twice


def _clash(node: All) -> str | None:
    """Return the attribute that the parts of an ``and`` pin to two different texts, where that shows at once."""
    pins = [part for part in node.parts if isinstance(part, Test) and part.operator in _PINS]
    if len(pins) == len({part.path for part in pins}):
        return None
    allowed: dict[tuple[str, ...], set[object]] = {}
    for part in pins:
        if any(literal.prefix or not isinstance(literal.value, str) for literal in part.literals):
            continue
        values: set[object] = {literal.value for literal in part.literals}
        allowed[part.path] = allowed.get(part.path, values) & values
        if not allowed[part.path]:
            return print_path(part.path)
    return None


def constant_truth(tree: Expression, level: int = 0) -> bool | None:
    """Return what the condition always is: True, False (never true), or None when it depends on the context.

    Plain folding of ``true``, ``false`` and ``has(now)``; no test is looked into, nor anything deeper than conditions may be.
    """
    if isinstance(tree, Constant):
        return tree.value
    if isinstance(tree, Has):
        return True if tree.path == NOW else None
    if isinstance(tree, (Test, InSegment)) or level > MAX_DEPTH:
        return None
    if isinstance(tree, Not):
        truth = constant_truth(tree.part, level + 1)
        return None if truth is None else not truth
    parts = [None if isinstance(part, Test) else constant_truth(part, level + 1) for part in tree.parts]
    decisive = isinstance(tree, Any)
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive
