"""Views: a value of an attribute to a small integer class (docs/design/compiler.md section 1).

Class 0 is missing or null, 1 the wrong type, 2 and up are values. A view first collects the constants of all tests of
its flag, then is frozen: the constants get their order, and each test its set of classes. Constants are kept in the
form and order in which the kernel's tables hold them (kernel.h, "views").
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, cast

from flagcore.compiler.intervals import Classes, point_runs, union
from flagcore.model.tree import Path

if TYPE_CHECKING:
    from flagcore.model.regex_tree import Pattern

__all__ = [
    "AddressCut",
    "AddressView",
    "AffixView",
    "BooleanView",
    "BucketableView",
    "GateView",
    "ListView",
    "MatchView",
    "NumberView",
    "OrderedView",
    "PresenceView",
    "SetView",
    "TextView",
    "TimeView",
    "TypedLiteral",
    "VersionKey",
    "VersionView",
    "View",
    "Views",
    "fold_bytes",
]

NOW: Path = ("now",)
BUCKETS = 1_000_000

AddressCut = tuple[int, int]  # (family, address); (7, 0) lies above every address
VersionKey = tuple[Any, ...]  # flagcore.model.literals.precedence
TypedLiteral = tuple[str, Any, str]  # (name of the Python type, value, prefix)


class Comparable(Protocol):
    """What an ordered view's constants can do."""

    def __lt__(self, other: Any, /) -> bool: ...


Key = TypeVar("Key", bound=Comparable)


class View:
    """One way to look at one attribute. ``cost`` is about that of a test, in comparisons of short texts."""

    cost: ClassVar[float] = 1.0
    dear: ClassVar[bool] = False  # never switched on: tested last
    switchable: ClassVar[bool] = True  # the kernel has a class table for it

    def __init__(self, number: int, path: Path) -> None:
        self.number = number
        self.path = path
        self.classes = 4

    def freeze(self) -> None:
        """Settle the order of the constants; sets of classes may be asked for from now on."""

    @property
    def is_now(self) -> bool:
        """The path ``now`` is the evaluation time, which is never missing and never the wrong type."""
        return self.path == NOW

    @property
    def domain(self) -> Classes:
        """All classes that a value can have."""
        return (2 if self.is_now else 0, self.classes)

    def values(self) -> Classes:
        """Every value of this view's kind, whatever it is."""
        return (2, self.classes)

    def members(self) -> Classes:
        """The class "yes" of a view that answers one question: 2 no, 3 yes."""
        return (3, 4)


class PresenceView(View):
    """2 is any value; used only where nothing else looks at the attribute."""

    cost = 0.5

    def __init__(self, number: int, path: Path) -> None:
        super().__init__(number, path)
        self.classes = 3


class BooleanView(View):
    """2 false, 3 true."""

    def points(self, values: Iterable[bool]) -> Classes:
        """The classes of ``values``."""
        return point_runs(3 if value else 2 for value in values)


class TextView(View):
    """2 any other text, 3 + i the i-th constant in the order of bytes; ``fold`` ignores ASCII case."""

    def __init__(self, number: int, path: Path, fold: bool) -> None:
        super().__init__(number, path)
        self.fold = fold
        self.constants: list[bytes] = []
        self._collected: set[bytes] = set()
        self._numbers: dict[bytes, int] = {}

    def add(self, texts: Iterable[bytes]) -> None:
        """Collect constants, lower-cased already when the view folds."""
        self._collected.update(texts)

    def freeze(self) -> None:
        self.constants = sorted(self._collected)
        self.classes = 3 + len(self.constants)
        self._numbers = {text: number for number, text in enumerate(self.constants, 3)}

    def points(self, texts: Iterable[bytes]) -> Classes:
        """The classes of ``texts``."""
        return point_runs([self._numbers[text] for text in texts])


class OrderedView(View, Generic[Key]):
    """2 + 2i lies below constant i and above the one before it, 3 + 2i equals constant i."""

    def __init__(self, number: int, path: Path) -> None:
        super().__init__(number, path)
        self.constants: list[Key] = []
        self._collected: set[Key] = set()

    def add(self, keys: Iterable[Key]) -> None:
        """Collect constants."""
        self._collected.update(keys)

    def freeze(self) -> None:
        self.constants = sorted(self._collected)
        self.classes = 3 + 2 * len(self.constants)

    def point(self, key: Key) -> int:
        """The class of values equal to ``key``, a constant."""
        return 3 + 2 * bisect_left(self.constants, key)

    def points(self, keys: Iterable[Key]) -> Classes:
        """The classes of ``keys``."""
        return point_runs(self.point(key) for key in keys)

    def compare(self, operator: str, key: Key) -> Classes:
        """The classes of values for which ``value operator key`` holds."""
        equal = self.point(key)
        low, high = {
            "<": (2, equal),
            "<=": (2, equal + 1),
            "==": (equal, equal + 1),
            ">=": (equal, self.classes),
            ">": (equal + 1, self.classes),
        }[operator]
        return (low, high)


class NumberView(OrderedView[int | float]):
    """Integers and doubles, compared exactly; a double that equals an int64 is held as the integer."""


class VersionView(OrderedView[VersionKey]):
    """Semantic versions by precedence."""

    cost = 2.0


class TimeView(OrderedView[int]):
    """Microseconds since 1970-01-01T00:00:00Z; of ``now`` or of an attribute."""


