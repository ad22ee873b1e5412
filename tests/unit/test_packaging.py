"""What is installed is whole and typed, and importing it does nothing."""

import importlib.metadata
import json
import pkgutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

import pathgauge

HEAVY = ("hdrh", "numpy", "pyroute2", "rich", "scipy", "shtab")

# Run in an interpreter of its own: what does an import change?
PROBE = """
import json, os, sys, threading
{prepare}
def state():
    return {{
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "children": open("/proc/self/stat").read() and sum(
            open(f"/proc/{{pid}}/stat").read().rpartition(")")[2].split()[1] == str(os.getpid())
            for pid in os.listdir("/proc") if pid.isdigit() and os.path.exists(f"/proc/{{pid}}/stat")
        ),
        "namespaces": sorted(os.readlink(f"/proc/self/ns/{{kind}}") for kind in ("net", "user", "mnt")),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
    }}
before = state()
{imports}
print(json.dumps([before, state(), sorted({{name.partition(".")[0] for name in sys.modules}})]))
"""


def probe(imports: str, prepare: str = "") -> tuple[dict[str, object], dict[str, object], list[str]]:
    """State before and after the imports, and the top-level modules that are then loaded."""
    program = PROBE.format(prepare=prepare, imports=imports)
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    before, after, modules = json.loads(done.stdout)
    return before, after, modules


def module_names() -> list[str]:
    """Every module of the package; __main__ runs the program and is none to import."""
    names = [module.name for module in pkgutil.walk_packages(pathgauge.__path__, "pathgauge.")]
    return [name for name in names if not name.endswith("__main__")]


def installed_files() -> set[str]:
    files = importlib.metadata.files("pathgauge")
    assert files is not None
    return {str(file) for file in files}


def test_metadata() -> None:
    metadata = importlib.metadata.metadata("pathgauge")
    assert metadata["Name"] == "pathgauge"
    assert metadata["Version"] == pathgauge.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Summary"]


def test_command_is_installed() -> None:
    (command,) = importlib.metadata.entry_points(group="console_scripts", name="pathgauge")
    assert command.value == "pathgauge.cli.main:main"
    assert callable(command.load())


@pytest.mark.parametrize("wanted", ["pathgauge/py.typed", "pathgauge/_native.pyi", "pathgauge/__main__.py"])
def test_file_is_installed(wanted: str) -> None:
    assert wanted in installed_files()


def test_exactly_one_native_module_and_no_source_of_it() -> None:
    files = installed_files()
    assert len([file for file in files if file.startswith("pathgauge/_native.") and file.endswith(".so")]) == 1
    assert not [file for file in files if file.endswith((".cpp", ".hpp", ".txt")) and "dist-info" not in file]


def test_only_the_package_is_installed() -> None:
    tops = {Path(file).parts[0] for file in installed_files()}
    assert {top for top in tops if not top.endswith(".dist-info") and top != ".."} == {"pathgauge"}


def test_package_under_test_is_the_installed_one() -> None:
    assert "site-packages" in Path(pathgauge.__file__ or "").parts


def test_import_does_nothing() -> None:
    before, after, modules = probe("import pathgauge")
    assert after == before
    assert not set(HEAVY) & set(modules)


def test_importing_every_module_does_nothing() -> None:
    # The heavy libraries are loaded first: what they do on import (numpy starts threads) is theirs.
    prepare = "\n".join(f"import {name}" for name in ("numpy", "scipy.stats", "pyroute2", "rich", "msgspec"))
    before, after, _ = probe("\n".join(f"import {name}" for name in module_names()), prepare)
    assert after == before


def test_all_is_what_is_importable() -> None:
    exported = pathgauge.__all__
    assert len(set(exported)) == len(exported)
    for name in exported:
        assert getattr(pathgauge, name) is not None
    public = {
        name
        for name, value in vars(pathgauge).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public - {"TYPE_CHECKING"} <= set(exported)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        getattr(pathgauge, "no such name")
