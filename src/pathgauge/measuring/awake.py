"""CPUs that are kept from going to sleep while a comparison runs.

A CPU that has nothing to do halts; how long it then takes to be back hangs on the machine, the hypervisor and the
moment, not on the path. A process of the lowest class (SCHED_IDLE) spins on each CPU of an end: whatever else wants to
run goes before it at once.
"""

import os
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from pathgauge.child import Child

_TURNS = 10_000  # of the spinning loop between two looks for the parent: some 0.2 ms
_SCHEDULED = 2  # CPUCLOCK_SCHED: of a process, what the scheduler gave it


@dataclass(slots=True)
class Awake:
    """The processes that keep these CPUs awake; a context manager. Raises OSError where one cannot be started.

    They are in the session of the ends: the kernel may give each session a share of its own (autogroup), and the lowest
    class is the lowest within its session alone.
    """

    cpus: Iterable[int]
    spinners: list[Child] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        try:
            for cpu in self.cpus:
                words = (cpu, os.getpid())
                child = Child.start(f"what keeps CPU {cpu} awake", __name__, words, keep=(), session=False)
                self.stack.callback(_end, child)
                self.spinners.append(child)
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stack.close()

    def spent(self) -> float:
        """The CPU seconds they have had by now, which are nobody's cost. Raises EndDied where one is gone."""
        return sum(_spent(child) for child in self.spinners)


def _spent(child: Child) -> float:
    pid = child.process.pid
    if child.process.poll() is not None:
        raise child.death(0.0)
    return time.clock_gettime((~pid << 3) | _SCHEDULED)  # as clock_getcpuclockid(3) makes it


def _end(child: Child) -> None:
    child.process.kill()
    child.process.wait()
    child.complaints.close()


def spin(cpu: int, parent: int) -> None:
    """Keep a CPU awake as long as the parent lives."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.sched_setaffinity(0, {cpu})
    while os.getppid() == parent:
        for _ in range(_TURNS):
            pass


if __name__ == "__main__":
    import sys

    spin(int(sys.argv[1]), int(sys.argv[2]))
