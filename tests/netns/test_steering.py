"""Which CPUs receive for a lab's devices is what was asked, shows in what those CPUs do, and is in the document."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace as replace_of

from pathgauge.counters.interrupts import parse_softirqs
from pathgauge.counters.reading import Counters, difference, merged
from pathgauge.counters.softnet import parse_softnet_stat
from pathgauge.errors import UserError
from pathgauge.measuring import arms
from pathgauge.measuring.request import Request
from pathgauge.paths import steering
from pathgauge.paths.endpoint import parse_path
from pathgauge.paths.lab import Lab
from pathgauge.paths.namespaces import inside
from pathgauge.paths.registry import kinds, probe_kinds
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import BuiltPath, PathSpec, WireSpec
from pathgauge.traffic.parameters import Parameters
from tests.netns.lab_processes import run
from tests.netns.runs import QUICK, Document, measure

if TYPE_CHECKING:
    from tests.conftest import Nobody

MARK = f"pgs{os.getpid() % 100000}"
SENT = 20_000
BATCH = 50
CPUS = sorted(os.sched_getaffinity(0))
NEAR, FAR = CPUS[0], CPUS[-1]  # the sender's CPU, and another
MASK = steering.written(1 << FAR)

needs_two = pytest.mark.skipif(len(CPUS) < 2, reason="kernel lacks a second CPU")


def masks(path: BuiltPath) -> dict[str, set[str]]:
    """What the receive queues of all devices of the path's ends are set to, by device."""

    def read() -> dict[str, set[str]]:
        steering.show()
        return {
            device: {
                Path("/sys/class/net", device, "queues", queue, "rps_cpus").read_text().strip()
                for queue in steering.receive_queues(device)
            }
            for device in os.listdir("/sys/class/net")
        }

    found = {"client " + name: mask for name, mask in inside(path.client_namespace, read).items()}
    return found | {"server " + name: mask for name, mask in inside(path.server_space, read).items()}


def counted() -> Counters:
    return merged(
        [
            parse_softirqs(Path("/proc/softirqs").read_bytes()),
            parse_softnet_stat(Path("/proc/net/softnet_stat").read_bytes()),
        ]
    )


def sent_from(cpu: int, path: BuiltPath) -> Counters:
    """How far the counters rose while a process on that CPU sent datagrams over the path."""

    def udp() -> socket.socket:
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    allowed = os.sched_getaffinity(0)
    with closing(inside(path.server_space, udp)) as server, closing(inside(path.client_namespace, udp)) as client:
        server.bind((path.server_addresses["ipv4"], 0))
        server.setblocking(False)
        try:
            os.sched_setaffinity(0, {cpu})
            before = counted()
            for _ in range(0, SENT, BATCH):
                for _ in range(BATCH):
                    client.sendto(b"x", server.getsockname())
                try:
                    while server.recv(1):
                        pass
                except BlockingIOError:
                    pass
            return difference(before, counted())
        finally:
            os.sched_setaffinity(0, allowed)


@needs_two
def test_rps_moves_the_softirqs(require_root: None) -> None:
    with Lab.build(parse_paths(["host", f"moved=host:rps={FAR}"]), WireSpec()) as lab:
        here, there = (sent_from(NEAR, path) for path in lab.paths.values())
    assert here[f"softnet.{NEAR}.processed"] >= SENT  # where the kernel leaves them: who sends also receives
    assert there[f"softnet.{FAR}.processed"] >= SENT
    assert there[f"softirq.NET_RX.{FAR}"] > SENT / 1000


def test_all_queues_of_one_path_and_of_no_other(require_root: None) -> None:
    with Lab.build(parse_paths(["host", f"x=veth:rps={FAR},queues=2", "macvlan"]), WireSpec()) as lab:
        found = {name: masks(path) for name, path in lab.paths.items()}
    steered = {device for path in found.values() for device, set_to in path.items() if set_to == {MASK}}
    assert steered == {"client h1", "server s1"}
    others = {
        mask for path in found.values() for name, set_to in path.items() if name not in steered for mask in set_to
    }
    assert {int(mask.replace(",", ""), 16) for mask in others} == {0}


def test_every_copy_is_steered(require_root: None) -> None:
    (spec,) = parse_paths([f"macvlan:rps={FAR}"])
    with Lab.build([replace(spec, copies=3)], WireSpec()) as lab:
        (path,) = lab.paths.values()
        copies = [masks(each) for each in (path, *path.copies)]
    assert len(copies) == 3
    assert all(each["client mv0"] == {MASK} for each in copies)


def test_loopback_is_steered_and_not_the_wire_of_the_others(require_root: None) -> None:
    with Lab.build(parse_paths([f"loopback:rps={FAR}", "host"]), WireSpec()) as lab:
        assert lab.queues("loopback")["loopback", "lo"]["queue.rx-0.rps_cpus"] == MASK
        assert MASK not in {mask for set_to in masks(lab.paths["host"]).values() for mask in set_to}


