"""Parser of condition texts (flag-format.md section 2).

    expr = and { "or" and } ;   and = unary { "and" unary } ;   unary = "not" unary | primary ;
    primary = "(" expr ")" | "segment" "(" STRING ")" | "has" "(" path ")" | "true" | "false" | test ;

Parentheses make a node of their own: ``(a and b) and c`` is All(All(a, b), c), ``a and b and c`` is All(a, b, c).
"""

from __future__ import annotations

from functools import cached_property
from typing import NoReturn

from flagcore.model.expression_tokens import END, KEYWORDS, Token, kind_of, offsets, refuse, split, unescape
from flagcore.model.normal import MAX_DEPTH, depth
from flagcore.model.operators import INT64_MAX, INT64_MIN, PREFIXES, is_text, test_faults
from flagcore.model.problems import ExpressionError, Fault, nearest
from flagcore.model.tree import All, Any, Constant, Expression, Has, InSegment, Literal, Not, Path, Test
from flagcore.terms import Operator

__all__ = ["parse_expression", "parse_path"]

_OPERATORS = {operator.value: operator for operator in Operator}
_WORDS = ("contains", "starts_with", "ends_with", "matches", "in", "not", "==", "!=", "<", "<=", ">", ">=")
_SYNONYMS = {
    "startswith": "starts_with",
    "endswith": "ends_with",
    "includes": "contains",
    "regex": "matches",
    "match": "matches",
    "like": "matches",
    "is": "==",
    "equals": "==",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
}
_INT64_DIGITS = 19


def parse_expression(text: str) -> Expression:
    """Return the tree of a condition, in normal form.

    Raises:
        ExpressionError: one fault where the text stops being a condition, or every constant and operator that is refused.
    """
    faults: list[Fault] = []
    try:
        parser = _Parser(text, faults)
        tree = parser.expression()
        if parser.next:
            parser.refuse_rest()
    except ExpressionError as error:
        raise ExpressionError([*faults, *error.faults], text) from None
    if faults:
        raise ExpressionError(faults, text)
    if parser.at > MAX_DEPTH and depth(tree) > MAX_DEPTH:  # each level takes a token
        raise ExpressionError([_too_deep(0)], text)
    return tree


def parse_path(text: str) -> Path:
    """Return the attribute path that a text such as ``app.version`` means; backquotes as in conditions.

    Raises:
        ExpressionError: the text is not a path.
    """
    parser = _Parser(text, [])
    path = parser.path()
    if parser.next:
        parser.fail("a path is names joined by dots", "put unusual names into backquotes")
    return path


def _too_deep(offset: int) -> Fault:
    return Fault(code="too-deep", message=f"the condition is nested deeper than {MAX_DEPTH}", offset=offset)


