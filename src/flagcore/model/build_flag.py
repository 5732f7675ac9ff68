"""Plain data to Flag. Shapes only: what values mean is checked by validate. What cannot be read is noted and left neutral."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from flagcore.model.build_rule import build_rule, build_split
from flagcore.model.fields import Fields, Keys, Readers, Report, as_mapping, is_number
from flagcore.model.flagset import Flag, Requirement, Rule, Scalar, Scenario, Split
from flagcore.model.operators import INT64_MAX
from flagcore.model.problems import DocumentPath
from flagcore.terms import FlagType, Purpose

__all__ = ["FLAG_KEYS", "REQUIREMENT_KEYS", "SCENARIO_KEYS", "build_flag"]

REQUIREMENT_KEYS: Keys = dict.fromkeys(("flag", "is", "otherwise"))
SCENARIO_KEYS: Keys = dict.fromkeys(("given", "at", "expect", "rule", "reason", "population", "by", "tolerance"))
_TYPES = {kind.value: kind for kind in FlagType}
_TYPE_HINT = "the types are " + ", ".join(_TYPES)
_PURPOSES = {purpose.value: purpose for purpose in Purpose}
_TYPE_SYNONYMS = {
    "bool": "boolean",
    "str": "string",
    "text": "string",
    "int": "integer",
    "number": "float",
    "double": "float",
    "json": "object",
    "dict": "object",
    "map": "object",
}
_PERCENT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)[ ]?%")
BOOLEAN_VARIANTS: dict[str, object] = {"on": True, "off": False}


def build_flag(report: Report, key: str, data: object, path: DocumentPath) -> tuple[Flag, bool] | None:
    """Return the flag and whether its type is known; None when the data is no mapping."""
    mapping = as_mapping(report, data, path)
    if mapping is None:
        return None
    fields = Fields(report, mapping, path, FLAG_KEYS)
    flag_type = _type(fields)
    variants = _variants(fields, flag_type)
    off_variant = fields.text("off_variant", _variant_hint(fields.data.get("off_variant"), variants))
    if "off_variant" not in mapping and flag_type is FlagType.BOOLEAN and "variants" not in mapping:
        off_variant = "off"
    flag = Flag(
        key=key,
        type=flag_type or FlagType.OBJECT,
        variants=variants,
        default=_default(fields, variants),
        off_variant=off_variant,
        **fields.read(_READERS),
    )
    return flag, flag_type is not None


def _type(fields: Fields) -> FlagType | None:
    if not fields.require("type", _TYPE_HINT):
        return None
    text = fields.text("type")
    if text is None or text in _TYPES:
        return None if text is None else _TYPES[text]
    meant = _TYPE_SYNONYMS.get(text.lower())
    hint = f'did you mean "{meant}"?' if meant else fields.report.suggester.hint(text, tuple(FlagType), _TYPE_HINT)
    fields.report.add("bad-value", f"{text[:64]!r} is not a flag type", fields.at("type"), hint)
    return None


def _purpose(fields: Fields, key: str) -> Purpose | None:
    text = fields.text(key)
    if text is None:
        return None
    if text in _PURPOSES:
        return _PURPOSES[text]
    hint = fields.report.suggester.hint(text, tuple(Purpose), "the purposes are " + ", ".join(Purpose))
    fields.report.add("bad-value", f"{text[:64]!r} is not a purpose", fields.at(key), hint)
    return None


def _variants(fields: Fields, flag_type: FlagType | None) -> dict[str, object]:
    if "variants" in fields.data:
        return dict(fields.mapping("variants") or {})
    if flag_type is FlagType.BOOLEAN:
        return dict(BOOLEAN_VARIANTS)
    if flag_type is not None:
        fields.require("variants", f"a {flag_type} flag lists its variants: {{name: value, ...}}")
    return {}


def _default(fields: Fields, variants: Mapping[str, object]) -> str | Split:
    if not fields.require("default", "the variant that is served when no rule matches"):
        return ""
    data = fields.data["default"]
    if isinstance(data, Mapping):
        return build_split(fields.report, data, fields.at("default")) or {}
    return fields.text("default", _variant_hint(data, variants)) or ""


def _variant_hint(data: object, variants: Mapping[str, object]) -> str | None:
    """Return a hint for a value that stands where a variant's name is expected."""
    for name, value in () if data is None or isinstance(data, str) else variants.items():
        if type(value) is type(data) and value == data:
            return f'variants are named: write "{name}"'
    return None


