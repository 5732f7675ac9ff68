"""``make demo``, the live part: a publisher, four services (one is gunicorn with forked workers), changes, a publisher that dies."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

__all__ = ["run"]

STEPS = range(2, 102, 2)  # percent of the ramp
FOLLOWERS = 6  # three services, and gunicorn's master with two workers
PATIENCE = 20.0  # seconds for anything to happen; it takes far less
Served = dict[str, Any]


def run(heading: Callable[[str], None]) -> int:
    """Run the parts in order; returns an exit code."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "notes").mkdir()
        _write(folder, enabled=True, percent=0)
        publisher = stack.enter_context(_Publishing(folder, _free_ports(2)))
        ports = [_free_ports(1) for _ in range(4)]
        stack.enter_context(_services(folder, publisher.address, ports))
        heading("Live flags: a publisher, three services, and gunicorn with two forked workers")
        _show(_all_served(ports))
        heading("A kill switch is turned off, and everybody has said so")
        _kill(folder, publisher, ports)
        heading(f"A rollout is ramped to 100 % in {len(STEPS)} steps")
        _ramp(folder, publisher)
        heading("The publisher is killed")
        _outage(folder, publisher, ports)
    return 0


# -- the parts


def _kill(folder: Path, publisher: _Publishing, ports: Sequence[int]) -> None:
    _write(folder, enabled=False, percent=0)
    receipt = publisher.publish()
    complete = "complete" if receipt["complete"] else "NOT complete"
    print(
        f"  receipt: {complete}, {receipt['acknowledged']} clients (gunicorn's master is one) in {receipt['milliseconds']:.1f} ms"
    )
    _show(_all_served(ports))


def _ramp(folder: Path, publisher: _Publishing) -> None:
    receipts = []
    for percent in STEPS:
        _write(folder, enabled=False, percent=percent)
        receipts.append(publisher.publish())
    complete = sum(receipt["complete"] for receipt in receipts)
    handed = {receipt["revision"]: receipt["handed"] for receipt in receipts}
    seen = [(at - handed[revision]) / 1e6 for revision, at in _notes(folder) if revision in handed]
    print(f"  {complete} of {len(receipts)} receipts complete; from the publisher to an evaluation, {len(seen)} times:")
    print(f"  p50 {statistics.median(seen):.2f} ms, p99 {sorted(seen)[int(0.99 * len(seen))]:.2f} ms")


def _outage(folder: Path, publisher: _Publishing, ports: Sequence[int]) -> None:
    publisher.kill()
    everyone = _until(ports, lambda served: served["status"] == "STALE")
    print("  some seconds later, everybody knows, and serves on:")
    _show(everyone)
    _write(folder, enabled=True, percent=100)
    started = time.monotonic()
    publisher.start()
    print("\n  it is back, with another revision:")
    everyone = _until(ports, lambda served: served["status"] == "READY" and served["checkout"])
    _show(everyone)
    print(f"  all READY {time.monotonic() - started:.1f} s after its start")


def _show(everyone: Sequence[Served]) -> None:
    print(f"  {'process':>9}  {'status':<9} {'revision':>8}  {'age':>7}  checkout.enabled  checkout.new-flow")
    for served in everyone:
        age = "" if served["age"] is None else f"{served['age']:.2f} s"
        checkout = "on" if served["checkout"] else "off"
        print(
            f"  {served['pid']:>9}  {served['status']:<9} {served['revision']:>8}  {age:>7}  {checkout:<16}  "
            f"{served['share']:.0%} of the visitors"
        )


# -- flags, as a file


def _write(folder: Path, *, enabled: bool, percent: int) -> None:
    rollout = {"id": "rollout", "percent": percent, "serve": "on"}
    flags = {
        "checkout.enabled": {"type": "boolean", "default": "on" if enabled else "off"},
        "checkout.new-flow": {"type": "boolean", "default": "off", "rules": [rollout]},
    }
    (folder / "flags.json").write_text(json.dumps({"schema": "flagcore/v1", "flags": flags}))


# -- processes


class _Publishing:
    """The publisher's process, which may die and come back."""

    def __init__(self, folder: Path, port: int) -> None:
        self.address = f"tcp://127.0.0.1:{port}"
        self._command = [
            *(sys.executable, "-m", "examples.live_publisher"),
            *(str(folder / "flags.json"), self.address, str(folder / "state.json"), str(FOLLOWERS)),
        ]
        self.start()

    def start(self) -> None:
        """Start it; returns when it serves."""
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._line()

    def publish(self) -> dict[str, Any]:
        """Let it publish the file, and return the receipt."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line: dict[str, Any] = json.loads(self._process.stdout.readline())
        return line

    def kill(self) -> None:
        """Kill it, as a machine that fails would."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.kill()


@contextmanager
def _services(folder: Path, address: str, ports: Sequence[int]) -> Iterator[None]:
    gunicorn = ("gunicorn", "--preload", "--workers", "2", "--log-level", "error", "examples.live_service:application")
    commands: list[tuple[str, ...]] = [("examples.live_service", str(port)) for port in ports[:3]]
    commands.append((*gunicorn, "--bind", f"127.0.0.1:{ports[3]}"))
    environment = {**os.environ, "FLAGS": address, "NOTES": str(folder / "notes")}
    processes = [subprocess.Popen([sys.executable, "-m", *command], env=environment) for command in commands]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def _all_served(ports: Sequence[int]) -> list[Served]:
    """Return what every process that answers requests serves; gunicorn is asked until both workers have answered."""
    found: dict[int, Served] = {}
    deadline = time.monotonic() + PATIENCE
    while len(found) < FOLLOWERS - 1:
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {len(found)} processes answer")
        for port in ports:
            if (served := _asked(port)) is not None:
                found[served["pid"]] = served
    return [found[pid] for pid in sorted(found)]


def _until(ports: Sequence[int], wanted: Callable[[Served], bool]) -> list[Served]:
    """Return what everybody serves as soon as it is what is wanted."""
    deadline = time.monotonic() + PATIENCE
    while True:
        everyone = _all_served(ports)
        if all(wanted(served) for served in everyone):
            return everyone
        if time.monotonic() > deadline:
            _show(everyone)
            raise RuntimeError("this should have come true by now")
        time.sleep(0.05)


def _asked(port: int) -> Served | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE) as answer:
            served: Served = json.load(answer)
            return served
    except OSError:
        time.sleep(0.05)  # it is starting
        return None


def _notes(folder: Path) -> Iterator[tuple[int, int]]:
    """Yield revision and monotonic nanoseconds of everything that the processes noted."""
    for path in (folder / "notes").iterdir():
        for line in path.read_text().splitlines():
            revision, at = line.split()
            yield int(revision), int(at)


def _free_ports(count: int) -> int:
    """Return a port that is free, and so are the next ones."""
    while True:
        with ExitStack() as stack:
            first = stack.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                for number in range(1, count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port + number))
            except OSError:
                continue
            return port
