"""A whole flag set to a snapshot; with an earlier result only what changed is compiled again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import compress
from operator import is_not

import msgspec

from flagcore.compiler.debug_of_flags import DebugOfFlags
from flagcore.compiler.debug_when_asked import DebugWhenAsked
from flagcore.compiler.flag_compiler import FlagProgram, compile_one
from flagcore.compiler.options import Debug, Options
from flagcore.compiler.refusal import Refusal
from flagcore.compiler.value_objects import ValueObjects, segment_object
from flagcore.errors import Problem
from flagcore.model.collection import no_collection
from flagcore.model.flagset import Flag, FlagSet, Segment
from flagcore.model.problems import Finding, UnplacedError
from flagcore.snapshot.layered import Layered, replaced
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
    debug: Debug
    flags: Mapping[str, FlagProgram]  # sorted by key, as the programs are
    objects: ValueObjects
    recompiled: frozenset[str]  # keys of the flags that were not taken over


def compile_flag_set(
    flag_set: FlagSet,
    *,
    epoch: int = 0,
    revision: int = 1,
    debug: Debug = True,
    previous: Compiled | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Compiled:
    """Compile every flag of a valid set.

    With ``previous`` only flags that changed, or that name a segment that changed, are compiled; all others keep their
    bytes. ``progress`` is called with (flags done, flags in all). One changed flag among 10,000 takes about a
    millisecond (W13 of benchmarks). The snapshot's debug information may be no dict: with ``debug="when asked"`` it makes
    each flag's when it is first looked up, and where little changed it looks into what was taken over.

    Raises:
        FlagSetError: what only building can tell, with all problems: an automaton or program too large, too many tests.
            They have paths; ``flagcore.model.places.placed`` gives them file, line and column.
    """
    build = _Build(flag_set, options or Options(), debug, previous)
    fresh: dict[str, FlagProgram] = {}
    findings: list[Finding] = []
    total = len(flag_set.flags)
    stale = build.stale_keys()
    with no_collection():
        for done, key in enumerate(stale, total - len(stale) + 1):
            try:
                fresh[key] = build.compile(key)
            except Refusal as refusal:
                findings.append(refusal.finding(key))
            if progress is not None:
                progress(done, total)
    if findings:
        raise UnplacedError(findings)
    return build.finish(fresh, epoch, revision)


def compile_flag(flag_set: FlagSet, key: str, options: Options | None = None) -> CompiledFlag:
    """Compile one flag of a valid set; KeyError when there is none of that key, FlagSetError as for a set."""
    objects = ValueObjects()
    try:
        flag = compile_one(flag_set.flags[key], flag_set.segments, objects, options or Options(), debug=True)
    except Refusal as refusal:
        raise UnplacedError([refusal.finding(key)]) from refusal
    return CompiledFlag(flag.program, {name: objects.blobs[name] for name in flag.sets}, flag.debug or b"")


class _Build:
    """One compilation of a set.

    What did not change is taken over wholesale, so that one changed flag among ten thousand costs little more than itself.
    """

    def __init__(self, flag_set: FlagSet, options: Options, debug: Debug, previous: Compiled | None) -> None:
        self._set = flag_set
        self._options = options
        self._debug: Debug = debug
        usable = previous is not None and previous.options == options and previous.debug == debug
        self._previous = previous if usable else None
        self._objects = ValueObjects()
        self._changed_segments: set[str] = set()
        if self._previous is not None:
            self._changed_segments = _changed(flag_set.segments, self._previous.flag_set.segments)
            self._keep_objects(self._previous)

    def stale_keys(self) -> list[str]:
        """Return the keys of the flags to compile, in the set's order."""
        if self._previous is None:
            return list(self._set.flags)
        stale = _edited(self._set.flags, self._previous.flag_set.flags)
        if self._changed_segments:
            known = self._previous.flags
            named = {key for key, flag in known.items() if not self._changed_segments.isdisjoint(flag.segments)}
            stale |= named & self._set.flags.keys()
        return list(stale) if len(stale) < 2 else [key for key in self._set.flags if key in stale]

    def compile(self, key: str) -> FlagProgram:
        """Compile one flag."""
        return compile_one(self._set.flags[key], self._set.segments, self._objects, self._options, debug=self._debug)

    def finish(self, fresh: dict[str, FlagProgram], epoch: int, revision: int) -> Compiled:
        """Put flags taken over and fresh ones together; value sets that no flag names are left out."""
        flags, programs = self._all_flags(fresh)
        snapshot = Snapshot(epoch, revision, programs, self._value_sets(flags, fresh), self._information(flags))
        return Compiled(
            *(snapshot, (), self._set, self._options, self._debug, flags, self._objects, frozenset(fresh)),
        )

    def _information(self, flags: Mapping[str, FlagProgram]) -> Mapping[str, bytes]:
        """Return the debug information; where flags are layered it is looked up in them, so that it needs no table."""
        if self._debug == "when asked":
            return DebugWhenAsked(self._set, self._objects, self._options)
        if isinstance(flags, Layered):
            return DebugOfFlags(flags)
        return {key: flag.debug for key, flag in flags.items() if flag.debug is not None}

    def _all_flags(self, fresh: dict[str, FlagProgram]) -> tuple[Mapping[str, FlagProgram], dict[str, bytes]]:
        """Return all flags and their programs, both sorted by key."""
        previous = self._previous
        if (
            previous is not None
            and len(previous.flags) == len(self._set.flags)
            and fresh.keys() <= previous.flags.keys()
        ):
            programs = {key: flag.program for key, flag in fresh.items()}
            return replaced(previous.flags, fresh), {**previous.snapshot.programs, **programs}
        known = fresh if previous is None else {**previous.flags, **fresh}
        flags = {key: known[key] for key in sorted(self._set.flags)}
        return flags, {key: flag.program for key, flag in flags.items()}

    def _value_sets(self, flags: Mapping[str, FlagProgram], fresh: dict[str, FlagProgram]) -> dict[str, bytes]:
        """Return the value sets that flags name, sorted."""
        previous = self._previous
        if (
            previous is not None
            and len(flags) == len(previous.flags)
            and all(key in previous.flags and flag.sets == previous.flags[key].sets for key, flag in fresh.items())
        ):
            names = list(previous.snapshot.value_sets)
        else:
            names = sorted({name for flag in flags.values() if flag.sets for name in flag.sets})
        return {name: self._objects.blobs[name] for name in names}

    def _keep_objects(self, previous: Compiled) -> None:
        """Take over value sets of the previous result, without those of segments that changed."""
        changed = {segment_object(name) for name in self._changed_segments}
        self._objects.blobs = {name: blob for name, blob in previous.snapshot.value_sets.items() if name not in changed}


def _edited(now: Mapping[str, Flag], before: Mapping[str, Flag]) -> set[str]:
    """Return the keys of flags that are new or different; where hardly any is, at the cost of a glance at each."""
    others: Iterable[Flag] = now.values()
    if len(now) == len(before):
        others = compress(others, map(is_not, others, before.values()))
    return {flag.key for flag in others if flag.key not in before or not _same(flag, before[flag.key])}


def _changed(now: Mapping[str, Segment], before: Mapping[str, Segment]) -> set[str]:
    """Return the names of segments that are new, gone or different."""
    if now is before:
        return set()
    names = {*now, *before}
    return {name for name in names if name not in now or name not in before or not _same(now[name], before[name])}


def _same(now: Flag | Segment, before: Flag | Segment) -> bool:
    """Tell whether two authored things are the same to the type: ``==`` does not tell 1 from true and 1.0."""
    return now is before or msgspec.msgpack.encode(now) == msgspec.msgpack.encode(before)
