"""The client's machine, step by step: one machine, one publisher's machine, and the messages carried between them by hand."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagcore.distribution.actions import (
    Action,
    Applied,
    Apply,
    Broadcast,
    ClientPhase,
    Connect,
    Forward,
    Reply,
    Report,
    Save,
    Send,
    SetStatus,
)
from flagcore.distribution.client_state import CREDIT, ClientState
from flagcore.distribution.control import (
    Ack,
    Begin,
    Bye,
    Credit,
    Current,
    Hello,
    Ping,
    Retry,
    decode_request,
    encode_control,
)
from flagcore.distribution.delta_buffer import DeltaBuffer
from flagcore.distribution.position import NOWHERE, Position
from flagcore.distribution.publisher_state import PublisherState
from flagcore.distribution.rotation import encode_rotation
from flagcore.distribution.wire import WELCOME, Header, Kind, Message, encode, parse
from flagcore.snapshot.delta import Delta, encode_delta
from flagcore.snapshot.limits import Limits
from flagcore.snapshot.objects import Snapshot
from flagcore.snapshot.signature import SigningKey, VerifyKeys
from flagcore.terms import ProviderStatus
from tests.distribution.virtual import ENVIRONMENT, FakeKeys, FakeSigner
from tests.profiles import cases

IDENTITY = b"one"
LIMITS = Limits(delta=2_048)


class Server:
    """A publisher's machine and what it said."""

    def __init__(self, signer: object = None) -> None:
        self.signer = signer or FakeSigner()
        self.machine = PublisherState(ENVIRONMENT, self.signer, Snapshot(1, 1, {"a": b"0"}), 0.0, limits=LIMITS)  # type: ignore[arg-type]

    def commit(self, now: float, programs: dict[str, bytes], urgent: bool = False) -> list[tuple[bytes, ...]]:
        """Publish; returns what is broadcast."""
        before = self.machine.snapshot
        after = Snapshot(before.epoch, before.revision + 1, programs)
        actions, _ = self.machine.publish(after, now, urgent=urgent)
        return [action.frames for action in actions if isinstance(action, Broadcast)]

    def bookmark(self, now: float) -> tuple[bytes, ...]:
        """Return a bookmark of what is served."""
        self.machine._now = now
        message = self.machine._latest_bookmark()
        assert message is not None
        return message.frames

    def message(self, kind: Kind, raw: bytes = b"", **fields: object) -> tuple[bytes, ...]:
        """Return a message that is signed, whatever it says."""
        held = self.machine.snapshot
        given = {"epoch": held.epoch, "revision": held.revision, **fields}
        header = Header(kind=kind, environment_id=ENVIRONMENT, **given)  # type: ignore[arg-type]
        return tuple(encode(header, raw, self.signer))  # type: ignore[arg-type]

    def broken_delta(self) -> tuple[bytes, ...]:
        """Return a signed delta to the next revision that cannot be decoded."""
        held = self.machine.snapshot
        return self.message(Kind.DELTA, b"\xc1no delta", base=held.revision, revision=held.revision + 1)


