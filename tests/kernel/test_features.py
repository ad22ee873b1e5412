"""The guest has what it was chosen for, so that no test skips there what it was booted to run."""

import subprocess

import pytest

from pathgauge.paths.registry import probe_kinds
from tests.kernel.guest import KINDS, QUEUE_DISCIPLINES


def in_a_namespace(script: str) -> None:
    """Run the lines of a script in a network namespace that ends with it."""
    command = ["unshare", "--net", "sh", "-e", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_can_be_built(kind: str) -> None:
    assert probe_kinds([kind]) == {kind: None}


@pytest.mark.parametrize("kind", QUEUE_DISCIPLINES)
def test_the_kernel_has_the_queue_discipline(kind: str) -> None:
    in_a_namespace(f"ip link add d0 type dummy\ntc qdisc add dev d0 root {kind}")
