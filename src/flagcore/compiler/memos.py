"""Which classes, masks and hashes are worth a memo word: those that some walk asks for more than once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from flagcore.compiler.layout import LEAF_BIT, NO_MEMO, NONE
from flagcore.compiler.operations import Exit, Operation, is_node

__all__ = ["MemoKey", "MemoTable", "memo_words"]

MemoKey = tuple[object, ...]
MemoTable = dict[MemoKey, int]


def memo_words(
    operations: Sequence[Operation],
    keys_of: Callable[[Operation], Iterable[MemoKey]],
    leaf_keys: Sequence[MemoKey | None],
) -> MemoTable:
    """Return the memo word of every key that one walk may need twice: in two nodes, or in a node and its leaf.

    ``operations`` are children first. A key's bit is kept for each node from which some node or leaf that uses the key
    can be reached; a node that visits several children shares what any two of them need.
    """
    if not _is_any_repeated(operations, keys_of, leaf_keys):
        return {}
    bits: dict[MemoKey, int] = {}

    def bit(key: MemoKey | None) -> int:
        return 0 if key is None else bits.setdefault(key, 1 << len(bits))

    behind_leaf = [bit(key) for key in leaf_keys]
    behind: list[int] = []
    shared = 0

    def reach_of(exit_: Exit) -> int:
        return behind[exit_] if is_node(exit_) else 0 if exit_ == NONE else behind_leaf[exit_ ^ LEAF_BIT]

    for operation in operations:
        reach = 0
        for exit_ in operation.exits if operation.visits_all else set(operation.exits):
            further = reach_of(exit_)
            shared |= reach & further if operation.visits_all else 0
            reach |= further
        for key in keys_of(operation):
            shared |= bit(key) & reach
            reach |= bit(key)
        behind.append(reach)
    words = [key for key, value in bits.items() if value & shared]
    return {key: word for word, key in enumerate(words[: NO_MEMO - 1])}


def _is_any_repeated(
    operations: Sequence[Operation],
    keys_of: Callable[[Operation], Iterable[MemoKey]],
    leaf_keys: Sequence[MemoKey | None],
) -> bool:
    """Two operations or leaves use one key, or a walk may come to one operation twice: in most flags neither is so."""
    keys = [key for operation in operations for key in keys_of(operation)]
    keys += [key for key in leaf_keys if key is not None]
    return len(set(keys)) < len(keys) or any(operation.visits_all for operation in operations)
