"""Paths that exist already: namespaces made by plain `ip` commands are measured, and left as they were."""

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Nobody
from tests.netns.by_hand import MARK, between, by_hand, ip
from tests.netns.lab_processes import PATHGAUGE
from tests.netns.runs import Document, compare, measure, rows

pytestmark = pytest.mark.usefixtures("require_root")
QUICK = ("--test", "TCP_RR", "--test", "UDP_STREAM", "--max-time", "2")


def state() -> list[str]:
    """What `ip` shows of this namespace and the two, but for what the kernel does by itself in time."""
    spaces: tuple[tuple[str, ...], ...] = ((), ("-n", f"{MARK}a"), ("-n", f"{MARK}b"))
    asked = ("addr",), ("route",), ("rule",), ("-6", "route")
    shown = [line.strip() for space in spaces for words in asked for line in ip(*space, *words).splitlines()]
    return [line for line in shown if not re.search(r"_lft|fe80:|ff00:", line)]


@pytest.fixture
def containers() -> Iterator[tuple[str, str]]:
    """Two namespaces: one behind a pair, one behind a pair and a bridge, as container runtimes make them."""
    one, two, bridge = f"{MARK}a", f"{MARK}b", f"{MARK}br"
    try:
        for number, name in enumerate((one, two)):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
            ip("link", "add", f"{name}v", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", name, "addr", "add", f"10.77.{number}.2/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("link", "set", f"{name}v", "up")
        ip("addr", "add", "10.77.0.1/24", "dev", f"{one}v")
        ip("-n", one, "addr", "add", "fd00:77:0::2/64", "dev", "eth0", "nodad")
        ip("addr", "add", "fd00:77:0::1/64", "dev", f"{one}v", "nodad")
        ip("link", "add", bridge, "type", "bridge")
        ip("link", "set", f"{two}v", "master", bridge)
        ip("addr", "add", "10.77.1.1/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        until = time.monotonic() + 10
        while "NO-CARRIER" in ip("link", "show", bridge) and time.monotonic() < until:
            time.sleep(0.05)
        yield one, two
    finally:
        for device in (f"{one}v", f"{two}v"):
            subprocess.run(
                ["ip", "link", "del", device], check=False, capture_output=True
            )  # at once, unlike a namespace
        for name in (one, two):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", bridge], check=False, capture_output=True)


def devices(document: Document) -> dict[str, list[tuple[str, str, str]]]:
    return {
        path["name"]: [(device["role"], device["namespace"], device["name"]) for device in path["devices"]]
        for path in document["paths"]
    }


def test_namespaces_that_stand_are_compared_and_left_alone(containers: tuple[str, str]) -> None:
    one, two = containers
    before = state()
    found = measure("--path", f"direct=local,netns:{one}", "--path", f"bridged=local,netns:{two}", *QUICK)
    assert state() == before
    assert devices(found) == {
        "direct": [("own", "local", f"{one}v"), ("wire", f"netns:{one}", "eth0")],
        "bridged": [("own", "local", f"{MARK}br"), ("lower", "local", f"{two}v"), ("wire", f"netns:{two}", "eth0")],
    }
    assert all(row["blocks"] >= 2 for metric in ("transaction_rate", "goodput") for row in rows(found, metric))
    assert all(row["void"] is None for row in found["slices"])
    assert found["paths"][1]["addresses"] == {"client_ipv4": "10.77.1.1", "server_ipv4": "10.77.1.2"}


def test_the_namespace_of_a_process_and_ipv6(containers: tuple[str, str], tmp_path: Path) -> None:
    one, _ = containers
    file = tmp_path / "result.json"
    with subprocess.Popen(["ip", "netns", "exec", one, "sleep", "60"]) as sleeper:
        try:
            text = compare(
                "--path", f"by-pid=local,pid:{sleeper.pid}", "--path", f"back=netns:{one},local,fd00:77:0::1",
                "--ipv6", "--test", "TCP_RR", "--max-time", "1", "--json", str(file),
            ).stdout  # fmt: skip
        finally:
            sleeper.kill()
    assert f"by-pid: [ local: {one}v ] ── [ pid:" in text
    found = json.loads(file.read_bytes())
    assert found["paths"][1]["addresses"]["client_ipv6"] == "fd00:77::2"
    assert [path["kind"] for path in found["paths"]] == ["existing", "existing"]


def test_one_namespace_to_itself_is_loopback() -> None:
    found = measure(
        "--path", "a=local,local", "--path", "b=local,local,127.0.0.1", "--test", "TCP_RR", "--max-time", "1"
    )
    assert devices(found) == {name: [("own", "local", "lo")] for name in "ab"}
    assert all(row["void"] is None for row in found["slices"])


@pytest.mark.parametrize(
    ("second", "code", "says"),
    [
        ("b=local,netns:{one}x", 2, "there is no network namespace called"),
        ("b=local,netns:{one},10.77.9.9", 2, "10.77.9.9 is no address of netns:{one}"),
        ("b=netns:{one},local,10.77.1.1", 2, "has no route to 10.77.1.1"),
        ("b=local,netns:../{one}", 2, "is no endpoint"),
        ("b=local,pid:0", 2, "there is no process 0"),
        ("b=local,nets:{one}", 2, "is no endpoint"),
        ("b=local", 2, "is no path that exists"),
        ("b=local,netns:{one},one", 2, "is no address"),
        ("b=local,pid:4194305", 2, "there is no process"),
        ("a=local,netns:{one}", 2, "two paths have the same name"),
        ("b=local,container:nobody-has-this", 2, "there is no container 'nobody-has-this' ("),
    ],
)
def test_what_cannot_be(containers: tuple[str, str], second: str, code: int, says: str) -> None:
    one, _ = containers
    before = state()
    done = subprocess.run(
        [*PATHGAUGE, "compare", "--path", f"a=local,netns:{one}", "--path", second.format(one=one)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    refused(done.returncode, done.stderr, code, says.format(one=one))
    assert state() == before


def refused(found: int, text: str, code: int, says: str) -> None:
    """A sentence and what to type, and nothing else."""
    assert found == code, text
    assert says in text
    assert len(text.splitlines()) == 2
    assert text.startswith("pathgauge: ")


def test_an_end_that_has_gone(containers: tuple[str, str]) -> None:
    good = f"a=local,netns:{containers[0]}"
    stale, bare = Path("/run/netns", f"{MARK}stale"), f"{MARK}bare"
    stale.touch()
    ip("netns", "add", bare)
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is still there
    try:
        for end, says in (
            (f"netns:{stale.name}", f"{stale.name} is a namespace's name, and no namespace is behind it any more"),
            (f"netns:{bare}", f"b: netns:{bare} has no address by which others could reach it"),
            (f"pid:{ended.pid}", f"process {ended.pid} has ended"),
        ):
            refused(2, compare("--path", good, "--path", f"b=local,{end}", code=2).stderr, 2, says)
    finally:
        stale.unlink()
        ip("netns", "del", bare)
        ended.wait()


def test_an_address_that_leads_to_another_is_refused() -> None:
    with by_hand() as hand:
        between(hand)
        hand.forward("r")
        hand.add("c")
        hand.pair("c", "eth0", "r", "rc")
        hand.address("c", "eth0", "10.77.2.2/24")  # as b has it, to which a's packets go
        words = [f"netns:{hand.name(short)}" for short in "abc"]
        before = [hand.ip(short, "addr") for short in "arbc"]
        done = compare("--path", f"a={words[0]},{words[1]}", "--path", f"b={words[0]},{words[2]}", code=2)
        assert [hand.ip(short, "addr") for short in "arbc"] == before
    refused(2, done.stderr, 2, f"b: from {words[0]}, 10.77.2.2 leads to {words[1]}, not to {words[2]}")


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (
            "--path a=local,netns:{one} --path b=local,netns:nope",
            3,
            "an ordinary user cannot enter namespaces of others",
        ),
        ("--path a=local,netns:{one} --path b=local,container:nope", 3, "an ordinary user cannot enter"),
        ("--path a=local,netns:{one} --path b=local,nope", 2, "is no endpoint"),
        ("host macvlan:mode=privat", 2, "the option mode of macvlan has no value 'privat'"),
        ("host vxlan:mtu=145", 2, "MTU '145' is out of range"),
        ("host loopback --link-rate 1gbit", 2, "loopback has no wire that could be shaped"),
        ("--config nowhere.toml", 2, "cannot be read"),
    ],
)
def test_an_ordinary_user_is_told(
    containers: tuple[str, str],
    as_nobody: Nobody,
    nobody_python: Path,
    words: str,
    code: int,
    says: str,
    terminal: bool,
) -> None:
    command = [str(nobody_python), "-m", "pathgauge", "compare", *words.format(one=containers[0]).split()]
    before = state()
    if terminal:
        done = as_nobody(["script", "--quiet", "--return", "--command", shlex.join(command), "/dev/null"])
        text = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", done.stdout).replace("\r", "").strip()
    else:
        done = as_nobody(command)
        text = done.stderr
    assert state() == before
    assert done.returncode == code, text
    assert says in text
    assert text.startswith("pathgauge: ")
    assert len(text.splitlines()) <= 2


def test_paths_of_a_lab_are_not_mixed_with_them(containers: tuple[str, str]) -> None:
    done = subprocess.run(
        [*PATHGAUGE, "compare", "host", "--path", f"a=local,netns:{containers[0]}"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, "share no wire" in done.stderr) == (2, True)


def test_a_family_that_a_path_has_not_is_refused(containers: tuple[str, str]) -> None:
    _, two = containers
    done = subprocess.run(
        [*PATHGAUGE, "compare", "--path", f"a=local,netns:{two}", "--path", f"b=local,netns:{two}", "--ipv6"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "the path a has no ipv6 addresses" in done.stderr


NAT = """
table ip nat { chain post { type nat hook postrouting priority srcnat; oifname "rm" masquerade fully-random; }; }
table ip6 nat { chain post { type nat hook postrouting priority srcnat; oifname "rm" masquerade fully-random; }; }
"""


@pytest.mark.parametrize("words", [(), ("--ipv6",)], ids=["ipv4", "ipv6"])
def test_every_test_runs_where_addresses_and_ports_are_translated(words: tuple[str, ...]) -> None:
    with by_hand() as hand:
        between(hand)
        hand.forward("r")
        hand.run("r", "nft", "-f", "-", text=NAT)
        path = f"netns:{hand.name('a')},netns:{hand.name('b')}"
        found = measure("--path", f"p={path}", "--path", f"q={path}", "--max-time", "1", *words)
    assert {row["test"] for row in found["slices"]} == {"TCP_STREAM", "TCP_MAERTS", "TCP_RR", "UDP_STREAM", "UDP_RR"}
    assert [row["void"] for row in found["slices"]] == [None] * len(found["slices"])
    assert [name for _, _, name in devices(found)["p"]] == ["eth0", "ra", "rm", "to-r", "br0", "to-b", "eth0"]
    assert found["paths"][0]["gap"] is None


def test_datagrams_that_do_not_arrive_are_told() -> None:
    with by_hand() as hand:
        between(hand)
        hand.forward("r")
        drop = "table ip f { chain forward { type filter hook forward priority 0; meta l4proto udp drop; }; }"
        hand.run("r", "nft", "-f", "-", text=drop)
        path = f"netns:{hand.name('a')},netns:{hand.name('b')}"
        done = compare("--path", f"p={path}", "--path", f"q={path}", "--test", "UDP_RR", code=3)
    assert "p: no datagram from 10.77.1.2 comes to 10.77.2.2" in done.stderr


def test_a_path_that_ends_on_the_way_says_where() -> None:
    with by_hand() as hand:
        between(hand)
        hand.forward("r", "0")
        path = f"netns:{hand.name('a')},netns:{hand.name('b')}"
        done = compare("--path", f"p={path}", "--path", f"q={path}", "--test", "UDP_RR", code=3)
        router = f"netns:{hand.name('r')}"
    assert f"p: how it goes on after ra in {router} is not known: {router} does not forward ipv4" in done.stdout
    assert "p: no datagram from 10.77.1.2 comes to 10.77.2.2" in done.stderr