def needs_default_mask() -> None:
    if not Path("/proc/sys", steering.DEFAULT_MASK).exists():
        pytest.skip("kernel lacks net.core.rps_default_mask")


def sides(path: BuiltPath) -> set[tuple[str, int]]:
    """The masks at either end of a path, but for lo."""
    return {
        (name.split()[0], int(mask.replace(",", ""), 16))
        for name, found in masks(path).items()
        if not name.endswith(" lo")
        for mask in found
    }


ENDS = {("client", 1 << NEAR), ("server", 1 << FAR)}


@needs_two
@pytest.mark.parametrize("wire", [WireSpec(ends=f"{NEAR}/{FAR}"), WireSpec(rps=f"{NEAR}/{FAR}")], ids=["ends", "rps"])
def test_each_side_of_the_wire_has_its_own(wire: WireSpec, require_root: None) -> None:
    needs_default_mask()
    with Lab.build(parse_paths(["host", "macvlan", "bridge", "routed", "veth"]), wire) as lab:
        assert {name: sides(path) for name, path in lab.paths.items()} == dict.fromkeys(lab.paths, ENDS)
        assert lab.wire_facts["rps"] == f"{NEAR}/{FAR}"


@needs_two
def test_where_the_server_is_in_the_container_the_sides_are_swapped(require_root: None) -> None:
    needs_default_mask()
    with Lab.build(parse_paths(["host", "published"]), WireSpec(ends=f"{NEAR}/{FAR}")) as lab:
        assert all(sides(path) == ENDS for path in lab.paths.values())


@needs_two
def test_what_is_asked_goes_before_where_the_ends_are(require_root: None) -> None:
    paths = parse_paths(["host", "off=host:rps=off", f"one=macvlan:rps={FAR}", "loopback"])
    with Lab.build(paths, WireSpec(ends=f"{NEAR}/{FAR}")) as lab:
        assert {mask for _, mask in sides(lab.paths["off"])} >= {0}
        assert {int(text, 16) for text in masks(lab.paths["one"])["client mv0"]} == {1 << FAR}
        assert int(lab.queues("loopback")["loopback", "lo"]["queue.rx-0.rps_cpus"], 16) == 0


def test_a_cpu_that_is_not_online_is_refused() -> None:
    with pytest.raises(UserError, match="CPU 8000 is not online"):
        Lab.build(parse_paths(["host:rps=8000"]), WireSpec())


def shares(document: Document) -> dict[str, dict[str, float]]:
    (test,) = document["tests"]
    return {seen["path"]: seen["shares"] for seen in test["receiving"]}


UDP = ("--test", "UDP_STREAM", "--local-cpu", str(NEAR), "--max-time", "2", *QUICK)


def check_varied(document: Document) -> None:
    found = shares(document)
    assert list(found) == ["rps=off", f"rps={FAR}"]
    for by_cpu in found.values():
        assert sum(by_cpu.values()) == pytest.approx(1)
    assert found[f"rps={FAR}"].get(str(FAR), 0) > found["rps=off"].get(str(FAR), 0) + 0.3
    assert [path["settings"] for path in document["paths"]] == [{"rps": "off"}, {"rps": str(FAR)}]
    rows = [row for row in document["slices"] if row["void"] is None]
    assert all(sum(row["packets_by_cpu"].values()) > 0 for row in rows)


@needs_two
def test_what_rps_costs_is_a_comparison(require_root: None) -> None:
    check_varied(measure("host", "--vary", f"rps=off,{FAR}", *UDP))


@needs_two
def test_all_paths_alike(require_root: None) -> None:
    document = measure("host", "macvlan", "--rps", str(FAR), *UDP)
    assert document["wire"]["rps"] == str(FAR)
    assert all(by_cpu[str(FAR)] > 1 / 2 for by_cpu in shares(document).values())
    doubts = [doubt["name"] for row in document["comparisons"] for doubt in row["doubts"]]
    assert "placement" not in doubts


@needs_two
def test_each_end_receives_for_itself_unless_told_otherwise(require_root: None) -> None:
    needs_default_mask()
    ends = ("--remote-cpu", str(FAR))
    document = measure("host", "macvlan", *UDP, *ends)
    assert document["wire"]["rps"] == f"{NEAR}/{FAR}"
    assert all(by_cpu[str(FAR)] > 1 / 2 for by_cpu in shares(document).values())
    asked = measure("host", "macvlan", "--rps", "off", *UDP, *ends)
    assert asked["wire"]["rps"] == "off"
    assert all(by_cpu[str(NEAR)] > 1 / 2 for by_cpu in shares(asked).values())


