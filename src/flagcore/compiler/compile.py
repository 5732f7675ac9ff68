"""A whole flag set to a snapshot; with an earlier result only what changed is compiled again."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from flagcore.compiler.flag_compiler import FlagProgram, compile_one
from flagcore.compiler.options import Options
from flagcore.compiler.refusal import Refusal
from flagcore.compiler.value_objects import ValueObjects
from flagcore.errors import FlagSetError, Problem
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
    flags: dict[str, FlagProgram] = {}
    problems: list[Problem] = []
    for done, (key, flag) in enumerate(flag_set.flags.items(), 1):
        try:
            flags[key] = build.flag(key, flag)
        except Refusal as refusal:
            problems.append(refusal.problem(key))
        if progress is not None:
            progress(done, len(flag_set.flags))
    if problems:
        raise FlagSetError(problems)
    return build.finish(flags, epoch, revision)


def compile_flag(flag_set: FlagSet, key: str, options: Options | None = None) -> CompiledFlag:
    """Compile one flag of a valid set; KeyError when there is none of that key, FlagSetError as for a set."""
    objects = ValueObjects()
    try:
        flag = compile_one(flag_set.flags[key], flag_set.segments, objects, options or Options(), debug=True)
    except Refusal as refusal:
        raise FlagSetError([refusal.problem(key)]) from refusal
    return CompiledFlag(flag.program, {name: objects.blobs[name] for name in flag.sets}, flag.debug or b"")


class _Build:
    def __init__(self, flag_set: FlagSet, options: Options, debug: bool, previous: Compiled | None) -> None:
        self._set = flag_set
        self._options = options
        self._debug = debug
        usable = previous is not None and previous.options == options and previous.with_debug == debug
        self._previous = previous if usable else None
        self._objects = ValueObjects()
        self._recompiled: set[str] = set()
        self._changed: dict[str, bool] = {}

    def flag(self, key: str, flag: Flag) -> FlagProgram:
        """Take the flag over or compile it."""
        known = self._known(key, flag)
        if known is not None:
            return known
        self._recompiled.add(key)
        return compile_one(flag, self._set.segments, self._objects, self._options, debug=self._debug)

    def finish(self, flags: dict[str, FlagProgram], epoch: int, revision: int) -> Compiled:
        """Put the snapshot together; value sets that no flag names are left out."""
        names = sorted({name for flag in flags.values() for name in flag.sets})
        value_sets = {name: self._objects.blobs[name] for name in names}
        snapshot = Snapshot(
            epoch,
            revision,
            {key: flag.program for key, flag in sorted(flags.items())},
            value_sets,
            {key: flag.debug for key, flag in sorted(flags.items()) if flag.debug is not None},
        )
        return Compiled(
            snapshot,
            (),
            self._set,
            self._options,
            self._debug,
            flags,
            self._objects,
            frozenset(self._recompiled),
        )

    def _known(self, key: str, flag: Flag) -> FlagProgram | None:
        if self._previous is None or key not in self._previous.flags:
            return None
        known = self._previous.flags[key]
        if not _same(flag, self._previous.flag_set.flags[key]) or any(map(self._segment_changed, known.segments)):
            return None
        for name in known.sets:
            self._objects.blobs.setdefault(name, self._previous.objects.blobs[name])
        return known

    def _segment_changed(self, name: str) -> bool:
        changed = self._changed.get(name)
        if changed is None:
            assert self._previous is not None
            now, before = self._set.segments.get(name), self._previous.flag_set.segments.get(name)
            changed = self._changed[name] = now is None or before is None or not _same(now, before)
        return changed


def _same(now: Flag | Segment, before: Flag | Segment) -> bool:
    """Tell whether two authored things are the same to the type: ``==`` does not tell 1 from true and 1.0."""
    return now is before or msgspec.msgpack.encode(now) == msgspec.msgpack.encode(before)
