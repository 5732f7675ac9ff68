"""Small random flags with few attributes and few constants, so that tests meet: for the compiler's own tests.

Unlike flagcore.testing's strategies these build model objects directly, and the contexts are drawn around the constants.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from flagcore.model.flagset import Condition, Flag, FlagSet, RampStep, Requirement, Rule, Segment
from flagcore.model.tree import All, Any, Constant, Expression, Has, InSegment, Literal, Not, Test
from flagcore.terms import FlagType, Operator

__all__ = ["FLAG", "TIMES", "boolean_flag", "contexts", "expressions", "flag_sets", "make_test", "moments"]

FLAG = "flag"
TIMES = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00.5+01:00", "2026-03-01T00:00:00Z")
_TEXTS = ("", "a", "A", "ab", "abc", "b", "ba", "ß", "B", "true", "1")
_NUMBERS = (0, 1, 2, 1.5, -3, 2**63 - 1, 1e19, 0.1)
_VERSIONS = ("1", "1.2", "v1.2.3", "1.2.3-rc.1", "1.2.3-rc.2", "1.2.3-rc", "2.0.0+x", "18446744073709551615.0.0")
_NETWORKS = ("10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "::/0", "::ffff:10.0.0.0/104", "2001:db8::/32", "10.1.2.3")
_PATTERNS = ("^a", "b$", "(?i)ab+", "a.c", "", "^$", r"\d")
_ATTRIBUTES = (("a",), ("b",), ("c", "d"), ("c.d",), ("targetingKey",))
_SEGMENTS = ("s0", "s1", "s2", "many")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_texts = st.sampled_from(_TEXTS).map(Literal)
_folded = st.sampled_from(_TEXTS).map(lambda text: Literal(text, "i"))
_numbers = st.sampled_from(_NUMBERS).map(Literal)
_booleans = st.booleans().map(Literal)
_versions = st.sampled_from(_VERSIONS).map(lambda text: Literal(text, "v"))
_networks = st.sampled_from(_NETWORKS).map(lambda text: Literal(text, "cidr"))
_times = st.sampled_from(TIMES).map(lambda text: Literal(text, "t"))
_any_literal = st.one_of(_texts, _folded, _numbers, _booleans)
_paths = st.sampled_from(_ATTRIBUTES)
_order = st.sampled_from([Operator.LESS, Operator.LESS_OR_EQUAL, Operator.GREATER, Operator.GREATER_OR_EQUAL])
_equal = st.sampled_from([Operator.EQUALS, Operator.NOT_EQUALS])


def _lists(literals: st.SearchStrategy[Literal], most: int = 4) -> st.SearchStrategy[tuple[Literal, ...]]:
    return st.lists(literals, min_size=1, max_size=most).map(tuple)


_long_list = st.integers(0, 130).map(lambda start: tuple(Literal(f"t{start + n}") for n in range(66)))
_either = st.one_of(_texts, _folded)
_tests = st.one_of(
    st.builds(Test, _paths, _equal, _any_literal),
    st.builds(Test, _paths, st.just(Operator.IN), _lists(_any_literal)),
    st.builds(Test, _paths, _order, _numbers),
    st.builds(Test, _paths, st.one_of(_order, _equal), _versions),
    st.builds(Test, _paths, st.just(Operator.IN), _lists(_versions)),
    st.builds(Test, _paths, st.just(Operator.IN), _lists(_networks)),
    st.builds(Test, st.one_of(_paths, st.just(("now",))), _order, _times),
    st.builds(Test, _paths, st.just(Operator.CONTAINS), st.one_of(_any_literal, _lists(_any_literal))),
    st.builds(
        Test, _paths, st.sampled_from([Operator.STARTS_WITH, Operator.ENDS_WITH]), st.one_of(_either, _lists(_either))
    ),
    st.builds(Test, _paths, st.just(Operator.MATCHES), st.sampled_from(_PATTERNS).map(Literal)),
    st.builds(Test, _paths, st.sampled_from([Operator.IN, Operator.CONTAINS]), _long_list),
)
_leaves = st.one_of(
    _tests,
    _tests,
    _tests,
    st.builds(Has, st.one_of(_paths, st.just(("now",)))),
    st.builds(Constant, st.booleans()),
)


def expressions(segments: tuple[str, ...] = ()) -> st.SearchStrategy[Expression]:
    """Conditions that may name ``segments``."""
    base = st.one_of(_leaves, st.builds(InSegment, st.sampled_from(segments))) if segments else _leaves
    parts = lambda inner: st.lists(inner, min_size=1, max_size=4).map(tuple)  # noqa: E731
    return st.recursive(
        base,
        lambda inner: st.one_of(st.builds(Not, inner), st.builds(All, parts(inner)), st.builds(Any, parts(inner))),
        max_leaves=6,
    )


_percents = st.sampled_from([0, 0.0001, 12.5, 50, 99.9999, 100])


@st.composite
def _ramps(draw: st.DrawFn) -> tuple[RampStep, ...]:
    times = [TIMES[index] for index in sorted(draw(st.sets(st.integers(0, 2), min_size=1)))]
    return tuple(RampStep(at, draw(_percents)) for at in times)


@st.composite
def _rules(draw: st.DrawFn, number: int) -> Rule:
    serve = draw(st.sampled_from(["on", "off", "third", None]))
    weights = st.dictionaries(st.sampled_from(["on", "off", "third"]), st.sampled_from([0, 1, 2.5]), min_size=1)
    split = None if serve else draw(weights.filter(lambda found: any(found.values())))
    gate = draw(st.sampled_from(["", "", "percent", "ramp"]))
    return Rule(
        id=f"r{number}",
        when=draw(st.one_of(st.none(), expressions(_SEGMENTS).map(Condition))),
        between=draw(st.one_of(st.none(), st.none(), st.sampled_from([(TIMES[0], None), (None, TIMES[2]), TIMES[:2]]))),
        serve=serve,
        split=split,
        percent=draw(_percents) if gate == "percent" else None,
        ramp=draw(_ramps()) if gate == "ramp" else None,
        base=draw(st.sampled_from(["split", "percent"])),
        bucket_by=draw(st.sampled_from([None, None, ("a",)])),
        salt=draw(st.sampled_from([None, None, "salt"])),
    )


@st.composite
def flag_sets(draw: st.DrawFn, most_rules: int = 8) -> FlagSet:
    """A flag ``FLAG`` with three variants, a prerequisite now and then, and the segments that it names."""
    rules = tuple(draw(_rules(number)) for number in range(draw(st.integers(0, most_rules))))
    first = Flag(
        key="first",
        type=FlagType.BOOLEAN,
        variants={"on": True, "off": False},
        default="off",
        rules=(Rule(id="x", when=Condition(draw(expressions())), serve="on"),),
        enabled=draw(st.booleans()),
        off_variant=draw(st.sampled_from([None, "off"])),
    )
    requires = (Requirement("first", ("on",), draw(st.sampled_from([None, "third"]))),)
    flag = Flag(
        key=FLAG,
        type=FlagType.STRING,
        variants={"on": "1", "off": "0", "third": "3"},
        default=draw(st.sampled_from(["off", {"on": 1, "off": 0}, {"on": 1, "third": 2}])),
        requires=draw(st.sampled_from([(), (), requires])),
        off_variant=draw(st.sampled_from([None, "off"])),
        enabled=draw(st.integers(0, 20)) > 0,
        rules=rules,
    )
    segments = {
        "s0": Segment(name="s0", when=Condition(draw(expressions()))),
        "s1": Segment(name="s1", when=Condition(draw(expressions(("s0",))))),
        "s2": Segment(name="s2", attribute=("a",), values=("a", 1, True, "ab")),
        "many": Segment(name="many", attribute=("b",), values=(*(f"t{n}" for n in range(70)), "a", 2)),
    }
    return FlagSet(flags={"first": first, FLAG: flag}, segments=segments)


def boolean_flag(*rules: Rule, key: str = FLAG, **more: object) -> Flag:
    """A boolean flag that is off unless a rule says otherwise."""
    settings = {"type": FlagType.BOOLEAN, "variants": {"on": True, "off": False}, "default": "off", **more}
    return Flag(key=key, rules=rules, **settings)  # type: ignore[arg-type]


def make_test(path: str, operator: str, *literals: object, prefix: str = "") -> Test:
    """A test; several literals are a list."""
    found = tuple(Literal(literal, prefix) for literal in literals)  # type: ignore[arg-type]
    return Test(tuple(path.split(".")), Operator(operator), found if len(found) > 1 else found[0])


_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(_TEXTS),
    st.sampled_from(_NUMBERS),
    st.sampled_from(["t0", "t69", "t150", "1.2.3", "1.2.4-a", "3.0.0", "10.1.2.3", "11.0.0.0", "2001:db8::1", "aBc"]),
    st.sampled_from([2**63, float("nan"), float("inf"), -0.0, 2**53 + 1, "\ud800", "x" * 300, 1.0]),
    st.sampled_from(["2026-01-15T00:00:00Z", "2026-02-15T12:00:00Z", "2025-01-01T00:00:00Z", *TIMES]),
    st.sampled_from([_EPOCH, datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 1)]),  # noqa: DTZ001
)
_values = st.one_of(
    _scalars,
    _scalars,
    st.lists(st.one_of(_scalars, st.lists(_scalars, max_size=2)), max_size=3),
    st.sampled_from([("a", "b"), frozenset({"ab", 1}), b"bytes", {"x": 1}]),
)


def contexts() -> st.SearchStrategy[dict[str, object]]:
    """Contexts around the constants of these flags, of every kind, flat and nested."""
    return st.fixed_dictionaries(
        {},
        optional={
            "a": _values,
            "b": _values,
            "c": st.one_of(_values, st.fixed_dictionaries({}, optional={"d": _values})),
            "c.d": _values,
            "now": _values,
            "targetingKey": st.one_of(st.sampled_from([f"u{n}" for n in range(20)]), _values),
        },
    )


def moments() -> st.SearchStrategy[int]:
    """Microseconds around the times of these flags."""
    days = st.integers(-2, 70).map(lambda day: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day))
    exact = st.sampled_from(TIMES).map(datetime.fromisoformat)
    return st.one_of(days, exact).map(lambda moment: (moment - _EPOCH) // timedelta(microseconds=1))
