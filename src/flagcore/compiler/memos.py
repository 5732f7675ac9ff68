"""Which classes, masks and hashes are worth a memo word: those that some walk asks for more than once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flagcore.compiler.layout import LEAF_BIT, NO_MEMO
from flagcore.compiler.select import Operation

__all__ = ["MemoKey", "MemoTable", "memo_words"]

MemoKey = tuple[object, ...]
MemoTable = dict[MemoKey, int]


def memo_words(
    operations: Sequence[Operation],
    key_of: Callable[[Operation], MemoKey | None],
    leaf_keys: Sequence[MemoKey | None],
) -> MemoTable:
    """Return the memo word of every key that two nodes of one walk (or a node and its leaf) share.

    ``operations`` are children first. A key's bit is kept for each node from which some node or leaf that uses the key
    can be reached.
    """
    bits: dict[MemoKey, int] = {}

    def bit(key: MemoKey | None) -> int:
        return 0 if key is None else bits.setdefault(key, 1 << len(bits))

    behind_leaf = [bit(key) for key in leaf_keys]
    behind: list[int] = []
    shared = 0
    for operation in operations:
        reach = 0
        for exit_ in set(operation.exits):
            reach |= behind_leaf[exit_ ^ LEAF_BIT] if exit_ & LEAF_BIT else behind[exit_]
        own = bit(key_of(operation))
        shared |= own & reach
        behind.append(own | reach)
    words = [key for key, value in bits.items() if value & shared]
    return {key: word for word, key in enumerate(words[: NO_MEMO - 1])}
