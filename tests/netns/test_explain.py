"""Whole explanations over real paths: what is planted is found and proven, nothing is found where there is nothing, and
the paths are left as they were.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.netns.lab_processes import PATHGAUGE, run

MARK = f"pge{os.getpid() % 100000}"
SHAPED = ("qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "100mbit", "burst", "128kb", "limit", "3mb")


def explain(*arguments: str, code: int = 0) -> dict[str, Any]:
    """The document of `pathgauge explain ARGUMENTS`."""
    done = run("explain", *arguments, "--quiet", "--json", "-", check=False, seconds=120)
    assert done.returncode == code, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def of_cause(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in document["explanations"] if each["cause"] == name]
    assert isinstance(found, dict)
    return found


def proven(cause: str, *arguments: str) -> dict[str, Any]:
    """The same, of the first of three tries that confirms the cause: a busy machine may leave one undecided."""
    found: dict[str, Any] = {}
    for _ in range(3):
        found = explain(*arguments)
        if any(each["cause"] == cause and each["status"] == "confirmed" for each in found["explanations"]):
            break
    return found


def tool(*words: str) -> str:
    program = shutil.which(words[0], path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    assert program is not None, words[0]
    return subprocess.run([program, *words[1:]], check=True, capture_output=True, text=True, timeout=10).stdout


@pytest.fixture
def two(require_root: None) -> Iterator[tuple[str, str]]:
    """Two paths by plain commands; the second one is shaped, and nothing else."""
    try:
        for number, side in enumerate("gb"):
            for end in "cs":
                tool("ip", "netns", "add", f"{MARK}{side}{end}")
            client, server = f"{MARK}{side}c", f"{MARK}{side}s"
            tool("ip", "-n", client, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", server)
            for host, space in enumerate((client, server), 1):
                tool("ip", "-n", space, "addr", "add", f"10.79.{number}.{host}/24", "dev", "eth0")
                tool("ip", "-n", space, "link", "set", "eth0", "up")
        tool("tc", "-n", f"{MARK}bc", *SHAPED)
        until = time.monotonic() + 10
        while sum(part.count("state UP") for part in state()) < 4 and time.monotonic() < until:
            time.sleep(0.05)
        yield f"good=netns:{MARK}gc,netns:{MARK}gs", f"bad=netns:{MARK}bc,netns:{MARK}bs"
    finally:
        for side in "gb":
            for end in "cs":
                subprocess.run(["ip", "netns", "del", f"{MARK}{side}{end}"], check=False, capture_output=True)


def state() -> list[str]:
    """All that explain might have turned."""
    return [
        tool("tc", "-n", f"{MARK}{side}{end}", "qdisc", "show") + tool("ip", "-n", f"{MARK}{side}{end}", "-d", "link")
        for side in "gb"
        for end in "cs"
    ] + [tool("ip", "netns", "exec", f"{MARK}bc", "sysctl", "-a", "--pattern", r"^net\.(ipv4\.tcp|core)")]


def test_small_sends_are_found_and_proven() -> None:
    found = proven("small-sends", "host", "--test", "TCP_STREAM", "--vary", "send-size=64K,200", "--max-time", "30")
    assert found["top_cause"] == "small-sends"
    cause = of_cause(found, "small-sends")
    assert cause["status"] == "confirmed"
    assert cause["share"]["estimate"] == pytest.approx(1.0, abs=0.5)
    assert cause["remedy"][0].startswith("use sends of 32 KiB")
    assert found["explained"]["slow"] == "send-size=200"
    assert any(each.startswith("send-size") for each in found["explained"]["differences"])
    experiment = cause["experiments"][0]
    assert experiment["outcome"] == "confirmed"
    assert experiment["blocks"] >= 6
    assert experiment["changed"] == ["send-size=65536"]


def test_nothing_is_explained_where_nothing_differs() -> None:
    found = explain("host", "host", "--wire", "rate=200mbit", "--max-time", "16")
    assert found["top_cause"] is None
    assert found["explained"]["gap"] is None or not any(each["status"] == "confirmed" for each in found["explanations"])


def test_one_path_is_asked_what_limits_it() -> None:
    found = proven("small-sends", "host", "--send-size", "200", "--max-time", "25")
    assert found["explained"]["fast"] is None
    assert of_cause(found, "small-sends")["status"] == "confirmed"


def test_a_shaper_on_a_path_that_exists_is_proven_and_left(two: tuple[str, str]) -> None:
    before = state()
    found = proven("rate-limit", "--path", two[0], "--path", two[1], "--allow-changes", "--max-time", "40")
    assert state() == before
    assert found["top_cause"] == "rate-limit"
    assert of_cause(found, "rate-limit")["status"] == "confirmed"


def test_nothing_is_turned_without_leave(two: tuple[str, str]) -> None:
    before = state()
    found = explain("--path", two[0], "--path", two[1], "--max-time", "30")
    assert state() == before
    cause = of_cause(found, "rate-limit")
    assert cause["status"] == "suspected"
    assert any("--allow-changes" in each["reason"] for each in cause["experiments"])
    assert found["top_cause"] == "rate-limit"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_ended_leaves_nothing_turned(two: tuple[str, str], number: signal.Signals) -> None:
    before = state()
    child = subprocess.Popen(
        [*PATHGAUGE, "explain", "--path", two[0], "--path", two[1], "--allow-changes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    for line in child.stderr:
        if line.startswith("experiment"):
            break
    time.sleep(0.7)
    child.send_signal(number)
    out, _ = child.communicate(timeout=30)
    assert child.returncode == (130 if number == signal.SIGINT else -number)
    if number == signal.SIGINT:
        assert "interrupted" in out
    until = time.monotonic() + 10
    while state() != before and time.monotonic() < until:
        time.sleep(0.05)
    assert state() == before


def test_a_time_line_of_the_evidence() -> None:
    moments = explain("host", "macvlan", "--max-time", "8", "--timeline", "200ms")["explained"]["timeline"]
    assert [each["path"] for each in moments].count("host") == [each["path"] for each in moments].count("macvlan") == 10
    starts = [each["start"] for each in moments]
    assert starts == sorted(starts)
    for each in moments:
        assert 0.15 < each["seconds"] < 0.5
        assert each["counters"]["path.server.s0.rx_bytes"] > 0.9 * each["bytes"] > 0


def test_mistakes_are_told(tmp_path: Path) -> None:
    for arguments, words in (
        (("host", "macvlan", "bridge"), "one path or two"),
        (("host", "--test", "TCP_RR", "--test", "TCP_STREAM"), "one test at a time"),
        (("host", "--json", str(tmp_path / "no" / "where.json")), "cannot be written"),
        (("host", "nowhere"), "there is no kind of path"),
        (("host", "--timeline", "3s"), "a slice of evidence cannot be 3 s long"),
    ):
        done = run("explain", *arguments, check=False)
        assert done.returncode in (2, 3), done.stderr
        assert words in done.stderr
