"""Patterns matched the naive way, straight from the tree, over code points: slow, and plainly right."""

from __future__ import annotations

from flagcore.model.regex_tree import Assertion, Choice, Empty, Pattern, Ranges, Repeat, Sequence

__all__ = ["pattern_matches"]

_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def pattern_matches(tree: Pattern, text: str) -> bool:
    """Tell whether ``tree`` matches somewhere in ``text``."""
    return bool(_ends(tree, text, set(range(len(text) + 1))))


def _ends(tree: Pattern, text: str, starts: set[int]) -> set[int]:
    """Return where matches that begin in ``starts`` may end."""
    match tree:
        case Empty():
            return starts
        case Ranges(ranges=ranges):
            inside = (at for at in starts if at < len(text))
            return {at + 1 for at in inside if any(low <= ord(text[at]) <= high for low, high in ranges)}
        case Sequence(parts=parts):
            for part in parts:
                starts = _ends(part, text, starts)
            return starts
        case Choice(parts=parts):
            return set().union(*(_ends(part, text, starts) for part in parts))
        case Repeat():
            return _repeated(tree, text, starts)
        case Assertion(kind=kind):
            return {at for at in starts if _holds(kind, text, at)}


def _repeated(tree: Repeat, text: str, starts: set[int]) -> set[int]:
    for _ in range(tree.low):
        starts = _ends(tree.part, text, starts)
    found = set(starts)
    rounds = len(text) + 1 if tree.high is None else tree.high - tree.low
    for _ in range(rounds):
        starts = _ends(tree.part, text, starts)
        if starts <= found:
            break
        found |= starts
    return found


def _holds(kind: str, text: str, at: int) -> bool:
    match kind:
        case "begin":
            return at == 0
        case "end":
            return at == len(text)
        case "line_begin":
            return at == 0 or text[at - 1] == "\n"
        case "line_end":
            return at == len(text) or text[at] == "\n"
    boundary = (text[at - 1 : at] in _WORD) != (text[at : at + 1] in _WORD)
    return boundary == (kind == "word")
