"""What keeps CPUs awake spins there in the lowest class, is in no figure, and goes with the run, however that ends."""

import os
import signal
import subprocess
import sys

import pytest

from pathgauge.counters.cpu import MachineCpuReader
from pathgauge.errors import EndDied
from pathgauge.measuring.awake import Awake
from pathgauge.measuring.engine import Engine
from pathgauge.paths.lab import Lab
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import WireSpec
from tests.netns.lab_processes import run, wait_until
from tests.netns.runs import QUICK, gone, measure

CPU = max(os.sched_getaffinity(0))


def test_it_spins_on_its_cpu_and_gives_way_to_everything() -> None:
    with Awake([CPU]) as awake:
        (spinner,) = awake.spinners
        pid = spinner.process.pid
        wait_until(lambda: os.sched_getaffinity(pid) == {CPU} and awake.spent() > 0.1)
        assert os.sched_getscheduler(pid) == os.SCHED_IDLE
        assert os.getsid(pid) == os.getsid(0), "in another session it would have a share of its own (autogroup)"
    assert spinner.process.returncode == -signal.SIGKILL


def test_one_that_dies_is_told() -> None:
    with Awake([CPU]) as awake:
        awake.spinners[0].process.kill()
        awake.spinners[0].process.wait()
        with pytest.raises(EndDied, match=f"what keeps CPU {CPU} awake was killed by SIGKILL"):
            awake.spent()


def test_it_ends_with_a_parent_that_is_killed() -> None:
    code = (
        "import os, sys, time\n"
        "from pathgauge.measuring.awake import Awake\n"
        f"with Awake([{CPU}]) as awake:\n"
        "    while awake.spent() < 0.01: time.sleep(0.01)\n"
        "    print(awake.spinners[0].process.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)

    wait_until(lambda: gone([pid]))


def test_what_it_takes_is_no_load_of_the_machine() -> None:
    with (
        Lab.build(parse_paths(["host"]), WireSpec()) as lab,
        Awake([CPU]) as awake,
        Engine(lab, 1, None, awake=awake) as engine,
    ):
        reader = MachineCpuReader()
        raw, seen, spent = reader.read().busy, engine.moment().cpu.busy, awake.spent()
        wait_until(lambda: awake.spent() > spent + 0.3)
        raw, seen, spent = reader.read().busy - raw, engine.moment().cpu.busy - seen, awake.spent() - spent
        reader.close()
    assert raw - seen == pytest.approx(spent, abs=0.05)


def test_a_run_says_which_cpus_it_kept_awake() -> None:
    document = measure("host", "macvlan", "--test", "TCP_RR", "--awake", "--max-time", "2", *QUICK)
    (test,) = document["tests"]
    assert test["awake"] == sorted({test["local_cpu"], test["remote_cpu"]})
    said = run("compare", "host", "macvlan", "--test", "TCP_RR", "--awake", "--max-time", "1", *QUICK).stdout
    assert f"CPU {' and '.join(map(str, test['awake']))} kept awake; what that took is in no figure." in said
    plain = measure("host", "macvlan", "--test", "TCP_RR", "--max-time", "1", *QUICK)
    assert plain["tests"][0]["awake"] == []


def test_it_is_not_for_explain() -> None:
    done = run("explain", "host", "macvlan", "--awake", check=False)
    assert done.returncode == 2
    assert "--awake keeps them busy" in done.stderr
