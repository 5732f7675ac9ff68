"""Weights and percents (bucketing.md 2.4 and 2.6), in exact arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from flagcore.model.checks.finding import error, shown, unknown
from flagcore.model.fields import kind_of
from flagcore.model.problems import DocumentPath, Finding

__all__ = ["check_percent", "check_split", "single_winner"]

if TYPE_CHECKING:
    from fractions import Fraction

_MAX_WEIGHT = 2**20
_PERCENT_STEP = 10_000  # four decimals


def _exact(number: object) -> Fraction | None:
    """Return the decimal that the author wrote, None for what is no finite number."""
    if isinstance(number, bool) or not isinstance(number, (int, float)) or number - number != 0:
        return None
    from fractions import Fraction  # 1 ms that only splits and decimals should cost

    return Fraction(number) if isinstance(number, int) else Fraction(repr(float(number)))


def check_percent(percent: object, path: DocumentPath) -> Iterator[Finding]:
    """0 to 100 with at most four decimals."""
    if type(percent) is int and 0 <= percent <= 100:
        return
    exact = _exact(percent)
    if exact is None:
        yield error("wrong-type", f"a percent is a number, not {kind_of(percent)}", path)
    elif not 0 <= exact <= 100:
        yield error("out-of-range", f"{percent} is not a percent from 0 to 100", path)
    elif (exact * _PERCENT_STEP).denominator != 1:
        yield error("out-of-range", f"{percent} has more than four decimals", path)


def check_split(split: Mapping[str, object], variants: Mapping[str, object], path: DocumentPath) -> Iterator[Finding]:
    """Known variants, weights that can be reduced to integers of at most 2**20, and not all of them zero."""
    weights: list[Fraction] = []
    sound = True
    for name, weight in split.items():
        if variants and name not in variants:
            message = f"the flag has no variant {shown(name)}"
            yield unknown("unknown-variant", message, (*path, name), name, variants, at_key=True)
        exact = _exact(weight)
        if exact is None or exact < 0:
            sound = False
            found = weight if exact is not None else kind_of(weight)
            yield error("out-of-range", f"a weight is a number from 0 on, not {found}", (*path, name))
        elif exact > 0:
            weights.append(exact)
    if sound and not weights:
        yield error("empty-split", "no variant of the split weighs anything", path, "give one variant a weight above 0")
    elif sound and max(_reduced(weights)) > _MAX_WEIGHT:
        hint = "weights are reduced to whole numbers without common factor; the largest may be 1,048,576"
        yield error("out-of-range", "the weights lie too far apart, or have too many digits", path, hint)


def _reduced(weights: list[Fraction]) -> list[int]:
    scale = math.lcm(*(weight.denominator for weight in weights))
    whole = [int(weight * scale) for weight in weights]
    divisor = math.gcd(*whole)
    return [weight // divisor for weight in whole]


def single_winner(split: Mapping[str, object]) -> bool:
    """True when one variant has all the weight: the split then counts as that variant and needs no subject."""
    return sum(1 for weight in split.values() if isinstance(weight, (int, float)) and weight > 0) == 1
