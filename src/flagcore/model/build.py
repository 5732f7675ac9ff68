"""Plain data to FlagSet: the document's own keys, segments and attributes; flags are built by build_flag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from flagcore.model.build_flag import build_flag
from flagcore.model.expression_print import print_path
from flagcore.model.fields import Fields, Keys, Report, as_mapping, is_list
from flagcore.model.flagset import Flag, Scalar, Segment
from flagcore.model.problems import DocumentPath, Finding

__all__ = ["DOCUMENT_KEYS", "SCHEMA", "SEGMENT_KEYS", "Built", "ReadValues", "build_document"]

SCHEMA = "flagcore/v1"
DOCUMENT_KEYS: Keys = dict.fromkeys(("schema", "attributes", "segments", "flags"))
SEGMENT_KEYS: Keys = dict.fromkeys(("when", "attribute", "values", "values_file", "description"))

ReadValues = Callable[[str, DocumentPath], "tuple[str, ...] | Finding"]
"""Reads a values file named in a document; a finding says why it cannot be read."""


class Built:
    """What one document holds. Names in ``unbuilt`` stand in the document but could not be read at all."""

    def __init__(self) -> None:
        self.flags: dict[str, Flag] = {}
        self.segments: dict[str, Segment] = {}
        self.attributes: dict[str, str] | None = None
        self.untyped: set[str] = set()  # flags whose type is not known
        self.unbuilt: set[tuple[str, str]] = set()  # ("flags" or "segments", name)


def build_document(report: Report, data: object, read_values: ReadValues) -> Built:
    """Return what the document holds, all faults noted in the report."""
    built = Built()
    mapping = as_mapping(report, data, ())
    if mapping is None:
        return built
    fields = Fields(report, mapping, (), DOCUMENT_KEYS)
    _check_schema(fields)
    _build_attributes(fields, built)
    for name, segment in _entries(fields, "segments").items():
        found = _build_segment(report, name, segment, ("segments", name), read_values)
        if found is None:
            built.unbuilt.add(("segments", name))
        else:
            built.segments[name] = found
    for key, flag in _entries(fields, "flags").items():
        result = build_flag(report, key, flag, ("flags", key))
        if result is None:
            built.unbuilt.add(("flags", key))
            continue
        built.flags[key] = result[0]
        if not result[1]:
            built.untyped.add(key)
    return built


def _entries(fields: Fields, key: str) -> Mapping[str, object]:
    """Return the mapping under the key; nothing when it is absent or null."""
    return {} if fields.data.get(key) is None else fields.mapping(key) or {}


def _check_schema(fields: Fields) -> None:
    hint = f"write schema: {SCHEMA}"
    if not fields.require("schema", hint):
        return
    if fields.data["schema"] != SCHEMA:
        fields.report.add(
            "bad-schema", f"this release reads documents of the schema {SCHEMA!r} only", fields.at("schema"), hint
        )


def _build_attributes(fields: Fields, built: Built) -> None:
    if fields.data.get("attributes") is None:
        return
    mapping = fields.mapping("attributes")
    if mapping is None:
        return
    built.attributes = {}
    for text, kind in mapping.items():
        place: DocumentPath = ("attributes", text)
        path = fields.report.attribute_path(text, place)
        if is_list(kind) and len(cast("list[object]", kind)) == 1 and isinstance(cast("list[object]", kind)[0], str):
            kind = f"[{cast('list[object]', kind)[0]}]"
        if not isinstance(kind, str):
            fields.report.wrong_type("a kind such as string, or a list of one kind", kind, place)
        elif path is not None:
            built.attributes[print_path(path)] = kind


def _build_segment(
    report: Report, name: str, data: object, path: DocumentPath, read_values: ReadValues
) -> Segment | None:
    mapping = as_mapping(report, data, path)
    if mapping is None:
        return None
    fields = Fields(report, mapping, path, SEGMENT_KEYS)
    values = _values(fields)
    values_file = fields.text("values_file")
    if "values" in mapping and "values_file" in mapping:
        report.add("bad-segment", "a segment has `values` or `values_file`, not both", path, at_key=True)
    if values_file is not None and "values" not in mapping:
        read = read_values(values_file, fields.at("values_file"))
        if isinstance(read, Finding):
            report.note(read)
        else:
            values = cast("tuple[Scalar, ...]", read)
    return Segment(
        name=name,
        when=report.condition(mapping["when"], fields.at("when")) if "when" in mapping else None,
        attribute=fields.attribute("attribute"),
        values=values,
        values_file=values_file,
        description=fields.text("description"),
    )


_SCALARS = frozenset({str, bool, int, float})


def _values(fields: Fields) -> tuple[Scalar, ...] | None:
    data = fields.data.get("values")
    if is_list(data) and set(map(type, cast("list[object]", data))) <= _SCALARS:
        return tuple(cast("list[Scalar]", data))
    return fields.items("values", lambda item, path: _scalar(fields.report, item, path))


def _scalar(report: Report, data: object, path: DocumentPath) -> Scalar | None:
    if isinstance(data, (str, bool, int, float)):
        return data
    report.wrong_type("a text, number or boolean", data, path)
    return None
