"""`--busy-poll`, `--realtime` and `--mptcp`: what the kernel makes of them, and what is said where it does not."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pathgauge.endpoints.sockets import IPPROTO_MPTCP
from pathgauge.endpoints.tls import why_none
from pathgauge.errors import MissingFeature
from pathgauge.measuring.arm import EngineArm
from pathgauge.measuring.arms import placed
from pathgauge.measuring.engine import Engine
from pathgauge.paths.lab import Lab
from pathgauge.paths.namespaces import inside
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import WireSpec
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS
from tests.conftest import Nobody
from tests.netns.runs import QUICK, compare

pytestmark = pytest.mark.netns

BRIEF = ("--max-time", "5s", "--blocks", "5", *QUICK)


@pytest.fixture
def lab(require_root: None) -> Iterator[Lab]:
    """One path, entered from here."""
    with Lab.build(parse_paths(["host"]), WireSpec()) as built:
        yield built


@pytest.fixture
def multipath() -> None:
    """A kernel without Multipath TCP has nothing to test."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP).close()
    except OSError as error:
        pytest.skip(f"kernel lacks Multipath TCP: {error}")


@pytest.mark.usefixtures("multipath")
def test_a_connection_of_multipath_tcp_is_one(lab: Lab) -> None:
    with Engine(lab, 1, None) as engine:
        kind = TESTS["TCP_RR"]
        parameters = kind.complete(placed(Parameters(mptcp=True)), 1500)
        arm = EngineArm(engine, "host", lab.paths["host"], kind, parameters, 0)
        arm.open()
        assert arm.measure(0.0, 0.05).row.transactions > 0
        used = inside(lab.paths["host"].client_namespace, lambda: Path("/proc/thread-self/net/netstat").read_text())
        arm.close()
    heads, counts = (line.split() for line in used.splitlines() if line.startswith("MPTcpExt:"))
    assert int(counts[heads.index("MPCapableSYNTX")]) > 0
    assert int(counts[heads.index("MPCapableFallbackSYNACK")]) == 0


@pytest.mark.usefixtures("multipath")
def test_a_connection_that_falls_back_to_tcp_is_refused(lab: Lab) -> None:
    switch = Path("/proc/sys/net/mptcp/enabled")
    with Engine(lab, 1, None) as engine:
        parameters = TESTS["TCP_RR"].complete(placed(Parameters(mptcp=True)), 1500)
        arm = EngineArm(engine, "host", lab.paths["host"], TESTS["TCP_RR"], parameters, 0)
        inside(lab.paths["host"].client_namespace, lambda: switch.write_text("0"))
        with pytest.raises(MissingFeature, match="no Multipath TCP") as caught:
            arm.open()
        assert "net.mptcp.enabled" in caught.value.hint


def test_real_time_is_what_the_loops_run_in(lab: Lab, require_root: None) -> None:
    with Engine(lab, 1, None) as engine:
        parameters = TESTS["TCP_RR"].complete(placed(Parameters(realtime=3)), 1500)
        arm = EngineArm(engine, "host", lab.paths["host"], TESTS["TCP_RR"], parameters, 0)
        arm.open()
        policies = [
            (os.sched_getscheduler(thread), os.sched_getparam(thread).sched_priority)
            for end in engine.ends.values()
            for thread in map(int, os.listdir(f"/proc/{end.process.pid}/task"))
        ]
        assert arm.measure(0.0, 0.05).row.transactions > 0
        arm.close()
    assert sorted(policies) == [(os.SCHED_OTHER, 0)] * 2 + [(os.SCHED_FIFO, 3)] * 2


def test_real_time_takes_root_and_says_so(as_nobody: Nobody, nobody_python: Path) -> None:
    words = ("compare", "host", "host", "--test", "TCP_RR", "--realtime", "5", *BRIEF)
    done = as_nobody([nobody_python, "-m", "pathgauge", *words])
    assert done.returncode == 3
    assert "priority 5 of real time is not allowed here" in done.stderr
    assert "run as root" in done.stderr


def test_tls_is_had_or_what_it_takes_is_said() -> None:
    reason = why_none()
    options = ("--test", "TCP_STREAM", "--tls", "aes-128-gcm", *BRIEF)
    said = compare("host", "macvlan", *options, code=0 if reason is None else 3)
    assert reason is None or said.stderr == (
        "pathgauge: this kernel has no TLS\n  sudo modprobe tls, on a kernel that was built with CONFIG_TLS\n"
    )


def test_every_test_takes_the_time_to_poll(lab: Lab) -> None:
    with Engine(lab, 1, None) as engine:
        for name in ("TCP_CRR", "UDP_RR"):
            parameters = TESTS[name].complete(placed(Parameters(busy_poll=30)), 1500)
            arm = EngineArm(engine, "host", lab.paths["host"], TESTS[name], parameters, 0)
            arm.open()
            assert arm.measure(0.0, 0.05).row.transactions > 0
            arm.close()
