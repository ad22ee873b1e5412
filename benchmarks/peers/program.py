"""What all stock programs have in common: a server in a namespace, and a client's run that is one slice.

Each run makes a connection of its own and lasts whole seconds, as the programs take them. CPU time is the kernel's
account of the two processes, without what a run of next to nothing costs them.
"""

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import ClassVar, NamedTuple, Self

from pathgauge.errors import MachineError
from pathgauge.measuring.measured import Measured, Warmed
from pathgauge.paths.types import BuiltPath
from pathgauge.results.document import Connection, Slice
from pathgauge.results.latency import Histogram
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.parameters import Parameters

START_RUNS = 3
LONGEST_RUN = 30.0  # s; a program that hangs is ended
ANSWER_SECONDS = 5.0  # within which a server has to answer


class Work(NamedTuple):
    """What a program says of its run: `received` bytes, or transactions, in `seconds`."""

    seconds: float
    received: int = 0
    transactions: int = 0
    lost: int = 0
    latency: Histogram | None = None


def within(namespace: int, *command: str) -> list[str]:
    """The command line that runs a command in the network namespace behind one of this process's descriptors."""
    return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{namespace}", *command]


def pinned(cpu: int | None) -> list[str]:
    """What goes before a command that is to run on that CPU."""
    return [] if cpu is None else ["taskset", "--cpu-list", str(cpu)]


class Server:
    """A program's server in a path's server namespace, for as long as the context lasts. One thread, no forks."""

    def __init__(self, path: BuiltPath, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            within(path.server_space, *command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def cpu_seconds(self) -> float:
        """Its run time so far, as the scheduler counts it."""
        with open(f"/proc/{self.process.pid}/schedstat") as status:
            return int(status.read().split()[0]) / 1e9

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.process.terminate()
        self.process.wait()


class Ran(NamedTuple):
    """One run of a client: what it printed, and the CPU seconds of both ends."""

    output: str
    local: float
    remote: float


@dataclass(slots=True)
class PeerArm:
    """A program's client and server on one path. A subclass says which commands they are, and reads what is said.

    `options` are further ones of the client's.
    """

    name: str
    path: BuiltPath
    kind: TestKind
    parameters: Parameters
    options: tuple[str, ...] = ()
    accountable: ClassVar[bool] = True  # whether there is a run of next to nothing; else CPU time is unknown
    server: Server | None = None
    start_cpu: tuple[float, float] = field(default=(0.0, 0.0))  # of a run of next to nothing, in s

    @property
    def host(self) -> str:
        return self.path.server_addresses["ipv4"]

    @property
    def reversed(self) -> bool:
        return self.kind.active == "remote"

    def serve(self) -> list[str]:
        """The server's command line."""
        raise NotImplementedError

    def command(self, seconds: int) -> list[str]:
        """The client's, for a run of so many seconds; 0: one of next to nothing."""
        raise NotImplementedError

    def read(self, output: str) -> Work:
        """What a run's output says."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.server = Server(self.path, [*pinned(self.parameters.remote_cpu), *self.serve()]).__enter__()
        try:
            self._wait()
            runs = [self._run(0) for _ in range(START_RUNS if self.accountable else 1)]
        except BaseException:
            self.server.__exit__(None, None, None)
            raise
        self.start_cpu = (
            statistics.median(run.local for run in runs),
            statistics.median(run.remote for run in runs),
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.server is not None:
            self.server.__exit__(kind, error, traceback)

    def _wait(self) -> None:
        """Until the server answers."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                self._run(0)
            except MachineError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def _run(self, seconds: int) -> Ran:
        if self.server is None:
            raise MachineError(f"{self.name}'s server does not run")
        server_before, before = self.server.cpu_seconds(), children_seconds()
        command = within(self.path.client_namespace, *pinned(self.parameters.local_cpu), *self.command(seconds))
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                output, _ = process.communicate(timeout=LONGEST_RUN)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise MachineError(f"{self.name} hangs: {' '.join(command)}") from error
        if process.returncode != 0:
            raise MachineError(f"{self.name} failed: {' '.join(command)}: {output.strip()}")
        return Ran(output, children_seconds() - before, self.server.cpu_seconds() - server_before)

    def open(self) -> None:
        """Nothing to do: the program makes a connection of its own in each run."""

    def warm(self, seconds: float) -> Warmed:
        """Nothing to do: the program has no warm-up of ours."""
        return Warmed(seconds, 1)

    def measure(self, ramp: float, seconds: float) -> Measured:
        """Run the program once."""
        del ramp
        start = time.monotonic()
        ran = self._run(max(1, round(seconds)))
        work = self.read(ran.output)
        moved = work.transactions or work.received
        row = Slice(
            test=self.kind.name,
            path=self.name,
            block=0,
            position=0,
            start=start,
            local_seconds=work.seconds,
            remote_seconds=work.seconds,
            bytes_sent=moved,
            bytes_received=moved,
            messages_sent=0,
            messages_received=0,
            transactions=work.transactions,
            messages_lost=work.lost,
            total_bytes_sent=moved,
            total_bytes_received=moved,
            cpu_local_seconds=ran.local - self.start_cpu[0] if self.accountable else None,
            cpu_remote_seconds=ran.remote - self.start_cpu[1] if self.accountable else None,
        )
        return Measured(row, work.latency)

    def connection(self) -> Connection:
        """Unknown: the connection is the program's own."""
        return Connection(path=self.name)

    def close(self) -> None:
        """Nothing is open."""


def children_seconds() -> float:
    """CPU time of the children that have ended, in s."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
