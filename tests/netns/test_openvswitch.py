"""The daemons of a lab's Open vSwitch: in a folder of their own, and gone with the lab."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pathgauge.errors import MissingFeature
from pathgauge.paths.lab import Lab
from pathgauge.paths.openvswitch import DAEMON, program
from pathgauge.paths.registry import probe_kinds
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import WireSpec
from tests.netns import lab_processes

if TYPE_CHECKING:
    from tests.conftest import Nobody

SECONDS = 20.0
pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def has_programs() -> None:
    try:
        program(DAEMON)
    except MissingFeature:
        pytest.skip("kernel lacks the daemon of openvswitch")


def running() -> set[str]:
    """The processes of Open vSwitch alive."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith((b"/ovs-vswitchd", b"/ovsdb-server")) or b"pathgauge.paths.openvswitch" in words:
            found.add(process.name)
    return found


def becomes(what: Callable[[], bool]) -> bool:
    """Whether that is so within some seconds."""
    deadline = time.monotonic() + SECONDS
    while not what() and time.monotonic() < deadline:
        time.sleep(0.01)
    return what()


def test_a_probe_leaves_no_daemon_and_no_file() -> None:
    before, files = running(), sorted(os.listdir("/run"))
    assert probe_kinds(["openvswitch"])["openvswitch"] in (None, "this kernel has no openvswitch")
    assert becomes(lambda: running() <= before)
    assert sorted(os.listdir("/run")) == files


def test_the_daemons_end_with_a_keeper_that_is_killed() -> None:
    before = running()
    try:
        lab = Lab.build(parse_paths(["openvswitch"]), WireSpec())
    except MissingFeature:
        pytest.skip("kernel lacks openvswitch")
    with lab:
        spaces = {os.fstat(path.client_namespace).st_ino for path in lab.paths.values()}
        assert len(running() - before) == 3
        os.kill(lab.keeper_pid, signal.SIGKILL)
        assert becomes(lambda: running() <= before)
    assert becomes(lambda: not lab_processes.held(spaces))


def test_an_ordinary_user_is_told_to_be_root(as_nobody: "Nobody", nobody_python: Path) -> None:
    done = as_nobody([nobody_python, "-m", "pathgauge", "compare", "host", "openvswitch"])
    assert done.returncode == 3
    assert "Open vSwitch does not come up in a user namespace" in done.stderr
    assert "run pathgauge as root" in done.stderr
