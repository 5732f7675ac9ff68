"""The readable twin: an interpreter of the authored model, and the judge of compiler and kernel.

Written from docs/design/flag-format.md alone, to be read from top to bottom like the policy it is: how a flag decides, how a
gate and a split take part, how a condition becomes true, false or unknown, how an attribute is found and read, and what
versions, times, addresses and patterns mean. It shares no code with the compiler or the kernel (their parsers of
constants included), favours the obvious over the fast, and never raises whatever the context holds. Where the format is
silent, this file decides; docs/guides/evaluation-semantics.md lists those choices, marked CHOICE here.

The flag set is taken to be valid (``flagcore.model.load`` gives no other). Tests and ``flagcore.testing`` use this
module; services never load it.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, cast

from flagcore import bucketing
from flagcore.model import regex_tree as regex
from flagcore.model import tree
from flagcore.model.flagset import Flag, FlagSet, Requirement, Rule, Segment, Split
from flagcore.model.regex import parse_pattern
from flagcore.terms import ErrorCode, FlagType, Operator, Reason

__all__ = ["Resolution", "Truth", "Twin"]

Truth = bool | None
"""Kleene's three values: True, False, and None for unknown."""


class Resolution(NamedTuple):
    """What an evaluation gives: the value, and how it came about. ``rule`` is the id of the rule that decided, if one did."""

    value: object
    variant: str | None
    reason: Reason
    error_code: ErrorCode | None = None
    rule: str | None = None


class Twin:
    """Evaluates the flags of one flag set."""

    def __init__(self, flag_set: FlagSet) -> None:
        self.flag_set = flag_set
        self._members: dict[str, frozenset[_Value]] = {}

    def evaluate(
        self,
        flag_key: object,
        default: object,
        context: object = None,
        *,
        type: object = None,  # noqa: A002
        at: int | None = None,
    ) -> Resolution:
        """Return the resolution of a flag for a context (docs/design/flag-format.md section 3, steps 0 to 6).

        ``type`` is the FlagType that the caller asks for, None for whatever the flag has; ``at`` is the evaluation time in
        microseconds since 1970 UTC, None for the present.
        """
        attributes = _open_context(context)
        if attributes is None:
            return _error(default, ErrorCode.INVALID_CONTEXT)
        flag = self.flag_set.flags.get(key) if (key := _text(flag_key)) is not None else None
        if flag is None:
            return _error(default, ErrorCode.FLAG_NOT_FOUND)
        if not _may_be_read_as(flag.type, type):
            return _error(default, ErrorCode.TYPE_MISMATCH)
        outcome = _Evaluation(self, attributes, _present() if at is None else at).decide(flag)
        value = default if outcome.variant is None else _value(flag, outcome.variant, type)
        return Resolution(value, outcome.variant, outcome.reason, outcome.error_code, outcome.rule)

    def test(self, expression: tree.Expression, context: object = None, at: int | None = None) -> Truth:
        """Return what a condition says of a context; of one that is no context, as of an empty one."""
        attributes = _open_context(context) or _Attributes({})
        return _Evaluation(self, attributes, _present() if at is None else at).test(expression)

    def members(self, segment: Segment) -> frozenset[_Value]:
        """Return a value segment's values, each with its kind: 1 and 1.0 are one member, True is another."""
        if segment.name not in self._members:
            read = (_read(value) for value in segment.values or ())
            self._members[segment.name] = frozenset(value for value in read if value is not None)
        return self._members[segment.name]


def _present() -> int:
    return time.time_ns() // 1000


def _error(default: object, code: ErrorCode) -> Resolution:
    return Resolution(default, None, Reason.ERROR, code)


def _may_be_read_as(declared: FlagType, asked: object) -> bool:
    return asked is None or declared == asked or (declared is FlagType.INTEGER and asked == FlagType.FLOAT)


