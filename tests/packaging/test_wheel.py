"""What is shipped: the sdist, the wheel made from it, and the wheel at work where nothing else of the project is."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tools.package import build

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]

FLAGS = {
    "schema": "flagcore/v1",
    "segments": {"staff": {"when": 'email ends_with "@corner.example"'}},
    "flags": {
        "checkout.new": {
            "type": "boolean",
            "default": "off",
            "rules": [
                {"id": "staff", "when": 'segment("staff")', "serve": "on"},
                {"id": "launch", "when": 'country in ["DE", "AT"]', "percent": 25, "serve": "on"},
            ],
        }
    },
}

PROGRAM = """
import sys
import flagcore
with_flags = sys.argv[1]
client = flagcore.connect(with_flags, watch=False)
details = client.get_boolean_details("checkout.new", False, {"email": "eva@corner.example"})
assert details.value is True and details.variant == "on", details
share = sum(client.get_boolean_value("checkout.new", False, {"targetingKey": f"u-{n}", "country": "DE"}) for n in range(4000))
assert 850 < share < 1150, share
assert "staff" in str(client.explain("checkout.new", {"targetingKey": "u-1", "country": "DE"}))
client.close()
print(flagcore.__file__)
"""


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist and the wheel."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def sdist_names(shipped: tuple[Path, Path]) -> set[str]:
    """The files of the sdist, inside its folder."""
    with tarfile.open(shipped[0]) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@pytest.fixture(scope="module")
def wheel_names(shipped: tuple[Path, Path]) -> set[str]:
    """The files of the wheel."""
    with zipfile.ZipFile(shipped[1]) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(shipped: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and msgspec, and nothing else; returns its interpreter."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    target = site_packages(python)
    with zipfile.ZipFile(shipped[1]) as archive:  # a wheel is installed by unpacking it; scripts are tried with -m
        archive.extractall(target)
    origin = Path(importlib.util.find_spec("msgspec").origin).parent
    shutil.copytree(origin, target / "msgspec")
    return python


def site_packages(python: Path) -> Path:
    """Return where an environment keeps its packages."""
    run = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('platlib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(run.stdout.strip())


def run(python: Path, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run an interpreter far from the sources, without the settings of this process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FLAGCORE"))}
    return subprocess.run([python, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_the_wheel_holds_what_is_needed(wheel_names: set[str]):
    """Extension, its types, the marker of a typed package, and the kernel's sources for other languages are in the wheel."""
    for module in ("_program", "_table"):
        assert any(name.startswith(f"flagcore/evaluator/{module}.") and name.endswith(".so") for name in wheel_names)
    assert wheel_names >= {
        "flagcore/py.typed",
        "flagcore/evaluator/_program.pyi",
        "flagcore/evaluator/_table.pyi",
        "flagcore/evaluator/_program.pxd",
        "flagcore/kernel/kernel.h",
        "flagcore/kernel/kernel.c",
        "flagcore/__main__.py",
    }


def test_the_wheel_holds_nothing_else(wheel_names: set[str]):
    """No generated C, no Cython implementation, no tests, no caches."""
    for name in wheel_names:
        assert name.startswith(("flagcore/", "flagcore-")), name
        assert not name.endswith((".pyx", ".pyc", ".o", ".yaml")), name
        assert not name.endswith(("_program.c", "_table.c")), name


def test_the_wheel_says_what_it_is(shipped: tuple[Path, Path]):
    """Metadata: the required dependency is msgspec alone, the licence is inside, extras are those that exist."""
    with zipfile.ZipFile(shipped[1]) as archive:
        root = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = importlib.metadata.PathDistribution(zipfile.Path(archive, root.rpartition("/")[0] + "/")).metadata
        licensed = any(name.endswith("licenses/LICENSE") for name in archive.namelist())
    required = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert [line.partition(">")[0] for line in required] == ["msgspec"]
    assert set(metadata.get_all("Provides-Extra")) == {"files", "tables", "zmq", "testing", "all"}
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert licensed


