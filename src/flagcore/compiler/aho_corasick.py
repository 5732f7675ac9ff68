"""Many literal texts at once: Aho-Corasick, expanded to a deterministic automaton.

Every state stands for the longest suffix of what was read that begins some text; its row is the row of its longest
proper suffix, with its own continuations put in.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from flagcore.compiler.dfa import DEAD, Dfa
from flagcore.compiler.nfa import TooManyStatesError

__all__ = ["build_trie_automaton"]

_ROOT = 1


def build_trie_automaton(texts: Sequence[tuple[bytes, int]], fold: bool, states: int, size: int) -> Dfa:
    """Return the automaton that reports the mask of every text that occurs; ``fold`` ignores ASCII case in all.

    ``states`` and ``size`` (bytes, as encoded) are limits.

    Raises:
        TooManyStatesError: a limit was reached.
    """
    if max(len(text) for text, _ in texts) + 2 > states:
        raise TooManyStatesError(f"it needs more than {states:,} states")
    texts = [(text.lower(), mask) for text, mask in texts] if fold else texts
    byte_class, classes = _classes([text for text, _ in texts], fold)
    children, masks = _trie(texts, min(states, size // (2 * classes + 8)))
    rows = [array("H", [DEAD]) * classes, array("H", [_ROOT]) * (classes - 1) + array("H", [DEAD])]
    rows += [rows[DEAD]] * (len(children) - 2)
    suffix = [DEAD] * len(children)
    queue = [_ROOT]
    for state in queue:
        row = rows[state] = rows[suffix[state]][:] if state != _ROOT else rows[_ROOT]
        masks[state] |= masks[suffix[state]]
        for byte, child in children[state].items():
            symbol = byte_class[byte]
            suffix[child] = row[symbol] if state != _ROOT else _ROOT
            row[symbol] = child
            queue.append(child)
    return Dfa(byte_class, [list(row) for row in rows], masks, _ROOT)


def _classes(texts: list[bytes], fold: bool) -> tuple[bytes, int]:
    """Return the class of each byte, one for all that no text holds, and the number of classes with the end's."""
    numbers: dict[int, int] = {}
    used = set().union(*texts)
    byte_class = []
    for byte in range(256):
        stored = bytes([byte]).lower()[0] if fold else byte
        byte_class.append(numbers.setdefault(stored if stored in used else -1, len(numbers)))
    return bytes(byte_class), len(numbers) + 1


def _trie(texts: Sequence[tuple[bytes, int]], limit: int) -> tuple[list[dict[int, int]], list[int]]:
    """Return each state's continuations and mask; state 0 is dead, state 1 the root."""
    children: list[dict[int, int]] = [{}, {}]
    masks = [0, 0]
    for text, mask in texts:
        state = _ROOT
        for byte in text:
            following = children[state].get(byte)
            if following is None:
                following = children[state][byte] = len(children)
                children.append({})
                masks.append(0)
            state = following
        masks[state] |= mask
        if len(children) > limit:
            raise TooManyStatesError(f"it needs more than {limit:,} states")
    return children, masks
