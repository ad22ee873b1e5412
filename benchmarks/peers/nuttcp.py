"""nuttcp, TCP only: with UDP as fast as it goes, Debian's 6.1.2 hangs now and then."""

import re
from dataclasses import dataclass

from benchmarks.peers.program import PeerArm, Work

CONTROL_PORT, DATA_PORT = 5000, 5001
MEBIBYTE = 1 << 20
MEGABIT = 1e6


@dataclass(slots=True)
class NuttcpArm(PeerArm):
    """nuttcp -t or -r. Its receiver reads by the sender's size."""

    def serve(self) -> list[str]:
        return ["nuttcp", "-S", "--nofork", "--single-threaded", f"-P{CONTROL_PORT}"]

    def command(self, seconds: int) -> list[str]:
        how = f"-T{seconds}" if seconds else "-n1"
        direction = "-r" if self.reversed else "-t"
        ports = [f"-P{CONTROL_PORT}", f"-p{DATA_PORT}"]
        return ["nuttcp", direction, "-fparse", *ports, f"-l{self.parameters.send_size}", how, *self.options, self.host]

    def read(self, output: str) -> Work:
        """nuttcp prints its time to 10 ms, its rate in full: the time is made of both."""
        said = dict(re.findall(r"(\w+)=(\S+)", output))
        received = round(float(said["megabytes"]) * MEBIBYTE)
        return Work(8 * received / (float(said["rate_Mbps"]) * MEGABIT), received)
