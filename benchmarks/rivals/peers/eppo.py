"""Eppo's server SDK (a compiled core), given its universal flag configuration."""

from __future__ import annotations

import json
import re
from typing import Any

from benchmarks.rivals.peer import Asked, Peer
from benchmarks.rivals.plain import SUBJECT, VERSION_AT_LEAST, PlainFlag, PlainRule, PlainSet, Test

OPERATORS = {">": "GT", ">=": "GTE", VERSION_AT_LEAST: "GTE"}
SHARDS = 10_000
VARIATIONS = {"on": {"key": "on", "value": True}, "off": {"key": "off", "value": False}}


def document(flags: PlainSet) -> str:
    made = {flag.key: _flag(flag, flags.segments) for flag in flags.flags}
    head = {"createdAt": "2026-01-01T00:00:00.000Z", "format": "SERVER", "environment": {"name": "benchmark"}}
    return json.dumps({**head, "flags": made, "bandits": {}})


def _flag(flag: PlainFlag, sets: dict[str, list[str]]) -> dict[str, Any]:
    allocations = [_allocation(flag, rule, sets) for rule in flag.rules]
    allocations.append({"key": "default", "splits": [_split("on" if flag.default else "off", [])], "doLog": False})
    return {
        "key": flag.key,
        "enabled": True,
        "variationType": "BOOLEAN",
        "variations": VARIATIONS,
        "allocations": allocations,
        "totalShards": SHARDS,
    }


def _allocation(flag: PlainFlag, rule: PlainRule, sets: dict[str, list[str]]) -> dict[str, Any]:
    made: dict[str, Any] = {"key": rule.id, "doLog": False}
    if rule.test is not None:
        made["rules"] = [{"conditions": [_condition(rule.test, sets)]}]
    share = round(rule.percent * rule.share / 100 / 100 * SHARDS)
    if share in {0, SHARDS}:
        return {**made, "splits": [_split("on" if share else "off", [])]}
    splits = [_split("on", [_shard(flag, 0, share)])]
    if rule.percent == 100:
        splits.append(_split("off", [_shard(flag, share, SHARDS)]))
    return {**made, "splits": splits}


def _split(variation: str, shards: list[dict[str, Any]]) -> dict[str, Any]:
    return {"variationKey": variation, "shards": shards}


def _shard(flag: PlainFlag, start: int, end: int) -> dict[str, Any]:
    return {"salt": flag.key, "ranges": [{"start": start, "end": end}]}


def _condition(test: Test, sets: dict[str, list[str]]) -> dict[str, Any]:
    name = "id" if test.attribute == SUBJECT else test.attribute
    if test.operator in OPERATORS:
        return {"attribute": name, "operator": OPERATORS[test.operator], "value": test.value}
    if test.operator == "starts_with":
        return {"attribute": name, "operator": "MATCHES", "value": f"^{re.escape(str(test.value))}"}
    if test.operator == "ends_with":
        return {"attribute": name, "operator": "MATCHES", "value": f"{re.escape(str(test.value))}$"}
    if test.operator == "in_segment":
        return {"attribute": name, "operator": "ONE_OF", "value": sets[str(test.value)]}
    values = test.value if isinstance(test.value, list) else [test.value]
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    return {"attribute": name, "operator": "ONE_OF", "value": texts}


def open_document(text: str) -> Asked:
    import eppo_client
    from eppo_client.assignment_logger import AssignmentLogger
    from eppo_client.config import Config

    client = eppo_client.init(
        Config(
            api_key="benchmark",
            base_url="http://127.0.0.1:9",
            assignment_logger=AssignmentLogger(),
            poll_interval_seconds=None,
            initial_configuration=eppo_client.Configuration(flags_configuration=text.encode()),
        )
    )
    return Asked(
        expression="get(key, *context, False)",
        names={"get": client.get_boolean_assignment},
        context=_context,
        close=client.shutdown,
    )


def _context(context: dict[str, Any]) -> object:
    return context[SUBJECT], {name: value for name, value in context.items() if name != SUBJECT}


PEER = Peer(
    title="Eppo",
    package="eppo-server-sdk",
    document=document,
    open=open_document,
    what="EppoClient.get_boolean_assignment, local configuration, nothing logged",
    notes={"W4": "Starting and ending texts are regular expressions.", "W8": "One call a flag."},
)
