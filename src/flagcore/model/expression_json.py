"""Conditions as structured data (JSON, YAML, TOML), both ways (flag-format.md section 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from flagcore.model.expression import parse_path
from flagcore.model.expression_print import print_path
from flagcore.model.normal import MAX_DEPTH, depth, normal
from flagcore.model.operators import PREFIXES, test_faults
from flagcore.model.problems import DocumentPath, ExpressionError, Fault, nearest
from flagcore.model.tree import All, Any, Constant, Expression, Has, InSegment, Literal, Not, Path, Test
from flagcore.terms import Operator

__all__ = ["from_structured", "to_structured"]

_OPERATORS = {operator.value: operator for operator in Operator}
_FORMS = ("all", "any", "not", "segment", "has", "attribute")


def to_structured(tree: Expression) -> object:
    """Return the tree's normal form as plain data.

    Raises:
        ValueError: the tree is deeper than ``MAX_DEPTH`` or holds an impossible path.
    """
    if depth(tree) > MAX_DEPTH:
        raise ValueError(f"the condition is nested deeper than {MAX_DEPTH}")
    return _write(normal(tree))


def _write(tree: Expression) -> object:
    if isinstance(tree, (All, Any)):
        return {"all" if isinstance(tree, All) else "any": [_write(part) for part in tree.parts]}
    if isinstance(tree, Not):
        return {"not": _write(tree.part)}
    if isinstance(tree, InSegment):
        return {"segment": tree.name}
    if isinstance(tree, Has):
        return {"has": print_path(tree.path)}
    if isinstance(tree, Constant):
        return tree.value
    constant = tree.constant
    plain = (
        [_write_literal(literal) for literal in constant] if isinstance(constant, tuple) else _write_literal(constant)
    )
    return {"attribute": print_path(tree.path), tree.operator.value: plain}


def _write_literal(literal: Literal) -> object:
    return {literal.prefix: literal.value} if literal.prefix else literal.value


def from_structured(data: object) -> Expression:
    """Return the tree, in normal form, that the data means. A string inside is a condition's text only at the top of a rule, not here.

    Raises:
        ExpressionError: with every fault, each with its path inside the data.
    """
    reader = _Reader()
    tree = reader.read(data, (), 0)
    if tree is not None and not reader.faults and depth(normal(tree)) > MAX_DEPTH:
        reader.fault((), "too-deep", f"the condition is nested deeper than {MAX_DEPTH}")
    if reader.faults or tree is None:
        raise ExpressionError(reader.faults)
    return normal(tree)


class _Reader:
    """Reads as much as it can and collects faults; a part that cannot be read is None."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(self, path: DocumentPath, code: str, message: str, hint: str | None = None) -> None:
        self.faults.append(Fault(code=code, message=message, hint=hint, path=path))

    def read(self, data: object, path: DocumentPath, level: int) -> Expression | None:
        if isinstance(data, bool):
            return Constant(data)
        if not isinstance(data, Mapping) or not data:
            self.fault(
                path, "wrong-type", f"a condition is a mapping, true or false here, not {_kind(data)}", _text_hint(data)
            )
            return None
        if level > MAX_DEPTH:
            self.fault(path, "too-deep", f"the condition is nested deeper than {MAX_DEPTH}")
            return None
        if "attribute" in data:
            return self.read_test(data, path)
        form = next((form for form in _FORMS if form in data), None)
        if form is None or len(data) != 1:
            self.refuse_form(data, path)
            return None
        return self.read_form(form, data[form], (*path, form), level)

    def refuse_form(self, data: Mapping[object, object], path: DocumentPath) -> None:
        for key in data:
            if key not in _FORMS:
                meant = nearest(str(key), _FORMS)
                hint = f'did you mean "{meant}"?' if meant else "a condition is one of " + ", ".join(_FORMS)
                if key in _OPERATORS:
                    hint = "a test names its attribute: {attribute: country, " + str(key) + ": ...}"
                self.fault((*path, str(key)), "unknown-key", f"{str(key)[:64]!r} is no form of condition", hint)
                return
        self.fault(
            path, "bad-condition", "a condition is exactly one of " + ", ".join(_FORMS), "join several with all or any"
        )

    def read_form(self, form: str, body: object, path: DocumentPath, level: int) -> Expression | None:
        if form in ("all", "any"):
            return self.read_parts(All if form == "all" else Any, body, path, level)
        if form == "not":
            part = self.read(body, path, level + 1)
            return None if part is None else Not(part)
        if form == "has":
            found = self.read_path(body, path)
            return None if found is None else Has(found)
        if not isinstance(body, str):
            self.fault(path, "wrong-type", f"a segment's name is a string, not {_kind(body)}")
            return None
        return InSegment(body)

    def read_parts(self, kind: type[All | Any], body: object, path: DocumentPath, level: int) -> Expression | None:
        if not _is_list(body):
            self.fault(path, "wrong-type", f"a list of conditions is expected, not {_kind(body)}")
            return None
        items = cast("Sequence[object]", body)
        if not items:
            self.fault(path, "empty-list", "a list of conditions is never empty", "write true or false")
            return None
        parts = [self.read(item, (*path, index), level + 1) for index, item in enumerate(items)]
        return None if None in parts else kind(tuple(part for part in parts if part is not None))

    def read_test(self, data: Mapping[object, object], path: DocumentPath) -> Expression | None:
        attribute = self.read_path(data["attribute"], (*path, "attribute"))
        others = [key for key in data if key != "attribute"]
        operators = [str(key) for key in others if key in _OPERATORS]
        for key in others:
            if key not in _OPERATORS:
                meant = nearest(str(key), _OPERATORS)
                hint = f'did you mean "{meant}"?' if meant else "the operators are " + " ".join(_OPERATORS)
                self.fault((*path, str(key)), "unknown-key", f"{str(key)[:64]!r} is not an operator", hint)
        if len(operators) != 1:
            if not others or len(operators) > 1:
                self.fault(path, "bad-condition", "a test holds `attribute` and exactly one operator")
            return None
        operator = _OPERATORS[operators[0]]
        place = (*path, operator.value)
        constant = self.read_constant(data[operators[0]], place)
        if attribute is None or constant is None:
            return None
        if operator is Operator.IN and isinstance(constant, Literal):
            constant = (constant,)
        return self.checked(Test(attribute, operator, constant), place, _is_list(data[operators[0]]))

    def checked(self, test: Test, path: DocumentPath, is_list: bool) -> Test:
        for fault in test_faults(test):
            element = (fault.element,) if fault.element is not None and is_list else ()
            self.fault((*path, *element), fault.code, fault.message, fault.hint)
        return test

    def read_path(self, data: object, path: DocumentPath) -> Path | None:
        if not isinstance(data, str):
            self.fault(path, "wrong-type", f"an attribute path is a string, not {_kind(data)}")
            return None
        try:
            return parse_path(data)
        except ExpressionError as error:
            self.faults.append(
                Fault(
                    code="bad-path",
                    message=f"{data[:64]!r} is no attribute path: {error.faults[0].message}",
                    hint=error.faults[0].hint,
                    path=path,
                )
            )
            return None

    def read_constant(self, data: object, path: DocumentPath) -> Literal | tuple[Literal, ...] | None:
        if not _is_list(data):
            return self.read_literal(data, path)
        literals = [
            self.read_literal(item, (*path, index)) for index, item in enumerate(cast("Sequence[object]", data))
        ]
        return None if None in literals else tuple(literal for literal in literals if literal is not None)

    def read_literal(self, data: object, path: DocumentPath) -> Literal | None:
        prefix = ""
        if isinstance(data, Mapping):
            if len(data) != 1 or next(iter(data)) not in PREFIXES:
                self.fault(path, "bad-prefix", "a prefixed constant is a mapping with one key, v, i, t or cidr")
                return None
            prefix, data = next(iter(data.items()))
        if isinstance(data, (str, bool, int, float)):
            return Literal(data, prefix)
        self.fault(path, "wrong-type", f"a constant is a string, number or boolean, not {_kind(data)}")
        return None


def _is_list(data: object) -> bool:
    return isinstance(data, Sequence) and not isinstance(data, (str, bytes, bytearray))


def _kind(data: object) -> str:
    if data is None:
        return "null"
    if isinstance(data, Mapping):
        return "a mapping" if data else "an empty mapping"
    if isinstance(data, str):
        return "a string"
    return "a list" if _is_list(data) else type(data).__name__


def _text_hint(data: object) -> str | None:
    return "a condition's text stands directly under `when`" if isinstance(data, str) else None
