"""Constants, lists and classes of a program as the author would write them, for listings."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from flagcore.compiler.layout import NodeFlag, ViewKind
from flagcore.compiler.reader import ProgramReader, SetValues, ViewRecord
from flagcore.compiler.views import NOW

__all__ = ["address_range_text", "class_text", "order_text", "set_text", "texts_text", "time_text"]

_SHOWN = 6  # elements of a list that are written out
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ORDERED = frozenset({ViewKind.NUMBER, ViewKind.VERSION, ViewKind.TIME})


def order_text(flags: int) -> str:
    """The comparison of NUMBER, VERSION and TIME nodes."""
    less, equal, greater = (bool(flags & bit) for bit in (NodeFlag.LT, NodeFlag.EQ, NodeFlag.GT))
    if less and greater:
        return "is comparable with" if equal else "!="
    return ("<" if less else ">" if greater else "=") + ("=" if equal else "")


def time_text(moment: int) -> str:
    """RFC 3339 of microseconds since 1970; the plain number outside of the calendar."""
    try:
        return (_EPOCH + timedelta(microseconds=moment)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return f"{moment} us"


def address_range_text(first: tuple[int, int], last: tuple[int, int]) -> str:
    """An inclusive range, as a network where it is one."""
    low, high = _address(first), _address(last)
    if low == high:
        return str(low)
    networks = list(ipaddress.summarize_address_range(low, high))
    return str(networks[0]) if len(networks) == 1 else f"{low} to {high}"


def set_text(values: SetValues) -> str:
    """The members of an inline set, long ones shortened."""
    texts = [_quoted(text) for text in values.texts] + ["i" + _quoted(text) for text in values.folded]
    texts += [str(number) for number in values.numbers] + [json.dumps(value) for value in values.booleans]
    return f"[{_shortened(texts)}]"


def texts_text(texts: Sequence[str]) -> str:
    """Texts as authored, many shortened."""
    return _shortened([_quoted(text) for text in texts])


def class_text(program: ProgramReader, view: ViewRecord, low: int, high: int) -> str:
    """The classes ``[low, high)`` of a view."""
    kinds = () if program.slots[view.slot] == NOW else ("missing", "wrong type")
    texts = [name for number, name in enumerate(kinds) if low <= number < high]
    first = max(low, 2)
    if first < high:
        texts.append(_values_text(program, view, first, high))
    return ", ".join(texts)


def _values_text(program: ProgramReader, view: ViewRecord, low: int, high: int) -> str:
    if low == 2 and high == view.classes:
        return "any value"
    if view.kind in _ORDERED:
        return _interval_text(_ordered_constants(program, view), low, high)
    if view.kind is ViewKind.ADDRESS:
        return _cuts_text(program.addresses(view.data, view.constants), low, high)
    constants = _NAMES.get(view.kind, _flags)(program, view)
    return _shortened(constants[low - 2 : high - 2])


def _flags(_program: ProgramReader, view: ViewRecord) -> list[str]:
    return {ViewKind.BOOLEAN: ["false", "true"], ViewKind.SET: ["not a member", "a member"]}.get(view.kind, ["present"])


def _texts(program: ProgramReader, view: ViewRecord) -> list[str]:
    keys = sorted(program.table_keys(view.data), key=lambda item: item[1])
    return ["any other text", *(_quoted(text) for text, _ in keys)]


def _affixes(program: ProgramReader, view: ViewRecord) -> list[str]:
    return ["none of the patterns", *(_quoted(text) for text in program.affixes(view))]


_NAMES: dict[ViewKind, Callable[[ProgramReader, ViewRecord], list[str]]] = {
    ViewKind.TEXT: _texts,
    ViewKind.PREFIX: _affixes,
    ViewKind.SUFFIX: _affixes,
}


def _ordered_constants(program: ProgramReader, view: ViewRecord) -> list[str]:
    if view.kind is ViewKind.NUMBER:
        return [str(number) for number in program.numbers(view)]
    if view.kind is ViewKind.VERSION:
        return program.versions(view.data, view.constants)
    return [time_text(moment) for moment in program.times(view)]


def _interval_text(constants: Sequence[str], low: int, high: int) -> str:
    """Classes 2 + 2i lie below constant i, 3 + 2i equal it."""
    if high == low + 1 and low % 2:
        return f"= {constants[(low - 3) // 2]}"
    parts = []
    if low > 2:
        parts.append(f"{'>=' if low % 2 else '>'} {constants[(low - 3) // 2]}")
    if high < 3 + 2 * len(constants):
        parts.append(f"{'<' if high % 2 else '<='} {constants[(high - 3) // 2]}")
    return " and ".join(parts)


def _cuts_text(cuts: Sequence[tuple[int, int]], low: int, high: int) -> str:
    """Class 2 + n holds addresses with n cuts at or below them."""
    parts = [] if low == 2 else [f"from {_cut(cuts[low - 3])}"]
    parts += [] if high == 3 + len(cuts) else [f"below {_cut(cuts[high - 3])}"]
    return " and ".join(parts)


def _cut(cut: tuple[int, int]) -> str:
    return "the end" if cut[0] > 6 else str(_address(cut))


def _address(cut: tuple[int, int]) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    family, number = cut
    return ipaddress.IPv4Address(number) if family == 4 else ipaddress.IPv6Address(number)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _shortened(texts: Sequence[str]) -> str:
    if len(texts) <= _SHOWN:
        return ", ".join(texts)
    return ", ".join(texts[: _SHOWN - 1]) + f", ... {len(texts)} in all"