def _value(flag: Flag, variant: str, asked: object) -> object:
    """Return the variant's value, in the type that the caller asked for; a caller may change what it gets."""
    value = flag.variants[variant]
    if flag.type is FlagType.FLOAT or (flag.type is FlagType.INTEGER and asked == FlagType.FLOAT):
        return float(cast("float", value))
    return deepcopy(value)


# --- how a flag decides (section 3, steps 3 to 6) ----------------------------------------------------------------------


class Outcome(NamedTuple):
    """What a flag decided; without a variant the caller's default value is served."""

    variant: str | None
    reason: Reason
    error_code: ErrorCode | None = None
    rule: str | None = None


class _Evaluation:
    """One evaluation: the attributes of one context at one moment."""

    def __init__(self, twin: Twin, attributes: _Attributes, moment: int) -> None:
        self.twin = twin
        self.flags = twin.flag_set.flags
        self.segments = twin.flag_set.segments
        self.attributes = attributes
        self.moment = moment
        self.decided: dict[str, Outcome] = {}

    def decide(self, flag: Flag) -> Outcome:
        """Return the outcome: disabled? prerequisites? rules? default."""
        if not flag.enabled:
            return Outcome(flag.off_variant, Reason.DISABLED)
        for requirement in flag.requires:
            if not self.is_met(requirement):
                instead = flag.off_variant if requirement.otherwise is None else requirement.otherwise
                return Outcome(instead, Reason.TARGETING_MATCH, rule=f"requires:{requirement.flag}")
        for rule in flag.rules:
            if (outcome := self.apply(rule, flag)) is not None:
                return outcome
        return self.fall_back(flag)

    def is_met(self, requirement: Requirement) -> bool:
        """Does the other flag yield an accepted variant, for whatever reason, for this context and moment?"""
        other = self.flags.get(requirement.flag)
        if other is None:
            return False
        if other.key not in self.decided:
            self.decided[other.key] = self.decide(other)
        return self.decided[other.key].variant in requirement.accepted

    def apply(self, rule: Rule, flag: Flag) -> Outcome | None:
        """Return what the rule serves, None when it does not match: condition, window, gate, and a subject for its split."""
        if rule.when is not None and self.test(rule.when.tree) is not True:
            return None
        if not self.is_inside_window(rule):
            return None
        subject = bucketing.subject_bytes(self.attributes.find(rule.bucket_by or flag.bucket_by))
        ruler = _ruler(flag, rule)
        threshold = self.gate_threshold(rule)
        if not _is_inside_gate(threshold, ruler, subject):
            return None
        served = rule.serve if rule.serve is not None else cast("Split", rule.split)
        variant, drawn = _draw(served, ruler, subject, rule.base)
        if variant is None:
            return None
        by_chance = drawn or threshold < bucketing.BUCKETS
        return Outcome(variant, Reason.SPLIT if by_chance else Reason.TARGETING_MATCH, rule=rule.id)

    def fall_back(self, flag: Flag) -> Outcome:
        """Return what the flag's default says."""
        subject = bucketing.subject_bytes(self.attributes.find(flag.bucket_by))
        variant, drawn = _draw(flag.default, _ruler(flag), subject)
        if variant is None:
            return Outcome(None, Reason.ERROR, ErrorCode.TARGETING_KEY_MISSING)
        if drawn:
            return Outcome(variant, Reason.SPLIT)
        return Outcome(variant, Reason.DEFAULT if flag.rules or flag.requires else Reason.STATIC)

    def is_inside_window(self, rule: Rule) -> bool:
        """Is the moment inside ``between``, a half-open interval whose ends may be left open?"""
        start, end = rule.between or (None, None)
        return (start is None or _moment_of(start) <= self.moment) and (end is None or self.moment < _moment_of(end))

    def gate_threshold(self, rule: Rule) -> int:
        """Return how many of the million buckets the rule's gate lets in now; of a ramp, the last step that has begun counts."""
        if rule.ramp is None:
            return bucketing.BUCKETS if rule.percent is None else bucketing.gate_threshold(rule.percent)
        begun = [step for step in rule.ramp if _moment_of(step.at) <= self.moment]
        return bucketing.gate_threshold(begun[-1].percent) if begun else 0

    # --- how a condition becomes true, false or unknown (section 2) ---

    def test(self, expression: tree.Expression) -> Truth:
        """Return what the condition says, in Kleene's logic."""
        match expression:
            case tree.Constant(truth):
                return truth
            case tree.Not(part):
                return _negate(self.test(part))
            case tree.All(parts):
                return _all([self.test(part) for part in parts])
            case tree.Any(parts):
                return _any([self.test(part) for part in parts])
            case tree.Has(path):
                return path == _NOW or self.attributes.find(path) is not None
            case tree.InSegment(name):
                return self.is_member(self.segments.get(name))
            case tree.Test(path, test_operator):
                value = _Moment(self.moment) if path == _NOW else self.attributes.find(path)
                return _compare(value, test_operator, expression.literals)

    def is_member(self, segment: Segment | None) -> bool:
        """Is the context known to be a member? Two-valued: unknown is "no"."""
        if segment is None:
            return False
        if segment.when is not None:
            return self.test(segment.when.tree) is True
        value = _read(self.attributes.find(cast("tree.Path", segment.attribute)))
        return value is not None and value in self.twin.members(segment)


