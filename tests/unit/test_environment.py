"""The description of the machine, on made-up trees and on this one."""

import os
import socket
from pathlib import Path

import msgspec
import pytest

from pathgauge.results.document import Environment
from pathgauge.results.environment import collect, governor, read_text, virtualization


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


CLOCKS = "sys/devices/system/clocksource/clocksource0"


def test_an_empty_tree_leaves_everything_unknown_and_fails_nothing(tmp_path: Path) -> None:
    found = collect(rootless=True, cycles=False, root=tmp_path)
    assert found.kernel == os.uname().release
    assert (found.distribution, found.cpu_model) == ("unknown", "unknown")
    assert (found.memory_bytes, found.virtualization, found.governor, found.clocksource) == (None, None, None, None)
    assert found.sysctls == {}
    assert found.rootless
    assert not found.cycles


def test_each_item_comes_from_its_file(tmp_path: Path) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    files = {
        "etc/os-release": 'NAME="X"\nPRETTY_NAME="Example GNU/Linux 9"\n',
        "proc/cpuinfo": "processor\t: 0\nmodel name\t: Example CPU @ 3 GHz\nflags\t\t: fpu tsc\n",
        "proc/meminfo": "MemTotal:        2048 kB\nMemFree: 1 kB\n",
        f"{CLOCKS}/current_clocksource": "tsc\n",
        "proc/sys/net/ipv4/tcp_rmem": "4096\t131072\t6291456\n",
        "proc/sys/net/core/default_qdisc": "fq_codel\n",
        **{f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor": "powersave\n" for cpu in cpus},
    }
    found = collect(rootless=False, cycles=True, root=tree(tmp_path, files))
    assert found.distribution == "Example GNU/Linux 9"
    assert found.cpu_model == "Example CPU @ 3 GHz"
    assert found.memory_bytes == 2048 * 1024
    assert found.virtualization == "none"
    assert found.governor == "powersave"
    assert found.clocksource == "tsc"
    assert found.sysctls == {"net.ipv4.tcp_rmem": "4096 131072 6291456", "net.core.default_qdisc": "fq_codel"}
    assert found.cpus_allowed == cpus


def test_this_machine_can_be_described_and_sent(tmp_path: Path) -> None:
    found = collect(rootless=False, cycles=False)
    assert found.memory_bytes is not None
    assert found.memory_bytes > 1 << 26
    assert found.cpus >= len(found.cpus_allowed) >= 1
    assert found.versions["python"].startswith("3.")
    assert {"pathgauge", "pyroute2", "kernel"} <= found.versions.keys()
    assert "net.ipv4.tcp_congestion_control" in found.sysctls
    assert msgspec.json.decode(msgspec.json.encode(found), type=Environment) == found


def test_nothing_in_it_names_the_host_or_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "sys/class/dmi/id/product_name": "Serial 1234 of host-of-somebody\n",
        "sys/class/dmi/id/sys_vendor": "host-of-somebody\n",
        "proc/sys/kernel/hostname": "host-of-somebody\n",
        "proc/version": "Linux (somebody@host-of-somebody)\n",
        "sys/class/net/eth0/address": "02:00:00:00:00:01\n",
    }
    monkeypatch.setenv("USER", "somebody")
    monkeypatch.setattr(socket, "gethostname", lambda: "host-of-somebody")
    text = msgspec.json.encode(collect(rootless=False, cycles=False, root=tree(tmp_path, files)))
    assert b"somebody" not in text
    assert b"1234" not in text
    assert b"02:00" not in text


GUEST = "flags\t: fpu hypervisor tsc\n"


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"proc/cpuinfo": "flags : fpu tsc\n", "sys/class/dmi/id/sys_vendor": "QEMU\n"}, "none"),
        ({"proc/cpuinfo": GUEST}, "unknown"),
        ({"proc/cpuinfo": GUEST, "sys/class/dmi/id/product_name": "KVM\n"}, "kvm"),
        ({"proc/cpuinfo": GUEST, "sys/class/dmi/id/sys_vendor": "VMware, Inc.\n"}, "vmware"),
        ({"proc/cpuinfo": GUEST, "sys/class/dmi/id/product_name": "VirtualBox\n"}, "virtualbox"),
        ({"proc/cpuinfo": GUEST, f"{CLOCKS}/available_clocksource": "tsc kvm-clock acpi_pm\n"}, "kvm"),
        ({"proc/cpuinfo": GUEST, f"{CLOCKS}/available_clocksource": "hyperv_clocksource_tsc_page\n"}, "hyperv"),
        ({"proc/cpuinfo": GUEST, "sys/hypervisor/type": "xen\n"}, "xen"),
        # Without x86's flag only positive evidence counts.
        ({"proc/cpuinfo": "CPU part : 0xd0c\n"}, None),
        ({"sys/class/dmi/id/sys_vendor": "Amazon EC2\n", "sys/class/dmi/id/product_name": "c7g.large\n"}, "kvm"),
        ({"sys/class/dmi/id/sys_vendor": "Amazon EC2\n", "sys/class/dmi/id/product_name": "c7g.metal\n"}, None),
    ],
)
def test_virtualization(tmp_path: Path, files: dict[str, str], name: str | None) -> None:
    assert virtualization(tree(tmp_path, files)) == name


def test_governors_of_the_cpus_asked_about_only(tmp_path: Path) -> None:
    folder = "sys/devices/system/cpu"
    names = {0: "performance", 1: "schedutil", 2: "powersave"}
    tree(tmp_path, {f"{folder}/cpu{cpu}/cpufreq/scaling_governor": f"{name}\n" for cpu, name in names.items()})
    assert governor([0], tmp_path) == "performance"
    assert governor([0, 1], tmp_path) == "performance,schedutil"
    assert governor([7], tmp_path) is None


def test_an_arm_processor_is_named_by_its_numbers(tmp_path: Path) -> None:
    text = "CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"
    found = collect(rootless=False, cycles=False, root=tree(tmp_path, {"proc/cpuinfo": text}))
    assert found.cpu_model == "implementer 0x41, part 0xd0c"


def test_read_text_never_raises(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\n")
    (tmp_path / "empty").write_bytes(b"\n")
    assert read_text(tmp_path / "bytes") == "\ufffd\ufffd"
    assert read_text(tmp_path / "empty") is None
    assert read_text(tmp_path / "none") is None
    assert read_text(tmp_path) is None
