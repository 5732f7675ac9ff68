"""The words of condition texts: one scan with one regular expression (flag-format.md section 2)."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from flagcore.model.problems import ExpressionError, Fault

__all__ = ["END", "KEYWORDS", "Token", "is_plain_name", "kind_of", "offsets", "refuse", "split", "unescape"]

KEYWORDS = frozenset(
    {"and", "or", "not", "segment", "has", "true", "false", "in", "contains", "starts_with", "ends_with", "matches"}
)
END = "end"

_BLANK = r"(?:[ \t\r\n]++|\#[^\n]*+)*+"
_KNOWN = r"""[A-Za-z_][A-Za-z0-9_-]*+
    |"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"|'[^'\\\n]*+(?:\\[^\n][^'\\\n]*+)*+'
    |==|!=|<=|>=|<|>
    |[()\[\],.]
    |(?>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![A-Za-z0-9_])
    |`[^`]*(?:``[^`]*)*`"""
_WORD = re.compile(rf"{_BLANK}({_KNOWN}|\Z|.+)", re.VERBOSE | re.DOTALL)  # .+ is the rest, from where nothing fits
_KNOWN_WORD = re.compile(_KNOWN, re.VERBOSE)
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_ESCAPE = re.compile(r"\\(?:u\{([^}]*)\}?|(.))", re.DOTALL)
_ESCAPED = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "t": "\t"}
_HEX = re.compile(r"[0-9A-Fa-f]{1,6}")
_NUMBER_START = re.compile(r"-?[0-9]")
_MEANT = {"&&": "and", "&": "and", "||": "or", "|": "or", "!": "not", "=": "==", "=~": "matches", "<>": "!="}
_SIGNS = re.compile(r"&&?|\|\|?|=~|=|!|[^\s]")


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_KINDS = {  # by the first character
    "": END,
    **dict.fromkeys(_LETTERS + _LETTERS.upper() + "_", "name"),
    **dict.fromkeys("\"'", "string"),
    **dict.fromkeys("0123456789-", "number"),
    **dict.fromkeys("=!<>", "operator"),
    **dict.fromkeys("()[],.", "mark"),
    "`": "quoted",
}


class Token(NamedTuple):
    """``kind`` is name, quoted, string, number, operator, mark or end; ``offset`` counts code points."""

    kind: str
    text: str
    offset: int


def is_plain_name(name: str) -> bool:
    """True when the name needs no backquotes."""
    return name not in KEYWORDS and _PLAIN_NAME.fullmatch(name) is not None


def kind_of(word: str) -> str:
    """Return the kind of a word that ``split`` gives."""
    return _KINDS[word[:1]]


def split(text: str) -> tuple[list[str], int]:
    """Return the words of the text, an empty one last, and the index of the one that is none, or -1.

    Words are plain texts, one scan in C: their offsets are asked for only when something is wrong.
    """
    words: list[str] = _WORD.findall(text)
    last = len(words) - 1
    while last >= 0 and not words[last]:
        last -= 1
    is_strange = last >= 0 and _KNOWN_WORD.fullmatch(words[last]) is None
    return words, last if is_strange else -1


def offsets(text: str) -> list[int]:
    """Return where in the text each of its words begins."""
    return [match.start(1) for match in _WORD.finditer(text)]


def refuse(text: str, offset: int) -> NoReturn:
    """Say why no token can be read here.

    Raises:
        ExpressionError: always.
    """
    character = text[offset]
    if _NUMBER_START.match(text, offset):
        raise _syntax(text, "a number ends in a letter", offset, "texts stand in quotes, names begin with a letter")
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
    signs = _SIGNS.match(text, offset)
    word = signs[0] if signs else character
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
