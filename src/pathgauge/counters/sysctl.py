"""Sysctls that change what a network carries: all of the network's own folders, so that a new kernel's are there, too.

/proc/sys/net shows those of the namespace that the reading thread is in. Global ones (netdev_max_backlog, tcp_mem in
pages, the limits of the neighbour tables) show in the first namespace only, and are the machine's.
"""

import os
from pathlib import Path

from pathgauge.counters.text import read_line

ROOT = Path("/proc/sys")

# Secrets, levels that move by themselves, and what is made up at random for each namespace.
_LEFT_OUT = ("_key", "_secret", "_seed", "_count", "flowlabel_state_ranges", "base_reachable_time", "stable_secret")
_FOLDERS = (
    "net/core",
    "net/ipv4",
    "net/ipv4/route",
    "net/ipv4/conf/all",
    "net/ipv4/neigh/default",
    "net/ipv6",
    "net/ipv6/route",
    "net/ipv6/conf/all",
    "net/ipv6/neigh/default",
    "net/bridge",
    "net/netfilter",
    "net/mptcp",
)
_OF_DEVICES = ("net/ipv4/conf", "net/ipv4/neigh", "net/ipv6/conf", "net/ipv6/neigh")
_MACHINE = (
    "net/core/netdev_max_backlog",
    "net/core/netdev_budget",
    "net/core/netdev_budget_usecs",
    "net/core/dev_weight",
    "net/core/default_qdisc",
    "net/core/rps_sock_flow_entries",
    "net/core/busy_poll",
    "net/core/busy_read",
    "net/core/gro_normal_batch",
    "net/core/bpf_jit_enable",
    "net/ipv4/tcp_mem",
    "net/ipv4/udp_mem",
    "net/ipv4/neigh/default/gc_thresh1",
    "net/ipv4/neigh/default/gc_thresh2",
    "net/ipv4/neigh/default/gc_thresh3",
    "net/ipv6/neigh/default/gc_thresh3",
    "net/netfilter/nf_conntrack_max",
    "net/netfilter/nf_conntrack_buckets",
    "kernel/numa_balancing",
    "kernel/sched_autogroup_enabled",
    "kernel/sched_rt_runtime_us",
    "kernel/timer_migration",
    "kernel/nmi_watchdog",
    "kernel/ftrace_enabled",
)
_MOST_FILES = 4096


def namespace_sysctls(root: Path = ROOT) -> dict[str, str]:
    """`sysctl.net.ipv4.tcp_wmem` and so on of the namespace this thread is in, each blank made one space."""
    return {
        f"sysctl.{folder}/{name}".replace("/", "."): text
        for folder in _FOLDERS
        for name, text in _files(root / folder).items()
    }


def device_sysctls(device: str, root: Path = ROOT) -> dict[str, str]:
    """`sysctl.ipv4.conf.rp_filter`, `sysctl.ipv4.neigh.gc_stale_time` and so on of one device of the namespace; not its
    MTU, which is the device's own.
    """
    return {
        f"sysctl.{folder}.{name}".replace("net/", "").replace("/", "."): text
        for folder in _OF_DEVICES
        for name, text in _files(root / folder / device).items()
        if name != "mtu"
    }


def machine_sysctls(root: Path = ROOT) -> dict[str, str]:
    """The global ones of the network, as far as this namespace shows them, and those of the scheduler."""
    found = {f"sysctl.{name}".replace("/", "."): read_line(root / name) for name in _MACHINE}
    return {name: text for name, text in found.items() if text is not None}


def _files(folder: Path) -> dict[str, str]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False))
    except OSError:
        return {}
    found = {name: read_line(folder / name) for name in names[:_MOST_FILES] if not name.endswith(_LEFT_OUT)}
    return {name: text for name, text in found.items() if text is not None}
