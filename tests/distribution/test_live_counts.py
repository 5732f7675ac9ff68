"""Counts of evaluations on their way back, over real sockets: what services evaluated stands in the publisher's file, once."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from flagcore.distribution.control import Bye, Count, Counts, encode_control
from flagcore.distribution.counting import Growth, is_counts, taken
from flagcore.distribution.keys import Keyring
from flagcore.telemetry.ledger import CountsLedger
from tests.support.live import Live, compiled, until


def told(path: Path) -> Counter[tuple[str, str]]:
    """Return (environment, flag) -> evaluations, as they stand in a file."""
    totals: Counter[tuple[str, str]] = Counter()
    for line in path.read_text().splitlines() if path.exists() else ():
        batch = json.loads(line)
        for row in batch["counts"]:
            totals[batch["environment"], row["flag"]] += row["evaluations"]
    return totals


def test_counts_arrive_when_a_client_ends(live: Live, tmp_path: Path) -> None:
    """What was not told yet is told at ``close``; the client's own counters are left alone."""
    publisher = live.publisher(counts=str(tmp_path / "counts.jsonl"))
    publisher.publish(compiled(a="on", b="off"))
    client = live.client(publisher.endpoint)
    for _ in range(7):
        client.get_boolean_value("a", False)
    client.get_boolean_value("b", False)
    assert sum(client.counters()["a"].values()) == 7
    client.close()
    until(lambda: told(tmp_path / "counts.jsonl"), "the counts")
    assert told(tmp_path / "counts.jsonl") == {("local", "a"): 7, ("local", "b"): 1}


def test_last_words_count_although_their_connection_is_gone(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A publisher that notices the end of connections before it reads what came by them takes it all the same, and goes on."""
    keys, key = Keyring.generate().with_environment("production").issue("production", "shop", 0)
    publisher = live.publisher(keyring=keys, counts=str(tmp_path / "counts.jsonl"))
    publisher.publish(compiled(a="on"))
    clients = [live.client(publisher.endpoint, sdk_key=key.text) for _ in range(4)]
    loop = publisher._loop
    turn = loop._turn
    monkeypatch.setattr(
        loop, "_turn", lambda timeout: (time.sleep(0.3), turn(timeout))
    )  # all has happened when it looks
    for client in clients:
        client.get_boolean_value("a", False)
        client.close()
    until(lambda: told(tmp_path / "counts.jsonl").total() == len(clients), "the counts")
    assert not caplog.records


def test_counts_arrive_as_windows_end(live: Live, tmp_path: Path) -> None:
    """At the end of a window the counts are sent and receipted; the next window holds what came after it."""
    path = tmp_path / "counts.jsonl"
    publisher = live.publisher(counts=str(path))
    publisher.publish(compiled(a="on"))
    client = live.client(publisher.endpoint)
    shipper = client._source._loop._machine._shipper
    for evaluations in (3, 5):
        before = told(path).total()
        for _ in range(evaluations):
            client.get_boolean_value("a", False)
        client._source._loop.do(lambda now: setattr(shipper, "_due", now) or ())
        until(lambda at=before + evaluations: told(path).total() == at, "the window")
        until(lambda: not shipper._waiting, "the receipt")


def test_growth_without_draining() -> None:
    """Growth is what came since the last question, whoever drains the counters, and not what there was at the start."""
    counters: dict[str, dict[tuple[str | None, str | None, str], int]] = {"a": {("on", None, "STATIC"): 5}}
    growth = Growth(lambda: {key: dict(outcomes) for key, outcomes in counters.items()})
    outcome = ("on", None, "STATIC")
    assert growth() == {}
    counters["a"][outcome] = 8
    counters["b"] = {outcome: 1}
    assert growth() == {"a": {outcome: 3}, "b": {outcome: 1}}
    assert growth() == {}
    counters["a"][outcome] = 2  # drained, and counted two since
    assert growth() == {"a": {outcome: 2}}


def test_what_servers_take() -> None:
    """A batch is handed on once and receipted each time; what is no batch is neither."""
    batches: list[object] = []
    ledger = CountsLedger()
    frame = encode_control(Counts(1, b"s" * 16, 0, 1, 0, (Count("a", "on", None, "STATIC", 2),)))
    for _ in range(2):
        assert taken(frame, ledger, lambda source, batch: batches.append(batch)) is not None
    assert len(batches) == 1
    for other in (encode_control(Bye()), frame[:-1], b"\x92\xa1N\x01", b""):
        assert taken(other, ledger, lambda source, batch: batches.append(batch)) is None
    assert (is_counts(frame), is_counts(b""), is_counts(encode_control(Bye()))) == (True, False, False)
    assert len(batches) == 1
