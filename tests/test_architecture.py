"""The floors and walls of the house, read from the sources themselves (docs/design/design.md section 1).

The table of allowed imports is not repeated here: it is read from the design page, so that page and sources cannot drift apart.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.processes import python

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "flagcore"
DESIGN = ROOT / "docs" / "design" / "design.md"


class Import(NamedTuple):
    """One import or cimport line: what is imported, where, and whether a function (or only a type checker) does it."""

    module: str
    line: int
    lazy: bool


# --- reading ----------------------------------------------------------------------------------------------------------


def sources() -> list[Path]:
    """Return every Python and Cython source of the package, generated files left out."""
    return sorted(path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".pyi", ".pyx", ".pxd"})


def floor_of(path: Path) -> str:
    """Return the floor a file belongs to: the first folder, or the module, below the package."""
    part = path.relative_to(PACKAGE).parts[0].split(".")[0]
    return {"__init__": "flagcore", "__main__": "cli"}.get(part, part)


def imports_of(path: Path) -> list[Import]:
    """Return the imports of a file, imports for type checkers included: knowing a type is knowing the floor."""
    text = path.read_text(encoding="utf-8")
    return list(_python_imports(ast.parse(text)) if path.suffix in {".py", ".pyi"} else _cython_imports(text))


def _python_imports(tree: ast.AST, lazy: bool = False):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            yield from (Import(f"{node.module}.{alias.name}", node.lineno, lazy) for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _is_for_type_checkers(node):
            yield from _python_imports(node, lazy=True)
        else:
            yield from _python_imports(node, lazy)


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


_CYTHON = re.compile(
    r"^(?P<indent>\s*)(?:from\s+(?P<origin>[\w.]+)\s+)?c?import\s+(?P<names>\([^)]*\)|[^#\n]+)", re.MULTILINE
)


def _cython_imports(text: str):
    for match in _CYTHON.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        for name in match["names"].strip("() \n").split(","):
            module = name.split(" as ")[0].strip()
            if module:  # a comma may come last
                yield Import(f"{match['origin']}.{module}" if match["origin"] else module, line, bool(match["indent"]))


@cache
def allowed() -> dict[str, frozenset[str]]:
    """Return floor -> floors it may import, as the table of the design page says."""
    text = DESIGN.read_text(encoding="utf-8").split("Allowed imports", 1)[1].split("`tests/test_architecture.py`")[0]
    table: dict[str, frozenset[str]] = {}
    for left, right in re.findall(
        r"([a-z_, ]+?) > ((?:\([^)]*\)|[a-z_]+ ?)+)", text.replace("all of the above", "everything")
    ):
        words = frozenset(re.sub(r"\([^)]*\)", "", right).split())
        for floor in left.replace(",", " ").split():
            table[floor] = words
    everything = frozenset(table)
    return {floor: everything if "everything" in right else right | {floor} for floor, right in table.items()}


def own(module: str) -> str | None:
    """Return the floor that an imported name of ours belongs to; None for what is not ours."""
    parts = module.split(".")
    if parts[0] != "flagcore":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in allowed() else "flagcore"


# --- the table --------------------------------------------------------------------------------------------------------

# On first use only: the file source compiles what it reads; the package's own names are looked up when asked for.
FIRST_USE = {
    "distribution/loading.py": {"model", "compiler"},
    "__init__.py": {"client", "context", "engine", "errors", "terms", "telemetry", "distribution"},
}
AT_ONCE = {"__init__.py": {"client", "context", "engine", "errors", "terms"}}


def test_the_table_is_understood():
    """The design page's table is read whole: every folder and module of the package has its row."""
    floors = {floor_of(path) for path in sources()} - {"flagcore"}
    assert floors <= set(allowed()), f"floors without a row in {DESIGN.name}: {sorted(floors - set(allowed()))}"
    assert allowed()["context"] == {"context", "errors", "terms"}
    assert allowed()["kernel"] == {"kernel"}
    assert allowed()["engine"] >= {"evaluator", "snapshot", "telemetry"}
    assert "model" not in allowed()["distribution"]


def test_the_table_has_no_circle():
    """Imports point downwards: the allowed ones cannot form a circle."""
    remaining = {floor: set(right) - {floor} for floor, right in allowed().items() if floor != "cli"}
    while remaining:
        ground = {floor for floor, right in remaining.items() if not right & set(remaining)}
        assert ground, f"a circle among {sorted(remaining)}"
        remaining = {floor: right for floor, right in remaining.items() if floor not in ground}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path):
    """A module imports only from floors that the table grants to its own floor."""
    name = path.relative_to(PACKAGE).as_posix()
    floor = floor_of(path)
    granted = AT_ONCE.get(name, set()) | set(allowed().get(floor, ()))
    wrong = [
        f"{name}:{found.line}: {found.module}"
        for found in imports_of(path)
        if (target := own(found.module)) is not None
        and target not in granted
        and target != "flagcore"
        and not (found.lazy and target in FIRST_USE.get(name, ()))
    ]
    assert not wrong, f"{floor} may import {sorted(granted)}"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_imports_the_package_itself(path: Path):
    """Modules name the module that they need: `from flagcore import x` would run the package's surface. The command line may."""
    if floor_of(path) in {"cli", "flagcore"}:
        return
    bare = [
        found
        for found in imports_of(path)
        if own(found.module) == "flagcore" and found.module != "flagcore.__version__"
    ]
    assert not bare


