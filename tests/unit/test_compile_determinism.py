"""The same flags give the same bytes, whatever order Python's sets and dictionaries of the moment have."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.workloads.growth import FAMILIES
from tests.support.processes import python

_ROOT = Path(__file__).parents[2]
_SEEDS = ("0", "1", "4242", "99")
_COMPILE = """
import hashlib, sys
from benchmarks.workloads.growth import rule_set
from flagcore.compiler import Options, compile_flag_set
from flagcore.model import build_flag_set, load
from flagcore.snapshot.codec import encode_snapshot

FORKED = Options(least_block=2, forked_cost=0, small=4, group_rows=2, multi_constants=2, check=True)


def tell(name, flag_set, options):
    content = encode_snapshot(compile_flag_set(flag_set, options=options).snapshot)
    print(name, len(content), hashlib.sha256(content).hexdigest())


for family in sys.argv[2:]:
    flag_set = build_flag_set(rule_set(family, 90)).flag_set
    tell(family, flag_set, Options())
    tell(family + " forked", flag_set, FORKED)
tell("shop", load(sys.argv[1]).flag_set, Options())
"""


def _compiled(seed: str) -> str:
    """Return names, sizes and digests of sets that an interpreter with this hash seed has compiled."""
    done = python("-c", _COMPILE, "examples/shop", *FAMILIES, cwd=_ROOT, PYTHONHASHSEED=seed)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def expected() -> str:
    """What the first seed gives."""
    return _compiled(_SEEDS[0])


@pytest.mark.parametrize("seed", _SEEDS[1:])
def test_bytes_do_not_depend_on_the_hash_seed(seed: str, expected: str) -> None:
    """Every kind of rule set, with every kind of node forced too, and the examples, debug information included."""
    assert len(expected.splitlines()) == 2 * len(FAMILIES) + 1
    assert _compiled(seed) == expected
