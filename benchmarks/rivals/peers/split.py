"""Split's SDK in localhost mode, reading feature flags and segments from JSON files."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any
from zlib import crc32

from benchmarks.rivals.peer import Asked, Peer
from benchmarks.rivals.plain import SUBJECT, VERSION_AT_LEAST, PlainFlag, PlainRule, PlainSet, Test

SECONDS = 60


def document(flags: PlainSet) -> str:
    made = [_flag(flag) for flag in flags.flags]
    segments = {
        name: {"name": name, "added": values, "removed": [], "since": -1, "till": 1}
        for name, values in flags.segments.items()
    }
    nothing: list[object] = []
    return json.dumps(
        {"ff": {"d": made, "s": -1, "t": 1}, "rbs": {"d": nothing, "s": -1, "t": 1}, "segments": segments}
    )


def _flag(flag: PlainFlag) -> dict[str, Any]:
    return {
        "name": flag.key,
        "trafficTypeName": "user",
        "trafficAllocation": 100,
        "trafficAllocationSeed": 1,
        "seed": crc32(flag.key.encode()) & 0x7FFFFFFF,
        "status": "ACTIVE",
        "killed": False,
        "defaultTreatment": "on" if flag.default else "off",
        "changeNumber": 1,
        "algo": 2,
        "configurations": {},
        "conditions": [*map(_condition, flag.rules), _everyone(flag)],
    }


def _condition(rule: PlainRule) -> dict[str, Any]:
    share = round(rule.percent * rule.share / 100)
    return {
        "conditionType": "ROLLOUT",
        "label": rule.id,
        "matcherGroup": {"combiner": "AND", "matchers": [_matcher(rule.test)]},
        "partitions": [{"treatment": "on", "size": share}, {"treatment": "off", "size": 100 - share}],
    }


def _everyone(flag: PlainFlag) -> dict[str, Any]:
    return _condition(PlainRule("default rule", None, 100, 100 * flag.default))


def _matcher(test: Test | None) -> dict[str, Any]:
    if test is None:
        return {"matcherType": "ALL_KEYS", "negate": False, "keySelector": {"trafficType": "user", "attribute": None}}
    attribute = None if test.attribute == SUBJECT else test.attribute
    return {"keySelector": {"trafficType": "user", "attribute": attribute}, "negate": False, **_matching(test)}


def _matching(test: Test) -> dict[str, Any]:
    if test.operator == "in_segment":
        return {"matcherType": "IN_SEGMENT", "userDefinedSegmentMatcherData": {"segmentName": test.value}}
    if test.operator == VERSION_AT_LEAST:
        return {"matcherType": "GREATER_THAN_OR_EQUAL_TO_SEMVER", "stringMatcherData": test.value}
    if isinstance(test.value, bool):
        return {"matcherType": "EQUAL_TO_BOOLEAN", "booleanMatcherData": test.value}
    if isinstance(test.value, int):
        least = test.value + (test.operator == ">")
        return {
            "matcherType": "GREATER_THAN_OR_EQUAL_TO",
            "unaryNumericMatcherData": {"dataType": "NUMBER", "value": least},
        }
    kinds = {"==": "WHITELIST", "in": "WHITELIST", "starts_with": "STARTS_WITH", "ends_with": "ENDS_WITH"}
    values = test.value if isinstance(test.value, list) else [test.value]
    return {"matcherType": kinds[test.operator], "whitelistMatcherData": {"whitelist": values}}


def open_document(text: str) -> Asked:
    from splitio import get_factory

    read = json.loads(text)
    folder = tempfile.TemporaryDirectory()
    root = Path(folder.name)
    (root / "flags.json").write_text(json.dumps({"ff": read["ff"], "rbs": read["rbs"]}))
    for name, segment in read["segments"].items():
        (root / f"{name}.json").write_text(json.dumps(segment))
    files = {"splitFile": str(root / "flags.json"), "segmentDirectory": str(root)}
    factory = get_factory("localhost", config={**files, "impressionsMode": "none"})
    factory.block_until_ready(SECONDS)
    client = factory.client()
    keys = [flag["name"] for flag in read["ff"]["d"]]

    def close() -> None:
        factory.destroy()
        folder.cleanup()

    return Asked(
        expression='get(context[0], key, context[1]) == "on"',
        names={"get": client.get_treatment, "every": client.get_treatments, "all_keys": keys},
        context=_context,
        every="every(context[0], all_keys, context[1])",
        read=lambda treatments: {key: treatment == "on" for key, treatment in treatments.items()},
        close=close,
    )


def _context(context: dict[str, Any]) -> object:
    return context[SUBJECT], {name: value for name, value in context.items() if name != SUBJECT}


PEER = Peer(
    title="Split",
    package="splitio_client",
    document=document,
    open=open_document,
    what="SplitClient.get_treatment in localhost mode",
    notes={"W4": "visits > 1000 is at least 1001: there is no greater than."},
)
