"""What a command imports before it does anything: the large libraries only where they are used."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "pathgauge.cli.main",
        "pathgauge.cli.lab",
        "pathgauge.paths.standing",
        "pathgauge.paths.lab",
        "pathgauge.paths.topology",
        "pathgauge.paths.keeper",
    ],
)
@pytest.mark.parametrize("library", ["pyroute2", "numpy", "scipy", "rich"])
def test_a_lab_needs_no_large_library(module: str, library: str) -> None:
    code = f"import sys, {module}; sys.exit({library!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
