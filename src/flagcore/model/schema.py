"""JSON Schema (2020-12) of the flag format, for editors: what a document may hold, with a word on each key.

It describes shapes. References between parts, times, weights and conditions are checked by loading (``flagcore validate``).
"""

from __future__ import annotations

from flagcore.model.build import SCHEMA
from flagcore.model.checks.attributes import ATTRIBUTE_KINDS
from flagcore.model.checks.scenarios import MAX_POPULATION
from flagcore.model.operators import INT64_MAX, INT64_MIN
from flagcore.terms import FlagType, Operator, Purpose, Reason

__all__ = ["json_schema"]

Schema = dict[str, object]

_FLAG_KEY = "^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$"
_NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_TIME = r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$"
_SCALAR = ["string", "number", "boolean"]


def json_schema() -> Schema:
    """Return the schema as plain data, made anew at each call."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:flagcore:schema:v1",
        "title": "flagcore flag set",
        "description": "Feature flags handled and shipped together, with their segments and declared attributes.",
        **_object(
            {
                "schema": {"const": SCHEMA, "description": "The format of this document."},
                "attributes": _attributes(),
                "segments": _entries("Named conditions and value sets, by name.", _NAME, "segment"),
                "flags": _entries("The flags, by key.", _FLAG_KEY, "flag"),
            },
            required=["schema"],
        ),
        "$defs": _definitions(),
    }


def _definitions() -> dict[str, Schema]:
    return {
        "name": {"type": "string", "pattern": _NAME},
        "path": {
            "type": "string",
            "minLength": 1,
            "description": "An attribute path, such as tenant.id; unusual names stand in backquotes.",
        },
        "time": {"type": "string", "pattern": _TIME, "description": "RFC 3339 with offset: 2026-12-01T09:00:00Z"},
        "percent": {
            "type": "number",
            "minimum": 0,
            "maximum": 100,
            "description": "0 to 100, at most four decimals.",
        },
        "split": _split(),
        "condition": _condition(),
        "structured": _structured(),
        "constant": _constant(),
        "segment": _segment(),
        "flag": _flag(),
        "requirement": _requirement(),
        "rule": _rule(),
        "test": _test(),
    }


def _object(properties: dict[str, Schema], required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _ref(name: str, description: str | None = None) -> Schema:
    reference: Schema = {"$ref": f"#/$defs/{name}"}
    return {**reference, "description": description} if description else reference


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _list(items: Schema, description: str, **more: object) -> Schema:
    return {"type": "array", "items": items, "description": description, **more}


def _entries(description: str, pattern: str, definition: str) -> Schema:
    return {
        "type": ["object", "null"],
        "description": description,
        "propertyNames": {"pattern": pattern},
        "additionalProperties": _ref(definition),
    }


def _attributes() -> Schema:
    scalars: list[object] = [kind for kind in ATTRIBUTE_KINDS if not kind.startswith("[")]
    elements: list[object] = [kind[1:-1] for kind in ATTRIBUTE_KINDS if kind.startswith("[")]
    one_of = [{"enum": scalars}, {"type": "array", "items": {"enum": elements}, "minItems": 1, "maxItems": 1}]
    return {
        "type": ["object", "null"],
        "description": "What services send, by path. When given, other attributes and operators on other kinds are errors.",
        "additionalProperties": {"anyOf": [*one_of, {"enum": [f"[{kind}]" for kind in elements]}]},
    }


# -- conditions --


def _condition() -> Schema:
    return {
        "description": 'When this holds: a text such as country in ["DE", "AT"] and app_version >= v"2.3.0", or the same '
        "as data. A test on a missing attribute is unknown, and only true counts.",
        "anyOf": [{"type": "string", "minLength": 1}, _ref("structured")],
    }


def _structured() -> Schema:
    several = {"type": "array", "items": _ref("structured"), "minItems": 1}
    forms: list[Schema] = [
        {"type": "boolean"},
        _object({"all": {**several, "description": "True when every part is."}}, ["all"]),
        _object({"any": {**several, "description": "True when any part is."}}, ["any"]),
        _object({"not": _ref("structured")}, ["not"]),
        _object({"segment": _ref("name", "The context is a member of this segment.")}, ["segment"]),
        _object({"has": _ref("path", "A value that is not null is found.")}, ["has"]),
    ]
    operators = {operator.value: _ref("constant") for operator in Operator}
    test = _object({"attribute": _ref("path"), **operators}, ["attribute"])
    return {"anyOf": [*forms, {**test, "minProperties": 2, "maxProperties": 2}]}


def _constant() -> Schema:
    prefixed: Schema = {
        "type": "object",
        "properties": {
            "v": _text("a version: 2.3.0"),
            "i": _text("a text, ASCII case ignored"),
            "t": _text("a time: 2026-12-01T09:00:00Z"),
            "cidr": _text("an IP network: 10.0.0.0/8"),
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    literal: list[Schema] = [{"type": list(_SCALAR)}, prefixed]
    return {"anyOf": [*literal, {"type": "array", "items": {"anyOf": literal}, "minItems": 1}]}


# -- segments, flags, rules --


def _segment() -> Schema:
    properties: dict[str, Schema] = {
        "description": _text("What the segment is, for people."),
        "when": _ref("condition"),
        "attribute": _ref("path", "The attribute whose value is looked up."),
        "values": _list({"type": list(_SCALAR)}, 'Members; 42 and "42" differ.'),
        "values_file": _text("A file beside or below this one: UTF-8, one text a line, lines of # skipped."),
    }
    forms = [{"required": ["when"]}, {"required": ["attribute", "values"]}, {"required": ["attribute", "values_file"]}]
    return {**_object(properties, []), "description": "A named condition, or a set of values.", "oneOf": forms}


def _split() -> Schema:
    return {
        "type": "object",
        "description": "Variant -> weight; weights need not add up to 100.",
        "propertyNames": {"pattern": _NAME},
        "additionalProperties": {"type": "number", "minimum": 0},
        "minProperties": 1,
    }


def _people() -> dict[str, Schema]:
    """The keys that are for people and for lint."""
    return {
        "description": _text("What the flag decides, for people."),
        "owner": _text("Who answers for it."),
        "tags": _list({"type": "string"}, "Words to find it by."),
        "expires": {
            "type": "string",
            "pattern": r"^\d{4}-\d{2}-\d{2}$",
            "description": "The day from which it should be gone.",
        },
        "links": _list({"type": "string"}, "Tickets, documents, dashboards."),
        "purpose": {
            "enum": [purpose.value for purpose in Purpose],
            "default": "release",
            "description": "What it is for.",
        },
    }


def _flag() -> Schema:
    variant_or_split = {"anyOf": [_ref("name"), _ref("split")]}
    properties: dict[str, Schema] = {
        "type": {"enum": [kind.value for kind in FlagType], "description": "The type of every value of the flag."},
        **_people(),
        "metadata": {
            "type": "object",
            "additionalProperties": {"type": list(_SCALAR)},
            "description": "Handed out as flag metadata with every result.",
        },
        "enabled": {
            "type": "boolean",
            "default": True,
            "description": "false: off for everybody, whatever else is said.",
        },
        "variants": {
            "type": "object",
            "propertyNames": {"pattern": _NAME},
            "minProperties": 1,
            "description": "Name -> value. A boolean flag without variants has on: true and off: false.",
        },
        "off_variant": _ref("name", "Served while disabled; without it the caller's default value."),
        "default": {**variant_or_split, "description": "Variant, or variant -> weight, when no rule matches."},
        "bucket_by": _ref("path", "The attribute that is hashed; targetingKey when absent."),
        "salt": _text("Hashing salt, the flag key when absent. Keep the old key here when renaming."),
        "requires": _list(_ref("requirement"), "Other flags that must yield a named variant first."),
        "rules": _list(_ref("rule"), "In order; the first that matches decides."),
        "tests": _list(_ref("test"), "Cases that `flagcore test` runs."),
    }
    kinds = [_variants_of(kind, schema) for kind, schema in _value_schemas().items()]
    needs_variants: Schema = {
        "if": {"not": {"properties": {"type": {"const": "boolean"}}}},
        "then": {"required": ["variants"]},
    }
    return {**_object(properties, ["type", "default"]), "allOf": [*kinds, needs_variants]}


def _value_schemas() -> dict[FlagType, Schema]:
    return {
        FlagType.BOOLEAN: {"type": "boolean"},
        FlagType.STRING: {"type": "string"},
        FlagType.INTEGER: {"type": "integer", "minimum": INT64_MIN, "maximum": INT64_MAX},
        FlagType.FLOAT: {"type": "number"},
        FlagType.OBJECT: {"type": ["object", "array"]},
    }


def _variants_of(kind: FlagType, value: Schema) -> Schema:
    return {
        "if": {"properties": {"type": {"const": kind.value}}, "required": ["type"]},
        "then": {"properties": {"variants": {"additionalProperties": value}}},
    }


def _requirement() -> Schema:
    variants = {"anyOf": [_ref("name"), {"type": "array", "items": _ref("name"), "minItems": 1}]}
    return _object(
        {
            "flag": {"type": "string", "pattern": _FLAG_KEY, "description": "The flag that is evaluated first."},
            "is": {**variants, "description": "The variant, or any of the variants, that it must yield."},
            "otherwise": _ref("name", "Served when it does not; without it off_variant."),
        },
        ["flag", "is"],
    )


def _rule() -> Schema:
    step = _object({"at": _ref("time", "From this time on."), "percent": _ref("percent")}, ["at", "percent"])
    null_or_time: Schema = {"anyOf": [_ref("time"), {"enum": [None, ""]}]}
    properties: dict[str, Schema] = {
        "id": _ref("name", "Unique in the flag; part of every result, never of the hash."),
        "description": _text("Why the rule is there, for people."),
        "when": _ref("condition"),
        "between": _list(null_or_time, "[from, until); either may be null.", minItems=2, maxItems=2),
        "serve": _ref("name", "The variant that is served."),
        "split": _ref("split"),
        "percent": _ref("percent", "A gate: who is outside falls through to the next rule. At most four decimals."),
        "base": {
            "enum": ["split", "percent"],
            "default": "split",
            "description": "percent: a split on the ruler of the gate.",
        },
        "ramp": _list(step, "A gate that changes with time; before the first step nobody is inside.", minItems=1),
        "bucket_by": _ref("path", "As on the flag, for this rule."),
        "salt": _text("As on the flag, for this rule."),
    }
    decides = [{"required": ["serve"]}, {"required": ["split"]}]
    return {**_object(properties, ["id"]), "oneOf": decides, "not": {"required": ["percent", "ramp"]}}


def _test() -> Schema:
    share: Schema = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\d+(\.\d+)? ?%$"}]}
    shares = {"type": "object", "additionalProperties": share, "minProperties": 1}
    return _object(
        {
            "given": {"type": "object", "description": "The evaluation context."},
            "expect": {"anyOf": [_ref("name"), shares], "description": "A variant, or shares: {on: 5%, off: 95%}."},
            "at": _ref("time", "The evaluation time."),
            "rule": _text("The rule that must decide."),
            "reason": {"enum": [reason.value for reason in Reason], "description": "The reason that must be given."},
            "population": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_POPULATION,
                "description": "Subjects to generate.",
            },
            "by": _ref("path", "The attribute that is different for each; the flag's bucket_by when absent."),
            "tolerance": {**share, "description": "How far shares may be off, in percent points."},
        },
        ["expect"],
    )
