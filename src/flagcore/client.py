"""What a service creates: an engine and the source that feeds it, with status, waiting and events."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

from flagcore.distribution.source import MemorySource, OfflineSource, Source, log
from flagcore.engine import Engine, EvaluationDetails
from flagcore.errors import Problem, SettingsError
from flagcore.settings import Settings, read_settings
from flagcore.telemetry.tracking import TrackingQueue
from flagcore.terms import ProviderStatus

if TYPE_CHECKING:
    from types import EllipsisType
    from typing import Self

    from flagcore.context import EvaluationContext
    from flagcore.distribution.source import Snapshot
    from flagcore.engine import Context, Explanation, FlagHandle

__all__ = ["Client", "connect"]

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)|(host):([A-Za-z0-9._-]+)", re.DOTALL)
LIVE_SCHEMES = ("tcp", "ipc")
LATER_SCHEMES = ("nats", "http", "https", "redis", "host")
UNKNOWN_KEYS_REMEMBERED = 10_000


class Getter(Protocol[T]):
    """``(flag_key, default_value, evaluation_context)`` -> value, or the default value as it is. Never raises."""

    def __call__(
        self,
        flag_key: str,
        default_value: T,
        evaluation_context: Mapping[str, Any] | EvaluationContext | None = None,
        flag_evaluation_options: object = None,
    ) -> T: ...


class DetailsGetter(Protocol[T_contra]):
    """As a getter, with variant, reason, error and flag metadata around the value."""

    def __call__(
        self,
        flag_key: str,
        default_value: T_contra,
        evaluation_context: Mapping[str, Any] | EvaluationContext | None = None,
        flag_evaluation_options: object = None,
    ) -> EvaluationDetails: ...


ENGINE_METHODS = (
    *(
        f"get_{kind}_{part}"
        for kind in ("boolean", "string", "integer", "float", "object")
        for part in ("value", "details")
    ),
    *("evaluate_all", "evaluate_table", "explain", "flag", "context", "counters"),
)


def connect(
    source: str | os.PathLike[str] | None = None,
    *,
    sdk_key: str | None = None,
    wait: float | None = None,
    cache_dir: str | os.PathLike[str] | EllipsisType | None = ...,
    bootstrap: str | os.PathLike[str] | None = None,
    context: Mapping[str, Any] | None = None,
    offline: bool | None = None,
    watch: bool | None = None,
    debounce: float | None = None,
    poll_interval: float | None = None,
) -> Client:
    """Return a client of the flags at ``source``: a publisher's address, a file, a directory, or a compiled file (``.fcs``).

    On files it returns when the first load is complete. From a publisher (``tcp://...``, ``ipc://...``; several with commas between)
    it returns when the newest flags are there, after ``wait`` seconds at the latest, and never raises because nobody answers:
    ``cache_dir`` is where the last known good flags are kept (None: nowhere), ``bootstrap`` a compiled file that is served until
    something newer is there (with keys a signed one: ``flagcore compile --sign``), ``sdk_key`` what ``flagcore keys`` or the manager
    issued; on loopback and ipc a publisher may do without keys. What is not given is looked up in the environment (``FLAGCORE_SOURCE``,
    ...), then in flagcore.toml or ``[tool.flagcore]``. ``context`` is merged under the context of each call.
    ``debounce`` and ``poll_interval`` are seconds; docs/reference/client.md tells more.

    Raises:
        FlagSetError: there is no valid set; holds all its problems.
        SnapshotError: a compiled file is corrupt, or of a format that this release cannot read.
        SettingsError: a setting is wrong, an extra is missing, or the source is an address that this release does not open.
    """
    settings = read_settings(
        {
            "source": os.fspath(source) if isinstance(source, os.PathLike) else source,
            "sdk_key": sdk_key,
            "wait": wait,
            "cache_dir": _place(cache_dir),
            "bootstrap": os.fspath(bootstrap) if isinstance(bootstrap, os.PathLike) else bootstrap,
            "context": dict(context) if isinstance(context, Mapping) else context,
            "offline": offline,
            "watch": watch,
            "debounce": debounce,
            "poll_interval": poll_interval,
        }
    )
    engine = Engine(static_context=settings.context or None, on_unknown=_log_once())
    return Client(engine, _open(engine, settings))


def _open(engine: Engine, settings: Settings) -> Source:
    from flagcore.distribution.file_source import FileSource

    if not settings.source:
        raise SettingsError('no source: pass one, as in flagcore.connect("flags/"), or set FLAGCORE_SOURCE')
    address = ADDRESS.fullmatch(settings.source)
    if address is None:
        path = settings.source
    elif (scheme := (address[1] or address[3]).lower()) == "file":
        path = address[2]
    elif scheme not in (*LIVE_SCHEMES, *LATER_SCHEMES):
        raise SettingsError(
            f"{settings.source!r}: unknown scheme {scheme!r}; a source is a path, or an address such as tcp://host:7440"
        )
    elif settings.offline:
        return OfflineSource(engine, settings.source)
    elif scheme in LIVE_SCHEMES:
        return _open_live(engine, settings)
    else:
        raise SettingsError(
            f"{scheme!r} sources cannot be opened: this release serves flags from files and from publishers; "
            "give a path, or an address such as tcp://host:7440"
        )
    return FileSource(
        engine, path, watch=settings.watch, debounce=settings.debounce, poll_interval=settings.poll_interval
    )


def _open_live(engine: Engine, settings: Settings) -> Source:
    try:
        from flagcore.distribution.subscriber import open_live
    except ImportError as error:
        raise SettingsError(f'live flags need the extra "zmq": pip install "flagcore[zmq]" ({error})') from None
    assert settings.source is not None
    return open_live(
        engine,
        settings.source,
        sdk_key=settings.sdk_key,
        wait=settings.wait,
        cache_dir=settings.cache_dir,
        bootstrap=settings.bootstrap,
    )


def _place(given: str | os.PathLike[str] | EllipsisType | None) -> str | None:
    """Return the cache folder as a setting: None where it is not given, empty where it is not wanted."""
    if given is ...:
        return None
    return "" if given is None else os.fspath(given)


def _log_once() -> Callable[[str], None]:
    """Return a function that logs each unknown flag key the first time, remembering a bounded number of them."""
    seen: set[str] = set()

    def unknown(flag_key: str) -> None:
        if flag_key not in seen and len(seen) < UNKNOWN_KEYS_REMEMBERED:
            seen.add(flag_key)
            log.warning("flag %r is unknown: callers get their default value", flag_key)

    return unknown


def _said(error: Exception) -> str:
    """Return an error in words, even one that cannot say its own."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001
        return type(error).__name__


class Client:
    """Answers for flags, from any thread. Create one with ``connect`` and keep it as long as the process lives.

    The getters and ``evaluate_all``, ``evaluate_table``, ``explain``, ``flag``, ``context``, ``counters`` are the engine's own methods:
    fetched once, they keep following new revisions, overrides and ``close``. Flags stay live in a forked child; a
    client cannot be pickled.
    """

    __slots__ = (*ENGINE_METHODS, "__weakref__", "_engine", "_source", "tracking")

    get_boolean_value: Getter[bool]
    get_boolean_details: DetailsGetter[bool]
    get_string_value: Getter[str]
    get_string_details: DetailsGetter[str]
    get_integer_value: Getter[int]
    get_integer_details: DetailsGetter[int]
    get_float_value: Getter[float]
    get_float_details: DetailsGetter[float]
    get_object_value: Getter[Any]
    get_object_details: DetailsGetter[Any]
    evaluate_all: Callable[..., Mapping[str, EvaluationDetails]]
    evaluate_table: Callable[..., Any]
    explain: Callable[..., Explanation]
    flag: Callable[[str], FlagHandle]
    context: Callable[[Mapping[str, Any]], Context]
    counters: Callable[..., dict[str, dict[tuple[str | None, str | None, str], int]]]

    def __init__(self, engine: Engine, source: Source) -> None:
        self._engine = engine
        self._source = source
        self.tracking = TrackingQueue()
        for name in ENGINE_METHODS:
            setattr(self, name, getattr(engine, name))

    @classmethod
    def of_snapshot(
        cls,
        snapshot: Snapshot,
        problems: tuple[Problem, ...] = (),
        *,
        context: Mapping[str, Any] | None = None,
        clock: Callable[[], int] | None = None,
    ) -> Self:
        """Return a client of flags in memory; ``clock`` gives the evaluation time in microseconds since 1970 UTC."""
        given = {"clock": clock} if clock is not None else {}
        engine = Engine(static_context=context, on_unknown=_log_once(), **given)
        return cls(engine, MemorySource(engine, snapshot, problems))

    # -- how it stands ----------------------------------------------------------------------------------------------

    @property
    def status(self) -> ProviderStatus:
        """NOT_READY without data, READY when the newest flags are served, STALE when older ones are."""
        return self._source.state.status

    @property
    def revision(self) -> int:
        """The number of the served revision: it rises with each change; 0 without data."""
        return self._engine.revision

    @property
    def epoch(self) -> int:
        """The incarnation of the history that the revision belongs to; a later one is higher."""
        return self._engine.epoch

    @property
    def age(self) -> float | None:
        """Seconds since the served flags were last known to be the newest; None without data."""
        return self._source.age

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What the latest attempt to load found wrong: warnings while READY, the errors that keep it STALE."""
        return self._source.state.problems

    @property
    def last_error(self) -> Exception | None:
        """Why the latest attempt to load failed; None when it did not."""
        return self._source.state.error

    def wait_ready(self, timeout: float | None = None) -> bool:
        """Block until there is data, at most ``timeout`` seconds; returns whether there is."""
        return self._source.wait_ready(timeout)

    async def wait_ready_async(self, timeout: float | None = None) -> bool:
        """``wait_ready`` for asyncio: the event loop goes on meanwhile."""
        import asyncio

        loop = asyncio.get_running_loop()
        told = asyncio.Event()

        def tell(_: ProviderStatus) -> None:
            loop.call_soon_threadsafe(told.set)

        unsubscribe = self._source.on_status(tell)
        try:
            async with asyncio.timeout(timeout):
                while not self._source.wait_ready(0) and self._source.waits:
                    await told.wait()
                    told.clear()
        except TimeoutError:
            pass
        finally:
            unsubscribe()
        return self._source.wait_ready(0)

    # -- events -----------------------------------------------------------------------------------------------------

    def on_change(self, listener: Callable[[frozenset[str]], None]) -> Callable[[], None]:
        """Call ``listener`` with the keys of changed flags after each new revision, in the thread that loaded it.

        Returns the function that ends it. What a listener raises is logged.
        """
        return self._source.on_change(listener)

    def on_status(self, listener: Callable[[ProviderStatus], None]) -> Callable[[], None]:
        """Call ``listener`` with each new status; otherwise as ``on_change``."""
        return self._source.on_status(listener)

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: Mapping[str, Any] | EvaluationContext | None = None,
        tracking_event_details: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a named action of a subject in ``client.tracking``, a bounded queue with a hook.

        Never raises: what is no event (see ``TrackingQueue.record``) is not recorded, and logged as a warning.
        """
        try:
            event = self.tracking.record(tracking_event_name, evaluation_context, tracking_event_details)
        except Exception as error:  # noqa: BLE001 - a mapping may raise anything
            log.warning("a tracking event was not recorded: %s", _said(error))
            return
        try:
            if self.tracking.hook is not None:
                self.tracking.hook(event)
        except Exception:  # noqa: BLE001 - what a hook raises is not the caller's affair
            log.exception("the hook of tracking event %r failed", event.name)

    # -- overrides and end ------------------------------------------------------------------------------------------

    @contextmanager
    def override(self, values: Mapping[str, object]) -> Iterator[None]:
        """Answer with ``values`` (flag key -> value) inside the ``with`` block, in all threads.

        Raises:
            TypeError: this is no mapping, a key is no flag key, or no flag can have such a value.
        """
        token = self._engine.push_override(values)
        try:
            yield
        finally:
            self._engine.pop_override(token)

    def close(self) -> None:
        """End watching, within a second; every answer is the caller's default value from then on. Idempotent."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a flagcore client cannot be pickled or copied: connect in the process that evaluates")

    def __repr__(self) -> str:
        count = len(tuple(self._engine.keys())) if self._engine.ready else 0
        return f"<flagcore.Client {self._source.describe()} {self.status} revision {self.revision}, {count} flags>"
