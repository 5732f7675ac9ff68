"""The search for garbage pauses while flags are compiled: across threads, forks and whatever is raised."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.workloads.growth import rule_set
from flagcore.compiler import compile_flag_set
from flagcore.model import build_flag_set
from flagcore.model.flagset import FlagSet

_SECONDS = 30


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    """Every test begins with the collector on, and leaves it as it found it."""
    before = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if before else gc.disable)()


@pytest.fixture(scope="module")
def flag_set() -> FlagSet:
    """Some flags, of which any do."""
    return build_flag_set(rule_set("realistic", 3)).flag_set


class _Raised(BaseException):
    """What no ``except Exception`` catches."""


def _held(begun: threading.Event, end: threading.Event) -> Callable[[int, int], None]:
    """Return a progress that says that compiling has begun, and waits to be let on."""

    def progress(_done: int, _total: int) -> None:
        begun.set()
        assert end.wait(_SECONDS)

    return progress


@pytest.mark.parametrize("was_on", [True, False])
def test_it_is_restored_when_progress_raises(flag_set: FlagSet, was_on: bool) -> None:
    """A callback that raises, even what is no Exception, leaves the collector as it was found."""
    (gc.enable if was_on else gc.disable)()

    def progress(_done: int, _total: int) -> None:
        assert not gc.isenabled()
        raise _Raised

    with pytest.raises(_Raised):
        compile_flag_set(flag_set, progress=progress)
    assert gc.isenabled() is was_on


@pytest.mark.parametrize("was_on", [True, False])
@pytest.mark.parametrize("first", [0, 1])
def test_two_threads_pause_it_until_both_have_ended(flag_set: FlagSet, first: int, was_on: bool) -> None:
    """Whichever of two overlapping compilations ends first, the collector rests until the other has ended too."""
    (gc.enable if was_on else gc.disable)()
    begun, end = [threading.Event(), threading.Event()], [threading.Event(), threading.Event()]
    with ThreadPoolExecutor(2) as pool:
        running = []
        for number in (0, 1):
            running.append(pool.submit(compile_flag_set, flag_set, progress=_held(begun[number], end[number])))
            assert begun[number].wait(_SECONDS)
        end[first].set()
        running[first].result(_SECONDS)
        assert not gc.isenabled()
        end[1 - first].set()
        running[1 - first].result(_SECONDS)
    assert gc.isenabled() is was_on


def test_a_compilation_inside_of_another_does_not_end_the_pause(flag_set: FlagSet) -> None:
    """A progress callback may compile; only the outer end restores the collector."""
    seen: list[bool] = []

    def progress(_done: int, _total: int) -> None:
        compile_flag_set(flag_set)
        seen.append(gc.isenabled())

    compile_flag_set(flag_set, progress=progress)
    assert seen == [False]
    assert gc.isenabled()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_child_forked_amid_a_compilation_collects_again(flag_set: FlagSet) -> None:
    """The child has no thread that would end the pause; it compiles, and collects, on its own."""
    begun, end = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(compile_flag_set, flag_set, progress=_held(begun, end))
        assert begun.wait(_SECONDS)
        child = os.fork()
        if child == 0:
            was_on = gc.isenabled()
            compile_flag_set(flag_set)
            os._exit(0 if was_on and gc.isenabled() else 1)
        end.set()
        running.result(_SECONDS)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert gc.isenabled()


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("family", ["realistic", "tags", "six"])
def test_nothing_is_left_to_search_for(family: str, debug: bool) -> None:
    """The compiler makes no cycles, so that what it drops is freed at once although nobody searches."""
    flag_set = build_flag_set(rule_set(family, 80)).flag_set
    compile_flag_set(flag_set, debug=debug)  # imports and caches
    gc.collect()
    gc.disable()
    compile_flag_set(flag_set, debug=debug)
    assert gc.collect() == 0
