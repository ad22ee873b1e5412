"""Things of a path's namespaces turned, and turned back: in labs, on paths that exist, and after any kind of death."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pathgauge.errors import MachineError, UserError
from pathgauge.paths.endpoint import parse_path
from pathgauge.paths.lab import Lab
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.turned import FOLDER, restore_left
from pathgauge.paths.turning import Turn
from pathgauge.paths.types import WireSpec
from tests.netns.lab_processes import run

MARK = f"pgt{os.getpid() % 100000}"
RULES = "table inet planted { chain x { type filter hook output priority 0; ip saddr 203.0.113.1 drop; }; }"
SHAPED = ("qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "1gbit", "burst", "128kb", "limit", "3mb")
CHILD = """
import sys
from pathgauge.paths.endpoint import parse_path
from pathgauge.paths.lab import Lab
from pathgauge.paths.turning import Turn
from pathgauge.paths.types import WireSpec
lab = Lab.build([parse_path(sys.argv[1])], WireSpec())
lab.turn([Turn(sys.argv[2], *words.split("|")) for words in sys.argv[3:]])
print(lab.keeper_pid, flush=True)
sys.stdin.read()
"""


def tool(*words: str) -> str:
    program = shutil.which(words[0], path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    assert program is not None, words[0]
    return subprocess.run([program, *words[1:]], check=True, capture_output=True, text=True, timeout=10).stdout


def within(space: str, *words: str) -> str:
    return tool("ip", "netns", "exec", space, *words)


@pytest.fixture
def spaces(require_root: None) -> Iterator[tuple[str, str]]:
    """Two namespaces with a pair between them, shaped at one end, and a table of rules."""
    one, two = f"{MARK}a", f"{MARK}b"
    try:
        for name in (one, two):
            tool("ip", "netns", "add", name)
        tool("ip", "-n", one, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", two)
        for number, name in enumerate((one, two), 1):
            tool("ip", "-n", name, "addr", "add", f"10.78.0.{number}/24", "dev", "eth0")
            tool("ip", "-n", name, "link", "set", "eth0", "up")
        tool("tc", "-n", one, *SHAPED)
        within(one, "nft", RULES)
        yield one, two
    finally:
        for name in (one, two):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


TURNS = (
    ("sysctl", "net/ipv4/tcp_autocorking", "0"),
    ("offload", "eth0 tso", "off"),
    ("limit", "eth0 gso_max_segs", "1"),
    ("limit", "eth0 mtu", "1400"),
    ("shaper", "eth0 limit", "100000"),
    ("shaper", "eth0 burst", "64000"),
    ("shaper", "eth0 rate", "12345678"),
    ("table", "inet planted", "dormant"),
    ("steering", "eth0", "1"),
)


def state(space: str) -> list[str]:
    """All that the turns touch, by other programs than ours."""
    return [
        within(space, "sysctl", "-a", "--pattern", r"^net\.(ipv4\.tcp|core|bridge)"),
        within(space, "ethtool", "-k", "eth0"),
        tool("ip", "-n", space, "-d", "link", "show", "eth0"),
        tool("tc", "-n", space, "qdisc", "show"),
        within(space, "nft", "list", "ruleset"),
        within(space, "cat", "/sys/class/net/eth0/queues/rx-0/rps_cpus"),
    ]


def existing(one: str, two: str) -> Lab:
    return Lab.build([parse_path(f"a=netns:{one},netns:{two}")], WireSpec())


@pytest.mark.parametrize(("what", "target", "value"), TURNS, ids=[f"{turn[0]} {turn[1]}" for turn in TURNS])
def test_each_thing_turns_and_turns_back(spaces: tuple[str, str], what: str, target: str, value: str) -> None:
    one, two = spaces
    before = state(one)
    with existing(one, two) as lab:
        wanted = Turn(f"netns:{one}", what, target, value)  # type: ignore[arg-type]
        undo = lab.turn([wanted])
        assert state(one) != before
        assert what == "shaper" or lab.turn(undo)[0].value.split() == value.split()
        lab.turn(undo)
        assert state(one) == before
        lab.turn([wanted])
    assert state(one) == before  # a lab that ends turns back what it forgot


def test_all_or_none(spaces: tuple[str, str]) -> None:
    one, two = spaces
    before = state(one)
    with existing(one, two) as lab:
        space = f"netns:{one}"
        good = Turn(space, "sysctl", "net/ipv4/tcp_autocorking", "0")
        for bad in (
            Turn(space, "sysctl", "net/ipv4/tcp_no_such_thing", "0"),
            Turn(space, "sysctl", "net/ipv4/tcp_rmem", "words"),
            Turn(space, "shaper", "lo limit", "1000"),
            Turn(space, "table", "inet nowhere", "dormant"),
        ):
            with pytest.raises((UserError, MachineError)):
                lab.turn([good, bad])
            assert state(one) == before


def test_a_lab_of_ours_is_turned_for_itself_alone() -> None:
    with Lab.build(parse_paths(["host", "bridge"]), WireSpec(rate=10**9)) as lab:
        undo = lab.turn([Turn("host", "shaper", "h0 limit", "100000"), Turn("bridge", "offload", "eth0 tso", "off")])
        assert [each.value for each in undo] == ["on", "125000000 125000 3500000"]


def turned(one: str, two: str, *words: str) -> tuple[subprocess.Popen[str], int]:
    """A process with a lab of the path between the two, things of the first turned, and the pid of its keeper."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, f"a=netns:{one},netns:{two}", f"netns:{one}", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    return child, int(child.stdout.readline())


@pytest.mark.parametrize("victims", [("controller",), ("keeper", "controller"), ("controller", "keeper")])
def test_nothing_stays_turned_after_sigkill(
    spaces: tuple[str, str], victims: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATHGAUGE_RUNTIME_DIR", str(tmp_path / "journal"))
    one, two = spaces
    before = state(one)
    words = ["|".join(turn) for turn in TURNS]
    child, keeper = turned(one, two, *words)
    assert state(one) != before
    (trace,) = (tmp_path / "journal" / FOLDER).glob("*.json")
    assert len(json.loads(trace.read_text())["undo"]) >= len({turn[1].split()[0] for turn in TURNS})
    for victim in victims:
        os.kill(child.pid if victim == "controller" else keeper, signal.SIGKILL)
    child.communicate()
    until = time.monotonic() + 10
    while state(one) != before and time.monotonic() < until:
        time.sleep(0.05)  # a process that was killed takes its time to die
        if "keeper" in victims:
            restore_left()
    assert state(one) == before
    while (tmp_path / "journal" / FOLDER).exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not (tmp_path / "journal" / FOLDER).exists()


def test_lab_clean_turns_back_what_is_left(
    spaces: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATHGAUGE_RUNTIME_DIR", str(tmp_path / "journal"))
    one, two = spaces
    before = state(one)
    child, keeper = turned(one, two, "offload|eth0 tso|off")
    for victim in (keeper, child.pid):
        os.kill(victim, signal.SIGKILL)
    child.communicate()
    said = run("lab", "clean").stdout
    assert "turned back to eth0 tso = on" in said
    assert state(one) == before
