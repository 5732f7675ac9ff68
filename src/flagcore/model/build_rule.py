"""Plain data to Rule: shapes only, as build_flag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flagcore.model.fields import Fields, Keys, Readers, Report, as_mapping, is_number
from flagcore.model.flagset import Condition, RampStep, Rule, Split
from flagcore.model.problems import DocumentPath

__all__ = ["RAMP_KEYS", "RULE_KEYS", "build_rule", "build_split"]

RAMP_KEYS: Keys = dict.fromkeys(("at", "percent"))
_PERCENT_HINT = "write the number without %"


def build_rule(report: Report, data: object, path: DocumentPath) -> Rule:
    """Return the rule; one with an empty id when the data is no mapping."""
    mapping = as_mapping(report, data, path)
    if mapping is None:
        return Rule(id="")
    fields = Fields(report, mapping, path, RULE_KEYS)
    fields.require("id", "a name for the rule; it is part of every result")
    return Rule(**{"id": "", **fields.read(_READERS)})


def _condition(fields: Fields, key: str) -> Condition:
    return fields.report.condition(fields.data[key], fields.at(key))


def _serve(fields: Fields, key: str) -> str | None:
    return fields.text(key, "the name of a variant" if isinstance(fields.data[key], bool) else None)


def _split(fields: Fields, key: str) -> Split | None:
    return build_split(fields.report, fields.data[key], fields.at(key))


def _percent(fields: Fields, key: str) -> int | float | None:
    return fields.number(key, _PERCENT_HINT if isinstance(fields.data[key], str) else None)


def _ramp(fields: Fields, key: str) -> tuple[RampStep, ...] | None:
    return fields.items(key, lambda step, place: _ramp_step(fields.report, step, place))


def build_split(report: Report, data: object, path: DocumentPath) -> Split | None:
    """Return the weights that are numbers, in the author's order."""
    mapping = as_mapping(report, data, path)
    if mapping is None:
        return None
    split: Split = {}
    for name, weight in mapping.items():
        if is_number(weight):
            split[name] = cast("int | float", weight)
        else:
            report.wrong_type("a weight", weight, (*path, name), _PERCENT_HINT if isinstance(weight, str) else None)
    return split


def _between(fields: Fields, key: str) -> tuple[str | None, str | None] | None:
    data = fields.data[key]
    if not isinstance(data, (list, tuple)) or len(data) != 2:
        hint = "[from, until), two times or null: [2026-12-01T09:00:00Z, null]"
        fields.report.add(
            "wrong-type", "`between` is a list of two times, each may be null", fields.at("between"), hint
        )
        return None
    start, end = (_time_or_null(fields, item, index) for index, item in enumerate(data))
    return start, end


def _time_or_null(fields: Fields, data: object, index: int) -> str | None:
    if data is None or (data == "" and fields.report.blank_is_null):
        return None
    if isinstance(data, str):
        return data
    fields.report.wrong_type("a time or null", data, (*fields.path, "between", index), 'such as "2026-12-01T09:00:00Z"')
    return None


def _ramp_step(report: Report, data: object, path: DocumentPath) -> RampStep:
    if not isinstance(data, Mapping):
        report.wrong_type("a step", data, path, "such as {at: 2026-12-01T09:00:00Z, percent: 5}")
        return RampStep("", 0)
    mapping = as_mapping(report, data, path)
    if mapping is None:
        return RampStep("", 0)
    fields = Fields(report, mapping, path, RAMP_KEYS)
    at = (fields.require("at") and fields.text("at")) or ""
    percent = fields.number("percent", _PERCENT_HINT) if fields.require("percent") else None
    return RampStep(at, 0 if percent is None else percent)


_READERS: Readers = {
    "id": Fields.text,
    "when": _condition,
    "between": _between,
    "serve": _serve,
    "split": _split,
    "percent": _percent,
    "base": Fields.text,
    "ramp": _ramp,
    "bucket_by": Fields.attribute,
    "salt": Fields.text,
    "description": Fields.text,
}
RULE_KEYS: Keys = dict.fromkeys(_READERS)
