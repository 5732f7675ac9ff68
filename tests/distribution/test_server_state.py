"""The server's machine, step by step: ring, bookmarks, answers, limits, receipts, and what a relay forwards."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.distribution.actions import Action, Broadcast, Done, Refresh, Reply
from flagcore.distribution.bookmark_times import BookmarkTimes
from flagcore.distribution.control import (
    Ack,
    Begin,
    Bye,
    Credit,
    Current,
    Hello,
    Ping,
    Retry,
    decode_answer,
    encode_control,
)
from flagcore.distribution.position import Position
from flagcore.distribution.publisher_state import PublisherState
from flagcore.distribution.ring import Entry, Ring
from flagcore.distribution.server_state import CREDIT, ServerState
from flagcore.distribution.snapshot_budget import SnapshotBudget
from flagcore.distribution.wire import Header, Kind, Message, parse
from flagcore.errors import SnapshotError
from flagcore.snapshot.delta import Delta, Object, diff
from flagcore.snapshot.limits import Limits
from flagcore.snapshot.objects import Snapshot
from tests.distribution.virtual import ENVIRONMENT, FakeSigner
from tests.profiles import cases

FIRST = Snapshot(1, 1, {"a": b"0"})
NOBODY = bytes(32)


def publisher(now: float = 0.0, **given: object) -> PublisherState:
    """Return a publisher's machine at revision 1."""
    return PublisherState(ENVIRONMENT, FakeSigner(), FIRST, now, **given)  # type: ignore[arg-type]


def hello(
    position: tuple[int, int] = (0, 0), state_hash: bytes = NOBODY, client: bytes = b"client-1", **given: object
) -> bytes:
    """Return the frame of a HELLO."""
    fields = {"environment_id": ENVIRONMENT, "proto": 1, "reader": 1, **given}
    return encode_control(
        Hello(epoch=position[0], revision=position[1], state_hash=state_hash, client_id=client, **fields)
    )  # type: ignore[arg-type]


def commit(
    machine: PublisherState, now: float = 1.0, programs: dict[str, bytes] | None = None, **given: object
) -> list[Action]:
    """Publish one revision more."""
    held = machine.snapshot
    after = Snapshot(held.epoch, held.revision + 1, programs or {"a": b"%d" % held.revision})
    return machine.publish(after, now, **given)[0]  # type: ignore[arg-type]


def said(actions: list[Action], identity: bytes = b"one") -> list[object]:
    """Return what one client is told: messages of control, and the kinds of others."""
    replies = [action.frames for action in actions if isinstance(action, Reply) and action.identity == identity]
    return [
        decode_answer(frames[0]) if len(frames) == 1 else parse(frames, None, ENVIRONMENT).kind for frames in replies
    ]


def broadcast(actions: list[Action]) -> list[Message]:
    """Return what everybody is told."""
    return [parse(action.frames, None, ENVIRONMENT) for action in actions if isinstance(action, Broadcast)]


# -- answers -----------------------------------------------------------------------------------------------------------


def test_who_has_everything_is_current():
    """The same position and the same hash: CURRENT."""
    machine = publisher()
    assert said(machine.received(b"one", hello((1, 1), machine.state_hash), 0.0)) == [Current(1, 1)]


def test_who_lacks_deltas_is_sent_those():
    """Inside the ring: exactly the missing deltas, then CURRENT."""
    machine = publisher()
    old = machine.state_hash
    commit(machine)
    commit(machine)
    assert said(machine.received(b"one", hello((1, 1), old), 1.0)) == [Kind.DELTA, Kind.DELTA, Current(1, 3)]


@pytest.mark.parametrize("position", [(0, 0), (1, 1), (1, 2)])
def test_who_has_another_state_is_sent_a_snapshot(position: tuple[int, int]):
    """No data, or another state hash than the record had there: a whole snapshot, then what leads on from it."""
    machine = publisher()
    commit(machine)
    told = said(machine.received(b"one", hello(position, b"x" * 32), 1.0))
    assert [type(part) for part in told] == [Begin, Kind, Current]
    commit(machine, 1.1)
    told = said(machine.received(b"two", hello(client=b"client-2"), 1.2), b"two")
    assert told[1:] == [Kind.SNAPSHOT, Kind.DELTA, Current(1, 3)]  # the snapshot that was cut serves all of a second


