"""Labs of one run: what they are made of, that they touch nothing of the caller's, and that nothing is left of them."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pathgauge.errors import EndDied, UserError
from pathgauge.paths.lab import Lab
from pathgauge.paths.namespaces import inside
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import WireSpec
from tests.netns import lab_processes

GIGABIT = 10**9


def build(*arguments: str, rate: int | None = None) -> Lab:
    return Lab.build(parse_paths(arguments), WireSpec(rate))


def namespaces(lab: Lab) -> set[int]:
    """The inodes of a lab's namespaces."""
    paths = lab.paths.values()
    return {os.fstat(fd).st_ino for path in paths for fd in (path.client_namespace, path.server_space)}


def caller() -> tuple[object, ...]:
    """All that a lab must not change of the process and the namespace it is called from."""
    devices = [line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()]
    addresses = [Path(f"/proc/net/{name}").read_text() for name in ("fib_trie", "if_inet6", "route")]
    spaces = [os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "user", "mnt")]
    sysctl = Path("/proc/sys/net/ipv4/tcp_no_metrics_save").read_text()
    return devices, addresses, spaces, sysctl, threading.active_count(), sorted(os.listdir("/proc/self/fd"))


def test_the_callers_own_namespace_is_untouched_and_nothing_is_left() -> None:
    before, modules = caller(), set(sys.modules)
    lab = build("host", "macvlan", rate=GIGABIT)
    keeper, spaces = lab.keeper_pid, namespaces(lab)
    assert len(spaces) == 3
    assert lab_processes.held(spaces) == spaces
    assert "pyroute2" not in set(sys.modules) - modules
    lab.close()
    lab.close()
    assert caller() == before
    assert not Path(f"/proc/{keeper}").exists()
    assert not lab_processes.held(spaces)


def test_the_same_path_twice_is_the_same_device() -> None:
    with build("host", "host") as lab:
        one, two = lab.paths.values()
        assert list(lab.paths) == ["host", "host.2"]
        assert one.client_namespace == two.client_namespace
        assert one.client_addresses == two.client_addresses
        assert one.devices == two.devices


def test_the_same_container_twice_has_a_device_for_each() -> None:
    with build("macvlan", "macvlan") as lab:
        one, two = lab.paths.values()
        assert one.client_namespace_name == "macvlan"
        assert two.client_namespace_name == "macvlan.2"
        assert one.client_addresses["ipv4"] == "198.18.0.10"
        assert two.client_addresses["ipv4"] == "198.18.0.11"
        assert one.wire == two.wire


def test_passthru_gets_a_twin_wire_of_the_same_build() -> None:
    with build("macvlan:mode=passthru", "host", "macvlan:mode=passthru", rate=GIGABIT) as lab:
        passthru, host, second = lab.paths.values()
        assert len({passthru.wire, host.wire, second.wire}) == 3
        assert {path.devices[-1].queue_discipline for path in lab.paths.values()} == {"tbf"}
        assert {path.devices[-2].queue_discipline for path in lab.paths.values()} == {"tbf"}
        assert passthru.server_addresses["ipv4"] != host.server_addresses["ipv4"]


def test_paths_named_like_the_labs_own_namespaces() -> None:
    with build("server=macvlan", "host=macvlan", "server-client=macvlan") as lab:
        names = {path.client_namespace_name for path in lab.paths.values()}
        assert len(names) == 3
        assert not names & {"host", "server"}
        assert lab.paths["server-client"].client_namespace_name == "server-client"


def test_the_wires_facts() -> None:
    with build("host") as plain:
        assert plain.wire_facts["rate"] is None
        assert plain.wire_facts["queue_discipline"] == "noqueue"
        assert plain.wire_facts["tcp_no_metrics_save"] == 1
    with build("host", rate=GIGABIT) as shaped:
        assert shaped.wire_facts["rate"] == GIGABIT
        assert shaped.wire_facts["burst"] == 1_000_000
        assert shaped.wire_facts["queue_discipline"] == "tbf"


def test_a_wire_of_other_settings(require_root: None) -> None:
    wire = WireSpec(rate=GIGABIT, burst=2_000_000, limit=3_000_000, mtu=9000)
    with Lab.build(parse_paths(["host", "macvlan", "bridge", "routed", "vxlan"]), wire) as lab:
        facts = lab.wire_facts
        assert (facts["rate"], facts["burst"], facts["limit"]) == (GIGABIT, 2_000_000, 3_000_000)
        mtus = {name: {device.mtu for device in path.devices} for name, path in lab.paths.items()}
    assert mtus == {"host": {9000}, "macvlan": {9000}, "bridge": {9000}, "routed": {9000}, "vxlan": {8950, 9000}}


