"""The command that measures loads, threads and swaps, with few flags and evaluations: what it checks, and what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import loading, service, swaps, threads

FEW = 40


def test_loads_are_measured_in_every_way(tmp_path: Path) -> None:
    """Each way of opening answers rightly in its own process, and says time and bytes; what has been asked for weighs more."""
    rows = list(loading.measured(tmp_path, [FEW]))
    assert [row["way"] for row in rows] == list(loading.WAYS)
    for row in rows:
        assert row["flags"] == FEW
        assert row["cpu_ms"] > 0
        assert row["bytes_asked"] > row["bytes_loaded"]
    bare, explained = (row["content_bytes"] for row in rows[1:3])
    assert explained > bare > 200


def test_threads_and_swaps_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads get right answers while revisions are swapped; an edit recompiles and changes one flag only."""
    monkeypatch.setattr(threads, "EVALUATIONS", 4_000)
    rows = list(threads.measured(1))
    assert [(row["name"], row["threads"]) for row in rows[:3]] == [("W2", 1), ("W2", 2), ("W2", 4)]
    assert [bool(row["swaps_a_second"]) for row in rows] == 2 * [False, False, False, True, True, True]
    monkeypatch.setattr(swaps, "FLAGS", FEW)
    row = swaps.measured(2)
    assert row["flags"] == FEW
    assert 0 < row["swap_ms"] <= row["both_ms"] <= row["median_ms"]
    assert row["patch_ms"] > 0


def test_the_report_is_a_section_of_a_page() -> None:
    """Every figure that a reader needs stands in the page, with its goal; parts that were not measured are left out."""
    load = {"flags": 10_000, "way": "snapshot bytes", "cpu_ms": 5.25, "peak_mb": 40.0, "content_bytes": 293.3}
    report = {
        "python": "3.11.7",
        "processor": "a processor",
        "date": "2026-01-31",
        "load_average": 0.25,
        "W9": [{**load, "wall_ms": 6.0, "bytes_loaded": 92.6, "bytes_asked": 424.4}],
        "W10": [{"name": "W2", "threads": 4, "swaps_a_second": 0, "ns": 30.0, "cpu_ratio": 1.01, "rate_ratio": 0.98}],
    }
    text = service.section(report)
    assert "| snapshot bytes | 10,000 | 5.2 | 40 MB | 293 | 93 | 424 |" in text
    assert "| W2 | 4 | none | 30 | 1.01 | 0.98 |" in text
    assert "W13" not in text
    swap = {"flags": 10_000, "recompile_ms": 1.5, "swap_ms": 0.25, "patch_ms": 0.125, "both_ms": 1.75, "median_ms": 2.0}
    assert "recompiled in 1.50 ms, swapped to the first answer in 0.25 ms" in service.section({**report, "W13": swap})
    assert "Given the change alone, an engine answers after 0.12 ms." in service.section({**report, "W13": swap})
