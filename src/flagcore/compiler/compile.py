"""A whole flag set to a snapshot; with an earlier result only what changed is compiled again."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from flagcore.compiler.flag_compiler import FlagProgram, compile_one
from flagcore.compiler.options import Options
from flagcore.compiler.refusal import Refusal
from flagcore.compiler.value_objects import ValueObjects, segment_object
from flagcore.errors import FlagSetError, Problem
from flagcore.model.collection import no_collection
from flagcore.model.flagset import Flag, FlagSet, Segment
from flagcore.snapshot.objects import Snapshot

__all__ = ["Compiled", "CompiledFlag", "compile_flag", "compile_flag_set"]

Progress = Callable[[int, int], None]


class CompiledFlag(msgspec.Struct, frozen=True):
    """One flag by itself: its program, the value sets that it links to, its encoded debug information."""

    program: bytes
    value_sets: dict[str, bytes]
    debug: bytes


class Compiled(msgspec.Struct, frozen=True):
    """A snapshot, warnings, and what the next compilation can take over."""

    snapshot: Snapshot
    problems: tuple[Problem, ...]
    flag_set: FlagSet
    options: Options
    with_debug: bool
    flags: dict[str, FlagProgram]
    objects: ValueObjects
    recompiled: frozenset[str]  # keys of the flags that were not taken over


def compile_flag_set(
    flag_set: FlagSet,
    *,
    epoch: int = 0,
    revision: int = 1,
    debug: bool = True,
    previous: Compiled | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Compiled:
    """Compile every flag of a valid set.

    With ``previous`` only flags that changed, or that name a segment that changed, are compiled; all others keep their
    bytes. ``progress`` is called with (flags done, flags in all).

    Raises:
        FlagSetError: what only building can tell, with all problems: an automaton or program too large, too many tests.
    """
    build = _Build(flag_set, options or Options(), debug, previous)
    fresh: dict[str, FlagProgram] = {}
    problems: list[Problem] = []
    total = len(flag_set.flags)
    stale = build.stale_keys()
    with no_collection():
        for done, key in enumerate(stale, total - len(stale) + 1):
            try:
                fresh[key] = build.compile(key)
            except Refusal as refusal:
                problems.append(refusal.problem(key))
            if progress is not None:
                progress(done, total)
    if problems:
        raise FlagSetError(problems)
    return build.finish(fresh, epoch, revision)


def compile_flag(flag_set: FlagSet, key: str, options: Options | None = None) -> CompiledFlag:
    """Compile one flag of a valid set; KeyError when there is none of that key, FlagSetError as for a set."""
    objects = ValueObjects()
    try:
        flag = compile_one(flag_set.flags[key], flag_set.segments, objects, options or Options(), debug=True)
    except Refusal as refusal:
        raise FlagSetError([refusal.problem(key)]) from refusal
    return CompiledFlag(flag.program, {name: objects.blobs[name] for name in flag.sets}, flag.debug or b"")


class _Build:
    """One compilation of a set.

    What did not change is taken over wholesale, so that one changed flag among ten thousand costs little more than itself.
    """

    def __init__(self, flag_set: FlagSet, options: Options, debug: bool, previous: Compiled | None) -> None:
        self._set = flag_set
        self._options = options
        self._debug = debug
        usable = previous is not None and previous.options == options and previous.with_debug == debug
        self._previous = previous if usable else None
        self._objects = ValueObjects() if self._previous is None else self._kept_objects(self._previous)

    def stale_keys(self) -> list[str]:
        """Return the keys of the flags to compile, in the set's order."""
        if self._previous is None:
            return list(self._set.flags)
        known, before = self._previous.flags, self._previous.flag_set.flags
        changed = [
            key
            for key, flag in self._set.flags.items()
            if flag is not (other := before.get(key)) and (other is None or not _same(flag, other))
        ]
        segments = self._changed_segments(self._previous.flag_set)
        if not segments:
            return changed
        touched = {*changed, *(key for key, flag in known.items() if not segments.isdisjoint(flag.segments))}
        return [key for key in self._set.flags if key in touched]

    def compile(self, key: str) -> FlagProgram:
        """Compile one flag."""
        return compile_one(self._set.flags[key], self._set.segments, self._objects, self._options, debug=self._debug)

    def finish(self, fresh: dict[str, FlagProgram], epoch: int, revision: int) -> Compiled:
        """Put flags taken over and fresh ones together; value sets that no flag names are left out."""
        flags = fresh
        programs: dict[str, bytes] = {}
        debug: dict[str, bytes] = {}
        if self._previous is not None:
            flags = {**self._previous.flags, **fresh}
            programs, debug = dict(self._previous.snapshot.programs), dict(self._previous.snapshot.debug)
            gone = [key for key in flags if key not in self._set.flags] if len(flags) > len(self._set.flags) else ()
            for key in gone:
                del flags[key], programs[key]
                debug.pop(key, None)
        programs.update((key, flag.program) for key, flag in fresh.items())
        debug.update((key, flag.debug) for key, flag in fresh.items() if flag.debug is not None)
        names = sorted({name for flag in flags.values() if flag.sets for name in flag.sets})
        value_sets = {name: self._objects.blobs[name] for name in names}
        if self._previous is None or not fresh.keys() <= self._previous.flags.keys():
            programs, debug = dict(sorted(programs.items())), dict(sorted(debug.items()))
        snapshot = Snapshot(epoch, revision, programs, value_sets, debug)
        return Compiled(
            *(snapshot, (), self._set, self._options, self._debug, flags, self._objects, frozenset(fresh)),
        )

    def _changed_segments(self, before: FlagSet) -> set[str]:
        """Names of the segments that are new, gone or different."""
        now = self._set.segments
        names = {*now, *before.segments}
        return {
            name
            for name in names
            if now.get(name) is not before.segments.get(name)
            and (name not in now or name not in before.segments or not _same(now[name], before.segments[name]))
        }

    def _kept_objects(self, previous: Compiled) -> ValueObjects:
        """Value sets of the previous result, without those of segments that changed."""
        changed = {segment_object(name) for name in self._changed_segments(previous.flag_set)}
        kept = ValueObjects()
        kept.blobs = {name: blob for name, blob in previous.snapshot.value_sets.items() if name not in changed}
        return kept


def _same(now: Flag | Segment, before: Flag | Segment) -> bool:
    """Tell whether two authored things are the same to the type: ``==`` does not tell 1 from true and 1.0."""
    return now is before or msgspec.msgpack.encode(now) == msgspec.msgpack.encode(before)