def _negate(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _all(truths: list[Truth]) -> Truth:
    return False if False in truths else None if None in truths else True


def _any(truths: list[Truth]) -> Truth:
    return True if True in truths else None if None in truths else False


def _moment_of(text: str) -> int:
    """Return the moment that an authored time names."""
    return cast("int", _read_time(text))


# --- how a gate and a split take part (docs/design/bucketing.md) -------------------------------------------------------------


def _ruler(flag: Flag, rule: Rule | None = None) -> str:
    """Return the salt: the rule's, else the flag's, else the flag key (bucketing.md 2.2)."""
    salts = [rule.salt if rule is not None else None, flag.salt, flag.key]
    return next(salt for salt in salts if salt is not None)


def _is_inside_gate(threshold: int, salt: str, subject: bytes | None) -> bool:
    """Is the subject inside? Nobody is inside 0 %, everybody is inside 100 %, both without a subject."""
    if threshold in (0, bucketing.BUCKETS):
        return threshold > 0
    return subject is not None and bucketing.bucket(bucketing.position(salt, subject)) < threshold


def _draw(served: str | Split, salt: str, subject: bytes | None, base: str = "split") -> tuple[str | None, bool]:
    """Return the subject's variant, None when that takes a subject and there is none, and whether it was drawn.

    A split in which one variant has all the weight is that variant, and needs no subject.
    """
    weights = {served: 1} if isinstance(served, str) else bucketing.reduce_weights(served)
    if len(weights) == 1:
        return next(iter(weights)), False
    if subject is None:
        return None, True
    return bucketing.choose(bucketing.position(salt, subject), weights, base), True


# --- one test: a value, an operator, one or more constants (section 2, the table) --------------------------------------


def _compare(value: object, test_operator: Operator, literals: tuple[tree.Literal, ...]) -> Truth:
    """Return what one test says. A list is one test: true if any element is, unknown only if every element is."""
    truths = [_compare_one(value, test_operator, literal) for literal in literals]
    if True in truths:
        return True
    return False if False in truths else None


def _compare_one(value: object, test_operator: Operator, literal: tree.Literal) -> Truth:
    match test_operator:
        case Operator.CONTAINS:
            return _contains(value, literal)
        case Operator.STARTS_WITH | Operator.ENDS_WITH:
            method = str.startswith if test_operator is Operator.STARTS_WITH else str.endswith
            return _compare_texts(method, value, literal)
        case Operator.MATCHES:
            text = _text(value)
            return None if text is None else _matches(parse_pattern(cast("str", literal.value)), text)
        case Operator.IN if literal.prefix == "cidr":
            return _is_in_network(value, cast("str", literal.value))
        case Operator.IN:
            return _order(Operator.EQUALS, value, literal)
        case _:
            return _order(test_operator, value, literal)


_ORDERS: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUALS: operator.eq,
    Operator.NOT_EQUALS: operator.ne,
    Operator.LESS: operator.lt,
    Operator.LESS_OR_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_OR_EQUAL: operator.ge,
}