def test_who_is_before_the_ring_is_sent_a_snapshot():
    """Outside of the ring deltas cannot help."""
    machine = publisher(ring=Ring(2))
    old = machine.state_hash
    for _ in range(3):
        commit(machine)
    assert Kind.SNAPSHOT in said(machine.received(b"one", hello((1, 1), old), 1.0))


@pytest.mark.parametrize("position", [(1, 2), (2, 1)])
def test_who_is_ahead_is_told_to_wait(position: tuple[int, int]):
    """A client that knows more than we do is never led back."""
    (retry,) = said(publisher().received(b"one", hello(position), 0.0))
    assert isinstance(retry, Retry)
    assert retry.reason == "behind"


def test_answers_wait_for_credit_and_take_along_what_is_new():
    """No more than the credit is on the way; what is published meanwhile is part of the same answer."""
    machine = publisher()
    old = machine.state_hash
    for _ in range(100):
        commit(machine)
    told = said(machine.received(b"one", hello((1, 1), old), 1.0))
    assert told == [Kind.DELTA] * CREDIT
    commit(machine, 1.1)
    more = encode_control(Credit(1_000))
    while told[-1] is Kind.DELTA:
        told += said(machine.received(b"one", more, 1.2))
    assert told == [*[Kind.DELTA] * 101, Current(1, 102)]


def test_who_is_too_slow_for_the_ring_asks_again():
    """What it needs next has fallen out while it waited for credit: it is told to say HELLO again."""
    machine = publisher(ring=Ring(40))
    old = machine.state_hash
    for _ in range(40):
        commit(machine)
    machine.received(b"one", hello((1, 1), old), 1.0)
    for _ in range(40):
        commit(machine, 1.1)
    (retry,) = said(machine.received(b"one", encode_control(Credit(8)), 1.2))
    assert isinstance(retry, Retry)


def test_a_large_transaction_is_a_notice_and_its_objects():
    """In the answer the chunks of the named objects follow on the notice; nobody is sent the whole snapshot."""
    machine = publisher()
    old = machine.state_hash
    content = b"".join(b"%d," % number for number in range(100_000))
    (notice,) = broadcast(commit(machine, programs={"a": b"0", "large": content}))
    assert notice.kind is Kind.NOTICE
    told = said(machine.received(b"one", hello((1, 1), old), 1.0))
    chunks = told.count(Kind.SNAPSHOT)
    assert chunks >= 2
    assert [told[0], type(told[1]), *told[2:]] == [Kind.NOTICE, Begin, *[Kind.SNAPSHOT] * chunks, Current(1, 2)]


def test_a_transaction_at_the_limit_is_a_delta_and_one_byte_more_a_notice():
    """256 kB raw, all told, go to everybody."""
    machine = publisher()
    limit = Limits().delta
    overhead = 40
    sizes = range(limit - overhead, limit + 1)
    kinds = [broadcast(commit(machine, programs={"a": bytes(size)}))[0] for size in sizes]
    lengths = [message.header.raw_length for message in kinds if message.kind is Kind.DELTA]
    assert max(lengths) == limit
    assert kinds[-1].kind is Kind.NOTICE


# -- limits ------------------------------------------------------------------------------------------------------------


def test_one_hello_a_second():
    """A second HELLO within a second is told how long to wait; one after it is answered."""
    machine = publisher()
    frame = hello((1, 1), machine.state_hash)
    machine.received(b"one", frame, 0.0)
    (retry,) = said(machine.received(b"one", frame, 0.999))
    assert isinstance(retry, Retry)
    assert retry.after_ms <= 2
    assert said(machine.received(b"one", frame, 1.0)) == [Current(1, 1)]


