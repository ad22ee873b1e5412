"""What this machine can do for a comparison, and what disturbs one, each with the command that mends it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pathgauge.counters.cgroup import cpu_quota
from pathgauge.counters.cpu import MachineCpu, MachineCpuReader, difference
from pathgauge.errors import MachineError, PathgaugeError
from pathgauge.results.environment import ROOT, governor, read_text, virtualization

Status = Literal["ok", "missing", "warning"]

SAMPLE_SECONDS = 0.5
MOST_STEAL = 0.01  # of the machine's CPU time
MOST_OTHER_LOAD = 0.1  # CPUs
_PROBE_TIMEOUT = 20.0

# What keeps a user from making user namespaces: the file, the value that does it, the command that mends it.
_NAMESPACE_BARS = (
    ("proc/sys/kernel/unprivileged_userns_clone", "0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
    (
        "proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    ("proc/sys/user/max_user_namespaces", "0", "sudo sysctl user.max_user_namespaces=15000"),
)

_AGAIN = "pathgauge calibrate --keep"
_AS_ROOT = 'sudo "$(command -v pathgauge)" compare host macvlan'

# Where turbo can be switched: the file, the value it has while turbo is on, the command that switches it off.
_TURBO_SWITCHES = (
    (
        "sys/devices/system/cpu/intel_pstate/no_turbo",
        "0",
        "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo",
    ),
    ("sys/devices/system/cpu/cpufreq/boost", "1", "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `missing`: the machine cannot do it; `warning`: it disturbs measurements or is not known.

    `mend` is a command for a shell, or a sentence where no command helps, or "". Without an `essential` one there is no
    comparison.
    """

    name: str
    status: Status
    detail: str
    mend: str = ""
    essential: bool = False


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What the machine did while pathgauge slept: CPU times, CPUs that others used, pages swapped."""

    cpu: MachineCpu
    other_load: float
    pages_swapped: int


def examine(root: Path = ROOT) -> list[Finding]:
    """All findings, what the machine can do first. Takes about a second; builds labs of its own and takes them down."""
    disturbance = observe(SAMPLE_SECONDS, root)  # first, before our own probes make a load
    privileges = examine_privileges(root)
    findings = [examine_engine(), privileges]
    if privileges.status == "missing":
        findings.append(Finding("path kinds", "warning", "not tried: that takes the privileges above"))
    else:
        findings.extend(examine_kinds())
        findings.append(examine_shaping())
    findings.append(examine_cycles(root))
    findings.append(examine_uring())
    findings.append(examine_congestion(root))
    findings.append(examine_tls())
    findings.extend(examine_cpus(root))
    findings.extend(examine_disturbance(disturbance, virtualization(root)))
    findings.append(examine_taps(root))
    findings.append(examine_calibration())
    return findings


def comparison_possible(findings: Sequence[Finding]) -> bool:
    """Whether a comparison can be run here."""
    return not any(finding.essential and finding.status == "missing" for finding in findings)


def examine_engine() -> Finding:
    """Whether the native loops load, and what they cost by themselves: subtracted nowhere, so to be known."""
    try:
        from pathgauge import _native
    except ImportError as error:
        return Finding("engine", "missing", f"the native loops do not load: {error}", _reinstall(), essential=True)
    cost = _native.own_cost()
    own = 2 * cost.clock_ns + cost.record_ns + 2 * cost.message_ns
    detail = (
        f"a message takes the loop {cost.message_ns:.1f} ns, a transaction {own:.0f} ns (two clocks of "
        f"{cost.clock_ns:.0f} ns, {cost.record_ns:.1f} ns for the histogram), a kernel call {cost.call_ns:.0f} ns; "
        f"one CPU copies {cost.copy_rate / 1e9:.1f} GB/s"
    )
    return Finding("engine", "ok", detail, essential=True)


def examine_privileges(root: Path = ROOT) -> Finding:
    """Whether labs can be built: as root, or in a user namespace."""
    try:
        from pathgauge.paths import namespaces
    except ImportError as error:
        return Finding("privileges", "warning", f"not known: {error}", _reinstall(), essential=True)
    if namespaces.is_root_capable():
        return Finding("privileges", "ok", "labs in the real user namespace (root's capabilities)", essential=True)
    # A process of its own: one that has entered a user namespace does not come back.
    probe = [sys.executable, "-P", "-m", "pathgauge.paths.namespaces", "probe"]
    try:
        done = subprocess.run(probe, capture_output=True, timeout=_PROBE_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("privileges", "warning", f"not known: the probe of user namespaces failed ({error})")
    if done.returncode == 0:
        return Finding("privileges", "ok", "labs in a user namespace (rootless)", essential=True)
    mends = [mend for path, bar, mend in _NAMESPACE_BARS if read_text(root / path) == bar]
    detail = "neither root's capabilities nor user namespaces"
    return Finding("privileges", "missing", detail, " && ".join(mends) or _AS_ROOT, essential=True)


def examine_kinds() -> list[Finding]:
    """Whether each kind of path can be built, by building it."""
    try:
        from pathgauge.paths import registry

        reasons = registry.probe_kinds()
    except (PathgaugeError, ImportError) as error:
        return [Finding("path kinds", "missing", f"none can be built: {error}", _mend_of(error), essential=True)]
    findings = []
    for kind, reason in reasons.items():
        # Every path needs the wire that `host` is made of; another kind only itself.
        essential = kind == "host"
        if reason is None:
            findings.append(Finding(f"path {kind}", "ok", "can be built", essential=essential))
        else:
            mend = f"sudo modprobe {'veth' if essential else kind}"
            findings.append(Finding(f"path {kind}", "missing", reason, mend, essential=essential))
    return findings


def examine_shaping() -> Finding:
    """Whether a wire can be shaped, by shaping one."""
    try:
        from pathgauge.paths.lab import Lab
        from pathgauge.paths.spec import parse_paths
        from pathgauge.paths.types import WireSpec

        with Lab.build(parse_paths(["host"]), WireSpec(rate=1_000_000_000)):
            return Finding("wire shaping", "ok", "tbf works")
    except (PathgaugeError, ImportError) as error:
        return Finding("wire shaping", "missing", f"{error}", _mend_of(error) or "sudo modprobe sch_tbf")


def examine_calibration() -> Finding:
    """What `pathgauge calibrate --keep` found here last."""
    try:
        from pathgauge.results.calibration import kept
    except ImportError as error:
        return Finding("calibration", "warning", f"not known: {error}", _reinstall())
    found = kept()
    if found is None:
        return Finding("calibration", "ok", "none kept here", _AGAIN)
    claims = f"{found.false_claims.count} of {found.false_claims.of} without a difference were called different"
    shown = f"{found.found.count} of {found.found.of} known effects were found"
    status: Status = "ok" if found.trusted else "warning"
    return Finding("calibration", status, f"{found.created[:10]}: {claims}, {shown}", "" if found.trusted else _AGAIN)


def examine_cycles(root: Path = ROOT) -> Finding:
    """Whether the machine's CPU cycles can be counted."""
    from pathgauge.counters.perf import why_no_cycles

    reason = why_no_cycles()
    if not reason:
        return Finding("CPU cycles", "ok", "of the whole machine, kernel and user")
    paranoid = read_text(root / "proc/sys/kernel/perf_event_paranoid") or ""
    refused = os.geteuid() != 0 and paranoid.isdecimal() and int(paranoid) > 0
    return Finding("CPU cycles", "missing", reason, "sudo sysctl kernel.perf_event_paranoid=0" if refused else "")


