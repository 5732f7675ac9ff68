"""Nine families of rule sets of any size: how cost grows with the number of rules (docs/design/compiler.md section 6).

W11 is ``realistic``, W12 ``wide`` and ``six``. Same family, size and seed give the same rules and contexts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import count
from typing import NamedTuple

from benchmarks.workloads.base import Context, document

__all__ = ["FAMILIES", "FLAG", "Family", "contexts", "rule_set"]

FLAG = "growth"
Rule = dict[str, object]
Random = random.Random

COUNTRIES = "US DE AT CH FR GB ES IT NL BE SE NO DK FI PL CZ PT IE JP KR CN IN BR MX CA AU NZ ZA EG TR".split()  # noqa: SIM905
PLANS = ["free", "basic", "pro", "enterprise", "beta"]
DEVICES = ["ios", "android", "web", "desktop", "tv"]
SEGMENTS: dict[str, object] = {
    "internal": {"when": 'email ends_with "@corp.example" or user_id in ["u-qa-1", "u-qa-2"]'},
    "beta": {"when": 'segment("internal") or plan == "beta"'},
    "nordics": {"when": 'country in ["NO", "SE", "DK", "FI"] or locale starts_with "nb-"'},
    "mobile": {"when": 'device in ["ios", "android"]'},
}
ATTRIBUTES = 20  # of the hostile families
WORDS = 30
NUMBERS = 1000
BOX = 1_000_000


class Family(NamedTuple):
    """Rules and contexts of one kind; both makers get the number of rules."""

    title: str
    rules: Callable[[int, Random], list[Rule]]
    context: Callable[[int, Random], Context]


def rule_set(family: str, size: int, seed: int = 1) -> dict[str, object]:
    """Return an authored document whose flag ``FLAG`` has ``size`` rules of the family."""
    rules = FAMILIES[family].rules(size, Random(seed))
    named = [{"id": f"r{number}", "serve": "on" if number % 2 else "off", **rule} for number, rule in enumerate(rules)]
    flag = {"type": "boolean", "default": "off", "rules": named}
    return document({FLAG: flag}, segments=SEGMENTS)


def contexts(family: str, size: int, seed: int = 2) -> Iterator[Context]:
    """Yield contexts for ``rule_set(family, size)`` without end."""
    random_ = Random(seed)
    make = FAMILIES[family].context
    return (make(size, random_) for _ in count())


def _words(texts: list[str]) -> str:
    return "[" + ", ".join(f'"{text}"' for text in texts) + "]"


def _all(tests: list[str]) -> Rule:
    return {"when": " and ".join(tests)}


# -- one attribute


def _equal_rules(size: int, _: Random) -> list[Rule]:
    return [{"when": f'tenant == "t{number}"'} for number in range(size)]


def _equal_context(size: int, random_: Random) -> Context:
    return {"targetingKey": "u", "tenant": f"t{random_.randrange(int(size * 1.1) + 1)}"}


# -- as teams write them: country, plan, version, e-mail suffix, segment, tenants, device, age; a gate now and then


def _version(random_: Random) -> str:
    return f"{random_.randrange(1, 6)}.{random_.randrange(20)}.{random_.randrange(4)}"


def _tenant(size: int, random_: Random) -> str:
    return f"t{random_.randrange(max(20, size // 2))}"


def _domain(size: int, random_: Random) -> str:
    return f"@d{random_.randrange(max(10, size // 4))}.example"


def _country_test(_: int, random_: Random) -> str:
    return f"country in {_words(random_.sample(COUNTRIES, random_.choice([1, 1, 2, 3, 5])))}"


def _plan_test(_: int, random_: Random) -> str:
    return f'plan == "{random_.choice(PLANS)}"'


def _version_test(_: int, random_: Random) -> str:
    return f'app_version {random_.choice([">=", ">=", "<"])} v"{_version(random_)}"'


def _email_test(size: int, random_: Random) -> str:
    return f'email ends_with "{_domain(size, random_)}"'


def _segment_test(_: int, random_: Random) -> str:
    return f'{"not " if random_.random() < 0.3 else ""}segment("{random_.choice(sorted(SEGMENTS))}")'


def _tenant_test(size: int, random_: Random) -> str:
    return f"tenant in {_words(sorted({_tenant(size, random_) for _ in range(random_.choice([1, 2, 5]))}))}"


def _device_test(_: int, random_: Random) -> str:
    return f'device == "{random_.choice(DEVICES)}"'


def _age_test(_: int, random_: Random) -> str:
    return f"age {random_.choice(['>=', '<'])} {random_.randrange(16, 70)}"


def _exclusion_test(_: int, random_: Random) -> str:
    return f"country not in {_words(random_.sample(COUNTRIES, 2))}"


_Test = Callable[[int, Random], str]
_TESTS: dict[_Test, int] = {  # how often each is met, relatively
    _country_test: 4,
    _plan_test: 4,
    _version_test: 3,
    _email_test: 2,
    _segment_test: 2,
    _tenant_test: 3,
    _device_test: 2,
    _age_test: 1,
    _exclusion_test: 1,
}
_OWNED = (_tenant_test, _email_test)  # what an exception's own first test replaces


def _pick_tests(random_: Random) -> list[_Test]:
    """Two to four different tests."""
    wanted = random_.choice([2, 2, 3, 3, 4])
    picked: dict[_Test, None] = {}
    while len(picked) < wanted:
        picked[random_.choices(list(_TESTS), list(_TESTS.values()))[0]] = None
    return list(picked)


def _with_gate(rule: Rule, random_: Random) -> Rule:
    if random_.random() < 0.25:
        return {**rule, "percent": random_.choice([1, 5, 10, 25, 50]), "salt": f"s{random_.randrange(1 << 30)}"}
    return rule


def _realistic_rules(size: int, random_: Random) -> list[Rule]:
    return [_with_gate(_all([test(size, random_) for test in _pick_tests(random_)]), random_) for _ in range(size)]


def _realistic_context(size: int, random_: Random) -> Context:
    email = f"x{_domain(size, random_)}" if random_.random() < 0.95 else "q@corp.example"
    full: Context = {
        "country": random_.choice(COUNTRIES),
        "plan": random_.choice(PLANS),
        "app_version": _version(random_),
        "email": email,
        "tenant": _tenant(size, random_),
        "device": random_.choice(DEVICES),
        "age": random_.randrange(10, 80),
        "targetingKey": f"u{random_.randrange(10**6)}",
        "user_id": f"u{random_.randrange(10**6)}",
        "locale": random_.choice(["nb-NO", "en-US", "de-DE"]),
    }
    return {name: value for name, value in full.items() if random_.random() >= 0.04}


def _own_test(size: int, random_: Random) -> str:
    """What makes a rule an exception of one tenant, store or domain."""
    kind = random_.random()
    if kind < 0.5:
        return f"tenant in {_words(sorted({_tenant(size, random_) for _ in range(random_.choice([1, 1, 2, 3]))}))}"
    if kind < 0.8:
        return f'store == "s{random_.randrange(max(20, size // 3))}"'
    return _email_test(size, random_)


def _exception_rules(size: int, random_: Random) -> list[Rule]:
    rules = []
    for _ in range(size):
        tests = [test(size, random_) for test in _pick_tests(random_) if test not in _OWNED]
        rules.append(_with_gate(_all([_own_test(size, random_), *tests]), random_))
    return rules


def _exception_context(size: int, random_: Random) -> Context:
    return {**_realistic_context(size, random_), "store": f"s{random_.randrange(max(20, size // 3))}"}


# -- boxes over two numbers


def _box_rules(size: int, random_: Random) -> list[Rule]:
    rules = []
    for _ in range(size):
        x, y = random_.randrange(BOX), random_.randrange(BOX)
        wide, high = random_.randrange(1, 20_000), random_.randrange(1, 20_000)
        rules.append(_all([f"x >= {x}", f"x < {x + wide}", f"y >= {y}", f"y < {y + high}"]))
    return rules


def _box_context(_: int, random_: Random) -> Context:
    return {"x": random_.randrange(BOX), "y": random_.randrange(BOX)}


# -- prefix and suffix, membership


def _affix_rules(size: int, random_: Random) -> list[Rule]:
    both = 'email ends_with "@d{}.example" and path starts_with "/p{}"'
    one = 'email ends_with "@e{}.example"'
    return [
        {"when": both.format(number, random_.randrange(size)) if number % 3 else one.format(number)}
        for number in range(size)
    ]


def _affix_context(size: int, random_: Random) -> Context:
    email = f"a@{random_.choice('de')}{random_.randrange(size)}.example"
    return {"email": email, "path": f"/p{random_.randrange(size)}/x"}


def _tag_rules(size: int, random_: Random) -> list[Rule]:
    rules = []
    for number in range(size):
        tests = [f'tags contains "t{number}"', *([_plan_test(size, random_)] if number % 2 else [])]
        rules.append(_all(tests))
    return rules


def _tag_context(size: int, random_: Random) -> Context:
    tags = [f"t{random_.randrange(int(size * 1.3) + 2)}" for _ in range(random_.randrange(6))]
    return {"tags": tags, "plan": random_.choice(PLANS)}


# -- hostile: some of twenty attributes, overlapping lists and ranges


def _hostile(picked: int, width: float) -> Callable[[int, Random], list[Rule]]:
    def rules(size: int, random_: Random) -> list[Rule]:
        return [
            _all([_hostile_test(attribute, width, random_) for attribute in random_.sample(range(ATTRIBUTES), picked)])
            for _ in range(size)
        ]

    return rules


def _hostile_test(attribute: int, width: float, random_: Random) -> str:
    if attribute % 2:
        most = 2 * max(1, int(WORDS * width)) - 1
        chosen = random_.sample(range(WORDS), random_.randint(1, most))
        return f"w{attribute} in {_words([f'x{word}' for word in chosen])}"
    low = random_.randrange(NUMBERS)
    high = min(NUMBERS - 1, low + int(random_.random() * 2 * width * NUMBERS))
    return f"w{attribute} >= {low} and w{attribute} <= {high}"


def _hostile_context(_: int, random_: Random) -> Context:
    return {
        f"w{attribute}": f"x{random_.randrange(WORDS)}" if attribute % 2 else random_.randrange(NUMBERS)
        for attribute in range(ATTRIBUTES)
    }


FAMILIES: dict[str, Family] = {
    "equal": Family("attribute == v_i", _equal_rules, _equal_context),
    "realistic": Family("realistic, 2-4 tests", _realistic_rules, _realistic_context),
    "exceptions": Family("realistic with an exception per tenant", _exception_rules, _exception_context),
    "boxes": Family("boxes over two numbers", _box_rules, _box_context),
    "affixes": Family("prefix and suffix", _affix_rules, _affix_context),
    "tags": Family("tags contains", _tag_rules, _tag_context),
    "wide": Family("3 of 20 attributes, wide", _hostile(3, 0.2), _hostile_context),
    "narrow": Family("3 of 20, narrow", _hostile(3, 0.03), _hostile_context),
    "six": Family("6 of 20", _hostile(6, 0.3), _hostile_context),
}