def test_the_sdist_holds_the_sources(sdist_names: set[str]):
    """The sdist carries sources, tests and documents, and nothing generated."""
    assert sdist_names >= {
        "LICENSE",
        "README.md",
        "setup.py",
        "pyproject.toml",
        "src/flagcore/evaluator/_program.pyx",
        "src/flagcore/evaluator/_table.pyx",
        "src/flagcore/evaluator/_program.pxd",
        "src/flagcore/kernel/kernel.h",
        "src/flagcore/kernel/kernel.c",
        "tests/conformance/bucketing-vectors.json",
        "tests/packaging/test_wheel.py",
        "tests/distribution/golden/delta.message",
        "tests/distribution/golden/bootstrap.fcs",
        "examples/shop/checkout.yaml",
        "docs/design/flag-format.md",
        "bindings/README.md",
        "bindings/case_table.py",
        "bindings/c/Makefile",
        "bindings/c/flagcore.h",
        "bindings/c/flagcore.pc.in",
        "bindings/c/src/open.c",
    }
    assert not {"src/flagcore/evaluator/_program.c", "src/flagcore/evaluator/_table.c"} & set(sdist_names)
    assert not {name for name in sdist_names if name.endswith((".so", ".pyc", ".o"))}


def test_every_source_is_shipped(sdist_names: set[str], wheel_names: set[str]):
    """No module is forgotten: every Python source of the tree is in the sdist and in the wheel."""
    package = Path(__file__).resolve().parents[2] / "src"
    sources = {
        path.relative_to(package).as_posix() for path in package.rglob("*.py*") if path.suffix in {".py", ".pyi"}
    }
    assert {f"src/{name}" for name in sources} <= sdist_names
    assert sources <= wheel_names


def test_the_wheel_evaluates_with_msgspec_alone(installed: Path, tmp_path: Path):
    """In an environment with msgspec and nothing else, away from the sources, flags from JSON are served and explained."""
    flags = tmp_path / "flags.json"
    flags.write_text(json.dumps(FLAGS))
    done = run(installed, "-c", PROGRAM, flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(site_packages(installed)) in done.stdout


def test_live_flags_name_their_extra(installed: Path, tmp_path: Path):
    """Without the extra, connecting to a publisher says which one to install."""
    program = "import flagcore; flagcore.connect('tcp://127.0.0.1:7440', wait=0)"
    refused = run(installed, "-c", program, cwd=tmp_path)
    assert "SettingsError" in refused.stderr
    assert "flagcore[zmq]" in refused.stderr


def test_the_installed_command_line_works(installed: Path, tmp_path: Path):
    """validate, compile and eval work from the wheel; YAML without PyYAML is an error that names the extra."""
    flags, compiled = tmp_path / "flags.json", tmp_path / "flags.fcs"
    flags.write_text(json.dumps(FLAGS))
    assert run(installed, "-m", "flagcore", "validate", flags, cwd=tmp_path).returncode == 0
    assert run(installed, "-m", "flagcore", "compile", flags, "-o", compiled, cwd=tmp_path).returncode == 0
    done = run(installed, "-m", "flagcore", "eval", compiled, "checkout.new", "email=a@corner.example", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "on" in done.stdout
    (tmp_path / "flags.yaml").write_text("schema: flagcore/v1\n")
    refused = run(installed, "-m", "flagcore", "validate", tmp_path / "flags.yaml", cwd=tmp_path)
    assert refused.returncode == 1
    assert "flagcore[files]" in refused.stdout + refused.stderr


def test_the_compiled_module_is_the_real_one():
    """The suite runs on the compiled evaluator, never on something that only looks like it."""
    spec = importlib.util.find_spec("flagcore.evaluator._program")
    assert spec is not None
    assert spec.origin.endswith((".so", ".pyd"))
    assert sys.implementation.name == "cpython"
