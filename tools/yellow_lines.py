"""Hold the Cython face to C: between ``# hot: begin`` and ``# hot: end`` no line may touch the interpreter.

The straight path of an evaluation is C (host.h and the kernel); what is left of it in Cython stands between the marks.

Cython's annotated listing gives each line a score, the number of C interface calls that it makes. Hot lines must score 0;
elsewhere each function has a budget, kept in yellow_lines.json beside this script, and a rise fails. ``--update`` writes the
budgets anew: say in the change why one rose. The listing stays in build/annotated, to be looked at.
"""

from __future__ import annotations

import ast
import html
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

__all__ = ["Line", "main"]

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.pyx"))
BUDGETS = Path(__file__).with_suffix(".json")
LISTINGS = ROOT / "build" / "annotated"
LINE = re.compile(
    r'<pre class="cython line score-(\d+)"[^>]*>(?:\+|&#xA0;)?<span class="">(\d+)</span>: ?(.*?)</pre>', re.DOTALL
)
FUNCTION = re.compile(r"^\s*(?:cdef|cpdef|def)\s[^=:]*?(\w+)\s*\(")


class Line(NamedTuple):
    """One line of a Cython source and its score."""

    number: int
    score: int
    text: str
    function: str
    hot: bool


def main(arguments: list[str]) -> int:
    """Print what is too yellow; return 1 when anything is."""
    found = {source.stem: read(annotate(source)) for source in SOURCES}
    spent = {name: budgets_of(lines) for name, lines in found.items()}
    if "--update" in arguments:
        BUDGETS.write_text(json.dumps(spent, indent=2, sort_keys=True) + "\n")
    complaints = [text for name, lines in found.items() for text in hot_complaints(name, lines)]
    complaints += budget_complaints(spent, json.loads(BUDGETS.read_text()) if BUDGETS.exists() else {})
    hot = sum(line.hot for lines in found.values() for line in lines)
    print("\n".join(complaints) or f"yellow lines: {hot} hot lines score 0, {len(found)} source(s) within budget")
    return 1 if complaints else 0


def annotate(source: Path) -> Path:
    """Return the annotated listing of a source, made with the directives of setup.py."""
    from Cython.Compiler import Options
    from Cython.Compiler.Main import CompilationOptions, compile_single

    LISTINGS.mkdir(parents=True, exist_ok=True)
    Options.annotate = True
    output = LISTINGS / f"{source.stem}.c"
    options = CompilationOptions(
        compiler_directives=directives(),
        include_path=[str(ROOT / "src")],
        output_file=str(output),
        annotate=True,
        language_level=3,
    )
    name = ".".join(source.relative_to(ROOT / "src").with_suffix("").parts)
    result = compile_single(str(source), options, full_module_name=name)
    if result.num_errors:
        raise SystemExit(f"{source}: {result.num_errors} errors")
    return output.with_suffix(".html")


def directives() -> dict[str, object]:
    """Return the literal DIRECTIVES of setup.py without running it."""
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        target = (
            node.targets[0]
            if isinstance(node, ast.Assign)
            else node.target
            if isinstance(node, ast.AnnAssign)
            else None
        )
        if isinstance(target, ast.Name) and target.id == "DIRECTIVES":
            return dict(ast.literal_eval(node.value))
    raise SystemExit("setup.py has no literal DIRECTIVES")


def read(listing: Path) -> list[Line]:
    """Return the scored lines of a listing, each with its function and whether it is hot."""
    lines: list[Line] = []
    function, hot = "", False
    for score, number, code in LINE.findall(listing.read_text(encoding="utf-8")):
        text = html.unescape(re.sub(r"<[^>]+>", "", code)).rstrip()
        if "# hot: begin" in text or "# hot: end" in text:
            hot = "begin" in text
        if match := FUNCTION.match(text):
            function = match[1]
        lines.append(Line(int(number), int(score), text, function, hot))
    if hot:
        raise SystemExit(f"{listing.stem}: `# hot: begin` without an end")
    return lines


def hot_complaints(name: str, lines: list[Line]) -> list[str]:
    """Return a complaint for each hot line that touches the interpreter."""
    if not any(line.hot for line in lines):
        return [f"{name}.pyx: no line is marked hot (`# hot: begin` ... `# hot: end`)"]
    return [
        f"{name}.pyx:{line.number}: hot, scores {line.score}: {line.text.strip()}"
        for line in lines
        if line.hot and line.score
    ]


def budgets_of(lines: list[Line]) -> dict[str, int]:
    """Return function -> sum of scores, outside hot regions, functions that score nothing left out."""
    spent: Counter[str] = Counter()
    for line in lines:
        if not line.hot and line.function:
            spent[line.function] += line.score
    return {function: score for function, score in sorted(spent.items()) if score}


def budget_complaints(spent: dict[str, dict[str, int]], budgets: dict[str, dict[str, int]]) -> list[str]:
    """Return a complaint for each function that scores more than its budget."""
    return [
        f"{name}.pyx: {function} scores {score}, its budget is {budgets.get(name, {}).get(function, 0)} (--update, and say why)"
        for name, functions in spent.items()
        for function, score in functions.items()
        if score > budgets.get(name, {}).get(function, 0)
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
