"""Flipt's client-side engine, given the snapshot of a namespace by a server on the loopback interface."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.rivals.loopback import serve
from benchmarks.rivals.peer import Asked, Peer
from benchmarks.rivals.plain import SUBJECT, VERSION_AT_LEAST, PlainFlag, PlainRule, PlainSet, Test

OPERATORS = {
    "==": "eq",
    ">": "gt",
    ">=": "gte",
    "in": "isoneof",
    "in_segment": "isoneof",
    "starts_with": "prefix",
    "ends_with": "suffix",
}
HOUR = 3600


def document(flags: PlainSet) -> str:
    make = _variants if any(_splits(flag) for flag in flags.flags) else _boolean
    return json.dumps({"namespace": {"key": "default"}, "flags": [make(flag, flags.segments) for flag in flags.flags]})


def _splits(flag: PlainFlag) -> bool:
    return any(rule.share not in {0, 100} for rule in flag.rules)


def _boolean(flag: PlainFlag, sets: dict[str, list[str]]) -> dict[str, Any]:
    rollouts = [{**_rollout(rule, sets), "rank": rank} for rank, rule in enumerate(flag.rules, 1)]
    return {**_head(flag), "type": "BOOLEAN_FLAG_TYPE", "enabled": flag.default, "rollouts": rollouts}


def _rollout(rule: PlainRule, sets: dict[str, list[str]]) -> dict[str, Any]:
    if rule.test is None:
        return {"type": "THRESHOLD_ROLLOUT_TYPE", "threshold": {"percentage": rule.percent, "value": rule.value}}
    segment = {"value": rule.value, "segmentOperator": "OR_SEGMENT_OPERATOR", "segments": [_segment(rule, sets)]}
    return {"type": "SEGMENT_ROLLOUT_TYPE", "segment": segment}


def _variants(flag: PlainFlag, sets: dict[str, list[str]]) -> dict[str, Any]:
    rules = [{**_rule(rule, sets), "rank": rank} for rank, rule in enumerate(flag.rules, 1)]
    return {**_head(flag), "type": "VARIANT_FLAG_TYPE", "enabled": True, "rules": rules}


def _rule(rule: PlainRule, sets: dict[str, list[str]]) -> dict[str, Any]:
    shares = {"on": rule.share, "off": 100 - rule.share}
    distributions = [
        {"ruleId": rule.id, "variantId": name, "variantKey": name, "variantAttachment": "", "rollout": share}
        for name, share in shares.items()
        if share
    ]
    named = {"id": rule.id, "segments": [_segment(rule, sets)], "segmentOperator": "OR_SEGMENT_OPERATOR"}
    return {**named, "distributions": distributions}


def _head(flag: PlainFlag) -> dict[str, Any]:
    times = {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}
    return {"key": flag.key, "name": flag.key, "description": "", "rules": [], "rollouts": [], **times}


def _segment(rule: PlainRule, sets: dict[str, list[str]]) -> dict[str, Any]:
    assert rule.test is not None
    constraint = {"id": rule.id, **_constraint(rule.test, sets)}
    named = {"key": rule.id, "name": rule.id, "description": "", "matchType": "ALL_MATCH_TYPE"}
    times = {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}
    return {**named, **times, "constraints": [constraint]}


def _constraint(test: Test, sets: dict[str, list[str]]) -> dict[str, Any]:
    name, operator, value = test
    if operator == VERSION_AT_LEAST:
        operator, value = ">=", int(str(value).partition(".")[0])
    if operator == "in_segment":
        value = sets[str(value)]
    kind = "STRING"
    if name == SUBJECT:
        kind = "ENTITY_ID"
    elif isinstance(value, bool):
        return {"type": "BOOLEAN_CONSTRAINT_COMPARISON_TYPE", "property": name, "operator": "true", "value": ""}
    elif isinstance(value, int):
        kind = "NUMBER"
    text = json.dumps(value) if isinstance(value, list) else str(value)
    return {
        "type": f"{kind}_CONSTRAINT_COMPARISON_TYPE",
        "property": name,
        "operator": OPERATORS[operator],
        "value": text,
    }


def open_document(text: str) -> Asked:
    from flipt_client import FliptClient
    from flipt_client.models import ClientOptions

    address, stop = serve(text.encode())  # up until the client is closed: a fetch that fails aborts the process (1.4.5)
    client = FliptClient(opts=ClientOptions(url=address, update_interval=HOUR))
    names = {"boolean": client.evaluate_boolean, "variant": client.evaluate_variant}
    varies = "VARIANT_FLAG_TYPE" in text
    expression = 'variant(key, *context).variant_key == "on"' if varies else "boolean(key, *context).enabled"

    def close() -> None:
        client.close()
        stop()

    return Asked(expression, names, _context, close=close)


def _context(context: dict[str, Any]) -> object:
    """Flipt's contexts hold texts; a version is given as the number of its major part."""
    attributes = {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in context.items()
    }
    if "app_version" in attributes:
        attributes["app_version"] = attributes["app_version"].partition(".")[0]
    return context[SUBJECT], attributes


PEER = Peer(
    title="Flipt",
    package="flipt-client",
    document=document,
    open=open_document,
    what="FliptClient.evaluate_boolean; its engine through ctypes and JSON, fed once by a server on the loopback interface",
    notes={
        "W4": "A variant flag, as boolean flags cannot split within a segment; versions compare as major numbers.",
        "W8": "One call a flag.",
    },
)
