"""What one netperf command line asks for, typed: bytes, seconds, -1 or None where nothing was said."""

from dataclasses import dataclass, field
from typing import Literal

Output = Literal["classic", "keyval", "csv", "human", "json"]
Family = Literal[0, 4, 6]  # of addresses: 0 is either

SEND, RECEIVE = 2, 4  # the bits of a direction, as netperf sees it

# The tests by name, and those of netperf that pathgauge does not have, with why.
TESTS = (
    "TCP_STREAM", "TCP_MAERTS", "TCP_SENDFILE", "TCP_RR", "TCP_CRR", "TCP_CC", "TCP_MSS",
    "UDP_STREAM", "UDP_RR", "OMNI", "LOC_CPU", "REM_CPU", "UUID",
)  # fmt: skip
CLASSIC_TESTS = frozenset({"TCP_SENDFILE", "TCP_CC", "TCP_MSS"})


@dataclass(slots=True)
class EndOptions:
    """What was asked of one end, `local` or `remote`."""

    send_size: int = -1
    receive_size: int = -1
    send_buffer: int = -1  # SO_SNDBUF as asked
    receive_buffer: int = -1
    send_align: int = 8
    send_offset: int = 0
    receive_align: int = 8
    receive_offset: int = 0
    send_width: int = 0  # buffers in the ring; 0: the default
    receive_width: int = 0
    cpu: int = -1  # to bind to
    fill_file: str = ""
    priority: int = -1
    tos: int = -1
    congestion: str = ""
    nodelay: bool = False
    cork: bool = False
    connected: bool = False  # a UDP socket that is connected
    port: int = 0  # of the data socket
    address: str = ""  # of the data socket, "" as the control connection's
    mask: int = -1  # prefix length: the bits behind it are drawn anew for each iteration
    family: Family = 0
    burst: int = 0  # operations of an interval; 0: no pacing
    interval: float = 0.0


@dataclass(slots=True)
class Settings:
    """One command line of netperf, whole."""

    # global
    test: str = "TCP_STREAM"
    host: str = ""  # "" is localhost
    host_family: Family = 0
    control_local: str = ""
    control_local_family: Family = 0
    port: int = 12865
    local_port: int = 0  # of the control connection
    length: float = 10.0  # > 0 seconds; 0 until a signal
    limit: int = 0  # bytes (streams) or transactions instead of seconds; 0 is none
    control: bool = True  # -N: False
    banner: bool = True  # -P
    verbosity: int = 1
    debug: int = 0
    units: str = ""  # -f; "" is the test's own
    brand: str = ""
    local_cpu_wanted: bool = False  # -c
    remote_cpu_wanted: bool = False  # -C
    local_cpu_rate: float = 0.0
    remote_cpu_rate: float = 0.0
    interim: float = 0.0  # -D: seconds between interim results; 0: none; negative: after every operation
    confidence: int = 99
    width: float = 0.05  # of the whole interval, as a fraction
    iterations_min: int = 1
    iterations_max: int = 1
    confidence_given: bool = False  # -i or -I was given
    result_only: bool = False  # -r
    latency: bool = False  # -j
    wait: float = 0.0  # -s
    keepalive: bool = False  # -S
    discard: bool = False  # -V: receive without copying
    send_avoid: bool = False
    passphrase: str = ""
    # test-specific
    output: Output = "classic"
    selection: str = ""  # what was given to -k, -o, -O
    direction: int = SEND  # SEND, RECEIVE or both: as this end sees it
    direction_given: bool = False
    connection: bool = False  # -c of a test: a connection for each transaction
    request_size: int = -1
    response_size: int = -1
    transport: Literal["tcp", "udp"] = "tcp"
    first_burst: int = 0  # -b of a test: more requests in flight
    defer_accept: bool = False
    packet_info: bool = False
    receive_timeout: float = 0.0
    fast_open: bool = False
    socket_debug: bool = False
    max_segment: int = 0
    multicast_ttl: int = -1
    port_low: int = 5000  # client's ports of TCP_CRR
    port_high: int = 65535
    routing: bool | None = None  # None: netperf's default, off for unidirectional UDP
    uuid: str = ""
    retry_connect: bool = False
    dont_fragment: bool = False
    pacing_rate: int = 0  # SO_MAX_PACING_RATE, bytes/s
    percentiles: tuple[float, ...] = ()  # of our own: further ones, 0 to 100
    command_line: str = ""
    ignored: tuple[str, ...] = ()  # words that belong to no option: netperf passes over them
    show: Literal["", "help", "test-help", "version"] = ""  # what to print instead of running a test
    local: EndOptions = field(default_factory=EndOptions)
    remote: EndOptions = field(default_factory=EndOptions)

    @property
    def transactions(self) -> bool:
        """Whether requests are answered, or connections made, so that transactions are counted."""
        return self.connection or self.direction == SEND | RECEIVE

    @property
    def migrated(self) -> bool:
        """Whether it goes by an omni request."""
        return self.test not in CLASSIC_TESTS
