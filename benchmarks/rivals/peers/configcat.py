"""ConfigCat's SDK, polling a server on the loopback interface once; the config is its CDN's JSON (version 6)."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.rivals.loopback import serve
from benchmarks.rivals.peer import Asked, Peer
from benchmarks.rivals.plain import SUBJECT, VERSION_AT_LEAST, PlainFlag, PlainRule, PlainSet, Test

IS_ONE_OF, SEMVER_AT_LEAST, GREATER, AT_LEAST, EQUALS, STARTS, ENDS = 0, 9, 14, 15, 28, 30, 32
COMPARATORS = {
    "==": (EQUALS, "s"),
    "in": (IS_ONE_OF, "l"),
    ">": (GREATER, "d"),
    ">=": (AT_LEAST, "d"),
    VERSION_AT_LEAST: (SEMVER_AT_LEAST, "s"),
    "starts_with": (STARTS, "l"),
    "ends_with": (ENDS, "l"),
}
ATTRIBUTES = {SUBJECT: "Identifier", "email": "Email", "country": "Country"}
HOUR = 3600


def document(flags: PlainSet) -> str:
    names = list(flags.segments)
    segments = [{"n": name, "r": [_condition(Test(SUBJECT, "in", values))]} for name, values in flags.segments.items()]
    settings = {flag.key: _setting(flag, names) for flag in flags.flags}
    return json.dumps({"p": {"s": "c2FsdA=="}, "s": segments, "f": settings})


def _setting(flag: PlainFlag, segments: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {"t": 0, "v": {"b": flag.default}}
    if any(rule.test is None for rule in flag.rules):
        (rule,) = flag.rules
        return {**made, "p": _options(rule.percent)}
    return {**made, "r": [_rule(rule, segments) for rule in flag.rules]}


def _rule(rule: PlainRule, segments: list[str]) -> dict[str, Any]:
    assert rule.test is not None
    if rule.test.operator == "in_segment":
        conditions = [{"s": {"s": segments.index(str(rule.test.value)), "c": 0}}]
    else:
        conditions = [{"u": _condition(rule.test)}]
    if rule.share in {0, 100}:
        return {"c": conditions, "s": {"v": {"b": rule.value}}}
    return {"c": conditions, "p": _options(rule.share)}


def _options(share: float) -> list[dict[str, Any]]:
    return [{"p": share, "v": {"b": True}}, {"p": 100 - share, "v": {"b": False}}]


def _condition(test: Test) -> dict[str, Any]:
    comparator, kind = COMPARATORS[test.operator]
    value = test.value
    if kind == "l" and not isinstance(value, list):
        value = [value]
    if kind == "s":
        value = str(value)
    return {"a": ATTRIBUTES.get(test.attribute, test.attribute), "c": comparator, kind: value}


def open_document(text: str) -> Asked:
    import configcatclient
    from configcatclient.configcatoptions import ConfigCatOptions
    from configcatclient.pollingmode import PollingMode
    from configcatclient.user import User

    configcatclient.ConfigCatClient.close_all()  # one client a key
    address, stop = serve(text.encode())
    options = ConfigCatOptions(base_url=address, polling_mode=PollingMode.auto_poll(poll_interval_seconds=HOUR))
    client = configcatclient.get(f"configcat-sdk-1/{'0' * 22}/{'0' * 22}", options)
    assert client.get_all_keys()

    def close() -> None:
        client.close()
        stop()

    def user(context: dict[str, Any]) -> object:
        custom = {name: str(value) if isinstance(value, bool) else value for name, value in context.items()}
        return User(custom.pop(SUBJECT), custom.pop("email", None), custom.pop("country", None), custom)

    return Asked(
        expression="get_value(key, False, context)",
        names={"get_value": client.get_value, "every": client.get_all_values},
        context=user,
        every="every(context)",
        close=close,
    )


PEER = Peer(
    title="ConfigCat",
    package="configcat-client",
    document=document,
    open=open_document,
    what="ConfigCatClient.get_value, polling; fed once by a server on the loopback interface",
    notes={"W4": "Booleans are texts."},
)
