"""The machine that a result was measured on, and what is installed there.

Every item is found on its own: what cannot be known is None, "unknown", or left out. Documents are shared, so there are
no names of hosts or users, addresses or serial numbers in it.
"""

import os
import platform
from pathlib import Path

from pathgauge.results.document import Environment

ROOT = Path("/")

# Those that change what a path can carry, in the namespace that pathgauge was started in: new ones take over most.
SYSCTLS = (
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_autocorking",
    "net.ipv4.tcp_limit_output_bytes",
    "net.ipv4.tcp_notsent_lowat",
    "net.ipv4.tcp_no_metrics_save",
    "net.ipv4.tcp_moderate_rcvbuf",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_window_scaling",
    "net.ipv4.tcp_ecn",
    "net.ipv4.udp_mem",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "net.core.netdev_max_backlog",
    "net.core.netdev_budget",
    "net.core.netdev_budget_usecs",
    "net.core.default_qdisc",
    "net.core.busy_poll",
    "net.core.busy_read",
    "net.core.rps_sock_flow_entries",
    "net.bridge.bridge-nf-call-iptables",
    "net.bridge.bridge-nf-call-ip6tables",
)

# What the firmware's vendor and product strings begin with, and whose virtual machine it is then. Only these names go
# into the document, never the strings.
_FIRMWARE = {
    "KVM": "kvm",
    "QEMU": "qemu",
    "VMware": "vmware",
    "VMW": "vmware",
    "innotek GmbH": "virtualbox",
    "VirtualBox": "virtualbox",
    "Xen": "xen",
    "Bochs": "bochs",
    "Parallels": "parallels",
    "BHYVE": "bhyve",
    "Virtual Machine": "hyperv",
    "Amazon EC2": "kvm",
    "Google Compute Engine": "kvm",
    "OpenStack": "kvm",
    "Apple Virtualization": "apple",
}
_BARE_METAL_PRODUCT = ".metal"  # Amazon's machines without a hypervisor bear the same vendor
_CLOCKSOURCE = "sys/devices/system/clocksource/clocksource0"
_CLOCKS = {"kvm-clock": "kvm", "hyperv_clocksource": "hyperv", "xen": "xen"}


def collect(*, rootless: bool, cycles: bool, root: Path = ROOT) -> Environment:
    """What this machine is. `root` is the tree to read /proc, /sys and the like from."""
    cpus_allowed = sorted(os.sched_getaffinity(0))
    return Environment(
        kernel=os.uname().release,
        machine=os.uname().machine,
        distribution=_distribution(root) or "unknown",
        cpu_model=_cpu_model(root) or "unknown",
        cpus=os.cpu_count() or len(cpus_allowed),
        cpus_allowed=cpus_allowed,
        memory_bytes=_memory_bytes(root),
        virtualization=virtualization(root),
        governor=governor(cpus_allowed, root),
        clocksource=read_text(root / _CLOCKSOURCE / "current_clocksource"),
        rootless=rootless,
        cycles=cycles,
        sysctls=_sysctls(root),
        versions=_versions(),
    )


def read_text(path: Path) -> str | None:
    """The stripped text of a small file; None if there is none, it is not readable, or it is empty."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \t\n") or None
    except OSError:
        return None


def governor(cpus: list[int], root: Path = ROOT) -> str | None:
    """The frequency governor of these CPUs, several joined by commas; None where the kernel scales none of them."""
    folder = root / "sys/devices/system/cpu"
    found = {read_text(folder / f"cpu{cpu}/cpufreq/scaling_governor") for cpu in cpus}
    return ",".join(sorted(name for name in found if name)) or None


def virtualization(root: Path = ROOT) -> str | None:
    """Whose virtual machine this is: "unknown" is one of another make, "none" is no such; None if it does not show."""
    dmi = [read_text(root / "sys/class/dmi/id" / name) or "" for name in ("product_name", "sys_vendor", "bios_vendor")]
    flags = _cpuinfo(root, "flags")
    hypervisor = None if flags is None else "hypervisor" in flags.split()
    if hypervisor is False:
        return "none"
    if (root / "proc/xen").is_dir() or read_text(root / "sys/hypervisor/type") == "xen":
        return "xen"
    if not dmi[0].endswith(_BARE_METAL_PRODUCT):
        for text in dmi:
            for beginning, name in _FIRMWARE.items():
                if text.startswith(beginning):
                    return name
    for clock in (read_text(root / _CLOCKSOURCE / "available_clocksource") or "").split():
        for beginning, name in _CLOCKS.items():
            if clock.startswith(beginning):
                return name
    return "unknown" if hypervisor else None


def _cpuinfo(root: Path, key: str) -> str | None:
    """The first value of a key of /proc/cpuinfo."""
    for line in (read_text(root / "proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None


def _cpu_model(root: Path) -> str | None:
    for key in ("model name", "uarch", "cpu model", "Model"):
        model = _cpuinfo(root, key)
        if model:
            return model
    implementer, part = _cpuinfo(root, "CPU implementer"), _cpuinfo(root, "CPU part")
    return f"implementer {implementer}, part {part}" if implementer and part else None


def _memory_bytes(root: Path) -> int | None:
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        match line.split():
            case ["MemTotal:", kib, "kB"] if kib.isdecimal():
                return int(kib) * 1024
    return None


def _distribution(root: Path) -> str | None:
    for name in ("etc/os-release", "usr/lib/os-release"):
        for line in (read_text(root / name) or "").splitlines():
            key, _, value = line.partition("=")
            if key == "PRETTY_NAME":
                return value.strip().strip("\"'") or None
    return None


def _sysctls(root: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in SYSCTLS:
        value = read_text(root / "proc/sys" / name.replace(".", "/"))
        if value is not None:
            found[name] = " ".join(value.split())
    return found


def _versions() -> dict[str, str]:
    from importlib import metadata

    versions = {"python": platform.python_version(), "kernel": os.uname().release}
    for name in ("pathgauge", "pyroute2", "msgspec"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "unknown"
    return versions
