"""The engine: holds the linked programs of one revision, answers, and swaps revisions whole.

The getters, ``evaluate``, ``evaluate_all``, ``context`` and ``flag`` are the evaluator's compiled methods. What is here
happens between evaluations: loading, overrides, counters, the end.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from flagcore.evaluator._program import Context, EvaluationDetails, Evaluator, FlagHandle, ProgramSet, changes, retired
from flagcore.snapshot.layered import replaced
from flagcore.snapshot.objects import Snapshot

if TYPE_CHECKING:
    from typing import Self

    from flagcore.context import ContextLike
    from flagcore.evaluator.explain import Explanation

__all__ = ["Context", "Engine", "EvaluationDetails", "Explanation", "FlagHandle", "renew_locks"]

Counts = dict[tuple[str | None, str | None, str], int]
"""(variant, rule id, reason) -> evaluations."""


MAX_RETIRED_FLAGS = 20_000  # flags whose replaced programs' counts wait for somebody to take them
MAX_RETIRED_OUTCOMES = 1_000  # of each
AT_ONCE = 32  # flags between two pauses: some 30 us
_NOTHING: Mapping[str, bytes | None] = MappingProxyType({})


def present() -> int:
    """Return the time in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def __getattr__(name: str) -> object:
    if name == "Explanation":  # only who explains loads it
        from flagcore.evaluator.explain import Explanation

        return Explanation
    raise AttributeError(f"module 'flagcore.engine' has no attribute {name!r}")


