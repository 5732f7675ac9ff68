"""Run the command in this process, and the flags that its tests work on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flagcore.cli import main

SHOP: dict[str, Any] = {
    "schema": "flagcore/v1",
    "segments": {"qa": {"attribute": "targetingKey", "values": ["u-qa-1"]}},
    "flags": {
        "checkout.new": {
            "type": "boolean",
            "default": "off",
            "rules": [
                {"id": "qa", "when": 'segment("qa")', "serve": "on"},
                {"id": "germany", "when": 'country == "DE" and age >= 18', "percent": 50, "serve": "on"},
                {
                    "id": "winter",
                    "when": 'country == "AT"',
                    "between": ["2026-12-01T00:00:00Z", None],
                    "serve": "on",
                },
            ],
            "tests": [
                {"given": {"targetingKey": "u-qa-1"}, "expect": "on", "rule": "qa"},
                {"given": {"targetingKey": "x", "country": "AT"}, "at": "2026-12-09T00:00:00Z", "expect": "on"},
                {"given": {"country": "DE", "age": 30}, "population": 2000, "expect": {"on": 50, "off": 50}},
            ],
        },
        "search.limit": {
            "type": "integer",
            "variants": {"low": 10, "high": 100},
            "default": "low",
            "rules": [{"id": "pro", "when": 'plan == "pro"', "serve": "high"}],
        },
        "search.model": {"type": "object", "variants": {"small": {"k": 20}}, "default": "small"},
    },
}


class Result(NamedTuple):
    """What a command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)


class Command:
    """Runs command lines, as a shell in ``folder`` would."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def __call__(self, *words: object) -> Result:
        self._capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err
        return Result(code, out, err)

    def write(self, name: str, content: Any) -> Path:
        """Write a file: text and bytes as they are, other data as JSON."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path
