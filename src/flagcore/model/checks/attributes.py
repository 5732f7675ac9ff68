"""Declared attributes: kinds that exist, no attribute that is not declared, no operator on another kind."""

from __future__ import annotations

from collections.abc import Iterator

from flagcore.model.checks.conditions import conditions_of
from flagcore.model.checks.finding import at_word, error, shown, unknown, warning
from flagcore.model.expression import parse_path
from flagcore.model.expression_print import print_path
from flagcore.model.flagset import TARGETING_KEY, FlagSet
from flagcore.model.normal import walk
from flagcore.model.operators import NOW, ORDER
from flagcore.model.problems import DocumentPath, ExpressionError, Finding
from flagcore.model.scope import Scope
from flagcore.model.tree import Has, Literal, Path, Test, flat_key
from flagcore.terms import Operator

__all__ = ["ATTRIBUTE_KINDS", "check_attributes"]

_SCALARS = ("string", "integer", "float", "number", "boolean")
ATTRIBUTE_KINDS = (*_SCALARS, "time", "version", "object", "any", *(f"[{kind}]" for kind in _SCALARS))
"""``object`` is a mapping whose inner levels are not declared, ``any`` is not checked."""

_NUMBERS = frozenset({"integer", "float", "number"})
_TEXTS = frozenset({"string", "version"})
_NOT_BUCKETABLE = frozenset({"boolean", "time", "object", *(f"[{kind}]" for kind in _SCALARS)})
_ON_TEXT = frozenset({Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.MATCHES})


def check_attributes(scope: Scope) -> Iterator[Finding]:
    """The declarations, and everything that looks at an attribute; nothing when the set declares none."""
    if scope.flag_set.attributes is None:
        return
    kinds: dict[str, str] = {flat_key(TARGETING_KEY): "any", flat_key(NOW): "time"}
    for text, kind in scope.flag_set.attributes.items():
        path = ("attributes", text)
        if kind not in ATTRIBUTE_KINDS:
            hint = "the kinds are " + ", ".join(ATTRIBUTE_KINDS)
            yield unknown("bad-value", f"{shown(kind)} is not a kind of attribute", path, kind, ATTRIBUTE_KINDS, hint)
            kind = "any"
        try:
            kinds[flat_key(parse_path(text))] = kind
        except ExpressionError:
            yield error("bad-path", f"{shown(text)} is no attribute path", path, at_key=True)
    yield from _check_uses(scope.flag_set, kinds)
    yield from _check_subjects(scope.flag_set, kinds)


def _check_uses(flag_set: FlagSet, kinds: dict[str, str]) -> Iterator[Finding]:
    for condition, path in conditions_of(flag_set):
        for node in walk(condition.tree):
            if isinstance(node, Has) and _kind(node.path, kinds) is None:
                yield at_word(_undeclared(node.path, kinds, path), condition.text, flat_key(node.path))
            elif isinstance(node, Test):
                for finding in _check_test(node, kinds, path):
                    yield at_word(finding, condition.text, flat_key(node.path))
    for name, segment in flag_set.segments.items():
        if segment.attribute is None:
            continue
        path = ("segments", name, "attribute")
        kind = _kind(segment.attribute, kinds)
        if kind is None:
            yield _undeclared(segment.attribute, kinds, path)
        elif not any(_holds(kind, Literal(value)) for value in _samples(segment.values or ())):
            message = f"{print_path(segment.attribute)} is declared {kind}, which none of the segment's values is"
            yield error("wrong-kind", message, path)


def _samples(values: tuple[str | bool | int | float, ...]) -> list[str | bool | int | float]:
    """One value of each type."""
    return list({type(value): value for value in values}.values()) or [""]


def _check_test(test: Test, kinds: dict[str, str], path: DocumentPath) -> Iterator[Finding]:
    if test.path == NOW:
        return
    kind = _kind(test.path, kinds)
    if kind is None:
        yield _undeclared(test.path, kinds, path)
        return
    wrong = next((literal for literal in test.literals if not _fits(kind, test.operator, literal)), None)
    if wrong is not None:
        constant = f"{wrong.prefix}{wrong.value!r}"[:48]
        message = f"{print_path(test.path)} is declared {kind}, to which `{test.operator} {constant}` does not apply"
        yield error("wrong-kind", message, path)


def _fits(kind: str, operator: Operator, literal: Literal) -> bool:
    if kind == "any":
        return True
    if kind.startswith("["):
        return operator is Operator.CONTAINS and _holds(kind[1:-1], literal)
    if literal.prefix in ("v", "cidr"):
        return kind in _TEXTS
    if literal.prefix == "t":
        return kind in ("time", "string")
    if operator in ORDER:
        return kind in _NUMBERS
    if operator in _ON_TEXT or operator is Operator.CONTAINS:
        return kind in _TEXTS and isinstance(literal.value, str)
    return _holds(kind, literal)


def _holds(kind: str, literal: Literal) -> bool:
    """True when an attribute of the scalar kind can equal the constant."""
    value = literal.value
    if kind == "any":
        return True
    if isinstance(value, str):
        return kind in _TEXTS
    return kind == "boolean" if isinstance(value, bool) else kind in _NUMBERS


def _kind(path: Path, kinds: dict[str, str]) -> str | None:
    """Return the declared kind; below an ``object`` or ``any`` everything is declared."""
    found = kinds.get(flat_key(path))
    for length in range(len(path) - 1, 0, -1):
        if found is not None:
            return found
        if kinds.get(flat_key(path[:length])) in ("object", "any"):
            found = "any"
    return found


def _undeclared(attribute: Path, kinds: dict[str, str], path: DocumentPath) -> Finding:
    key = flat_key(attribute)
    message = f"the attribute {shown(key)} is not declared"
    return unknown("unknown-attribute", message, path, key, kinds, "declare it under `attributes`")


def _check_subjects(flag_set: FlagSet, kinds: dict[str, str]) -> Iterator[Finding]:
    """Attributes that subjects are bucketed by."""
    for key, flag in flag_set.flags.items():
        places: list[tuple[Path | None, DocumentPath]] = [(flag.bucket_by, ("flags", key, "bucket_by"))]
        places += [
            (rule.bucket_by, ("flags", key, "rules", index, "bucket_by")) for index, rule in enumerate(flag.rules)
        ]
        places += [(test.by, ("flags", key, "tests", index, "by")) for index, test in enumerate(flag.tests)]
        for attribute, path in places:
            if attribute is None:
                continue
            kind = _kind(attribute, kinds)
            if kind is None:
                yield _undeclared(attribute, kinds, path)
            elif kind in _NOT_BUCKETABLE:
                yield warning(
                    "not-bucketable",
                    f"{print_path(attribute)} is declared {kind}, by which nobody can be bucketed",
                    path,
                )
