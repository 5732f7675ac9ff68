"""The evaluation context: who is asking, and the attributes that rules may look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

__all__ = ["TARGETING_KEY", "ContextLike", "EvaluationContext", "merge"]

TARGETING_KEY = "targetingKey"
"""The attribute under which rules find the targeting key."""


class EvaluationContext:
    """A targeting key with attributes, immutable. A plain mapping with ``targetingKey`` means the same.

    ``targeting_key``, unless None, comes before an attribute ``targetingKey``. The attributes are kept, not copied:
    who changes that mapping later changes the context.
    """

    __slots__ = ("attributes", "targeting_key")

    targeting_key: str | None
    attributes: Mapping[str, Any]

    def __init__(self, targeting_key: str | None = None, attributes: Mapping[str, Any] | None = None) -> None:
        object.__setattr__(self, "targeting_key", targeting_key)
        object.__setattr__(self, "attributes", {} if attributes is None else attributes)

    def merge(self, *others: ContextLike) -> EvaluationContext:
        """Return this context with others laid over it, the last on top."""
        return merge(self, *others)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"an EvaluationContext is immutable: merge another one over it to change {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"an EvaluationContext is immutable: {name!r} stays")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EvaluationContext):
            return NotImplemented
        return self.targeting_key == other.targeting_key and self.attributes == other.attributes

    __hash__ = None  # type: ignore[assignment]  # attributes may be any mapping

    def __repr__(self) -> str:
        return f"EvaluationContext({self.targeting_key!r}, {self.attributes!r})"

    def __reduce__(self) -> tuple[type, tuple[str | None, dict[str, Any]]]:
        return type(self), (self.targeting_key, dict(self.attributes))


ContextLike = Mapping[str, Any] | EvaluationContext | None
"""What a getter takes; objects with ``targeting_key`` and ``attributes`` (OpenFeature's contexts) are taken too."""


def merge(*contexts: ContextLike) -> EvaluationContext:
    """Return one context of several levels, such as global, client, invocation: a later one wins, attribute by attribute.

    Attributes that are mappings are replaced as wholes. A targeting key, and an attribute ``targetingKey``, of a later
    level replaces either of an earlier one.

    Raises:
        TypeError: an argument is no context.
    """
    targeting_key: str | None = None
    attributes: dict[str, Any] = {}
    for context in contexts:
        own_key, own_attributes = _open(context)
        if TARGETING_KEY in own_attributes:
            targeting_key = None
        attributes.update(own_attributes)
        if own_key is not None:
            targeting_key = own_key
    return EvaluationContext(targeting_key, attributes)


def _open(context: object) -> tuple[str | None, Mapping[str, Any]]:
    if context is None:
        return None, {}
    if isinstance(context, Mapping):
        return None, context
    try:
        targeting_key, attributes = context.targeting_key, context.attributes  # type: ignore[attr-defined]
    except AttributeError:
        raise TypeError(f"no evaluation context: {type(context).__name__}") from None
    return targeting_key, attributes or {}
