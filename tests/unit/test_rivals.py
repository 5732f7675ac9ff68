"""The peers' adapters, table and chart, without any peer's package."""

from __future__ import annotations

import json
import re
from functools import cache
from xml.etree import ElementTree as ET

import pytest

from benchmarks.rivals.answers import assert_answers, assert_every, assert_share
from benchmarks.rivals.buckets import SCALE, bucket
from benchmarks.rivals.chart import drawn
from benchmarks.rivals.child import measured_workload
from benchmarks.rivals.peer import PEERS, Asked, Inexpressible, Peer, load_peer, requirements
from benchmarks.rivals.plain import SUBJECT, PlainRule, PlainSet, plain
from benchmarks.rivals.table import duration, rendered
from benchmarks.subjects import floors
from benchmarks.workloads import MAKERS, make
from benchmarks.workloads.base import document

BOOLEAN = {"type": "boolean", "default": "off"}


@cache
def flags_of(workload: str) -> PlainSet:
    """Return a workload's flags in plain words."""
    return plain(make(workload).flags)


def normal(name: str) -> str:
    """Return a distribution's name as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


# --- the registry -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PEERS)
def test_packages_are_pinned(name: str):
    """Every requirement of a peer names one exact version, and its own package is among them."""
    lines = [line for line in requirements(name).read_text().splitlines() if not line.startswith("#")]
    pins = dict(line.split("==") for line in lines)
    assert normal(load_peer(name).package) in map(normal, pins)
    assert "msgspec" in pins, "flagcore runs beside the peer"


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("workload", ["W1", "W2", "W3", "W4", "W5", "W8"])
def test_documents_are_json_and_name_every_flag(name: str, workload: str):
    """Without the peer's package, an adapter writes every flag of a workload down as JSON."""
    flags = flags_of(workload)
    text = load_peer(name).document(flags)
    json.loads(text)
    assert all(json.dumps(flag.key) in text for flag in flags.flags)


@pytest.mark.parametrize("name", PEERS)
def test_value_sets_are_kept(name: str):
    """The values of a set reach the peer's document, all of them."""
    members = [f"u-{i}" for i in range(50)]
    rule = {"id": "vip", "when": 'segment("vip")', "serve": "on"}
    segments = {"vip": {"attribute": SUBJECT, "values": members}}
    text = load_peer(name).document(plain(document({"f": {**BOOLEAN, "rules": [rule]}}, segments=segments)))
    assert all(re.search(rf"\b{member}\b", text) for member in members)


@pytest.mark.parametrize("name", PEERS)
def test_notes_name_workloads(name: str):
    """Deviations are told for workloads that exist."""
    assert set(load_peer(name).notes) <= set(MAKERS)


# --- plain words ------------------------------------------------------------------------------------------------------


def test_nothing_is_lost_in_plain_words():
    """Every rule of W4 keeps its attribute, operator and constant, and the last its split."""
    (flag,) = flags_of("W4").flags
    assert [rule.test.operator for rule in flag.rules if rule.test] == [
        *["==", "==", ">=", "version >=", "ends_with", "in", "==", ">", "starts_with", "=="]
    ]
    assert [rule.share for rule in flag.rules] == [0] * 9 + [99]


@pytest.mark.parametrize(
    "rule",
    [
        {"when": 'a == "x" and b == "y"', "serve": "on"},
        {"when": 'not (a == "x")', "serve": "on"},
        {"between": ["2026-01-01T00:00:00Z", None], "serve": "on"},
    ],
)
def test_what_has_no_plain_words_is_refused(rule: dict[str, object]):
    """A condition of more than one test, or a window, raises: no adapter can lose it silently."""
    with pytest.raises(AssertionError):
        plain(document({"f": {**BOOLEAN, "rules": [{"id": "r", **rule}]}}))


# --- answers ----------------------------------------------------------------------------------------------------------


def test_wrong_answers_are_no_figures():
    """An engine that always says yes fails where no is right, in every workload whose answers rules decide."""
    yes = Asked("True", {})
    for name in ("W5", "W7 one", "W2"):
        workload = make(name)
        contexts = [call.context for call in workload.calls]
        if all(call.expected for call in workload.calls):
            assert_answers(name, workload, yes, contexts)
        else:
            with pytest.raises(AssertionError):
                assert_answers(name, workload, yes, contexts)


@pytest.mark.parametrize("name", ["W3", "W4"])
def test_wrong_shares_are_no_figures(name: str):
    """An engine that serves everybody the same fails where a hash should decide."""
    workload = make(name)
    with pytest.raises(AssertionError):
        assert_answers(name, workload, Asked("True", {}), [call.context for call in workload.calls])


def test_a_share_may_miss_by_three_deviations():
    """2,500 of 10,000 are wanted: 130 more are still chance, 131 are not (the deviation is 43.3)."""
    assert_share("W3", 2629, 10_000, 0.25)
    with pytest.raises(AssertionError):
        assert_share("W3", 2630, 10_000, 0.25)


def test_missing_flags_are_no_figures():
    """All flags of W8 must be among the answers."""
    workload = make("W8")
    with pytest.raises(AssertionError):
        assert_every(workload, Asked("", {}), "{'flag-0000': True}", {})


def test_buckets_of_callers_are_even():
    """A quarter of the subjects lies in the first quarter, within three deviations, and never outside the scale."""
    buckets = [bucket("checkout.new", f"user-{i}") for i in range(10_000)]
    assert all(0 <= each < SCALE for each in buckets)
    assert_share("bucket", sum(each < SCALE / 4 for each in buckets), len(buckets), 0.25)


# --- measuring --------------------------------------------------------------------------------------------------------