class Served:
    """A client's machine whose actions are performed at once, and a server to talk to."""

    def __init__(self, signer: object = None, keys: object = None, **settings: object) -> None:
        self.now = 10.0
        self.server = Server(signer)
        self.machine = ClientState(
            ENVIRONMENT,
            client_id=b"client-1",
            random=Random(1),
            keys=keys or FakeKeys(),  # type: ignore[arg-type]
            limits=LIMITS,
            **settings,  # type: ignore[arg-type]
        )
        self.sent: list[object] = []
        self.applied: list[Apply] = []
        self.result = Applied(5)

    def perform(self, actions: list[Action]) -> list[Action]:
        """Note what is sent and applied; returns the rest."""
        rest: list[Action] = []
        while actions:
            results: list[Action] = []
            for action in actions:
                if isinstance(action, Send):
                    self.sent.append(decode_request(action.frame))
                elif isinstance(action, Apply):
                    self.applied.append(action)
                    results += self.machine.applied(self.result, self.now)
                elif not isinstance(action, SetStatus):
                    rest.append(action)
            actions = results
        return rest

    def sub(self, frames: tuple[bytes, ...]) -> list[Action]:
        """Hand over what came on SUB."""
        return [
            action
            for action in self.perform(self.machine.received_sub(frames, self.now))
            if not isinstance(action, Report | Save)
        ]

    def dealer(self, *frames: bytes) -> list[Action]:
        """Hand over what came on DEALER."""
        return self.perform(self.machine.received_dealer(frames, self.now))

    def wait(self, seconds: float) -> list[Action]:
        """Let time pass, with every tick that is due."""
        rest, end = [], self.now + seconds
        while (due := self.machine.deadline) is not None and due <= end:
            self.now = max(self.now, due)
            rest += self.perform(self.machine.tick(self.now))
        self.now = end
        return rest

    def take_sent(self) -> list[object]:
        """Return what was sent since the last look."""
        sent, self.sent = self.sent, []
        return sent

    def connect(self) -> None:
        """Start, and have the sockets come up."""
        assert self.perform(self.machine.start(self.now)) == [Connect(0)]
        self.perform(self.machine.connected(self.now))

    def answer(self, request: object) -> None:
        """Let the server answer one request, and what is asked meanwhile."""
        actions = self.server.machine.received(IDENTITY, encode_control(request), self.now)  # type: ignore[arg-type]
        for action in actions:
            if isinstance(action, Reply):
                self.dealer(*action.frames)

    def sync(self) -> None:
        """Carry requests and answers until there are no more, then a bookmark."""
        self.wait(1.1)
        while sent := self.take_sent():
            for request in sent:
                self.answer(request)
        self.sub(self.server.bookmark(self.now))

    def go_live(self) -> None:
        """Connect and sync."""
        self.connect()
        self.sync()
        assert self.machine.phase is ClientPhase.LIVE


@pytest.fixture
def client() -> Served:
    """A client that is LIVE."""
    served = Served()
    served.go_live()
    served.take_sent()
    return served


# -- coming up ---------------------------------------------------------------------------------------------------------


def test_the_way_to_live():
    """INIT, CONNECTING, SYNCING, LIVE; NOT_READY until there is data, READY with the bookmark after the answer."""
    client = Served()
    told = client.machine.start(client.now)
    assert told == [Connect(0), SetStatus(ClientPhase.CONNECTING, ProviderStatus.NOT_READY, client.now)]
    told = client.machine.connected(client.now)
    assert told == [SetStatus(ClientPhase.SYNCING, ProviderStatus.NOT_READY, client.now)]
    client.wait(0.05)
    (hello,) = client.take_sent()
    assert hello == Hello(ENVIRONMENT, 0, 0, bytes(32), 1, 1, b"client-1")
    client.answer(hello)
    assert client.machine.phase is ClientPhase.SYNCING
    assert client.machine.status(client.now) is ProviderStatus.STALE
    client.sub(client.server.bookmark(client.now))
    assert client.machine.phase is ClientPhase.LIVE
    assert client.machine.status(client.now) is ProviderStatus.READY
    assert client.machine.confirmed == client.now


def test_syncing_ends_with_a_bookmark_at_or_after_the_answer():
    """An answer alone makes nobody LIVE, nor does a bookmark from before what it led to."""
    client = Served()
    client.connect()
    client.wait(0.05)
    old = client.server.bookmark(client.now)
    client.server.commit(client.now, {"a": b"1"})
    client.sub(old)
    for request in client.take_sent():
        client.answer(request)
    assert client.machine.phase is ClientPhase.SYNCING
    client.sub(client.server.bookmark(client.now))
    assert client.machine.phase is ClientPhase.LIVE


def test_a_bookmark_without_an_answer_confirms_nothing():
    """Before HELLO is answered no bookmark makes READY: it may have waited in a queue."""
    client = Served()
    client.perform(client.machine.restore(client.server.machine.snapshot, client.now))
    client.connect()
    client.sub(client.server.bookmark(client.now))
    assert client.machine.status(client.now) is ProviderStatus.STALE


