"""Parser of regular expressions: RE2's syntax, restricted to what one automaton can decide (flag-format.md section 2).

One pass over the text with an explicit stack of open groups: linear, and no input makes it recurse.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, NoReturn

from flagcore.model.problems import PatternError, nearest
from flagcore.model.regex_classes import (
    MAX_CODE_POINT,
    PERL_CLASSES,
    POSIX_CLASSES,
    RangeSet,
    fold_case,
    merge,
    negate,
)
from flagcore.model.regex_tree import Assertion, AssertionKind, Choice, Empty, Pattern, Ranges, Repeat, Sequence

__all__ = [
    "MAX_COUNT",
    "MAX_DEPTH",
    "MAX_LENGTH",
    "Assertion",
    "Choice",
    "Empty",
    "Pattern",
    "Ranges",
    "Repeat",
    "Sequence",
    "parse_pattern",
]

MAX_DEPTH = 64  # groups inside each other
MAX_LENGTH = 10_000  # code points; a longer pattern has more states than an automaton may have, anyway
MAX_COUNT = 1000  # of {n,m}, and of nested counts multiplied

_COUNT = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_GROUP_NAME = re.compile(r"\(\?P?<([A-Za-z_][A-Za-z0-9_]*)>")
_FLAGS = re.compile(r"\(\?([A-Za-z-]*)([:)])")
_HEX = re.compile(r"x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,8})\})")
_OCTAL = re.compile(r"0[0-7]{0,2}|[1-7][0-7]{1,2}")
_CONTROL = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_EVERYTHING: RangeSet = negate(())
_NOT_NEWLINE: RangeSet = negate(((10, 10),))
_ESCAPED_ASSERTIONS: dict[str, AssertionKind] = {"A": "begin", "z": "end", "b": "word", "B": "not_word"}
_REFUSED_GROUPS = (
    ("(?=", "look-ahead"),
    ("(?!", "look-ahead"),
    ("(?<=", "look-behind"),
    ("(?<!", "look-behind"),
    ("(?P=", "a back-reference"),
    ("(?P>", "a recursive group"),
    ("(?R", "a recursive group"),
    ("(?>", "an atomic group"),
    ("(?#", "a comment group"),
    ("(?(", "a conditional group"),
    ("(?|", "a branch reset group"),
)


def parse_pattern(text: str) -> Pattern:
    """Return the tree of the pattern.

    Raises:
        PatternError: the pattern is not well formed, or outside the supported set; says why and where.
    """
    if len(text) > MAX_LENGTH:
        raise PatternError(
            f"it is longer than {MAX_LENGTH:,} characters", MAX_LENGTH, "long lists of texts belong into `in`"
        )
    return _Parser(text).parse()


class _Group:
    """One open group: finished branches, the branch being read, and the flags to restore at its end."""

    __slots__ = ("branches", "counts", "flags", "items", "offset", "repeatable")

    def __init__(self, offset: int, flags: frozenset[str]) -> None:
        self.offset = offset
        self.flags = flags
        self.branches: list[Pattern] = []
        self.items: list[Pattern] = []
        self.counts: list[int] = [
            1
        ]  # largest product of nested counts, of the items read so far; the last item's is at the end
        self.repeatable = False  # may the last item be repeated

    def add(self, item: Pattern, count: int = 1) -> None:
        self.items.append(item)
        self.counts.append(count)
        self.repeatable = True

    def end_branch(self) -> None:
        self.branches.append(_sequence(self.items))
        self.items = []
        self.repeatable = False

    def close(self) -> Pattern:
        self.end_branch()
        return self.branches[0] if len(self.branches) == 1 else Choice(tuple(self.branches))


def _sequence(items: list[Pattern]) -> Pattern:
    kept = [item for item in items if not isinstance(item, Empty)]
    if not kept:
        return Empty()
    return kept[0] if len(kept) == 1 else Sequence(tuple(kept))


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.flags: frozenset[str] = frozenset()
        self.names: set[str] = set()
        self.stack = [_Group(0, self.flags)]

    def parse(self) -> Pattern:
        text, steps = self.text, self._STEPS
        while self.at < len(text):
            step = steps.get(text[self.at])
            if step is None:
                self._add_code_points(self._literal(ord(text[self.at])), 1)
            else:
                step(self)
        if len(self.stack) > 1:
            self._fail("this group is never closed", self.stack[-1].offset, "write \\( for a parenthesis as such")
        return self.stack[0].close()

    def _fail(self, reason: str, offset: int | None = None, hint: str | None = None) -> NoReturn:
        raise PatternError(reason, self.at if offset is None else offset, hint)

    def _literal(self, code_point: int) -> RangeSet:
        ranges = merge([(code_point, code_point)])
        return fold_case(ranges) if "i" in self.flags else ranges

    def _add_code_points(self, ranges: RangeSet, length: int) -> None:
        self.stack[-1].add(Ranges(ranges))
        self.at += length

    def _add_assertion(self, kind: AssertionKind, length: int = 1) -> None:
        self.stack[-1].add(Assertion(kind))
        self.at += length

    # -- single characters --

    def _dot(self) -> None:
        self._add_code_points(_EVERYTHING if "s" in self.flags else _NOT_NEWLINE, 1)

    def _caret(self) -> None:
        self._add_assertion("line_begin" if "m" in self.flags else "begin")

    def _dollar(self) -> None:
        self._add_assertion("line_end" if "m" in self.flags else "end")

    def _bar(self) -> None:
        self.stack[-1].end_branch()
        self.at += 1

    # -- groups --

    def _open(self) -> None:
        text, at = self.text, self.at
        if not text.startswith("(?", at):
            self._push(1)
        elif text.startswith("(?:", at):
            self._push(3)
        elif match := _GROUP_NAME.match(text, at):
            if match[1] in self.names:
                self._fail(f"the group name {match[1]!r} is used twice")
            self.names.add(match[1])
            self._push(match.end() - at)
        else:
            self._special_group()

    def _push(self, length: int) -> None:
        if len(self.stack) > MAX_DEPTH:
            self._fail(f"groups are nested deeper than {MAX_DEPTH}")
        self.stack.append(_Group(self.at, self.flags))
        self.at += length

    def _special_group(self) -> None:
        for start, name in _REFUSED_GROUPS:
            if self.text.startswith(start, self.at):
                self._fail(f"{name} cannot be matched in linear time and is not supported")
        match = _FLAGS.match(self.text, self.at)
        if match is None:
            self._fail("this group is not known", hint="groups are (...), (?:...) and (?P<name>...)")
        if match[1] not in ("i", "s", "m") or match[2] != ")":
            self._fail("flags are written only as (?i), (?s) or (?m)", hint=_flag_hint(match[1]))
        self.flags |= {match[1]}
        self.at = match.end()

    def _close(self) -> None:
        if len(self.stack) == 1:
            self._fail("this parenthesis closes no group", hint="write \\) for a parenthesis as such")
        group = self.stack.pop()
        self.flags = group.flags
        self.stack[-1].add(group.close(), max(group.counts))
        self.at += 1

    # -- repetition --

    def _star(self) -> None:
        self._repeat(0, None, 1)

    def _plus(self) -> None:
        self._repeat(1, None, 1)

    def _question(self) -> None:
        self._repeat(0, 1, 1)

    def _brace(self) -> None:
        match = _COUNT.match(self.text, self.at)
        if match is None:  # as in RE2, a brace that is no count is an ordinary character
            self._add_code_points(self._literal(ord("{")), 1)
            return
        digits = [part.lstrip("0") or "0" for part in (match[1], match[3] or "0")]
        if max(map(len, digits)) > 4 or max(map(int, digits)) > MAX_COUNT:
            self._fail(f"a count is at most {MAX_COUNT}")
        low = int(digits[0])
        high = (int(digits[1]) if match[3] else None) if match[2] else low
        if high is not None and high < low:
            self._fail(f"the counts of {match[0]} are in the wrong order", hint=f"write {{{high},{low}}}")
        self._repeat(low, high, len(match[0]))

    def _repeat(self, low: int, high: int | None, length: int) -> None:
        group = self.stack[-1]
        if not group.repeatable:
            self._fail(
                f"nothing to repeat before {self.text[self.at : self.at + length]!r}",
                hint="write \\ before it to mean it",
            )
        count = group.counts.pop() * max(low, high or 0, 1)
        if count > MAX_COUNT:
            self._fail(f"nested counts multiply to more than {MAX_COUNT}")
        group.counts.append(count)
        group.items[-1] = Repeat(group.items[-1], low, high)
        group.repeatable = False
        self.at += length
        if self.text.startswith("?", self.at):  # not greedy: the same language
            self.at += 1

    # -- escapes --

    def _backslash(self) -> None:
        text, at = self.text, self.at
        letter = text[at + 1 : at + 2]
        if letter in _ESCAPED_ASSERTIONS:
            self._add_assertion(_ESCAPED_ASSERTIONS[letter], 2)
        elif letter in PERL_CLASSES:
            self._add_code_points(PERL_CLASSES[letter], 2)
        elif letter == "Q":
            end = text.find("\\E", at + 2)
            for character in text[at + 2 : len(text) if end < 0 else end]:
                self._add_code_points(self._literal(ord(character)), 0)
            self.at = len(text) if end < 0 else end + 2
        else:
            code_point, length = self._escape()
            self._add_code_points(self._literal(code_point), length)

    def _escape(self) -> tuple[int, int]:
        """Return the code point of the escape that starts here and its length."""
        text, at = self.text, self.at
        letter = text[at + 1 : at + 2]
        if letter == "":
            self._fail("a backslash at the end of the pattern", hint="write \\\\ for a backslash as such")
        if letter in _CONTROL:
            return _CONTROL[letter], 2
        if match := _HEX.match(text, at + 1):
            code_point = int(match[1] or match[2], 16)
            if code_point > MAX_CODE_POINT:
                self._fail(f"{match[0]!r} is beyond the last code point, 10FFFF")
            return code_point, match.end() - at
        if match := _OCTAL.match(text, at + 1):
            return int(match[0], 8), match.end() - at
        if letter.isascii() and not letter.isalnum():
            return ord(letter), 2
        self._refuse_escape(letter)

    def _refuse_escape(self, letter: str) -> NoReturn:
        if letter.isdigit():
            self._fail("a back-reference cannot be matched in linear time and is not supported")
        if letter in "pP":
            self._fail(
                f"Unicode classes such as \\{letter}{{L}} are not supported",
                hint="write the ranges, such as [a-zA-Z\\x{C0}-\\x{24F}]",
            )
        if letter == "C":
            self._fail("\\C matches single bytes and is not supported", hint="use . for one character")
        hint = {"Z": "write \\z or $ for the text's end", "E": "\\E closes a \\Q"}.get(letter)
        self._fail(f"the escape \\{letter} is not known", hint=hint)

    # -- classes in brackets --

    def _bracket(self) -> None:
        start = self.at
        self.at += 1
        negated = self.text.startswith("^", self.at)
        self.at += negated
        ranges: list[tuple[int, int]] = []
        first = True
        while first or not self.text.startswith("]", self.at):
            if self.at >= len(self.text):
                self._fail("this class is never closed by ]", start, "write \\[ for a bracket as such")
            ranges += self._class_item()
            first = False
        merged = merge(ranges)
        if "i" in self.flags:
            merged = fold_case(merged)
        self._add_code_points(negate(merged) if negated else merged, 1)

    def _class_item(self) -> RangeSet:
        text = self.text
        if text.startswith("[:", self.at) and (end := text.find(":]", self.at + 2)) >= 0:
            return self._posix_class(end)
        if text[self.at] == "\\" and text[self.at + 1 : self.at + 2] in PERL_CLASSES:
            self.at += 2
            return PERL_CLASSES[text[self.at - 1]]
        start = self.at
        low = high = self._class_character()
        if text.startswith("-", self.at) and not text.startswith("-]", self.at) and self.at + 1 < len(text):
            self.at += 1
            high = self._class_character()
        if high < low:
            self._fail(f"the range {text[start : self.at]} is in the wrong order", start)
        return ((low, high),)

    def _posix_class(self, end: int) -> RangeSet:
        text = self.text[self.at + 2 : end]
        name = text.removeprefix("^")
        ranges = POSIX_CLASSES.get(name)
        if ranges is None:
            meant = nearest(name, POSIX_CLASSES)
            hint = f"did you mean [:{meant}:]?" if meant else None
            self._fail(f"the class [:{text[:32]}:] is not known", hint=hint)
        self.at = end + 2
        return ranges if name == text else negate(ranges)

    def _class_character(self) -> int:
        if self.text[self.at] == "\\":
            code_point, length = self._escape()
        else:
            code_point, length = ord(self.text[self.at]), 1
        self.at += length
        return code_point

    _STEPS: ClassVar[dict[str, Callable[[_Parser], None]]] = {
        ".": _dot,
        "^": _caret,
        "$": _dollar,
        "|": _bar,
        "(": _open,
        ")": _close,
        "*": _star,
        "+": _plus,
        "?": _question,
        "{": _brace,
        "\\": _backslash,
        "[": _bracket,
    }


def _flag_hint(letters: str) -> str:
    if letters and set(letters) <= set("ism"):
        return "write " + "".join(f"(?{letter})" for letter in dict.fromkeys(letters)) + " at the start"
    return "leave out other flags"
