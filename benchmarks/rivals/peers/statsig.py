"""Statsig's server core (Rust), its specs handed over by a data store."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.rivals.peer import Asked, Peer
from benchmarks.rivals.plain import SUBJECT, VERSION_AT_LEAST, PlainFlag, PlainRule, PlainSet, Test

OPERATORS = {
    "==": "any",
    "in": "any",
    ">": "gt",
    ">=": "gte",
    VERSION_AT_LEAST: "version_gte",
    "starts_with": "str_starts_with_any",
    "ends_with": "str_ends_with_any",
}
TIME = 1_767_225_600_000  # milliseconds since 1970
FIELDS = {"app_version": "appVersion"}
TOP = ("email", "country", "app_version")  # what a user has beside custom attributes


def document(flags: PlainSet) -> str:
    conditions = {
        f"{flag.key}-{rule.id}": _condition(rule.test, flags.segments) for flag in flags.flags for rule in flag.rules
    }
    conditions["everyone"] = {**_head("public"), "operator": None, "field": None, "targetValue": None}
    empty: dict[str, object] = {}
    return json.dumps(
        {
            "has_updates": True,
            "time": TIME,
            "feature_gates": {flag.key: _gate(flag) for flag in flags.flags},
            "condition_map": conditions,
            "dynamic_configs": empty,
            "layer_configs": empty,
            "experiment_to_layer": empty,
            "sdk_configs": empty,
        }
    )


def _gate(flag: PlainFlag) -> dict[str, Any]:
    rules = [_rule(flag, rule, f"{flag.key}-{rule.id}") for rule in flag.rules]
    if flag.default:
        rules.append(_rule(flag, PlainRule("everyone", None, 100, 100), "everyone"))
    return {
        "type": "feature_gate",
        "entity": "feature_gate",
        "salt": flag.key,
        "enabled": True,
        "defaultValue": False,
        "idType": "userID",
        "version": 1,
        "rules": rules,
    }


def _rule(flag: PlainFlag, rule: PlainRule, condition: str) -> dict[str, Any]:
    share = rule.percent * rule.share / 100
    named = {"name": rule.id, "id": rule.id, "salt": f"{flag.key}-{rule.id}", "idType": "userID"}
    return {**named, "passPercentage": share, "conditions": [condition], "returnValue": True}


def _head(kind: str) -> dict[str, Any]:
    return {"type": kind, "idType": "userID", "additionalValues": {}}


def _condition(test: Test | None, sets: dict[str, list[str]]) -> dict[str, Any]:
    if test is None:
        return {**_head("public"), "operator": None, "field": None, "targetValue": None}
    if test.operator == "in_segment":
        values = sets[str(test.value)]
        return {**_head("unit_id"), "operator": "any", "field": None, "targetValue": values}
    operator = OPERATORS[test.operator]
    value = test.value
    if operator.startswith(("any", "str_")) and not isinstance(value, list):
        value = [str(value).lower() if isinstance(value, bool) else value]
    field = FIELDS.get(test.attribute, test.attribute)
    return {**_head("user_field"), "operator": operator, "field": field, "targetValue": value}


def open_document(text: str) -> Asked:
    from statsig_python_core import Statsig, StatsigOptions, StatsigUser
    from statsig_python_core.data_store import DataStore, DataStoreResponse
    from statsig_python_core.statsig_python_core import FeatureGateEvaluationOptions

    class Store(DataStore):
        def get(self, key: str) -> Any:
            return DataStoreResponse(text, TIME)

    options = StatsigOptions()
    options.data_store = Store()
    options.disable_network = True
    options.disable_all_logging = True
    options.disable_country_lookup = True
    options.output_log_level = "none"
    client = Statsig("secret-benchmark", options)
    assert client.initialize().wait()
    quiet = FeatureGateEvaluationOptions(disable_exposure_logging=True)

    def user(context: dict[str, Any]) -> object:
        top = {name: context[name] for name in TOP if name in context}
        custom = {name: value for name, value in context.items() if name not in {SUBJECT, *TOP}}
        return StatsigUser(context[SUBJECT], custom=custom, **top)

    return Asked(
        expression="check_gate(context, key, quiet)",
        names={"check_gate": client.check_gate, "quiet": quiet},
        context=user,
        close=lambda: client.shutdown().wait(),
    )


PEER = Peer(
    title="Statsig",
    package="statsig_python_core",
    document=document,
    open=open_document,
    what="Statsig.check_gate without exposure logging; users are its own objects",
    notes={
        "W2": "Texts compare without regard to case.",
        "W4": "The split is a rule that passes 99 %.",
        "W5": "A rule that serves off passes 0 %.",
        "W6": "As W5.",
        "W7 one": "The list stands in the condition: its ID lists hold hashes and come from a server.",
        "W7 different": "As W7 one.",
        "W8": "One call a flag.",
    },
)