def examine_uring() -> Finding:
    """Whether streams can be sent and received through io_uring."""
    try:
        from pathgauge.endpoints import uring

        uring.require()
    except (MachineError, ImportError) as error:
        return Finding("io_uring", "missing", str(error), _mend_of(error))
    return Finding("io_uring", "ok", "can be used")


def examine_congestion(root: Path = ROOT) -> Finding:
    """The congestion controls there are."""
    folder = root / "proc/sys/net/ipv4"
    available = read_text(folder / "tcp_available_congestion_control")
    default = read_text(folder / "tcp_congestion_control")
    if available is None:
        return Finding("congestion control", "warning", "those available are not known", "mount -t proc proc /proc")
    return Finding("congestion control", "ok", f"{', '.join(available.split())}; default {default or 'unknown'}")


def examine_tls() -> Finding:
    """Whether the kernel can encrypt."""
    from pathgauge.endpoints.tls import why_none

    reason = why_none()
    if reason is None:
        return Finding("TLS", "ok", "in the kernel: --tls")
    return Finding("TLS", "missing", reason, "sudo modprobe tls")


def examine_cpus(root: Path = ROOT) -> Iterator[Finding]:
    """How many CPUs, at which speed, under which quota."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) > 1:
        yield Finding("CPUs", "ok", f"{len(cpus)} allowed: client and server each get their own")
    else:
        mend = (
            "taskset --all-tasks --cpu-list --pid 0-1 $$"
            if (os.cpu_count() or 1) > 1
            else "Give the machine a second CPU."
        )
        yield Finding("CPUs", "warning", "1 allowed: client and server take turns on it", mend)
    name = governor(cpus, root)
    if name in (None, "performance"):
        yield Finding("governor", "ok", name or "none: the kernel does not scale the frequency")
    else:
        mend = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        yield Finding("governor", "warning", f"{name}: the frequency follows the load", mend)
    for path, on, mend in _TURBO_SWITCHES:
        if read_text(root / path) == on:
            yield Finding("turbo", "warning", "on: the frequency depends on heat and on the other CPUs", mend)
    quota = cpu_quota(root)
    if quota is None:
        yield Finding("CPU quota", "ok", "none shows")
    else:
        mend = "Run pathgauge outside of that cgroup, or raise its quota (cpu.max, cpu.cfs_quota_us)."
        yield Finding("CPU quota", "warning", f"a cgroup stalls this process beyond {quota:.2f} CPUs", mend)


def observe(seconds: float, root: Path = ROOT) -> Disturbance | None:
    """Sleeps, and tells what others did meanwhile; None where /proc/stat cannot be read."""
    try:
        with MachineCpuReader(str(root / "proc/stat")) as reader:
            cpu, own, swapped, start = reader.read(), _own_seconds(), _pages_swapped(root), time.monotonic()
            time.sleep(seconds)
            spent, elapsed = difference(cpu, reader.read()), time.monotonic() - start
            other = max(0.0, spent.busy - (_own_seconds() - own)) / elapsed
            return Disturbance(spent, other, _pages_swapped(root) - swapped)
    except MachineError:
        return None


def examine_disturbance(seen: Disturbance | None, machine: str | None) -> Iterator[Finding]:
    """Judges what `observe` saw on a machine of this virtualization."""
    if seen is None:
        yield Finding("other load", "warning", "not known: /proc/stat cannot be read", "mount -t proc proc /proc")
        return
    total = seen.cpu.busy + seen.cpu.idle + seen.cpu.steal
    steal = seen.cpu.steal / total if total > 0 else 0.0
    shown = f"{100 * steal:.1f} % of the CPU time went to other virtual machines"
    if steal > MOST_STEAL:
        yield Finding("steal", "warning", shown, "Give this virtual machine CPUs of its own (on its host).")
    else:
        yield Finding("steal", "ok", "none: no virtual machine" if machine == "none" else shown)
    shown = f"{100 * seen.other_load:.0f} % of a CPU over {SAMPLE_SECONDS} s"
    if seen.other_load > MOST_OTHER_LOAD:
        yield Finding("other load", "warning", shown, "ps -eo pcpu,pid,comm --sort=-pcpu | head")
    else:
        yield Finding("other load", "ok", shown)
    if seen.pages_swapped:
        shown = f"{seen.pages_swapped} pages went in or out over {SAMPLE_SECONDS} s"
        yield Finding("swap", "warning", shown, "ps -eo rss,pid,comm --sort=-rss | head")
    else:
        yield Finding("swap", "ok", "quiet")


def examine_taps(root: Path = ROOT) -> Finding:
    """Packet sockets (tcpdump, some DHCP clients): they cost every packet a time stamp or a copy."""
    text = read_text(root / "proc/net/packet")
    if text is None:
        return Finding("packet taps", "ok", "none: no packet sockets here")
    taps = len(text.splitlines()) - 1
    if taps == 0:
        return Finding("packet taps", "ok", "none in this namespace")
    return Finding("packet taps", "warning", f"{taps} packet sockets listen in this namespace", "sudo ss -0np")


def _own_seconds() -> float:
    return sum(os.times()[:4])


def _pages_swapped(root: Path) -> int:
    pages = 0
    for line in (read_text(root / "proc/vmstat") or "").splitlines():
        match line.split():
            case ["pswpin" | "pswpout", count] if count.isdecimal():
                pages += int(count)
    return pages


def _mend_of(error: Exception) -> str:
    return _reinstall() if isinstance(error, ImportError) else getattr(error, "hint", "")


def _reinstall() -> str:
    return f"{sys.executable} -m pip install --force-reinstall pathgauge"
