"""Counts on their way back: windows, batches, receipts, losses by choice."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.telemetry.counts import CountsBatch, CountsLimits, CountsShipper
from flagcore.telemetry.ledger import CountsLedger
from flagcore.telemetry.sink import JsonLinesSink
from tests.profiles import cases

Key = tuple[str, str | None, str | None, str]


class Counting:
    """An engine's counters, and what was ever counted."""

    def __init__(self) -> None:
        self.ever: Counter[Key] = Counter()
        self._now: Counter[Key] = Counter()

    def count(self, flag: str, times: int = 1, variant: str | None = "on", rule: str | None = None) -> None:
        self.ever[flag, variant, rule, "STATIC"] += times
        self._now[flag, variant, rule, "STATIC"] += times

    def drain(self) -> dict[str, dict[tuple[str | None, str | None, str], int]]:
        drained: dict[str, dict[tuple[str | None, str | None, str], int]] = {}
        for (flag, variant, rule, reason), n in self._now.items():
            drained.setdefault(flag, {})[variant, rule, reason] = n
        self._now.clear()
        return drained


def shipper(counting: Counting, **limits: float) -> CountsShipper:
    """Return a shipper that began at second 0, at wall-clock time 1,000."""
    return CountsShipper(counting.drain, 1_000, 0.0, msgspec.convert(limits, CountsLimits))


def told(batches: list[CountsBatch]) -> Counter[Key]:
    """Return what batches tell, added up."""
    total: Counter[Key] = Counter()
    for batch in batches:
        for *key, evaluations in batch.rows:
            total[tuple(key)] += evaluations  # type: ignore[index]
    return total


def test_a_window_ends_after_its_interval_and_names_its_times():
    """Before the interval is over nothing goes; then one batch tells all counts with start and end; receipts begin the next."""
    counting = Counting()
    counts = shipper(counting)
    counting.count("f", 3)
    assert counts.tick(9.9, 5_000) == []
    (batch,) = counts.tick(10.0, 6_000)
    assert batch == CountsBatch(1, 1_000, 6_000, 0, (("f", "on", None, "STATIC", 3),))
    counts.arrived(1, 10.1)
    assert counts.deadline == pytest.approx(20.1)
    counting.count("f")
    (batch,) = counts.tick(20.1, 9_000)
    assert (batch.batch, batch.start, batch.end) == (2, 6_000, 9_000)


def test_nothing_counted_is_nothing_sent():
    """An idle process sends no batches, and looks again after the next interval."""
    counts = shipper(Counting())
    assert counts.tick(10.0, 2_000) == []
    assert counts.deadline == 20.0


def test_without_a_receipt_the_same_batch_goes_again_and_no_other():
    """Until it has arrived a batch is repeated under its number, later counts stay where they are counted."""
    counting = Counting()
    counts = shipper(counting)
    counting.count("f")
    first = counts.tick(10.0, 2_000)
    counting.count("f", 5)
    assert counts.tick(20.0, 3_000) == []
    assert counts.tick(40.0, 4_000) == first
    counts.connected(41.0)
    assert counts.tick(41.0, 5_000) == first
    counts.arrived(99, 41.0)
    counts.arrived(1, 42.0)
    (second,) = counts.tick(52.0, 6_000)
    assert (second.batch, second.rows[0][4]) == (2, 5)


def test_batches_stay_below_the_size_that_servers_take():
    """Long keys that are no ASCII are counted by their bytes: no encoded batch exceeds the limit, none is lost."""
    counting = Counting()
    for n in range(300):
        counting.count(f"{n}-" + "\U0001f600" * 50, n + 1, rule="r" * 60)
    batches = shipper(counting, batch_bytes=4096).tick(10.0, 2_000)
    assert len(batches) > 1
    assert all(len(msgspec.msgpack.encode(batch)) <= 4096 + 64 for batch in batches)
    assert told(batches) == counting.ever
    assert [batch.batch for batch in batches] == list(range(1, len(batches) + 1))


def test_too_much_for_a_window_drops_the_smallest_counts_and_says_how_many():
    """What finds no room in the window's batches is dropped, counted once, and told with the first batch."""
    counting = Counting()
    for n in range(100):
        counting.count(f"flag-{n:03}", n + 1)
    counts = shipper(counting, batch_bytes=400, batches=2)
    batches = counts.tick(10.0, 2_000)
    known = sum(told(batches).values())
    assert len(batches) == 2
    assert counts.dropped == batches[0].dropped == sum(counting.ever.values()) - known > 0
    assert batches[1].dropped == 0
    assert told(batches) == Counter(dict(counting.ever.most_common(len(told(batches)))))


def test_losses_are_told_even_where_nothing_fits():
    """A row larger than a whole batch is lost, and the loss is told by an empty batch."""
    counting = Counting()
    counting.count("x" * 500, 7)
    (batch,) = shipper(counting, batch_bytes=100).tick(10.0, 2_000)
    assert (batch.rows, batch.dropped) == ((), 7)


def test_what_the_engine_could_not_count_is_told_as_lost():
    """Evaluations that no counter tells are among the losses of the next batch, once; those from before the start are not."""
    counting, lost = Counting(), [5]
    counts = CountsShipper(counting.drain, 1_000, 0.0, lost=lambda: lost[0])
    counting.count("f")
    lost[0] = 8
    (batch,) = counts.tick(10.0, 2_000)
    assert (batch.dropped, counts.dropped) == (3, 3)
    counts.arrived(1, 10.0)
    assert counts.tick(20.0, 3_000) == []