def _order(test_operator: Operator, value: object, literal: tree.Literal) -> Truth:
    """Return how value and constant stand to each other; unknown when the value is not of the constant's kind."""
    left, right = _as_kind_of(literal, value), _as_kind_of(literal, literal.value)
    if left is None or right is None or left.kind != right.kind:
        return None
    return _ORDERS[test_operator](left.native, right.native)


def _as_kind_of(literal: tree.Literal, value: object) -> _Value | None:
    """Return the value as the constant's prefix reads it, None where it is nothing of the kind."""
    match literal.prefix:
        case "v":
            version = _read_version(text) if (text := _text(value)) is not None else None
            return None if version is None else _Value("version", version)
        case "t":
            moment = _read_moment(value)
            return None if moment is None else _Value("time", moment)
        case "i":
            text = _text(value)
            return None if text is None else _Value("string", _fold(text))
        case _:
            return _read(value)


def _compare_texts(method: Callable[[str, str], bool], value: object, literal: tree.Literal) -> Truth:
    text, part = _text(value), _text(literal.value)
    if text is None or part is None:
        return None
    return method(_fold(text), _fold(part)) if literal.prefix == "i" else method(text, part)


def _contains(value: object, literal: tree.Literal) -> Truth:
    """Substring of a text; membership of a list, tuple or set, which is never unknown."""
    elements = _elements(value)
    if elements is None:
        return _compare_texts(str.__contains__, value, literal)
    return any(_order(Operator.EQUALS, element, literal) is True for element in elements)


def _is_in_network(value: object, network: str) -> Truth:
    """Is the address in the network? Families stay apart; a v4-mapped address is its v4 address, a mapped network likewise."""
    text = _text(value)
    address = None if text is None else _read_address(text)
    if address is None:
        return None
    base_text, _, length = network.partition("/")
    base = cast("_Address", _read_address(base_text))
    free_bits = (128 if ":" in base_text else 32) - int(length) if length else 0
    return address.bits == base.bits and address.number >> free_bits == base.number >> free_bits


# --- how an attribute is found (section 2, last paragraph of the table) ------------------------------------------------

_NOW: tree.Path = ("now",)
_TARGETING_KEY = "targetingKey"
_MISSING = object()


def _open_context(context: object) -> _Attributes | None:
    """Return the attributes of a context; None for what is neither null, a mapping nor an evaluation context.

    CHOICE: an evaluation context is whatever has ``targeting_key`` and ``attributes`` (OpenFeature's has); its targeting
    key, unless null, comes before an attribute ``targetingKey``.
    """
    if context is None:
        return _Attributes({})
    if _is_mapping(context):
        return _Attributes(cast("Mapping[object, object]", context))
    try:
        targeting_key, attributes = context.targeting_key, context.attributes  # type: ignore[attr-defined]
    except Exception:  # noqa: BLE001 - whatever a foreign object does, it is no context
        return None
    if attributes is None:
        return _Attributes({}, targeting_key)
    return _Attributes(attributes, targeting_key) if _is_mapping(attributes) else None


def _is_mapping(value: object) -> bool:
    """Is it a dict, a subclass, or registered as a Mapping? CHOICE: what only looks like one is not."""
    try:
        return issubclass(type(value), dict) or isinstance(value, Mapping)
    except Exception:  # noqa: BLE001 - a foreign class may do anything when asked what it is
        return False


