"""What every check gets to see: the flag set, the limits, and what is known of parts that could not be read."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from flagcore.model.flagset import FlagSet
from flagcore.model.limits import Limits

__all__ = ["Scope"]


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """A flag set under validation."""

    flag_set: FlagSet
    limits: Limits
    untyped: Collection[str] = ()  # flags whose type could not be read: their values are not checked
    flag_keys: Collection[str]  # every key that stands in a document, also of flags that could not be read
    segment_names: Collection[str]
    warnings: bool = True  # look for what is probably not meant, too
    is_parsed: bool = False  # conditions come from our parsers, so that operators and constants are right

    @staticmethod
    def of_document(
        flag_set: FlagSet,
        limits: Limits,
        untyped: Collection[str],
        unbuilt: Collection[tuple[str, str]],
        *,
        warnings: bool = True,
    ) -> Scope:
        """The scope of flags read from documents."""
        flags = {*flag_set.flags, *(name for kind, name in unbuilt if kind == "flags")}
        segments = {*flag_set.segments, *(name for kind, name in unbuilt if kind == "segments")}
        return Scope(
            flag_set=flag_set,
            limits=limits,
            untyped=untyped,
            flag_keys=flags,
            segment_names=segments,
            warnings=warnings,
            is_parsed=True,
        )

    @staticmethod
    def of_program(flag_set: FlagSet, limits: Limits) -> Scope:
        """The scope of a flag set that a program has built."""
        return Scope(flag_set=flag_set, limits=limits, flag_keys=flag_set.flags, segment_names=flag_set.segments)
