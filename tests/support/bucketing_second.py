"""A second implementation of docs/design/bucketing.md, written independently of ``flagcore.bucketing``, which it judges.

Other means throughout: the state of XXH64 is a list of lanes fed byte by byte and all arithmetic is ``% 2**64`` on
unbounded integers; the table comes from a series for the logarithm; weights go through Decimal; the race compares
exact fractions.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

MODULUS = 2**64
PRIME_1 = 11400714785074694791
PRIME_2 = 14029467366897019727
PRIME_3 = 1609587929392839161
PRIME_4 = 9650029242287828579
PRIME_5 = 2870177450012600261


# --- XXH64, after the specification's own steps 1 to 6 ----------------------------------------------------------------


def rotate_left(number: int, bits: int) -> int:
    """Return the 64-bit number rotated, by way of its binary digits."""
    digits = format(number % MODULUS, "064b")
    return int(digits[bits:] + digits[:bits], 2)


def accumulate(accumulator: int, lane: int) -> int:
    """Specification, step 2: one accumulator takes one lane."""
    return rotate_left(accumulator + lane * PRIME_2, 31) * PRIME_1 % MODULUS


class Hash:
    """XXH64 as a machine that takes bytes one at a time."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.length = 0
        self.pending: list[int] = []
        self.accumulators = [
            (seed + PRIME_1 + PRIME_2) % MODULUS,
            (seed + PRIME_2) % MODULUS,
            seed % MODULUS,
            (seed - PRIME_1) % MODULUS,
        ]

    def feed(self, data: bytes) -> Hash:
        """Take bytes; every 32 are a stripe."""
        for byte in data:
            self.pending.append(byte)
            self.length += 1
            if len(self.pending) == 32:
                lanes = [self.take(8) for _ in range(4)]
                self.accumulators = [accumulate(a, b) for a, b in zip(self.accumulators, lanes, strict=True)]
        return self

    def take(self, count: int) -> int:
        """Remove the first ``count`` pending bytes and return them as a little-endian number."""
        number = sum(byte * 256**place for place, byte in enumerate(self.pending[:count]))
        del self.pending[:count]
        return number

    def converge(self) -> int:
        """Specification, step 3; inputs shorter than a stripe start from the seed alone."""
        if self.length < 32:
            return (self.seed + PRIME_5) % MODULUS
        one, two, three, four = self.accumulators
        result = rotate_left(one, 1) + rotate_left(two, 7) + rotate_left(three, 12) + rotate_left(four, 18)
        for accumulator in self.accumulators:
            result = ((result ^ accumulate(0, accumulator)) * PRIME_1 + PRIME_4) % MODULUS
        return result

    def digest(self) -> int:
        """Specification, steps 4 to 6: length, remaining input, final mix. The machine is used up."""
        result = (self.converge() + self.length) % MODULUS
        while len(self.pending) >= 8:
            result = (rotate_left(result ^ accumulate(0, self.take(8)), 27) * PRIME_1 + PRIME_4) % MODULUS
        if len(self.pending) >= 4:
            result = (rotate_left(result ^ self.take(4) * PRIME_1 % MODULUS, 23) * PRIME_2 + PRIME_3) % MODULUS
        while self.pending:
            result = rotate_left(result ^ self.take(1) * PRIME_5 % MODULUS, 11) * PRIME_1 % MODULUS
        for shift, factor in ((33, PRIME_2), (29, PRIME_3), (32, 1)):
            result = (result ^ result // 2**shift) * factor % MODULUS
        return result


def xxh64(data: bytes, seed: int = 0) -> int:
    """Return XXH64 of the data."""
    return Hash(seed).feed(data).digest()


# --- positions, gates -------------------------------------------------------------------------------------------------


def subject(value: object) -> bytes | None:
    """2.1 for values of the plain types."""
    match value:
        case bool() | None | "" | b"":
            return None
        case str():
            return b"".join(b"\xef\xbf\xbd" if 0xD800 <= ord(c) < 0xE000 else c.encode() for c in value)
        case int():
            return decimal(value) if abs(value) < 10**4300 else None
        case float():
            exact = Fraction(value) if value - value == 0 else None
            return decimal(int(exact)) if exact is not None and exact.denominator == 1 and abs(exact) <= 2**53 else None
        case bytes():
            return value
    return None


def decimal(number: int) -> bytes:
    """Return the decimal digits, from the last to the first."""
    sign, rest, digits = (b"-" if number < 0 else b""), abs(number), bytearray()
    while rest or not digits:
        digits.append(48 + rest % 10)
        rest //= 10
    return sign + bytes(reversed(digits))


def position(salt: str, subject: bytes, domain: int = 0) -> int:
    """2.2."""
    return xxh64(subject, seed=xxh64(salt.encode(), seed=domain))


def mix64(x: int) -> int:
    """2.3."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        x = (x ^ x // 2**shift) * factor % MODULUS
    return x


def is_inside(h: int, percent: str) -> bool:
    """2.4, for a percent as its author wrote it."""
    return Fraction(h // 2**32 * 1_000_000 // 2**32) < Fraction(percent) * 10_000


# --- splits -----------------------------------------------------------------------------------------------------------


def natural_log(y: Fraction, bits: int = 120) -> Fraction:
    """Return ln(y) for y in [1, 2] by the series of the inverse hyperbolic tangent, to ``bits`` binary places."""
    ratio = (y - 1) / (y + 1)
    one = 2**bits
    term, square, total = int(ratio * one), ratio * ratio, 0
    power = term
    for odd in range(1, 2 * bits, 2):
        total += power // odd
        power = power * square.numerator // square.denominator
        if not power:
            break
    return Fraction(2 * total, one)


def table() -> list[int]:
    """2.7, the table A."""
    ln2 = natural_log(Fraction(2))
    return [round(2**36 * natural_log(Fraction(512 + j, 512)) / ln2) for j in range(513)]


A = table()


def expo(r: int) -> int:
    """2.7, after its formulas, with binary digits for shifts."""
    x = r if r % 2 else r + 1
    digits = format(x, "064b")
    z = digits.index("1")
    m = format(x * 2**z % MODULUS, "064b")
    i, f = int(m[1:9], 2), int(m[9:41], 2)
    t = A[2 * i]
    d = A[2 * i + 2] - t
    b = 4 * A[2 * i + 1] - 2 * t - 2 * A[2 * i + 2]
    return (z + 1) * 2**36 - (t + d * f // 2**32 + b * (f * (2**32 - f) // 2**32) // 2**32)


def reduce(weights: Mapping[str, int | float]) -> dict[str, int]:
    """2.6, literally: the smallest power of ten, then the greatest common divisor by trial of Euclid's."""
    exact = {name: Decimal(repr(weight)) for name, weight in weights.items()}
    places = 0
    while any(weight.scaleb(places) % 1 for weight in exact.values()):
        places += 1
    whole = {name: int(weight.scaleb(places)) for name, weight in exact.items() if weight}
    a = 0
    for b in whole.values():
        while b:
            a, b = b, a % b
    return {name: weight // a for name, weight in whole.items()}


def times(h: int, names: list[str], base: str = "split") -> dict[str, int]:
    """2.5 and 2.7: E of every variant."""
    g = h if base == "percent" else mix64((h + 0x9E3779B97F4A7C15) % MODULUS)

    def run(name: str) -> int:
        return expo(mix64(g ^ xxh64(name.encode())))

    upper = g // 2**32
    ends = {"on": lambda: (run("on") + run("off")) * upper, "off": lambda: (run("on") + run("off")) * (2**32 - upper)}
    return {name: ends[name]() if name in ends else run(name) * 2**32 for name in names}


def choose(h: int, weights: Mapping[str, int | float], base: str = "split") -> str:
    """2.7: the winner of the race, by exact fractions, for weights as authored."""
    exact = {name: Fraction(repr(weight)) for name, weight in weights.items() if weight}
    e = times(h, list(exact), base)
    return min(exact, key=lambda name: (Fraction(e[name]) / exact[name], name.encode()))


def needs(h: int, weights: Mapping[str, int | float], base: str = "split") -> dict[str, Fraction]:
    """2.9: the share above which the subject would get each variant."""
    exact = {name: Fraction(repr(weight)) for name, weight in weights.items() if weight}
    e = times(h, list(exact), base)
    total = sum(exact.values())
    found = {}
    for name, weight in exact.items():
        rivals = [Fraction(e[other]) / exact[other] for other in exact if other != name]
        found[name] = e[name] / (e[name] + (total - weight) * min(rivals)) if rivals else Fraction(0)
    return found