class _Attributes:
    """The attributes of one context."""

    def __init__(self, mapping: Mapping[Any, object], targeting_key: object = None) -> None:
        self.mapping = mapping
        self.targeting_key = targeting_key

    def find(self, path: tree.Path) -> object:
        """Return the value at a path, None where there is none: the flat key first, which then decides, else level by level.

        ``now`` is never read from a context (CHOICE: not even to bucket by).
        """
        if path == _NOW:
            return None
        if (value := self.top(tree.flat_key(path))) is not _MISSING:
            return value
        value = self.top(path[0])
        for name in path[1:]:
            value = _entry(value, name)
        return None if value is _MISSING else value

    def top(self, name: str) -> object:
        if name == _TARGETING_KEY and self.targeting_key is not None:
            return self.targeting_key
        return _entry(self.mapping, name)


def _entry(mapping: object, name: str) -> object:
    """Return a mapping's value for a name; missing when it has none, when it raises, and when it is no mapping.

    CHOICE: ``get`` is asked, so that a defaultdict neither invents nor stores a value.
    """
    if not _is_mapping(mapping):
        return _MISSING
    try:
        return cast("Mapping[str, object]", mapping).get(name, _MISSING)
    except Exception:  # noqa: BLE001 - a foreign mapping may raise anything
        return _MISSING


# --- how a value is read: by its own type, never by what its class says or overrides -----------------------------------

_INT64 = range(-(2**63), 2**63)


class _Value(NamedTuple):
    """A value that tests can compare: only within one kind, by the native value."""

    kind: str  # string, number, boolean, version, time
    native: Any


class _Moment(int):
    """The evaluation time, in microseconds since 1970 UTC: what the path ``now`` stands for."""


def _read(value: object) -> _Value | None:
    """Return a string, number or boolean; None for everything else.

    None too for what has no place among them: lone surrogates, NaN, and integers beyond int64.
    """
    if (text := _text(value)) is not None:
        return _Value("string", text)
    kind = type(value)
    if kind is bool:
        return _Value("boolean", value)
    if issubclass(kind, int):
        number = int.__index__(cast("int", value))
        return _Value("number", number) if number in _INT64 else None
    if issubclass(kind, float):
        double = float.__float__(cast("float", value))
        return _Value("number", double) if double == double else None
    return None


def _text(value: object) -> str | None:
    """Return a string that is valid Unicode; None for everything else."""
    if not issubclass(type(value), str):
        return None
    text = str.__str__(cast("str", value))
    return None if any("\ud800" <= character <= "\udfff" for character in text) else text


def _elements(value: object) -> Iterator[object] | None:
    """Return the elements of a list, tuple, set or frozenset; None for everything else (mappings, bytes, iterators)."""
    for kind in (list, tuple, set, frozenset):
        if issubclass(type(value), kind):
            return cast("Iterator[object]", kind.__iter__(cast("Any", value)))
    return None


def _fold(text: str) -> str:
    """Return the text with A to Z in lower case, and nothing else changed."""
    return "".join(chr(ord(character) + 32) if "A" <= character <= "Z" else character for character in text)


# --- times (t"...") ----------------------------------------------------------------------------------------------------

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = frozenset("0123456789")


def _read_moment(value: object) -> int | None:
    """Return the moment that an aware datetime, an RFC 3339 text or ``now`` names; None for everything else."""
    if isinstance(value, _Moment):
        return int(value)
    if issubclass(type(value), datetime):
        try:
            return datetime.__sub__(cast("datetime", value), _EPOCH) // timedelta(microseconds=1)
        except Exception:  # noqa: BLE001 - a naive one, or whatever a foreign tzinfo raises
            return None
    text = _text(value)
    return None if text is None else _read_time(text)


