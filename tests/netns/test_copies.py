"""Many copies of a path: a thousand namespaces on one wire come up, are used, and are gone, as the kernel counts."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pathgauge.paths.journal import FOLDER_VARIABLE
from tests.netns.lab_processes import keepers, run, wait_until
from tests.netns.runs import QUICK, compare, measure, rows

if TYPE_CHECKING:
    from tests.conftest import Nobody

# Asked are 2 s and 1 s of a machine of its own (see benchmarks/scale.py); a test's may be busy with other things.
UP_SECONDS, GONE_SECONDS = 10.0, 8.0


def account(kind: str, copies: int, rounds: int = 1) -> list[dict[str, float]]:
    command = [sys.executable, "-m", "tests.netns.namespace_account", kind, str(copies), str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "journal"))
    yield tmp_path / "journal"
    run("lab", "clean", "--all")
    wait_until(lambda: not keepers(str(tmp_path)))


@pytest.mark.parametrize("copies", [10, 100, 1000])
def test_macvlans_on_one_wire_come_and_go(copies: int) -> None:
    rounds = account("macvlan", copies, rounds=3)
    for found in rounds:
        assert found["exact"]
        assert found["up"] < UP_SECONDS
        assert found["gone"] < GONE_SECONDS
    _, before, after = rounds
    assert before["descriptors"] == after["descriptors"]
    assert after["memory"] < before["memory"] + 1_000_000


@pytest.mark.parametrize("kind", ["bridge", "routed", "nat"])
def test_what_shares_one_bridge_or_router_comes_and_goes(kind: str) -> None:
    (found,) = account(kind, 60)
    assert found["exact"]


def test_a_standing_lab_of_a_thousand(journal: Path) -> None:
    printed = run("lab", "up", "macvlan", "--copies", "1000").stdout
    name = printed.split()[1]
    assert "and 962 devices more" in printed
    assert len(printed.splitlines()) < 60
    (lab,) = json.loads(run("lab", "list", "--json").stdout)["labs"]
    spaces = list(lab["namespaces"])
    assert spaces == ["host", "server", "macvlan", *(f"macvlan-{number}" for number in range(2, 1001))]
    assert lab["namespaces"]["macvlan-1000"]["mv0"]["ipv4"] == "198.18.3.241"
    assert "mv0" in run("lab", "exec", f"{name}:macvlan-1000", "cat", "/proc/net/dev").stdout
    links = (f"/proc/{lab['keeper']}/fd/{number}" for number in os.listdir(f"/proc/{lab['keeper']}/fd"))
    assert not [link for link in links if os.readlink(link).startswith("socket")]
    run("lab", "down", name)
    assert os.listdir(journal) == []


@pytest.mark.rootless
def test_a_thousand_of_an_ordinary_user(as_nobody: "Nobody", nobody_python: Path) -> None:
    pathgauge = [str(nobody_python), "-m", "pathgauge"]
    up = as_nobody([*pathgauge, "lab", "up", "macvlan", "--copies", "1000"])
    assert up.returncode == 0, up.stderr
    name = up.stdout.split()[1]
    inside = as_nobody([*pathgauge, "lab", "exec", f"{name}:macvlan-1000", "--", "cat", "/proc/net/dev"])
    assert "mv0" in inside.stdout
    assert as_nobody([*pathgauge, "lab", "down", name]).returncode == 0
    assert not as_nobody([*pathgauge, "lab", "list"]).stdout


def test_more_than_there_is_room_for(journal: Path) -> None:
    refused = run("lab", "up", "veth", "--copies", "40", check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "a lab has room for 32 wires and networks" in refused.stderr
    few = "import os, resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)); os.execvp({0!r}, {1!r})"
    command = [sys.executable, "-m", "pathgauge", "lab", "up", "macvlan", "--copies", "100"]
    narrow = [sys.executable, "-c", few.format(sys.executable, command)]
    refused = subprocess.run(narrow, capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 3
    assert "100 copies need 500 open files, and 256 are allowed here" in refused.stderr
    assert os.listdir(journal) == []
    for wrong in ("0", "4001", "many"):
        refused = run("lab", "up", "macvlan", "--copies", wrong, check=False)
        assert refused.returncode == 2
        assert "--copies" in refused.stderr


def test_copies_measured_one_at_a_time() -> None:
    found = measure("host", "macvlan", "--copies", "6", "--test", "TCP_RR", "--blocks", "5", *QUICK)
    assert [path["copies"] for path in found["paths"]] == [6, 6]
    assert found["tests"][0]["copies"] == []
    assert {row["void"] for row in found["slices"]} == {None}
    assert not rows(found, "fairness")


@pytest.mark.parametrize("test", ["TCP_STREAM", "TCP_RR", "UDP_STREAM", "TCP_MAERTS"])
def test_copies_measured_at_once(test: str) -> None:
    command = ("host", "macvlan", "bridge", "--copies", "8", "--parallel", "--test", test, "--blocks", "5", *QUICK)
    found = measure(*command, "--max-time", "60s")
    (run_of_test,) = found["tests"]
    assert run_of_test["blocks"] == 5
    copies = {each["path"]: each for each in run_of_test["copies"]}
    assert list(copies) == ["host", "macvlan", "bridge"]
    for name, each in copies.items():
        assert len(each["rates"]) == 8
        assert 1 / 8 <= each["fairness"] <= 1.0
        slices = [row for row in found["slices"] if row["path"] == name]
        assert {row["void"] for row in slices} == {None}
        assert all(1 / 8 <= row["fairness"] <= 1.0 for row in slices)
    for row in rows(found, "transaction_rate" if test == "TCP_RR" else "goodput"):
        total = sum(copies[row["candidate"]["path"]]["rates"])
        assert row["candidate"]["estimate"] == pytest.approx(total, rel=0.5)
    assert all(0 < row["candidate"]["estimate"] <= 1.0 for row in rows(found, "fairness"))
    assert all(0 < row["candidate"]["estimate"] < 1.2 for row in rows(found, "cpu_local"))  # all loops are on one CPU


def test_what_copies_did_is_told_in_words() -> None:
    command = (
        "macvlan",
        "--copies",
        "4",
        "--parallel",
        "--test",
        "TCP_RR",
        "--vary",
        "nodelay=on,off",
        "--blocks",
        "5",
    )
    printed = compare(*command, *QUICK).stdout
    assert "TCP_RR, nodelay=on: 4 copies at once, each " in printed
    assert "; fairness (Jain) " in printed
    printed = compare("host", "macvlan", "--copies", "4", "--test", "TCP_RR", "--blocks", "5", *QUICK).stdout
    assert "Of each path 4 copies stood, one of them in use at a time." in printed