class Engine(Evaluator):
    """Flags of one environment, from any thread. Before the first ``load`` every flag is PROVIDER_NOT_READY.

    Args:
        clock: gives the time in microseconds since 1970 UTC; called only when a flag looks at ``now``.
        static_context: lies under the context of each call: attributes that a call does not name come from here.
        on_unknown: called with the key when a flag is unknown.
    """

    degraded: dict[str, str]
    """Flags that were refused by the last load, with the reason; they keep their previous program or are missing."""

    def __new__(
        cls,
        *,
        clock: Callable[[], int] = present,
        static_context: Mapping[str, Any] | None = None,
        on_unknown: Callable[[str], None] | None = None,
    ) -> Self:
        """Return an engine without data."""
        engine = super().__new__(cls, clock=clock, static_context=static_context, on_unknown=on_unknown)
        engine.degraded = {}
        engine._base = engine._current
        engine._lock = threading.RLock()
        engine._overrides = {}
        engine._tokens = 0
        engine._retired = {}
        engine.uncounted = 0
        _engines.add(engine)
        return engine

    uncounted: int
    """Evaluations that ``counters`` does not tell: more programs were replaced than counts are kept of until they are drained."""

    _base: ProgramSet  # the revision without overrides
    _lock: threading.RLock  # held by whoever changes anything; evaluations never take it
    _overrides: dict[int, dict[str, object]]  # token -> values, the latest last
    _tokens: int
    _retired: dict[str, Counts]  # counts of programs that are no longer served

    # -- revisions ----------------------------------------------------------------------------------------------------

    def load(self, snapshot: Snapshot, pause: Callable[[], object] | None = None) -> frozenset[str]:
        """Serve a snapshot from here on, all of it at once; returns the keys of flags that are new, gone or changed.

        Unchanged programs stay as they are, counts and built answers included. A malformed program never takes the
        others with it: see ``degraded``.

        ``pause()`` is called about each 30 us while flags are linked and old ones freed, with nothing half done: one that
        sleeps lets other threads evaluate, who would wait for the interpreter until all is done (10,000 flags: some 6 ms).
        """
        with self._lock:
            if self._closed:
                return frozenset()
            made, self.degraded = self._link(
                snapshot.programs,
                snapshot.value_sets,
                self._base,
                snapshot.epoch,
                snapshot.revision,
                snapshot.debug,
                pause=pause,
            )
            changed, parts = self._follow(made, snapshot.programs, pause)
        _free(parts, pause)
        return changed

    def patch(
        self,
        revision: int,
        programs: Mapping[str, bytes | None],
        value_sets: Mapping[str, bytes | None] = _NOTHING,
        debug: Mapping[str, bytes | None] = _NOTHING,
        pause: Callable[[], object] | None = None,
    ) -> frozenset[str]:
        """Serve what is served with other programs, value sets and debug information from here on; None takes one away.

        As ``load`` of the whole; new flags come behind the others. The caller sees to it that this is a change of the
        revision that is served, and loads the whole while flags are degraded: refused programs are not kept. Other programs
        for known flags that name what they named before cost what they take themselves, however many flags there are;
        anything else costs a glance at all of them.
        """
        with self._lock:
            if self._closed:
                return frozenset()
            given, base = dict(programs), self._base
            texts = replaced(base.debug, {**dict.fromkeys(given), **debug})
            made = (
                None if value_sets or not base.ready else self._patch(given, base, base.epoch, revision, texts, pause)
            )
            degraded: dict[str, str] = {}
            if made is None:
                whole, sets = base.sources()
                _put(whole, given)
                _put(sets, value_sets)
                made, degraded = self._link(whole, sets, base, base.epoch, revision, texts, pause=pause)
            self.degraded = {**{key: why for key, why in self.degraded.items() if key not in given}, **degraded}
            del base
            changed, parts = self._follow(made, given, pause)
        _free(parts, pause)
        return changed

    def _follow(
        self, made: ProgramSet, given: Mapping[str, object], pause: Callable[[], object] | None
    ) -> tuple[frozenset[str], list[object]]:
        """Serve a revision in which programs of these keys were given; returns the changed keys, and what may be freed in pieces."""
        before, self._base = self._base, made
        self._serve(pause)
        is_first = not before and len(made) == len(given)
        changed = frozenset(given) if is_first else changes(before, made, pause)
        return changed, [] if pause is None else before.parts()

    @property
    def revision(self) -> int:
        """The number of the served revision; 0 without data."""
        return self._base.revision

    @property
    def epoch(self) -> int:
        """The incarnation of the environment's history that the revision belongs to."""
        return self._base.epoch

    @property
    def ready(self) -> bool:
        """Whether there is data."""
        return self._base.ready

    def keys(self) -> Iterable[str]:
        """Return the flag keys, overrides included: a view with length."""
        return self._current.keys()

    def close(self) -> None:
        """Answer PROVIDER_NOT_READY from here on, for good. Idempotent."""
        with self._lock:
            self._closed = True
            self._overrides.clear()
            self._base = self._empty()
            self._serve()

    def _serve(self, pause: Callable[[], object] | None = None) -> None:
        """Make the base with its overrides the current revision, and keep the counts of what goes."""
        before, now = self._current, self._overridden(pause)
        self._swap(now)
        for number, program in enumerate(retired(before, now, pause)):
            if counts := program.counts(drain=True):
                self._retire(program.key, counts)
            if pause is not None and number % AT_ONCE == 0:
                pause()

    def _retire(self, key: str, counts: Counts) -> None:
        """Keep the counts of a program that goes; beyond the bounds only how many they are."""
        kept = self._retired.get(key, {})
        is_full = key not in self._retired and len(self._retired) >= MAX_RETIRED_FLAGS
        if is_full or len(kept) + len(counts) > MAX_RETIRED_OUTCOMES:
            self.uncounted += sum(counts.values())
            return
        _add(kept, counts)
        self._retired[key] = kept

    # -- overrides ----------------------------------------------------------------------------------------------------

    def push_override(self, values: Mapping[str, object]) -> int:
        """Answer with these values (flag key -> value) until the returned token is popped; later pushes lie on top.

        A value that is a variant's also decides for flags that require that variant.

        Raises:
            TypeError: this is no mapping, a key is no flag key, or no flag can have such a value.
        """
        if not isinstance(values, Mapping):
            raise TypeError(f"override takes a mapping of flag keys to values, not {type(values).__name__}")
        with self._lock:  # forks wait for it: a child forked amid another thread's import would wait for that for ever
            from copy import deepcopy

            from flagcore.evaluator.constant import constant_program
        given = dict(values)
        for key, value in given.items():
            constant_program(key, value, None)  # raises for what cannot be one
        kept = deepcopy(given)  # each load reads them again
        with self._lock:
            self._tokens += 1
            if not self._closed:
                self._overrides[self._tokens] = kept
                self._serve()
            return self._tokens

    def pop_override(self, token: int) -> None:
        """End an override, in any order; a token that is not known is ignored."""
        with self._lock:
            if self._overrides.pop(token, None) is not None:
                self._serve()

    def _overridden(self, pause: Callable[[], object] | None) -> ProgramSet:
        if not self._overrides:
            return self._base
        from flagcore.evaluator.constant import constant_program

        base = self._base
        programs, value_sets = base.sources()
        for values in self._overrides.values():
            for key, value in values.items():
                programs[key] = constant_program(key, value, base.get(key))
        made, _ = self._link(programs, value_sets, base, base.epoch, base.revision, base.debug, base.ready, pause)
        return made

    # -- tables -------------------------------------------------------------------------------------------------------

    def evaluate_table(
        self,
        flag_key: str,
        table: object,
        *,
        columns: Sequence[str] = ("variant",),
        at: int | None = None,
        threads: int = 1,
        progress: Callable[[int, int | None], object] | None = None,
    ) -> Any:
        """Return a flag's answer for every row of a table, as ``evaluate`` would give it for a context of the row's values.

        ``table`` is anything that hands over Arrow data (tables, record batches, streams and data frames of pyarrow,
        Polars, DuckDB, pandas), or a mapping of names to columns: NumPy arrays, Arrow arrays, lists. ``columns`` are some
        of ``variant``, ``value``, ``reason``, ``rule``, ``error_code``: one gives an Arrow array (texts as a
        dictionary), several a record batch; null where there is nothing to tell, as for the variant where the caller's
        default value would be served. All rows are evaluated with one revision, at one time ``at`` (microseconds since
        1970 UTC, or now). ``threads``: how many evaluate, 0 for as many as there are processors; the GIL is released.
        ``progress(done, total or None)`` is called in this thread; what it raises ends the evaluation.

        Raises:
            TypeError: ``table`` is no table, or a column none.
            ValueError: columns differ in length, are malformed, or of a kind that cannot be read; an unknown answer is asked for.
        """
        from flagcore.evaluator.table import evaluate_table

        programs = self._current
        if programs.ready and programs.get(flag_key) is None:
            self._unknown(flag_key)
        run_all = _in_turn if (count := threads or _processors()) == 1 else partial(_in_threads, count)
        now = self._time() if at is None else at
        return evaluate_table(programs, flag_key, table, columns=columns, now=now, run_all=run_all, progress=progress)

    # -- explaining, counting -----------------------------------------------------------------------------------------

    def explain(
        self, flag_key: str, evaluation_context: ContextLike | Context = None, at: int | None = None
    ) -> Explanation:
        """Return how the flag comes to its answer for a context, now or at a time in microseconds since 1970 UTC."""
        from flagcore.evaluator.explain import explain

        return explain(self, flag_key, evaluation_context, at)

    def counters(self, drain: bool = False) -> dict[str, Counts]:
        """Return evaluations by flag, variant, rule and reason, since the start or the last drain."""
        with self._lock:
            counts: dict[str, Counts] = {key: dict(known) for key, known in self._retired.items()}
            for program in self._current.linked():
                if found := program.counts(drain):
                    _add(counts.setdefault(program.key, {}), found)
            if drain:
                self._retired.clear()
            return counts


