"""What importing and connecting load, and what they must not: no times, only modules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from flagcore.cli import main

AUTHORING = ("flagcore.model", "flagcore.compiler", "flagcore.reference", "flagcore.testing", "flagcore.cli", "yaml")
HEAVY = ("asyncio", "tomllib", "pathlib", "hypothesis", "argparse", "importlib.metadata", "watchfiles")


def modules_after(script: str, *arguments: object) -> set[str]:
    """Return what a fresh interpreter has loaded after a script."""
    result = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys\n{script}\nprint(*sys.modules)", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return set(result.stdout.split())


def loaded(modules: set[str], *names: str) -> set[str]:
    """Return which of ``names`` are loaded, themselves or by one of their parts."""
    return {name for name in names if any(module == name or module.startswith(f"{name}.") for module in modules)}


def test_importing_flagcore_loads_nothing_else() -> None:
    """``import flagcore`` loads that one module: no client, no msgspec, no typing."""
    modules = modules_after("import flagcore")
    assert {module for module in modules if module.startswith("flagcore")} == {"flagcore"}
    assert loaded(modules, "msgspec", "typing", "logging", *HEAVY) == set()


def test_a_service_on_a_compiled_file_loads_no_compiler(tmp_path: Path) -> None:
    """Connecting on a compiled file and evaluating loads neither model nor compiler nor anything of the authors'."""
    flags = {"a": {"type": "boolean", "default": "on"}}
    (tmp_path / "flags.json").write_text(json.dumps({"schema": "flagcore/v1", "flags": flags}))
    assert main(["compile", str(tmp_path / "flags.json")]) == 0
    script = """
import flagcore
client = flagcore.connect(sys.argv[1], watch=False)
assert client.get_boolean_value("a", False, {"targetingKey": "u-1"}) is True
assert client.get_boolean_value("unknown", True) is True
"""
    modules = modules_after(script, tmp_path / "flags.fcs")
    assert loaded(modules, *AUTHORING, *HEAVY) == set()


def test_evaluating_a_compiled_file_by_command_loads_no_compiler(tmp_path: Path) -> None:
    """``flagcore eval`` on a compiled file loads neither model nor compiler."""
    flags = {"a": {"type": "boolean", "default": "on"}}
    (tmp_path / "flags.json").write_text(json.dumps({"schema": "flagcore/v1", "flags": flags}))
    assert main(["compile", str(tmp_path / "flags.json")]) == 0
    script = 'from flagcore.cli import main\nassert main(["eval", sys.argv[1], "a"]) == 0'
    modules = modules_after(script, tmp_path / "flags.fcs")
    assert loaded(modules, "flagcore.model", "flagcore.compiler", "flagcore.testing", "yaml", "asyncio") == set()


def test_asking_for_a_flag_loads_what_its_set_needs(tmp_path: Path) -> None:
    """``flagcore eval`` on authored files leaves out what only other sets, other verbs and mistakes need."""
    rules = [
        {"id": "pro", "when": 'country == "DE" and plan in ["pro", "team"]', "serve": "on"},
        {"id": "some", "percent": 20, "serve": "on"},
    ]
    flags = {"a": {"type": "boolean", "default": "off", "rules": rules}}
    (tmp_path / "flags.json").write_text(json.dumps({"schema": "flagcore/v1", "flags": flags}))
    script = (
        'from flagcore.cli import main\nassert main(["eval", sys.argv[1], "a", "targetingKey=u", "--no-cache"]) == 0'
    )
    modules = modules_after(script, tmp_path / "flags.json")
    automata = [
        f"flagcore.compiler.{name}" for name in ("patterns", "nfa", "dfa", "minimise", "symbols", "aho_corasick")
    ]
    others = [
        f"flagcore.model.{name}" for name in ("regex", "schema", "dump", "expression_json", "read_toml", "read_yaml")
    ]
    verbs = ("flagcore.compiler.listing", "flagcore.cli.cache", "flagcore.cli.complain", "flagcore.cli.explain")
    dear = ("pathlib", "ipaddress", "shutil", "tempfile", "hashlib", "difflib", "dataclasses", "tomllib", "yaml")
    assert loaded(modules, *automata, *others, *verbs, *dear) == set()


def test_the_package_names_what_it_exports() -> None:
    """Every exported name is there, listed by ``dir``, and an unknown one is an AttributeError."""
    import flagcore

    assert set(flagcore.__all__) <= set(dir(flagcore))
    assert all(getattr(flagcore, name) is not None for name in flagcore.__all__)
    assert not hasattr(flagcore, "toggle")


def test_the_command_starts_without_what_older_interpreters_need(tmp_path: Path) -> None:
    """A process that is the command loads neither typing_extensions nor inspect for msgspec, and leaves both to others who want them."""
    flags = {"a": {"type": "boolean", "default": "on"}}
    (tmp_path / "flags.json").write_text(json.dumps({"schema": "flagcore/v1", "flags": flags}))
    script = 'from flagcore.cli import command\nsys.argv[1:] = ["eval", sys.argv[1], "a", "--no-cache"]\nassert command() == 0'
    modules = modules_after(script, tmp_path / "flags.json")
    assert "msgspec" in modules
    assert loaded(modules, "typing_extensions", "inspect", "ast") == set()
    assert "typing_extensions" in modules_after(script + "\nimport typing_extensions", tmp_path / "flags.json")
