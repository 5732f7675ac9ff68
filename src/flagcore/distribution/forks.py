"""Being told of a fork, in the child, also by a server that forks without telling Python: uWSGI calls only hooks of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from flagcore.engine import renew_locks

__all__ = ["in_each_child", "is_master_of_uwsgi", "threads_run"]

_renewals: list[Callable[[], None]] = []
_renewed = os.getpid()  # the process for which all was done that is to be done


def in_each_child(renew: Callable[[], None]) -> None:
    """Call ``renew`` once in every child from now on, when engines can be used there, as soon as the child runs Python.

    Under uWSGI no ``before`` handler of ``os.register_at_fork`` has run: ``renew`` must not count on a lock that one would hold.
    """
    _renewals.append(renew)


def _renew() -> None:
    global _renewed
    if _renewed == os.getpid():  # told by both
        return
    _renewed = os.getpid()
    renew_locks()
    for renew in _renewals:
        renew()


def threads_run() -> bool:
    """Return whether threads get their turn here: under uWSGI without ``--enable-threads`` they do not."""
    uwsgi = _uwsgi()
    return uwsgi is None or bool({"enable-threads", "threads", "gevent"} & {str(name) for name in uwsgi.opt})


def is_master_of_uwsgi() -> bool:
    """Return whether this is uWSGI's master process, which makes its workers without a word to Python.

    A thread that waits for its turn here, in the moment of a fork, would leave the worker waiting for that thread for ever: none may be
    left running.
    """
    uwsgi = _uwsgi()
    return uwsgi is not None and bool(uwsgi.masterpid()) and not uwsgi.worker_id()


def _uwsgi() -> Any:
    """Return uWSGI's module in this process; None elsewhere."""
    server = sys.modules.get("uwsgi")
    return server if hasattr(server, "masterpid") else None


def _follow_uwsgi(uwsgi: Any) -> None:
    """Join the functions that uWSGI calls in its workers."""
    try:
        # It keeps a list; whoever imports it later would take our place in the hook.
        from uwsgidecorators import postfork  # type: ignore[import-untyped]
    except Exception:  # noqa: BLE001 - not installed, or uWSGI runs without a master: then it raises just that
        before: Callable[[], None] | None = getattr(uwsgi, "post_fork_hook", None)
        uwsgi.post_fork_hook = _renew if before is None else _both(before, _renew)
    else:
        postfork(_renew)


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def both() -> None:
        first()
        second()

    return both


os.register_at_fork(after_in_child=_renew)
if (found := _uwsgi()) is not None:
    _follow_uwsgi(found)
