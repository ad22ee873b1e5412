"""How a lab's Open vSwitch is talked to, with programs that only pretend."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pathgauge.errors import MachineError, MissingFeature
from pathgauge.paths import openvswitch
from pathgauge.paths.openvswitch import Switch

SECONDS = 30
Pretend = Callable[[str, str], None]


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Puts a shell script in place of a program; no other program of that kind is found."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def make(name: str, script: str) -> None:
        file = tmp_path / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    return make


def test_without_the_daemon_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(openvswitch, "_SYSTEM_FOLDERS", "")
    with pytest.raises(MissingFeature, match="this machine has no ovs-vswitchd") as caught:
        Switch.start("br0", 0)
    assert caught.value.hint == "sudo apt install openvswitch-switch"


def test_a_port_is_joined_by_the_lab_s_own_database(pretend: Pretend, tmp_path: Path) -> None:
    log = tmp_path / "log"
    pretend("ovs-vsctl", f'echo "$*" >>{log}; case "$*" in *ofport) echo 7;; esac')
    Switch("br0", 4711).join("vb0")
    added, asked = log.read_text().splitlines()
    database = "--db=unix:/proc/4711/root/run/db.sock"
    assert added.startswith(database)
    assert added.endswith(" --id=@q create qos type=linux-noop -- add-port br0 vb0 -- set port vb0 qos=@q")
    assert asked.startswith(database)
    assert asked.endswith(" get Interface vb0 ofport")


@pytest.mark.parametrize("number", ["-1", "[]", ""])
def test_a_port_without_a_number_is_none(pretend: Pretend, number: str) -> None:
    pretend("ovs-vsctl", f'case "$*" in *ofport) echo "{number}";; esac')
    with pytest.raises(MachineError, match="does not take vb0 as a port"):
        Switch("br0", 1).join("vb0")


def test_what_it_refuses_with_is_passed_on(pretend: Pretend) -> None:
    pretend("ovs-vsctl", "echo first >&2; echo no bridge named br0 >&2; exit 1")
    with pytest.raises(MachineError, match="ovs-vsctl refuses: no bridge named br0"):
        Switch("br0", 1).join("vb0")


def test_a_program_that_does_not_end_is_ended(pretend: Pretend, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend("ovs-vsctl", "exec sleep 60")
    monkeypatch.setattr(openvswitch, "_ANSWER_SECONDS", 0.05)
    with pytest.raises(MachineError, match="ovs-vsctl does not end"):
        Switch("br0", 1).join("vb0")


def test_the_process_does_not_begin_for_a_parent_that_is_not_its_own() -> None:
    told, ready = os.pipe()
    numbers = [str(number) for number in (ready, ready, os.getppid())]
    process = subprocess.Popen([sys.executable, "-m", "pathgauge.paths.openvswitch", *numbers], pass_fds=[ready])
    os.close(ready)
    with os.fdopen(told, "rb") as said:
        assert said.read() == b""
    assert process.wait(SECONDS) == 0


def test_the_process_says_why_it_does_not_start() -> None:
    told, ready = os.pipe()
    nothing = os.open(os.devnull, os.O_RDONLY)  # which is no network namespace
    numbers = [str(number) for number in (nothing, ready, os.getpid())]
    process = subprocess.Popen(
        [sys.executable, "-m", "pathgauge.paths.openvswitch", *numbers], pass_fds=[nothing, ready]
    )
    os.close(ready)
    os.close(nothing)
    with os.fdopen(told, "rb") as said:
        assert b"Invalid argument" in said.read()
    assert process.wait(SECONDS) == 0
