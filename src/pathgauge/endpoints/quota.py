"""CPU quotas for single threads of a process: control groups of its own, which are removed when it is gone.

Version 1 takes a thread into any group. Version 2 takes it into a threaded group below one that holds its process,
which is made at the top of the hierarchy, as no other group that has processes may have groups below it.

A process cannot remove the groups it is in, and may be killed. So a process of its own watches over them,
`python -P -m pathgauge.endpoints.quota`, which removes them when its standard input closes.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pathgauge.counters.cgroup import ROOT, cpu_hierarchies
from pathgauge.errors import MissingFeature, MissingPrivilege
from pathgauge.paths.journal import identify

PERIOD_US = 100_000
_PREFIX = "pathgauge-"
_DYING_SECONDS = 1.0  # that the last of a process may take


@dataclass(slots=True)
class Quotas:
    """The groups of this process, by whom they are for. `root` is where the file systems are mounted."""

    root: Path = ROOT
    folder: Path | None = None
    groups: dict[int, Path] = field(default_factory=dict)
    members: str = "tasks"
    watch: subprocess.Popen[bytes] | None = None

    def make(self, key: int, cpus: float) -> Path:
        """A new group of at most so many CPUs' time. Raises MissingFeature and MissingPrivilege."""
        try:
            parent = self.folder = self.folder or self._begin()
            group = parent / str(key)
            group.mkdir(exist_ok=True)  # the thread of the last one may not be quite gone
            self.groups[key] = group
            quota = round(cpus * PERIOD_US)
            if self.members == "tasks":
                _write(group / "cpu.cfs_period_us", PERIOD_US)
                _write(group / "cpu.cfs_quota_us", quota)
            else:
                _write(group / "cgroup.type", "threaded")
                _write(parent / "cgroup.subtree_control", "+cpu")
                _write(group / "cpu.max", f"{quota} {PERIOD_US}")
        except OSError as error:
            raise MissingPrivilege(
                f"a CPU quota cannot be set here: {error.filename or 'its control group'}: {error.strerror}",
                hint="run it as root (sudo), or leave out local-quota and remote-quota",
            ) from error
        return group

    def join(self, group: Path) -> None:
        """Put the calling thread into a group. Raises OSError."""
        _write(group / self.members, threading.get_native_id())

    def remove(self, key: int) -> None:
        """Remove a group whose threads have ended, if there is one."""
        group = self.groups.pop(key, None)
        if group is not None:
            _remove(group)

    def close(self) -> None:
        """Remove what can be removed, and wait until that is done."""
        if self.watch is not None:
            self.watch.communicate()

    def _begin(self) -> Path:
        """The folder of this process's groups."""
        remove_left(self.root)
        hierarchies = cpu_hierarchies(self.root)
        if not hierarchies:
            raise MissingFeature(
                "this machine has no control groups for CPUs",
                hint="mount -t cgroup2 cgroup2 /sys/fs/cgroup, or leave out local-quota and remote-quota",
            )
        chosen = min(hierarchies, key=lambda each: each.version)  # where both have a cpu controller, it is the first's
        own = identify(os.getpid())
        name = f"{_PREFIX}{os.getpid()}-{own.start if own else 0}"
        if chosen.version == 1:
            return self._new_folder(chosen.group / name)
        self.members = "cgroup.threads"
        if "cpu" not in (chosen.top / "cgroup.subtree_control").read_text().split():
            raise MissingFeature(
                f"the control groups below {chosen.top} have no CPU quotas",
                hint=f"echo +cpu | sudo tee {chosen.top}/cgroup.subtree_control",
            )
        folder = self._new_folder(chosen.top / name)
        _write(folder / "cgroup.procs", os.getpid())
        return folder

    def _new_folder(self, folder: Path) -> Path:
        folder.mkdir()
        command = [sys.executable, "-P", "-m", __spec__.name]
        self.watch = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        return folder


def remove_left(root: Path = ROOT, seconds: float = 0.0) -> list[str]:
    """Remove the groups whose process is gone, if it takes so many seconds to go. Returns what was removed."""
    removed: list[str] = []
    deadline = time.monotonic() + seconds
    while True:
        left = [folder for folder in _folders(root) if not _is_owned(folder)]
        for folder in left:
            for group in _below(folder):
                _remove(group)
            if _remove(folder):
                removed.append(str(folder))
        if time.monotonic() >= deadline or not any(True for _ in _folders(root)):
            return removed
        time.sleep(0.02)


def _folders(root: Path) -> Iterator[Path]:
    for hierarchy in cpu_hierarchies(root):
        parent = hierarchy.group if hierarchy.version == 1 else hierarchy.top
        if os.access(parent, os.W_OK):
            yield from (folder for folder in _below(parent) if folder.name.startswith(_PREFIX))


def _below(group: Path) -> list[Path]:
    """The groups right below one; none if another has removed it in the meantime."""
    try:
        with os.scandir(group) as entries:
            return [Path(entry.path) for entry in entries if entry.is_dir()]
    except FileNotFoundError:
        return []


def _is_owned(folder: Path) -> bool:
    """Whether the process that a folder is named after lives; one with another name is somebody else's."""
    pid, _, start = folder.name.removeprefix(_PREFIX).partition("-")
    if not (pid.isdecimal() and start.isdecimal()):
        return True
    found = identify(int(pid))
    return found is not None and found.start == int(start)


def _remove(group: Path) -> bool:
    """False where it has threads yet, or may not be removed."""
    with suppress(OSError):
        group.rmdir()
        return True
    return False


def _write(file: Path, text: object) -> None:
    """An error of the kernel's names the file."""
    try:
        file.write_text(f"{text}\n", encoding="ascii")
    except OSError as error:
        error.filename = str(file)
        raise


if __name__ == "__main__":
    sys.stdin.buffer.read()
    remove_left(seconds=_DYING_SECONDS)
