"""The machine's own counters and settings, the same for all paths: CPUs, interrupts, softirqs, backlogs, cycles."""

import os
from pathlib import Path

from pathgauge.counters.cpu import parse_kinds
from pathgauge.counters.held import Held
from pathgauge.counters.interrupts import parse_interrupts, parse_softirqs
from pathgauge.counters.perf import CYCLES, INSTRUCTIONS, HardwareCounter, open_counter
from pathgauge.counters.reading import Counters, merged
from pathgauge.counters.softnet import parse_softnet_stat
from pathgauge.counters.stat_table import parse_stat_table
from pathgauge.counters.sysctl import machine_sysctls
from pathgauge.counters.text import read_line, read_whole

ROOT = Path("/")
_TABLES = (("arp_cache", "neighbour_table.arp"), ("ndisc_cache", "neighbour_table.nd"), ("rt_cache", "route_cache"))
# Name -> file below /sys: what the CPUs are made to do, and what watches the kernel.
_SETTINGS = {
    "cpu.governor": "devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "cpu.driver": "devices/system/cpu/cpu0/cpufreq/scaling_driver",
    "cpu.no_turbo": "devices/system/cpu/intel_pstate/no_turbo",
    "cpu.boost": "devices/system/cpu/cpufreq/boost",
    "cpu.smt": "devices/system/cpu/smt/active",
    "cpu.online": "devices/system/cpu/online",
    "cpu.isolated": "devices/system/cpu/isolated",
    "idle.governor": "devices/system/cpu/cpuidle/current_governor_ro",
    "idle.driver": "devices/system/cpu/cpuidle/current_driver",
    "clocksource": "devices/system/clocksource/clocksource0/current_clocksource",
    "tracing.tracer": "kernel/tracing/current_tracer",
    "tracing.events": "kernel/tracing/set_event",
    "tracing.kprobes": "kernel/tracing/kprobe_events",
}


class MachineReader(Held):
    """Reads the machine's counters; keeps its hardware counters open, which count from its making. Usable in `with`."""

    def __init__(self, root: Path = ROOT) -> None:
        """Raises nothing: what is not to be had is absent from the readings."""
        self._root = root
        self._ticks = os.sysconf("SC_CLK_TCK")
        self._hardware: dict[str, HardwareCounter] = {}
        for name, event in (("perf.cycles", CYCLES), ("perf.instructions", INSTRUCTIONS)):
            counter = open_counter(event)
            if counter is not None:
                self._hardware[name] = counter

    def read(self) -> Counters:
        """`cpu.1.softirq` (us), `softirq.NET_RX.1`, `interrupt.*`, `softnet.1.dropped`, `neighbour_table.*`,
        `route_cache.*`, `perf.cycles`, `perf.instructions`, `frequency.1` (kHz, a level).
        """
        proc = self._root / "proc"
        parts = [
            parse_kinds(read_whole(proc / "stat"), self._ticks),
            parse_softirqs(read_whole(proc / "softirqs")),
            parse_interrupts(read_whole(proc / "interrupts")),
            parse_softnet_stat(read_whole(proc / "net/softnet_stat")),
        ]
        parts.extend(parse_stat_table(read_whole(proc / "net/stat" / file)).under(name) for file, name in _TABLES)
        counted = {name: counter.read() for name, counter in self._hardware.items()}
        parts.append(Counters({name: value for name, value in counted.items() if value is not None}))
        parts.append(Counters({}, {}, self._frequencies()))
        return merged(parts)

    def _frequencies(self) -> dict[str, int]:
        """kHz by CPU, where the kernel scales them."""
        found: dict[str, int] = {}
        for file in (self._root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq"):
            text = read_line(file)
            if text is not None and text.isdecimal():
                found[f"frequency.{file.parent.parent.name.removeprefix('cpu')}"] = int(text)
        return found

    def close(self) -> None:
        """May be called more than once."""
        for counter in self._hardware.values():
            counter.close()
        self._hardware = {}


def machine_settings(root: Path = ROOT) -> dict[str, str]:
    """`machine.cpu.governor`, `machine.sysctl.net.core.netdev_max_backlog` and so on, of what this machine has."""
    found = {f"machine.{name}": read_line(root / "sys" / file) for name, file in _SETTINGS.items()}
    settings = {name: text for name, text in found.items() if text is not None}
    return settings | {f"machine.{name}": text for name, text in machine_sysctls(root / "proc/sys").items()}
