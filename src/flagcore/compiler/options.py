"""Settings of the compiler. Answers never depend on them, only size, speed and what is refused."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Debug", "Options"]

Debug = bool | Literal["when asked"]
"""Whether debug information is made beside programs; ``"when asked"``: for each flag when it is first explained."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Budgets (docs/design/compiler.md sections 3 and 5)."""

    credit_factor: int = 4  # K: replicated rows may weigh K times the source
    small: int = 64  # up to so many rows, a switch is weighed against a block and the plain chain; more may be forked
    max_depth: int = 62  # switches and forks above one another; deeper rows are met in blocks
    least_block: int = 8  # fewer rows are never met in a block
    forked_cost: int = 8  # comparisons that a flag of few rules must save to be met by masks; 0: any
    block_rows: int = 64  # of one block, 1..64
    group_rows: int = 8  # fewer rows are no group of a fork
    multi_constants: int = 8  # fewer contained constants are tested one by one
    literal_runs: int = 200_000  # of all conditions, segments in place
    condition_nodes: int = 1_000_000  # of all conditions of a flag, segments in place
    nesting: int = 128  # of a condition, segments in place
    program_bytes: int = 16 << 20
    direct_tests: int = 3  # more tests than this of one attribute in one place become a table
    automaton_states: int = 10_000
    check: bool = False  # assert what must hold inside the builder
