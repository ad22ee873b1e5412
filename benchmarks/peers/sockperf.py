"""sockperf's ping-pong, with every transaction's time from its log."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]  # ships no types

from benchmarks.peers.program import PeerArm, Work
from pathgauge.errors import MachineError
from pathgauge.results.latency import DIGITS, LARGEST_NS, Histogram

PORT = 11111
LEAST_SIZE = 14  # bytes of its own head


@dataclass(slots=True)
class SockperfArm(PeerArm):
    """sockperf ping-pong, requests and responses of one size.

    It counts what lies between its warm-up and its end, and spins in the one and where it has nothing to do, so that
    the CPU time of what it counts is not to be had.
    """

    accountable: ClassVar[bool] = False
    log: str = ""

    def serve(self) -> list[str]:
        self.log = tempfile.mkstemp(prefix="sockperf-")[1]
        return ["sockperf", "server", "--ip", self.host, "--port", str(PORT), *self._transport()]

    def __exit__(self, *whatever: object) -> None:
        PeerArm.__exit__(self, None, None, None)
        Path(self.log).unlink(missing_ok=True)

    def _transport(self) -> list[str]:
        return ["--tcp"] if self.kind.transport == "tcp" else []

    def command(self, seconds: int) -> list[str]:
        size = max(LEAST_SIZE, self.parameters.request_size)
        where = ["--ip", self.host, "--port", str(PORT), *self._transport(), "--msg-size", str(size)]
        how = ["--time", str(max(1, seconds)), "--full-log", self.log]
        return ["sockperf", "ping-pong", *where, *how, *self.options]

    def read(self, output: str) -> Work:
        """The log's latencies are half of a round trip, in us."""
        valid = re.search(r"\[Valid Duration\] RunTime=([\d.]+) sec", output)
        if valid is None:
            raise MachineError(f"sockperf said no duration: {output}")
        histogram, count = HdrHistogram(1, LARGEST_NS, DIGITS), 0
        for line in Path(self.log).read_text().splitlines():
            if re.match(r"\d+,", line):
                histogram.record_value(round(2000 * float(line.rsplit(",", 1)[1])))
                count += 1
        latency = Histogram.decode(histogram.encode().decode("ascii"))
        return Work(float(valid[1]), transactions=count, latency=latency)
