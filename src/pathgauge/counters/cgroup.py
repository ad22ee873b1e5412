"""The CPU quota that cgroups put on a process, and how often it stood still for it; of both versions."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pathgauge.counters.reading import Counters
from pathgauge.counters.text import number

ROOT = Path("/")

# Of cpu.stat in a group's folder: our name, and what one of the kernel's unit is in ours (microseconds).
_THROTTLING = {
    "nr_periods": ("quota.periods", 1),
    "nr_throttled": ("quota.throttled", 1),
    "throttled_usec": ("quota.throttled_us", 1),
    "throttled_time": ("quota.throttled_us", 1000),  # version 1 has ns
    "nr_bursts": ("quota.bursts", 1),
}


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A mounted hierarchy of control groups (version 1 or 2) that governs CPUs: its `top`, and a process's own group in
    it, as folders.
    """

    version: int
    top: Path
    group: Path

    def groups(self) -> list[Path]:
        """From the process's own up to the mount."""
        parts = self.group.relative_to(self.top).parts
        return [self.top.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]


def cpu_quota(root: Path = ROOT, process: int | str = "self") -> float | None:
    """The tightest quota on a process or a group above it, in CPUs; None where there is none or it does not show."""
    quotas = [quota for folder in _groups(root, process) if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def throttling(root: Path = ROOT, process: int | str = "self") -> Counters:
    """Periods with a quota, those in which it was used up, and the time stood still (us), over the groups of the
    process's threads and those above them. A group's numbers are of all its processes and CPUs.
    """
    sums: dict[str, int] = {}
    tasks: list[str | int] = [f"{process}/task/{each.name}" for each in (root / f"proc/{process}/task").glob("[0-9]*")]
    groups = dict.fromkeys(folder for task in tasks or [process] for folder in _groups(root, task))
    for folder in groups:
        for line in _lines(folder / "cpu.stat"):
            word, _, digits = line.partition(" ")
            value = number(digits.strip().encode())
            if word in _THROTTLING and value is not None:
                name, divisor = _THROTTLING[word]
                sums[name] = sums.get(name, 0) + value // divisor
    return Counters(sums)


def _groups(root: Path, process: int | str) -> list[Path]:
    """The folders of a process's cpu control groups, from its own up to the mount, in every hierarchy."""
    return [folder for hierarchy in cpu_hierarchies(root, process) for folder in hierarchy.groups()]


def cpu_hierarchies(root: Path = ROOT, process: int | str = "self") -> list[Hierarchy]:
    """The mounted hierarchies that govern CPUs, or may (version 2); `process` as it is named in /proc."""
    memberships = _memberships(_lines(root / f"proc/{process}/cgroup"))
    found: list[Hierarchy] = []
    for line in _lines(root / "proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        match left.split(), right.split():
            case [[_, _, _, mounted, mount, *_], ["cgroup2" | "cgroup" as kind, _, options]]:
                group = memberships.get(kind)
                if group is not None and (kind == "cgroup2" or "cpu" in options.split(",")):
                    parts = _parts_below(PurePosixPath(group), PurePosixPath(_unescape(mounted)))
                    top = root / _unescape(mount).lstrip("/")
                    found.append(Hierarchy(2 if kind == "cgroup2" else 1, top, top.joinpath(*parts)))
    return found


def _parts_below(group: PurePosixPath, mounted: PurePosixPath) -> tuple[str, ...]:
    """Steps from the mounted group to the process's; none where it lies outside (another cgroup namespace)."""
    inside = group.is_relative_to(mounted) and ".." not in group.parts
    return group.relative_to(mounted).parts if inside else ()


def _memberships(lines: list[str]) -> dict[str, str]:
    """Kind of hierarchy -> the process's group in it."""
    found: dict[str, str] = {}
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0" and not controllers:
            found["cgroup2"] = group
        elif "cpu" in controllers.split(","):
            found["cgroup"] = group
    return found


def _quota(folder: Path) -> float | None:
    """One group's own quota in CPUs."""
    words = " ".join(_lines(folder / "cpu.max")).split()
    if not words:
        words = _lines(folder / "cpu.cfs_quota_us") + _lines(folder / "cpu.cfs_period_us")
    match words:
        case [quota, period] if quota.isdecimal() and period.isdecimal() and int(period) > 0:
            return int(quota) / int(period)
    return None  # "max", or -1: no quota


def _unescape(text: str) -> str:
    """The kernel writes blanks, tabs, newlines and backslashes of paths in octal."""
    for code in ("040", "011", "012", "134"):
        text = text.replace(f"\\{code}", chr(int(code, 8)))
    return text


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
