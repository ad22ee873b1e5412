"""`--path NAME=FROM,netperf://HOST`: from a namespace that exists, by a router, to a stock netserver and to ours."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.netns.by_hand import ByHand, between, by_hand

PATHGAUGE = [sys.executable, "-m", "pathgauge"]
PORT = 12998
TESTS = ("TCP_STREAM", "TCP_MAERTS", "TCP_RR", "UDP_STREAM", "UDP_RR", "TCP_CRR", "TCP_CC")

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("require_root")]


@pytest.fixture(scope="module")
def hand() -> Iterator[ByHand]:
    with by_hand() as made:
        between(made)
        made.forward("r")
        yield made


@pytest.fixture(params=["stock", "ours"])
def server(request: pytest.FixtureRequest, hand: ByHand) -> Iterator[ByHand]:
    program = ["netserver"] if request.param == "stock" else [*PATHGAUGE, "netserver"]
    words = ["ip", "netns", "exec", hand.name("b"), *program, "-D", "-p", str(PORT)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        asked = ["netperf", "-H", "10.77.2.2", "-p", str(PORT), "-t", "REM_CPU"]
        asked = ["ip", "netns", "exec", hand.name("a"), *asked]
        until = time.monotonic() + 10
        while subprocess.run(asked, capture_output=True, check=False).returncode:
            assert time.monotonic() < until, "no netserver answers"
            time.sleep(0.05)
        yield hand
        process.terminate()


def compare(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*PATHGAUGE, "compare", *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.mark.parametrize("host", ["10.77.2.2", "[fd00:77:2::2]"])
def test_every_test_is_measured_and_the_way_is_known(server: ByHand, host: str) -> None:
    end = f"netns:{server.name('a')},netperf://{host}:{PORT}"
    tests = [word for name in TESTS for word in ("--test", name)]
    out = compare("--path", f"p={end}", "--path", f"q={end}", *tests, "--slice", "0.2s", "--max-time", "1s", "--quiet",
                  "--json", "-").stdout  # fmt: skip
    found: Any = json.loads(out)
    assert {row["test"] for row in found["slices"]} == set(TESTS)
    assert [row["void"] for row in found["slices"]] == [None] * len(found["slices"])
    assert all((row["bytes_received"] > 0) is (row["test"] != "TCP_CC") for row in found["slices"])
    (path, _) = found["paths"]
    assert [device["name"] for device in path["devices"]] == ["eth0", "ra", "rm", "to-r", "br0", "to-b", "eth0"]
    assert path["server_namespace"] == f"netperf://{host}:{PORT}"
    assert path["addresses"].popitem()[1] == host.strip("[]")


def test_a_host_where_nothing_listens_is_told(hand: ByHand) -> None:
    hand.forward("r")
    found = compare("--path", f"p=netns:{hand.name('a')},netperf://10.77.2.99:{PORT}", "--path",
                    f"q=netns:{hand.name('a')},netperf://10.77.2.99:{PORT}", "--test", "TCP_RR", code=3)  # fmt: skip
    assert f"no netserver at 10.77.2.99 port {PORT}" in found.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("a=local,netperf://", "b=local,netperf://10.0.0.1"), "names no host"),
        (("a=local,netperf://10.0.0.1:0", "b=local,netperf://10.0.0.1"), "is out of range"),
        (("a=local,netperf://10.0.0.1,10.0.0.1", "b=local,local"), "is an address already"),
        (("a=netperf://10.0.0.1,local", "b=local,local"), "is no endpoint"),
        (("a=local,netperf://10.0.0.1", "b=local,local"), "what they measure is not the same"),
        (("a=local,netperf://no.such.host.invalid", "b=local,netperf://10.0.0.1"), "has no IPv4 address"),
    ],
)
def test_what_cannot_be(words: tuple[str, str], says: str) -> None:
    done = compare("--path", words[0], "--path", words[1], code=2)
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 2