class _Parser:
    def __init__(self, text: str, faults: list[Fault]) -> None:
        self.text = text
        self.words, self.strange = split(text)
        self.at = -1  # of ``next``
        self.next = "before the first"
        self.nesting = 0
        self.faults = faults  # what is refused without ending the reading
        self.advance()

    # -- words --

    def advance(self) -> None:
        """Make the word behind ``next`` the next one; the end, an empty word, is followed by itself."""
        if self.next:
            self.at += 1
            self.next = self.words[self.at]
            if self.at == self.strange:
                refuse(self.text, self.offset(self.at))

    @cached_property
    def offsets(self) -> list[int]:
        return offsets(self.text)

    def offset(self, index: int) -> int:
        return self.offsets[index]

    def token(self, index: int) -> Token:
        word = self.words[index]
        return Token(kind_of(word), word, self.offset(index))

    def accept(self, text: str) -> bool:
        """Take the next word when it is this one of the grammar; strings and quoted names never are."""
        if self.next != text:
            return False
        self.advance()
        return True

    def expect(self, mark: str, after: str) -> None:
        if not self.accept(mark):
            self.fail(f"`{mark}` is expected after {after}")

    def fail(self, message: str, hint: str | None = None, token: Token | None = None) -> NoReturn:
        token = token or self.token(self.at)
        if token.kind == END:
            message = f"the condition ends too early: {message}"
        fault = Fault(code="syntax", message=message, hint=hint, offset=token.offset)
        raise ExpressionError([fault], self.text)

    def enter(self) -> None:
        self.nesting += 1
        if self.nesting > MAX_DEPTH:
            raise ExpressionError([_too_deep(self.offset(self.at))], self.text)

    # -- grammar --

    def expression(self) -> Expression:
        parts = [self.conjunction()]
        while self.next == "or":
            self.advance()
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def conjunction(self) -> Expression:
        parts = [self.unary()]
        while self.next == "and":
            self.advance()
            parts.append(self.unary())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def unary(self) -> Expression:
        if self.next != "not":
            return self.primary()
        negations = 0
        while self.accept("not"):
            self.enter()
            negations += 1
        part = self.primary()
        for _ in range(negations):
            part = Not(part)
        self.nesting -= negations
        return part

    def primary(self) -> Expression:
        word = self.next
        if word == "(":
            return self.group()
        if word == "segment":
            self.advance()
            return InSegment(self.segment_name())
        if word == "has":
            self.advance()
            self.expect("(", "`has`")
            path = self.path()
            self.expect(")", "the path")
            return Has(path)
        if word in ("true", "false"):
            self.advance()
            return Constant(word == "true")
        return self.test()

    def group(self) -> Expression:
        self.advance()
        self.enter()
        tree = self.expression()
        if not self.accept(")"):
            self.refuse_rest("`)` is expected")
        self.nesting -= 1
        return tree

    def segment_name(self) -> str:
        self.expect("(", "`segment`")
        if kind_of(self.next) != "string":
            self.fail("a segment's name is a string", 'such as segment("internal")')
        name = self.string()
        self.expect(")", "the segment's name")
        return name

    def path(self) -> Path:
        name = self.name()
        if self.next != ".":
            return (name,)
        names = [name]
        while self.accept("."):
            names.append(self.name())
        return tuple(names)

    def name(self) -> str:
        word = self.next
        kind = kind_of(word)
        if kind == "name" and word not in KEYWORDS:
            self.advance()
            return word
        if kind == "quoted":
            return self.quoted()
        if kind != "name":
            token = self.token(self.at)
            self.fail("an attribute is expected" + _found(token), _attribute_hint(token))
        self.fail(f"`{word}` is a word of the language", "put it into backquotes to mean an attribute of that name")

    def quoted(self) -> str:
        index = self.at
        name = self.next[1:-1].replace("``", "`")
        self.advance()
        if not name or not is_text(name):
            message = "this name in backquotes is no text" if name else "a name cannot be empty"
            self.fail(message, token=self.token(index))
        return name

    def string(self) -> str:
        """Take a string and return what it stands for."""
        word, index = self.next, self.at
        self.advance()
        return unescape(self.text, self.token(index)) if "\\" in word else word[1:-1]

    def test(self) -> Expression:
        path = self.path()
        negated = self.accept("not")
        operator = self.operator(path)
        start = self.at
        constant, places = self.constant()
        if operator is Operator.IN and isinstance(constant, Literal):
            constant = (constant,)
        test = Test(path, operator, constant)
        for fault in test_faults(test):
            place = self.offset(start if fault.element is None else places[fault.element])
            self.faults.append(Fault(code=fault.code, message=fault.message, hint=fault.hint, offset=place))
        return Not(test) if negated else test

    def operator(self, path: Path) -> Operator:
        operator = _OPERATORS.get(self.next)
        if operator is None:
            token = self.token(self.at)
            shown = ".".join(path)
            self.fail(f"an operator is expected after {shown[:64]!r}" + _found(token), _operator_hint(token, path))
        self.advance()
        return operator

    def constant(self) -> tuple[Literal | tuple[Literal, ...], list[int]]:
        """Return the constant and the indices of its literals among the words."""
        if self.next != "[":
            index = self.at
            return self.literal(), [index]
        self.advance()
        literals: list[Literal] = []
        indices: list[int] = []
        while not self.accept("]"):
            if literals:
                if not self.accept(","):
                    self.fail("`,` or `]` is expected in a list" + _found(self.token(self.at)))
                if self.accept("]"):
                    break
            indices.append(self.at)
            literals.append(self.literal())
        return tuple(literals), indices

    def literal(self) -> Literal:
        word, index = self.next, self.at
        kind = kind_of(word)
        if kind == "string":
            return Literal(self.string())
        self.advance()
        if kind == "number":
            return Literal(self.number(word, index))
        if word in ("true", "false"):
            return Literal(word == "true")
        if word in PREFIXES and kind_of(self.next) == "string":
            return Literal(self.string(), word)
        token = self.token(index)
        self.fail("a constant is expected" + _found(token), _constant_hint(token), token)

    def number(self, text: str, index: int) -> int | float:
        if self.next == "." and self.offset(self.at) == self.offset(index) + len(text):
            self.fail("a number has one decimal point", f'versions are written v"{text}..."', token=self.token(index))
        if not text.lstrip("-").isdigit():
            value = float(text)
            if value - value != 0:
                self.refuse_number("the number is not finite", index)
                return 0.0
            return value
        digits = text.lstrip("-").lstrip("0")
        exact = int(text) if len(digits) <= _INT64_DIGITS else INT64_MAX + 1
        if not INT64_MIN <= exact <= INT64_MAX:
            self.refuse_number("the integer does not fit into 64 bits", index, "write it with .0 to mean a float")
            return 0
        return exact

    def refuse_number(self, message: str, index: int, hint: str | None = None) -> None:
        self.faults.append(Fault(code="bad-number", message=message, hint=hint, offset=self.offset(index)))

    def refuse_rest(self, expected: str = "`and`, `or` or the end is expected") -> NoReturn:
        token = self.token(self.at)
        hint = None
        if token.kind == "name":
            meant = nearest(token.text, ("and", "or"))
            hint = f"did you mean `{meant}`?" if meant else None
        elif token.text == ")":
            expected, hint = "this parenthesis closes nothing", None
        self.fail(expected + _found(token) if token.text != ")" else expected, hint)


