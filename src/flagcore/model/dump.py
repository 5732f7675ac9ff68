"""A flag set as the plain document that it could have been read from: authored texts kept, defaults left out."""

from __future__ import annotations

from flagcore.model.build import SCHEMA
from flagcore.model.build_flag import BOOLEAN_VARIANTS
from flagcore.model.expression_json import to_structured
from flagcore.model.expression_print import print_path
from flagcore.model.flagset import TARGETING_KEY, Condition, Flag, FlagSet, Requirement, Rule, Scenario, Segment
from flagcore.model.tree import Path
from flagcore.terms import FlagType, Purpose

__all__ = ["to_document"]

Plain = dict[str, object]


def to_document(flag_set: FlagSet) -> Plain:
    """Return plain data (texts, numbers, lists, dicts) that builds an equal flag set.

    A segment read from a values file names that file again; its values are not in the document.

    Raises:
        ValueError: a condition or path that has no text (see ``print_expression``).
    """
    document: Plain = {"schema": SCHEMA}
    if flag_set.attributes is not None:
        document["attributes"] = {path: _kind(kind) for path, kind in flag_set.attributes.items()}
    if flag_set.segments:
        document["segments"] = {name: _segment(segment) for name, segment in flag_set.segments.items()}
    document["flags"] = {key: _flag(flag) for key, flag in flag_set.flags.items()}
    return document


def _kind(kind: str) -> object:
    return [kind[1:-1]] if kind.startswith("[") else kind


def _given(**entries: object) -> Plain:
    """Return the entries that are neither None nor empty; a trailing underscore keeps clear of Python's words."""
    return {
        name.rstrip("_"): value
        for name, value in entries.items()
        if value is not None and not (isinstance(value, (dict, list)) and not value)
    }


def _path(path: Path | None) -> str | None:
    return None if path is None else print_path(path)


def _condition(condition: Condition | None) -> object:
    if condition is None:
        return None
    return to_structured(condition.tree) if condition.text is None else condition.text


def _segment(segment: Segment) -> Plain:
    entry = _given(
        description=segment.description,
        when=_condition(segment.when),
        attribute=_path(segment.attribute),
        values_file=segment.values_file,
    )
    if segment.values is not None and segment.values_file is None:
        entry["values"] = list(segment.values)
    return entry


def _flag(flag: Flag) -> Plain:
    return {
        "type": flag.type.value,
        **_people(flag),
        **_given(metadata=dict(flag.metadata)),
        **({} if flag.enabled else {"enabled": False}),
        **_variants(flag),
        "default": flag.default if isinstance(flag.default, str) else dict(flag.default),
        **_given(
            bucket_by=None if flag.bucket_by == TARGETING_KEY else _path(flag.bucket_by),
            salt=flag.salt,
            requires=[_requirement(requirement) for requirement in flag.requires],
            rules=[_rule(rule) for rule in flag.rules],
            tests=[_scenario(scenario) for scenario in flag.tests],
        ),
    }


def _people(flag: Flag) -> Plain:
    return _given(
        description=flag.description,
        owner=flag.owner,
        tags=list(flag.tags),
        expires=flag.expires,
        links=list(flag.links),
        purpose=None if flag.purpose is Purpose.RELEASE else flag.purpose.value,
    )


def _variants(flag: Flag) -> Plain:
    """Leave out what the format fills in: on and off of boolean flags, and their off_variant."""
    is_filled = flag.type is FlagType.BOOLEAN and list(flag.variants.items()) == list(BOOLEAN_VARIANTS.items())
    if is_filled and flag.off_variant == "off":
        return {}
    if is_filled and flag.off_variant is not None:
        return {"off_variant": flag.off_variant}
    return {"variants": dict(flag.variants), **_given(off_variant=flag.off_variant)}


def _requirement(requirement: Requirement) -> Plain:
    accepted = requirement.accepted[0] if len(requirement.accepted) == 1 else list(requirement.accepted)
    return {"flag": requirement.flag, "is": accepted, **_given(otherwise=requirement.otherwise)}


def _rule(rule: Rule) -> Plain:
    entry = {
        "id": rule.id,
        **_given(
            description=rule.description,
            when=_condition(rule.when),
            between=None if rule.between is None else list(rule.between),
            percent=rule.percent,
            base=None if rule.base == "split" else rule.base,
            bucket_by=_path(rule.bucket_by),
            salt=rule.salt,
            serve=rule.serve,
        ),
    }
    if rule.ramp is not None:
        entry["ramp"] = [{"at": step.at, "percent": step.percent} for step in rule.ramp]
    if rule.split is not None:
        entry["split"] = dict(rule.split)
    return entry


def _scenario(scenario: Scenario) -> Plain:
    entry = _given(
        at=scenario.at,
        rule=scenario.rule,
        reason=scenario.reason,
        population=scenario.population,
        by=_path(scenario.by),
        tolerance=scenario.tolerance,
    )
    expect = scenario.expect if isinstance(scenario.expect, str) else dict(scenario.expect)
    return {"given": dict(scenario.given), **entry, "expect": expect}
