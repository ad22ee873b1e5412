"""Stock netperf 2.7."""

import re
from dataclasses import dataclass

from benchmarks.peers.program import PeerArm, Server, Work
from pathgauge.errors import MachineError
from pathgauge.paths.types import BuiltPath

PORT = 12865
SELECTORS = (
    "THROUGHPUT,REMOTE_RECV_THROUGHPUT,LOCAL_SEND_THROUGHPUT,LOCAL_BYTES_RECVD,REMOTE_BYTES_RECVD,"
    "LOCAL_SEND_SIZE,LOCAL_RECV_SIZE,REMOTE_SEND_SIZE,REMOTE_RECV_SIZE"
)
MEGABIT = 1e6


def netserver(address: str) -> list[str]:
    """The server's command line. Without fork (-f), so that the tests' CPU time is this process's own."""
    return ["netserver", "-D", "-f", "-4", "-L", address, "-p", str(PORT)]


class Netserver(Server):
    """A netserver in a path's server namespace."""

    def __init__(self, path: BuiltPath) -> None:
        super().__init__(path, netserver(path.server_addresses["ipv4"]))


@dataclass(slots=True)
class NetperfArm(PeerArm):
    """netperf -t TEST."""

    def serve(self) -> list[str]:
        return netserver(self.host)

    def command(self, seconds: int) -> list[str]:
        given = self.parameters
        if self.kind.pattern == "transactions":
            sizes = ["-r", f"{given.request_size},{given.response_size}"]
        else:  # both ends' sizes each, whichever of them sends: -m takes LOCAL,REMOTE, -M takes REMOTE,LOCAL
            sizes = ["-m", f"{given.send_size},{given.send_size}", "-M", f"{given.receive_size},{given.receive_size}"]
        unit = "x" if self.kind.pattern == "transactions" else "m"
        where = ["-H", self.host, "-p", str(PORT), "-4"]
        how = ["-t", self.kind.name, "-l", str(seconds or -1), "-f", unit]
        return ["netperf", *where, *how, *self.options, "--", *sizes, "-k", SELECTORS]

    def read(self, output: str) -> Work:
        """netperf prints its time to 10 ms, its rates in full: the time is made of both."""
        said = dict(re.findall(r"^(\w+)=(.*)$", output, re.MULTILINE))
        local = int(said["LOCAL_BYTES_RECVD"])
        if self.kind.pattern == "transactions":
            transactions = local // self.parameters.response_size
            return Work(transactions / float(said["THROUGHPUT"]), transactions=transactions)
        sender, receiver = ("REMOTE", "LOCAL") if self.reversed else ("LOCAL", "REMOTE")
        sizes = int(said[f"{sender}_SEND_SIZE"]), int(said[f"{receiver}_RECV_SIZE"])
        if sizes != (self.parameters.send_size, self.parameters.receive_size):
            raise MachineError(f"netperf sent and received by {sizes} bytes, not as it was told")
        received = local if self.reversed else int(said["REMOTE_BYTES_RECVD"])
        rate = said["REMOTE_RECV_THROUGHPUT"] if self.kind.transport == "udp" else said["THROUGHPUT"]
        seconds = 8 * received / (float(rate) * MEGABIT)
        sent = float(said["LOCAL_SEND_THROUGHPUT"]) * MEGABIT * seconds / 8
        lost = max(0, round((sent - received) / (self.parameters.send_size or 1)))
        return Work(seconds, received, lost=lost if self.kind.transport == "udp" else 0)
