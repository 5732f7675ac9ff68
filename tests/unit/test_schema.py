"""The JSON Schema of the format, and the way back from a flag set to a document."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from flagcore.model import build_flag_set, json_schema, load, to_document
from flagcore.model.build import DOCUMENT_KEYS, SEGMENT_KEYS
from flagcore.model.build_flag import FLAG_KEYS, REQUIREMENT_KEYS, SCENARIO_KEYS
from flagcore.model.build_rule import RULE_KEYS
from flagcore.model.flagset import Condition, Flag, FlagSet, Segment
from flagcore.model.limits import DEFAULT_LIMITS
from flagcore.model.read_yaml import read
from flagcore.model.tree import Has
from flagcore.terms import FlagType

ROOT = Path(__file__).parents[2]
SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
FILES = sorted(
    path
    for path in (ROOT / "examples").rglob("*")
    if path.suffix in (".yaml", ".yml", ".json") and "context" not in path.name
)
FORMAT_PAGE = (ROOT / "docs" / "design" / "flag-format.md").read_text("utf-8")


def example_of_the_page() -> str:
    """The document of flag-format.md section 6."""
    section = FORMAT_PAGE.partition("## 6.")[2]
    return "\n".join(line[4:] for line in section.split("\n") if line.startswith("    "))


def errors(document: object) -> list[str]:
    """Return what the schema says against the document."""
    return [error.message for error in VALIDATOR.iter_errors(document)]


def test_schema_is_one():
    """The schema follows JSON Schema 2020-12, is plain JSON, and is made anew at each call."""
    VALIDATOR.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    json_schema().clear()
    assert json_schema() == SCHEMA


def test_schema_knows_the_keys_of_the_loader():
    """Schema and loader know the same keys, and the schema has a word on each key of flags and rules."""
    definitions = SCHEMA["$defs"]
    assert isinstance(definitions, dict)
    keys = {
        "flag": FLAG_KEYS,
        "rule": RULE_KEYS,
        "segment": SEGMENT_KEYS,
        "requirement": REQUIREMENT_KEYS,
        "test": SCENARIO_KEYS,
    }
    for name, known in keys.items():
        assert set(definitions[name]["properties"]) == set(known)
        for key, schema in definitions[name]["properties"].items():
            described = "description" in schema or "description" in definitions.get(
                schema.get("$ref", "").rpartition("/")[2], {}
            )
            assert described, (name, key)
    assert set(SCHEMA["properties"]) == set(DOCUMENT_KEYS)  # type: ignore[call-overload]


def test_example_of_the_format_page():
    """The schema accepts the example of the format's page."""
    assert errors(yaml_data(example_of_the_page())) == []


def yaml_data(text: str) -> object:
    """Return the data of a YAML text as the loader reads it."""
    return read(text, DEFAULT_LIMITS).data


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_examples(path: Path):
    """The schema accepts every example flag file."""
    text = path.read_text("utf-8")
    data = json.loads(text) if path.suffix == ".json" else yaml_data(text)
    if isinstance(data, dict) and "schema" in data:
        assert errors(data) == []


def flag_document(**keys: object) -> dict[str, object]:
    """A document with one boolean flag with these keys."""
    return {"schema": "flagcore/v1", "flags": {"f": {"type": "boolean", "default": "off", **keys}}}


def rule_document(**keys: object) -> dict[str, object]:
    """A document with one flag whose only rule has these keys."""
    return flag_document(rules=[{"id": "r", **keys}])


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"schema": "flagcore/v2"},
        {"schema": "flagcore/v1", "flag": {}},
        {"schema": "flagcore/v1", "flags": {"a b": {"type": "boolean", "default": "on"}}},
        {"schema": "flagcore/v1", "flags": {"f": {"type": "boolean"}}},
        {"schema": "flagcore/v1", "flags": {"f": {"type": "string", "default": "a"}}},
        {"schema": "flagcore/v1", "flags": {"f": {"type": "string", "default": "a", "variants": {"a": 1}}}},
        {"schema": "flagcore/v1", "flags": {"f": {"type": "integer", "default": "a", "variants": {"a": 2**63}}}},
        {"schema": "flagcore/v1", "segments": {"s": {}}},
        {"schema": "flagcore/v1", "segments": {"s": {"when": "has(x)", "attribute": "x", "values": []}}},
        {"schema": "flagcore/v1", "attributes": {"a": "text"}},
        flag_document(default=True),
        flag_document(default={}),
        flag_document(expires="soon"),
        flag_document(metadata={"a": None}),
        flag_document(defualt="on"),
        flag_document(requires=[{"flag": "g"}]),
        flag_document(tests=[{"given": {}}]),
        flag_document(tests=[{"expect": {"on": "many"}}]),
        rule_document(),
        rule_document(serve="on", split={"on": 1}),
        rule_document(serve="on", percent=101),
        rule_document(serve="on", percent=1, ramp=[{"at": "2026-12-01T09:00:00Z", "percent": 1}]),
        rule_document(serve="on", between=["2026-12-01T09:00:00Z"]),
        rule_document(serve="on", between=["2026-12-01", None]),
        rule_document(serve="on", when={"all": []}),
        rule_document(serve="on", when={"attribute": "x"}),
        rule_document(serve="on", when={"attribute": "x", "==": 1, "!=": 2}),
        rule_document(serve="on", when={"attribute": "x", "in": []}),
        rule_document(serve="on", when={"attribute": "x", "<": {"w": "1"}}),
        rule_document(serve="on", when=None),
        rule_document(serve="on", when={"all": ["x == 1"]}),
    ],
)
def test_faults_of_shape(document: dict[str, object]):
    """Faults of shape are refused by the schema, as the loader refuses them."""
    assert errors(document)
    with pytest.raises(Exception, match="problem"):
        build_flag_set(document)