def _metadata(fields: Fields, key: str) -> dict[str, Scalar]:
    mapping = fields.mapping(key) or {}
    found: dict[str, Scalar] = {}
    for name, value in mapping.items():
        if isinstance(value, (str, bool, int, float)):
            found[name] = value
        else:
            fields.report.wrong_type("a text, number or boolean", value, (*fields.path, key, name))
    return found


def _rules(fields: Fields, key: str) -> tuple[Rule, ...] | None:
    return fields.items(key, lambda data, path: build_rule(fields.report, data, path))


# -- requires --


def _requires(fields: Fields, key: str) -> tuple[Requirement, ...] | None:
    return fields.items(key, lambda data, path: _requirement(fields.report, data, path))


def _requirement(report: Report, data: object, path: DocumentPath) -> Requirement:
    mapping = as_mapping(report, data, path)
    if mapping is None:
        return Requirement("", ())
    fields = Fields(report, mapping, path, REQUIREMENT_KEYS)
    flag = (fields.require("flag") and fields.text("flag")) or ""
    accepted: tuple[str, ...] = ()
    if fields.require("is", "the variant, or list of variants, that the flag must yield"):
        single = isinstance(mapping["is"], str)
        accepted = (
            (str(mapping["is"]),) if single else fields.texts("is") if isinstance(mapping["is"], (list, tuple)) else ()
        )
        if not single and not isinstance(mapping["is"], (list, tuple)):
            report.wrong_type(
                "a variant or a list of variants", mapping["is"], fields.at("is"), "write the variant's name in quotes"
            )
    return Requirement(flag, accepted, fields.text("otherwise"))


# -- tests --


def _scenarios(fields: Fields, key: str) -> tuple[Scenario, ...] | None:
    return fields.items(key, lambda data, path: _scenario(fields.report, data, path))


def _scenario(report: Report, data: object, path: DocumentPath) -> Scenario:
    mapping = as_mapping(report, data, path)
    if mapping is None:
        return Scenario(given={}, expect="")
    fields = Fields(report, mapping, path, SCENARIO_KEYS)
    return Scenario(
        given=dict(fields.mapping("given") or {}),
        expect=_expectation(fields),
        at=fields.text("at"),
        rule=fields.text("rule"),
        reason=fields.text("reason"),
        population=_population(fields),
        by=fields.attribute("by"),
        tolerance=_share(fields, mapping["tolerance"], fields.at("tolerance")) if "tolerance" in mapping else None,
    )


def _expectation(fields: Fields) -> str | dict[str, int | float]:
    if not fields.require("expect", "a variant, or shares of variants: {on: 5%, off: 95%}"):
        return ""
    data = fields.data["expect"]
    if not isinstance(data, Mapping):
        return fields.text("expect", "a variant, or shares of variants: {on: 5%, off: 95%}") or ""
    mapping = as_mapping(fields.report, data, fields.at("expect")) or {}
    shares = {name: _share(fields, share, (*fields.path, "expect", name)) for name, share in mapping.items()}
    return {name: share for name, share in shares.items() if share is not None}


def _share(fields: Fields, data: object, path: DocumentPath) -> int | float | None:
    """Return percent points of ``5%`` or ``5``."""
    if is_number(data):
        return cast("int | float", data)
    match = _PERCENT.fullmatch(data) if isinstance(data, str) else None
    if match is None:
        fields.report.wrong_type("a share in percent", data, path, "such as 5% or 12.5%")
        return None
    return float(match[1]) if "." in match[1] else int(match[1])


def _population(fields: Fields) -> int | None:
    data = fields.number("population")
    if isinstance(data, int) and 0 <= data <= INT64_MAX:
        return data
    if data is not None:
        fields.report.wrong_type("a whole number of subjects", data, fields.at("population"))
    return None


_READERS: Readers = {  # of what does not depend on type and variants
    "description": Fields.text,
    "owner": Fields.text,
    "tags": Fields.texts,
    "expires": Fields.text,
    "links": Fields.texts,
    "purpose": _purpose,
    "metadata": _metadata,
    "enabled": Fields.boolean,
    "bucket_by": Fields.attribute,
    "salt": Fields.text,
    "requires": _requires,
    "rules": _rules,
    "tests": _scenarios,
}
FLAG_KEYS: Keys = dict.fromkeys(("type", "variants", "off_variant", "default", *_READERS))
