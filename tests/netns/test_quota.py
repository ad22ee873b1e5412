"""A CPU quota of one end: it holds, shows in the counters, and leaves no control group behind."""

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pathgauge.counters.cgroup import cpu_hierarchies
from tests.netns.lab_processes import wait_until
from tests.netns.runs import Running, measure

if TYPE_CHECKING:
    from tests.conftest import Nobody

SLOW = ("host", "slow=host", "--test", "TCP_STREAM", "--set", "slow.local-quota=0.2")


def groups() -> list[str]:
    """The control groups of pathgauge that stand on this machine; some may go while one looks."""
    walks = (os.walk(each.top) for each in cpu_hierarchies())
    return [
        os.path.join(top, name) for walk in walks for top, names, _ in walk for name in names if "pathgauge-" in name
    ]


@pytest.fixture(autouse=True)
def can_have_quotas(require_root: None) -> None:
    hierarchies = cpu_hierarchies()
    if not any(each.version == 1 or "cpu" in (each.top / "cgroup.subtree_control").read_text() for each in hierarchies):
        pytest.skip("kernel lacks a cpu controller for control groups")


@pytest.mark.kernel  # whose control groups are of version 2
def test_an_end_gets_no_more_than_its_quota_and_no_group_is_left() -> None:
    found = measure(*SLOW, "--slice", "200ms", "--blocks", "6", "--max-time", "30")
    slow = [row for row in found["slices"] if row["path"] == "slow"]
    used = sum(row["cpu_local_seconds"] for row in slow) / sum(row["local_seconds"] for row in slow)
    assert 0 < used < 0.3  # a slice may begin with what was left of a period
    (parameters,) = [test["parameters"] for test in found["tests"]]
    assert parameters["local-quota"] is None
    wait_until(lambda: not groups())


@pytest.mark.kernel
def test_killed_with_its_controller() -> None:
    with Running(*SLOW, "--max-time", "30") as running:
        wait_until(lambda: bool(groups()), 20)
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait(10)
        wait_until(lambda: not groups())


def test_who_may_not_limit_is_told_so(as_nobody: "Nobody", nobody_python: Path) -> None:
    done = as_nobody([nobody_python, "-m", "pathgauge", "compare", *SLOW, "--max-time", "5"])
    assert done.returncode == 3
    assert "a CPU quota cannot be set here" in done.stderr
    assert "as root (sudo)" in done.stderr
