"""Live clients among processes: forks, signals, sudden deaths, and how processes end. Each runs in interpreters of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.events import PATIENCE, document
from tests.support.live import Live, compiled, until

OPEN_FILES = Path("/proc/self/fd")


class Script:
    """Python in a process of its own that talks by lines."""

    def __init__(self, text: str, *arguments: object) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
        command = [sys.executable, "-W", "error", "-c", textwrap.dedent(text), *map(str, arguments)]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            assert self.process.stderr is not None
            raise AssertionError(self.process.stderr.read())
        return line.strip()

    def go_on(self) -> None:
        """Let it pass its next ``sys.stdin.readline()``."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def finish(self) -> tuple[int, str, str]:
        """Wait for its end; returns exit code and what it still said on both streams."""
        out, errors = self.process.communicate(timeout=PATIENCE * 2)
        return self.process.returncode, out, errors

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def run() -> Iterator[Any]:
    """Start scripts; what still runs at the end is killed."""
    scripts: list[Script] = []

    def start(text: str, *arguments: object) -> Script:
        scripts.append(Script(text, *arguments))
        return scripts[-1]

    yield start
    for script in scripts:
        script.close()


# -- forks --------------------------------------------------------------------------------------------------------------

FORKS = """
    import os, queue, sys, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # of forks in processes with threads
    import flagcore

    def follow(client):
        told, statuses = queue.Queue(), queue.Queue()
        client.on_change(told.put)
        client.on_status(statuses.put)
        assert client.get_boolean_value("a", True) is False
        assert client.status == "READY"
        assert told.get(timeout=30) == {"a"}
        assert client.get_boolean_value("a", False) is True
        assert statuses.empty(), statuses.get()
        client.close()

    client = flagcore.connect(sys.argv[1], wait=30, cache_dir=None)
"""


def test_parent_and_child_follow(live: Live, run: Any) -> None:
    """After a fork both see the next change, with nothing to do for it; neither status flickers, the parent keeps its connection."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off"))
    script = run(
        FORKS
        + """
    child = os.fork()
    follow(client)
    if child:
        counters = client._source.counters
        assert not counters, counters
        print("child ended with", os.waitpid(child, 0)[1], flush=True)
    os._exit(0)
    """,
        publisher.endpoint,
    )
    until(lambda: len(publisher.clients()) == 2, "the child's connection")
    publisher.publish(compiled(a="on"), wait="all", timeout=PATIENCE)
    assert script.finish() == (0, "child ended with 0\n", "")
    assert publisher.counters["hellos"] == 2
    assert publisher.counters["snapshots"] == 1


def test_workers_of_multiprocessing(live: Live, run: Any) -> None:
    """Workers forked by multiprocessing after the client was made, and their own forks, follow."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off"))
    script = run(
        FORKS
        + """
    import multiprocessing

    def grandchild():
        child = os.fork()
        follow(client)
        if not child:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0

    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=grandchild) for _ in range(2)]
    for worker in workers:
        worker.start()
    follow(client)
    for worker in workers:
        worker.join(30)
    print([worker.exitcode for worker in workers], flush=True)
    """,
        publisher.endpoint,
    )
    until(lambda: len(publisher.clients()) == 5, "all connections")
    publisher.publish(compiled(a="on"), wait="all", timeout=PATIENCE)
    assert script.finish() == (0, "[0, 0]\n", "")


def test_forked_while_nobody_publishes(live: Live, run: Any, tmp_path: Path) -> None:
    """A fork while there is no publisher, and of a client without data, ends well: flags come when there are some."""
    endpoint = f"ipc://{tmp_path}/flags"
    script = run(
        """
        import os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        import flagcore
        client = flagcore.connect(sys.argv[1], wait=0, cache_dir=None)
        child = os.fork()
        assert client.wait_ready(30)
        assert client.get_boolean_value("a", False) is True
        client.close()
        if child:
            print(os.waitpid(child, 0)[1], flush=True)
        os._exit(0) if not child else None
        """,
        endpoint,
    )
    live.publisher(endpoint).publish(compiled(a="on"))
    assert script.finish() == (0, "0\n", "")


