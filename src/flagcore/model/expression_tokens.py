"""The words of condition texts: one scan with one regular expression (flag-format.md section 2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import repeat
from typing import NamedTuple

from flagcore.model.problems import ExpressionError, Fault

__all__ = ["END", "KEYWORDS", "Token", "is_plain_name", "tokenize", "unescape"]

KEYWORDS = frozenset(
    {"and", "or", "not", "segment", "has", "true", "false", "in", "contains", "starts_with", "ends_with", "matches"}
)
END = "end"

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]+|\#[^\n]*)
    |(?P<name>[A-Za-z_][A-Za-z0-9_-]*)
    |(?P<quoted>`[^`]*(?:``[^`]*)*`)
    |(?P<string>"[^"\\\n]*(?:\\[^\n][^"\\\n]*)*"|'[^'\\\n]*(?:\\[^\n][^'\\\n]*)*')
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    |(?P<operator>==|!=|<=|>=|<|>)
    |(?P<mark>[()\[\],.])""",
    re.VERBOSE,
)
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_ESCAPE = re.compile(r"\\(?:u\{([^}]*)\}?|(.))", re.DOTALL)
_ESCAPED = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "t": "\t"}
_HEX = re.compile(r"[0-9A-Fa-f]{1,6}")
_NAME_CHARACTER = re.compile(r"[A-Za-z0-9_]")
_MEANT = {"&&": "and", "&": "and", "||": "or", "|": "or", "!": "not", "=": "==", "=~": "matches", "<>": "!="}
_STRANGE = re.compile(r"&&?|\|\|?|=~|=|!|[^\s]")


class Token(NamedTuple):
    """``kind`` is name, quoted, string, number, operator, mark or end; ``offset`` counts code points."""

    kind: str
    text: str
    offset: int


def is_plain_name(name: str) -> bool:
    """True when the name needs no backquotes."""
    return name not in KEYWORDS and _PLAIN_NAME.fullmatch(name) is not None


def tokenize(text: str) -> Iterator[Token]:
    """Yield the tokens, then end tokens without end.

    Raises:
        ExpressionError: at the first place where no token can be read.
    """
    at = 0
    for match in _TOKEN.finditer(text):
        if match.start() != at:
            break
        kind, at = match.lastgroup, match.end()
        if kind == "blank":
            continue
        if kind == "number" and _NAME_CHARACTER.match(text, at):
            _refuse_number(text, match.start())
        yield Token(kind or END, match[0], match.start())
    if at < len(text):
        _refuse(text, at)
    yield from repeat(Token(END, "", len(text)))


def _refuse_number(text: str, offset: int) -> None:
    raise _syntax(text, "a number ends in a letter", offset, "texts stand in quotes, names begin with a letter")


def _refuse(text: str, offset: int) -> None:
    character = text[offset]
    if character in "\"'":
        raise _syntax(
            text,
            "this string is never closed",
            offset,
            f"close it by {character} on the same line; \\n is a line break",
        )
    if character == "`":
        raise _syntax(text, "this name in backquotes is never closed", offset)
    if character in "“”„‘’«»":
        raise _syntax(text, f"{character!r} is not a quotation mark here", offset, "write \" or '")
    strange = _STRANGE.match(text, offset)
    word = strange[0] if strange else character
    meant = _MEANT.get(word)
    raise _syntax(text, f"{word!r} is not part of the language", offset, f"did you mean `{meant}`?" if meant else None)


def _syntax(text: str, message: str, offset: int, hint: str | None = None) -> ExpressionError:
    return ExpressionError([Fault(code="syntax", message=message, hint=hint, offset=offset)], text)


def unescape(text: str, token: Token) -> str:
    r"""Return what a string token stands for: escapes ``\\ \" \' \n \t \u{hex}``.

    Raises:
        ExpressionError: another escape, or a code point that is none.
    """
    body = token.text[1:-1]
    if "\\" not in body:
        return body

    def replace(match: re.Match[str]) -> str:
        offset = token.offset + 1 + match.start()
        if match[1] is None:
            if match[2] in _ESCAPED:
                return _ESCAPED[match[2]]
            hint = (
                "write \\u{hex} with one to six digits"
                if match[2] == "u"
                else "the escapes are \\\\ \\\" \\' \\n \\t \\u{hex}"
            )
            raise _syntax(text, f"the escape \\{match[2]} is not known", offset, hint)
        code_point = int(match[1], 16) if match[0].endswith("}") and _HEX.fullmatch(match[1]) else -1
        if not (0 <= code_point <= 0x10FFFF) or 0xD800 <= code_point <= 0xDFFF:
            raise _syntax(
                text, f"{match[0]!r} names no character", offset, "write \\u{hex}, up to 10FFFF, not a surrogate"
            )
        return chr(code_point)

    return _ESCAPE.sub(replace, body)