def test_several_connections_and_ends_in_other_places_are_left_to_the_kernel() -> None:
    several = Request(paths=(PathSpec("host", "host"),), tests=("TCP_RR",), parameters=Parameters(flows=4))
    assert arms.wire(several) == WireSpec()
    one = replace_of(several, parameters=Parameters())
    assert arms.wire(one).ends == f"{NEAR}/{CPUS[min(1, len(CPUS) - 1)]}"
    assert arms.wire(replace_of(one, parallel=True)) == WireSpec()
    assert arms.wire(replace_of(one, parameters=Parameters(beside="TCP_STREAM"))) == WireSpec()
    varied = ("remote_cpu", ((FAR, str(FAR)), (NEAR, str(NEAR))))
    assert (arms.wire(replace_of(one, vary=varied)) == WireSpec()) == (NEAR != FAR)


ROOTLESS = """
import sys
from pathgauge.paths.lab import Lab
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import WireSpec

for kind in sys.argv[2:]:
    with Lab.build(parse_paths([kind]), WireSpec(rps=sys.argv[1])) as lab:
        assert lab.rootless
        for device, settings in lab.queues(kind).items():
            print(kind, *device, {text for key, text in settings.items() if key.endswith(".rps_cpus")})
"""


@pytest.mark.rootless
def test_every_kind_is_steered_for_an_ordinary_user(as_nobody: "Nobody", nobody_python: Path) -> None:
    needs_default_mask()
    # /dev/net/tun is root's on many machines, and a tun is steered like any device.
    here = [name for name, why in probe_kinds().items() if why is None and kinds()[name].wired and name != "tun"]
    done = as_nobody([nobody_python, "-c", ROOTLESS, str(FAR), *here])
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) > len(here)
    assert all(line.endswith(f"{{'{MASK}'}}") for line in lines), done.stdout


@needs_two
@pytest.mark.rootless
def test_an_ordinary_user_compares_the_same(as_nobody: "Nobody", nobody_python: Path) -> None:
    needs_default_mask()
    asked = ("host", "--vary", f"rps=off,{FAR}", *UDP, "--quiet", "--json", "-")
    done = as_nobody([nobody_python, "-m", "pathgauge", "compare", *asked])
    assert done.returncode == 0, done.stderr
    check_varied(json.loads(done.stdout))


@pytest.mark.rootless
def test_what_an_ordinary_user_may_not_steer_is_said(as_nobody: "Nobody", nobody_python: Path) -> None:
    asked = ("host", f"loopback:rps={FAR}", "--test", "TCP_RR", "--max-time", "1")
    done = as_nobody([nobody_python, "-m", "pathgauge", "compare", *asked])
    assert done.returncode == 3
    assert "rps_cpus of lo may not be written here" in done.stderr


@pytest.fixture
def standing(require_root: None) -> Iterator[str]:
    """A namespace that exists, with a device whose queue is steered."""
    try:
        for words in (
            ("netns", "add", MARK),
            ("link", "add", f"{MARK}.v", "type", "veth", "peer", "name", "eth0", "netns", MARK),
            ("addr", "add", "10.83.0.1/24", "dev", f"{MARK}.v"),
            ("link", "set", f"{MARK}.v", "up"),
            ("-n", MARK, "addr", "add", "10.83.0.2/24", "dev", "eth0"),
            ("-n", MARK, "link", "set", "eth0", "up"),
            ("netns", "exec", MARK, "sh", "-c", "echo 1 > /sys/class/net/eth0/queues/rx-0/rps_cpus"),
        ):
            subprocess.run(["ip", *words], check=True, capture_output=True, timeout=10)
        yield MARK
    finally:
        subprocess.run(["ip", "link", "del", f"{MARK}.v"], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", MARK], check=False, capture_output=True)


def test_devices_that_exist_are_looked_at_only(standing: str) -> None:
    path = f"x=local,netns:{standing}"
    document = measure(
        "--path", path, "--test", "TCP_RR", "--vary", "nodelay=off,on", "--max-time", "1", *QUICK, "--warmup", "10ms"
    )
    found = {device["name"]: device["queues"] for device in document["paths"][0]["devices"]}
    assert int(found["eth0"]["rx-0.rps_cpus"], 16) == 1
    assert int(found[f"{standing}.v"]["rx-0.rps_cpus"], 16) == 0
    refused = run("compare", "--path", path, "--vary", "rps=off,1", "--test", "TCP_RR", check=False)
    assert refused.returncode == 2
    assert "changes a lab of ours" in refused.stderr
    with Lab.build([parse_path(path)], WireSpec()) as lab:
        assert int(lab.queues("x")[f"netns:{standing}", "eth0"]["queue.rx-0.rps_cpus"], 16) == 1
