"""CPU use of the whole machine as netperf reckons it: from the ticks of /proc/stat, over two moments.

Utilisation is what was not idle, in percent of all CPUs together; waiting for I/O counts as busy, as it does there.
"""

import time
from dataclasses import dataclass, replace

from pathgauge.errors import MachineError

PROC_STAT = "/proc/stat"
USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL = range(8)
_STATES = 8
_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Moment:
    """Ticks of each CPU by state, and when they were read (CLOCK_MONOTONIC, s)."""

    time: float
    cpus: dict[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Use:
    """What the machine did between two moments, in percent of all its CPUs; `peak` is that of the busiest one."""

    utilisation: float
    user: float
    system: float
    iowait: float
    irq: float
    softirq: float
    peak: float
    peak_id: int
    count: int

    def stretched(self, factor: float) -> "Use":
        """What it would have been in a time shorter by that factor, the rest having been idle."""
        names = ("utilisation", "user", "system", "iowait", "irq", "softirq", "peak")
        return replace(self, **{name: min(100.0, factor * getattr(self, name)) for name in names})


def parse(text: str, now: float) -> Moment:
    """The lines of single CPUs. Raises MachineError where there is none."""
    cpus = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        number = name.removeprefix("cpu")
        if not name.startswith("cpu"):
            break
        if number.isdigit():
            words = rest.split()[:_STATES]
            if len(words) < _STATES or not all(word.isdigit() for word in words):
                raise MachineError(f"{PROC_STAT} holds a CPU time that is not a number")
            cpus[int(number)] = tuple(map(int, words))
    if not cpus:
        raise MachineError(f"{PROC_STAT} names no CPU", hint="mount -t proc proc /proc")
    return Moment(now, cpus)


def read() -> Moment:
    """Now. Raises MachineError where it cannot be read."""
    try:
        with open(PROC_STAT, encoding="ascii") as file:
            return parse(file.read(_LONGEST), time.monotonic())
    except OSError as error:
        raise MachineError(f"{PROC_STAT} cannot be read: {error.strerror}", hint="mount -t proc proc /proc") from error


def between(start: Moment, stop: Moment) -> Use:
    """The use between two moments; all zero where not one tick went by."""
    spent = {
        number: [max(0, later - earlier) for earlier, later in zip(start.cpus[number], ticks, strict=True)]
        for number, ticks in stop.cpus.items()
        if number in start.cpus
    }
    shares = {number: _shares(ticks) for number, ticks in spent.items()}
    count = max(1, len(shares))
    mean = [sum(share[state] for share in shares.values()) / count for state in range(_STATES)]
    busy = {number: _busy(share) for number, share in shares.items()}
    peak_id = max(busy, key=lambda number: busy[number], default=-1)
    return Use(
        utilisation=_busy(mean),
        user=mean[USER] + mean[NICE],
        system=mean[SYSTEM],
        iowait=mean[IOWAIT],
        irq=mean[IRQ],
        softirq=mean[SOFTIRQ],
        peak=busy.get(peak_id, 0.0),
        peak_id=peak_id,
        count=count,
    )


def _shares(ticks: list[int]) -> list[float]:
    whole = sum(ticks)
    return [100.0 * tick / whole for tick in ticks] if whole else [0.0] * _STATES


def _busy(shares: list[float]) -> float:
    return sum(shares) - shares[IDLE]
