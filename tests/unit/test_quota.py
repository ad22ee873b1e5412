"""Control groups of a process's own, on made-up trees; the kernel's own are tried in tests/netns."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pathgauge.counters.cgroup import throttling
from pathgauge.endpoints.quota import Quotas, remove_left
from pathgauge.errors import MissingFeature, MissingPrivilege
from pathgauge.paths.journal import identify

MOUNT_1 = "31 24 0:27 / /cg/cpu rw - cgroup cgroup rw,cpu\n"
MOUNT_2 = "32 24 0:28 / /cg/all rw - cgroup2 cgroup2 rw\n"


def tree(root: Path, mounts: str, groups: str, *folders: str) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mountinfo").write_text(mounts, encoding="ascii")
    (root / "proc/self/cgroup").write_text(groups, encoding="ascii")
    for folder in folders:
        (root / folder).mkdir(parents=True)
    return root


def own_name() -> str:
    own = identify(os.getpid())
    assert own is not None
    return f"pathgauge-{own.pid}-{own.start}"


@pytest.fixture
def quotas() -> Iterator[Quotas]:
    made = Quotas()
    yield made
    made.close()


def test_version_1_below_the_process_own_group(quotas: Quotas, tmp_path: Path) -> None:
    quotas.root = tree(tmp_path, MOUNT_1 + MOUNT_2, "4:cpu:/job\n0::/\n", "cg/cpu/job", "cg/all")
    group = quotas.make(3, 0.25)
    assert group == tmp_path / "cg/cpu/job" / own_name() / "3"
    assert (group / "cpu.cfs_quota_us").read_text() == "25000\n"
    assert (group / "cpu.cfs_period_us").read_text() == "100000\n"
    quotas.join(group)
    assert int((group / "tasks").read_text()) == os.getpid()


def test_version_2_at_the_top_and_threaded(quotas: Quotas, tmp_path: Path) -> None:
    root = tree(tmp_path, MOUNT_2, "0::/user/job\n", "cg/all/user/job")
    (root / "cg/all/cgroup.subtree_control").write_text("cpu memory\n")
    quotas.root = root
    group = quotas.make(0, 1.5)
    parent = tmp_path / "cg/all" / own_name()
    assert group == parent / "0"
    assert (parent / "cgroup.procs").read_text() == f"{os.getpid()}\n"
    assert (parent / "cgroup.subtree_control").read_text() == "+cpu\n"
    assert (group / "cgroup.type").read_text() == "threaded\n"
    assert (group / "cpu.max").read_text() == "150000 100000\n"
    quotas.join(group)
    assert int((group / "cgroup.threads").read_text()) == os.getpid()


def test_what_the_machine_lacks(tmp_path: Path) -> None:
    root = tree(tmp_path, MOUNT_2, "0::/\n", "cg/all")
    (root / "cg/all/cgroup.subtree_control").write_text("memory\n")
    with pytest.raises(MissingFeature) as caught:
        Quotas(root).make(0, 1)
    assert caught.value.hint == f"echo +cpu | sudo tee {root}/cg/all/cgroup.subtree_control"
    (root / "proc/self/mountinfo").write_text("")
    with pytest.raises(MissingFeature, match="no control groups"):
        Quotas(root).make(0, 1)


def test_who_may_not_is_told_what_to_type(tmp_path: Path) -> None:
    root = tree(tmp_path, MOUNT_1, "4:cpu:/job\n", "cg/cpu")  # the group is gone: as unwritable as can be for root
    with pytest.raises(MissingPrivilege, match="No such file") as caught:
        Quotas(root).make(0, 1)
    assert "as root" in caught.value.hint


def test_groups_of_the_dead_are_removed_and_no_others(tmp_path: Path) -> None:
    ended, other = "pathgauge-999999999-5", "pathgauge-x-y"
    root = tree(tmp_path, MOUNT_1, "4:cpu:/\n", f"cg/cpu/{ended}/0", f"cg/cpu/{own_name()}", f"cg/cpu/{other}")
    assert remove_left(root) == [str(tmp_path / "cg/cpu" / ended)]
    assert sorted(os.listdir(tmp_path / "cg/cpu")) == sorted([own_name(), other])


def test_throttling_is_that_of_every_thread(tmp_path: Path) -> None:
    root = tree(tmp_path, MOUNT_1, "4:cpu:/\n", "cg/cpu/a", "proc/7/task/7", "proc/7/task/8")
    (root / "proc/7/task/7/cgroup").write_text("4:cpu:/\n")
    (root / "proc/7/task/8/cgroup").write_text("4:cpu:/a\n")
    (root / "cg/cpu/cpu.stat").write_text("nr_throttled 1\n")
    (root / "cg/cpu/a/cpu.stat").write_text("nr_throttled 5\n")
    assert throttling(root, 7).rising["quota.throttled"] == 6
