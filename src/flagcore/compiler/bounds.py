"""The most steps and open forks of a walk from each node: a proof that the program carries (kernel.h, "bounds")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flagcore.compiler.operations import Masked, Operation, is_node
from flagcore.compiler.refusal import Refusal

__all__ = ["Bound", "walk_bounds"]

_MOST_STEPS = (1 << 24) - 1


class Bound(NamedTuple):
    """Of the walk from a node on."""

    steps: int
    forks: int

    @property
    def word(self) -> int:
        """As the bound table holds it."""
        return self.steps << 8 | self.forks


_END = Bound(0, 0)  # of leaves and NONE


def walk_bounds(operations: Sequence[Operation]) -> list[Bound]:
    """Return the bound of each of ``operations``, which are children first; raises Refusal when one is out of range."""
    bounds: list[Bound] = []
    for operation in operations:
        exits = [bounds[exit_] if is_node(exit_) else _END for exit_ in operation.exits]
        bound = _of_several(operation, exits) if operation.visits_all else _of_single(exits)
        if bound.steps > _MOST_STEPS:
            raise Refusal("program-too-large", f"a walk might take more than {_MOST_STEPS:,} steps")
        bounds.append(bound)
    return bounds


def _of_single(exits: Sequence[Bound]) -> Bound:
    return Bound(1 + max([exit_.steps for exit_ in exits]), max([exit_.forks for exit_ in exits]))


def _of_several(operation: Operation, exits: Sequence[Bound]) -> Bound:
    match operation.content:
        case Masked(columns):
            return Bound(1 + len(columns) + sum(exit_.steps for exit_ in exits), exits[-1].forks)
    return Bound(1 + sum(exit_.steps for exit_ in exits), 1 + max(exit_.forks for exit_ in exits))
