"""One peer, measured in its own environment: ``python -m benchmarks.rivals.child PEER [--rounds N] [--workloads W1 ...]`` prints JSON.

Beside the peer, in the same process and the same rounds: the floor, flagcore, and the decision written by hand.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from benchmarks.engines import client_for
from benchmarks.rivals.answers import assert_answers, assert_every
from benchmarks.rivals.peer import Asked, Inexpressible, Peer, load_peer, progress
from benchmarks.rivals.plain import plain
from benchmarks.subjects import EVALUATIONS, GET, calls, floors
from benchmarks.timing import Measured, Subject, measure
from benchmarks.workloads import MAKERS, Workload, make
from flagcore.client import Client

SAMPLE_SECONDS = 0.03  # of a slow peer's thread time


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one peer on the workloads and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals.child", description=__doc__)
    parser.add_argument("peer")
    parser.add_argument("--workloads", nargs="+", choices=MAKERS, default=list(MAKERS))
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args(arguments)
    logging.disable(logging.ERROR)  # peers warn that they are offline
    print(json.dumps(_report(options.peer, options.workloads, options.rounds)))
    return 0


def _report(name: str, workloads: Sequence[str], rounds: int) -> dict[str, Any]:
    peer, units = load_peer(name), floors()[:1]
    measured = {}
    for workload in workloads:
        progress(f"  {name} {workload}")
        measured[workload] = measured_workload(peer, workload, units, rounds)
    return {
        "title": peer.title,
        "package": peer.package,
        "version": importlib.metadata.version(peer.package),
        "what": peer.what,
        "notes": dict(peer.notes),
        "floor_ns": round(measure(units, units, rounds)[0].nanoseconds, 2),
        "workloads": measured,
    }


def measured_workload(peer: Peer, name: str, units: Sequence[Subject], rounds: int) -> dict[str, Any]:
    """Return the figures of the peer and of ourselves, or why there are none; the peer is closed afterwards.

    Raises:
        AssertionError: an answer is wrong.
    """
    workload = make(name)
    try:
        asked = peer.open(peer.document(plain(workload.flags)))
    except Inexpressible as reason:
        return {"inexpressible": str(reason)}
    try:
        subject = _peer(peer, asked, name, workload)
        results = measure([subject, *_ourselves(name, workload)], units, rounds)
        elsewhere = _elsewhere(subject)
    finally:
        asked.close()
    return {result.name: _row(result) for result in results} | {"elsewhere": elsewhere}


def _elsewhere(subject: Subject) -> float:
    """Return the CPU time that other threads spend while a sample runs, as a share of the caller's own: the least of five."""
    shares = []
    for _ in range(5):
        everywhere, here = time.process_time(), time.thread_time()
        subject.batch()
        own = time.thread_time() - here
        shares.append((time.process_time() - everywhere - own) / own)
    return round(max(min(shares), 0.0), 2)


def _row(result: Measured) -> dict[str, float]:
    return {
        "ns": round(result.nanoseconds, 1),
        "ratio": round(result.ratios[0], 2),
        "deviation": round(result.deviation, 2),
    }


# -- the peer


def _peer(peer: Peer, asked: Asked, name: str, workload: Workload) -> Subject:
    if name == "W8":
        return _bulk(asked, workload)
    asked_for = [call.context for call in workload.calls[: peer.subjects]]
    made = {id(context): asked.context(context) for context in _distinct(asked_for)}
    contexts = [made[id(context)] for context in asked_for]
    names = {**asked.names, "key": workload.key}
    evaluations = _affordable(partial(calls, "peer", asked.expression, names, contexts), len(contexts))
    assert_answers(name, workload, asked, contexts[:evaluations])
    return calls("peer", asked.expression, names, contexts, evaluations=evaluations)


def _bulk(asked: Asked, workload: Workload) -> Subject:
    """All flags: by the peer's one call for that, else one after the other."""
    keys = list(workload.flags["flags"])  # type: ignore[call-overload]
    context = asked.context(workload.calls[0].context)
    expression = asked.every or f"{{key: {asked.expression} for key in keys}}"
    names = {**asked.names, "keys": keys}
    assert_every(workload, asked, expression, {**names, "context": context})
    if asked.every is None:  # a comprehension sees no names but global ones
        names["every"] = eval(f"lambda context: {expression}", dict(names))
        expression = "every(context)"
    subject = partial(calls, "peer", expression, names, [context], each=len(keys))
    return subject(evaluations=_affordable(subject, len(keys)))


def _affordable(subject: Callable[..., Subject], least: int) -> int:
    """Return how many evaluations fit in a sample, at most as many as ours."""
    evaluations, seconds = 1, 0.0
    while seconds < SAMPLE_SECONDS / 5 and evaluations < EVALUATIONS:
        evaluations *= 4
        trial = subject(evaluations=evaluations)
        start = time.thread_time()
        trial.batch()
        seconds = time.thread_time() - start
    return max(1, min(int(SAMPLE_SECONDS / seconds * trial.count), max(EVALUATIONS, least)))


def _distinct(contexts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({id(context): context for context in contexts}.values())


# -- ourselves


def _ourselves(name: str, workload: Workload) -> list[Subject]:
    client = client_for(workload)
    contexts = [call.context for call in workload.calls]
    if name == "W8":
        return _our_bulk(client, contexts[0], workload)
    getter = client.get_boolean_value
    made = {id(context): client.context(context) for context in _distinct(contexts)}
    objects = [made[id(context)] for context in contexts]
    for call, context in zip(workload.calls, objects, strict=True):
        assert getter(workload.key, False, call.context) is getter(workload.key, False, context) is call.expected
    timed = [_ours("flagcore", getter, workload, contexts), _ours("context object", getter, workload, objects)]
    if workload.by_hand is not None:
        timed.append(_ours("by hand", workload.by_hand, workload, contexts))
    return timed


def _our_bulk(client: Client, context: dict[str, Any], workload: Workload) -> list[Subject]:
    names = {"all": client.evaluate_all, "dict": dict}
    given = {"flagcore": context, "context object": client.context(context)}
    size = len(workload.flags["flags"])  # type: ignore[arg-type]
    return [calls(who, "dict(all(context))", names, [each], each=size) for who, each in given.items()]


def _ours(who: str, get: Callable[..., object], workload: Workload, contexts: Sequence[object]) -> Subject:
    subject = partial(calls, who, GET, {"get": get, "key": workload.key}, contexts)
    return subject(evaluations=_affordable(subject, len(contexts)))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # no peer's threads or exit hooks delay or spoil the answer
