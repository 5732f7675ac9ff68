"""Optimizely's Feature Experimentation SDK, given a datafile."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.rivals.peer import Asked, Peer
from benchmarks.rivals.plain import SUBJECT, VERSION_AT_LEAST, PlainFlag, PlainRule, PlainSet

OPERATORS = {
    "==": "exact",
    "in": "exact",
    ">": "gt",
    ">=": "ge",
    VERSION_AT_LEAST: "semver_ge",
    "starts_with": "substring",
    "ends_with": "substring",
}
SCALE = 100  # traffic is hundredths of a percent


def document(flags: PlainSet) -> str:
    ruled = [(flag, rule) for flag in flags.flags for rule in flag.rules]
    names = {rule.test.attribute for _, rule in ruled if rule.test and rule.test.attribute != SUBJECT}
    tested = [(flag, rule) for flag, rule in ruled if rule.test and rule.test.operator != "in_segment"]
    whitelists = [_whitelist(flag, flags.segments[str(rule.test.value)]) for flag, rule in ruled if _named(rule)]  # type: ignore[union-attr]
    return json.dumps(
        {
            "version": "4",
            "revision": "1",
            "accountId": "1",
            "projectId": "1",
            "anonymizeIP": True,
            "attributes": [{"id": name, "key": name} for name in sorted({*names, "country"})],
            "typedAudiences": [_audience(flag, rule) for flag, rule in tested],
            "audiences": [],
            "events": [],
            "groups": [],
            "experiments": whitelists,
            "rollouts": [_rollout(flag) for flag in flags.flags],
            "featureFlags": [_feature(flag) for flag in flags.flags],
            "variables": [],
        }
    )


def _named(rule: PlainRule) -> bool:
    return rule.test is not None and rule.test.operator == "in_segment"


def _feature(flag: PlainFlag) -> dict[str, Any]:
    experiments = [f"{flag.key}-whitelist" for rule in flag.rules if _named(rule)]
    return {"id": flag.key, "key": flag.key, "rolloutId": flag.key, "experimentIds": experiments, "variables": []}


def _rollout(flag: PlainFlag) -> dict[str, Any]:
    rules = [_delivery(flag, rule) for rule in flag.rules if not _named(rule)]
    everyone = PlainRule("everyone", None, 100, 100 * flag.default)
    return {"id": flag.key, "experiments": [*rules, _delivery(flag, everyone)]}


def _delivery(flag: PlainFlag, rule: PlainRule) -> dict[str, Any]:
    name = f"{flag.key}-{rule.id}"
    share = round(rule.percent * rule.share / 100 * SCALE)
    traffic = [{"entityId": f"{name}-on", "endOfRange": share}, {"entityId": f"{name}-off", "endOfRange": 100 * SCALE}]
    audiences = [] if rule.test is None else [name]
    return {**_experiment(name, {}), "audienceIds": audiences, "trafficAllocation": traffic}


def _whitelist(flag: PlainFlag, members: list[str]) -> dict[str, Any]:
    name = f"{flag.key}-whitelist"
    return {**_experiment(name, dict.fromkeys(members, "on")), "audienceIds": [], "trafficAllocation": []}


def _experiment(name: str, forced: dict[str, str]) -> dict[str, Any]:
    variations = [
        {"id": f"{name}-{key}", "key": key, "featureEnabled": key == "on", "variables": []} for key in ("on", "off")
    ]
    head = {"id": name, "key": name, "layerId": name, "status": "Running"}
    return {**head, "variations": variations, "forcedVariations": forced}


def _audience(flag: PlainFlag, rule: PlainRule) -> dict[str, Any]:
    assert rule.test is not None
    values = rule.test.value if isinstance(rule.test.value, list) else [rule.test.value]
    leaf = {"name": rule.test.attribute, "type": "custom_attribute", "match": OPERATORS[rule.test.operator]}
    conditions = ["and", ["or", ["or", *({**leaf, "value": value} for value in values)]]]
    return {"id": f"{flag.key}-{rule.id}", "name": rule.id, "conditions": conditions}


def open_document(text: str) -> Asked:
    from optimizely import optimizely
    from optimizely.decision.optimizely_decide_option import OptimizelyDecideOption as Option
    from optimizely.event_dispatcher import EventDispatcher
    from optimizely.helpers.sdk_settings import OptimizelySdkSettings

    client = optimizely.Optimizely(
        text, event_dispatcher=EventDispatcher(), settings=OptimizelySdkSettings(odp_disabled=True)
    )
    assert client.is_valid

    def user(context: dict[str, Any]) -> object:
        return client.create_user_context(
            context[SUBJECT], {name: value for name, value in context.items() if name != SUBJECT}
        )

    return Asked(
        expression="context.decide(key, options).enabled",
        names={"options": [Option.DISABLE_DECISION_EVENT]},
        context=user,
        every="context.decide_all(options)",
        read=lambda decisions: {key: decision.enabled for key, decision in decisions.items()},
        close=client.close,
    )


PEER = Peer(
    title="Optimizely",
    package="optimizely-sdk",
    document=document,
    open=open_document,
    what="OptimizelyUserContext.decide without decision events",
    notes={
        "W4": "Starting and ending texts are substrings.",
        "W7 one": "The values are the forced variations of an experiment, as lists of user ids are kept there.",
        "W7 different": "As W7 one.",
    },
)