def test_the_welcome_asks_for_a_hello(client: Served):
    """W says that the connection is a new one: HELLO, once."""
    client.wait(0.5)
    client.take_sent()
    client.sub((WELCOME,))
    client.sub((WELCOME,))
    client.wait(0.6)
    assert [type(sent) for sent in client.take_sent()] == [Hello]


def test_last_known_good_is_stale_until_confirmed():
    """What was restored is served at once as STALE, and confirmed without being applied again."""
    client = Served()
    client.perform(client.machine.restore(client.server.machine.snapshot, client.now))
    assert len(client.applied) == 1
    assert client.machine.status(client.now) is ProviderStatus.STALE
    client.go_live()
    assert len(client.applied) == 1


def test_an_old_file_below_the_floor_is_refused():
    """Nothing below the pinned floor is served, from a file or from a server."""
    client = Served()
    assert client.machine.restore(Snapshot(1, 4, {}), client.now, floor=Position(1, 5))[:-1] == []
    assert client.machine.counters["restore_refused"] == 1
    client.connect()
    client.sync()
    assert client.applied == []
    assert client.machine.status(client.now) is ProviderStatus.NOT_READY


def test_a_distrusted_file_is_replaced():
    """A restored state that proves to be another than its hash says is served until the whole snapshot is there."""
    client = Served()
    good = client.server.machine
    client.perform(client.machine.restore(Snapshot(1, 1, {"wrong": b""}), client.now, state_hash=good.state_hash))
    client.go_live()
    client.perform(client.machine.distrust(client.now))
    assert client.machine.status(client.now) is ProviderStatus.STALE
    client.sync()
    assert client.applied[-1].snapshot == good.snapshot
    assert client.machine.status(client.now) is ProviderStatus.READY


# -- following ---------------------------------------------------------------------------------------------------------


def test_deltas_are_applied_once_and_in_order(client: Served):
    """The next delta is applied, one that came already is dropped, and an older one too."""
    (first,) = client.server.commit(client.now, {"a": b"1"})
    (second,) = client.server.commit(client.now, {"a": b"2"})
    for frames in (first, first, second, first):
        client.sub(frames)
    assert [apply.snapshot.revision for apply in client.applied] == [1, 2, 3]
    assert client.machine.counters["seen"] == 2
    assert client.applied[-1].delta is not None


def test_a_gap_is_asked_for_and_closed_from_the_ring(client: Served):
    """A missing delta: SYNCING, still READY; HELLO; the ring's deltas, no snapshot; what was buffered follows."""
    client.wait(1.0)
    client.sub(client.server.bookmark(client.now))
    client.server.commit(client.now, {"a": b"1"})
    (second,) = client.server.commit(client.now, {"a": b"2"})
    client.sub(second)
    assert client.machine.phase is ClientPhase.SYNCING
    assert client.machine.status(client.now) is ProviderStatus.READY
    client.sync()
    assert client.machine.phase is ClientPhase.LIVE
    assert client.server.machine.counters["snapshots"] == 1  # the first one
    assert [apply.snapshot.revision for apply in client.applied] == [1, 2, 3]


def test_a_bookmark_ahead_is_a_gap(client: Served):
    """A lost last delta is found by the bookmark after it."""
    client.wait(1.0)
    client.server.commit(client.now, {"a": b"1"})
    client.sub(client.server.bookmark(client.now))
    client.wait(0.05)
    assert [type(sent) for sent in client.take_sent()] == [Hello]


def test_hellos_of_one_connection_are_a_second_apart(client: Served):
    """However many gaps there are, HELLO is said once a second."""
    hellos = []
    for revision in range(30):
        client.server.commit(client.now, {"a": b"%d" % revision})
        client.sub(client.server.bookmark(client.now))
        client.wait(0.1)
        hellos += [request for request in client.take_sent() if isinstance(request, Hello)]
        client.dealer(encode_control(Current(*client.machine.position)))  # which does not help
    assert 2 <= len(hellos) <= 4