@pytest.mark.parametrize(
    "when",
    [
        "country == 'DE'",
        True,
        {"not": {"attribute": "x", "in": [1, "a", True, {"i": "b"}]}},
        {"all": [{"any": [{"segment": "s"}, {"has": "a.b"}]}, False]},
        {"attribute": "app", ">=": {"v": "2.3.0"}},
        {"attribute": "ip", "in": {"cidr": "10.0.0.0/8"}},
    ],
)
def test_conditions(when: object):
    """The schema accepts both forms of conditions."""
    assert errors(rule_document(serve="on", when=when)) == []


# -- from flag set to document --

RICH = """
schema: flagcore/v1
attributes: {country: string, groups: [string], '`a.b`': any, n: number, tenant_id: string, x: integer}
segments:
  s: {when: 'country   ==   "DE"  # kept as written', description: Germany}
  t: {attribute: tenant_id, values: [a, b]}
  u: {when: {all: [{attribute: x, '>': 1}, {not: {segment: t}}]}}
flags:
  a: {type: boolean, default: off}
  b: {type: boolean, default: on, off_variant: on, enabled: false, salt: old}
  c: {type: boolean, default: on, variants: {on: true, off: false}}
  d: {type: boolean, default: on, variants: {off: false, on: true}, off_variant: off}
  e:
    type: object
    description: d
    owner: o
    tags: [t1, t2]
    expires: 2027-03-01
    links: [l]
    purpose: experiment
    metadata: {m: 1, k: true, z: 1.5}
    variants: {x: {k: [1, null]}, y: []}
    default: {x: 1, y: 2.5}
    bucket_by: '`a.b`.c'
    requires: [{flag: a, is: on}, {flag: b, is: [on, off], otherwise: x}]
    rules:
      - {id: r1, when: segment("s") and n < 2, serve: x, percent: 12.5, description: why}
      - {id: r2, between: [2026-12-01T09:00:00Z, null], split: {x: 1, y: 2}, base: percent, salt: s, bucket_by: tenant_id}
      - {id: r3, when: {has: country}, ramp: [{at: 2026-12-01T09:00:00Z, percent: 1}], serve: y}
    tests:
      - {given: {country: DE, n: 1}, at: 2026-12-09T00:00:00Z, expect: x, rule: r1, reason: SPLIT}
      - {given: {}, population: 100, by: tenant_id, expect: {x: 5%, y: 95%}, tolerance: 0.6%}
"""


def test_document_builds_the_set_again():
    """A document made from a set builds an equal set, keeps the author's texts, and leaves defaults out."""
    data = yaml_data(RICH)
    assert isinstance(data, dict)
    flag_set = build_flag_set(data).flag_set
    document = to_document(flag_set)
    assert build_flag_set(document).flag_set == flag_set
    assert errors(json.loads(json.dumps(document))) == []
    flags = document["flags"]
    assert isinstance(flags, dict)
    assert flags["a"] == {"type": "boolean", "default": "off"}
    segments = document["segments"]
    assert isinstance(segments, dict)
    assert segments["s"]["when"] == 'country   ==   "DE"  # kept as written'
    assert segments["u"]["when"] == {"all": [{"attribute": "x", ">": 1}, {"not": {"segment": "t"}}]}


def test_document_as_yaml():
    """Written as YAML and read by the core schema, the document is the same."""
    data = yaml_data(RICH)
    assert isinstance(data, dict)
    document = to_document(build_flag_set(data).flag_set)
    text = yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False)
    assert build_flag_set(yaml_data(text)).flag_set == build_flag_set(data).flag_set  # type: ignore[arg-type]


def test_values_files_are_named_again(tmp_path: Path):
    """A segment of a values file names it again instead of its values."""
    (tmp_path / "v.txt").write_text("one\ntwo\n", encoding="utf-8")
    document = {"schema": "flagcore/v1", "segments": {"s": {"attribute": "x", "values_file": "v.txt"}}, "flags": {}}
    (tmp_path / "a.json").write_text(json.dumps(document), encoding="utf-8")
    flag_set = load(tmp_path).flag_set
    assert flag_set.segments["s"].values == ("one", "two")
    assert to_document(flag_set) == document


def test_sets_that_programs_build():
    """A boolean flag without off_variant is written so that it comes back without."""
    flag = Flag(key="f", type=FlagType.BOOLEAN, variants={"on": True, "off": False}, default="on")
    segment = Segment(name="s", when=Condition(Has(("a", "b.c"))))
    flag_set = FlagSet(flags={"f": flag}, segments={"s": segment})
    assert build_flag_set(to_document(flag_set)).flag_set == flag_set
