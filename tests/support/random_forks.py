"""Sound forked programs made at random, for comparing the kernel's walk with the readable one. A seed gives the same program always."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from struct import pack

from flagcore.bucketing import seed
from flagcore.compiler.layout import LEAF_BIT, NO_MEMO, NONE, NodeFlag, Op, ViewKind
from flagcore.compiler.tables import build_table
from tests.support.program_builder import Builder, Column, Reference, automaton, leaf, number

__all__ = ["WORDS", "random_blocks", "random_context", "random_forks"]

WORDS = [f"w{at}" for at in range(40)] + ["a text of more than a word"]
NEEDLES = [b"w", b"1", b"2", b"3", b"more", b"w7"]
MOST_STEPS = 4000  # of one walk: branches of branches multiply

Build = Callable[[Builder], int]


def random_forks(number_: int, *, memos: bool = True) -> Builder:
    """Return the program of a number: up to 40 nodes of every kind, forks in forks, and memo words for everything or for nothing."""
    return _made(number_, memos, forks=True)


def random_blocks(number_: int, *, memos: bool = True) -> Builder:
    """The same with blocks, tests and switches alone: a row of a table stands at one node at a time."""
    return _made(number_, memos, forks=False)


def _made(number_: int, memos: bool, *, forks: bool) -> Builder:
    for attempt in range(100):
        builder = _Maker(Random(f"{number_}.{attempt}"), memos, forks).make()
        bound = max((word >> 8 for word in builder.bound_words()), default=0)
        if bound <= MOST_STEPS:
            return builder
    raise AssertionError("no program is small enough")


def random_context(choices: Random) -> dict[str, object]:
    """Return values for the attributes of such programs, of every type now and then."""
    return {name: _value(choices) for name in ("a", "b", "c") if choices.random() < 0.9}


def _value(choices: Random) -> object:
    match choices.randrange(8):
        case 0:
            return choices.choice([None, True, False, 2.5, -1, b"w1", [], ["w1", None, 5, True]])
        case 1 | 2:
            return choices.randrange(-1, 9)
        case 3 | 4 | 5:
            return choices.choice(WORDS)
        case _:
            return choices.choices([*WORDS, *(word.upper() for word in WORDS[:9])], k=choices.randrange(30))


class _Maker:
    """Makes nodes from the last to the first, so that each knows the smallest leaf behind it."""

    def __init__(self, choices: Random, memos: bool, forks: bool) -> None:
        self._choices = choices
        self._memos = memos
        self._forks = forks
        self._count = choices.randrange(1, 41)
        self._leaves = choices.randrange(1, 30)
        self._builds: dict[int, Build] = {}
        self._smallest: dict[int, int] = {}  # exit -> leaf's exit, or NONE
        self._rows: list[int] = []
        self._others: list[int] = []

    def make(self) -> Builder:
        builder = Builder("random", memo_count=15, variants=[f"v{at:02}" for at in range(self._leaves)])
        for name in ("a", "b", "c"):
            builder.slot(name)
        for variant in range(self._leaves - 1):
            builder.variant_leaf(variant)
        builder.split_leaf(
            {"v00": 1, builder.variants[-1]: 2}, 2, memo=self._word(14)
        ) if self._leaves > 1 else builder.caller_leaf()
        self._add_views(builder)
        for at in reversed(range(self._count)):
            self._plan(at)
        for at in range(self._count):
            assert self._builds[at](builder) == at
        builder.flags = 1
        return builder

    def _add_views(self, builder: Builder) -> None:
        table = {word.encode(): 3 + at for at, word in enumerate(WORDS[::3])}
        for slot in range(3):
            classes, texts = 3 + len(table), Reference(build_table(table))
            builder.view(ViewKind.TEXT, slot, classes, texts, count=len(table), memo=self._word(slot))
            numbers = Reference(tuple(map(number, (0, 3, 6))))
            builder.view(ViewKind.NUMBER, slot, 9, numbers, count=3, memo=self._word(3 + slot))
            builder.view(ViewKind.AUTOMATON, slot, 0, Reference(automaton(*NEEDLES)), memo=self._word(6 + slot))
            builder.view(ViewKind.PRESENCE, slot, 3, memo=self._word(9 + slot))

    def _word(self, word: int) -> int:
        return word if self._memos else NO_MEMO

    # -- exits

    def _exit(self, among: Sequence[int]) -> int:
        kind = self._choices.random()
        if kind < 0.2:
            return NONE
        if kind < 0.35 or not among:
            return leaf(self._choices.randrange(self._leaves))
        return self._choices.choice(among)

    def _smallest_of(self, exits: Sequence[int]) -> int:
        return min((self._smallest.get(exit_, exit_) for exit_ in exits), default=NONE)

    def _branches(self, count: int) -> list[tuple[int, int]]:
        """Branches that lead mostly to leaves, ascending."""
        exits = [self._exit(self._others if self._choices.random() < 0.7 else ()) for _ in range(count)]
        firsts = [min(self._smallest_of([exit_]) & ~LEAF_BIT, self._leaves - 1) for exit_ in exits]
        return sorted(zip(firsts, exits, strict=True))

    def _rest(self) -> tuple[int, int]:
        exit_ = self._exit(self._others)
        return min(self._smallest_of([exit_]) & ~LEAF_BIT, self._leaves - 1), exit_

    # -- nodes

    def _plan(self, at: int) -> None:
        if at and self._choices.random() < 0.4:
            exits, build = self._test(self._rows, NodeFlag.ROW)
            self._rows.append(at)
        else:
            plans = [self._plain, self._switch, self._fork, self._block, self._multi, self._keyed]
            plans = plans if self._forks else [self._plain, self._switch, self._block]
            entry = self._fork if self._forks else self._block
            exits, build = self._choices.choice(plans)() if at else entry()
            self._others.append(at)
        self._builds[at], self._smallest[at] = build, self._smallest_of(exits)

    def _plain(self) -> tuple[Sequence[int], Build]:
        return self._test(self._others, 0)

    def _test(self, among: Sequence[int], flags: int) -> tuple[Sequence[int], Build]:
        exits, slot = (self._exit(among), self._exit(among), self._exit(among)), self._choices.randrange(3)
        match self._choices.randrange(4):
            case 0:
                return exits, lambda builder: builder.node(Op.HAS, slot, exits, flags=flags)
            case 1:
                order = NodeFlag.LT | flags
                return exits, lambda builder: builder.node(Op.NUMBER, slot, exits, flags=order, immediate=4)
            case 2:
                intervals = Reference(pack("<5I", 2, 1, 4, 6, 8), 4)
                view = 4 * slot + self._choices.randrange(2)
                return exits, lambda builder: builder.node(
                    Op.CLASS, slot, exits, flags=flags, pool=intervals, length=view
                )
            case _:
                salt, memo = seed("salt"), self._word(12 + slot)
                return exits, lambda builder: builder.node(
                    Op.GATE, slot, exits, flags=flags, immediate=salt, pool=500_000, length=memo
                )

    def _view(self) -> tuple[int, int]:
        """A view that has classes, and their number."""
        slot, kind = self._choices.randrange(3), self._choices.choice([0, 1, 3])
        return 4 * slot + kind, {0: 17, 1: 9, 3: 3}[kind]

    def _switch(self) -> tuple[Sequence[int], Build]:
        view, classes = self._view()
        cuts = sorted(self._choices.sample(range(classes), k=self._choices.randrange(classes)))
        exits = [self._exit(self._others) for _ in range(len(cuts) + 1)]
        return exits, lambda builder: builder.switch(view, cuts, exits)

    def _fork(self) -> tuple[Sequence[int], Build]:
        branches = self._branches(self._choices.randrange(6))
        return [exit_ for _, exit_ in branches], lambda builder: builder.fork(*branches)

    def _block(self) -> tuple[Sequence[int], Build]:
        count = self._choices.choice([1, 3, 8, 63, 64])
        rows = [self._exit(self._rows) for _ in range(count)]
        columns = [self._column(count) for _ in range(self._choices.randrange(4))]
        on_false = self._exit(self._others)
        return [*rows, on_false], lambda builder: builder.block(columns, rows, on_false)

    def _column(self, rows: int) -> Column:
        view, classes = self._view()
        masks = [self._choices.getrandbits(64) | self._choices.getrandbits(rows) for _ in range(classes)]
        if self._choices.random() < 0.5:
            cuts = sorted(self._choices.sample(range(1, classes), k=self._choices.randrange(classes)))
            return Column(view, masks[: len(cuts) + 1], cuts=cuts)
        local = self._choices.randrange(1, classes + 1)
        return Column(view, masks[:local], bytes(self._choices.choices(range(local), k=classes)))

    def _multi(self) -> tuple[Sequence[int], Build]:
        """Keyed by the texts of a list."""
        branches = self._branches(self._choices.randrange(1, 30))
        numbers, slot, rest = range(len(branches)), self._choices.randrange(3), self._rest()
        keys = {word.encode(): self._choices.choice(numbers) for word in self._choices.sample(WORDS, k=30)}
        fold = self._choices.choice([0, NodeFlag.FOLD])
        return [rest[1], *(exit_ for _, exit_ in branches)], lambda builder: builder.multi(
            slot, keys, branches, rest, flags=fold
        )

    def _keyed(self) -> tuple[Sequence[int], Build]:
        """Keyed by the tests of an automaton."""
        bits = self._choices.randrange(1, 1 << len(NEEDLES))
        branches, slot, rest = self._branches(bits.bit_count()), self._choices.randrange(3), self._rest()
        return [rest[1], *(exit_ for _, exit_ in branches)], lambda builder: builder.multi(
            slot, bits, branches, rest, view=4 * slot + 2
        )