def test_another_state_of_the_same_revision_is_replaced(client: Served):
    """DIVERGED: an alarm, and a whole snapshot of the very revision that is held."""
    other = client.server.message(Kind.BOOKMARK, state_hash=b"x" * 32)
    reports = [
        action
        for action in client.perform(client.machine.received_sub(other, client.now))
        if isinstance(action, Report)
    ]
    assert [report.problem for report in reports] == ["diverged"]
    assert client.machine.status(client.now) is ProviderStatus.STALE
    client.sync()
    assert client.applied[-1].delta is None
    assert client.applied[-1].position == (1, 1)
    assert client.machine.phase is ClientPhase.LIVE


def test_a_delta_that_leads_elsewhere_is_not_applied(client: Served):
    """The state hash of the header is looked at before anything is applied."""
    delta = Delta(1, 1, 2, (), ("p/a",))
    frames = client.server.message(Kind.DELTA, encode_delta(delta), base=1, revision=2, state_hash=b"x" * 32)
    client.sub(frames)
    assert len(client.applied) == 1
    assert client.machine.counters["diverged"] == 1


def test_a_whole_snapshot_that_is_older_grows_aside(client: Served):
    """Who needs a whole snapshot and is sent an older one serves nothing older meanwhile: it is led forwards first."""
    server = client.server
    first = parse(server.message(Kind.BOOKMARK), None, ENVIRONMENT)
    assert first.header.revision == 1
    (second,) = server.commit(client.now, {"a": b"1"})
    client.sub(second)
    server.machine._cut_from = client.now + 1e6  # the snapshot that was cut for revision 1 stays
    client.perform(client.machine.distrust(client.now))
    client.sync()
    assert [apply.snapshot.revision for apply in client.applied] == [1, 2, 2]
    assert client.machine.phase is ClientPhase.LIVE


def test_a_higher_epoch_is_followed_a_lower_one_is_not(client: Served):
    """X and a higher epoch lead to a whole snapshot; afterwards nothing of the old epoch is taken."""
    (old,) = client.server.commit(client.now, {"a": b"old"})
    client.server.machine.publish(Snapshot(2, 1, {"a": b"new"}), client.now)
    client.sub(client.server.message(Kind.CLOSED, epoch=1))
    client.sync()
    assert client.machine.position == (2, 1)
    client.sub(old)
    client.sub(client.server.message(Kind.BOOKMARK, epoch=1, revision=9))
    assert client.machine.position == (2, 1)
    assert client.machine.counters["old_epoch"] == 1
    assert client.machine.counters["behind"] == 1


def test_a_closed_epoch_is_over_even_before_the_next_is_known(client: Served):
    """After X what is held is served on, and no delta of that epoch applied."""
    (delta,) = client.server.commit(client.now, {"a": b"1"})
    client.sub(client.server.message(Kind.CLOSED, epoch=1))
    client.sub(delta)
    assert client.machine.position == (1, 1)
    assert len(client.applied) == 1


def test_a_large_transaction_comes_in_chunks(client: Served):
    """N: the answer to HELLO brings the named objects, not the whole snapshot; the client applies one transaction."""
    (notice,) = client.server.commit(client.now, {"a": b"0", "large": Random(3).randbytes(400_000)})
    assert parse(notice, None, ENVIRONMENT, LIMITS).kind is Kind.NOTICE
    client.sub(notice)
    client.sync()
    assert client.machine.phase is ClientPhase.LIVE
    delta = client.applied[-1].delta
    assert delta is not None
    assert [upsert.id for upsert in delta.upserts] == ["p/large"]
    assert client.server.machine.counters["snapshots"] == 1


