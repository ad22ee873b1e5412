"""A simulated twin of an arm: seeded noise around a known rate, with no socket anywhere. For unit tests only."""

import random
from dataclasses import dataclass, field

import numpy as np

from pathgauge.measuring.measured import Measured, Warmed
from pathgauge.results.document import Connection, Slice
from pathgauge.results.latency import Histogram


@dataclass
class TwinArm:
    """`rate` in bytes/s or transactions/s, `spread` the relative sd of a slice; every call is noted in `calls`."""

    name: str
    rate: float = 1e9
    spread: float = 0.01
    seed: int = 1
    void: str | None = None
    message: int = 65536
    calls: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    fail_at: int | None = None
    measured: int = 0

    def __post_init__(self) -> None:
        self.generator = random.Random(self.seed)

    def note(self, what: str) -> None:
        self.calls.append(what)
        self.log.append(f"{what} {self.name}")

    def open(self) -> None:
        self.note("open")

    def warm(self, seconds: float) -> Warmed:
        self.note("warm")
        return Warmed(seconds, int(self.rate * seconds / self.message))

    def measure(self, ramp: float, seconds: float) -> Measured:
        self.note("measure")
        self.measured += 1
        if self.fail_at is not None and self.measured >= self.fail_at:
            raise KeyboardInterrupt
        moved = int(self.rate * seconds * max(0.01, self.generator.gauss(1.0, self.spread)))
        row = Slice(
            test="TCP_STREAM",
            path=self.name,
            block=0,
            position=0,
            start=0.0,
            void=self.void,
            local_seconds=seconds,
            remote_seconds=seconds,
            bytes_sent=moved,
            bytes_received=moved,
            messages_sent=moved // self.message,
            messages_received=moved // self.message,
            transactions=moved,
            total_bytes_sent=moved,
            total_bytes_received=moved,
            cpu_local_seconds=0.5 * seconds,
            cpu_remote_seconds=0.25 * seconds * self.generator.gauss(1.0, 0.01),
            machine_seconds=seconds,
            machine_busy_seconds=seconds * self.generator.gauss(1.0, 0.05),
            retransmits=0,
        )
        places = np.array([20000, 20001, 21000])
        return Measured(row, Histogram(places, np.array([900, 90, 10])))

    def connection(self) -> Connection:
        self.note("connection")
        return Connection(path=self.name, mss=1448)

    def close(self) -> None:
        self.note("close")
