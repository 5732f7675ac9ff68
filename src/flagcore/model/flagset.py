"""What authors write, as data: FlagSet, Flag, Rule, Segment (flag-format.md section 1).

These structs hold a *valid or not yet validated* set in the author's terms; nothing here is lowered or resolved.
Times are RFC 3339 texts, paths are tuples of names, conditions keep the author's own text beside the tree. ``gc=False``: none of
them can hold itself, and a set of 100,000 flags is millions of objects.
"""

from __future__ import annotations

import msgspec

from flagcore.model.tree import Expression, Path
from flagcore.terms import FlagType, Purpose

__all__ = ["Condition", "Flag", "FlagSet", "RampStep", "Requirement", "Rule", "Scenario", "Segment", "Split"]

Number = int | float
Scalar = str | bool | int | float
Split = dict[str, Number]
"""Variant name -> weight, in the author's order and scale."""

TARGETING_KEY: Path = ("targetingKey",)


class Condition(msgspec.Struct, frozen=True, gc=False):
    """A condition: its tree, and the author's own text (None when it was written as structured data)."""

    tree: Expression
    text: str | None = None


class RampStep(msgspec.Struct, frozen=True, gc=False):
    """From ``at`` (RFC 3339) on, ``percent`` of the subjects are inside."""

    at: str
    percent: Number


class Requirement(msgspec.Struct, frozen=True, gc=False):
    """A prerequisite: ``flag`` must yield one of the variants ``accepted``, else ``otherwise`` is served."""

    flag: str
    accepted: tuple[str, ...]  # the key `is` of the format
    otherwise: str | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One rule of a flag; exactly one of ``serve`` and ``split`` is set."""

    id: str
    when: Condition | None = None
    between: tuple[str | None, str | None] | None = None  # [from, until), RFC 3339
    serve: str | None = None
    split: Split | None = None
    percent: Number | None = None
    base: str = "split"  # or "percent" (bucketing.md 2.8)
    ramp: tuple[RampStep, ...] | None = None
    bucket_by: Path | None = None  # None: the flag's
    salt: str | None = None  # None: the flag's
    description: str | None = None


class Scenario(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One entry of ``tests`` (flag-format.md section 5)."""

    given: dict[str, object]
    expect: str | dict[str, Number]  # a variant, or shares in percent
    at: str | None = None
    rule: str | None = None
    reason: str | None = None
    population: int | None = None
    by: Path | None = None
    tolerance: Number | None = None  # in percent points


class Flag(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One flag as authored. ``variants`` is filled in with ``{on: true, off: false}`` for a boolean flag without any."""

    key: str
    type: FlagType
    variants: dict[str, object]
    default: str | Split
    enabled: bool = True
    off_variant: str | None = None  # already defaulted to "off" where the format says so
    bucket_by: Path = TARGETING_KEY
    salt: str | None = None  # None: the flag key
    requires: tuple[Requirement, ...] = ()
    rules: tuple[Rule, ...] = ()
    tests: tuple[Scenario, ...] = ()
    metadata: dict[str, Scalar] = {}
    description: str | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()
    expires: str | None = None  # YYYY-MM-DD
    links: tuple[str, ...] = ()
    purpose: Purpose = Purpose.RELEASE


class Segment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A named condition (``when``) or value set (``attribute`` and ``values``), exactly one of the two."""

    name: str
    when: Condition | None = None
    attribute: Path | None = None
    values: tuple[Scalar, ...] | None = None  # values_file is read into this by the loader
    values_file: str | None = None  # the author's path, kept for printing back
    description: str | None = None


class FlagSet(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Flags handled and shipped together, with their segments and declared attributes."""

    flags: dict[str, Flag] = {}
    segments: dict[str, Segment] = {}
    attributes: dict[str, str] | None = (
        None  # path text -> string | integer | float | number | boolean | time | version | [string] | ...
    )