def _read_time(text: str) -> int | None:
    """Return the microseconds since 1970 UTC of ``YYYY-MM-DDThh:mm:ss[.digits](Z or +hh:mm)``, None for other texts."""
    clock, zone = (text[:-1], "+00:00") if text[-1:] in ("Z", "z") else (text[:-6], text[-6:])
    whole, point, fraction = clock.partition(".")
    if not (
        _has_form(whole.upper(), "dddd-dd-ddTdd:dd:dd") and _has_form("+" + zone[1:], "+dd:dd") and zone[0] in "+-"
    ):
        return None
    if point and not (fraction and _DIGITS.issuperset(fraction)):
        return None
    year, month, day, hour, minute, second = (int(whole[a:b]) for a, b in _FIELDS)
    zone_hour, zone_minute = int(zone[1:3]), int(zone[4:6])
    days = _days(year, month, day)
    if days is None or max(hour, zone_hour) > 23 or max(minute, second, zone_minute) > 59:
        return None
    east = (zone_hour * 60 + zone_minute) * (-1 if zone[0] == "-" else 1)
    seconds = ((days * 24 + hour) * 60 + minute - east) * 60 + second
    return seconds * 1_000_000 + int(fraction[:6].ljust(6, "0"))


_FIELDS = ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))


def _has_form(text: str, form: str) -> bool:
    """Does every ``d`` of the form stand for a digit, and every other character for itself?"""
    return len(text) == len(form) and all(
        character in _DIGITS if expected == "d" else character == expected
        for character, expected in zip(text, form, strict=True)
    )


def _days(year: int, month: int, day: int) -> int | None:
    """Return the days since 1970-01-01, None when there is no such day; the year 0 is 400 years before the year 400."""
    try:
        ordinal = date(year or 400, month, day).toordinal()
    except ValueError:
        return None
    return ordinal - (0 if year else 146_097) - _EPOCH.toordinal()


# --- versions (v"...") -------------------------------------------------------------------------------------------------

_IDENTIFIER = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-")


def _read_version(text: str) -> tuple[object, ...] | None:
    """Return a version as what SemVer 2.0 orders it by, None when it is none.

    A leading ``v`` and a missing minor or patch are accepted, build metadata is checked and dropped.
    """
    rest, plus, build = text.removeprefix("v").partition("+")
    core, dash, pre_release = rest.partition("-")
    numbers = [_read_number(part) for part in core.split(".")]
    if len(numbers) > 3 or None in numbers or (dash and len(numbers) < 3):
        return None
    identifiers = pre_release.split(".") if dash else []
    if not all(map(_is_identifier, identifiers + (build.split(".") if plus else []))):
        return None
    ranks = [_rank(identifier) for identifier in identifiers]
    if None in ranks:
        return None
    return (*numbers, *[0] * (3 - len(numbers)), not dash, ranks)  # a release comes after its pre-releases


def _rank(identifier: str) -> tuple[int, object] | None:
    """Return how a pre-release identifier is ordered: numbers first, by value, then texts by their ASCII; None when it is none."""
    if not _DIGITS.issuperset(identifier):
        return 1, identifier
    number = _read_number(identifier)
    return None if number is None else (0, number)


def _is_identifier(text: str) -> bool:
    return text != "" and _IDENTIFIER.issuperset(text)


def _read_number(text: str) -> int | None:
    """Return a decimal number without leading zeros of at most 64 bits, None for other texts."""
    if not text or not _DIGITS.issuperset(text) or (text[0] == "0" and text != "0") or len(text) > 20:
        return None
    return int(text) if int(text) < 2**64 else None


# --- addresses (cidr"...") ---------------------------------------------------------------------------------------------

_MAPPED = 0xFFFF_0000_0000  # ::ffff:0:0, before which an IPv4 address is written as IPv6


class _Address(NamedTuple):
    bits: int  # 32 or 128
    number: int


def _read_address(text: str) -> _Address | None:
    """Return the IP address that a text names, None when it names none; a v4-mapped one is its IPv4 address.

    CHOICE: leading zeros make an IPv4 part no number, but are part of the usual long form of an IPv6 group.
    """
    if ":" not in text:
        number = _read_ipv4(text)
        return None if number is None else _Address(32, number)
    number = _read_ipv6(text)
    if number is None:
        return None
    return _Address(32, number - _MAPPED) if number >> 32 == 0xFFFF else _Address(128, number)


