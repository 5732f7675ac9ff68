"""``make demo``: the flags of an example shop, checked, tested, evaluated for a stream of visitors, explained and timed; then live."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flagcore
from benchmarks.floor import load_bare, load_floor
from benchmarks.timing import Subject, measure
from examples import live_demo
from examples.visitors import visitors
from flagcore.model import Flag, load

SHOP = Path(__file__).parent / "shop"
VISITORS = 20_000
TIMED = {  # flag -> what is to be seen in it
    "search.suggestions": "no rules",
    "payments.new-gateway": "one rule",
    "checkout.guest": "two numbers, one level down",
    "checkout.express": "a segment and a 30 % gate",
    "account.theme": "a split for everybody else",
    "checkout.new": "prerequisite, four rules, a ramp",
    "payments.fraud-threshold": "a time in text, numbers",
    "pricing.banner": "a flag that depends on the calendar",
}

FLOORS = {"F: a compiled method that does nothing": load_floor, "the barest C method": load_bare}

NO_COLOUR = not sys.stdout.isatty()
Getter = Callable[[str, Any, Any], Any]


def main(visitor_count: int = VISITORS, rounds: int = 11) -> int:
    """Run the parts in order; stop with the command line's exit code where the set is not sound."""
    for verb in ("validate", "test"):
        heading(f"flagcore {verb} examples/shop")
        code = subprocess.run(
            [sys.executable, "-m", "flagcore", verb, SHOP.relative_to(Path.cwd())], check=False
        ).returncode
        if code:
            return code
    started = time.perf_counter()
    client = flagcore.connect(SHOP, watch=False)
    loaded = time.perf_counter() - started
    flags = load(SHOP).flag_set.flags
    people = list(visitors(visitor_count))
    heading(f"{len(flags)} flags for {visitor_count:,} visitors")
    print(f"  compiled and linked in {loaded * 1000:.0f} ms\n")
    show_shares(client, flags, people)
    show_explanation(client, people)
    show_speed(client, flags, people[:1000], rounds)
    client.close()
    return live_demo.run(heading)


def heading(text: str) -> None:
    """Print what comes next."""
    print(f"\n{text}" if NO_COLOUR else f"\n\033[1m{text}\033[0m", flush=True)


# -- shares


def show_shares(client: Any, flags: dict[str, Flag], people: Sequence[dict[str, Any]]) -> None:
    """Print which share of the visitors meets which variant of each flag."""
    print(f"  {'flag':<30} {'type':<8} {'purpose':<11} share of each variant")
    for key, flag in sorted(flags.items()):
        details = getattr(client, f"get_{flag.type.value}_details")
        found = Counter(details(key, None, person).variant for person in people)
        shares = "   ".join(
            f"{name or 'default value'} {count / len(people):.1%}" for name, count in found.most_common()
        )
        print(f"  {key:<30} {flag.type.value:<8} {flag.purpose.value:<11} {shares}")


# -- why


def show_explanation(client: Any, people: Sequence[dict[str, Any]]) -> None:
    """Explain one decision down to the bucket: the first visitor whom the ramp of the new checkout lets in."""
    key = "checkout.new"
    person = next(person for person in people if client.get_boolean_details(key, False, person).reason == "SPLIT")
    heading(f"Why does {person['targetingKey']} get {key}?")
    print(indented(str(client.explain(key, person))))


def indented(text: str) -> str:
    """Return the text two blanks to the right."""
    return "\n".join(f"  {line}" for line in text.splitlines())


# -- how fast


def show_speed(client: Any, flags: dict[str, Flag], people: Sequence[dict[str, Any]], rounds: int) -> None:
    """Print nanoseconds per evaluation beside the floors: C methods called with the same three arguments."""
    floors = [subject(name, load(), "checkout.new", people) for name, load in FLOORS.items()]
    subjects = [subject(key, getattr(client, f"get_{flags[key].type.value}_value"), key, people) for key in TIMED]
    rows = measure([*floors, *subjects], floors, rounds)
    heading("Nanoseconds per evaluation, every visitor another context")
    for row in rows[: len(floors)]:
        print(f"  {row.name:<62} {row.nanoseconds:7.1f} ns  {row.ratios[0]:5.1f} F")
    for row in rows[len(floors) :]:
        print(f"  {row.name:<26} {TIMED[row.name]:<35} {row.nanoseconds:7.1f} ns  {row.ratios[0]:5.1f} F")
    print("\n  `make bench` measures the fixed workloads; benchmarks/records keeps what was measured.")


def subject(name: str, getter: Getter, key: str, people: Sequence[dict[str, Any]]) -> Subject:
    """Return the loop to be timed, beside the same loop around nothing."""
    many = list(people) * 10

    def batch() -> None:
        get, flag = getter, key
        for person in many:
            get(flag, None, person)

    def empty() -> None:
        for _person in many:
            pass

    return Subject(name, batch, empty, len(many))


if __name__ == "__main__":
    sys.exit(main())
