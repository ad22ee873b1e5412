"""UDP_STREAM: the client sends datagrams as fast as it may; goodput is what the server received."""

import msgspec

from pathgauge.traffic.kind import CPU_METRICS, DEMAND_METRICS, STREAM, TestKind, udp_payload
from pathgauge.traffic.parameters import Parameters

LARGEST_DATAGRAM = 65535


def complete(parameters: Parameters, mtu: int) -> Parameters:
    """The largest datagram that is not fragmented on any of the paths; receives take any datagram whole."""
    return msgspec.structs.replace(
        parameters,
        send_size=parameters.send_size or udp_payload(mtu, ipv6=parameters.ipv6),
        receive_size=parameters.receive_size or LARGEST_DATAGRAM,
    )


KIND = TestKind(
    name="UDP_STREAM",
    summary="bulk UDP from the client to the server, loss counted",
    transport="udp",
    pattern="stream",
    active="local",
    primary="goodput",
    metrics=("goodput", "send_rate", "loss", *CPU_METRICS, *DEMAND_METRICS, "cycles_per_byte"),
    parameters=STREAM,
    complete=complete,
)
