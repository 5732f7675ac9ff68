"""PostHog's client with flag definitions for local evaluation, as its API hands them out."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.rivals.peer import Asked, Peer
from benchmarks.rivals.plain import SUBJECT, VERSION_AT_LEAST, PlainFlag, PlainRule, PlainSet, Test

OPERATORS = {
    "==": "exact",
    "in": "exact",
    "in_segment": "exact",
    ">": "gt",
    ">=": "gte",
    "starts_with": "starts_with",
    "ends_with": "ends_with",
    VERSION_AT_LEAST: "semver_gte",
}


def document(flags: PlainSet) -> str:
    made = [_flag(number, flag, flags.segments) for number, flag in enumerate(flags.flags)]
    return json.dumps({"flags": made, "group_type_mapping": {}, "cohorts": {}})


def _flag(number: int, flag: PlainFlag, sets: dict[str, list[str]]) -> dict[str, Any]:
    conditions = [_condition(rule, sets, _varies(flag)) for rule in flag.rules]
    if flag.default:
        conditions.append({"properties": [], "rollout_percentage": 100})
    filters: dict[str, Any] = {"groups": conditions}
    if _varies(flag):
        share = next((rule.share for rule in flag.rules if rule.share not in {0, 100}), 50)
        variants = [{"key": "on", "rollout_percentage": share}, {"key": "off", "rollout_percentage": 100 - share}]
        filters["multivariate"] = {"variants": variants}
    return {"id": number, "key": flag.key, "active": True, "filters": filters}


def _varies(flag: PlainFlag) -> bool:
    """A rule serves off, which a boolean flag has no word for."""
    return any(rule.share < 100 for rule in flag.rules)


def _condition(rule: PlainRule, sets: dict[str, list[str]], varies: bool) -> dict[str, Any]:
    properties = [] if rule.test is None else [_property(rule.test, sets)]
    made = {"properties": properties, "rollout_percentage": rule.percent}
    if varies and rule.share in {0, 100}:
        made["variant"] = "on" if rule.share else "off"
    return made


def _property(test: Test, sets: dict[str, list[str]]) -> dict[str, Any]:
    name = "distinct_id" if test.attribute == SUBJECT else test.attribute
    value = sets[str(test.value)] if test.operator == "in_segment" else test.value
    if isinstance(value, bool):
        value = str(value).lower()
    return {"key": name, "type": "person", "operator": OPERATORS[test.operator], "value": value}


def open_document(text: str) -> Asked:
    from posthog import Posthog

    client = Posthog(
        "benchmark", host="http://127.0.0.1:9", send=False, sync_mode=True, enable_exception_autocapture=False
    )
    read = json.loads(text)
    client.feature_flags = read["flags"]
    client.group_type_mapping = read["group_type_mapping"]
    client.cohorts = read["cohorts"]
    varies = any("multivariate" in flag["filters"] for flag in read["flags"])
    value = 'get_flag(key) == "on"' if varies else "is_enabled(key, send_feature_flag_events=False)"
    evaluate = "evaluate(context[0], person_properties=context[1], only_evaluate_locally=True"
    return Asked(
        expression=f"{evaluate}, flag_keys=[key]).{value}",
        names={"evaluate": client.evaluate_flags},
        context=_context,
        every=f"{evaluate})",
        read=lambda flags: {key: flags.is_enabled(key, send_feature_flag_events=False) for key in flags.keys},
        close=client.shutdown,
    )


def _context(context: dict[str, Any]) -> object:
    return context[SUBJECT], {name: value for name, value in context.items() if name != SUBJECT}


PEER = Peer(
    title="PostHog",
    package="posthog",
    document=document,
    open=open_document,
    what="Posthog.evaluate_flags of one flag key, local only, then is_enabled or get_flag; no events",
    notes={
        "W2": "Texts compare without regard to case.",
        "W4": "Conditions can only switch on: the rules that serve off name a variant `off`.",
        "W5": "As W4.",
        "W6": "As W4.",
        "W8": "One call of evaluate_flags; reading the answers from its result is not counted.",
    },
)
