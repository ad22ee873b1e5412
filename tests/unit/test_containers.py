"""How a container's process is found: stand-ins for the runtimes' commands, which say what the real ones say."""

import os
import stat
from pathlib import Path

import pytest

from pathgauge.errors import MissingFeature, UserError
from pathgauge.paths.containers import container_pid

INSPECTED = """
case "$*" in
"container inspect web") echo '[{"Id": "f00", "State": {"Status": "running", "Running": true, "Pid": 4711}}]' ;;
"container inspect old") echo '[{"Id": "f00", "State": {"Status": "exited", "Running": false, "Pid": 0}}]' ;;
*) echo '[]'; echo "Error: No such container: $3" >&2; exit 1 ;;
esac
"""
CRICTL = """
case "$*" in
"ps --quiet --name ^web$") echo 3e025dd50a72d956 ;;
"ps --quiet --name ^two$") echo 3e025dd50a72d956; echo 4f025dd50a72d957 ;;
"inspect 3e025dd50a72d956") echo '{"status": {"id": "3e025dd50a72d956"}, "info": {"sandboxID": "x", "pid": 4712}}' ;;
"ps "*) ;;
*) echo 'level=fatal msg="could not find container"' >&2; exit 1 ;;
esac
"""
CTR = """
case "$*" in
"namespaces list --quiet") echo default; echo k8s.io ;;
"--namespace default tasks list") printf 'TASK    PID     STATUS    \\nold     4000    STOPPED\\n' ;;
"--namespace k8s.io tasks list") printf 'TASK    PID     STATUS    \\nweb     4713    RUNNING\\n' ;;
*) exit 1 ;;
esac
"""
DOWN = "echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock.' >&2; exit 1"


@pytest.fixture
def runtimes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def stand_in(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize(
    ("program", "script", "pid"),
    [
        ("docker", INSPECTED, 4711),
        ("podman", INSPECTED, 4711),
        ("nerdctl", INSPECTED, 4711),
        ("crictl", CRICTL, 4712),
        ("ctr", CTR, 4713),
    ],
)
def test_each_runtime_is_asked_in_its_way(runtimes: Path, program: str, script: str, pid: int) -> None:
    stand_in(runtimes, program, script)
    assert container_pid("web") == pid
    with pytest.raises(UserError, match=f"there is no container 'none' \\({program}: "):
        container_pid("none")


def test_the_first_that_knows_it_answers(runtimes: Path) -> None:
    stand_in(runtimes, "docker", DOWN)
    stand_in(runtimes, "podman", INSPECTED)
    stand_in(runtimes, "ctr", CTR)
    assert container_pid("web") == 4711
    with pytest.raises(UserError) as caught:
        container_pid("none")
    assert "docker: 'Cannot connect to the Docker daemon at" in str(caught.value)
    assert "podman: 'Error: No such container: none'" in str(caught.value)
    assert "pid:N" in caught.value.hint


@pytest.mark.parametrize(("program", "script"), [("podman", INSPECTED), ("ctr", CTR)])
def test_one_that_does_not_run_is_told_with_what_starts_it(runtimes: Path, program: str, script: str) -> None:
    stand_in(runtimes, program, script)
    with pytest.raises(UserError, match="the container 'old' does not run") as caught:
        container_pid("old")
    assert caught.value.hint == f"{program} start old"


def test_two_of_one_name_are_told_apart_by_their_id(runtimes: Path) -> None:
    stand_in(runtimes, "crictl", CRICTL)
    with pytest.raises(UserError, match="2 containers are called 'two'") as caught:
        container_pid("two")
    assert caught.value.hint == "container:3e025dd50a72d"
    assert container_pid("3e025dd50a72d956") == 4712


@pytest.mark.parametrize(
    "output",
    ["", "[]", "[1]", '[{"State": {"Pid": true}}]', '[{"State": {"Pid": -1}}]', '[{"State": {"Pid": "1"}}]',
     '[{"State": 1}]', "[" * 100_000, "\xff"],
)  # fmt: skip
def test_an_answer_that_makes_no_sense_is_no_container(runtimes: Path, output: str) -> None:
    runtimes.joinpath("answer").write_bytes(output.encode("latin-1"))
    stand_in(runtimes, "podman", f"exec /bin/cat {runtimes}/answer")
    with pytest.raises(UserError, match="there is no container"):
        container_pid("web")


def test_a_runtime_that_hangs_is_left(runtimes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathgauge.paths.containers.ANSWER_SECONDS", 0.2)
    stand_in(runtimes, "docker", "exec /bin/sleep 60")
    stand_in(runtimes, "podman", INSPECTED)
    assert container_pid("web") == 4711


def test_a_machine_without_any_says_so(runtimes: Path) -> None:
    assert os.listdir(runtimes) == []
    with pytest.raises(MissingFeature, match="no container runtime") as caught:
        container_pid("web")
    assert "podman" in caught.value.hint
