"""The report of ``benchmarks.bench_distribution`` for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["section"]

Report = Mapping[str, Any]
NAMES = {"raw": "raw ZeroMQ, CURVE, Ed25519 (the floor)", "flagcore": "flagcore", "nats_kv": "NATS JetStream KV"}


def section(report: Report) -> str:
    """Return the report as it stands in docs/performance.md."""
    head = f"CPython {report['python']}, {report['processor']}, {report['date']}, load average {report['load_average']:.1f}."
    return "\n".join((head, "", *_latency(report["latency"]), "", *_others(report)))


def _latency(rows: list[Report]) -> Iterator[str]:
    yield "| clients | | p50, us | p99, us | p50 : floor (goal 1.3) | p99 : floor (goal 1.5) |"
    yield "|---:|---|---:|---:|---:|---:|"
    for row in rows:
        floor = row["raw"]
        for name, label in NAMES.items():
            found = row[name]
            ratios = (f"{found[part] / floor[part]:.2f}" for part in ("p50", "p99"))
            yield f"| {row['clients']} | {label} | {found['p50']:.0f} | {found['p99']:.0f} | {' | '.join(ratios)} |"


def _others(report: Report) -> Iterator[str]:
    gaps, repair, starting, resting = (report[name] for name in ("gaps", "repair", "starting", "resting"))
    busy, idle = gaps["applying"], gaps["idle"]
    yield "| what | figure | goal |"
    yield "|---|---:|---:|"
    yield (
        f"| gaps between evaluations while 10,000 changed flags are applied, {gaps['revisions']} times: p99.99 "
        f"(with nothing to apply: {idle['p9999_us']} us) | {busy['p9999_us']} us | 50 us |"
    )
    yield f"| the largest of them (with nothing to apply: {idle['largest_us']} us) | {busy['largest_us']} us | 1,000 us |"
    yield f"| a lost last change repaired, p50 / p99 | {repair['p50'] / 1000:.0f} / {repair['p99'] / 1000:.0f} ms | 100 ms / 1.2 s |"
    yield (
        f"| {starting['flags']:,} flags from last known good to the first answer, no network, least / median "
        f"| {starting['least_ms']} / {starting['median_ms']} ms | 15 ms |"
    )
    yield f"| memory of an idle client at the publisher | {resting['publisher_kb']} kB | 48 kB |"
    yield f"| memory of an idle client of 100 flags in its own process | {resting['client_kb']} kB | |"
