"""G14: servers that fork, as they are. The application makes one client and does nothing else for it.

Every process that may be asked must serve the next change: parents and children; uWSGI's master is never asked.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

import flagcore
from flagcore.distribution.publisher import Publisher
from flagcore.errors import SettingsError
from flagcore.snapshot.objects import Snapshot
from tests.support.engines import snapshot_of

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # seconds until a test gives up; nothing takes that long when all is well
APPLICATION = "tests.distribution.forks.service"

GUNICORN = ("gunicorn", "--preload", "--bind", "unix:{folder}/http", "--workers", "2", "--log-level", "warning")
UWSGI = (
    "uwsgi",
    "--master",
    "--processes",
    "2",
    "--enable-threads",
    "--http-socket",
    "{folder}/http",
    "--disable-logging",
)
CELERY = ("celery", "--app", "tests.distribution.forks.celery_app", "worker", "--pool", "prefork", "--concurrency", "2")

SERVERS: dict[str, tuple[tuple[str, ...], int]] = {  # command, processes that serve
    "gunicorn sync": ((*GUNICORN, f"{APPLICATION}:wsgi"), 3),
    "gunicorn gthread": ((*GUNICORN, "--worker-class", "gthread", "--threads", "2", f"{APPLICATION}:wsgi"), 3),
    "gunicorn uvicorn": ((*GUNICORN, "--worker-class", "uvicorn_worker.UvicornWorker", f"{APPLICATION}:asgi"), 3),
    "uwsgi": ((*UWSGI, "--module", f"{APPLICATION}:wsgi"), 2),
    "celery prefork": ((*CELERY, "--loglevel", "WARNING", "--without-mingle", "--without-gossip"), 3),
    "multiprocessing fork": (("python", "-m", "tests.distribution.forks.with_multiprocessing", "fork"), 3),
    "multiprocessing forkserver": (("python", "-m", "tests.distribution.forks.with_multiprocessing", "forkserver"), 3),
    "uvloop with subprocesses": (("python", "-m", "tests.distribution.forks.with_uvloop"), 1),
}


def snapshot(variant: str) -> Snapshot:
    """Return one flag that serves a variant to everybody."""
    return snapshot_of({"open": {"type": "boolean", "default": variant}})


class Server:
    """One of the servers, with the application in it."""

    def __init__(self, command: tuple[str, ...], address: str, folder: Path) -> None:
        self.notes = folder / "notes"
        self.notes.mkdir()
        program, *arguments = (part.format(folder=folder) for part in command)
        self._log = folder / "log"
        environment = {**os.environ, "FLAGS": address, "NOTES": str(self.notes), "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).with_name(program)), *arguments],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def serving(self) -> dict[int, str]:
        """Return the latest note of each process that lives."""
        latest = {int(path.name): path.read_text().splitlines() for path in self.notes.iterdir()}
        return {pid: lines[-1] for pid, lines in latest.items() if lines and Path(f"/proc/{pid}").exists()}

    def log(self) -> str:
        """Return what the server printed."""
        return self._log.read_text(errors="replace")

    def stop(self) -> int:
        """Ask the server to end, and return its exit code. A worker that was only just made may miss the first word."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            self.process.send_signal(signal.SIGINT if "uwsgi" in str(self.process.args) else signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(3)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    """Return a publisher of one flag, on."""
    with Publisher("tcp://127.0.0.1:*") as made:
        made.publish(snapshot("on"))
        yield made


def until(server: Server, processes: int, wanted: str) -> dict[int, str]:
    """Return the notes as soon as so many processes have noted ``wanted``; fail with the server's log if they never do."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.process.poll() is None:
        serving = server.serving()
        if sum(line == wanted for line in serving.values()) >= processes:
            return serving
        time.sleep(0.02)
    raise AssertionError(f"wanted {wanted} from {processes} processes: {server.serving()}\n{server.log()}")


def until_children(server: Server, count: int) -> None:
    """Return when the server has so many processes below it."""
    deadline = time.monotonic() + PATIENCE
    while len(children(server.process.pid)) < count and server.process.poll() is None:
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Return the processes right below one."""
    return [int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]


def end(server: Server) -> None:
    """Stop the server; it ends as it does without flags, and nothing of ours complained."""
    code = server.stop()
    assert code in (0, -signal.SIGTERM), server.log()
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("name", SERVERS)
def test_g14_parent_and_children_see_every_change(name: str, publisher: Publisher, tmp_path: Path):
    """Under the real server every process follows by a connection of its own, sees both flips, and the server ends as it should."""
    command, processes = SERVERS[name]
    server = Server(command, publisher.endpoint, tmp_path)
    try:
        deadline = time.monotonic() + PATIENCE
        while len(publisher.clients()) < processes and server.process.poll() is None:
            assert time.monotonic() < deadline, server.log()
            time.sleep(0.02)
        for value in (False, True):
            publisher.publish(snapshot("on" if value else "off"))
            until(server, processes, f"{publisher.position().revision} {value}")
        assert len(publisher.clients()) == processes
    finally:
        end(server)


@pytest.mark.parametrize("name", ["gunicorn sync", "uwsgi", "multiprocessing fork"])
def test_g14_files_are_followed_in_every_process_too(name: str, tmp_path: Path):
    """Where the client reads files, parent and children notice an edit, also under a server that does not tell Python of its forks."""
    command, processes = SERVERS[name]
    path = tmp_path / "flags.json"
    write(path, "on")
    server = Server(command, str(path), tmp_path)
    try:
        until(server, 1, "1 True")
        until_children(server, 2)
        write(path, "off")
        until(server, processes, "2 False")
    finally:
        end(server)


def write(path: Path, variant: str) -> None:
    """Write one flag to a file, whole."""
    path.with_suffix(".new").write_text(
        json.dumps({"schema": "flagcore/v1", "flags": {"open": {"type": "boolean", "default": variant}}})
    )
    path.with_suffix(".new").replace(path)


def test_where_uwsgi_runs_no_threads_none_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Without ``--enable-threads`` files are read once and the log says so; a live connection is refused, with what to do."""
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(masterpid=os.getpid, opt={"master": True}))
    path = tmp_path / "flags.json"
    write(path, "on")
    threads = threading.active_count()
    with flagcore.connect(path) as client:
        assert client.get_boolean_value("open", False, {})
        assert threading.active_count() == threads
    assert "--enable-threads" in caplog.text
    with pytest.raises(SettingsError, match="--enable-threads"):
        flagcore.connect("tcp://127.0.0.1:7440")
