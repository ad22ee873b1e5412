"""Debian's iperf3."""

import json
from dataclasses import dataclass

from benchmarks.peers.program import PeerArm, Work

PORT = 5201


@dataclass(slots=True)
class Iperf3Arm(PeerArm):
    """iperf3 -c, unlimited also over UDP. Its receiver reads by the sender's size."""

    def serve(self) -> list[str]:
        return ["iperf3", "--server", "--bind", self.host, "--port", str(PORT)]

    def command(self, seconds: int) -> list[str]:
        size = self.parameters.send_size or 0
        how = ["--time", str(seconds)] if seconds else ["--bytes", str(size)]
        how += ["--reverse"] if self.reversed else []
        how += ["--udp", "--bitrate", "0"] if self.kind.transport == "udp" else []
        where = ["--client", self.host, "--port", str(PORT)]
        return ["iperf3", *where, "--length", str(size), *how, *self.options, "--json"]

    def read(self, output: str) -> Work:
        end = json.loads(output)["end"]
        if self.kind.transport == "udp":
            found = end["sum"]
            came = found["packets"] - found["lost_packets"]
            return Work(found["seconds"], came * (self.parameters.send_size or 0), lost=found["lost_packets"])
        return Work(end["sum_received"]["seconds"], end["sum_received"]["bytes"])
