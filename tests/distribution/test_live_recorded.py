"""Real sockets through a proxy that does what networks do, recorded and judged by the validator of all histories."""

from __future__ import annotations

import time

import pytest

from tests.distribution.faults.proxy import Proxy
from tests.distribution.history import Answered, Applied, Ended, Healed, Recorder, in_order
from tests.distribution.recording import recorded_client, recorded_publisher
from tests.distribution.validator import breaks_of
from tests.support.live import Live, compiled, ports, until

CLIENTS = 3
WITHIN = 30.0  # seconds until all agree, on a machine that is busy with other tests


def test_real_connections_keep_what_was_promised(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resets, half-open connections, slices, a black hole and refusals under a stream of revisions: G1 to G9 and G15 hold."""
    recorder = Recorder()
    monkeypatch.setattr("flagcore.distribution.publisher.PublisherState", recorded_publisher(recorder))
    monkeypatch.setattr("flagcore.distribution.subscriber.ClientState", recorded_client(recorder))
    publisher = live.publisher()
    publisher.publish(compiled(a="on"))
    proxy = live.keep(Proxy(ports(publisher.endpoint)))
    clients = [live.client(proxy.endpoint) for _ in range(CLIENTS)]
    faults = [
        proxy.reset,
        lambda: setattr(proxy, "slice", 7),
        proxy.half_open,
        lambda: setattr(proxy, "slice", None),
        proxy.black_hole,
        lambda: proxy.black_hole(False),
        lambda: (proxy.refuse(), proxy.reset()),
        lambda: proxy.refuse(False),
    ]
    for number, fault in enumerate(faults):
        fault()
        for change in range(5):
            publisher.publish(compiled(a=("on", "off")[change % 2], b=("on", "off")[number % 2]))
            time.sleep(0.02)  # so that some arrive before the next fault
    publisher.publish(compiled(a="on", b="on", c="on"))
    recorder.add(Healed(time.monotonic(), WITHIN))
    until(lambda: all(client.get_boolean_value("c", False) for client in clients), "agreement")
    until(lambda: all(client.status == "READY" for client in clients), "READY")
    recorder.add(Ended(time.monotonic(), tuple(f"client {number}" for number in range(CLIENTS))))
    events = in_order(recorder.events)
    assert [str(found) for found in breaks_of(events)] == []
    assert sum(isinstance(event, Applied) for event in events) >= 2 * CLIENTS
    assert any(isinstance(event, Answered) and not event.whole for event in events)