def test_a_shaped_wire_lets_through_what_was_asked(require_root: None) -> None:
    with build("macvlan", rate=100_000_000) as lab:
        path = lab.paths["macvlan"]
        receiving = inside(path.server_space, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sending = inside(path.client_namespace, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with receiving, sending:
            receiving.bind((path.server_addresses["ipv4"], 0))
            sending.connect(receiving.getsockname())
            sending.settimeout(5)
            for _ in range(1000):  # well past the burst of 262144 bytes
                sending.send(bytes(1472))
            started, before = time.monotonic(), lab.link_counters()["server", "s0"].rx_bytes
            while time.monotonic() < started + 0.4:
                sending.send(bytes(1472))
            seconds, moved = time.monotonic() - started, lab.link_counters()["server", "s0"].rx_bytes - before
        # The queue is on the sender's side, so what arrives is the wire's rate.
        assert 0.8 < moved * 8 / seconds / 100_000_000 < 1.15


def test_counters_are_of_every_device_and_quick() -> None:
    with build("host", "macvlan") as lab:
        keys = set(lab.link_counters())
        assert keys == {(space, "lo") for space in ("host", "server", "macvlan")} | {
            ("host", "h0"),
            ("server", "s0"),
            ("macvlan", "mv0"),
        }
        times = []
        for _ in range(50):
            started = time.monotonic()
            lab.link_counters()
            times.append(time.monotonic() - started)
        assert sorted(times)[25] < 0.001


def test_namespaces_are_quiet_and_forgetful(require_root: None) -> None:
    def read() -> list[str]:
        names = (
            "ipv4/tcp_no_metrics_save",
            "ipv6/conf/mv0/accept_ra",
            "ipv6/conf/mv0/autoconf",
            "ipv6/conf/mv0/accept_dad",
        )
        return [Path("/proc/sys/net", name).read_text().strip() for name in names]

    with build("macvlan") as lab:
        assert inside(lab.paths["macvlan"].client_namespace, read) == ["1", "0", "0", "0"]


def test_many_paths_live_in_one_lab() -> None:
    with build(*["macvlan"] * 12, *["macvlan:mode=passthru"] * 3) as lab:
        assert len(lab.paths) == 15
        assert len({path.client_addresses["ipv4"] for path in lab.paths.values()}) == 15


def test_two_labs_at_once_do_not_meet() -> None:
    with build("host") as one, build("host") as two:
        spaces = [os.fstat(lab.paths["host"].client_namespace).st_ino for lab in (one, two)]
        assert spaces[0] != spaces[1]
        one.close()
        assert ("server", "s0") in two.link_counters()


def test_a_rate_that_cannot_be_starts_nothing() -> None:
    before = caller()
    with pytest.raises(UserError, match="cannot be shaped"):
        build("host", rate=10**12)
    assert caller() == before


def test_more_wires_than_the_plan_has_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHGAUGE_TEST_MARK", "too-many-wires")
    before = caller()
    with pytest.raises(UserError, match="room for 32 wires"):
        build(*["macvlan:mode=passthru"] * 33)
    assert caller() == before
    assert not lab_processes.keepers("too-many-wires")


def test_the_end_of_a_keeper_that_was_killed_is_the_same() -> None:
    with build("host") as lab:
        spaces = namespaces(lab)
        os.kill(lab.keeper_pid, signal.SIGKILL)
    assert not lab_processes.held(spaces)


def test_a_keeper_killed_while_it_builds_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHGAUGE_TEST_MARK", "killed-in-building")

    def kill() -> None:
        lab_processes.wait_until(lambda: bool(lab_processes.keepers("killed-in-building")))
        for pid in lab_processes.keepers("killed-in-building"):
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(EndDied, match="keeper was killed by SIGKILL"):
        build("host", "macvlan")
    killer.join()


CONTROLLER = """
import os, time
from pathgauge.paths.lab import Lab
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import WireSpec
print(flush=True)
lab = Lab.build(parse_paths(["host", "macvlan"]), WireSpec())
print(*(os.fstat(path.client_namespace).st_ino for path in lab.paths.values()), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("delay", [0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, None])
def test_after_sigkill_nothing_is_left(delay: float | None) -> None:
    mark = f"PATHGAUGE_TEST_MARK=sigkill-{delay}"
    name, _, value = mark.partition("=")
    spaces: set[int] = set()
    with subprocess.Popen(
        [sys.executable, "-c", CONTROLLER], stdout=subprocess.PIPE, env={**os.environ, name: value}
    ) as controller:
        assert controller.stdout is not None
        controller.stdout.readline()
        if delay is None:
            spaces = {int(word) for word in controller.stdout.readline().split()}
            assert lab_processes.held(spaces) == spaces
            assert len(lab_processes.keepers(mark)) == 1
        else:
            time.sleep(delay)
        controller.kill()
    lab_processes.wait_until(lambda: not lab_processes.keepers(mark))
    assert not lab_processes.held(spaces)