def test_two_hundred_snapshots_a_second():
    """The node's budget: 200 at once, the next told to wait; after a while there is room again; deltas cost nothing."""
    budget = SnapshotBudget()
    machines = [publisher(budget=budget), publisher(budget=budget)]
    sent = [
        isinstance(
            said(
                machines[number % 2].received(b"%d" % number, hello(client=b"client%02d" % number), 5.0), b"%d" % number
            )[0],
            Begin,
        )
        for number in range(210)
    ]
    assert sent == [True] * 200 + [False] * 10
    frame = hello((1, 1), machines[0].state_hash, client=b"client-c")
    assert said(machines[0].received(b"c", frame, 5.0), b"c") == [Current(1, 1)]
    assert budget.take(5.1) == 0.0


def test_a_full_server_says_so():
    """One client more than the limit is told to wait; who leaves makes room."""
    machine = publisher(most_clients=2)
    for name in (b"one", b"two"):
        machine.received(name, hello(client=b"client" + name), 0.0)
    (retry,) = said(machine.received(b"three", hello(client=b"client-3"), 0.0), b"three")
    assert isinstance(retry, Retry)
    assert retry.reason == "full"
    machine.received(b"one", encode_control(Bye()), 0.1)
    assert isinstance(said(machine.received(b"three", hello(client=b"client-3"), 0.2), b"three")[0], Begin)


@pytest.mark.parametrize("given_fields", [{"proto": 2}, {"environment_id": b"another!"}])
def test_strangers_are_refused(given_fields: dict[str, object]):
    """Another protocol, or another environment: told to go away for a minute."""
    machine = publisher()
    (retry,) = said(machine.received(b"one", hello(**given_fields), 0.0))  # type: ignore[arg-type]
    assert isinstance(retry, Retry)
    assert retry.after_ms >= 60_000
    assert machine.counters["hello_refused"] == 1


@settings(max_examples=cases(300))
@given(st.lists(st.tuples(st.sampled_from([b"one", b"two"]), st.one_of(st.binary(max_size=60), st.sampled_from([
    hello(), hello((1, 1)), encode_control(Ack(9, 9, 1)), encode_control(Credit(1024)), encode_control(Bye()), encode_control(Ping()),
]))), max_size=20))  # fmt: skip
def test_any_bytes_may_come(inputs: list[tuple[bytes, bytes]]):
    """Whatever clients send, nothing raises, credit stays bounded and what is served stays served."""
    machine = publisher()
    for number, (identity, frame) in enumerate(inputs):
        machine.received(identity, frame, number * 0.3)
        assert all(peer.credit <= CREDIT for peer in machine._peers.values())
    assert machine.snapshot == FIRST


def test_processes_that_died_silently_are_found():
    """Every client is pinged within 16 s; who cannot be reached is forgotten, so a server never fills up with the dead."""
    machine = publisher()
    names = [b"client%02d" % number for number in range(40)]
    for name in names:
        machine.received(name, hello(client=name), 0.0)
    pinged: set[bytes] = set()
    for second in range(17):
        for action in machine.tick(float(second)):
            if isinstance(action, Reply) and action.frames == (encode_control(Ping()),):
                pinged.add(action.identity)
                machine.gone(action.identity, float(second))
    assert pinged == set(names)
    assert machine.clients == {}


# -- the ring ----------------------------------------------------------------------------------------------------------


def entry(number: int, size: int = 0, part_size: int = 0) -> Entry:
    """Return a transaction from revision ``number``."""
    header = Header(
        kind=Kind.DELTA,
        environment_id=ENVIRONMENT,
        epoch=1,
        base=number,
        revision=number + 1,
        state_hash=b"%032d" % (number + 1),
    )
    return Entry(Message((b"", b"", b"", b""), header), (), size, part_size)


def filled(ring: Ring, count: int, size: int = 0, part_size: int = 0) -> Ring:
    """Return the ring with so many transactions."""
    ring.restart(Position(1, 0), b"%032d" % 0)
    for number in range(count):
        ring.add(entry(number, size, part_size))
    return ring


def test_the_ring_holds_4096_deltas_and_not_one_more():
    """The oldest falls out when one too many comes."""
    assert filled(Ring(), 4_096).floor == (1, 0)
    assert filled(Ring(), 4_097).floor == (1, 1)


def test_the_ring_holds_eight_mebibytes_and_not_one_byte_more():
    """The oldest falls out when the bytes are too many; the newest stays, however large it is."""
    assert filled(Ring(), 8, 1 << 20).floor == (1, 0)
    assert filled(Ring(), 8, (1 << 20) + 1).floor == (1, 1)
    assert filled(Ring(), 3, 9 << 20).floor == (1, 2)


