"""`lab up` killed at any moment: the next `lab clean` removes exactly what that run had made."""

import functools
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pathgauge.paths import standing
from pathgauge.paths.journal import FOLDER_VARIABLE
from pathgauge.paths.registry import kinds, probe_kinds
from tests.netns import lab_processes
from tests.netns.lab_processes import PATHGAUGE, run

UP = [*PATHGAUGE, "lab", "up", "host", "macvlan"]
STAGES = [
    "record",
    "keeper",
    "spaces",
    "printed",
]  # what the journal, or the terminal, has of a lab, one after the other


@pytest.fixture(scope="module")
def duration(tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long an undisturbed `lab up` takes here and now, in seconds."""
    environment = {FOLDER_VARIABLE: str(tmp_path_factory.mktemp("timing") / "journal")}
    started = time.monotonic()
    run("lab", "up", "host", "macvlan", env=environment)
    seconds = time.monotonic() - started
    run("lab", "clean", "--all", env=environment)
    return seconds


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "journal"))
    yield tmp_path / "journal"
    standing.clean(everything=True)


def left(journal: Path) -> list[str]:
    return sorted(os.listdir(journal)) if journal.exists() else []


def settle(journal: Path, printed: str) -> None:
    """Clean, and check that nothing is left but a lab that was whole, and told of, before the signal came."""
    standing.clean()
    whole = [name for name in left(journal) if json.loads(journal.joinpath(name).read_text())["state"] == "standing"]
    assert left(journal) == whole
    if whole:
        assert whole == [f"{printed.split()[1]}.json"]
        standing.down(printed.split()[1])
    assert left(journal) == []
    lab_processes.wait_until(lambda: not lab_processes.keepers(str(journal)))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("step", range(8))
def test_killed_at_any_moment(journal: Path, duration: float, number: signal.Signals, step: int) -> None:
    moment = (step + random.random()) / 8 * duration * 1.1
    with subprocess.Popen(UP, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        time.sleep(moment)
        process.send_signal(number)
        printed, _ = process.communicate(timeout=20)
    settle(journal, printed)


@functools.cache
def lacking(kind: str) -> str | None:
    """Why a kind cannot be built here."""
    return probe_kinds([kind])[kind]


def need(kind: str) -> None:
    """Skip where it cannot."""
    if lacking(kind) is not None:
        pytest.skip(f"kernel lacks {kind}: {lacking(kind)}")


@pytest.mark.kernel
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", list(kinds()))
def test_killed_as_soon_as_a_stage_is_reached(journal: Path, kind: str, stage: str) -> None:
    need(kind)
    with subprocess.Popen([*PATHGAUGE, "lab", "up", kind], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if stage == "printed":
            printed = process.stdout.readline()
        else:
            lab_processes.wait_until(lambda: reached(journal, stage), 20)
            printed = ""
        process.kill()
        printed += process.communicate(timeout=20)[0]
    settle(journal, printed)


@pytest.mark.parametrize("kind", list(kinds()))
def test_a_keeper_killed_as_soon_as_it_is_recorded(journal: Path, kind: str) -> None:
    need(kind)
    up = [*PATHGAUGE, "lab", "up", kind, "--copies", "3"]
    with subprocess.Popen(up, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lab_processes.wait_until(lambda: reached(journal, "keeper"), 20)
        for keeper in lab_processes.keepers(str(journal)):
            os.kill(keeper, signal.SIGKILL)
        printed, said = process.communicate(timeout=20)
    if process.returncode == 0:  # it had released the keeper already
        settle(journal, printed)
        return
    assert process.returncode == 3
    assert "the lab's keeper was killed by SIGKILL" in said
    assert left(journal) == []


def reached(journal: Path, stage: str) -> bool:
    for name in left(journal):
        if name.endswith(".json"):
            content = json.loads(journal.joinpath(name).read_text())
            return stage == "record" or bool(content.get(stage))
    return False


def test_a_released_keeper_whose_maker_died_is_ended_by_clean_alone(journal: Path) -> None:
    # A pipe that is full blocks the printing of the name: the keeper is released by then, and the record is not final.
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            os.write(writing, bytes(4096))
        except BlockingIOError:
            break
    os.set_blocking(writing, True)
    with subprocess.Popen(UP, stdout=writing) as process:
        lab_processes.wait_until(lambda: reached(journal, "spaces"), 20)
        (keeper,) = lab_processes.keepers(str(journal))
        lab_processes.wait_until(lambda: os.readlink(f"/proc/{keeper}/fd/2") == os.devnull)
        process.kill()
    os.close(reading)
    os.close(writing)
    time.sleep(0.1)
    assert lab_processes.keepers(str(journal)) == {keeper}
    assert '"dead"' in run("lab", "list", "--json").stdout
    assert "its making was broken off: taken down" in run("lab", "clean").stdout
    assert left(journal) == []
    assert not lab_processes.keepers(str(journal))


def test_two_at_once_do_not_disturb_each_other(journal: Path) -> None:
    processes = [subprocess.Popen(UP, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    run("lab", "clean")
    run("lab", "list")
    names = []
    for process in processes:
        printed, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        names.append(printed.split()[1])
    run("lab", "clean")
    assert left(journal) == sorted(f"{name}.json" for name in names)
    run("lab", "down", names[1])
    for name in (names[0], names[2]):
        assert "s0:" in run("lab", "exec", f"{name}:server", "cat", "/proc/net/dev").stdout
