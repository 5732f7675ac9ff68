"""What users of other systems complained of, each as one test (docs/design/wire.md section 1); those of the machines."""

from __future__ import annotations

from flagcore.distribution.wire import Kind
from flagcore.terms import ProviderStatus
from tests.distribution.test_client_state import Served
from tests.distribution.validator import breaks_of
from tests.distribution.virtual import ClientProcess, Faults, PublisherProcess, World


def world_with(clients: int = 1, endpoints: tuple[str, ...] = ("A",)) -> World:
    """Return a world in which so many clients of the publishers are up, and LIVE."""
    world = World(seed=clients)
    for name in endpoints:
        world.servers[name] = PublisherProcess(world, name, listens=True)
    for number in range(clients):
        world.clients[f"c{number}"] = client = ClientProcess(world, f"c{number}", list(endpoints))
        client.start()
    world.advance(3.0)
    assert world.agreed()
    return world


def test_state_is_not_wiped_by_an_update_that_cannot_be_decoded():
    """A delta that is signed but cannot be read changes nothing; what was served is served on, and the next state is fetched whole."""
    client = Served()
    client.go_live()
    before = client.machine.snapshot
    assert client.sub(client.server.broken_delta()) == []
    assert client.machine.snapshot is before
    assert client.machine.status(client.now) is ProviderStatus.READY
    assert client.machine.counters["undecodable"] == 1
    client.sync()
    assert client.machine.position == client.server.machine.position


def test_not_stale_for_ever_after_a_reconnect():
    """After a connection was lost and made again, what was missed is fetched and the status is READY."""
    world = world_with()
    client = world.clients["c0"]
    for _ in range(5):
        world.cut_off(client.connection, at_once=True)
        world.commit({"a": b"%d" % world.commits[-1].after.revision})
        world.advance(3.0)
        assert client.machine.status(world.now) is ProviderStatus.READY
        assert client.served == world.commits[-1].after
    assert not list(breaks_of(world.recorder.events))


def test_not_stale_for_ever_when_only_the_bookmarks_were_lost():
    """A silence makes STALE; the first answer after it makes READY again."""
    world = world_with()
    client = world.clients["c0"]
    world.faults["c0", "A"] = Faults(cut=True)
    world.advance(5.0)
    assert client.machine.status(world.now) is ProviderStatus.STALE
    world.faults.clear()
    world.advance(15.0)
    assert client.machine.status(world.now) is ProviderStatus.READY


def test_no_retry_storm():
    """Clients of a server that is down ask ever more rarely, and not together: full jitter up to 10 s."""
    world = world_with(clients=200)
    attempts: list[float] = []
    connect = world.connect
    world.connect = lambda client, endpoint, attempt: (attempts.append(world.now), connect(client, endpoint, attempt))[
        1
    ]
    down = world.now
    world.servers["A"].stop()
    world.advance(120.0)
    late = [at for at in attempts if at > down + 60.0]
    assert len(late) <= 200 * 60 / 5 * 1.3  # each waits 5 s on average by then
    busiest = max(sum(at <= other < at + 0.1 for other in late) for at in late)
    assert busiest <= 20  # of 200, in a tenth of a second
    world.servers["A"].start()
    world.advance(15.0)
    assert world.agreed()


def test_not_ready_when_the_stream_died():
    """READY ends 3 s after the last bookmark, whatever else the connection carries."""
    world = world_with()
    client = world.clients["c0"]
    deliver = client.receive
    client.receive = lambda connection, frames, sub: (
        None if sub else deliver(connection, frames, sub)
    )  # SUB is dead, DEALER is not
    world.advance(2.0)
    assert client.machine.status(world.now) is ProviderStatus.READY
    world.advance(1.1)
    assert client.machine.status(world.now) is ProviderStatus.STALE


def test_cached_flags_and_no_error_after_failed_attempts():
    """However often connecting fails, what was served is served on: STALE, never an error and never nothing."""
    world = world_with()
    client = world.clients["c0"]
    served = client.served
    world.servers["A"].stop()
    statuses = set()
    for _ in range(60):
        world.advance(0.5)
        statuses.add(client.machine.status(world.now))
        assert client.served is served
    assert statuses == {ProviderStatus.READY, ProviderStatus.STALE}
    client.perform(client.machine.refused(world.now))  # nor does a key that was revoked take the flags away
    assert client.machine.status(world.now) is ProviderStatus.STALE
    assert client.served is served


def test_a_lost_last_update_is_found_soon():
    """The last delta is lost: it is there within 100 ms, thanks to a bookmark; within 1.2 s where HELLO was said just before."""
    world = world_with()
    client = world.clients["c0"]
    world.advance(2.0)
    for wait, within in ((2.0, 0.1), (0.0, 1.2)):
        deliver = client.receive
        client.receive = lambda connection, frames, sub, deliver=deliver: (
            None if frames[0][-1:] == Kind.DELTA.value.encode() and sub else deliver(connection, frames, sub)
        )
        world.commit({"a": b"%f" % wait, "b": b"1"})
        world.advance(0.01)
        client.receive = deliver
        world.advance(within - 0.01)
        assert client.served == world.commits[-1].after
        world.advance(wait)


def test_a_client_that_is_created_holds_nothing():
    """The machine opens nothing and starts nothing when it is made: a constructor that fails has nothing to leak."""
    client = Served()
    assert client.machine.deadline is None
    assert client.machine.status(0.0) is ProviderStatus.NOT_READY