def test_the_objects_of_notices_have_a_bound_of_their_own():
    """64 MiB of them are kept beside the deltas."""
    assert filled(Ring(), 4, 100, 16 << 20).floor == (1, 0)
    assert filled(Ring(), 5, 100, 16 << 20).floor == (1, 1)


def test_the_ring_knows_its_positions():
    """State hashes at every position it reaches, the next transaction from each, nothing elsewhere; revisions may skip."""
    ring = filled(Ring(3), 5)
    assert (ring.floor, ring.head) == ((1, 2), (1, 5))
    assert [ring.hash_at(Position(1, revision)) for revision in (1, 2, 5, 6)] == [
        None,
        b"%032d" % 2,
        b"%032d" % 5,
        None,
    ]
    assert ring.after(Position(1, 5)) is None
    assert ring.hash_at(Position(2, 3)) is None
    skipping = Header(kind=Kind.DELTA, environment_id=ENVIRONMENT, epoch=1, base=5, revision=9)
    ring.add(Entry(Message((b"", b"", b"", b""), skipping)))
    assert ring.hash_at(Position(1, 7)) is None
    found = ring.after(Position(1, 5))
    assert found is not None
    assert found.position == (1, 9)


# -- bookmarks ---------------------------------------------------------------------------------------------------------


def sent_at(times: BookmarkTimes, until: float) -> list[float]:
    """Return when bookmarks are sent until then."""
    sent = []
    while times.due <= until:
        sent.append(round(times.due, 3))
        times.sent(times.due)
    return sent


def test_bookmarks_each_second_and_after_deltas():
    """1 s apart, and 50 and 250 ms after a delta."""
    times = BookmarkTimes(0.0)
    assert sent_at(times, 2.5) == [0.0, 1.0, 2.0]
    times.committed(2.5)
    assert sent_at(times, 4.0) == [2.55, 2.75, 3.75]


def test_deltas_without_end_do_not_put_bookmarks_off():
    """Under a stream of deltas one goes out each 50 ms."""
    times = BookmarkTimes(0.0)
    sent: list[float] = []
    for millisecond in range(1_000):
        sent += sent_at(times, millisecond / 1_000)
        times.committed(millisecond / 1_000)
    assert 18 <= len(sent) <= 22


def test_a_thousand_subscriptions_are_answered_by_a_few_bookmarks():
    """At most one each 20 ms."""
    machine = publisher()
    machine.tick(0.0)
    bookmarks = 0
    for number in range(1_000):
        now = 0.1 + number * 0.0001
        bookmarks += len(broadcast(machine.subscribed(now)))
        bookmarks += len(broadcast(machine.tick(now)))
    assert bookmarks <= 6
    assert machine.deadline is not None
    assert machine.deadline <= 0.1 + 0.1 + 0.02


def test_two_publishers_beside_one_record_send_the_same_bytes():
    """Deltas, notices, their objects and whole snapshots are equal to the byte, whenever the publishers came up."""
    commits = [diff(FIRST, Snapshot(1, 2, {"a": b"1"}))]
    commits.append(Delta(1, 2, 3, (Object("p/large", 0, bytes(range(256)) * 2_000),), ()))
    early, late = publisher(0.0, wall_offset_us=5), publisher(77.0)
    sent = []
    for machine, now in ((early, 3.0), (late, 80.5)):
        actions = [machine.publish(change, now, committed_us=number)[0] for number, change in enumerate(commits)]
        sent.append([[message.frames for message in broadcast(part)] for part in actions])
        sent[-1].append(
            [action.frames for action in machine.received(b"one", hello(), now) if isinstance(action, Reply)]
        )
    assert sent[0] == sent[1]


# -- publishing --------------------------------------------------------------------------------------------------------


def test_a_delta_that_does_not_follow_changes_nothing():
    """Publishing raises, and what was served is served on."""
    machine = publisher()
    with pytest.raises(SnapshotError):
        machine.publish(Delta(1, 5, 6, (), ()), 1.0)
    with pytest.raises(ValueError, match="later"):
        machine.publish(FIRST, 1.0)
    assert machine.snapshot == FIRST
    assert said(machine.received(b"one", hello((1, 1), machine.state_hash), 1.0)) == [Current(1, 1)]


