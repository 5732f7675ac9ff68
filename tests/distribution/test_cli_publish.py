"""``flagcore publish`` in a process of its own, and ``flagcore watch`` beside it: the whole system without a manager."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flagcore
from flagcore.cli import main
from tests.support.command import Command
from tests.support.events import PATIENCE, Events, document
from tests.support.live import Live, compiled


class Process:
    """A command that runs until it is told to end; its lines can be waited for."""

    def __init__(self, folder: Path, *words: object) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "XDG_CACHE_HOME": str(folder / ".cache")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flagcore", *map(str, words)],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def line(self) -> Any:
        """Return the next line, read as JSON."""
        return json.loads(self._lines.get(timeout=PATIENCE))

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, int]:
        """Tell it to end; returns exit code, standard error and how many lines nobody had read."""
        self.process.send_signal(number)
        assert self.process.stderr is not None
        errors = self.process.stderr.read()
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code, errors, self._lines.qsize()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Any]:
    """Start commands in a folder; they are killed at the end of the test."""
    processes: list[Process] = []

    def start(*words: object) -> Process:
        processes.append(Process(tmp_path, *words))
        return processes[-1]

    yield start
    for process in processes:
        process.close()


def address(tmp_path: Path) -> str:
    """Return an address that no other test has."""
    return f"ipc://{tmp_path}/flags"


def test_edits_reach_services(started: Any, tmp_path: Path) -> None:
    """An edit is compiled and published with one line of log, and services serve it; a broken one is reported and not published."""
    path = tmp_path / "flags.json"
    path.write_text(document(a="off", b="on"))
    publisher = started("publish", "flags.json", "--bind", address(tmp_path), "--json")
    first = publisher.line()
    assert (first["revision"], first["changed"]) == (1, ["a", "b"])
    with flagcore.connect(address(tmp_path), wait=PATIENCE) as client:
        events = Events(client)
        assert client.get_boolean_value("a", True) is False
        path.write_text(document(a="on", b="on"))
        assert events.change() == {"a"}
        assert publisher.line()["changed"] == ["a"]
        path.write_text("{")
        path.write_text(document(a="nope"))
        path.write_text(document(a="on", b="off"))
        assert events.change() == {"b"}
        assert publisher.line()["revision"] == client.revision == 3
        assert client.explain("a").to_dict()
    code, _, unread = publisher.end()
    assert (code, unread) == (0, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_restarts_go_on_counting(started: Any, tmp_path: Path, number: int) -> None:
    """However the publisher ended, the next one continues the history: same revision for the same flags, one more for others."""
    (tmp_path / "flags.json").write_text(document(a="off"))
    words = ("publish", "flags.json", "--bind", address(tmp_path), "--json", "--state", "state.json")
    first = started(*words)
    begun = first.line()
    assert first.end(number)[0] == (-number if number == signal.SIGKILL else 0)
    second = started(*words)
    assert second.line()["revision"] == begun["revision"]
    second.end()
    (tmp_path / "flags.json").write_text(document(a="on"))
    third = started(*words).line()
    assert (third["epoch"], third["revision"]) == (begun["epoch"], begun["revision"] + 1)


def test_two_publishers_with_one_state_file(started: Any, tmp_path: Path) -> None:
    """A state file that is in use, and an address that is, are refused: wrong usage."""
    (tmp_path / "flags.json").write_text(document(a="off"))
    started("publish", "flags.json", "--bind", "tcp://127.0.0.1:0", "--json", "--state", "state.json").line()
    second = started("publish", "flags.json", "--bind", "tcp://127.0.0.1:0", "--state", "state.json")
    assert second.process.wait(PATIENCE) == 2
    assert "another publisher" in second.process.stderr.read()


def test_with_keys(started: Any, tmp_path: Path, command: Command) -> None:
    """With a keyring services need a key; a publisher that runs follows the keyring: new keys count, revoked ones are cut off."""
    (tmp_path / "flags.json").write_text(document(a="on"))
    command("keys", "new", "ring.json", "--environment", "production")
    key = command("keys", "issue", "ring.json", "--label", "shop").out.strip()
    started("publish", "flags.json", "--bind", address(tmp_path), "--keys", "ring.json", "--json").line()
    with flagcore.connect(address(tmp_path), sdk_key=key, wait=PATIENCE, cache_dir=None) as client:
        assert client.get_boolean_value("a", False) is True
        later = command("keys", "issue", "ring.json", "--label", "search").out.strip()
        command("keys", "revoke", "ring.json", "shop")
        events = Events(client)
        assert events.status() == "STALE"
        with flagcore.connect(address(tmp_path), sdk_key=later, wait=PATIENCE, cache_dir=None) as other:
            assert other.wait_ready(PATIENCE)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none"], "no such file"),
        (["flags.json", "--bind", "tcp://*:7440"], "without keys"),
        (["flags.json", "--bind", "here"], "no address"),
        (["flags.json", "--environment", "x"], "needs --keys"),
        (["flags.json", "--keys", "none.json"], "No such file"),
        (["flags.json", "--state", "flags.json/x"], "cannot be opened"),
    ],
)
def test_wrong_usage(command: Command, words: list[str], message: str) -> None:
    """What cannot be carried out is said in one message, and nothing is bound."""
    command.write("flags.json", document(a="on"))
    result = command("publish", *words)
    assert result.code == 2
    assert message in result.err


def test_flags_that_are_not_valid(command: Command) -> None:
    """Flags that are not valid at the start are findings, with all their problems."""
    command.write("flags.json", document(a="nope", b="nope"))
    result = command("publish", "flags.json", "--bind", "tcp://127.0.0.1:0")
    assert result.code == 1
    assert result.err.count("nope") >= 2


# -- watch --------------------------------------------------------------------------------------------------------------


def test_watch_prints_changes(live: Live, started: Any) -> None:
    """Status and changes are printed as they arrive; ``--count`` ends it."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off"))
    watch = started("watch", publisher.endpoint, "--json", "--count", 2, "--wait", PATIENCE)
    statuses = [watch.line()]
    while statuses[-1].get("changed") is None:
        statuses.append(watch.line())
    assert (statuses[0]["status"], statuses[-1]["changed"]) == ("NOT_READY", ["a"])
    publisher.publish(compiled(a="on", b="on"), wait="all", timeout=PATIENCE)
    while "changed" not in (line := watch.line()):
        pass
    assert (line["changed"], line["revision"]) == (["a", "b"], 2)
    assert watch.process.wait(PATIENCE) == 0


