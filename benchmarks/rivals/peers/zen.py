"""ZEN, a general rules engine: each flag is a decision table whose first row that matches decides."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.rivals.buckets import SCALE, bucket
from benchmarks.rivals.peer import Asked, Peer
from benchmarks.rivals.plain import VERSION_AT_LEAST, PlainFlag, PlainRule, PlainSet, Test

BUCKET = "bucket"


def document(flags: PlainSet) -> str:
    return json.dumps({flag.key: _decision(flag, flags.segments) for flag in flags.flags})


def _decision(flag: PlainFlag, sets: dict[str, list[str]]) -> dict[str, Any]:
    names = list(dict.fromkeys(rule.test.attribute for rule in flag.rules if rule.test))
    if any(_hashed(rule) for rule in flag.rules):
        names.append(BUCKET)
    rows = [row for rule in flag.rules for row in _rows(rule, sets)]
    rows.append({"value": str(flag.default).lower()})
    content = {
        "hitPolicy": "first",
        "inputs": [{"id": name, "name": name, "field": name} for name in names],
        "outputs": [{"id": "value", "name": "value", "field": "value"}],
        "rules": [{"_id": str(i), **dict.fromkeys(names, ""), **row} for i, row in enumerate(rows)],
    }
    kinds: list[tuple[str, dict[str, Any]]] = [("input", {}), ("decisionTable", content), ("output", {})]
    nodes = [
        {"id": kind, "name": kind, "type": f"{kind}Node", "content": inner, "position": {"x": 0, "y": 0}}
        for kind, inner in kinds
    ]
    edges = [("input", "decisionTable"), ("decisionTable", "output")]
    joined = [{"id": source, "sourceId": source, "targetId": target, "type": "edge"} for source, target in edges]
    return {"contentType": "application/vnd.gorules.decision", "nodes": nodes, "edges": joined}


def _hashed(rule: PlainRule) -> bool:
    return rule.percent < 100 or rule.share not in {0, 100}


def _rows(rule: PlainRule, sets: dict[str, list[str]]) -> list[dict[str, str]]:
    test = {} if rule.test is None else {rule.test.attribute: _cell(rule.test, sets)}
    if not _hashed(rule):
        return [{**test, "value": str(rule.value).lower()}]
    inside = round(rule.percent * rule.share / 100 / 100 * SCALE)
    rows = [{**test, BUCKET: f"< {inside}", "value": "true"}]
    return rows if rule.percent < 100 else [*rows, {**test, "value": "false"}]


def _cell(test: Test, sets: dict[str, list[str]]) -> str:
    """Return the test as a unary expression, in which the attribute is left out or called ``$``."""
    if test.operator == "in_segment":
        return f"$ in {json.dumps(sets[str(test.value)])}"
    if test.operator == "in":
        return f"$ in {json.dumps(test.value)}"
    if test.operator == VERSION_AT_LEAST:
        return f">= {str(test.value).partition('.')[0]}"
    text = json.dumps(test.value)
    calls = {"starts_with": f"startsWith($, {text})", "ends_with": f"endsWith($, {text})", "==": text}
    return calls.get(test.operator, f"{test.operator} {text}")


def open_document(text: str) -> Asked:
    from zen import ZenEngine

    engine = ZenEngine()
    decisions = {key: engine.create_decision(json.dumps(content)) for key, content in json.loads(text).items()}
    names = {"decisions": decisions, "bucket": bucket}
    given = "context"
    if f'"{BUCKET}"' in text:
        given = '{**context, "bucket": bucket(key, context["targetingKey"])}'
    return Asked(f'decisions[key].evaluate({given})["result"]["value"]', names, _context)


def _context(context: dict[str, Any]) -> object:
    if "app_version" not in context:
        return context
    return {**context, "app_version": int(context["app_version"].partition(".")[0])}


PEER = Peer(
    title="ZEN engine",
    package="zen-engine",
    document=document,
    open=open_document,
    what="ZenDecision.evaluate of a decision table a flag; no flag engine: no hash, no versions",
    notes={
        "W3": "The caller adds a bucket (crc32) to a copy of the context, at each call.",
        "W4": "As W3; versions compare as major numbers.",
        "W8": "As W3; one call a flag.",
    },
)
