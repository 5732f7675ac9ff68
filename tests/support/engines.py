"""Engines of authored flags, for tests."""

from __future__ import annotations

from typing import Any

from flagcore.compiler import compile_flag_set
from flagcore.engine import Engine
from flagcore.model import build_flag_set
from flagcore.snapshot.objects import Snapshot

__all__ = ["boolean", "engine_of", "snapshot_of"]


def boolean(when: str | None = None, **rule: Any) -> dict[str, Any]:
    """Return a boolean flag that is on where one rule matches."""
    condition = {} if when is None else {"when": when}
    return {"type": "boolean", "default": "off", "rules": [{"id": "r", **condition, "serve": "on", **rule}]}


def snapshot_of(flags: dict[str, Any], *, revision: int = 1, debug: bool = True, **document: Any) -> Snapshot:
    """Return authored flags, compiled."""
    flag_set = build_flag_set({"schema": "flagcore/v1", "flags": flags, **document}).flag_set
    return compile_flag_set(flag_set, revision=revision, debug=debug).snapshot


def engine_of(flags: dict[str, Any], **settings: Any) -> Engine:
    """Return an engine that serves authored flags; ``segments`` may stand among the settings."""
    engine = Engine(**{name: value for name, value in settings.items() if name != "segments"})
    engine.load(snapshot_of(flags, **({"segments": settings["segments"]} if "segments" in settings else {})))
    assert not engine.degraded
    return engine
