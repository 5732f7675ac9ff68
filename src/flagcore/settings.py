"""What a client can be told, and where it is told: argument > ``FLAGCORE_*`` > configuration file > default.

The configuration file is the nearest ``flagcore.toml``, or ``pyproject.toml`` with a table ``[tool.flagcore]``, in the
working directory or one of its parents. A source named there is relative to that file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from flagcore.errors import SettingsError

__all__ = ["Settings", "read_settings"]

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a client. Each may also stand in the environment, as ``FLAGCORE_`` and its name in capitals."""

    source: str | None = None  # path of a file or directory, or addresses with commas between
    sdk_key: str | None = None  # says who we are to a publisher, and who it is to us; a secret
    wait: Annotated[float, msgspec.Meta(ge=0, le=3600)] = (
        2.0  # seconds that connecting to a publisher may take at start
    )
    cache_dir: str | None = None  # where last known good is kept; None: the user's cache folder; empty: nowhere
    bootstrap: str | None = None  # path of a compiled file that is served until a publisher says something newer
    context: dict[str, Any] = {}  # static context, merged under each call's; JSON in the environment
    offline: bool = False  # never open a network connection
    watch: bool = True  # follow changes of files
    debounce: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.05  # seconds of rest before changed files are read
    poll_interval: Seconds = 1.0  # seconds between looks at the files when nothing announces a change


def read_settings(arguments: Mapping[str, object], environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings, each from the first place that has it; None among the arguments means "not given".

    Raises:
        SettingsError: a value of the wrong type or range, or an unknown key of the configuration file; the message
            names the place.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    layers = (
        _from_file(os.getcwd()),
        _from_environment(os.environ if environment is None else environment),
        _checked(given, "argument", strict=True),
    )
    return msgspec.convert({name: value for layer in layers for name, value in layer.items()}, Settings)


def _from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name in Settings.__struct_fields__:
        text = environment.get(f"FLAGCORE_{name.upper()}", "")
        if text:
            values[name] = _json(text) if name == "context" else text
    return _checked(values, "environment variable", strict=False)


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise SettingsError(f"environment variable FLAGCORE_CONTEXT is no JSON: {error}") from None


def _from_file(start: str) -> dict[str, object]:
    path, table = _nearest_table(start)
    values = _checked(table, f"{path}:", strict=True)
    source = values.get("source")
    if isinstance(source, str) and "://" not in source:
        values["source"] = os.path.join(os.path.dirname(path), source)
    return values


def _nearest_table(start: str) -> tuple[str, dict[str, object]]:
    """Return path and table of the configuration file that counts for ``start``, or an empty table."""
    directory = start
    while True:
        own, project = os.path.join(directory, "flagcore.toml"), os.path.join(directory, "pyproject.toml")
        if (text := _text_of(own)) is not None:
            return own, _toml(text, own)
        if (text := _text_of(project)) is not None and "tool.flagcore" in text:
            table = _toml(text, project).get("tool")
            if isinstance(table, dict) and isinstance(table.get("flagcore"), dict):
                return project, table["flagcore"]
        parent = os.path.dirname(directory)
        if parent == directory:
            return "", {}
        directory = parent


def _text_of(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        return None


def _toml(text: str, path: str) -> dict[str, Any]:
    import tomllib

    try:
        text.encode()  # bytes that are no UTF-8 were read as surrogates
        return tomllib.loads(text)
    except (UnicodeEncodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} is no TOML: {error}") from None


def _checked(values: Mapping[str, object], place: str, *, strict: bool) -> dict[str, object]:
    """Return the values with the types of Settings, complaining in terms of the place where they stand."""
    checked: dict[str, object] = {}
    for name, value in values.items():
        shown = f"{place} {f'FLAGCORE_{name.upper()}' if not strict and place.startswith('env') else name}"
        try:
            settings = msgspec.convert({name: value}, Settings, strict=strict)
        except msgspec.ValidationError as error:
            known = "" if name in Settings.__struct_fields__ else f"; known are {', '.join(Settings.__struct_fields__)}"
            raise SettingsError(f"{shown}: {str(error).split(' - at')[0]}{known}") from None
        checked[name] = getattr(settings, name)
    return checked