def plain_peer(closed: list[str], *, wrong: bool = False) -> Peer:
    """Return a peer in plain Python that knows equalities and gates; ``wrong`` turns its answers round."""

    def open_document(text: str) -> Asked:
        flags = json.loads(text)

        def decide(key: str, context: dict[str, object]) -> bool:
            for attribute, value, percent in flags[key]["rules"]:
                inside = bucket(key, str(context[SUBJECT])) < percent * SCALE / 100
                if inside and context.get(attribute, value) == value:
                    return not wrong
            return bool(flags[key]["default"]) is not wrong

        return Asked("decide(key, context)", {"decide": decide}, close=lambda: closed.append(text))

    def rule_of(rule: PlainRule) -> tuple[object, ...]:
        return (rule.test.attribute, rule.test.value, 100) if rule.test else ("", None, rule.percent)

    def write(flags: PlainSet) -> str:
        if flags.segments:
            raise Inexpressible("no value sets")
        rules = {flag.key: [rule_of(rule) for rule in flag.rules] for flag in flags.flags}
        return json.dumps({flag.key: {"default": flag.default, "rules": rules[flag.key]} for flag in flags.flags})

    return Peer("Plain", "plain", write, open_document, "decide")


@pytest.mark.parametrize("workload", ["W2", "W3", "W8"])
def test_a_peer_is_measured_beside_ourselves(workload: str):
    """One evaluation after the other or all at once: the peer's row and ours are there, and the peer is closed."""
    closed: list[str] = []
    rows = measured_workload(plain_peer(closed), workload, floors()[:1], 1)
    ours = {"flagcore", "context object"} | ({"by hand"} if workload != "W8" else set())
    assert set(rows) == {"peer", "elsewhere"} | ours
    assert all(rows[who]["ns"] > 0 for who in ours)
    assert len(closed) == 1


def test_a_peer_that_is_wrong_is_not_measured():
    """Wrong answers stop the measurement, and the peer is closed all the same."""
    closed: list[str] = []
    with pytest.raises(AssertionError):
        measured_workload(plain_peer(closed, wrong=True), "W2", floors()[:1], 1)
    assert len(closed) == 1


def test_what_cannot_be_said_is_reported():
    """A workload without words in the peer gives the reason instead of figures."""
    assert measured_workload(plain_peer([]), "W7 one", floors()[:1], 1) == {"inexpressible": "no value sets"}


# --- table and chart --------------------------------------------------------------------------------------------------


def figure(ns: float) -> dict[str, float]:
    """Return one measured row."""
    return {"ns": ns, "ratio": ns / 15, "deviation": 0.1}


def report() -> dict[str, object]:
    """Return a record of two peers, one of which cannot express W4."""
    common = {"package": "p", "version": "1.2.3", "what": "call", "floor_ns": 15.0}
    slow = {"W1": {"peer": figure(9000), "elsewhere": 0.4}, "W4": {"inexpressible": "no versions"}}
    quick = {"W1": {"peer": figure(400), "elsewhere": 0}, "W4": {"peer": figure(2_000_000), "elsewhere": 0}}
    return {
        "date": "2026-01-01",
        "python": "3.11.7",
        "processor": "P",
        "rounds": 3,
        "load_average": 0.2,
        "floor_ns": 15.0,
        "peers": {
            "a": {**common, "title": "Slow <&>", "notes": {"W1": "a deviation"}, "workloads": slow},
            "b": {**common, "title": "Quick", "notes": {}, "workloads": quick},
        },
        "ours": {
            "flagcore": {"W1": figure(14), "W4": figure(130)},
            "context object": {"W1": figure(15), "W4": figure(60)},
            "by hand": {"W1": figure(25)},
        },
        "load": {
            "a": {"ms": {"1000": 12.5, "10000": None}, "bytes": None},
            "b": {"ms": {"1000": 1.5, "10000": 30.0}, "bytes": 1500},
            "flagcore": {"ms": {"1000": 1.0, "10000": 12.0}, "bytes": 1200},
        },
    }


def test_the_table_names_figures_versions_and_deviations():
    """The section holds every engine with its version and figures, the quickest peer first, and says what deviated."""
    text = rendered(report())
    assert text.index("| Quick 1.2.3 | 400 ns | 2.00 ms |") < text.index("| Slow <&> 1.2.3 | 9.00 µs |  |")
    assert "| **flagcore**, plain dict | 0.9 | 8.7 |" in text
    assert "*W1*: a deviation *W4*: cannot be expressed: no versions" in text
    assert "Other threads of the engine spend up to 40% more, not counted." in text
    assert "W1 28.6 / 26.7 (Quick), W4 15,385 / 33,333 (Quick)." in text
    assert "medians of 3 rounds; F = 15.0 ns; load average 0.2 at the start" in text
    assert "| Slow <&> | 12.5 ms | over 60 s |  |" in text


def test_the_chart_is_svg_with_a_bar_for_each_figure():
    """The drawing is well-formed, escapes titles, and has one bar for each figure that there is."""
    root = ET.fromstring(drawn(report()))
    bars = [node for node in root.iter("{http://www.w3.org/2000/svg}rect") if node.get("x")]
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert len(bars) == 8
    assert {"Slow <&>", "W1", "W4", "2.00 ms", "10 µs"} <= set(texts)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (9.994, "9.99 ns"),
        (15.3, "15.3 ns"),
        (999, "999 ns"),
        (1000, "1.00 µs"),
        (16_550_011, "16.6 ms"),
        (2e9, "2,000 ms"),
    ],
)
def test_durations_have_three_figures(ns: float, text: str):
    """A duration stands in the unit that leaves one to three figures before the point, up to milliseconds."""
    assert duration(ns) == text
