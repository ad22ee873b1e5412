"""Bad luck in mid-run: signals, dead processes, full disks; and what runs leave in a process that goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.netns.lab_processes import PATHGAUGE
from tests.netns.runs import QUICK, Document, Running, nothing_stands

# An extreme is never judged, so that this goes on until somebody ends it.
ENDLESS = ("host", "macvlan", "--test", "TCP_RR", "--max-time", "60", "--metric", "latency_max", *QUICK)
# With two paths the fifth loop of an end is the second block's first.
SECOND_BLOCK = 5


def document(file: Path) -> Document:
    found: Document = json.loads(file.read_bytes())
    return found


def under_way(running: Running, loops: int = SECOND_BLOCK) -> tuple[list[int], set[int]]:
    """The pids of a run's three children and its namespaces' inodes, once so many loops have been started."""
    running.until("lab ready")
    running.until_loops(loops)
    children = running.children()
    assert list(children) == ["keeper", "local", "remote"]
    return list(children.values()), running.namespaces()


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 129, "the terminal is gone"),
    ],
)
def test_a_signal_ends_the_run_and_keeps_its_blocks(
    tmp_path: Path, number: signal.Signals, code: int, word: str
) -> None:
    file = tmp_path / "result.json"
    with Running(*ENDLESS, "--json", str(file)) as running:
        pids, namespaces = under_way(running)
        running.process.send_signal(number)
        ended, text = running.finish(5)
    assert ended == code, text
    assert text.endswith(f"pathgauge: {word}\n")
    assert "This run did not end by itself: interrupted." in text
    assert "Traceback" not in text
    kept = document(file)
    assert kept["ended"] == "interrupted"
    assert kept["tests"][0]["blocks"] >= 1
    assert len(kept["slices"]) == 4 * (kept["tests"][0]["blocks"] + kept["tests"][0]["void_blocks"])
    assert [each.name for each in tmp_path.iterdir()] == ["result.json"]
    nothing_stands(pids, namespaces)


def test_an_impatient_second_signal_does_not_lose_the_blocks(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    with Running(*ENDLESS, "--json", str(file)) as running:
        under_way(running)
        running.process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        running.process.send_signal(signal.SIGINT)
        ended, text = running.finish(5)
    assert ended == 130, text
    assert document(file)["ended"] == "interrupted"


def test_a_signal_before_the_first_block_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    with Running("host", "macvlan", "--test", "TCP_RR", "--slice", "5s", "--json", str(file)) as running:
        pids, namespaces = under_way(running, loops=1)
        running.process.send_signal(signal.SIGINT)
        ended, text = running.finish(5)
    assert (ended, text.splitlines()[1:]) == (130, ["pathgauge: interrupted"])
    assert list(tmp_path.iterdir()) == []
    nothing_stands(pids, namespaces)


def test_a_controller_that_is_killed_leaves_neither_processes_nor_namespaces() -> None:
    with Running(*ENDLESS) as running:
        pids, namespaces = under_way(running)
        running.process.kill()
        nothing_stands(pids, namespaces)
        ended, _ = running.finish(5)
    assert ended == -signal.SIGKILL


@pytest.mark.parametrize(
    ("victim", "sentence"),
    [
        ("local", "the local end was killed by SIGKILL in the middle of the run"),
        ("remote", "the remote end was killed by SIGKILL in the middle of the run"),
    ],
)
def test_an_end_that_is_killed_ends_the_run_with_a_sentence(tmp_path: Path, victim: str, sentence: str) -> None:
    file = tmp_path / "result.json"
    with Running(*ENDLESS, "--json", str(file)) as running:
        pids, namespaces = under_way(running)
        os.kill(running.children()[victim], signal.SIGKILL)
        ended, text = running.finish()
    assert ended == 3, text
    assert f"pathgauge: {sentence}\n  " in text, "the hint follows"
    kept = document(file)
    assert kept["ended"] == f"stopped: {sentence}"
    assert kept["tests"][0]["blocks"] >= 1
    nothing_stands(pids, namespaces)


def test_a_finished_test_is_kept_when_a_later_one_dies(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    paths_and_tests = ("host", "macvlan", "--test", "UDP_RR", "--test", "TCP_RR")
    with Running(*paths_and_tests, "--max-time", "1", *QUICK, "--json", str(file)) as running:
        running.until("UDP_RR: ")
        os.kill(running.children()["remote"], signal.SIGKILL)
        ended, text = running.finish()
    assert ended == 3, text
    kept = document(file)
    assert kept["tests"][0]["test"] == "UDP_RR"
    assert kept["tests"][0]["stopped"] in ("settled", "time is up")
    assert {row["test"] for row in kept["slices"]} >= {"UDP_RR"}


def test_a_keeper_that_is_killed_is_not_taken_for_a_result(tmp_path: Path) -> None:
    """The namespaces live on in the run's descriptors: either it goes on to its right end, or it says what happened."""
    file = tmp_path / "result.json"
    with Running(*ENDLESS[:4], "--max-time", "2", *QUICK, "--json", str(file)) as running:
        pids, namespaces = under_way(running, loops=1)
        os.kill(running.children()["keeper"], signal.SIGKILL)
        ended, text = running.finish()
    kept = document(file)
    assert (ended, kept["ended"]) in ((0, "complete"), (3, "stopped: the lab's keeper was killed by SIGKILL")), text
    assert {row["void"] for row in kept["slices"]} <= {None, "nothing came through"}
    nothing_stands(pids, namespaces)


