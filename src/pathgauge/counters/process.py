"""One process's own counters, of all its threads that live: switches of context, time run and waited, faults, quota.

Threads that have ended take their switches and waits with them: compare readings between which none has.
"""

import os
from pathlib import Path

from pathgauge.counters.cgroup import ROOT, cpu_quota, throttling
from pathgauge.counters.reading import Counters, merged
from pathgauge.counters.text import number, read_line, read_whole, whole_lines

_SWITCHES = {b"voluntary_ctxt_switches": "voluntary_switches", b"nonvoluntary_ctxt_switches": "involuntary_switches"}
_SCHEDSTAT = ("run_ns", "wait_ns", "timeslices")
# Of /proc/<pid>/stat, counted after the command's name in brackets, from 0.
_FAULTS = {7: "minor_faults", 9: "major_faults"}
_TICKS = {11: "user_us", 12: "system_us"}
_THREADS, _LAST_CPU = 17, 36
_MOST_THREADS = 4096
_POLICIES = {0: "other", 1: "fifo", 2: "rr", 3: "batch", 5: "idle", 6: "deadline", 7: "ext"}


def process_counters(pid: int, root: Path = ROOT) -> Counters:
    """`voluntary_switches`, `involuntary_switches`, `run_ns`, `wait_ns` (ready, but not on a CPU), `timeslices`,
    `user_us`, `system_us`, `minor_faults`, `major_faults`, `quota.throttled_us` and so on. Nothing of a process that is
    gone or another user's.
    """
    folder = root / f"proc/{pid}"
    try:
        threads = sorted(os.listdir(folder / "task"))[:_MOST_THREADS]
    except OSError:
        return Counters()
    parts = [parse_stat(read_whole(folder / "stat"), os.sysconf("SC_CLK_TCK")), throttling(root, pid)]
    sums: dict[str, int] = {}
    for thread in threads:
        for reading in (
            parse_status(read_whole(folder / f"task/{thread}/status")),
            parse_schedstat(read_whole(folder / f"task/{thread}/schedstat")),
        ):
            for name, value in reading.items():
                sums[name] = sums.get(name, 0) + value
    return merged([*parts, Counters(sums)])


def process_settings(pid: int, root: Path = ROOT) -> dict[str, str]:
    """`cpus_allowed` (the kernel's list), `policy`, `nice`, `cpu_quota` (CPUs, or none), as far as they can be read."""
    settings: dict[str, str] = {}
    for line in whole_lines(read_whole(root / f"proc/{pid}/status")):
        head, _, rest = line.partition(b":")
        if head == b"Cpus_allowed_list":
            settings["cpus_allowed"] = rest.strip().decode("ascii", "replace")
    words = (read_line(root / f"proc/{pid}/stat") or "").rpartition(")")[2].split()
    nice, policy = 16, 38
    if len(words) > policy and words[policy].isdecimal():
        settings["nice"] = words[nice]
        settings["policy"] = _POLICIES.get(int(words[policy]), words[policy])
    if settings:
        quota = cpu_quota(root, pid)
        settings["cpu_quota"] = "none" if quota is None else f"{quota:g}"
    return settings


def parse_status(text: bytes) -> Counters:
    """The context switches of /proc/<pid>/task/<tid>/status. Raises nothing."""
    found: dict[str, int] = {}
    for line in whole_lines(text):
        head, _, rest = line.partition(b":")
        value = number(rest.strip())
        if head in _SWITCHES and value is not None:
            found[_SWITCHES[head]] = value
    return Counters(found)


def parse_schedstat(text: bytes) -> Counters:
    """A task's time on a CPU and ready without one, in ns, and its timeslices. Raises nothing."""
    words = text.split() if text.endswith(b"\n") else []
    values = [number(word) for word in words]
    if len(values) != len(_SCHEDSTAT):
        return Counters()
    return Counters({name: value for name, value in zip(_SCHEDSTAT, values, strict=True) if value is not None})


def parse_stat(text: bytes, ticks_per_second: int) -> Counters:
    """/proc/<pid>/stat: CPU time (us, in ticks of 10 ms as a rule), page faults; the number of threads and the last CPU
    as levels. Raises nothing.
    """
    words = text.rpartition(b")")[2].split() if text.endswith(b"\n") else []
    values = {index: value for index, word in enumerate(words) if (value := number(word)) is not None}
    rising = {name: values[index] for index, name in _FAULTS.items() if index in values}
    rising |= {name: values[index] * 1_000_000 // ticks_per_second for index, name in _TICKS.items() if index in values}
    levels = {"threads": _THREADS, "last_cpu": _LAST_CPU}
    return Counters(rising, {}, {name: values[index] for name, index in levels.items() if index in values})