def test_a_long_answer_comes_by_credit(client: Served):
    """More than the credit of HELLO is granted by halves; the server never has more on the way."""
    client.wait(1.0)
    for revision in range(200):
        client.server.commit(client.now, {"a": b"%d" % revision})
    client.sub(client.server.bookmark(client.now))
    client.wait(0.05)
    (hello,) = client.take_sent()
    replies = [
        a for a in client.server.machine.received(IDENTITY, encode_control(hello), client.now) if isinstance(a, Reply)
    ]
    assert len(replies) == CREDIT
    granted = 0
    while replies:
        for reply in replies:
            client.dealer(*reply.frames)
        grants = [sent for sent in client.take_sent() if isinstance(sent, Credit)]
        granted += sum(sent.chunks for sent in grants)
        replies = []
        for sent in grants:
            actions = client.server.machine.received(IDENTITY, encode_control(sent), client.now)
            replies += [action for action in actions if isinstance(action, Reply)]
    assert client.machine.position == (1, 201)
    assert granted >= 200 - CREDIT


# -- the buffer --------------------------------------------------------------------------------------------------------


def made(number: int, size: int = 0) -> Message:
    """Return an unsigned delta from revision ``number``, with a body of ``size`` bytes."""
    header = Header(kind=Kind.DELTA, environment_id=ENVIRONMENT, epoch=1, base=number, revision=number + 1)
    return Message((b"", b"", bytes(size), b""), header)


def test_the_buffer_holds_a_thousand_and_not_one_more():
    """1,000 deltas wait; the next one drops them all."""
    buffer = DeltaBuffer()
    assert all(buffer.add(made(number)) for number in range(1_000))
    assert buffer.add(made(7))  # again
    assert not buffer.add(made(1_000))
    assert len(buffer) == 0


def test_the_buffer_holds_four_mebibytes_and_not_one_byte_more():
    """4 MiB wait; one byte more drops them all, and what is taken makes room."""
    buffer = DeltaBuffer()
    assert buffer.add(made(1, 4 << 20))
    assert buffer.take(Position(1, 1)) is not None
    assert buffer.add(made(1, 4 << 20))
    assert not buffer.add(made(2, 1))
    assert len(buffer) == 0


def test_what_lies_behind_leaves_the_buffer():
    """Taking drops what can never be applied any more."""
    buffer = DeltaBuffer()
    for number in (3, 5, 9):
        buffer.add(made(number))
    assert buffer.take(Position(1, 5)) is not None
    assert len(buffer) == 1


# -- time --------------------------------------------------------------------------------------------------------------


def test_three_seconds_of_silence(client: Served):
    """STALE at 3 s and not before; then the next endpoint after a jitter; a bookmark meanwhile is not enough for READY."""
    client.wait(2.999)
    assert (client.machine.phase, client.machine.status(client.now)) == (ClientPhase.LIVE, ProviderStatus.READY)
    bookmark = client.server.bookmark(client.now)
    client.wait(0.002)
    assert (client.machine.phase, client.machine.status(client.now)) == (ClientPhase.STALE, ProviderStatus.STALE)
    client.sub(bookmark)
    assert (client.machine.phase, client.machine.status(client.now)) == (ClientPhase.SYNCING, ProviderStatus.STALE)
    client.sync()
    assert client.machine.status(client.now) is ProviderStatus.READY


def test_who_was_frozen_takes_no_old_news_for_new(client: Served):
    """A bookmark that waited in a queue while the process stood still confirms nothing, even when it is read before any tick."""
    bookmark = client.server.bookmark(client.now)
    client.server.commit(client.now, {"a": b"1"})
    client.now += 60.0
    client.sub(bookmark)
    assert client.machine.status(client.now) is ProviderStatus.STALE


def test_endpoints_are_tried_in_turn():
    """Attempts that fail go round all endpoints, the wait bounded by 0.25 s times 2^n, at most 10 s."""
    client = Served(endpoints=3)
    tried = [action.endpoint for action in client.machine.start(client.now) if isinstance(action, Connect)]
    for attempt in range(12):
        client.perform(client.machine.disconnected(client.now))
        due = client.machine.deadline
        assert due is not None
        assert due - client.now <= min(10.0, 0.25 * 2**attempt)
        client.now = due
        tried += [action.endpoint for action in client.machine.tick(due) if isinstance(action, Connect)]
    assert set(tried[:3]) == {0, 1, 2}
    assert tried[3:] == tried[:-3]


