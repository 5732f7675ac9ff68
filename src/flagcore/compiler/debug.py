"""Debug information of a flag: its rules in the author's words, and each test as a probe that can be run by itself.

It is made together with the program and kept apart from it, so that ``explain`` works where nothing was compiled and a
stripped snapshot is as small as its programs.
"""

from __future__ import annotations

from collections.abc import Mapping

from flagcore.bucketing import reduce_weights
from flagcore.compiler.chain import Chain
from flagcore.compiler.emit import Header, emit_program, final_exit
from flagcore.compiler.formula import ALWAYS, NEVER, Formulas
from flagcore.compiler.lower import Collector, Lowering, Mode
from flagcore.compiler.operations import Selection
from flagcore.compiler.options import Options
from flagcore.compiler.plan import Leaf, LeafReason, Row, gate_steps
from flagcore.compiler.select import Selector, linked_sets
from flagcore.compiler.simplify import Graph
from flagcore.compiler.value_objects import INLINE_VALUES, ValueObjects
from flagcore.compiler.views import NOW
from flagcore.model.expression_print import print_expression, print_path
from flagcore.model.flagset import Flag, Rule, Segment, Split
from flagcore.model.tree import All, Any, Constant, Expression, Has, InSegment, Literal, Not, Path, Test
from flagcore.snapshot.codec import encode_debug
from flagcore.snapshot.objects import DebugFlag, DebugGate, DebugProbe, DebugRule
from flagcore.terms import FlagType, Operator

__all__ = ["describe_flag"]

_TRUE, _FALSE, _UNKNOWN = 0, 1, 2  # the leaves of a probe program
_PROBE_LEAVES = tuple(Leaf(LeafReason.DEFAULT, rule=number) for number in (_TRUE, _FALSE, _UNKNOWN))


def describe_flag(
    flag: Flag, segments: Mapping[str, Segment], objects: ValueObjects, options: Options
) -> tuple[bytes, tuple[str, ...]]:
    """Return the encoded DebugFlag, and the value sets that its probes ask."""
    describer = _Describer(flag, segments)
    rules = tuple(describer.rule(rule) for rule in flag.rules)
    probes, tests, sets = describer.probes(objects, options)
    information = DebugFlag(
        rules,
        describer.default(),
        tuple((requirement.flag, requirement.accepted, requirement.otherwise) for requirement in flag.requires),
        probes,
        tests,
        describer.segments,
    )
    return encode_debug(information), sets