@pytest.mark.parametrize(("size", "fits"), [(500, True), (501, False)])
def test_an_object_at_the_limit_is_published_and_one_byte_more_is_not(size: int, fits: bool):
    """What clients would refuse is refused where it is published."""
    machine = publisher(limits=Limits(program=500))
    after = Snapshot(1, 2, {"a": bytes(size)})
    if fits:
        machine.publish(after, 1.0)
    else:
        with pytest.raises(SnapshotError, match="500 are allowed"):
            machine.publish(after, 1.0)
    assert machine.position == (1, 2 if fits else 1)


def test_a_higher_epoch_closes_the_one_before():
    """X of the old epoch is broadcast; nobody is led on from the old one."""
    machine = publisher()
    old = machine.state_hash
    (closed,) = broadcast(machine.publish(Snapshot(3, 1, {}), 1.0)[0])
    assert (closed.kind, closed.header.epoch) == (Kind.CLOSED, 1)
    assert Kind.SNAPSHOT in said(machine.received(b"one", hello((1, 1), old), 1.0))
    (bookmark,) = broadcast(machine.tick(1.05))
    assert (bookmark.header.epoch, bookmark.header.revision) == (3, 1)


# -- receipts ----------------------------------------------------------------------------------------------------------


def connected(*names: bytes) -> PublisherState:
    """Return a publisher with clients that have applied revision 1."""
    machine = publisher()
    for name in names:
        machine.received(name, hello((1, 1), machine.state_hash, client=b"client" + name), 0.0)
        machine.received(name, encode_control(Ack(1, 1, 3)), 0.0)
    return machine


def done(actions: list[Action]) -> list[bool]:
    """Return whether the receipts that are over are complete."""
    return [action.receipt.complete for action in actions if isinstance(action, Done)]


def test_a_receipt_is_complete_when_the_last_has_applied():
    """Not before every client has said so, and then at once."""
    machine = connected(b"one", b"two")
    assert done(commit(machine, wait=True)) == []
    ack = encode_control(Ack(1, 2, 3))
    assert done(machine.received(b"one", ack, 1.1)) == []
    assert done(machine.received(b"one", ack, 1.1)) == []
    assert done(machine.received(b"two", ack, 1.2)) == [True]


def test_a_receipt_of_nobody_is_complete_at_once():
    """No client is connected, or nobody asked for a receipt."""
    assert done(commit(publisher(), wait=True)) == [True]
    assert done(commit(connected(b"one"))) == [True]


def test_a_frozen_client_keeps_a_receipt_open():
    """It is pinged each quarter of a second, and when the time is over the receipt says who did not apply it."""
    machine = connected(b"one", b"frozen")
    held = machine.snapshot
    _, receipt = machine.publish(Snapshot(1, 2, {"a": b"off"}), 1.0, wait=True, timeout=2.0)
    machine.received(b"one", encode_control(Ack(1, 2, 3)), 1.1)
    pings, over, now = 0, [], 1.1
    while not over:
        assert machine.deadline is not None
        now = max(now, machine.deadline)
        actions = machine.tick(now)
        pings += said(actions, b"frozen").count(Ping())
        over = done(actions)
    assert (over, now) == ([False], 3.0)
    assert 6 <= pings <= 11  # a few of them come to everybody
    assert receipt.waiting == {b"clientfrozen"}
    assert receipt.acknowledged == {b"clientone"}
    assert held == FIRST


def test_a_client_that_is_lost_keeps_a_receipt_open_until_it_is_back():
    """A connection that breaks is no answer; the client comes back over another one and says what it has applied."""
    machine = connected(b"one")
    _, receipt = machine.publish(Snapshot(1, 2, {"a": b"off"}), 1.0, wait=True)
    assert done(machine.gone(b"one", 1.5)) == []
    assert receipt.lost == {b"clientone"}
    machine.received(b"again", hello((1, 2), machine.state_hash, client=b"clientone"), 2.0)
    assert (receipt.lost, receipt.waiting) == (set(), {b"clientone"})
    assert done(machine.received(b"again", encode_control(Ack(1, 2, 3)), 2.1)) == [True]


