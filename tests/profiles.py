"""How many cases the property tests try: few enough for every change, many in the nightly run."""

from __future__ import annotations

import os

__all__ = ["NIGHTLY", "NIGHTLY_CASES", "cases"]

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
NIGHTLY_CASES = int(os.environ.get("FLAGCORE_NIGHTLY_CASES", "50000"))


def cases(gate: int) -> int:
    """Return ``gate`` for the run that every change waits for, at least ``NIGHTLY_CASES`` for the nightly one."""
    return max(gate, NIGHTLY_CASES) if NIGHTLY else gate
