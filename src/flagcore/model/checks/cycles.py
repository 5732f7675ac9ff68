"""Cycles among requirements and among segments, and chains that are too long. Nothing here recurses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flagcore.model.checks.conditions import may_name_segments
from flagcore.model.checks.finding import error
from flagcore.model.normal import MAX_DEPTH, parts_of, walk
from flagcore.model.problems import Finding
from flagcore.model.scope import Scope
from flagcore.model.tree import Expression, InSegment

__all__ = ["check_requirement_cycles", "check_segment_cycles", "find_cycles"]

_SHOWN = 12


def check_requirement_cycles(scope: Scope) -> Iterator[Finding]:
    """``requires`` never leads back, and is at most ``limits.depth`` flags long."""
    flags, limit = scope.flag_set.flags, scope.limits.depth
    edges = {key: [requirement.flag for requirement in flag.requires] for key, flag in flags.items() if flag.requires}
    on_cycles: set[str] = set()
    for cycle in find_cycles(edges):
        on_cycles.update(cycle)
        index = edges[cycle[0]].index(cycle[1] if len(cycle) > 1 else cycle[0])
        path = ("flags", cycle[0], "requires", index, "flag")
        yield error(
            "cycle", f"the flags require each other in a cycle: {_shown(cycle)}", path, "drop one of the requirements"
        )
    lengths = _lengths(edges, on_cycles)
    for key, length in lengths.items():
        if length == limit + 1:  # the flags that require this one are too long as well, one finding a chain is enough
            yield error(
                "chain-too-long", f"a chain of more than {limit} requirements begins here", ("flags", key, "requires")
            )


def check_segment_cycles(scope: Scope) -> Iterator[Finding]:
    """Segments never lead back to themselves, and conditions with their segments in place stay within ``limits.depth``."""
    segments = scope.flag_set.segments
    trees = {name: segment.when.tree for name, segment in segments.items() if segment.when is not None}
    edges = {name: _named(tree) for name, tree in trees.items()}
    on_cycles: set[str] = set()
    for cycle in find_cycles(edges):
        on_cycles.update(cycle)
        path = ("segments", cycle[0], "when")
        yield error(
            "cycle", f"the segments name each other in a cycle: {_shown(cycle)}", path, "drop one of the references"
        )
    if on_cycles:
        return
    yield from _check_depth(scope, trees, edges)


def _check_depth(scope: Scope, trees: dict[str, Expression], edges: dict[str, list[str]]) -> Iterator[Finding]:
    limit = scope.limits.depth
    may_be_deep = limit < MAX_DEPTH or not scope.is_parsed
    depths: dict[str, int] = {}
    for name in _leaves_first(edges):
        if name in trees:
            depths[name] = depth_with_segments(trees[name], depths)
            if depths[name] > limit >= max((depths.get(other, 0) for other in edges[name]), default=0):
                yield _too_deep(limit, ("segments", name, "when"))
    for key, flag in scope.flag_set.flags.items():
        for index, rule in enumerate(flag.rules):
            if rule.when is None or not (may_be_deep or may_name_segments(scope, rule.when)):
                continue
            tree = rule.when.tree
            if isinstance(tree, InSegment) and depths.get(tree.name, 0) > limit:
                continue
            if depth_with_segments(tree, depths) > limit >= max((depths.get(n, 0) for n in _named(tree)), default=0):
                yield _too_deep(limit, ("flags", key, "rules", index, "when"))


def _too_deep(limit: int, path: tuple[str | int, ...]) -> Finding:
    return error("too-deep", f"the condition, with its segments in place, is nested deeper than {limit}", path)


def depth_with_segments(tree: Expression, depths: Mapping[str, int]) -> int:
    """Return the nesting of the tree when each segment stands in place, one level deeper than its name."""
    deepest, level = 0, 0
    nodes = [tree]
    while nodes:
        named = [1 + depths.get(node.name, 0) for node in nodes if isinstance(node, InSegment)]
        deepest = max(deepest, level, level + max(named, default=0))
        nodes = [part for node in nodes for part in parts_of(node)]
        level += 1
    return deepest


def _named(tree: Expression) -> list[str]:
    return [node.name for node in walk(tree) if isinstance(node, InSegment)]


def _shown(cycle: list[str]) -> str:
    names = (
        cycle
        if len(cycle) <= _SHOWN
        else [*cycle[: _SHOWN // 2], f"({len(cycle) - _SHOWN} more)", *cycle[-_SHOWN // 2 :]]
    )
    return " -> ".join([*names, cycle[0]])


def find_cycles(edges: Mapping[str, list[str]]) -> Iterator[list[str]]:
    """Yield cycles such that every cycle of the graph shares an edge with one of them; linear in nodes and edges."""
    state: dict[str, bool] = {}  # False: on the way, True: done
    for start in edges:
        if start in state:
            continue
        way = [start]
        state[start] = False
        pending = [iter(edges[start])]
        while pending:
            follower = next(pending[-1], None)
            if follower is None:
                pending.pop()
                state[way.pop()] = True
            elif follower not in state:
                way.append(follower)
                state[follower] = False
                pending.append(iter(edges.get(follower, ())))
            elif state[follower] is False:
                yield way[way.index(follower) :]


def _leaves_first(edges: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield every name after the names that it leads to; the graph has no cycle."""
    done: set[str] = set()
    for start in edges:
        stack = [(start, False)]
        while stack:
            name, is_left = stack.pop()
            if is_left:
                yield name
            elif name not in done:
                done.add(name)
                stack.append((name, True))
                stack.extend((follower, False) for follower in edges.get(name, ()))


def _lengths(edges: Mapping[str, list[str]], on_cycles: set[str]) -> dict[str, int]:
    """Return for each flag how many requirements the longest chain from it has, cycles apart."""
    acyclic = {
        key: [target for target in targets if target not in on_cycles]
        for key, targets in edges.items()
        if key not in on_cycles
    }
    lengths: dict[str, int] = {}
    for name in _leaves_first(acyclic):
        lengths[name] = max((1 + lengths[target] for target in acyclic.get(name, ())), default=0)
    return lengths
