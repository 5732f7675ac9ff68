"""The machines against a world in which everything goes wrong; what they did is judged by the offline validator.

One example is a world with two publishers beside one record, relays two deep, and four clients. Hypothesis chooses what
happens; then all faults end, and everybody must come to agree. ``make test`` runs 20,000 steps, the nightly run a million.
"""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from flagcore.distribution.position import NOWHERE, Position
from flagcore.snapshot.objects import Snapshot
from tests.distribution import history
from tests.distribution.validator import breaks_of
from tests.distribution.virtual import (
    DEAD_SECONDS,
    LATENCY,
    MOST_DELAY,
    POLL_SECONDS,
    ClientProcess,
    Faults,
    PublisherProcess,
    RelayProcess,
    ServerProcess,
    World,
)
from tests.profiles import NIGHTLY

STEPS = 50  # of an example
EXAMPLES = 460  # of a shard; Hypothesis takes about 47 steps where it may take 50
STEPS_OF_SHARD = 20_000  # at least
SHARDS = 50 if NIGHTLY else 1  # in the nightly run a million steps; more examples at once would cost gigabytes
WITHIN = (
    60.0  # seconds of the world until all agree: the longest backoffs of a client and two relays above it, and more
)

# client -> where it may connect to
ENDPOINTS = {"c0": ["A"], "c1": ["A", "B"], "c2": ["R", "B"], "c3": ["Q"]}
UPSTREAM = {"R": ["A", "B"], "Q": ["R"]}
# 3 s without a bookmark, and per hop (three of them) a delay that a fault adds; what a relay resends is 3 s old at most
READY_WITHIN = 3.0 + 3 * (MOST_DELAY + LATENCY) + POLL_SECONDS + 3 * 3.0

client_names = st.sampled_from(sorted(ENDPOINTS))
server_names = st.sampled_from(["A", "B", "R", "Q"])
keys = st.sampled_from(["a", "b", "c"])
levels = st.sampled_from([0.0, 0.05, 0.3])


