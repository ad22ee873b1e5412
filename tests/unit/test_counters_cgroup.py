"""CPU quotas of cgroups, on made-up trees."""

from pathlib import Path

import pytest

from pathgauge.counters.cgroup import cpu_quota


def tree(root: Path, *, groups: str, mounts: str, files: dict[str, str]) -> Path:
    for name, text in {"proc/self/cgroup": groups, "proc/self/mountinfo": mounts, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


UNIFIED = "30 23 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
SPLIT = (
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
)


@pytest.mark.parametrize(
    ("own", "above", "quota"), [("max", "50000", 0.5), ("20000", "max", 0.2), ("max", "max", None)]
)
def test_version_2_takes_the_tightest_on_the_way_up(tmp_path: Path, own: str, above: str, quota: float | None) -> None:
    files = {"sys/fs/cgroup/a/b/cpu.max": f"{own} 100000\n", "sys/fs/cgroup/a/cpu.max": f"{above} 100000\n"}
    assert cpu_quota(tree(tmp_path, groups="0::/a/b\n", mounts=UNIFIED, files=files)) == quota


@pytest.mark.parametrize(("micros", "quota"), [("150000", 1.5), ("-1", None)])
def test_version_1(tmp_path: Path, micros: str, quota: float | None) -> None:
    files = {
        "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": f"{micros}\n",
        "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpuset/job/cpu.cfs_quota_us": "1\n",
        "sys/fs/cgroup/cpuset/job/cpu.cfs_period_us": "100000\n",
    }
    groups = "4:cpuset:/job\n3:cpu,cpuacct:/job\n0::/\n"
    assert cpu_quota(tree(tmp_path, groups=groups, mounts=SPLIT, files=files)) == quota


def test_inside_a_container_whose_mount_begins_at_its_own_group(tmp_path: Path) -> None:
    mounts = "30 23 0:27 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
    files = {"sys/fs/cgroup/cpu.max": "100000 100000\n", "sys/fs/cgroup/in/cpu.max": "max 100000\n"}
    assert cpu_quota(tree(tmp_path, groups="0::/docker/x/in\n", mounts=mounts, files=files)) == 1.0


@pytest.mark.parametrize("group", ["/../other", "/elsewhere"])
def test_a_group_outside_of_the_mount_falls_back_to_the_mount(tmp_path: Path, group: str) -> None:
    mounts = "30 23 0:27 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
    files = {"sys/fs/cgroup/cpu.max": "300000 100000\n"}
    assert cpu_quota(tree(tmp_path, groups=f"0::{group}\n", mounts=mounts, files=files)) == 3.0


def test_a_mount_point_with_a_blank(tmp_path: Path) -> None:
    mounts = UNIFIED.replace("/sys/fs/cgroup", "/sys/fs/c\\040g")
    assert cpu_quota(tree(tmp_path, groups="0::/\n", mounts=mounts, files={"sys/fs/c g/cpu.max": "1 2\n"})) == 0.5


@pytest.mark.parametrize("text", ["", "max", "x y\n", "1000 0\n", "1 2 3\n"])
def test_nonsense_is_no_quota(tmp_path: Path, text: str) -> None:
    assert cpu_quota(tree(tmp_path, groups="0::/\n", mounts=UNIFIED, files={"sys/fs/cgroup/cpu.max": text})) is None


def test_a_machine_without_cgroups(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) is None