def test_a_client_that_leaves_is_not_waited_for():
    """Bye completes the receipt of the others."""
    machine = connected(b"one", b"two")
    commit(machine, wait=True)
    machine.received(b"one", encode_control(Ack(1, 2, 3)), 1.1)
    assert done(machine.received(b"two", encode_control(Bye()), 1.2)) == [True]


def test_who_comes_meanwhile_is_waited_for():
    """A client that says HELLO before the receipt is complete serves what it had until it has applied the new."""
    machine = connected(b"one")
    old = publisher().state_hash
    commit(machine, wait=True)
    machine.received(b"two", hello((1, 1), old, client=b"clienttwo"), 1.1)
    assert done(machine.received(b"one", encode_control(Ack(1, 2, 3)), 1.2)) == []
    assert done(machine.received(b"two", encode_control(Ack(1, 2, 3)), 1.3)) == [True]


def test_who_failed_to_apply_an_object_makes_it_incomplete():
    """The receipt is over, and says that it is not complete."""
    machine = connected(b"one")
    commit(machine, wait=True)
    assert done(machine.received(b"one", encode_control(Ack(1, 2, 3, 1)), 1.1)) == [False]


def test_nobody_acknowledges_what_is_not_there_yet():
    """An Ack beyond what was published counts for no later receipt."""
    machine = connected(b"liar")
    machine.received(b"liar", encode_control(Ack(9, 9, 3)), 0.5)
    assert done(commit(machine, wait=True)) == []


# -- relays ------------------------------------------------------------------------------------------------------------


def forwarded(relay: ServerState, source: PublisherState, now: float = 0.0) -> list[list[Action]]:
    """Hand a whole snapshot of the source to a relay."""
    actions = source.received(b"relay", hello(client=b"relay-01"), now)
    chunks = [
        parse(action.frames, None, ENVIRONMENT)
        for action in actions
        if isinstance(action, Reply) and len(action.frames) > 1
    ]
    return [relay.forward(chunks, now)]


def test_a_relay_serves_verbatim_what_it_was_forwarded():
    """Without a key: the same frames, to everybody and in answers."""
    source, relay = publisher(), ServerState(ENVIRONMENT, 0.0)
    (retry,) = said(relay.received(b"one", hello(), 0.0))
    assert isinstance(retry, Retry)
    forwarded(relay, source)
    (delta,) = broadcast(commit(source))
    assert broadcast(relay.forward([delta], 1.0)) == [delta]
    assert said(relay.received(b"one", hello(), 1.1))[1:] == [Kind.SNAPSHOT, Kind.DELTA, Current(1, 2)]


def test_a_relay_repeats_only_fresh_bookmarks():
    """Who subscribes is sent the latest bookmark while it is younger than 3 s; then nothing pretends that all is well."""
    source, relay = publisher(), ServerState(ENVIRONMENT, 0.0)
    forwarded(relay, source)
    (bookmark,) = broadcast(source.tick(0.0))
    assert broadcast(relay.forward([bookmark], 0.0)) == [bookmark]
    relay.subscribed(2.9)
    assert broadcast(relay.tick(2.95)) == [bookmark]
    relay.subscribed(3.5)
    assert broadcast(relay.tick(3.6)) == []


def test_a_relay_whose_snapshot_is_too_old_gets_another():
    """The ring does not lead on from the snapshot any more: Refresh; a new one, inside the ring, leaves the ring as it is."""
    source, relay = publisher(), ServerState(ENVIRONMENT, 0.0, ring=Ring(2))
    forwarded(relay, source)
    for _ in range(3):
        relay.forward(broadcast(commit(source)), 1.0)
    assert Refresh() in relay.received(b"one", hello(), 2.0)
    source.gone(b"relay", 2.0)
    forwarded(relay, source, 3.0)
    assert said(relay.received(b"two", hello(client=b"client-2"), 3.1), b"two")[1:] == [Kind.SNAPSHOT, Current(1, 4)]
    assert relay._ring.floor == (1, 2)
