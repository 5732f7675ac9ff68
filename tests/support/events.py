"""What clients tell, to be waited for, and the smallest flag documents to tell of."""

from __future__ import annotations

import json
import queue

import flagcore
from flagcore.terms import ProviderStatus

__all__ = ["PATIENCE", "Events", "document"]

PATIENCE = 30.0  # seconds until a test gives up on an event; nothing waits that long when all is well


def document(**defaults: str) -> str:
    """Return a flag document in which each flag serves the given variant by default."""
    flags = {key: {"type": "boolean", "default": variant} for key, variant in defaults.items()}
    return json.dumps({"schema": "flagcore/v1", "flags": flags})


class Events:
    """What a client told, to be waited for."""

    def __init__(self, client: flagcore.Client) -> None:
        self._changes: queue.Queue[frozenset[str]] = queue.Queue()
        self._statuses: queue.Queue[ProviderStatus] = queue.Queue()
        client.on_change(self._changes.put)
        client.on_status(self._statuses.put)

    def change(self) -> frozenset[str]:
        return self._changes.get(timeout=PATIENCE)

    def status(self) -> ProviderStatus:
        return self._statuses.get(timeout=PATIENCE)

    def no_more_changes(self) -> bool:
        return self._changes.empty()