def test_an_attempt_that_hangs_is_given_up():
    """A connection that neither comes up nor fails is given up after 5 s."""
    client = Served()
    client.machine.start(client.now)
    connects = [action for action in client.wait(5.3) if isinstance(action, Connect)]
    assert len(connects) == 1


def test_an_answer_that_does_not_come_is_asked_for_again():
    """HELLO is said again after 3 s, and after two in vain another endpoint is tried though bookmarks come."""
    client = Served()
    client.connect()
    hellos = 0
    for _ in range(80):
        client.sub(client.server.bookmark(client.now))
        if any(isinstance(action, Connect) for action in client.wait(0.1)):
            break
        hellos += sum(isinstance(sent, Hello) for sent in client.take_sent())
    else:
        raise AssertionError("no other endpoint was tried")
    assert hellos == 2


def test_a_ping_is_no_answer():
    """However often a server pings, an answer that does not come is missed."""
    client = Served()
    client.connect()
    client.wait(0.05)
    for _ in range(35):
        client.dealer(encode_control(Ping()))
        client.sub(client.server.bookmark(client.now))
        client.wait(0.1)
    assert client.machine.counters["stalls"] == 1


def test_a_lost_connection_is_lost_once():
    """The silence turned to the next endpoint already when the broken connection is noticed: it stays that one's turn."""
    client = Served(endpoints=2)
    first = [action.endpoint for action in client.machine.start(client.now) if isinstance(action, Connect)]
    client.machine.connected(client.now)
    while client.machine.phase is not ClientPhase.STALE:
        client.wait(0.001)
    client.machine.disconnected(client.now)
    client.machine.disconnected(client.now)
    second = [action.endpoint for action in client.wait(1.1) if isinstance(action, Connect)]
    assert [*first, *second] in ([0, 1], [1, 0])


@pytest.mark.parametrize(("wait_ms", "least", "most"), [(5_000, 5.0, 6.0), (3_600_000, 60.0, 61.0)])
def test_a_server_may_ask_for_patience(client: Served, wait_ms: int, least: float, most: float):
    """Retry: HELLO is not said before its time; more than a minute is not believed."""
    client.server.commit(client.now, {"a": b"1"})
    client.sub(client.server.bookmark(client.now))
    client.wait(1.1)
    assert [type(sent) for sent in client.take_sent()] == [Hello]
    client.dealer(encode_control(Retry(wait_ms)))
    asked = client.now
    while not any(isinstance(sent, Hello) for sent in client.take_sent()):
        client.sub(client.server.bookmark(client.now))
        client.wait(0.1)
    assert least <= client.now - asked <= most


# -- acknowledging -----------------------------------------------------------------------------------------------------


def test_acknowledgements_are_coalesced(client: Served):
    """One Ack for all that came within 200 ms."""
    for revision in range(5):
        for frames in client.server.commit(client.now, {"a": b"%d" % revision}):
            client.sub(frames)
        client.wait(0.01)
    assert client.take_sent() == []
    client.wait(0.2)
    assert client.take_sent() == [Ack(1, 6, 5)]


def test_urgent_deltas_are_acknowledged_at_once(client: Served):
    """Somebody waits: the Ack follows on the apply."""
    for frames in client.server.commit(client.now, {"a": b"off"}, urgent=True):
        client.sub(frames)
    assert client.take_sent() == [Ack(1, 2, 5)]


def test_failed_objects_are_told(client: Served):
    """An object that was refused is reported and counted in every Ack that covers it; the next Ack is clean."""
    client.result = Applied(5, ("p/a",))
    for frames in client.server.commit(client.now, {"a": b"bad"}):
        client.sub(frames)
    client.result = Applied(5)
    for frames in client.server.commit(client.now, {"a": b"bad", "b": b"good"}):
        client.sub(frames)
    client.wait(0.2)
    client.dealer(encode_control(Ping()))
    assert client.take_sent() == [Ack(1, 3, 5, 1), Ack(1, 3, 5, 1)]
    for frames in client.server.commit(client.now, {"a": b"good"}, urgent=True):
        client.sub(frames)
    assert client.take_sent() == [Ack(1, 4, 5)]