def _read_ipv4(text: str) -> int | None:
    parts = [_read_number(part) for part in text.split(".")]
    if len(parts) != 4 or any(part is None or part > 255 for part in parts):
        return None
    return _join(cast("list[int]", parts), 8)


def _read_ipv6(text: str) -> int | None:
    """Eight groups of up to four hexadecimal digits; ``::`` once, for one or more groups of zero; the last two as IPv4."""
    head, gap, tail = text.partition("::")
    before, after = _read_groups(head, last=not gap), _read_groups(tail, last=True)
    if before is None or after is None:
        return None
    absent = 8 - len(before) - len(after)
    if absent < 1 if gap else absent != 0:
        return None
    return _join([*before, *[0] * absent, *after], 16)


def _read_groups(text: str, *, last: bool) -> list[int] | None:
    """Return the 16-bit groups between colons; the very last may be an IPv4 address, which makes two."""
    groups: list[int] = []
    parts = text.split(":") if text else []
    for index, part in enumerate(parts):
        if last and index == len(parts) - 1 and "." in part:
            ipv4 = _read_ipv4(part)
            if ipv4 is None:
                return None
            groups += [ipv4 >> 16, ipv4 & 0xFFFF]
        elif 1 <= len(part) <= 4 and all(character in "0123456789abcdefABCDEF" for character in part):
            groups.append(int(part, 16))
        else:
            return None
    return groups


def _join(parts: Iterable[int], bits: int) -> int:
    number = 0
    for part in parts:
        number = number << bits | part
    return number


# --- patterns (matches "...") ------------------------------------------------------------------------------------------


def _matches(pattern: regex.Pattern, text: str) -> bool:
    """Does the pattern match somewhere in the text? Linear in the text, for sets of places instead of tries are followed."""
    return bool(_ends(pattern, text, frozenset(range(len(text) + 1))))


def _ends(pattern: regex.Pattern, text: str, starts: frozenset[int]) -> frozenset[int]:
    """Return the places where a match of the pattern can end that starts at one of ``starts``."""
    match pattern:
        case regex.Empty():
            return starts
        case regex.Ranges(ranges):
            return frozenset(at + 1 for at in starts if at < len(text) and _is_in_ranges(ord(text[at]), ranges))
        case regex.Assertion(kind):
            return frozenset(at for at in starts if _ASSERTIONS[kind](text, at))
        case regex.Sequence(parts):
            for part in parts:
                starts = _ends(part, text, starts)
            return starts
        case regex.Choice(parts):
            return frozenset().union(*(_ends(part, text, starts) for part in parts))
        case regex.Repeat(part, low, high):
            return _repeated_ends(part, low, high, text, starts)


def _repeated_ends(
    part: regex.Pattern, low: int, high: int | None, text: str, starts: frozenset[int]
) -> frozenset[int]:
    for _ in range(low):
        starts = _ends(part, text, starts)
    reached, fresh, left = starts, starts, high
    while fresh and left != low:  # a place reached before needs no second visit: then more repetitions were left
        fresh = _ends(part, text, fresh) - reached
        reached |= fresh
        left = None if left is None else left - 1
    return reached


def _is_in_ranges(code_point: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code_point <= last for first, last in ranges)


def _is_word(text: str, at: int) -> bool:
    """Is there an ASCII word character at this place?"""
    return 0 <= at < len(text) and (text[at] == "_" or (text[at].isascii() and text[at].isalnum()))


def _is_word_edge(text: str, at: int) -> bool:
    return _is_word(text, at - 1) != _is_word(text, at)


_ASSERTIONS: dict[str, Callable[[str, int], bool]] = {
    "begin": lambda _, at: at == 0,
    "end": lambda text, at: at == len(text),
    "line_begin": lambda text, at: at == 0 or text[at - 1] == "\n",
    "line_end": lambda text, at: at == len(text) or text[at] == "\n",
    "word": _is_word_edge,
    "not_word": lambda text, at: not _is_word_edge(text, at),
}