def _found(token: Token) -> str:
    if token.kind == END:
        return ""
    shown = token.text if len(token.text) <= 40 else token.text[:40] + "..."
    return f", not {shown if shown.isprintable() else repr(shown)}"


def _operator_hint(token: Token, path: Path) -> str:
    if token.text == "(":
        meant = nearest(path[-1], ("segment", "has"))
        if meant:
            return f"did you mean `{meant}`?"
        return 'the only forms with parentheses are segment("name") and has(attribute)'
    if token.kind == "name":
        meant = _SYNONYMS.get(token.text.lower().replace("_", "")) or nearest(token.text, _WORDS)
        if meant:
            return f"did you mean `{meant}`?"
    return "an attribute stands in a test: attribute, operator, constant; the operators are " + " ".join(_OPERATORS)


def _attribute_hint(token: Token) -> str | None:
    if token.kind == "string":
        return 'the attribute comes first and without quotes, the constant last: country == "DE"'
    if token.kind == "number":
        return "the attribute comes first, the constant last: age >= 18"
    return None


def _constant_hint(token: Token) -> str | None:
    if token.kind == "name":
        if token.text.lower() in ("true", "false"):
            return f"did you mean `{token.text.lower()}`?"
        if token.text.lower() in ("null", "none", "nil"):
            return "there is no null: write has(attribute) or not has(attribute)"
        if token.text in KEYWORDS:
            return None
        return f'texts stand in quotes: "{token.text}"; two attributes cannot be compared'
    if token.kind == "mark" and token.text == "(":
        return 'lists stand in brackets: ["a", "b"]'
    return None
