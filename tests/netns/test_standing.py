"""Standing labs, by their commands: up, list, exec, down, clean."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pathgauge.paths.journal import FOLDER_VARIABLE, identify
from tests.netns import lab_processes
from tests.netns.lab_processes import run


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A journal of the test's own; what stands in it in the end is taken down."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "journal"))
    yield tmp_path / "journal"
    run("lab", "clean", "--all")
    lab_processes.wait_until(lambda: not lab_processes.keepers(str(tmp_path)))


def up(*arguments: str) -> str:
    name: str = run("lab", "up", *arguments).stdout.split()[1]
    assert name.isalnum()
    return name


def keeper_of(journal: Path, name: str) -> int:
    pid = json.loads(journal.joinpath(f"{name}.json").read_text())["keeper"]["pid"]
    assert isinstance(pid, int)
    return pid


def test_a_lab_stands_is_listed_and_goes(journal: Path) -> None:
    name = up("host", "v=macvlan:mode=vepa", "--link-rate", "1gbit")
    keeper = keeper_of(journal, name)
    assert name in run("lab", "list").stdout
    listed = json.loads(run("lab", "list", "--json").stdout)
    assert listed["schema"] == "pathgauge.labs/1"
    (lab,) = listed["labs"]
    assert (lab["name"], lab["state"], lab["keeper"], lab["client"]) == (name, "standing", keeper, "host")
    assert lab["paths"] == ["host=host", "v=macvlan:mode=vepa"]
    assert lab["command"] == ["pathgauge", "lab", "up", "host", "v=macvlan:mode=vepa", "--link-rate", "1gbit"]
    assert lab["namespaces"]["v"]["mv0"]["ipv4"] == "198.18.0.10"
    assert run("lab", "clean").stdout == ""  # nothing of the living
    run("lab", "down", name)
    assert identify(keeper) is None
    assert os.listdir(journal) == []
    assert run("lab", "list").stdout == ""
    assert json.loads(run("lab", "list", "--json").stdout)["labs"] == []


def test_a_keeper_holds_on_to_nothing_of_the_terminals(journal: Path) -> None:
    keeper = keeper_of(journal, up("host"))
    assert {os.readlink(f"/proc/{keeper}/fd/{number}") for number in (0, 1, 2)} == {os.devnull}
    assert os.getsid(keeper) == keeper
    assert os.readlink(f"/proc/{keeper}/cwd") == "/"
    assert not [
        fd for fd in os.listdir(f"/proc/{keeper}/fd") if os.readlink(f"/proc/{keeper}/fd/{fd}").startswith("socket")
    ]


def test_commands_run_inside(journal: Path) -> None:
    name = up("v=macvlan", "host")
    devices = "print(open('/proc/net/dev').read())"
    for space, device in (("", "mv0"), (":host", "h0"), (":server", "s0"), (":v", "mv0")):
        done = run("lab", "exec", name + space, "--", sys.executable, "-c", devices)
        assert f"{device}:" in done.stdout
    shown = run("lab", "exec", f"{name}:server", "--", "ls", "/sys/class/net").stdout.split()
    assert shown == ["lo", "s0"], "/sys shows the lab's devices, not those of the caller"
    assert "s0" not in os.listdir("/sys/class/net")
    assert run("lab", "exec", name, "sh", "-c", "exit 7", check=False).returncode == 7
    killed = run("lab", "exec", name, "--", "sh", "-c", "kill -TERM $$", check=False)
    assert killed.returncode == -signal.SIGTERM
    options = run("lab", "exec", name, "--", "sh", "-c", 'echo "$@"', "x", "--all", "--", "-h")
    assert options.stdout == "--all -- -h\n"
    # SIGPIPE is as a shell has it, not ignored as Python has it.
    ignored = run("lab", "exec", name, "grep", "SigIgn", "/proc/self/status").stdout.split()[1]
    assert int(ignored, 16) & 1 << signal.SIGPIPE - 1 == 0


@pytest.mark.parametrize(
    ("arguments", "sentence", "hint"),
    [
        (["exec", "NAME"], "no command was given", "lab exec NAME --"),
        (["exec", "NAME", "--"], "no command was given", "lab exec NAME --"),
        (["exec", "NAME:nowhere", "true"], "no namespace 'nowhere'", "host, server"),
        (["exec", "NAME", "no-such-program"], "cannot be run", "PATH"),
        (["exec", "nobody", "true"], "no lab is named 'nobody'", "lab list"),
        (["exec", "../../etc/passwd", "true"], "no lab is named", "lab list"),
        (["down", "NAMEx"], "no lab is named", "did you mean NAME"),
        (["up", "hots"], "no kind of path", "did you mean host"),
        (["up"], "PATH", "lab up --help"),
        (["up", "host", "--link-rate", "0"], "rate", "1gbit"),
        (["up", "host", "--wire", "rate=1gbit", "--link-rate", "2gbit"], "different rates", "one of them"),
        ([], "VERB", "lab --help"),
        (["upp"], "upp", "lab --help"),
    ],
)
def test_mistakes(arguments: list[str], sentence: str, hint: str) -> None:
    name = up("host") if any("NAME" in argument for argument in arguments) else ""
    done = run("lab", *(argument.replace("NAME", name) for argument in arguments), check=False)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert hint.replace("NAME", name) in done.stderr or hint in done.stderr


def test_a_lab_whose_keeper_died_is_told_of_and_cleaned(journal: Path) -> None:
    dead, alive = up("host"), up("host")
    os.kill(keeper_of(journal, dead), signal.SIGKILL)
    lab_processes.wait_until(lambda: identify(keeper_of(journal, dead)) is None)
    states = {lab["name"]: lab["state"] for lab in json.loads(run("lab", "list", "--json").stdout)["labs"]}
    assert states == {dead: "dead", alive: "standing"}
    refused = run("lab", "exec", dead, "true", check=False)
    assert refused.returncode == 2
    assert "does not stand" in refused.stderr
    assert run("lab", "clean").stdout == f"{dead}: its keeper is gone: its record removed\n"
    assert os.listdir(journal) == [f"{alive}.json"]
    assert run("lab", "clean", "--all").stdout == f"{alive}: taken down\n"
    assert os.listdir(journal) == []


def test_a_damaged_record_is_told_of_and_only_clean_removes_it(journal: Path) -> None:
    name = up("host")
    keeper = keeper_of(journal, name)
    journal.joinpath(f"{name}.json").write_text("{")
    assert f"{name}  unreadable" in run("lab", "list").stdout
    for verb in (["down", name], ["exec", name, "true"]):
        assert run("lab", *verb, check=False).returncode == 2
    assert journal.joinpath(f"{name}.json").exists()
    assert name in run("lab", "clean").stdout
    assert os.listdir(journal) == []
    lab_processes.wait_until(lambda: identify(keeper) is None)  # without its record, nobody would find it


def test_a_record_of_another_boot_or_of_a_reused_pid_hits_nobody(journal: Path) -> None:
    name = up("host")
    content = json.loads(journal.joinpath(f"{name}.json").read_text())
    mine = identify(os.getpid())
    assert mine is not None
    for other, changes in (
        ("otherboot", {"boot": "f" * 36, "keeper": {"pid": mine.pid, "start": mine.start}}),
        ("reusedpid", {"keeper": {"pid": mine.pid, "start": mine.start + 1}}),
    ):
        journal.joinpath(f"{other}.json").write_text(json.dumps({**content, "name": other, **changes}))
        assert run("lab", "exec", other, "true", check=False).returncode == 2
    assert sorted(line.split(":")[0] for line in run("lab", "clean").stdout.splitlines()) == ["otherboot", "reusedpid"]
    assert os.listdir(journal) == [f"{name}.json"]


def test_output_that_cannot_be_written_takes_the_lab_down_again(journal: Path) -> None:
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run(
            [*lab_processes.PATHGAUGE, "lab", "up", "host"],
            stdout=full,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=30,
        )
    assert done.returncode != 0
    assert os.listdir(journal) == []
    lab_processes.wait_until(lambda: not lab_processes.keepers(str(journal)))


def test_a_journal_that_is_not_ones_own_is_refused(journal: Path) -> None:
    journal.mkdir(mode=0o700)
    journal.chmod(0o777)
    done = run("lab", "up", "host", check=False)
    journal.chmod(0o700)
    assert done.returncode == 3
    assert "cannot be trusted" in done.stderr