def test_watch_for_people(live: Live, command: Command) -> None:
    """Without ``--json`` a line says time, revision and keys."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off"))
    result = command("watch", publisher.endpoint, "--count", 1, "--wait", PATIENCE)
    assert result.code == 0
    assert "revision 1: 1 flag changed: a" in result.out


def test_watch_gives_up(command: Command) -> None:
    """Where no flags come within ``--wait`` the exit code is 1."""
    assert command("watch", "tcp://127.0.0.1:9", "--wait", "0.05").code == 1


def test_watch_takes_the_key_from_a_file(live: Live, command: Command) -> None:
    """An SDK key comes from a file or the environment, never from the command line."""
    from flagcore.distribution.keys import Keyring

    ring, key = Keyring.generate().with_environment("production").issue("production", "me", 0)
    publisher = live.publisher(keyring=ring)
    publisher.publish(compiled(a="off"))
    path = command.write("sdk.key", key.text + "\n")
    assert command("watch", publisher.endpoint, "--key-file", path, "--count", 1, "--wait", PATIENCE).code == 0
    assert command("watch", publisher.endpoint, "--key-file", command.write("x", "x")).code == 2


@pytest.mark.parametrize("words", [["x://y"], ["tcp://10.9.9.9:7440"], ["--wait", "x"], ["--count", "-1"]])
def test_watch_wrong_usage(command: Command, words: list[str]) -> None:
    """What cannot be watched is wrong usage."""
    assert command("watch", *words).code == 2


@pytest.mark.parametrize("verb", ["publish", "watch", "keys"])
def test_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` shows examples and exit codes."""
    assert main([verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert "examples:" in out
    assert "Exit codes:" in out