class _Describer:
    """Turns conditions into trees over probes, each distinct test one probe."""

    def __init__(self, flag: Flag, segments: Mapping[str, Segment]) -> None:
        self._flag = flag
        self._segments = segments
        self._probes: dict[str, int] = {}
        self._probed: list[tuple[str, Path, Expression]] = []
        self.segments: dict[str, list[object]] = {}  # name -> tree

    # -- rules

    def rule(self, rule: Rule) -> DebugRule:
        """Describe a rule."""
        steps = gate_steps(rule)
        path = rule.bucket_by or self._flag.bucket_by
        salt = self._salt(rule.salt)
        return DebugRule(
            id=rule.id,
            text=None if rule.when is None else rule.when.text or print_expression(rule.when.tree),
            tree=None if rule.when is None else self.tree(rule.when.tree),
            window=self._window(rule.between),
            gate=None if steps is None else DebugGate(path, salt, steps),
            serve=rule.serve,
            split=_weights(rule.split),
            split_path=path if rule.split else (),
            split_salt=salt if rule.split else "",
            base=rule.base,
        )

    def default(self) -> DebugRule:
        """Describe what is served when no rule matches."""
        default = self._flag.default
        split = None if isinstance(default, str) else _weights(default)
        return DebugRule(
            id="",
            text=None,
            tree=None,
            window=None,
            gate=None,
            serve=default if isinstance(default, str) else None,
            split=split,
            split_path=self._flag.bucket_by if split else (),
            split_salt=self._salt(None) if split else "",
        )

    def _salt(self, own: str | None) -> str:
        inherited = self._flag.key if self._flag.salt is None else self._flag.salt
        return inherited if own is None else own

    def _window(self, between: tuple[str | None, str | None] | None) -> list[object] | None:
        if between is None:
            return None
        edges = zip((Operator.GREATER_OR_EQUAL, Operator.LESS), between, strict=True)
        tests = [Test(NOW, operator, Literal(text, "t")) for operator, text in edges if text is not None]
        return ["all", *(self.tree(test) for test in tests)]

    # -- trees

    def tree(self, tree: Expression) -> list[object]:
        """Return the tree as nested lists over probes (DebugRule.tree)."""
        match tree:
            case All(parts):
                return ["all", *(self.tree(part) for part in parts)]
            case Any(parts):
                return ["any", *(self.tree(part) for part in parts)]
            case Not(part):
                return ["not", self.tree(part)]
            case Constant(value):
                return ["constant", value]
            case InSegment(name):
                self._describe(name)
                return ["segment", name]
            case Has(path) | Test(path):
                return ["probe", self._probe(_test_text(tree), path, tree)]

    def _describe(self, name: str) -> None:
        """Write a segment's tree once: segments may name each other again and again."""
        if name not in self.segments:
            self.segments[name] = self._segment(self._segments[name])

    def _segment(self, segment: Segment) -> list[object]:
        if segment.when is not None:
            return self.tree(segment.when.tree)
        text = (
            f"{print_path(segment.attribute or ())} in segment {segment.name!r} of {len(segment.values or ())} values"
        )
        return ["probe", self._probe(text, segment.attribute or (), InSegment(segment.name))]

    def _probe(self, text: str, path: Path, test: Expression) -> int:
        key = repr(test)  # equality of trees does not tell 1 from true
        number = self._probes.get(key)
        if number is None:
            number = self._probes[key] = len(self._probed)
            self._probed.append((text, path, test))
        return number

    # -- the probe program

    def probes(self, objects: ValueObjects, options: Options) -> tuple[bytes, tuple[DebugProbe, ...], tuple[str, ...]]:
        """Return the probe program, its tests, and the value sets that it asks."""
        collector = Collector(self._segments, objects, options)
        for _, _, test in self._probed:
            collector.add(test)
        collector.freeze()
        views = collector.views.all
        formulas = Formulas(views)
        lowering = Lowering(collector, formulas)
        graph = Graph(views)
        chain = Chain(graph, formulas, views)
        roots = [chain.build(_three_ways(lowering, test)) for _, _, test in self._probed]
        roots += [graph.leaf(number) for number in (_TRUE, _FALSE, _UNKNOWN)]
        selector = Selector(views, options)
        entries = selector.select_graph(graph, roots)
        selection = Selection(tuple(selector.operations), entries, selector.automata.built)
        header = Header(self._flag.key, FlagType.BOOLEAN, {}, ("true", "false", "unknown"), {})
        program = emit_program(header, _PROBE_LEAVES, selection, views)
        tests = tuple(
            DebugProbe(text, path, final_exit(selection, entry))
            for (text, path, _), entry in zip(self._probed, entries, strict=False)
        )
        return program, tests, linked_sets(selection, views)


def _three_ways(lowering: Lowering, test: Expression) -> list[Row]:
    """True, else false, else unknown; a value segment that is not known to hold is false."""
    rows = [
        Row(lowering.lower(test, Mode.IS_TRUE), _TRUE),
        Row(lowering.lower(test, Mode.IS_FALSE), _FALSE),
        Row(ALWAYS, _UNKNOWN),
    ]
    return [row for row in rows if row.formula != NEVER]


def _test_text(tree: Expression) -> str:
    """Return the canonical text of a test, long lists shortened."""
    if isinstance(tree, Test) and len(tree.literals) > INLINE_VALUES:
        shown = Test(tree.path, tree.operator, tree.literals[:3])
        return f"{print_expression(shown)[:-1]}, ... {len(tree.literals)} in all]"
    return print_expression(tree)


def _weights(split: Split | None) -> dict[str, int] | None:
    return None if split is None else dict(sorted(reduce_weights(split).items(), key=lambda item: item[0].encode()))