# --- wall 1: a service that only evaluates loads neither model, compiler nor manager ----------------------------------

FLAGS = """{"schema": "flagcore/v1", "flags": {"f": {
    "type": "boolean", "default": "off", "rules": [{"id": "r", "when": "a == 1", "serve": "on"}]}}}"""

EVALUATING = """
import sys
import flagcore
with_file = sys.argv[1]
client = flagcore.connect(with_file)
assert client.get_boolean_value("f", False, {"a": 1}) is True
assert client.get_boolean_details("f", False, {"a": 2}).variant == "off"
assert client.evaluate_all({"a": 1})["f"].value is True
client.close()
print(*sorted(sys.modules))
"""


@pytest.fixture(scope="module")
def loaded_modules(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The modules in a process that connected to a compiled file and evaluated."""
    folder = tmp_path_factory.mktemp("wall")
    authored, compiled = folder / "flags.json", folder / "flags.fcs"
    authored.write_text(FLAGS)
    made = python("-m", "flagcore", "compile", authored, "-o", compiled)
    assert made.returncode == 0, made.stderr
    run = python("-c", EVALUATING, compiled)
    assert run.returncode == 0, run.stderr
    return frozenset(run.stdout.split())


@pytest.mark.parametrize("floor", ["model", "compiler", "manager", "reference", "testing", "cli", "importers"])
def test_evaluating_loads_no_authoring(loaded_modules: frozenset[str], floor: str):
    """Connecting to a compiled file and evaluating leaves the authoring side unloaded."""
    assert "flagcore.evaluator._program" in loaded_modules
    assert not {name for name in loaded_modules if name == f"flagcore.{floor}" or name.startswith(f"flagcore.{floor}.")}


@pytest.mark.parametrize("module", ["yaml", "hypothesis", "pytest", "asyncio", "sqlite3", "http", "ssl"])
def test_evaluating_loads_nothing_heavy(loaded_modules: frozenset[str], module: str):
    """Nor are libraries loaded that evaluating compiled flags has no use for."""
    assert module not in loaded_modules


# --- wall 2: kernel and evaluator know no object of the model ---------------------------------------------------------

FREESTANDING = {
    "stddef.h",
    "stdint.h",
    "stdbool.h",
    "limits.h",
    "float.h",
    "stdalign.h",
    "stdnoreturn.h",
    "stdarg.h",
    "kernel.h",
}
COMPILERS_OWN = {"string.h"}  # for memcpy, memset, memcmp only, which compilers emit by themselves


def kernel_sources() -> list[Path]:
    """Return the C sources of the kernel."""
    return sorted(path for path in (PACKAGE / "kernel").rglob("*") if path.suffix in {".c", ".h"})


def test_the_kernel_is_there():
    """The walls below are held over something."""
    assert {path.name for path in kernel_sources()} >= {"kernel.h", "kernel.c"}


@pytest.mark.parametrize("path", kernel_sources(), ids=lambda path: path.name)
def test_the_kernel_is_freestanding(path: Path):
    """The kernel includes headers of a freestanding C11 and its own, and nothing of Python."""
    text = path.read_text(encoding="utf-8")
    own_headers = {header.name for header in kernel_sources()}
    included = {Path(name).name for name in re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.MULTILINE)}
    assert included <= FREESTANDING | COMPILERS_OWN | own_headers
    assert not re.search(r"\bPy[A-Z_]\w*", _without_comments(text)), "a name of Python's C interface"
    assert not re.search(r"\b(malloc|calloc|realloc|free|printf|fopen|time|clock|abort)\s*\(", _without_comments(text))


def _without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("floor", ["kernel", "evaluator"])
def test_kernel_and_evaluator_know_no_model(floor: str):
    """No source of kernel or evaluator, not even a comment's import example, reaches for the model or the compiler."""
    for path in (PACKAGE / floor).rglob("*"):
        if path.suffix in {".py", ".pyi", ".pyx", ".pxd"}:
            reached = {own(found.module) for found in imports_of(path)}
            assert not reached & {"model", "compiler", "reference", "manager"}, path


# --- wall 3: compiler, kernel, evaluator and bucketing open nothing and know no clock ---------------------------------

SEALED = ("compiler", "evaluator", "bucketing", "kernel")
FORBIDDEN_MODULES = {
    "asyncio", "ctypes", "fcntl", "http", "io", "logging", "mmap", "multiprocessing", "os", "pathlib", "posix", "random", "secrets",
    "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib",
    "uuid", "cpython.time", "libc.stdio", "libc.time", "posix.time", "posix.unistd",
}  # fmt: skip
FORBIDDEN_CALLS = re.compile(
    r"(?<![\w.])(?:open|print|input|exec|eval|breakpoint)\s*\(|\.(?:now|utcnow|today|read_text|read_bytes|write_text|write_bytes)\s*\("
)
FORBIDDEN_HEADERS = re.compile(r"""extern from ["'<](?:time|stdio|unistd|pthread|fcntl|sys/\w+)\.h""")


def sealed_sources() -> list[Path]:
    """Return the sources behind the third wall."""
    return [path for path in sources() if floor_of(path) in SEALED]


@pytest.mark.parametrize("path", sealed_sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_sealed_floors_import_no_world(path: Path):
    """No file, socket, clock, thread, logger or source of randomness is imported behind the wall."""
    for found in imports_of(path):
        parts = found.module.split(".")
        prefixes = {".".join(parts[: length + 1]) for length in range(len(parts))}
        assert not prefixes & FORBIDDEN_MODULES, f"line {found.line}: {found.module}"


@pytest.mark.parametrize("path", sealed_sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_sealed_floors_open_nothing(path: Path):
    """Nothing behind the wall opens, prints, reads a clock, or evaluates text as code."""
    code = _without_strings(path.read_text(encoding="utf-8"))
    found = [
        f"line {code.count(chr(10), 0, match.start()) + 1}: {match[0]}" for match in FORBIDDEN_CALLS.finditer(code)
    ]
    assert not found
    assert not FORBIDDEN_HEADERS.search(path.read_text(encoding="utf-8"))


_STRING_OR_COMMENT = re.compile(
    r'"""(?:.|\n)*?"""|\'\'\'(?:.|\n)*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|#[^\n]*'
)


def _without_strings(text: str) -> str:
    """Return the code with texts and comments blanked, line numbers kept."""
    return _STRING_OR_COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)


# --- the tests themselves ---------------------------------------------------------------------------------------------


def test_the_readers_read(tmp_path: Path):
    """The readers above see what they are there to see: plain, nested, type-only, lazy and Cython imports."""
    python = tmp_path / "module.py"
    python.write_text(
        "import os.path\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from flagcore.model.tree import Test\n"
        "def f():\n    import socket\n"
    )
    found = {(found.module, found.lazy) for found in imports_of(python)}
    assert found >= {("os.path", False), ("flagcore.model.tree.Test", True), ("socket", True)}
    cython = tmp_path / "module.pyx"
    cython.write_text(
        "cimport cython\nfrom libc.time cimport time, clock\nfrom cpython.dict cimport (\n    PyDict_Next,\n    PyDict_Size,\n)\n"
    )
    names = {found.module for found in imports_of(cython)}
    assert names == {
        "cython",
        "libc.time.time",
        "libc.time.clock",
        "cpython.dict.PyDict_Next",
        "cpython.dict.PyDict_Size",
    }
    assert FORBIDDEN_CALLS.search(_without_strings('x = "open("\nopen (x)'))
    assert not FORBIDDEN_CALLS.search(_without_strings('x = "open(" # open('))


# --- the project's text -----------------------------------------------------------------------------------------------

# Folders that belong to one machine have no business in code, documents or messages.
_FOLDERS = "home|root|Users|work|workspace|mnt|media|scratch"
MACHINE_PATH = re.compile(rf"(?<![\w.\-/:}}\])~*])/(?:{_FOLDERS})/[\w.]|[A-Z]:\\\\?(?:Users|work)\b")
TEXT = {
    "", ".c", ".cfg", ".h", ".in", ".json", ".md", ".pxd", ".py", ".pyi", ".pyx", ".sh", ".toml", ".txt", ".yaml", ".yml",
}  # fmt: skip
UNTRACKED = {
    ".git",
    ".venv",
    "build",
    "dist",
    "__pycache__",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
}


def project_texts() -> list[Path]:
    """Return the text files of the project, built and cached ones left out."""
    found: list[Path] = []
    folders = [ROOT]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if path.name in UNTRACKED or path.name.endswith(".egg-info"):
                continue  # .git is a file where the tree is one of several
            if path.is_dir():
                folders.append(path)
            elif path.is_file() and path.suffix in TEXT and path.name not in {"_program.c", "_table.c"}:
                found.append(path)
    return found


def test_no_paths_of_a_machine():
    """No text of the project carries an absolute path of somebody's machine."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in project_texts()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert not found
