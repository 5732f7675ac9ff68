"""GrowthBook's SDK, given the features and saved groups of its API's payload."""

from __future__ import annotations

import json
import re
from typing import Any

from benchmarks.rivals.peer import Asked, Peer
from benchmarks.rivals.plain import SUBJECT, VERSION_AT_LEAST, PlainFlag, PlainRule, PlainSet, Test

OPERATORS = {
    "==": "$eq",
    "in": "$in",
    ">": "$gt",
    ">=": "$gte",
    VERSION_AT_LEAST: "$vgte",
    "in_segment": "$inGroup",
}


def document(flags: PlainSet) -> str:
    return json.dumps({"features": {flag.key: _feature(flag) for flag in flags.flags}, "savedGroups": flags.segments})


def _feature(flag: PlainFlag) -> dict[str, Any]:
    return {"defaultValue": flag.default, "rules": [_rule(flag, rule) for rule in flag.rules]}


def _rule(flag: PlainFlag, rule: PlainRule) -> dict[str, Any]:
    made: dict[str, Any] = {"id": rule.id} if rule.test is None else {"id": rule.id, "condition": _condition(rule.test)}
    if rule.share not in {0, 100}:
        share = rule.share / 100
        return {
            **made,
            "key": flag.key,
            "variations": [True, False],
            "weights": [share, 1 - share],
            "hashAttribute": "id",
        }
    if rule.percent < 100:
        made |= {"coverage": rule.percent / 100, "hashAttribute": "id"}
    return {**made, "force": rule.value}


def _condition(test: Test) -> dict[str, Any]:
    attribute = "id" if test.attribute == SUBJECT else test.attribute
    if test.operator == "starts_with":
        return {attribute: {"$regex": f"^{re.escape(str(test.value))}"}}
    if test.operator == "ends_with":
        return {attribute: {"$regex": f"{re.escape(str(test.value))}$"}}
    return {attribute: {OPERATORS[test.operator]: test.value}}


def open_document(text: str) -> Asked:
    from growthbook import GrowthBook

    read = json.loads(text)
    first = GrowthBook(features=read["features"], saved_groups=read["savedGroups"])
    features = first.get_features()  # read once, shared by all

    def instance(context: dict[str, Any]) -> object:
        attributes = {name: value for name, value in context.items() if name != SUBJECT}
        return GrowthBook(
            attributes={"id": context[SUBJECT], **attributes}, features=features, saved_groups=read["savedGroups"]
        )

    return Asked(expression="context.is_on(key)", names={}, context=instance)


PEER = Peer(
    title="GrowthBook",
    package="growthbook",
    document=document,
    open=open_document,
    what="GrowthBook.is_on; one instance a subject, as its guide has it, made before the clock starts",
    notes={
        "W4": "Starting and ending texts are regular expressions; the split is an experiment.",
        "W7 different": "2,000 subjects, each an instance of its own.",
        "W8": "One call a flag.",
    },
    subjects=2000,
)