def test_forks_amid_changes(live: Live, run: Any) -> None:
    """Children forked while revisions come in at a high rate never hang and never serve half a revision."""
    publisher = live.publisher()
    both = [compiled(a="on", b="on"), compiled(a="off", b="off")]
    publisher.publish(both[1])
    script = run(
        """
        import os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        import flagcore
        client = flagcore.connect(sys.argv[1], wait=30, cache_dir=None)
        print("ready", flush=True)
        for number in range(20):
            child = os.fork()
            if not child:
                for _ in range(100):
                    details = client.evaluate_all({})
                    assert details["a"].value == details["b"].value
                client.close()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        client.close()
        print("done", flush=True)
        """,
        publisher.endpoint,
    )
    assert script.line() == "ready"
    while script.process.poll() is None:
        for snapshot in both:
            publisher.publish(snapshot)
    assert script.finish()[:2] == (0, "done\n")


# -- stopped and killed -------------------------------------------------------------------------------------------------

SERVICE = """
    import sys, flagcore
    client = flagcore.connect(sys.argv[1], wait=30, cache_dir=None)
    client.on_change(lambda keys: print("changed", *sorted(keys), flush=True))
    client.on_status(lambda status: print(status, flush=True))
    print(client.status, flush=True)
    sys.stdin.readline()
    client.close()
"""


def test_a_frozen_client_holds_up_its_receipt_only(live: Live, run: Any) -> None:
    """While a client is stopped a receipt is not complete and says so; when it goes on it applies what it missed (G16)."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off"))
    script = run(SERVICE, publisher.endpoint)
    assert script.line() == "READY"
    near = live.client(publisher.endpoint)
    script.process.send_signal(signal.SIGSTOP)
    receipt = publisher.publish(compiled(a="on"), wait="all", timeout=0.3)
    assert (receipt.complete, len(receipt.acknowledged), len(receipt.waiting)) == (False, 1, 1)
    assert near.get_boolean_value("a", False) is True
    script.process.send_signal(signal.SIGCONT)
    assert script.line() == "changed a"
    assert publisher.publish(compiled(a="off"), wait="all", timeout=PATIENCE).complete


def test_a_killed_client_is_lost_to_its_receipt(live: Live, run: Any) -> None:
    """A client that dies amid a receipt is told as lost, within the receipt's time, and the next receipt does not wait for it."""
    publisher = live.publisher()
    publisher.publish(compiled(a="off"))
    script = run(SERVICE, publisher.endpoint)
    assert script.line() == "READY"
    script.process.send_signal(signal.SIGSTOP)
    script.process.kill()
    receipt = publisher.publish(compiled(a="on"), wait="all", timeout=2.0)
    assert (receipt.complete, len(receipt.waiting), len(receipt.lost)) == (False, 0, 1)
    assert publisher.publish(compiled(a="off"), wait="all", timeout=PATIENCE).complete


PUBLISHER = """
    import json, sys, time
    from flagcore.compiler import compile_flag_set
    from flagcore.distribution.publisher import Publisher
    from flagcore.model import build_flag_set
    publisher = Publisher(sys.argv[1], state=sys.argv[2])
    publisher.publish(compile_flag_set(build_flag_set(json.loads(sys.argv[3])).flag_set).snapshot)
    print(publisher.endpoint, *publisher.position(), flush=True)
    sys.stdin.readline()
    publisher.close()
"""


@pytest.mark.parametrize("end", ["SIGSTOP", "SIGKILL"])
def test_a_publisher_that_freezes_or_dies(live: Live, run: Any, tmp_path: Path, end: str) -> None:
    """Services of a publisher that froze or died are STALE and serve on; when it goes on, or another takes its place, they follow."""
    bind, state = f"ipc://{tmp_path}/flags", tmp_path / "state.json"
    first = run(PUBLISHER, bind, state, document(a="off"))
    first.line()
    client = live.client(bind)
    first.process.send_signal(getattr(signal, end))
    until(lambda: client.status == "STALE", "STALE")
    assert client.get_boolean_value("a", True) is False
    assert client.last_error is not None
    if end == "SIGSTOP":
        first.process.send_signal(signal.SIGCONT)
    else:
        first.process.wait()
        second = run(PUBLISHER, bind, state, document(a="on"))
        assert int(second.line().split()[2]) == 2
        until(lambda: client.get_boolean_value("a", False), "the change")
    until(lambda: client.status == "READY", "READY")


# -- the end ------------------------------------------------------------------------------------------------------------

ENDS = {
    "without closing": "",
    "after closing": "client.close()",
    "by an error": "raise SystemExit(3)",
    "in a thread's exit": "import threading; threading.Thread(target=client.close).start()",
    "with a getter": "get = client.get_boolean_value; del client",
    "amid changes": "client.on_change(lambda _: None)",
}


