"""Value-set objects that programs link to: big value segments and long lists, each built once for a whole flag set."""

from __future__ import annotations

from collections.abc import Sequence

from flagcore.compiler.value_sets import build_value_set
from flagcore.model.flagset import Scalar, Segment
from flagcore.model.tree import Literal

__all__ = ["INLINE_VALUES", "ValueObjects", "list_set", "segment_object"]

INLINE_VALUES = 64  # up to here a list or segment stands inside the program


class ValueObjects:
    """Builds value-set objects by name and keeps them for the next flag that names them."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self._names: dict[tuple[tuple[str, Scalar, str], ...], str] = {}

    def of_list(self, literals: Sequence[Literal]) -> str:
        """Return the name of the object that holds ``literals``; equal contents share one name."""
        key = tuple((type(literal.value).__name__, literal.value, literal.prefix) for literal in literals)
        name = self._names.get(key)
        if name is None:
            import hashlib  # 2 ms of OpenSSL that only long lists should cost

            blob = list_set(literals)
            name = self._names[key] = f"list:{hashlib.sha256(blob).hexdigest()[:32]}"
            self.blobs[name] = blob
        return name

    def of_segment(self, segment: Segment) -> str:
        """Return the name of the object that holds the values of ``segment``."""
        name = segment_object(segment.name)
        if name not in self.blobs:
            self.blobs[name] = build_value_set(segment.values or ())
        return name


def segment_object(name: str) -> str:
    """Return the name of the object that holds a segment's values."""
    return f"segment:{name}"


def list_set(literals: Sequence[Literal]) -> bytes:
    """Return the value set of a test's list; ``i"..."`` elements ignore ASCII case."""
    plain = [literal.value for literal in literals if literal.prefix != "i"]
    folded = [str(literal.value) for literal in literals if literal.prefix == "i"]
    return build_value_set(plain, folded)
