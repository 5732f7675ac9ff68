"""LaunchDarkly's server SDK, its in-memory store filled from the JSON that its own file source reads."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from benchmarks.rivals.peer import Asked, Peer
from benchmarks.rivals.plain import SUBJECT, VERSION_AT_LEAST, PlainFlag, PlainRule, PlainSet, Test

OPERATORS = {
    "==": "in",
    "in": "in",
    ">": "greaterThan",
    ">=": "greaterThanOrEqual",
    "starts_with": "startsWith",
    "ends_with": "endsWith",
    "in_segment": "segmentMatch",
}
VARIATIONS = [True, False]
SCALE = 1000  # weights are thousandths of a percent


def document(flags: PlainSet) -> str:
    segments = {name: _segment(name, values) for name, values in flags.segments.items()}
    return json.dumps({"flags": {flag.key: _flag(flag) for flag in flags.flags}, "segments": segments})


def _flag(flag: PlainFlag) -> dict[str, Any]:
    return {
        "key": flag.key,
        "on": True,
        "version": 1,
        "salt": flag.key,
        "variations": VARIATIONS,
        "offVariation": 1,
        "fallthrough": {"variation": VARIATIONS.index(flag.default)},
        "rules": [_rule(rule, flag.default) for rule in flag.rules],
    }


def _rule(rule: PlainRule, default: bool) -> dict[str, Any]:
    clauses = [] if rule.test is None else [_clause(rule.test)]
    if rule.percent == 100 and rule.share in {0, 100}:
        return {"id": rule.id, "clauses": clauses, "variation": VARIATIONS.index(rule.value)}
    assert rule.share == 100 or rule.percent == 100
    assert default is False, "whoever is outside a rollout gets its other variation"
    share = round(rule.percent * rule.share / 100 * SCALE)
    weights = [{"variation": 0, "weight": share}, {"variation": 1, "weight": 100 * SCALE - share}]
    return {"id": rule.id, "clauses": clauses, "rollout": {"variations": weights}}


def _clause(test: Test) -> dict[str, Any]:
    attribute = "key" if test.attribute == SUBJECT else test.attribute
    if test.operator == VERSION_AT_LEAST:
        return {"attribute": attribute, "op": "semVerLessThan", "values": [test.value], "negate": True}
    values = test.value if isinstance(test.value, list) else [test.value]
    return {"attribute": attribute, "op": OPERATORS[test.operator], "values": values, "negate": False}


def _segment(name: str, values: list[str]) -> dict[str, Any]:
    return {"key": name, "version": 1, "included": values, "excluded": [], "rules": [], "salt": name}


def open_document(text: str) -> Asked:
    from ldclient import Context, LDClient
    from ldclient.config import Config
    from ldclient.feature_store import InMemoryFeatureStore
    from ldclient.versioned_data_kind import FEATURES, SEGMENTS

    read = json.loads(text)
    store = InMemoryFeatureStore()
    store.init({FEATURES: read["flags"], SEGMENTS: read["segments"]})
    offline = Config("sdk-key", feature_store=store, use_ldd=True, send_events=False, diagnostic_opt_out=True)
    client = LDClient(offline)
    assert client.is_initialized()
    return Asked(
        expression="variation(key, context, False)",
        names={"variation": client.variation, "every": client.all_flags_state},
        context=partial(_context, Context),
        every="every(context)",
        read=lambda state: state.to_values_map(),
        close=client.close,
    )


def _context(context_class: Any, context: dict[str, Any]) -> object:
    return context_class.from_dict(
        {"kind": "user", "key": context[SUBJECT], **{k: v for k, v in context.items() if k != SUBJECT}}
    )


PEER = Peer(
    title="LaunchDarkly",
    package="launchdarkly-server-sdk",
    document=document,
    open=open_document,
    what="LDClient.variation on an in-memory store, no events",
    notes={"W4": "`version >= 9.0.0` is a negated semVerLessThan: there is no operator for at least."},
)
