"""flagd's in-process resolver for Python, reading a flag file; targeting is JsonLogic."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.rivals.peer import Asked, Peer
from benchmarks.rivals.plain import SUBJECT, VERSION_AT_LEAST, PlainFlag, PlainRule, PlainSet, Test

VARIANTS = {"on": True, "off": False}
NAMES = {True: "on", False: "off"}


def document(flags: PlainSet) -> str:
    return json.dumps({"flags": {flag.key: _flag(flag, flags.segments) for flag in flags.flags}})


def _flag(flag: PlainFlag, sets: dict[str, list[str]]) -> dict[str, Any]:
    made: dict[str, Any] = {"state": "ENABLED", "variants": VARIANTS, "defaultVariant": NAMES[flag.default]}
    if flag.rules == ():
        return made
    if flag.rules[0].test is None:
        (rule,) = flag.rules
        return {**made, "targeting": _served(rule)}
    branches = [part for rule in flag.rules for part in (_condition(rule.test, sets), _served(rule))]  # type: ignore[arg-type]
    return {**made, "targeting": {"if": [*branches, NAMES[flag.default]]}}


def _served(rule: PlainRule) -> Any:
    share = rule.percent * rule.share / 100
    if share in {0, 100}:
        return NAMES[share == 100]
    return {"fractional": [["on", round(share)], ["off", 100 - round(share)]]}


def _condition(test: Test, sets: dict[str, list[str]]) -> dict[str, Any]:
    value = sets[str(test.value)] if test.operator == "in_segment" else test.value
    if test.operator == VERSION_AT_LEAST:
        return {"sem_ver": [{"var": test.attribute}, ">=", value]}
    operator = {"in_segment": "in"}.get(test.operator, test.operator)
    return {operator: [{"var": test.attribute}, value]}


def open_document(text: str) -> Asked:
    from openfeature.contrib.provider.flagd import FlagdProvider
    from openfeature.contrib.provider.flagd.config import ResolverType
    from openfeature.evaluation_context import EvaluationContext

    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "flags.json"
    path.write_text(text)
    provider = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(path))
    provider.initialize(EvaluationContext())

    def context(plain: dict[str, Any]) -> object:
        return EvaluationContext(plain[SUBJECT], {name: value for name, value in plain.items() if name != SUBJECT})

    def close() -> None:
        provider.shutdown()
        folder.cleanup()

    return Asked(
        expression="resolve(key, False, context).value",
        names={"resolve": provider.resolve_boolean_details},
        context=context,
        close=close,
    )


PEER = Peer(
    title="flagd",
    package="openfeature-provider-flagd",
    document=document,
    open=open_document,
    what="FlagdProvider.resolve_boolean_details (in-process, file), without the OpenFeature client above it",
    notes={
        "W7 one": "The list stands in the rule itself: JsonLogic has no sets.",
        "W7 different": "As W7 one.",
        "W8": "One call a flag.",
    },
)