def _put(objects: dict[str, bytes], changed: Mapping[str, bytes | None]) -> None:
    for name, content in changed.items():
        if content is None:
            objects.pop(name, None)
        else:
            objects[name] = content


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_turn(jobs: Iterator[Callable[[], int]]) -> Iterator[int]:
    for job in jobs:
        yield job()


def _in_threads(count: int, jobs: Iterator[Callable[[], int]]) -> Iterator[int]:
    """Carry out jobs in so many threads. They end with the generator: what has not begun then never does."""
    from concurrent.futures import ThreadPoolExecutor, as_completed

    pool = ThreadPoolExecutor(count, "flagcore-table")
    try:
        yield from (future.result() for future in as_completed([pool.submit(job) for job in jobs]))
    finally:
        pool.shutdown(cancel_futures=True)


def _free(objects: list[object], pause: Callable[[], object] | None) -> None:
    """Let go of objects, most of which nobody else holds, a few at a time."""
    while objects and pause is not None:
        pause()
        del objects[-AT_ONCE:]


def _add(counts: Counts, more: Counts) -> None:
    for what, count in more.items():
        counts[what] = counts.get(what, 0) + count


_engines: weakref.WeakSet[Engine] = weakref.WeakSet()
_held = threading.local()  # locks: what this thread, about to fork, holds; several threads may fork at once


def _before_fork() -> None:
    """Let no child inherit half a swap, or a lock whose holder it does not have."""
    _held.locks = [engine._lock for engine in _listed()]
    for lock in _held.locks:
        lock.acquire()


def _listed() -> list[Engine]:
    """Return the engines in one order for all threads."""
    while True:
        try:
            return sorted(_engines, key=id)
        except RuntimeError:  # another thread made one meanwhile
            continue


def _after_fork() -> None:
    while _held.locks:
        _held.locks.pop().release()


def renew_locks() -> None:
    """In a child: let nobody wait for a thread that is not there. Also where no handler ran before the fork (uWSGI)."""
    for engine in _listed():
        engine._lock = threading.RLock()
    _held.locks = []


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=renew_locks)
