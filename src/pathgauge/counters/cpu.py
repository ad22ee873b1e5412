"""The machine's CPU time from /proc/stat: in all from its first line, and by kind and CPU.

The kernel accounts it in ticks of 1/USER_HZ s (10 ms as a rule), mostly by sampling at the timer interrupt: good in
sums over many slices, too coarse to judge one slice by.
"""

import os
from dataclasses import dataclass

from pathgauge.counters.held import HeldFile
from pathgauge.counters.reading import Counters
from pathgauge.counters.text import number, whole_lines
from pathgauge.errors import MachineError

PROC_STAT = "/proc/stat"
# user nice system idle iowait irq softirq steal; guest and guest_nice follow, and are contained in user and nice.
_COLUMNS = 8
_KINDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_TOTALS = {b"ctxt": "cpu.context_switches", b"intr": "cpu.interrupts", b"processes": "cpu.forks"}
_MICROSECONDS = 1_000_000
_LONGEST = len("cpu12345")


@dataclass(frozen=True, slots=True)
class MachineCpu:
    """CPU seconds of the whole machine since boot, or between two readings.

    `busy` is user, nice, system, irq and softirq time; `softirq` is a part of it. `steal` is what the hypervisor gave
    to others, in no other field. `idle` includes iowait.
    """

    busy: float
    softirq: float
    steal: float
    idle: float


def parse_stat(text: bytes, ticks_per_second: int) -> MachineCpu:
    """The `cpu` line of /proc/stat, which must be whole. Raises MachineError if it is not there."""
    line, newline, _ = text.partition(b"\n")
    words = line.split()
    if not newline or not words or words[0] != b"cpu" or len(words) <= _COLUMNS:
        raise MachineError(f"{PROC_STAT} does not begin with the machine's CPU times.")
    try:
        user, nice, system, idle, iowait, irq, softirq, steal = (int(word) for word in words[1 : _COLUMNS + 1])
    except ValueError as error:
        raise MachineError(f"{PROC_STAT} holds a CPU time that is not a number.") from error
    return MachineCpu(
        busy=(user + nice + system + irq + softirq) / ticks_per_second,
        softirq=softirq / ticks_per_second,
        steal=steal / ticks_per_second,
        idle=(idle + iowait) / ticks_per_second,
    )


def parse_kinds(text: bytes, ticks_per_second: int) -> Counters:
    """All of /proc/stat: `cpu.all.softirq`, `cpu.1.user` in microseconds; `cpu.context_switches`, `cpu.interrupts`,
    `cpu.forks`, and the level `cpu.running` (processes that run or want to).

    Raises nothing: a line that is not in the form that Linux writes is left out.
    """
    rising: dict[str, int] = {}
    gauges: dict[str, int] = {}
    for line in whole_lines(text):
        head, *words = line.split()[: len(_KINDS) + 1] or [b""]
        if head in _TOTALS and words and (value := number(words[0])) is not None:
            rising[_TOTALS[head]] = value
        elif head == b"procs_running" and words and (value := number(words[0])) is not None:
            gauges["cpu.running"] = value
        elif head == b"cpu" or (head.startswith(b"cpu") and head[3:].isdigit() and len(head) <= _LONGEST):
            cpu = head[3:].decode() or "all"
            for kind, ticks in zip(_KINDS, map(number, words), strict=False):
                if ticks is not None:
                    rising[f"cpu.{cpu}.{kind}"] = ticks * _MICROSECONDS // ticks_per_second
    return Counters(rising, {}, gauges)


def difference(earlier: MachineCpu, later: MachineCpu) -> MachineCpu:
    """What was spent between two readings. Idle is never below zero: the kernel's iowait may run backwards."""
    return MachineCpu(
        busy=later.busy - earlier.busy,
        softirq=later.softirq - earlier.softirq,
        steal=later.steal - earlier.steal,
        idle=max(0.0, later.idle - earlier.idle),
    )


class MachineCpuReader(HeldFile):
    """Keeps /proc/stat open: one system call a reading. Usable in `with`."""

    def __init__(self, path: str = PROC_STAT) -> None:
        """Raises MachineError if the file cannot be opened."""
        try:
            super().__init__(path)
        except OSError as error:
            raise MachineError(f"{path} cannot be read: {error.strerror}.", hint="mount -t proc proc /proc") from error
        self._ticks_per_second = os.sysconf("SC_CLK_TCK")

    def read(self) -> MachineCpu:
        """The times since boot. Raises MachineError if they cannot be read, also after close()."""
        try:
            text = os.pread(self.descriptor, 1024, 0)
        except OSError as error:
            raise MachineError(f"{PROC_STAT} cannot be read: {error.strerror}.") from error
        return parse_stat(text, self._ticks_per_second)
