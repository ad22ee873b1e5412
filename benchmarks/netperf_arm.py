"""Stock netperf as an arm of the measuring loop: one run of the program is one slice. For benchmarks.

Its shortest timed run is 1 s, in which the machine's noise changes; so a slice is a run of so many bytes or
transactions as a timed run before showed to last about as long as the slice is to be.
"""

import os
import re
import statistics
import subprocess
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import msgspec

from pathgauge.errors import MachineError
from pathgauge.measuring.measured import Measured, Warmed
from pathgauge.paths.types import BuiltPath
from pathgauge.results.document import Connection, Slice
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.parameters import Parameters

PORT = 12865
SELECTORS = "THROUGHPUT,REMOTE_RECV_THROUGHPUT,LOCAL_BYTES_RECVD,REMOTE_BYTES_RECVD"
START_RUNS = 5
MEGABIT = 1e6


def within(namespace: int, *command: str) -> list[str]:
    """The command line that runs a command in the network namespace behind one of this process's descriptors."""
    return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{namespace}", *command]


class Netserver:
    """A stock netserver in a path's server namespace, for as long as the context lasts."""

    def __init__(self, path: BuiltPath) -> None:
        address = path.server_addresses["ipv4"]
        # Without fork (-f), so that the tests' CPU time is this process's own.
        command = ("netserver", "-D", "-f", "-4", "-L", address, "-p", str(PORT))
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


@dataclass(slots=True)
class NetperfArm:
    """netperf -t TEST with the arm's parameters, its CPU time taken from the kernel rather than from its own report."""

    name: str
    path: BuiltPath
    kind: TestKind
    parameters: Parameters
    server: Netserver
    rate: float = 0.0  # bytes or transactions a second, as calibrate() found it
    start_cpu: tuple[float, float] = (0.0, 0.0)  # what a run of next to nothing costs the two ends, in s

    def calibrate(self) -> None:
        """Find how much a slice is to hold, and what netperf's own start and end cost."""
        row = self._run("1")
        self.rate = (row.transactions or row.bytes_received) / row.local_seconds
        runs = [self._run("-1") for _ in range(START_RUNS)]
        self.start_cpu = (
            statistics.median(run.cpu_local_seconds or 0.0 for run in runs),
            statistics.median(run.cpu_remote_seconds or 0.0 for run in runs),
        )

    def command(self, length: str) -> list[str]:
        """The command line of one run; `length` as netperf takes it: seconds, or negative for bytes, transactions."""
        given = self.parameters
        if self.kind.pattern == "stream":
            sizes = ["-m", str(given.send_size), "-M", str(given.receive_size)]
        else:
            sizes = ["-r", f"{given.request_size},{given.response_size}"]
        if self.kind.active == "remote":  # -m and -M take LOCAL,REMOTE: it is the remote end that sends
            sizes = ["-m", f",{given.send_size}", "-M", f"{given.receive_size},"]
        if given.congestion:
            sizes += ["-K", f"{given.congestion},{given.congestion}"]
        where = ("-H", self.path.server_addresses["ipv4"], "-p", str(PORT), "-4")
        unit = "x" if self.kind.pattern == "transactions" else "m"
        how = ("-t", self.kind.name, "-l", length, "-T", f"{given.local_cpu},{given.remote_cpu}", "-f", unit)
        return within(self.path.client_namespace, "netperf", *where, *how, "--", *sizes, "-k", SELECTORS)

    def open(self) -> None:
        """Nothing to do: netperf makes a connection of its own in each run."""

    def warm(self, seconds: float) -> Warmed:
        """Nothing to do: netperf has no warm-up."""
        return Warmed(seconds, 1)

    def measure(self, ramp: float, seconds: float) -> Measured:
        """Run netperf once, without what its start and end cost."""
        del ramp
        row = self._run(f"-{max(1, round(self.rate * seconds))}")
        local, remote = row.cpu_local_seconds or 0.0, row.cpu_remote_seconds or 0.0
        return Measured(
            msgspec.structs.replace(
                row, cpu_local_seconds=local - self.start_cpu[0], cpu_remote_seconds=remote - self.start_cpu[1]
            )
        )

    def _run(self, length: str) -> Slice:
        before, start = self.server.cpu_seconds(), time.monotonic()
        command = self.command(length)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            output = process.stdout.read() if process.stdout else ""
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise MachineError(f"netperf failed: {' '.join(command)}: {output.strip()}")
        said = dict(re.findall(r"^(\w+)=(.*)$", output, re.MULTILINE))
        took, work = self._work(said)
        transactions = work if self.kind.pattern == "transactions" else 0
        moved = transactions if self.kind.pattern == "transactions" else work
        return Slice(
            test=self.kind.name,
            path=self.name,
            block=0,
            position=0,
            start=start,
            local_seconds=took,
            remote_seconds=took,
            bytes_sent=moved,
            bytes_received=moved,
            messages_sent=0,
            messages_received=0,
            transactions=transactions,
            total_bytes_sent=moved,
            total_bytes_received=moved,
            cpu_local_seconds=usage.ru_utime + usage.ru_stime,
            cpu_remote_seconds=self.server.cpu_seconds() - before,
        )

    def _work(self, said: dict[str, str]) -> tuple[float, int]:
        """Seconds, and bytes received or transactions. netperf prints its time to 10 ms, its rates in full."""
        received = int(said["LOCAL_BYTES_RECVD"] if self.kind.active == "remote" else said["REMOTE_BYTES_RECVD"])
        if self.kind.pattern == "transactions":
            transactions = int(said["LOCAL_BYTES_RECVD"]) // self.parameters.response_size
            return transactions / float(said["THROUGHPUT"]), transactions
        rate = said["REMOTE_RECV_THROUGHPUT"] if self.kind.transport == "udp" else said["THROUGHPUT"]
        return 8 * received / (float(rate) * MEGABIT), received

    def connection(self) -> Connection:
        """Unknown: the connection is the program's own."""
        return Connection(path=self.name)

    def close(self) -> None:
        """Nothing is open."""
