"""`pathgauge compare --server`: two namespaces of a lab stand for this machine and for the one with the netserver."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from pathgauge.paths.lab import Lab
from pathgauge.paths.types import PathSpec, WireSpec

PORT = 12999
DEVICE = "h0"
SERVER = "198.18.0.1"
SERVER_6 = "fd70:6761:7567::1"
MINE = ("--device", DEVICE, "--address", "198.18.0.99/20", "--server", f"netperf://{SERVER}:{PORT}")
MINE_6 = ("--device", DEVICE, "--address", "fd70:6761:7567::99/64", "--server", f"netperf://[{SERVER_6}]:{PORT}")
TESTS = ("TCP_STREAM", "TCP_MAERTS", "TCP_RR", "UDP_STREAM", "UDP_RR")
PATHGAUGE = [sys.executable, "-m", "pathgauge"]

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="devices are made on a device of this namespace: root's")
pytestmark = [pytest.mark.long, NEEDS_ROOT]


@dataclass(frozen=True)
class Machines:
    """The two: descriptors of their namespaces."""

    near: int
    far: int


def within(namespace: int, *command: str) -> list[str]:
    return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{namespace}", *command]


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with Lab.build([PathSpec("host", "host")], WireSpec(rate=200_000_000)) as lab:
        path = lab.paths["host"]
        assert path.server_namespace is not None
        yield Machines(path.client_namespace, path.server_space)


@pytest.fixture(scope="module", params=["stock", "ours"])
def server(request: pytest.FixtureRequest, machines: Machines) -> Iterator[Machines]:
    program = ["netserver"] if request.param == "stock" else [*PATHGAUGE, "netserver"]
    with subprocess.Popen(
        within(machines.far, *program, "-D", "-p", str(PORT)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        until_it_listens(machines)
        yield machines
        process.terminate()


def until_it_listens(machines: Machines) -> None:
    for _ in range(100):
        found = subprocess.run(
            within(machines.near, "netperf", "-H", SERVER, "-p", str(PORT), "-t", "REM_CPU"),
            capture_output=True,
            check=False,
        )
        if found.returncode == 0:
            return
        time.sleep(0.05)
    raise AssertionError("no netserver answers")


def compare(near: int, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        within(near, *PATHGAUGE, "compare", *words), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def document(near: int, *words: str) -> Any:
    return json.loads(compare(near, *words, "--quiet", "--json", "-").stdout)


def devices(near: int) -> str:
    command = within(near, "ip", "-o", "link")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("words", [MINE, MINE_6], ids=["ipv4", "ipv6"])
def test_every_test_is_measured_over_both_paths(server: Machines, words: tuple[str, ...]) -> None:
    before = devices(server.near)
    tests = [word for name in TESTS for word in ("--test", name)]
    found = document(server.near, "host", "macvlan", *words, *tests, "--slice", "0.2s", "--max-time", "1s")
    assert devices(server.near) == before, "the machine is as it was"
    assert found["wire"]["server"] in (SERVER, SERVER_6)
    assert {row["path"] for row in found["slices"]} == {"host", "macvlan"}
    for name in TESTS:
        rows = [row for row in found["slices"] if row["test"] == name]
        assert len(rows) >= 4, name
        assert [row["void"] for row in rows] == [None] * len(rows), name
        assert all(row["bytes_received"] > 0 for row in rows)
        assert all(0 <= row["cpu_local_seconds"] < 1 for row in rows)
        assert all(row["cpu_remote_seconds"] is not None for row in rows), "netserver reports its machine's CPU"
        if name.endswith("STREAM"):
            assert all(8 * row["bytes_received"] / row["remote_seconds"] < 220e6 for row in rows)
        if name.endswith("RR"):
            assert all(row["latency"] for row in rows)
            assert all(row["transactions"] > 10 for row in rows)
    own = {path["name"]: path["devices"][0]["name"] for path in found["paths"]}
    assert own == {"host": DEVICE, "macvlan": "mv0"}


def test_the_two_paths_of_a_shaped_wire_are_equivalent(server: Machines) -> None:
    words = ("--test", "TCP_STREAM", "--slice", "1s", "--max-time", "40s", "--congestion", "cubic", "--margin", "5%")
    (row,) = (row for row in document(server.near, "host", "macvlan", *MINE, *words)["comparisons"] if row["primary"])
    assert row["verdict"] == "equivalent", row
    assert row["baseline"]["estimate"] == pytest.approx(191e6, rel=0.05)


def test_parameters_reach_netserver(server: Machines) -> None:
    words = ("--local-buffer", "64K", "--remote-buffer", "32K", "--congestion", "reno", "--slice", "0.2s")
    found = document(server.near, "host", "macvlan", *MINE, "--test", "TCP_STREAM", *words, "--max-time", "1s")
    for seen in found["tests"][0]["connections"]:
        assert seen["local_send_buffer"] == 2 * 65536
        assert seen["remote_receive_buffer"] == 2 * 32768
        assert seen["congestion"] == "reno"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--server", f"netperf://{SERVER}"), 2, "--server needs the device"),
        (("--server", f"netperf://{SERVER}", "--device", DEVICE), 2, "needs an address of its own"),
        ((*MINE, "--device", "nope"), 2, "no device 'nope'"),
        ((*MINE, "--address", "10.0.0.3/24"), 2, "not in the network"),
        ((*MINE, "--link-rate", "1gbit"), 2, "not ours to shape"),
        ((*MINE, "--server", f"netperf://{SERVER}:1"), 3, f"no netserver at {SERVER} port 1: Connection refused"),
        ((*MINE, "--server", "http://example"), 2, "no server that can be measured"),
        (("--device", DEVICE), 2, "--server netperf://HOST"),
    ],
)
def test_mistakes_are_told_in_a_sentence(machines: Machines, words: tuple[str, ...], code: int, says: str) -> None:
    before = devices(machines.near)
    done = compare(machines.near, "host", "macvlan", *words, code=code)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert devices(machines.near) == before


def test_a_path_that_would_claim_the_device_is_refused(machines: Machines) -> None:
    done = compare(machines.near, "host", "macvlan:mode=passthru", *MINE, code=2)
    assert "takes the whole device" in done.stderr