def test_a_full_disk_keeps_the_document_elsewhere(tmp_path: Path, require_root: None) -> None:
    small, other = tmp_path / "small", tmp_path / "other"
    small.mkdir()
    other.mkdir()
    asked = [*PATHGAUGE, "compare", "host", "macvlan", "--test", "UDP_RR", "--max-time", "0.3", *QUICK]
    script = """
        mount -t tmpfs -o size=8k tmpfs "$0"; head -c 4096 /dev/zero >"$0/first"
        "$@"; code=$?; ls "$0"; exit $code
    """
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, small, *asked, "--json", small / "result.json"],
        env={**os.environ, "TMPDIR": str(other)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    file = small / "result.json"
    assert f"pathgauge: '{file}' could not be written: No space left on device\n" in done.stderr
    (kept,) = other.iterdir()
    assert f"  the document was kept: mv {kept} {file}\n" in done.stderr
    assert document(kept)["ended"] == "complete"
    assert "verdict" in done.stdout, "the table is printed all the same"
    assert done.stdout.endswith("\nfirst\n"), "no half document, no temporary file"


def test_a_full_disk_behind_standard_output(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        asked = [*PATHGAUGE, "compare", "host", "macvlan", "--test", "UDP_RR", "--max-time", "0.3", *QUICK]
        done = subprocess.run(
            [*asked, "--json", "-"],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 3, done.stderr
    assert "pathgauge: standard output could not be written: No space left on device\n" in done.stderr
    (kept,) = tmp_path.iterdir()
    assert document(kept)["ended"] == "complete"


def test_two_runs_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    files = [tmp_path / "first.json", tmp_path / "second.json"]
    asked = ("host", "macvlan", "--test", "TCP_RR", "--max-time", "1", *QUICK)
    with Running(*asked, "--json", str(files[0])) as first, Running(*asked, "--json", str(files[1])) as second:
        first.until("lab ready")
        second.until("lab ready")
        assert not first.namespaces() & second.namespaces()
        for running in (first, second):
            ended, text = running.finish()
            assert ended == 0, text
    for file in files:
        found = document(file)
        assert found["ended"] == "complete"
        assert {row["void"] for row in found["slices"]} <= {None, "nothing came through"}


# --- in a process that goes on ----------------------------------------------------------------------------------------

CALLER = """
import json, os, sys, threading
from pathlib import Path

import numpy  # its threads exist before any lab does

import pathgauge

numpy.ones((300, 300)) @ numpy.ones((300, 300))

def outside():
    return {
        "namespaces": [os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "user", "mnt", "pid")],
        "devices": Path("/proc/net/dev").read_text(),
        "routes": Path("/proc/net/fib_trie").read_text(),
        "signals": [  # but SigQ, which is the whole user's
            line
            for line in Path("/proc/self/status").read_text().splitlines()
            if line.startswith("Sig") and not line.startswith("SigQ")
        ],
        "umask": [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Umask")],
        "cpus": sorted(os.sched_getaffinity(0)),
        "folder": os.getcwd(),
    }

def inside():
    threads = [task.name for task in Path("/proc/self/task").iterdir()]
    children = [Path(f"/proc/self/task/{name}/children").read_text().split() for name in threads]
    memory = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    return {"fds": len(os.listdir("/proc/self/fd")), "threads": len(threads), "children": sum(children, []),
            "memory": memory}

def once():
    found = pathgauge.compare("host", "macvlan", test="UDP_RR", max_time=0.1, slice=0.02, warmup=0.01)
    assert found.ended == "complete"
    valid.append(found.tests[0].blocks)

valid, before, seen = [], outside(), []
if sys.argv[1] == "thread":
    thread = threading.Thread(target=once)
    thread.start()
    thread.join()
else:
    for _ in range(int(sys.argv[1])):
        once()
        seen.append(inside())
after = outside()
print(json.dumps({"changed": [name for name in before if before[name] != after[name]], "seen": seen, "valid": valid}))
"""


def called(how: str) -> Any:
    """What CALLER says, run in a network namespace of its own: there nobody else's traffic moves the counters."""
    fresh = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    done = subprocess.run(
        [*fresh, sys.executable, "-c", CALLER, how], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_twenty_comparisons_in_one_process_leave_nothing_in_it() -> None:
    found = called("20")
    assert found["changed"] == []
    assert all(blocks >= 1 for blocks in found["valid"])
    seen = found["seen"]
    assert all(each["children"] == [] for each in seen)
    # The first calls import what they need, and fill the allocator's and the interpreter's caches.
    assert len({each["fds"] for each in seen[2:]}) == 1
    assert len({each["threads"] for each in seen[2:]}) == 1
    assert seen[-1]["memory"] - seen[4]["memory"] < 6 << 20


def test_a_comparison_from_a_thread_after_numpy() -> None:
    found = called("thread")
    assert found["changed"] == []
    assert found["valid"][0] >= 1
