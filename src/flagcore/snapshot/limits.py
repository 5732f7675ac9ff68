"""How large the things that travel may be (docs/design/wire.md section 9). Readers hold them before they allocate."""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = ["DEFAULT_LIMITS", "Limits"]

Bytes = Annotated[int, msgspec.Meta(ge=1, le=2**40)]

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Largest sizes in bytes; what is as large is taken, what is one byte larger is refused."""

    program: Bytes = 16 * MIB  # debug information, and objects of kinds that are not known, too
    value_set: Bytes = 512 * MIB
    delta: Bytes = 256 * KIB  # raw; larger ones are announced by a notice, and their objects fetched
    chunk: Bytes = 512 * KIB  # raw, of a snapshot or a fetch
    snapshot: Bytes = GIB  # raw, all objects together
    header: Bytes = 512
    control: Bytes = 64 * KIB  # one frame between client and server, either way


DEFAULT_LIMITS = Limits()