def test_last_words_are_everything_without_a_receipt():
    """A process that ends hands over what waits and what was counted since."""
    counting = Counting()
    counts = shipper(counting)
    counting.count("f", 2)
    counts.tick(10.0, 2_000)
    counting.count("g", 3)
    assert told(counts.last_words(3_000)) == counting.ever
    assert counts.last_words(3_000) == []


def test_a_clock_that_went_back_makes_no_negative_window():
    """The end of a window is never before its start."""
    counting = Counting()
    counts = shipper(counting)
    counting.count("f")
    (batch,) = counts.tick(10.0, 500)
    assert (batch.start, batch.end) == (1_000, 1_000)


@settings(max_examples=cases(100))
@given(st.data())
def test_whatever_the_network_does_nothing_is_counted_twice_and_nothing_is_lost_unsaid(data: st.DataObject):
    """Batches that are lost, repeated, and receipts that are lost: what is taken, and what was said to be dropped, is what was counted."""
    counting, ledger = Counting(), CountsLedger()
    counts = shipper(counting, interval=1.0, resend=2.0, batch_bytes=120, batches=2)
    taken: Counter[Key] = Counter()
    dropped, now = 0, 0.0
    for step in range(data.draw(st.integers(1, 30))):
        quiet = step > 20
        for _ in range(data.draw(st.integers(0, 3))):
            counting.count(data.draw(st.sampled_from("abcdefgh")), data.draw(st.integers(1, 9)))
        now += data.draw(st.floats(0.1, 3.0))
        for batch in counts.tick(now, int(now * 1e6)):
            for _ in range(1 if quiet else data.draw(st.integers(0, 2))):
                if ledger.take(b"source", batch.batch):
                    taken += told([batch])
                    dropped += batch.dropped
                if quiet or data.draw(st.booleans()):
                    counts.arrived(batch.batch, now)
    for batch in counts.last_words(int(now * 1e6)):
        if ledger.take(b"source", batch.batch):
            taken += told([batch])
            dropped += batch.dropped
    assert all(taken[key] <= counting.ever[key] for key in taken)
    assert sum(taken.values()) + dropped == sum(counting.ever.values())
    assert dropped == counts.dropped


def test_the_ledger_takes_each_batch_once_in_any_order():
    """Repeated batches are told from new ones, also from those that come after later ones; a source may begin anywhere."""
    ledger = CountsLedger()
    assert [ledger.take(b"a", n) for n in (5, 7, 5, 6, 7, 4, 6, 8)] == [
        True,
        True,
        False,
        True,
        False,
        True,
        False,
        True,
    ]
    assert [ledger.take(b"b", n) for n in (2, 1, 1, 2, 3)] == [True, True, False, False, True]
    assert ledger.duplicates == 5


def test_the_ledger_is_bounded():
    """Sources beyond the limit push out the one heard of longest ago; gaps are not kept for ever."""
    ledger = CountsLedger(sources=2, ahead=3)
    for source in (b"a", b"b", b"a", b"c"):
        ledger.take(source, 1)
    assert len(ledger) == 2
    assert not ledger.take(b"a", 1)
    assert ledger.take(b"a", 9)
    assert not ledger.take(b"a", 5)  # too late to be told from a repetition
    assert ledger.take(b"a", 7)


def test_json_lines_hold_every_batch(tmp_path: Path):
    """Each batch becomes one line with named fields; closing writes what is queued; a second sink appends."""
    path = tmp_path / "counts.jsonl"
    for n in (1, 2):
        sink = JsonLinesSink(str(path))
        sink.take("production", b"\x01\xff", CountsBatch(n, 10, 20, 3, (("f", None, "r", "ERROR", n),)))
        sink.close()
        sink.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    row = {"flag": "f", "variant": None, "rule": "r", "reason": "ERROR", "evaluations": 2}
    assert [line["batch"] for line in lines] == [1, 2]
    assert lines[1] == {
        "environment": "production", "source": "01ff", "batch": 2, "start": 10, "end": 20, "dropped": 3, "counts": [row],
    }  # fmt: skip


def test_a_disk_that_refuses_costs_counts_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """Where the file cannot be written batches are dropped and counted, with one warning; once it can, they are written."""
    folder = tmp_path / "later"
    sink = JsonLinesSink(str(folder / "counts.jsonl"))
    batch = CountsBatch(1, 1, 2, 0, ())
    for _ in range(3):
        sink.take("e", b"s", batch)
    sink._queue.join()
    assert sink.dropped == 3
    folder.mkdir()
    sink.take("e", b"s", batch)
    sink.close()
    assert len((folder / "counts.jsonl").read_text().splitlines()) == 1
    assert len(caplog.records) == 1


def test_a_full_disk_leaves_whole_lines(caplog: pytest.LogCaptureFixture):
    """A device without room refuses each line."""
    sink = JsonLinesSink("/dev/full")
    sink.take("e", b"s", CountsBatch(1, 1, 2, 0, ()))
    sink.close()
    assert sink.dropped == 1
    assert "dropped" in caplog.text


def test_a_queue_that_is_full_drops_without_waiting(tmp_path: Path):
    """With the writer away, batches beyond the bound are dropped at once."""
    sink = JsonLinesSink(str(tmp_path / "counts.jsonl"), queued=2)
    sink.close()  # ends the writer
    for _ in range(5):
        sink.take("e", b"s", CountsBatch(1, 1, 2, 0, ()))
    assert sink.dropped == 3