class AddressView(View):
    """2 + the number of cuts at or below the address."""

    cost = 2.0

    def __init__(self, number: int, path: Path) -> None:
        super().__init__(number, path)
        self.constants: list[AddressCut] = []
        self._collected: set[AddressCut] = set()

    def add(self, ranges: Iterable[tuple[AddressCut, AddressCut]]) -> None:
        """Collect half-open ranges of addresses."""
        self._collected.update(cut for edges in ranges for cut in edges)

    def freeze(self) -> None:
        self.constants = sorted(self._collected)
        self.classes = 3 + len(self.constants)

    def inside(self, ranges: Iterable[tuple[AddressCut, AddressCut]]) -> Classes:
        """The classes of addresses in any of ``ranges``."""
        return union((self._from(low), self._from(high)) for low, high in ranges)

    def _from(self, cut: AddressCut) -> int:
        return 3 + bisect_left(self.constants, cut)


class AffixView(View):
    """2 no pattern fits, 3 + i the longest that does; of reversed texts for ``ends_with``."""

    cost = 1.5

    def __init__(self, number: int, path: Path, fold: bool, suffix: bool) -> None:
        super().__init__(number, path)
        self.fold, self.suffix = fold, suffix
        self.constants: list[bytes] = []
        self._collected: set[bytes] = set()

    def add(self, texts: Iterable[bytes]) -> None:
        """Collect patterns as authored (not reversed), none of them empty."""
        self._collected.update(self._stored(text) for text in texts)

    def freeze(self) -> None:
        self.constants = sorted(self._collected)
        self.classes = 3 + len(self.constants)

    def under(self, texts: Iterable[bytes]) -> Classes:
        """The classes of values that one of ``texts`` fits: each pattern with all its extensions."""
        return union(self.extensions(bisect_left(self.constants, self._stored(text))) for text in texts)

    def extensions(self, index: int) -> Classes:
        """The classes of constant ``index`` and of those that begin with it: they stand next to it."""
        beyond = self.constants[index] + b"\xff"  # no UTF-8 text holds this byte
        return (3 + index, 3 + bisect_right(self.constants, beyond))

    def _stored(self, text: bytes) -> bytes:
        return text[::-1] if self.suffix else text


class SetView(View):
    """2 not a member, 3 a member of the value-set object ``name``; 1 when the set holds no value of that kind."""

    cost = 2.0

    def __init__(self, number: int, path: Path, name: str) -> None:
        super().__init__(number, path)
        self.name = name


class MatchView(View):
    """2 no, 3 yes: some needle occurs in the text, or the pattern matches; part of an automaton."""

    cost = 8.0
    dear = True
    switchable = False

    def __init__(
        self, number: int, path: Path, needles: tuple[tuple[bytes, bool], ...], pattern: Pattern | None
    ) -> None:
        super().__init__(number, path)
        self.needles = needles  # (text, fold)
        self.pattern = pattern
        self.text = ""  # the author's pattern


class ListView(View):
    """2 no, 3 yes: some element of the list is one of ``literals``."""

    cost = 4.0
    dear = True
    switchable = False

    def __init__(self, number: int, path: Path, literals: tuple[TypedLiteral, ...], name: str | None) -> None:
        super().__init__(number, path)
        self.literals = literals
        self.name = name  # the value-set object that holds them, None: inline


class GateView(View):
    """2 + the number of thresholds at or below the subject's bucket; 0 and 1 are not bucketable."""

    cost = 4.0
    dear = True
    switchable = False

    def __init__(self, number: int, path: Path, salt: str) -> None:
        super().__init__(number, path)
        self.salt = salt
        self.constants: list[int] = []
        self._collected: set[int] = set()

    def add(self, threshold: int) -> None:
        """Collect a threshold, 1..999,999."""
        self._collected.add(threshold)

    def freeze(self) -> None:
        self.constants = sorted(self._collected)
        self.classes = 3 + len(self.constants)

    def below(self, threshold: int) -> Classes:
        """The classes of buckets below ``threshold``, a constant."""
        return (2, 3 + bisect_left(self.constants, threshold))


class BucketableView(View):
    """3 when the value can be bucketed (bucketing.md 2.1), else one of the others."""

    cost = 1.5
    dear = True
    switchable = False


AnyView = TypeVar("AnyView", bound=View)


class Views:
    """The views of one flag, in the order in which its tests first name them."""

    def __init__(self) -> None:
        self.all: list[View] = []
        self._by_key: dict[tuple[object, ...], View] = {}
        self._by_path: dict[Path, list[View]] = {}

    def get(self, kind: type[AnyView], path: Path, *arguments: object) -> AnyView:
        """Return the view of ``kind`` on ``path`` with these arguments, made on first use."""
        key = (kind, path, *arguments)
        view = self._by_key.get(key)
        if view is None:
            build = cast("Callable[..., AnyView]", kind)
            view = self._by_key[key] = build(len(self.all), path, *arguments)
            self.all.append(view)
            self._by_path.setdefault(path, []).append(view)
        return cast("AnyView", view)

    def freeze(self) -> None:
        """Settle the classes of every view."""
        for view in self.all:
            view.freeze()

    def presence(self, path: Path) -> View | None:
        """Return the cheapest view that knows whether ``path`` is there, None when no test looks at it."""
        there = [view for view in self._by_path.get(path, ()) if view.switchable]
        return min(there, key=lambda view: (view.cost, view.number), default=None)


def fold_bytes(text: bytes) -> bytes:
    """Return ``text`` with A-Z in lower case."""
    return text.lower()  # of bytes: ASCII only