class Distribution(RuleBasedStateMachine):
    """What may happen to a fleet."""

    steps = 0  # of all examples

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None

    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        """Everything comes up."""
        world = self.world = World(seed)
        world.record(history.Bounds(world.now, READY_WITHIN))
        world.servers["A"] = PublisherProcess(world, "A", listens=True)
        world.servers["B"] = PublisherProcess(world, "B", listens=False)
        for name, upstream in UPSTREAM.items():
            world.servers[name] = RelayProcess(world, name, upstream)
        for name, endpoints in ENDPOINTS.items():
            world.clients[name] = ClientProcess(world, name, endpoints)
            world.clients[name].start()
        world.advance(0.5)

    # -- the record -------------------------------------------------------------------------------------------------

    @rule(key=keys, content=st.integers(0, 9), urgent=st.booleans(), wait=st.booleans())
    def commit(self, key: str, content: int, urgent: bool, wait: bool) -> None:
        """A small transaction of two objects."""
        programs = {**self._programs(), key: b"%d" % content, "both": b"%s%d" % (key.encode(), content)}
        self.world.commit(programs, urgent, wait)

    @rule(count=st.integers(2, 30))
    def burst(self, count: int) -> None:
        """More transactions than the ring holds, perhaps."""
        for number in range(count):
            self.world.commit({**self._programs(), "burst": b"%d" % number})
            self.world.advance(0.001)

    @rule(content=st.integers(0, 9))
    def commit_large(self, content: int) -> None:
        """A transaction that is announced by a notice."""
        self.world.commit({**self._programs(), "large": b"%d" % content * 3_000})

    @rule(key=keys)
    def delete(self, key: str) -> None:
        """An object goes."""
        self.world.commit({name: held for name, held in self._programs().items() if name != key})

    @rule(content=st.integers(0, 9))
    def raise_epoch(self, content: int) -> None:
        """Another history begins."""
        self.world.raise_epoch({"a": b"%d" % content})

    # -- time -------------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.001, 0.02, 0.06, 0.3]))
    def wait_little(self, seconds: float) -> None:
        """Time passes."""
        self.world.advance(seconds)
        self._look()

    @rule(seconds=st.sampled_from([1.2, 3.5, 8.0]))
    def wait_long(self, seconds: float) -> None:
        """Time passes, enough for what waits for it."""
        self.world.advance(seconds)
        self._look()

    # -- the network ------------------------------------------------------------------------------------------------

    @rule(client=client_names, drop=levels, duplicate=levels, delay=levels, reorder=levels, corrupt=levels)
    def disturb(self, client: str, drop: float, duplicate: float, delay: float, reorder: float, corrupt: float) -> None:
        """The ways of a client become bad, or good."""
        for server in ENDPOINTS[client]:
            self.world.faults[client, server] = Faults(drop, duplicate, delay, reorder, corrupt)

    @rule(relay=st.sampled_from(sorted(UPSTREAM)), drop=levels, duplicate=levels, reorder=levels, corrupt=levels)
    def disturb_relay(self, relay: str, drop: float, duplicate: float, reorder: float, corrupt: float) -> None:
        """The ways of a relay become bad, or good."""
        for server in UPSTREAM[relay]:
            self.world.faults[f"{relay}.up", server] = Faults(drop, duplicate, 0.0, reorder, corrupt)

    @rule(client=st.sampled_from([*sorted(ENDPOINTS), "R.up", "Q.up"]), server=server_names, cut=st.booleans())
    def partition(self, client: str, server: str, cut: bool) -> None:
        """A way is cut, or mended; heartbeats notice after a while."""
        self.world.faults.setdefault((client, server), Faults()).cut = cut
        connection = self._client(client).connection
        if cut and connection is not None and connection.server.name == server:
            self.world.at(self.world.now + DEAD_SECONDS, lambda: self._end_cut(client, server))

    @rule(client=client_names)
    def reset(self, client: str) -> None:
        """A connection is reset."""
        connection = self._client(client).connection
        if connection is not None:
            self.world.cut_off(connection, at_once=True)

    # -- processes --------------------------------------------------------------------------------------------------

    @rule(server=server_names)
    def stop_server(self, server: str) -> None:
        """A server dies."""
        if self._server(server).up:
            self._server(server).stop()

    @rule(server=server_names)
    def start_server(self, server: str) -> None:
        """A server comes up, or is restarted."""
        process = self._server(server)
        if process.up:
            process.stop()
        process.start()

    @rule(name=st.sampled_from(["A", "B", "R", "Q", "c0", "c1", "c2", "c3"]), seconds=st.sampled_from([0.5, 4.0, 12.0]))
    def freeze(self, name: str, seconds: float) -> None:
        """A process stands still for a while; what comes meanwhile waits for it."""
        process = self.world.servers.get(name) or self.world.clients[name]
        process.frozen_until = self.world.now + seconds

    @rule(
        client=client_names,
        file=st.sampled_from(["none", "newest", "old", "below the floor", "wrong"]),
        leave=st.booleans(),
    )
    def restart_client(self, client: str, file: str, leave: bool) -> None:
        """A client comes up anew with some file, or none."""
        process = self._client(client)
        process.stop(leave)
        restored, floor = self._file(process, file)
        process.start(restored, floor)

    @rule(client=client_names, refuse=st.booleans())
    def fail_to_apply(self, client: str, refuse: bool) -> None:
        """The engine of a client will refuse a revision, or an object of it."""
        process = self._client(client)
        if refuse:
            process.refuse_next = True
        else:
            process.fail_next = True

    @invariant()
    def count(self) -> None:
        """Count the steps."""
        Distribution.steps += 1

    # -- judging ----------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """All faults end; everybody agrees, and nothing that was promised was broken."""
        if self.world is None:
            return
        for process in self.world.clients.values():
            process.refuse_next = process.fail_next = False
        self.world.heal(WITHIN)
        broken = [str(found) for found in breaks_of(self.world.recorder.events)]
        assert not broken, "\n".join(broken[:5])

    def _programs(self) -> dict[str, bytes]:
        assert self.world is not None
        return self.world.commits[-1].after.programs

    def _client(self, name: str) -> ClientProcess:
        assert self.world is not None
        relay = self.world.servers.get(name.removesuffix(".up"))
        return relay.upstream if isinstance(relay, RelayProcess) else self.world.clients[name]

    def _server(self, name: str) -> ServerProcess:
        assert self.world is not None
        return self.world.servers[name]

    def _end_cut(self, client: str, server: str) -> None:
        """Heartbeats notice a way that is cut still."""
        connection = self._client(client).connection
        if (
            connection is not None
            and connection.server.name == server
            and self.world.way(self._client(client), self._server(server)).cut
        ):
            self.world.cut_off(connection, at_once=True)

    def _look(self) -> None:
        for process in self.world.clients.values():
            if process.frozen_until <= self.world.now:
                process.look()

    def _file(self, process: ClientProcess, file: str) -> tuple[Snapshot | None, Position]:
        """Return what a client finds on its disk, and the floor that is pinned there."""
        if file == "none" or not process.files:
            return None, NOWHERE
        newest = process.files[-1]
        if file == "newest":
            return newest, Position(newest.epoch, newest.revision)
        if file == "below the floor":
            return process.files[0], Position(newest.epoch, newest.revision)
        if file == "old":
            return process.files[0], NOWHERE
        return Snapshot(newest.epoch, newest.revision, {"wrong": b"!"}), NOWHERE


@pytest.mark.parametrize("shard", range(SHARDS))
def test_nothing_that_was_promised_is_broken(shard: int):
    """G1 to G9, G15 and G16 hold whatever happens, and everybody agrees when the faults have ended."""
    before = Distribution.steps
    bounds = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Distribution, settings=bounds)
    assert Distribution.steps - before >= STEPS_OF_SHARD