def test_what_failed_earlier_makes_no_other_revision_incomplete(client: Served):
    """An engine names whatever it could not use so far; only what a delta brought counts for its Ack."""
    client.result = Applied(5, ("p/a",))
    for frames in client.server.commit(client.now, {"a": b"0", "b": b"good"}, urgent=True):
        client.sub(frames)
    assert client.take_sent() == [Ack(1, 2, 5)]


def test_a_revision_that_could_not_be_applied_is_asked_for_whole(client: Served):
    """The engine refuses: the one before is served, STALE, not acknowledged, and a whole snapshot follows."""
    client.result = Applied(refused=True)
    for frames in client.server.commit(client.now, {"a": b"1"}, urgent=True):
        client.sub(frames)
    assert client.take_sent() == []
    assert client.machine.status(client.now) is ProviderStatus.STALE
    client.result = Applied(5)
    client.sync()
    assert client.applied[-1].delta is None
    assert client.machine.status(client.now) is ProviderStatus.READY


# -- keys, saving, the end ---------------------------------------------------------------------------------------------


def test_a_rotation_changes_the_keys_that_count():
    """R is signed by the old key; afterwards the new one counts, the old one does not, and an older rotation changes nothing."""
    old, new = SigningKey(bytes(32)), SigningKey(bytes([1] * 32))
    client = Served(old, VerifyKeys([old.public]))
    client.go_live()
    earlier = client.server.message(Kind.ROTATION, encode_rotation([old.public, new.public]), commit_time_us=5)
    client.server.machine.rotate([new.public], client.now, new)  # type: ignore[arg-type]
    rotation = client.server.machine._rotation
    assert rotation is not None
    client.sub(rotation.frames)
    client.sub(earlier)
    assert client.machine.keys is not None
    assert client.machine.keys.publics == (new.public,)
    (delta,) = client.server.commit(client.now, {"a": b"1"})
    client.sub(delta)
    assert client.machine.position == (1, 2)
    client.sub(client.server.broken_delta())  # signed by the old key
    assert client.machine.counters["signature"] == 2


def test_a_client_that_comes_back_after_a_rotation():
    """Who knows only the old key is given the rotation first, and follows."""
    old, new = SigningKey(bytes(32)), SigningKey(bytes([1] * 32))
    client = Served(old, VerifyKeys([old.public]))
    client.server.machine.rotate([new.public], client.now, new)  # type: ignore[arg-type]
    client.go_live()
    assert client.machine.keys is not None
    assert client.machine.keys.publics == (new.public,)


def test_what_a_bookmark_confirmed_is_saved_once_a_second(client: Served):
    """Save carries the signed bookmark and the state that it proves; not what is on disk already."""
    saves = []
    for revision in range(20):
        for frames in client.server.commit(client.now, {"a": b"%d" % revision}):
            client.perform(client.machine.received_sub(frames, client.now))
        actions = client.perform(client.machine.received_sub(client.server.bookmark(client.now), client.now))
        saves += [action for action in actions if isinstance(action, Save)]
        client.wait(0.25)
    assert 4 <= len(saves) <= 6
    for save in saves:
        header = parse(save.bookmark, None, ENVIRONMENT).header
        assert (header.epoch, header.revision) == (save.snapshot.epoch, save.snapshot.revision)


def test_a_refused_key_without_data_is_an_error():
    """ERROR without data, STALE with; the server is asked again, and the error ends when it lets us in."""
    client = Served()
    client.machine.start(client.now)
    client.machine.refused(client.now)
    assert client.machine.status(client.now) is ProviderStatus.ERROR
    client.wait(1.0)
    client.machine.connected(client.now)
    assert client.machine.status(client.now) is ProviderStatus.NOT_READY


