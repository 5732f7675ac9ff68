"""Flagsmith's evaluation engine: a pure function of an evaluation context, which holds the environment and the identity."""

from __future__ import annotations

import json
import re
from typing import Any

from benchmarks.rivals.peer import Asked, Peer
from benchmarks.rivals.plain import SUBJECT, VERSION_AT_LEAST, PlainFlag, PlainRule, PlainSet, Test

OPERATORS = {"==": "EQUAL", ">": "GREATER_THAN", ">=": "GREATER_THAN_INCLUSIVE"}


def document(flags: PlainSet) -> str:
    segments = {
        name: _segment(flag, index, rule, flags.segments)
        for flag in flags.flags
        for index, rule in enumerate(flag.rules)
        for name in [f"{flag.key}-{rule.id}"]
    }
    features = {flag.key: _feature(flag.key, flag.default) for flag in flags.flags}
    return json.dumps({"environment": {"key": "env", "name": "env"}, "features": features, "segments": segments})


def _feature(key: str, value: bool) -> dict[str, Any]:
    return {"key": key, "name": key, "enabled": True, "value": value}


def _segment(flag: PlainFlag, index: int, rule: PlainRule, sets: dict[str, list[str]]) -> dict[str, Any]:
    conditions = [] if rule.test is None else [_condition(rule.test, sets)]
    if rule.percent < 100:
        conditions.append({"property": "", "operator": "PERCENTAGE_SPLIT", "value": str(rule.percent)})
    override = {**_feature(flag.key, rule.share > 0), "priority": index}
    if rule.share not in {0, 100}:
        shares = [(True, rule.share), (False, 100 - rule.share)]
        override["variants"] = [
            {"value": value, "weight": share, "priority": i} for i, (value, share) in enumerate(shares)
        ]
    name = f"{flag.key}-{rule.id}"
    return {"key": name, "name": name, "rules": [{"type": "ALL", "conditions": conditions}], "overrides": [override]}


def _condition(test: Test, sets: dict[str, list[str]]) -> dict[str, Any]:
    name = "$.identity.identifier" if test.attribute == SUBJECT else test.attribute
    if test.operator in {"in", "in_segment"}:
        values = sets[str(test.value)] if test.operator == "in_segment" else test.value
        return {"property": name, "operator": "IN", "value": ",".join(values)}  # type: ignore[arg-type]
    if test.operator == "starts_with":
        return {"property": name, "operator": "REGEX", "value": re.escape(str(test.value))}
    if test.operator == "ends_with":
        return {"property": name, "operator": "REGEX", "value": f".*{re.escape(str(test.value))}$"}
    if test.operator == VERSION_AT_LEAST:
        return {"property": name, "operator": "GREATER_THAN_INCLUSIVE", "value": f"{test.value}:semver"}
    text = str(test.value).lower() if isinstance(test.value, bool) else str(test.value)
    return {"property": name, "operator": OPERATORS[test.operator], "value": text}


def open_document(text: str) -> Asked:
    from flag_engine.engine import get_evaluation_result

    environment = json.loads(text)

    def with_identity(context: dict[str, Any]) -> object:
        traits = {name: value for name, value in context.items() if name != SUBJECT}
        return {**environment, "identity": {"identifier": context[SUBJECT], "key": context[SUBJECT], "traits": traits}}

    return Asked(
        expression='evaluate(context)["flags"][key]["value"]',
        names={"evaluate": get_evaluation_result},
        context=with_identity,
        every='evaluate(context)["flags"]',
        read=lambda flags: {key: flag["value"] for key, flag in flags.items()},
    )


PEER = Peer(
    title="Flagsmith",
    package="flagsmith-flag-engine",
    document=document,
    open=open_document,
    what="flag_engine's get_evaluation_result, which decides all flags of the environment at each call",
    notes={"W4": "Starting and ending texts are regular expressions."},
)
