"""The properties that docs/design/bucketing.md section 3 asks for: exact ones on generated splits, shares on eight kinds of ids."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagcore.bucketing import (
    bucket,
    choose,
    expo,
    gate_threshold,
    mix64,
    needs,
    position,
    reduce_weights,
    seed,
    subject_bytes,
    xxh64,
)
from tests.profiles import NIGHTLY
from tests.support import bucketing_second as second
from tests.support.statistics import chi_square, independence, moved_at_most

IDS = 1_000_000 if NIGHTLY else 20_000  # of all eight kinds together
IMPROBABLE = 1e-4

words = st.integers(0, 2**64 - 1)
positions = st.lists(words, min_size=8, max_size=8)
names = st.sampled_from(["on", "off", "A", "B", "C", "beta", "é", "名"])
splits = st.dictionaries(names, st.integers(1, 2**20), min_size=2, max_size=6)
bases = st.sampled_from(["split", "percent"])
percents = st.integers(0, 1_000_000).map(lambda buckets: buckets / 10_000)


# --- two implementations -------------------------------------------------------------------------------------------------


@given(st.binary(max_size=100), words)
def test_hashes_agree(data: bytes, number: int):
    """XXH64, finaliser and logarithm are those of the second implementation, for every input."""
    assert xxh64(data, number) == second.xxh64(data, number)
    assert mix64(number) == second.mix64(number)
    assert expo(number) == second.expo(number)
    assert 1 <= expo(number) <= 2**42


@given(st.one_of(st.text(st.characters(codec=None)), st.integers(), st.floats(), st.booleans(), st.binary(), st.none()))
def test_subjects_agree(value: object):
    """Subject bytes are those of the second implementation, for every plain value."""
    assert subject_bytes(value) == second.subject(value)


@given(positions, splits, bases)
def test_races_agree(hs: list[int], weights: dict[str, int], base: str):
    """Winner and needs are those of the second implementation, which compares exact fractions."""
    for h in hs:
        assert choose(h, weights, base) == second.choose(h, weights, base)
        assert needs(h, weights, base) == {
            name: int(share * 10**6) for name, share in second.needs(h, weights, base).items()
        }


@given(st.dictionaries(names, st.decimals(0, 1000, places=3).map(float), min_size=1, max_size=6))
def test_reductions_agree(weights: dict[str, float]):
    """Weights in lowest terms are those of the second implementation, which scales and divides step by step."""
    reduced = second.reduce(weights) if any(weights.values()) else {}
    if reduced and max(reduced.values()) <= 2**20:
        assert reduce_weights(weights) == reduced
    else:
        with pytest.raises(ValueError, match="weight"):
            reduce_weights(weights)


# --- gates (property 2) --------------------------------------------------------------------------------------------------


@given(positions, percents, percents)
def test_gates_are_monotone(hs: list[int], one: float, other: float):
    """A gate raised removes nobody; at 0 nobody is inside, at 100 everybody."""
    low, high = sorted((gate_threshold(one), gate_threshold(other)))
    for h in hs:
        assert (bucket(h) < low) <= (bucket(h) < high)
        assert not bucket(h) < gate_threshold(0)
        assert bucket(h) < gate_threshold(100)


# --- splits: exact directions, no tolerance (properties 3, 4, 5) ---------------------------------------------------------


@given(positions, splits, bases, st.data())
def test_raising_and_lowering_move_one_way(hs: list[int], weights: dict[str, int], base: str, data: st.DataObject):
    """Raising one weight moves subjects only into that variant; back again, lowering moves only its subjects, and all return."""
    name = data.draw(st.sampled_from(sorted(weights)))
    raised = {**weights, name: weights[name] + data.draw(st.integers(1, 2**20))}
    for h in hs:
        before, after = choose(h, weights, base), choose(h, raised, base)
        assert after in (before, name)
        assert choose(h, weights, base) == before


@given(positions, splits, bases, names, st.integers(1, 2**20))
def test_adding_and_removing_move_one_way(hs: list[int], weights: dict[str, int], base: str, name: str, weight: int):
    """A new variant takes subjects for itself only; removing it gives back only those."""
    without = {other: w for other, w in weights.items() if other != name}
    for h in hs:
        before, after = choose(h, without, base), choose(h, {**without, name: weight}, base)
        assert after in (before, name)


@given(positions, splits, bases, st.integers(2, 1000), st.randoms(use_true_random=False))
def test_spelling_moves_nobody(hs: list[int], weights: dict[str, int], base: str, factor: int, shuffle: random.Random):
    """Order, a common factor and zero weights change nothing."""
    respelled = [(name, weight * factor) for name, weight in weights.items()]
    shuffle.shuffle(respelled)
    again = reduce_weights({"nobody": 0, **dict(respelled)}) if max(weights.values()) <= 2**20 else {}
    for h in hs:
        assert choose(h, again, base) == choose(h, weights, base)


@given(positions, st.integers(1, 2**20), st.integers(1, 2**20), bases)
def test_on_and_off_collapse_to_one_compare(hs: list[int], on: int, off: int, base: str):
    """The fast path of on/off decides as the general race does."""
    for h in hs:
        upper = (h if base == "percent" else mix64((h + 0x9E3779B97F4A7C15) % 2**64)) >> 32
        assert choose(h, {"on": on, "off": off}, base) == ("on" if upper * (on + off) < on << 32 else "off")


@given(st.integers(1, 20), st.data())
def test_ties_of_on_and_off(power: int, data: st.DataObject):
    """On the very boundary the smaller name wins, in the race and on the fast path."""
    on = data.draw(st.integers(1, 2**power - 1))
    boundary = (on << 32) // 2**power
    weights = {"on": on, "off": 2**power - on}
    assert choose(boundary << 32, weights, "percent") == "off"
    assert choose((boundary << 32) - 1, weights, "percent") == "on"
    assert choose(5, {"B": 1, "A": 1}, "split") == second.choose(5, {"A": 1, "B": 1}, "split")


@given(positions, st.integers(1, 999_999))
def test_a_gate_as_a_split(hs: list[int], threshold: int):
    """``percent: p, serve: on`` and ``split: {on: p, off: 100 - p}`` with ``base: percent`` decide alike, on the boundary too."""
    weights = reduce_weights({"on": threshold, "off": 1_000_000 - threshold})
    edge = -(-(threshold << 32) // 1_000_000) << 32
    for h in (*hs, edge, edge - 1):
        assert choose(h, weights, "percent") == ("on" if bucket(h) < threshold else "off")


@given(positions, splits, bases)
def test_explain_agrees(hs: list[int], weights: dict[str, int], base: str):
    """The winner is the one variant whose share exceeds what the subject needs (property 8)."""
    total = sum(weights.values())
    for h in hs:
        winner = choose(h, weights, base)
        for name, need in needs(h, weights, base).items():
            share = weights[name] * 1_000_000 // total
            assert share >= need if name == winner else share <= need + 1


def test_random_changes_move_little():
    """Any change of weights moves at most 2 TV/(1 + TV) of the subjects, and four deviations."""
    source = random.Random(20261201)
    hs = [source.getrandbits(64) for _ in range(600)]
    for _ in range(100 if NIGHTLY else 12):
        pool = source.sample(["on", "off", "A", "B", "C", "D"], source.randint(2, 5))
        old = {name: source.randint(1, 100) for name in pool}
        new = {name: source.randint(1, 100) for name in source.sample(pool, source.randint(1, len(pool)))}
        apart = _total_variation(old, new)
        moved = sum(choose(h, old) != choose(h, new) for h in hs)
        assert moved / len(hs) <= moved_at_most(2 * apart / (1 + apart), len(hs))
        assert [choose(h, old) for h in hs[:20]] == [second.choose(h, old) for h in hs[:20]]


def _total_variation(old: dict[str, int], new: dict[str, int]) -> float:
    a, b = sum(old.values()), sum(new.values())
    return sum(abs(old.get(name, 0) / a - new.get(name, 0) / b) for name in old | new) / 2


# --- shares and independence (property 6) --------------------------------------------------------------------------------


def _words(first: int, count: int) -> Callable[[int], str]:
    """Return a spelling of numbers in an alphabet of code points."""

    def word(number: int) -> str:
        letters = []
        while number or not letters:
            number, letter = divmod(number, count)
            letters.append(chr(first + letter))
        return "".join(letters)

    return word


def _uuids(version: int) -> Iterator[object]:
    source = random.Random(version)
    for count in range(IDS):
        number = source.getrandbits(128)
        if version == 7:  # milliseconds in front
            number = (1_760_000_000_000 + count // 3) << 80 | number % 2**80
        yield uuid.UUID(int=number & ~(0xF << 76) & ~(0x3 << 62) | version << 76 | 0x2 << 62)


KINDS: dict[str, Callable[[], Iterator[object]]] = {
    "sequential": lambda: iter(range(IDS)),
    "padded": lambda: (f"user-{number:010d}" for number in range(IDS)),
    "uuid 4": lambda: _uuids(4),
    "uuid 7": lambda: _uuids(7),
    "e-mail": lambda: (f"first.last{number}@mail{number % 7}.example" for number in range(IDS)),
    "cyrillic": lambda: map(_words(0x430, 32), range(IDS)),
    "cjk": lambda: map(_words(0x4E00, 20_000), range(IDS)),
    "one byte": lambda: (bytes([number % 256]) for number in range(IDS)),
}


def hashes(kind: str, salt: str) -> Iterator[int]:
    """Yield positions of the kind's ids: an eighth of all; the 256 single bytes come again under further salts."""
    ruler = seed(salt)
    for count, value in enumerate(islice(KINDS[kind](), IDS // len(KINDS))):
        if kind == "one byte" and count % 256 == 0:
            ruler = seed(f"{salt}{count // 256}")
        yield xxh64(subject_bytes(value) or b"", ruler)


@pytest.mark.parametrize("kind", KINDS)
def test_buckets_are_even(kind: str):
    """Subjects of every kind spread evenly over the ruler."""
    counts = Counter(bucket(h) * 101 // 1_000_000 for h in hashes(kind, "checkout.new"))
    edges = [-(-1_000_000 * part // 101) for part in range(102)]
    shares = {part: (edges[part + 1] - edges[part]) / 1_000_000 for part in range(101)}
    assert chi_square(counts, shares) > IMPROBABLE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "weights", [{"A": 50, "B": 30, "C": 20}, {"on": 20, "off": 70, "beta": 10}], ids=["A-B-C", "on-off-beta"]
)
def test_splits_have_their_shares(kind: str, weights: dict[str, int]):
    """Subjects of every kind take the variants in the shares of the weights, independently of a gate beside the split."""
    pairs = Counter((bucket(h) < 250_000, choose(h, weights)) for h in hashes(kind, "search.ranker"))
    counts: Counter[object] = Counter()
    for (_, variant), count in pairs.items():
        counts[variant] += count
    assert chi_square(counts, {name: weight / 100 for name, weight in weights.items()}) > IMPROBABLE
    assert independence(pairs) > IMPROBABLE


@pytest.mark.parametrize("kind", KINDS)
def test_flags_are_independent(kind: str):
    """What a subject gets from one flag says nothing about what it gets from another."""
    pairs = Counter(
        (bucket(one) * 3 // 1_000_000, bucket(other) * 3 // 1_000_000)
        for one, other in zip(hashes(kind, "one"), hashes(kind, "other"), strict=True)
    )
    assert independence(pairs) > IMPROBABLE


def test_tiny_weights_have_their_share():
    """A weight of 0.001 % and 0.1 % takes about that share, neither nobody nor many."""
    count = 1_000_000 if NIGHTLY else 30_000
    for weight in (0.001, 0.1):
        weights = reduce_weights({"rare": weight, "usual": 100 - weight})
        taken = sum(choose(position("tiny", b"%d" % number), weights) == "rare" for number in range(count))
        expected = count * weight / 100
        assert abs(taken - expected) <= 4 * expected**0.5 + 2
