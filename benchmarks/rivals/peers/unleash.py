"""Unleash's client, bootstrapped from the JSON that its server hands out; the yggdrasil engine decides."""

from __future__ import annotations

import json
import tempfile
from typing import Any

from benchmarks.rivals.peer import Asked, Peer
from benchmarks.rivals.plain import SUBJECT, VERSION_AT_LEAST, PlainFlag, PlainRule, PlainSet, Test

OPERATORS = {
    "==": "IN",
    "in": "IN",
    ">": "NUM_GT",
    ">=": "NUM_GTE",
    "starts_with": "STR_STARTS_WITH",
    "ends_with": "STR_ENDS_WITH",
}


def document(flags: PlainSet) -> str:
    names = list(flags.segments)
    features = [_feature(flag, names) for flag in flags.flags]
    segments = [
        {"id": i, "name": name, "constraints": [_constraint(Test(SUBJECT, "in", values))]}
        for i, (name, values) in enumerate(flags.segments.items())
    ]
    return json.dumps({"version": 2, "features": features, "segments": segments})


def _feature(flag: PlainFlag, segments: list[str]) -> dict[str, Any]:
    strategies = [_strategy(flag, i, segments) for i, rule in enumerate(flag.rules) if rule.share or _disjoint(flag)]
    if flag.default:
        strategies = [{"name": "default", "parameters": {}}]
    return {"name": flag.key, "type": "release", "enabled": True, "strategies": strategies}


def _strategy(flag: PlainFlag, index: int, segments: list[str]) -> dict[str, Any]:
    rule = flag.rules[index]
    earlier = [] if _disjoint(flag) else [before for before in flag.rules[:index] if not before.share]
    tests = [_inverted(before) for before in earlier]
    named = []
    if rule.test and rule.test.operator == "in_segment":
        named = [segments.index(str(rule.test.value))]
    elif rule.test:
        tests.append(_constraint(rule.test))
    percent = str(round(rule.percent * rule.share / 100))
    parameters = {"rollout": percent, "stickiness": "userId", "groupId": flag.key}
    return {"name": "flexibleRollout", "parameters": parameters, "constraints": tests, "segments": named}


def _disjoint(flag: PlainFlag) -> bool:
    """No two rules can match the same context: they compare one attribute with different values."""
    tests = [rule.test for rule in flag.rules]
    return all(test is not None and test.operator == "==" and test.attribute == "tenant" for test in tests)


def _inverted(rule: PlainRule) -> dict[str, Any]:
    assert rule.test is not None
    made = _constraint(rule.test)
    return {**made, "inverted": not made["inverted"]}


def _constraint(test: Test) -> dict[str, Any]:
    name = "userId" if test.attribute == SUBJECT else test.attribute
    if test.operator == VERSION_AT_LEAST:
        return {"contextName": name, "operator": "SEMVER_LT", "value": test.value, "values": [], "inverted": True}
    made: dict[str, Any] = {"contextName": name, "operator": OPERATORS[test.operator], "values": [], "inverted": False}
    if made["operator"].startswith("NUM"):
        return {**made, "value": str(test.value)}
    values = test.value if isinstance(test.value, list) else [test.value]
    return {**made, "values": [str(value) for value in values]}


def open_document(text: str) -> Asked:
    from UnleashClient import UnleashClient
    from UnleashClient.cache import FileCache
    from UnleashClient.utils import InstanceAllowType

    folder = tempfile.TemporaryDirectory()
    cache = FileCache("benchmark", directory=folder.name)
    cache.bootstrap_from_dict(json.loads(text))
    client = UnleashClient(  # never initialised, hence no threads and no requests
        "http://127.0.0.1:9",
        "benchmark",
        cache=cache,
        disable_metrics=True,
        disable_registration=True,
        multiple_instance_mode=InstanceAllowType.SILENTLY_ALLOW,
    )
    return Asked(
        expression="is_enabled(key, context)",
        names={"is_enabled": client.is_enabled},
        context=_context,
        close=folder.cleanup,
    )


def _context(context: dict[str, Any]) -> object:
    properties = {name: value for name, value in context.items() if name != SUBJECT}
    return {"userId": context[SUBJECT], "properties": properties}


PEER = Peer(
    title="Unleash",
    package="UnleashClient",
    document=document,
    open=open_document,
    what="UnleashClient.is_enabled, bootstrapped; the yggdrasil engine through ctypes and JSON",
    notes={
        "W4": "Strategies can only switch on: the nine rules that serve off are inverted constraints of the tenth.",
        "W5": "A rule that serves off is a strategy with a rollout of 0 %.",
        "W6": "As W5.",
        "W8": "One call a flag.",
    },
)
