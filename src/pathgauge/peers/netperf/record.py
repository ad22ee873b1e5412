"""What one run of netperf found, for its output. Rates are per second of the client's elapsed time."""

from dataclasses import dataclass, field

from pathgauge.peers.netperf.settings import EndOptions, Settings
from pathgauge.results.latency import Histogram


@dataclass(slots=True)
class CpuUse:
    """One end's machine during a run, in percent of all its CPUs together (-1.0: not measured).

    `method` is netperf's letter: S is /proc/stat, U unknown.
    """

    utilisation: float = -1.0
    user: float = -1.0
    system: float = -1.0
    iowait: float = -1.0
    irq: float = -1.0
    softirq: float = -1.0
    method: str = "U"
    count: int = 0
    peak: float = -1.0
    peak_id: int = -1
    demand: float = -1.0  # us for each KiB or transaction


@dataclass(slots=True)
class EndRecord:
    """One end of the last iteration. Sizes in bytes as they were in force; -1 is unknown."""

    asked: EndOptions
    bytes_sent: int = 0
    bytes_received: int = 0
    send_calls: int = 0
    receive_calls: int = 0
    failed_sends: int = 0
    send_size: int = -1
    receive_size: int = -1
    send_width: int = 1
    receive_width: int = 1
    send_buffer: int = -1  # SO_SNDBUF when the socket was made
    send_buffer_end: int = -1  # and at the end
    receive_buffer: int = -1
    receive_buffer_end: int = -1
    retransmits: int = -1
    congestion: str = ""
    nodelay: bool = False
    priority: int = -1
    tos: int = -1
    cpu: CpuUse = field(default_factory=CpuUse)


@dataclass(slots=True)
class Confidence:
    """What the iterations came to: full relative widths as fractions (0.0 for one not measured)."""

    iterations: int = 1
    throughput: float = 0.0
    local_cpu: float = 0.0
    remote_cpu: float = 0.0
    reached: bool = True


@dataclass(slots=True)
class Record:
    """A whole run. `throughput` is the mean over iterations in the unit of `settings.units` (output.unit_for says which
    that is); `elapsed` the mean in s; counters are those of the last iteration.

    `receive_throughput` is the receiver's rate in UDP_STREAM, in the same unit. `transactions` of the last iteration.
    `latency` holds ns of all iterations, with exact `latency_min`, `_max`, `_mean`, `_deviation` in s.
    """

    settings: Settings
    source_name: str  # as the banner prints them: names, numeric addresses, ports
    source_address: str
    source_port: int
    target_name: str
    target_address: str
    target_port: int
    family: str  # AF_INET, AF_INET6, AF_UNSPEC
    source_family: str = ""  # where the two differ
    throughput: float = 0.0
    receive_throughput: float = 0.0
    elapsed: float = 0.0
    transactions: int = 0
    mss: int = -1
    local: EndRecord = field(default_factory=lambda: EndRecord(EndOptions()))
    remote: EndRecord = field(default_factory=lambda: EndRecord(EndOptions()))
    confidence: Confidence = field(default_factory=Confidence)
    latency: Histogram | None = None
    latency_min: float = 0.0
    latency_max: float = 0.0
    latency_mean: float = 0.0
    latency_deviation: float = 0.0