def test_close_takes_leave(client: Served):
    """Bye, and nothing more: no timer, no action, whatever comes."""
    client.perform(client.machine.close(client.now))
    assert client.take_sent() == [Bye()]
    assert client.machine.deadline is None
    assert client.machine.phase is ClientPhase.CLOSED
    assert client.machine.connected(client.now) == []
    assert client.machine.disconnected(client.now) == []
    assert client.sub(client.server.bookmark(client.now)) == []
    assert client.machine.close(client.now) == []


def test_relays_forward_what_they_accepted():
    """Whole snapshots, deltas and confirmed bookmarks are handed on as they came; nothing else is."""
    client = Served(relaying=True)
    client.connect()
    client.wait(0.05)
    forwarded = []
    for request in client.take_sent():
        for reply in client.server.machine.received(IDENTITY, encode_control(request), client.now):  # type: ignore[arg-type]
            if isinstance(reply, Reply):
                forwarded += client.dealer(*reply.frames)
    (delta,) = client.server.commit(client.now, {"a": b"1"})
    forwarded += client.sub(delta) + client.sub(delta) + client.sub(client.server.bookmark(client.now))
    kinds = [tuple(message.kind for message in action.messages) for action in forwarded if isinstance(action, Forward)]
    assert kinds == [(Kind.SNAPSHOT,), (Kind.DELTA,), (Kind.BOOKMARK,)]


# -- hostile input -----------------------------------------------------------------------------------------------------


def test_no_flipped_bit_is_applied(client: Served):
    """G9: of a recorded delta every bit of every frame is flipped; nothing is applied, everything is counted."""
    (delta,) = client.server.commit(client.now, {"a": b"1"})
    tried = 0
    for index, frame in enumerate(delta):
        for bit in range(len(frame) * 8):
            changed = bytearray(frame)
            changed[bit // 8] ^= 1 << bit % 8
            client.sub((*delta[:index], bytes(changed), *delta[index + 1 :]))
            tried += 1
    assert client.machine.position == (1, 1)
    refusals = ("frames", "environment", "unknown_kind", "signature", "header", "body_hash", "too_large")
    assert sum(client.machine.counters[name] for name in refusals) == tried
    client.sub(delta)
    assert client.machine.position == (1, 2)


@settings(max_examples=cases(300))
@given(
    st.lists(
        st.one_of(
            st.lists(st.binary(max_size=80), max_size=5), st.sampled_from(["current", "begin", "retry", "chunk"])
        ),
        max_size=12,
    ),
    st.booleans(),
)
def test_any_bytes_may_come(inputs: list[object], sub: bool):
    """Whatever comes on SUB or DEALER, nothing raises and what is held stays held."""
    client = Served()
    client.go_live()
    chunk = client.server.message(Kind.SNAPSHOT, b"\x90", chunk_index=0, chunk_count=1)
    known = {
        "current": (encode_control(Current(9, 9)),),
        "begin": (encode_control(Begin(9, 9, 1, 1)),),
        "retry": (encode_control(Retry(1)),),
        "chunk": chunk,
    }
    for given_frames in inputs:
        frames = known[given_frames] if isinstance(given_frames, str) else tuple(given_frames)  # type: ignore[arg-type]
        client.sub(frames) if sub else client.dealer(*frames)
        client.wait(0.4)
    assert client.machine.snapshot == Snapshot(1, 1, {"a": b"0"})


@pytest.mark.parametrize("begin", [Begin(1, 9, 0, 0), Begin(1, 9, 2**32 - 1, 5), Begin(1, 9, 1, 2**40)])
def test_announcements_beyond_the_limits_are_refused(begin: Begin):
    """A snapshot of no chunks, of more chunks than bytes, or larger than the limit is not waited for."""
    client = Served()
    client.connect()
    client.wait(0.05)
    client.dealer(encode_control(begin))
    assert client.machine.counters["undecodable"] == 1
    assert client.machine.position == NOWHERE