@pytest.mark.parametrize("server", ["live", "away"])
@pytest.mark.parametrize("end", ENDS)
def test_processes_end_cleanly(live: Live, run: Any, server: str, end: str) -> None:
    """In every state a process ends by itself within a second or so: no hang, no warning, no message (G18)."""
    publisher = live.publisher()
    publisher.publish(compiled(a="on"))
    endpoint = publisher.endpoint
    if server == "away":
        publisher.close()
    script = run(
        f"""
        import sys, time, flagcore
        client = flagcore.connect(sys.argv[1], wait={30 if server == "live" else 0.05}, cache_dir=None)
        print(client.get_boolean_value("a", False), time.monotonic(), flush=True)
        {ENDS[end]}
        """,
        endpoint,
    )
    value, _ = script.line().split()
    assert value == str(server == "live")
    begun = time.monotonic()
    code, _, errors = script.finish()
    assert (code, errors) == (3 if "SystemExit" in ENDS[end] else 0, "")
    assert time.monotonic() - begun < 10  # far above the second that is promised: the machine may be busy


def test_ten_clients_end_together(live: Live, run: Any) -> None:
    """A process with many connections ends as quickly as one with one: all are told to end before any is waited for."""
    publisher = live.publisher()
    publisher.publish(compiled(a="on"))
    script = run(
        """
        import sys, flagcore
        clients = [flagcore.connect(sys.argv[1], wait=30, cache_dir=None) for _ in range(10)]
        print(sum(client.get_boolean_value("a", False) for client in clients), flush=True)
        """,
        publisher.endpoint,
    )
    assert script.finish() == (0, "10\n", "")


def test_open_and_close_again_and_again(live: Live) -> None:
    """Clients come and go without leaving threads, sockets or files behind."""
    publisher = live.publisher()
    publisher.publish(compiled(a="on"))
    counts = []
    for number in range(30):
        with live.client(publisher.endpoint, wait=PATIENCE if number % 2 else 0.0) as client:
            client.get_boolean_value("a", False)
        counts.append(len(list(OPEN_FILES.iterdir())) if OPEN_FILES.is_dir() else 0)
    assert counts[-1] <= counts[4] + 4


def test_importing_opens_nothing(run: Any) -> None:
    """Importing flagcore, and the parts for live flags, starts no thread and opens no file."""
    script = run(
        """
        import os, sys, threading, flagcore
        import flagcore.client
        before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
        import flagcore.distribution.subscriber, flagcore.distribution.publisher
        after = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
        print(threading.active_count(), len(after - before), flush=True)
        """
    )
    assert script.finish() == (0, "1 0\n", "")


def test_following_a_publisher_loads_no_compiler(live: Live, run: Any) -> None:
    """A service that follows a publisher loads neither model nor compiler, and no asyncio."""
    publisher = live.publisher()
    publisher.publish(compiled(a="on"))
    script = run(
        """
        import sys, flagcore
        client = flagcore.connect(sys.argv[1], wait=30, cache_dir=None)
        assert client.get_boolean_value("a", False) is True
        client.close()
        print(*sorted(sys.modules), flush=True)
        """,
        publisher.endpoint,
    )
    code, out, errors = script.finish()
    assert (code, errors) == (0, "")
    authoring = (
        "flagcore.model",
        "flagcore.compiler",
        "flagcore.testing",
        "flagcore.cli.",
        "asyncio",
        "yaml",
        "sqlite3",
    )
    assert not [name for name in out.split() if name.startswith(authoring)]


@pytest.mark.parametrize("missing", ["zmq", "nacl"])
def test_the_extra_is_named(run: Any, missing: str) -> None:
    """Without the libraries of live flags connecting says which extra has them; flags from files need none."""
    script = run(
        """
        import sys
        sys.modules[sys.argv[1]] = None
        import flagcore
        try:
            from flagcore.distribution.publisher import Publisher
            flagcore.connect("tcp://127.0.0.1:7440", sdk_key="fck1_x", wait=0)
        except (flagcore.SettingsError, ImportError):
            pass
        try:
            client = flagcore.connect("tcp://127.0.0.1:7440", wait=0, cache_dir=None)
            client.close()
        except flagcore.SettingsError as error:
            print(error, flush=True)
        """,
        missing,
    )
    code, out, errors = script.finish()
    assert (code, errors) == (0, "")
    assert ("flagcore[zmq]" in out) is (missing == "zmq")
