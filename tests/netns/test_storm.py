"""`--flows` where each transaction is a connection (TCP_CRR, TCP_CC), from the command line to the document."""

import itertools
import json
import os
import subprocess
import time
from pathlib import Path
from statistics import fmean

import pytest

from tests.conftest import Nobody
from tests.netns.runs import QUICK, Running, compare, measure, own_namespace

pytestmark = pytest.mark.netns

BRIEF = ("--max-time", "8s", "--blocks", "5", *QUICK)


@pytest.mark.long
@pytest.mark.parametrize("test", ["TCP_CRR", "TCP_CC"])
@pytest.mark.parametrize("more", [(), ("--ipv6",)], ids=["ipv4", "ipv6"])
def test_many_connections_at_once_on_each_path(test: str, more: tuple[str, ...]) -> None:
    document = measure("host", "macvlan", "--test", test, "--flows", "100", "--slice", "200ms", *more, *BRIEF[:4])
    assert document["ended"] == "complete"
    assert all(row["void"] is None for row in document["slices"])
    assert all(row["retransmits"] is None and row["rtt_seconds"] is None for row in document["slices"])
    (run,) = document["tests"]
    assert run["parameters"]["flows"] == 100
    for each in run["copies"]:
        assert (each["at_once"], len(each["rates"])) == ("flows", 100)
        assert min(each["rates"]) > 0
        assert each["fairness"] > 0.5
        found = [
            row["transactions"] / row["local_seconds"] for row in document["slices"] if row["path"] == each["path"]
        ]
        assert sum(each["rates"]) == pytest.approx(fmean(found)), "what each place did makes up the whole"
    assert {row["metric"] for row in document["comparisons"]} >= {"latency_p99", "fairness", "cpu_local"}


def test_a_slice_begins_when_one_connection_ends_for_each_that_begins() -> None:
    document = measure("host", "--test", "TCP_CRR", "--vary", "flows=200,400", *BRIEF)
    for row in document["slices"]:
        assert row["transactions"] > 0
        assert row["total_bytes_received"] - row["bytes_received"] >= int(row["path"].removeprefix("flows=")), (
            "a whole round lies before it"
        )


def test_threads_share_the_connections() -> None:
    document = measure("host", "--test", "TCP_CRR", "--flows", "9", "--vary", "threads=1,3,9", *BRIEF)
    assert [len(each["rates"]) for each in document["tests"][0]["copies"]] == [9, 9, 9]
    assert all(row["void"] is None for row in document["slices"])


def test_copies_with_several_connections_each() -> None:
    document = measure("host", "macvlan", "--copies", "3", "--parallel", "--flows", "4", "--test", "TCP_CC", *BRIEF)
    assert all(row["void"] is None for row in document["slices"])
    assert {len(each["rates"]) for each in document["tests"][0]["copies"]} == {12}


@pytest.mark.long
def test_large_messages() -> None:
    sizes = ("--request-size", "300K", "--response-size", "2M")
    document = measure("host", "--test", "TCP_CRR", "--vary", "flows=1,16", *sizes, "--slice", "300ms", *BRIEF[:4])
    for row in document["slices"]:
        assert row["void"] is None
        assert row["transactions"] > 0
        assert row["total_bytes_received"] % (300 * 1024) == 0, "what was asked has all been answered"


@pytest.mark.long
def test_ports_are_used_again_and_none_is_turned_away() -> None:
    """More connections than there are ports: the server has them in TIME_WAIT, and nothing waits for its end."""
    options = ("--test", "TCP_CC", "--flows", "500", "--slice", "1s", "--max-time", "25s", "--blocks", "5")
    with Running("host", "again=host", *options, "--warmup", "50ms") as running:
        running.until("lab ready")
        seen: dict[str, int] = {}
        while running.process.poll() is None and seen.get("TW", 0) < 60_000:
            for space in spaces(running.children()["keeper"]):
                for name, count in counters(space).items():
                    seen[name] = max(seen.get(name, 0), count)
            time.sleep(0.2)
        assert seen["TW"] >= 60_000, "twice as many as there are ports"
        assert seen["tw"] < 60_000, "a port that is used again leaves its TIME_WAIT"
        assert seen["ListenOverflows"] == seen["ListenDrops"] == seen["TCPTimeouts"] == 0


def spaces(keeper: int) -> list[str]:
    """The lab's namespaces, as files."""
    files = list(Path(f"/proc/{keeper}/fd").iterdir())
    found = {os.readlink(file): str(file) for file in files if os.readlink(file).startswith("net:[")}
    return [file for link, file in found.items() if link != f"net:[{own_namespace()}]"]


def counters(space: str) -> dict[str, int]:
    """What a namespace counted so far, and the sockets that are in TIME_WAIT."""
    files = ("/proc/net/netstat", "/proc/net/sockstat")
    done = subprocess.run(["nsenter", f"--net={space}", "cat", *files], capture_output=True, text=True, check=False)
    found: dict[str, int] = {}
    lines = done.stdout.splitlines()
    for names, values in itertools.pairwise(lines):
        if names.startswith("TcpExt:") and values.startswith("TcpExt:"):
            found |= dict(zip(names.split()[1:], map(int, values.split()[1:]), strict=True))
        elif values.startswith("TCP:"):
            fields = values.split()[1:]
            found["tw"] = int(fields[fields.index("tw") + 1])
    return found


def test_an_ordinary_user_has_them_too(as_nobody: Nobody, nobody_python: Path) -> None:
    options = ("--test", "TCP_CRR", "--flows", "20", "--json", "-", *BRIEF)
    done = as_nobody([nobody_python, "-m", "pathgauge", "compare", "host", "macvlan", *options])
    document = json.loads(done.stdout)
    assert all(row["void"] is None for row in document["slices"])


def test_more_than_a_listener_has_room_for_is_told() -> None:
    options = ("--test", "TCP_CRR", "--flows", "5000", *BRIEF)
    said = compare("host", "macvlan", *options, code=2).stderr
    assert "do not fit a listener's queue" in said
    assert "--threads" in said
    assert "rate is for one connection" in compare("host", "host", *options, "--rate", "10", code=2).stderr
