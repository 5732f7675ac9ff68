"""Following flag files: real files, real edits; waits end by events."""

from __future__ import annotations

import gc
import json
import logging
import os
import queue
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import flagcore
from flagcore.distribution import file_source, watching
from flagcore.distribution.loading import AuthoredFiles
from flagcore.errors import FlagSetError, SnapshotError
from tests.support.events import PATIENCE, Events, document

Connect = Callable[..., flagcore.Client]


@pytest.fixture(params=["announced", "polled"])
def connect(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Connect with a watcher that is told of changes, and with one that looks by the clock."""
    if request.param == "polled":
        monkeypatch.setattr(watching, "_announcer", lambda *_, **__: None)
    clients: list[flagcore.Client] = []

    def make(path: Path, **settings: Any) -> flagcore.Client:
        interval = 0.05 if request.param == "polled" else 3600.0
        client = flagcore.connect(path, **{"poll_interval": interval, "debounce": 0.02, **settings})
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


def replace(path: Path, text: str) -> None:
    """Write as editors do: a file beside it, renamed over it."""
    beside = path.with_name(path.name + ".new~")
    beside.write_text(text)
    beside.replace(path)


def test_values_that_python_holds_equal_are_other_values(tmp_path: Path):
    """1, true and 1.0 compare equal in Python; an edit from one to another is served all the same, and no edit is none."""
    path = tmp_path / "flags.json"

    def written(value: object) -> bool:
        flag = {"type": "object", "variants": {"a": {"x": value}}, "default": "a"}
        path.write_text(json.dumps({"schema": "flagcore/v1", "flags": {"f": flag}}))
        return files.load(lambda: False).snapshot is not None

    files = AuthoredFiles(str(path))
    assert [written(value) for value in (1, True, True, 1.0, 1, 1)] == [True, True, False, True, True, False]


def test_edit_in_place(connect: Connect, tmp_path: Path) -> None:
    """An edited file is served as a new revision, and the changed keys are told."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="off", b="off"))
    client = connect(path)
    events = Events(client)
    assert (client.revision, client.get_boolean_value("a", True)) == (1, False)
    path.write_text(document(a="on", b="off"))
    assert events.change() == {"a"}
    assert (client.revision, client.get_boolean_value("a", False), client.status) == (2, True, "READY")


def test_several_edits_one_after_the_other(connect: Connect, tmp_path: Path) -> None:
    """Each edit is noticed, by renames and in place, also when size and name stay."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="off"))
    client = connect(path)
    events = Events(client)
    for number, (write, variant) in enumerate([(replace, "on"), (Path.write_text, "off"), (replace, "on")]):
        write(path, document(a=variant, **{f"new{number}": "on"}))
        assert "a" in events.change()
        assert client.get_boolean_value("a", variant != "on") is (variant == "on")


def test_bound_getters_follow(connect: Connect, tmp_path: Path) -> None:
    """A getter fetched once follows, even when nobody holds the client any more."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="off"))
    told: queue.Queue[frozenset[str]] = queue.Queue()
    client = flagcore.connect(path, debounce=0.02, poll_interval=0.05)
    client.on_change(told.put)
    get = client.get_boolean_value
    del client
    gc.collect()
    path.write_text(document(a="on"))
    assert told.get(timeout=PATIENCE) == {"a"}
    assert get("a", False) is True


def test_directory_gains_and_loses_files(connect: Connect, tmp_path: Path) -> None:
    """Files that come and go in a directory, in new subdirectories too, change the flag set."""
    (tmp_path / "a.json").write_text(document(a="on"))
    client = connect(tmp_path)
    events = Events(client)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.json").write_text(document(b="on"))
    assert events.change() == {"b"}
    assert client.get_boolean_value("b", False) is True
    (tmp_path / "a.json").unlink()
    assert events.change() == {"a"}
    assert client.get_boolean_details("a", True).error_code == "FLAG_NOT_FOUND"


def test_directory_replaced_by_another(connect: Connect, tmp_path: Path) -> None:
    """A directory that is removed keeps its flags; what takes its name is followed."""
    folder = tmp_path / "flags"
    folder.mkdir()
    (folder / "a.json").write_text(document(a="off"))
    client = connect(folder, poll_interval=0.05)
    events = Events(client)
    shutil.rmtree(folder)
    assert events.status() == "STALE"
    assert client.get_boolean_value("a", True) is False
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.json").write_text(document(a="on"))
    other.rename(folder)
    assert events.change() == {"a"}
    (folder / "a.json").write_text(document(a="off"))
    assert events.change() == {"a"}
    assert (client.status, client.get_boolean_value("a", True)) == ("READY", False)


def test_file_deleted_and_recreated(connect: Connect, tmp_path: Path) -> None:
    """A deleted file is STALE with a reason; the last good revision answers until it is there again."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="on"))
    client = connect(path)
    events = Events(client)
    path.unlink()
    assert events.status() == "STALE"
    assert client.get_boolean_value("a", False) is True
    assert str(path) in str(client.last_error)
    path.write_text(document(a="on"))
    assert events.status() == "READY"
    assert (client.revision, client.last_error, client.problems) == (1, None, ())


def test_broken_edit_keeps_the_last_good_revision(
    connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A set that is not valid is never served: STALE, every problem told, logged once; mending ends it."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="on"))
    client = connect(path)
    events = Events(client)
    with caplog.at_level(logging.ERROR, "flagcore"):
        path.write_text(document(a="no-such-variant", b="neither"))
        assert events.status() == "STALE"
    assert (client.revision, client.get_boolean_value("a", False)) == (1, True)
    assert {problem.path.split(".")[1] for problem in client.problems} == {"a", "b"}
    assert isinstance(client.last_error, FlagSetError)
    assert len(caplog.records) == 1
    path.write_text(document(a="off"))
    assert events.status() == "READY"
    assert events.change() == {"a"}
    assert (client.revision, client.problems, client.last_error) == (2, (), None)


def test_half_written_file(connect: Connect, tmp_path: Path) -> None:
    """A file caught half-written is as good as broken: nothing is lost, and the whole file is served in the end."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="off"))
    client = connect(path)
    events = Events(client)
    whole = document(a="on")
    with path.open("w") as file:
        file.write(whole[:20])
        file.flush()
        assert events.status() == "STALE"
        assert client.get_boolean_value("a", True) is False
        file.write(whole[20:])
    assert events.change() == {"a"}


def test_touching_a_file_is_no_revision(connect: Connect, tmp_path: Path) -> None:
    """Only other flags make another revision: not another time stamp, not other white space."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="off"))
    client = connect(path)
    events = Events(client)
    path.write_text(document(a="off") + "\n\n")
    os.utime(path, (1, 1))
    path.write_text(document(a="on"))
    assert events.change() == {"a"}
    assert (client.revision, events.no_more_changes()) == (2, True)


def test_values_file(connect: Connect, tmp_path: Path) -> None:
    """A change of a values file changes the flags that ask for its segment."""
    values = tmp_path / "vips.txt"
    values.write_text("t-1\n")
    flag = {
        "type": "boolean",
        "default": "off",
        "rules": [{"id": "vip", "when": 'segment("vip")', "serve": "on"}],
    }
    segment = {"attribute": "tenant", "values_file": "vips.txt"}
    path = tmp_path / "flags.json"
    path.write_text(json.dumps({"schema": "flagcore/v1", "segments": {"vip": segment}, "flags": {"a": flag}}))
    client = connect(path)
    events = Events(client)
    assert client.get_boolean_value("a", False, {"tenant": "t-2"}) is False
    replace(values, "t-1\nt-2\n")
    assert events.change() == {"a"}
    assert client.get_boolean_value("a", False, {"tenant": "t-2"}) is True


@pytest.mark.parametrize("whole_directory", [True, False])
def test_swapped_symbolic_links(connect: Connect, tmp_path: Path, whole_directory: bool) -> None:
    """A mounted ConfigMap: files are links into ``..data``, itself a link that is swapped by a rename."""

    def version(name: str, variant: str) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "flags.json").write_text(document(a=variant))
        (tmp_path / "..data_tmp").symlink_to(name)
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    version("..2026_01", "off")
    (tmp_path / "flags.json").symlink_to("..data/flags.json")
    client = connect(tmp_path if whole_directory else tmp_path / "flags.json")
    events = Events(client)
    version("..2026_02", "on")
    shutil.rmtree(tmp_path / "..2026_01")
    assert events.change() == {"a"}
    assert client.get_boolean_value("a", False) is True


def test_compiled_file(connect: Connect, tmp_path: Path) -> None:
    """A compiled file is followed too; a corrupt one never replaces a sound one."""
    from flagcore.cli import main

    def compile_to(variant: str, revision: int) -> None:
        (tmp_path / "flags.json").write_text(document(a=variant))
        arguments = [str(tmp_path / "flags.json"), "-o", str(path), "--revision", str(revision)]
        assert main(["compile", *arguments]) == 0

    path = tmp_path / "out" / "flags.fcs"
    path.parent.mkdir()
    compile_to("off", 7)
    client = connect(path)
    events = Events(client)
    assert (client.revision, client.get_boolean_value("a", True)) == (7, False)
    compile_to("on", 8)
    assert events.change() == {"a"}
    assert (client.revision, client.get_boolean_value("a", False)) == (8, True)
    path.write_bytes(path.read_bytes()[:-9])
    assert events.status() == "STALE"
    assert isinstance(client.last_error, SnapshotError)
    (problem,) = client.problems
    assert (problem.code, problem.file) == ("unreadable-file", str(path))
    assert problem.message.startswith("the snapshot is cut")
    assert client.get_boolean_value("a", False) is True


def test_problems_name_files_by_their_whole_path(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that was given relative is named whole, for compiled files as for others: the process may change its directory."""
    from flagcore.cli import main

    monkeypatch.chdir(tmp_path)
    Path("flags.json").write_text(document(a="off"))
    assert main(["compile", "flags.json", "-o", "flags.fcs"]) == 0
    for name in ("flags.fcs", "flags.json"):
        client = connect(Path(name))
        events = Events(client)
        Path(name).write_text("x")
        assert events.status() == "STALE"
        assert {problem.file for problem in client.problems} == {str(tmp_path / name)}
        assert not any(str(tmp_path) in problem.message for problem in client.problems)


def test_flags_beside_unrelated_files(connect: Connect, tmp_path: Path) -> None:
    """Files that are no flag documents may stand in the directory and change as they like."""
    (tmp_path / "flags.json").write_text(document(a="off"))
    (tmp_path / "README.md").write_text("about these flags")
    client = connect(tmp_path)
    events = Events(client)
    (tmp_path / "README.md").write_text("more about these flags")
    (tmp_path / "notes.txt").write_text("new")
    (tmp_path / "flags.json").write_text(document(a="on"))
    assert events.change() == {"a"}
    assert client.revision == 2


def test_without_watchfiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without watchfiles, or where it can watch no more, changes are seen at the next look."""
    monkeypatch.setitem(sys.modules, "watchfiles._rust_notify", None)
    path = tmp_path / "flags.json"
    path.write_text(document(a="off"))
    with flagcore.connect(path, poll_interval=0.02, debounce=0) as client:
        events = Events(client)
        path.write_text(document(a="on"))
        assert events.change() == {"a"}


def test_announcer_that_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An announcer that raises is replaced by looking at the clock."""

    class Broken:
        def watch(self, *_: object) -> None:
            raise RuntimeError("no more watches")

        def close(self) -> None:
            closed.append(self)

    closed: list[Broken] = []
    monkeypatch.setattr(watching, "_announcer", lambda *_, **__: Broken())
    path = tmp_path / "flags.json"
    path.write_text(document(a="off"))
    with flagcore.connect(path, poll_interval=0.02, debounce=0) as client:
        events = Events(client)
        path.write_text(document(a="on"))
        assert events.change() == {"a"}
    assert closed


def test_age_and_unforeseen_errors(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error that nobody foresaw leaves the flags and the thread alive, and is told with its traceback."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="off"))
    client = connect(path, poll_interval=0.02)
    events = Events(client)
    with monkeypatch.context() as patch:
        patch.setattr(file_source, "RETRY_SECONDS", 0.0)
        patch.setattr(file_source.AuthoredFiles, "load", lambda *_: 1 / 0)
        path.write_text(document(a="on"))
        assert events.status() == "STALE"
        assert isinstance(client.last_error, ZeroDivisionError)
        assert client.get_boolean_value("a", True) is False
        assert client.age is not None
        assert client.problems[0].code == "internal-error"
    assert events.change() == {"a"}
    assert caplog.records[0].exc_info is not None


def test_the_process_may_move(connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path means the place that it meant at the start."""
    (tmp_path / "flags.json").write_text(document(a="off"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    client = connect(Path("flags.json"))
    events = Events(client)
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "flags.json").write_text(document(a="on"))
    assert events.change() == {"a"}


# -- threads ----------------------------------------------------------------------------------------------------------


def followers() -> list[threading.Thread]:
    """Return the threads that follow files."""
    return [thread for thread in threading.enumerate() if thread.name == "flagcore-files"]


def test_close_ends_the_thread(connect: Connect, tmp_path: Path) -> None:
    """``close`` returns with the thread gone, may be called again, and every answer is the default value then."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="on"))
    client = connect(path)
    get = client.get_boolean_value
    assert len(followers()) == 1
    client.close()
    client.close()
    assert followers() == []
    assert (get("a", False), client.status) == (False, "NOT_READY")
    assert client.get_boolean_details("a", False).error_code == "PROVIDER_NOT_READY"


def test_no_thread_when_connecting_fails(tmp_path: Path) -> None:
    """A set that is not valid raises with all problems and leaves no thread behind."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="nope", b="nope"))
    with pytest.raises(FlagSetError) as refusal:
        flagcore.connect(path)
    assert len(refusal.value.problems) == 2
    assert followers() == []


def test_no_thread_without_watching(tmp_path: Path) -> None:
    """``watch=False`` reads once and starts no thread."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="on"))
    with flagcore.connect(path, watch=False) as client:
        assert (followers(), client.get_boolean_value("a", False)) == ([], True)


def test_thread_ends_with_the_last_getter(tmp_path: Path) -> None:
    """A client that is dropped without ``close`` leaves no thread once nobody can ask it any more."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="on"))
    client = flagcore.connect(path)
    (thread,) = followers()
    get = client.get_boolean_value
    del client
    gc.collect()
    assert get("a", False) is True
    assert thread.is_alive()
    del get
    gc.collect()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_listeners(connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A listener that raises is logged and stops nobody else; one that unsubscribed is not called."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="off"))
    client = connect(path)

    def broken(changed: frozenset[str]) -> None:
        raise RuntimeError("listener")

    silent: list[frozenset[str]] = []
    client.on_change(broken)
    client.on_change(silent.append)()
    events = Events(client)
    path.write_text(document(a="on"))
    assert events.change() == {"a"}
    assert silent == []
    assert any("listener" in str(record.exc_info) for record in caplog.records)


def test_listener_may_close_the_client(connect: Connect, tmp_path: Path) -> None:
    """``close`` may be called from a listener, in the watching thread itself."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="off"))
    client = connect(path)
    (thread,) = followers()
    client.on_change(lambda _: client.close())
    path.write_text(document(a="on"))
    thread.join(PATIENCE)
    assert (thread.is_alive(), client.status) == (False, "NOT_READY")


def run_script(text: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script of its own process, which forks as it likes."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(text), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_forked_child_follows(tmp_path: Path) -> None:
    """A forked child answers at once and sees later edits, as its parent does."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="off"))
    script = """
        import os, queue, sys, pathlib, flagcore
        path, after = pathlib.Path(sys.argv[1]), sys.argv[2]
        client = flagcore.connect(path, debounce=0.02, poll_interval=0.05)
        told = queue.Queue()
        child = os.fork()
        client.on_change(told.put)
        assert client.get_boolean_value("a", True) is False
        if child:
            path.write_text(after)
        assert told.get(timeout=20) == {"a"}
        assert client.get_boolean_value("a", False) is True
        client.close()
        if child:
            assert os.waitpid(child, 0)[1] == 0
        print("well")
    """
    result = run_script(script, path, document(a="on"))
    assert result.returncode == 0, result.stderr
    assert result.stdout == "well\nwell\n"


def test_forks_during_reloads(tmp_path: Path) -> None:
    """Children forked while the parent loads new revisions never hang: they answer, and close."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="off"))
    script = """
        import itertools, os, sys, threading, pathlib, flagcore
        path, texts = pathlib.Path(sys.argv[1]), sys.argv[2:]
        client = flagcore.connect(path, debounce=0, poll_interval=0.001)
        stop, changed = threading.Event(), threading.Event()
        client.on_change(lambda _: changed.set())
        def edit():
            for text in itertools.cycle(texts):
                if stop.wait(0.001):
                    return
                path.write_text(text)
        editor = threading.Thread(target=edit)
        editor.start()
        assert changed.wait(20)
        for _ in range(30):
            child = os.fork()
            if not child:
                assert client.get_boolean_details("a", False).error_code is None
                client.close()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        editor.join()
        client.close()
    """
    result = run_script(script, path, document(a="on"), document(a="off", b="on"))
    assert result.returncode == 0, result.stderr


def test_forks_during_overrides(tmp_path: Path) -> None:
    """Children forked while other threads push and pop overrides never hang: they override and close by themselves."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="off"))
    script = """
        import os, sys, threading, flagcore
        client = flagcore.connect(sys.argv[1])
        stop = threading.Event()
        def push():
            while not stop.is_set():
                with client.override({"a": True}):
                    pass
        threads = [threading.Thread(target=push) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(50):
            child = os.fork()
            if not child:
                with client.override({"a": True}):
                    assert client.get_boolean_value("a", False) is True
                client.close()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        for thread in threads:
            thread.join()
        client.close()
    """
    result = run_script(script, path)
    assert result.returncode == 0, result.stderr


def test_process_ends_without_close(tmp_path: Path) -> None:
    """A process that never closes its client ends cleanly."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="on"))
    script = """
        import sys, flagcore
        client = flagcore.connect(sys.argv[1])
        print(client.get_boolean_value("a", False))
    """
    result = run_script(script, path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "True\n", "")


def test_close_during_a_long_compilation(connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``close`` does not wait for a compilation: it is given up at the next flag."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="off"))
    client = connect(path)
    (thread,) = followers()
    compiling = threading.Event()

    def endless(*_: object, progress: Callable[[int, int], None], **__: object) -> None:
        while True:
            compiling.set()
            progress(0, 1)

    monkeypatch.setattr("flagcore.compiler.compile_flag_set", endless)
    path.write_text(document(a="on"))
    assert compiling.wait(PATIENCE)
    client.close()
    thread.join(PATIENCE)
    assert (thread.is_alive(), client.status, client.problems) == (False, "NOT_READY", ())
